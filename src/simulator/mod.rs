//! A simulated Synology NAS with Active Backup for Business, to try a client on. It answers as the published
//! facts about the web API say; where nobody has published the answer, a switch chooses one. It keeps a ledger
//! of what took effect, which clients cannot read: that is the judge of whether a backup was started once.
//! The state machine [`Nas`] needs no clock and no socket; [`start`] puts it behind HTTPS.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::record::Trace;

mod actions;
mod activity;
mod admin;
mod answers;
mod behaviour;
mod call;
mod catalogue;
mod checks;
mod control;
mod core;
mod create;
mod direct;
mod dispatch;
mod encryption;
mod encryption_key;
mod faults;
mod job;
mod jobs;
mod ledger;
mod lists;
mod replay;
mod results;
mod scenario;
mod seed;
mod server;
mod session;
mod settings;
mod shapes;
mod spoil;
mod storage;
mod system;
mod tasks;
#[cfg(test)]
mod tests;
mod tls;
mod transfers;
mod versions;
mod wire;

pub use answers::{
    AgentOffline, BackupWhileRunning, CancelIdle, CancelWaiting, CancelWaitingBackup, CreateAnswer,
    DeadSession, DsmGeneration, ErrorShape, LastResultWhileRunning, MissingToken, Pollution, RemoveRunning,
    ResultRowAt, UnknownTask, WindowClosed,
};
pub use behaviour::Behaviour;
pub use call::{ApiCall, Delivery, Reply, Script};
pub use control::{Control, PackageState};
pub use core::Nas;
pub use direct::DirectNas;
pub use faults::{Fault, FaultKind};
pub use ledger::{Effect, Origin, RequestRecord};
pub use scenario::{DeviceSpec, ResultSpec, Scenario, TaskChange, TaskSpec, VersionSpec};

/// What can go wrong in setting the simulator up or in pulling a lever.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An address could not be listened on.
    #[error("failed to listen on '{address}'")]
    Listen {
        /// Address asked for.
        address: SocketAddr,
        /// Reason.
        #[source]
        source: std::io::Error,
    },
    /// No certificate could be made.
    #[error("failed to make a certificate")]
    MakeCertificate(#[source] rcgen::Error),
    /// The certificate could not be used.
    #[error("failed to configure TLS")]
    ConfigureTls(#[source] rustls::Error),
    /// A scenario file could not be read.
    #[error("failed to read scenario '{}'", path.display())]
    ReadScenario {
        /// File asked for.
        path: PathBuf,
        /// Reason.
        #[source]
        source: std::io::Error,
    },
    /// A scenario is not what it should be.
    #[error("failed to parse scenario '{origin}': {source}")]
    ParseScenario {
        /// File or other origin of the text.
        origin: String,
        /// Reason, with its line.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// The recorded answers lack something.
    #[error("failed to read '{part}' of the recorded answers")]
    ReadSeed {
        /// What is lacking.
        part: &'static str,
    },
    /// A lever was given something it does not understand.
    #[error("failed to read the body: {source}")]
    ReadControl {
        /// Reason.
        #[source]
        source: serde_json::Error,
    },
    /// What was asked for cannot be done now.
    #[error("failed: {reason}")]
    Refuse {
        /// Reason.
        reason: String,
    },
}

/// How to run the simulator.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the web API; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Address of the admin interface; none when missing.
    pub admin: Option<SocketAddr>,
    /// Serve HTTP instead of HTTPS.
    pub plaintext: bool,
    /// What the NAS is and holds.
    pub scenario: Scenario,
    /// Divides the length of runs, cancellations, deletions and start delays; the clock stays true.
    pub time_scale: f64,
    /// A recording to serve. The scenario then tells no more than who may log in.
    pub replay: Option<Trace>,
}

impl Default for Options {
    fn default() -> Self {
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: any_port,
            admin: Some(any_port),
            plaintext: false,
            scenario: Scenario::seed(),
            time_scale: 1.0,
            replay: None,
        }
    }
}

/// Starts a simulator and returns once it listens.
pub async fn start(options: Options) -> Result<Simulator, Error> {
    let Options {
        listen,
        admin,
        plaintext,
        scenario,
        time_scale,
        replay,
    } = options;
    let (username, password) = (scenario.username.clone(), scenario.password.clone());
    let nas = match replay {
        Some(trace) => Nas::replaying(scenario, trace, time_scale, jiff::Timestamp::now())?,
        None => Nas::new(scenario, time_scale, jiff::Timestamp::now())?,
    };
    let shared = Arc::new(server::Shared::new(nas));
    let identity = if plaintext {
        None
    } else {
        Some(tls::Identity::generate()?)
    };
    let (listener, address) = bind(listen).await?;
    let admin = match admin {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    let acceptor = identity.as_ref().map(|identity| identity.acceptor.clone());
    let api = tokio::spawn(server::serve(
        listener,
        server::Role::Api(acceptor),
        Arc::clone(&shared),
    ));
    let mut servers = vec![api];
    let mut admin_url = None;
    if let Some((listener, address)) = admin {
        admin_url = Some(format!("http://{address}"));
        servers.push(tokio::spawn(server::serve(
            listener,
            server::Role::Admin,
            Arc::clone(&shared),
        )));
    }
    let scheme = if plaintext { "http" } else { "https" };
    let url = format!("{scheme}://{address}");
    Ok(Simulator {
        shared,
        servers,
        url,
        admin_url,
        identity,
        username,
        password,
    })
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// A running simulator. Dropping it ends it at once.
pub struct Simulator {
    shared: Arc<server::Shared>,
    servers: Vec<JoinHandle<()>>,
    url: String,
    admin_url: Option<String>,
    identity: Option<tls::Identity>,
    username: String,
    password: String,
}

impl Simulator {
    /// Base URL of the web API, without a path.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Base URL of the admin interface.
    #[must_use]
    pub fn admin_url(&self) -> Option<&str> {
        self.admin_url.as_deref()
    }

    /// SHA-256 of the certificate in hex, lower case; none over plain HTTP.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&str> {
        self.identity
            .as_ref()
            .map(|identity| identity.fingerprint.as_str())
    }

    /// The certificate in PEM; none over plain HTTP.
    #[must_use]
    pub fn certificate_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(|identity| identity.pem.as_str())
    }

    /// Account that may log in.
    #[must_use]
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Its password at the start.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// What took effect up to now.
    #[must_use]
    pub fn ledger(&self) -> Vec<Effect> {
        self.shared.read(|nas| nas.ledger().to_vec())
    }

    /// What was asked up to now.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.read(|nas| nas.requests().to_vec())
    }

    /// Pulls a lever, as the admin interface does.
    pub fn control(&self, control: Control) -> Result<Value, Error> {
        self.shared.control(control)
    }

    /// Ends the simulator and waits until its ports are free.
    pub async fn shutdown(mut self) {
        for server in self.servers.drain(..) {
            server.abort();
            // It ends in nothing but its own abortion.
            let _ = server.await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}
