//! `serve`: from the configuration to a running server, and its clean end.
//!
//! The order matters. The data folder is locked before anything in it is
//! touched. The listeners are bound before the house is built, because the
//! house must know its own addresses; callers wait in the backlog meanwhile.
//! The lines "listening on …" are printed last: whoever reads them may call.

use std::fs::{File, TryLockError};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::info;

use crate::cli::say;
use crate::config::Config;
use crate::tls::{self, Identity, TlsListener};
use crate::wire::{self, Addresses, House};
use crate::workers;

/// Runs the server until it is told to stop.
pub(crate) async fn serve(config: Config) -> Result<()> {
    // Listened to from the first moment on: a server that is told to stop while
    // it starts, stops cleanly too.
    let stop_signals = StopSignals::listen()?;
    let _lock = lock(&config.data)?;
    let main = bind("listen", config.listen).await?;
    let workspace = match config.workspace_listen {
        Some(address) => Some(bind("workspace_listen", address).await?),
        None => None,
    };
    let mails = match config.mail_listen {
        Some(address) => Some(bind("mail_listen", address).await?),
        None => None,
    };
    let identity = tls::identity(&config.tls, &config.data)?;
    let addresses = Addresses {
        main: main.local_addr()?,
        workspace: workspace.as_ref().map(TcpListener::local_addr).transpose()?,
        certificate: identity.as_ref().map(|identity| identity.certificate.clone()),
    };
    let scheme = addresses.scheme();
    let house = wire::build(&config, &addresses).await?;
    let app = app_of(&house, &config);
    workers::recover(&house).await?;

    let stop = CancellationToken::new();
    let tracker = TaskTracker::new();
    workers::start(&house, &tracker, &stop);
    let doors = CancellationToken::new();
    tracker.spawn(listen(main, identity.clone(), api::main_router(app.clone()), doors.clone()));
    if let Some(listener) = workspace {
        tracker.spawn(listen(listener, identity, api::workspace_router(app.clone()), doors.clone()));
    }
    let mail_address = mails.as_ref().map(TcpListener::local_addr).transpose()?;
    if let Some(listener) = mails {
        tracker.spawn(api::take_mails(listener, app.clone(), doors.clone()));
    }
    app.readiness.set_ready();
    say(&format!("listening on {scheme}://{}", addresses.main));
    if let Some(address) = addresses.workspace {
        say(&format!("listening on {scheme}://{address}"));
    }
    if let Some(address) = mail_address {
        say(&format!("taking mails on smtp://{address}"));
    }
    if config.workspace_faults {
        say("warning: the local workspace can be made to fail on purpose (setting \"workspace_faults\")");
        tracing::warn!("the local workspace can be made to fail on purpose (setting \"workspace_faults\")");
    }
    info!(main = %addresses.main, "the server is ready");

    stop_signals.wait().await;
    info!("the server is stopping");
    // First no new requests, then no new work; what runs comes to its end.
    doors.cancel();
    app.readiness.stop();
    stop.cancel();
    tracker.close();
    let grace = Duration::from_secs(config.stop_seconds);
    if tokio::time::timeout(grace, tracker.wait()).await.is_err() {
        tracing::warn!(seconds = config.stop_seconds, "some work was cut off; it is taken up at the next start");
    }
    info!("the server has stopped");
    Ok(())
}

/// Takes the data folder for this process alone, as long as it lives.
fn lock(data: &Path) -> Result<File> {
    std::fs::create_dir_all(data).with_context(|| format!("the data folder {} cannot be made", data.display()))?;
    let path = data.join("lock");
    let file = File::create(&path).with_context(|| format!("the data folder {} cannot be written", data.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "the data folder {} is in use by another server; stop it, or choose another folder by --data",
                data.display()
            )
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} cannot be locked", path.display())),
    }
}

async fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (setting \"{setting}\"); another program may"))
}

fn app_of(house: &House, config: &Config) -> api::App {
    api::App {
        access: house.access.clone(),
        pools: house.pools.clone(),
        events: house.events.clone(),
        flows: house.flows.clone(),
        workspace: house.workspace.clone(),
        workspace_ways: house.workspace_ways.clone(),
        mining: house.mining.clone(),
        sql: house.lake.clone(),
        management_requests_max: usize::try_from(config.management_requests_max).unwrap_or(usize::MAX),
        intelligence_limits: api::RequestLimits {
            per_second: config.intelligence_requests_per_second,
            per_day: config.intelligence_requests_per_day,
        },
        hook_bytes_max: usize::try_from(config.hook_bytes_max).unwrap_or(usize::MAX),
        trusted_proxies: config.trusted_proxies.clone().into(),
        clock: house.clock.clone(),
        chance: house.chance.clone(),
        metrics: Arc::default(),
        readiness: Arc::default(),
    }
}

async fn listen(listener: TcpListener, identity: Option<Identity>, router: axum::Router, doors: CancellationToken) {
    let served = match identity {
        None => axum::serve(listener, api::WithPeers(router)).with_graceful_shutdown(doors.cancelled_owned()).await,
        Some(identity) => match TlsListener::new(listener, &identity) {
            Ok(listener) => {
                axum::serve(listener, api::WithPeers(router)).with_graceful_shutdown(doors.cancelled_owned()).await
            }
            Err(error) => Err(error),
        },
    };
    if let Err(error) = served {
        tracing::error!(%error, "a listener ended");
    }
}

/// The two signals that ask a server to stop.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn listen() -> Result<Self> {
        Ok(StopSignals {
            terminate: signal(SignalKind::terminate()).context("SIGTERM cannot be listened to")?,
            interrupt: signal(SignalKind::interrupt()).context("SIGINT cannot be listened to")?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
