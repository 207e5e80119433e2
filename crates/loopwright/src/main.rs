//! The program: command line, configuration, wiring, workers, telemetry,
//! shutdown. It knows all crates and no rule of the domain.
//!
//! Reading order: [`cli`] says what can be asked for; [`serve`] builds the
//! house with [`wire`] and starts [`workers`]; [`demo`] is a client that shows
//! the closed loop.

mod cli;
mod config;
mod telemetry;
mod serve;
mod wire;
mod statements;
mod memory;
mod workers;
mod mail;
mod tls;
mod client;
mod push;
mod upload;
mod apply;
mod demo;
mod bench;

use std::process::ExitCode;

use clap::Parser;

/// Much of what a run costs is small pieces of memory (docs/decisions/0020).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    if let Some(folder) = arguments.supervised_task() {
        return workspace::supervise(folder);
    }
    if let Some(flags) = arguments.call_to_verify() {
        return cli::verify::run(flags);
    }
    // TLS has more than one provider among the dependencies; this one is ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime can be started while the program starts");
    let done = runtime.block_on(arguments.run());
    // Blocking threads may still hold a file; they end with the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loopwright: {error:#}");
            ExitCode::from(cli::exit_code(&error))
        }
    }
}
