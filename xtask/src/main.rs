//! The chores of this repository: one entry for people and for CI.
//!
//! ```text
//! cargo xtask demo      build everything and show the closed loop
//! cargo xtask test      everything that CI runs, with the minutes per step
//! cargo xtask check     format, lints, house rules
//! ```
//!
//! On a fresh machine `demo` and `test` fetch what they need from the usual
//! package registries, or say in one line what is missing.

mod bench;
mod command;
mod demo;
mod e2e;
mod examples;
mod postgres;
mod python;
mod sim;
mod steps;
mod test;
mod tidy;
mod ui;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The chores of Loopwright")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the UI and the program, and show the closed loop.
    Demo {
        /// Passed on to `loopwright demo`, for example `-- --once`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        passed_on: Vec<String>,
    },
    /// Run everything that CI runs.
    Test {
        /// The long counts of simulations and kill loops.
        #[arg(long)]
        long: bool,
        /// Only the steps whose name contains this.
        only: Option<String>,
    },
    /// Check format, lints and house rules.
    Check,
    /// Measure; without a name, the list of what there is.
    Bench {
        /// What to measure; without a name, the list of what there is.
        name: Option<String>,
        /// Passed on to the benchmark, for example `-- --quick`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        passed_on: Vec<String>,
    },
    /// Run a seeded simulation.
    Sim {
        /// Which crate's simulation; without a name, the list of what there is.
        name: Option<String>,
        /// Lives this seed, and tells its tale.
        #[arg(long)]
        seed: Option<u64>,
        /// Lives so many seeds.
        #[arg(long, conflicts_with = "seed")]
        seeds: Option<u64>,
        /// Plants bugs into a copy of the code; each must be caught. With a
        /// text, only those whose file name contains it.
        #[arg(long, value_name = "TEXT", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["seed", "seeds"])]
        planted: Option<String>,
    },
    /// Walk through the UI in a real browser.
    E2e,
    /// Start the server and the UI with reload.
    Dev,
    /// Play an example and stay; without a name, run all of them to their end.
    Examples {
        /// Which one; the folder's name.
        name: Option<String>,
        /// Passed on to its driver, for example `-- --once`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        passed_on: Vec<String>,
    },
    /// Build what is handed out.
    Dist,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().chore {
        Chore::Demo { passed_on } => demo::run(&passed_on),
        Chore::Test { long, only } => test::run(long, only.as_deref()),
        Chore::Check => test::check(),
        Chore::Bench { name, passed_on } => bench::run(name.as_deref(), &passed_on),
        Chore::Sim { name, seed, seeds, planted } => sim::run(name.as_deref(), &sim::Asked { seed, seeds, planted }),
        Chore::E2e => e2e::run(true),
        Chore::Dev => demo::dev(),
        Chore::Examples { name, passed_on } => examples::run(name.as_deref(), &passed_on),
        Chore::Dist => demo::dist(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
