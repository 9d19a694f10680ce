//! Who serves what. Each process holds a slot, which is a Lease that it renews; the servers are shared out among the holders
//! of slots by one Lease each, which is written only when it changes hands. Here the requests are made; what is to be done is
//! said by `plan` and `core`, without I/O.
//!
//! The crates for leader election keep time by the wall clock and renew without comparing `resourceVersion`; a paused leader
//! could renew a Lease that another took. Here every write is a compare-and-swap, and no two processes act for one server at
//! once, because:
//!
//! 1. A process acts only while its fence is open: for the duration of its slot, on its own monotonic clock, from *before* the
//!    newest renewal was sent.
//! 2. A server that was released is free; its holder had closed its fence and waited for its pass. A server with a holder is
//!    taken only when that holder's slot has not changed for its whole duration on the contender's clock, and a list that was
//!    asked for after that shows that it still has not. Both clocks run at about the same rate, so the holder's fence has
//!    closed by then.
//! 3. A renewal that is committed later is answered after the fence has closed. That begins a new reign, in which the process
//!    has nothing: it writes every Lease anew before it acts. Either that write comes first, and the contender's fails; or the
//!    contender's does, and the holder's fails.
//! 4. One that leads alone (`--single-leader`) says so in the first slot, and waits until nobody else has a slot. A process
//!    takes nothing before it knows the history at least up to the write of its own slot, and nothing while somebody leads
//!    alone. Whichever of the two writes was first, the other process sees it.
//!
//! What remains: a person who deletes the Lease of a living process. Those who see that leave it the time to give up what it
//! held and to make the Lease again; one that starts in that moment does not know of it.

mod core;
mod fences;
mod lease;
mod plan;
#[cfg(test)]
mod tests;
mod view;
mod watching;
mod writing;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::{self, BoxStream, FuturesUnordered},
};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, api::ListParams};
use tokio::{
    sync::{broadcast, watch},
    time::{Instant, sleep_until, timeout},
};

use self::{
    core::{Core, Purpose, Request, Written},
    lease::{Leases, Record},
    watching::{Told, list, watching},
};
use super::{Context, Scope, ServerKey, cluster::Cluster};
use crate::act::Fence;

pub use fences::Fences;

/// Whether servers are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every process has its share.
    Shared,
    /// One has everything, the others stand by.
    Single,
}

/// What this process may do from now on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gain {
    /// Everything.
    Everything,
    /// What belongs to no server.
    Orphans,
    /// One server.
    Server(ServerKey),
}

/// Gains that nobody has read yet; those who fall behind look at everything.
const GAINS: usize = 1024;

/// How it is set up.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespace of the Leases.
    pub namespace: String,
    /// Name of the first slot's Lease; those of the others begin with it.
    pub name: String,
    /// Unique per process.
    pub identity: String,
    /// How long a slot lasts without renewal.
    pub duration: Duration,
    /// Whether servers are shared out.
    pub mode: Mode,
}

/// What the rest of the process needs of it.
#[derive(Debug)]
pub struct Handle {
    /// The fences.
    pub fences: Fences,
    /// What is gained.
    pub gains: broadcast::Sender<Gain>,
    /// Whether this process holds the first slot.
    pub leading: watch::Receiver<bool>,
    /// Whether the Leases are known, or everything is taken: what is read from then on shows all that was written for servers that
    /// were free.
    pub known: watch::Receiver<bool>,
}

/// One process's part in it.
pub struct Sharing {
    api: Api<Lease>,
    leases: Leases,
    core: Core,
    fences: Fences,
    gains: broadcast::Sender<Gain>,
    leading: watch::Sender<bool>,
    known: watch::Sender<bool>,
    /// The rights for a watch are lacking.
    polls: bool,
}

/// What came of a request.
enum Outcome {
    Looked(Option<(Vec<Record>, u64)>),
    Read(String, Result<Option<Record>, ()>),
    Answered {
        purpose: Purpose,
        written: Written,
        sent: Instant,
        reign: u64,
    },
    Drained(ServerKey),
}

impl Sharing {
    /// Sets it up; nothing is sent before [`Sharing::run`].
    #[must_use]
    pub fn new(client: Client, settings: Settings) -> (Self, Handle) {
        let Settings {
            namespace,
            name,
            identity,
            duration,
            mode,
        } = settings;
        let fences = Fences::of(Fence::leased(duration), mode == Mode::Single);
        let leases = Leases {
            name,
            identity,
            duration,
        };
        let (gains, _) = broadcast::channel(GAINS);
        let (leading, receiver) = watch::channel(false);
        let (known, is_known) = watch::channel(false);
        let sharing = Self {
            api: Api::namespaced(client, &namespace),
            core: Core::new(leases.clone(), mode, Arc::new(fences.clone())),
            leases,
            fences: fences.clone(),
            gains: gains.clone(),
            leading,
            known,
            polls: false,
        };
        let handle = Handle {
            fences,
            gains,
            leading: receiver,
            known: is_known,
        };
        (sharing, handle)
    }

    /// Takes, renews and gives until `over` turns true, which is when no pass is under way any more; from `stop` on nothing
    /// is taken and all is given away. At the end the slot is released. Network.
    pub async fn run<C: Cluster>(
        mut self,
        context: &Context<C>,
        scopes: &[Scope],
        mut stop: watch::Receiver<bool>,
        mut over: watch::Receiver<bool>,
    ) {
        let ticks = scopes
            .iter()
            .map(|scope| super::changes(scope.servers_changed()).boxed());
        let mut ticks = stream::select_all(ticks);
        let mut told = self.watching();
        let mut tasks: FuturesUnordered<BoxFuture<'_, Outcome>> = FuturesUnordered::new();
        let mut is_leaving = false;
        self.count(scopes);
        loop {
            let (requests, wake) = self.core.next(Instant::now());
            for request in requests {
                if matches!(request, Request::Rewatch) {
                    told = self.watching();
                } else {
                    tasks.push(self.execute(request, context));
                }
            }
            self.publish();
            if *over.borrow() && self.core.is_empty() {
                break;
            }
            let wait = async {
                match wake {
                    Some(wake) => sleep_until(wake).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(outcome) = tasks.next() => {
                    if let Some(request) = self.done(outcome) {
                        tasks.push(self.execute(request, context));
                    }
                }
                Some(news) = told.next() => self.news(news),
                Some(_) = ticks.next() => self.count(scopes),
                () = wait => {}
                Ok(_) = stop.wait_for(|stop| *stop), if !is_leaving => {
                    is_leaving = true;
                    self.core.leave(Instant::now());
                }
                Ok(_) = over.wait_for(|over| *over), if !*over.borrow() => {}
            }
        }
        drop(tasks);
        if let Some(request) = self.core.retire() {
            let outcome = self.execute(request, context).await;
            let released = matches!(
                outcome,
                Outcome::Answered {
                    written: Written::Done(_) | Written::Deleted,
                    ..
                }
            );
            tracing::info!(released, "lease released");
        }
        self.leading.send_replace(false);
    }

    fn watching(&self) -> BoxStream<'static, Told> {
        let told = watching(self.api.clone(), self.leases.clone());
        told.chain(stream::pending()).boxed()
    }

    /// The servers that exist, once all watches have listed them.
    fn count(&mut self, scopes: &[Scope]) {
        if scopes.iter().all(|scope| *scope.servers_changed().borrow() > 0) {
            let servers: BTreeSet<ServerKey> = scopes.iter().flat_map(Scope::server_keys).collect();
            self.core.servers(servers);
        }
    }

    fn news(&mut self, told: Told) {
        if matches!(told, Told::Refused) {
            tracing::warn!(
                "the operator may not list and watch Leases: one replica leads alone, the others look at its Lease from \
                 time to time (the chart's Role {}-lease grants it)",
                self.leases.name
            );
            self.polls = true;
        }
        self.core.told(told, Instant::now());
    }

    fn publish(&mut self) {
        for gain in self.core.gains() {
            if let Gain::Server((namespace, server)) = &gain {
                tracing::info!(namespace, server, "this replica serves the BackupServer");
            }
            // Nobody listens before the controllers run and after they have ended.
            let _ = self.gains.send(gain);
        }
        // Whoever leads alone takes everything at once.
        if self.core.is_listed() && (!self.fences.is_alone() || self.fences.first.is_open()) {
            self.known
                .send_if_modified(|known| !std::mem::replace(known, true));
        }
        let is_open = self.fences.first.is_open();
        self.leading
            .send_if_modified(|leading| std::mem::replace(leading, is_open) != is_open);
    }

    fn done(&mut self, outcome: Outcome) -> Option<Request> {
        let now = Instant::now();
        match outcome {
            Outcome::Looked(listed) => self.core.looked(listed, now),
            Outcome::Read(name, read) => self.core.read_one(&name, read, now),
            Outcome::Answered {
                purpose,
                written,
                sent,
                reign,
            } => self.core.answered(purpose, written, sent, reign, now),
            Outcome::Drained(server) => {
                tracing::info!(
                    namespace = server.0,
                    server = server.1,
                    "this replica has given the BackupServer up"
                );
                return self.core.drained(&server);
            }
        }
        None
    }

    fn execute<'a, C: Cluster>(&self, request: Request, context: &'a Context<C>) -> BoxFuture<'a, Outcome> {
        let (api, leases, polls) = (self.api.clone(), self.leases.clone(), self.polls);
        let (sent, reign) = (Instant::now(), self.fences.whole.reign());
        // A Lease is written again well before it runs out.
        let longest = leases.duration / 3;
        async move {
            match request {
                Request::Look if polls => {
                    let read = read(&api, &leases, &leases.name, polls).await.ok();
                    Outcome::Looked(read.map(|record| {
                        let version = record.as_ref().map_or(0, Record::number);
                        (record.into_iter().collect(), version)
                    }))
                }
                Request::Look | Request::Rewatch => {
                    let listed = timeout(longest, list(&api, &leases)).await;
                    let listed = listed.ok().and_then(Result::ok);
                    Outcome::Looked(listed.map(|(records, version)| (records, version.parse().unwrap_or(0))))
                }
                Request::Read(name) => {
                    let read = read(&api, &leases, &name, polls).await;
                    Outcome::Read(name, read)
                }
                Request::Write {
                    purpose,
                    version,
                    lease,
                    with_labels,
                } => {
                    let write =
                        writing::write(&api, version.as_deref(), &lease, with_labels, leases.duration);
                    let written = timeout(longest, write).await.unwrap_or(Written::Unknown);
                    Outcome::Answered {
                        purpose,
                        written,
                        sent,
                        reign,
                    }
                }
                Request::Delete {
                    purpose,
                    name,
                    version,
                } => {
                    let delete = writing::delete(&api, &name, version);
                    let written = timeout(longest, delete).await.unwrap_or(Written::Unknown);
                    Outcome::Answered {
                        purpose,
                        written,
                        sent,
                        reign,
                    }
                }
                Request::Drain(server, fence) => {
                    drain(context, &server, &fence).await;
                    Outcome::Drained(server)
                }
            }
        }
        .boxed()
    }
}

/// Waits for the pass of a server that is under way, ends its session and its fence. A pass that comes later finds the
/// fence closed. Network.
async fn drain<C: Cluster>(context: &Context<C>, server: &ServerKey, fence: &Fence) {
    let memory = context.fleet.server(server);
    let connection = {
        let mut memory = memory.lock().await;
        let connection = memory.connection.take();
        if let Some(connection) = &connection {
            connection.client.logout().await;
        }
        fence.end();
        connection
    };
    drop((connection, memory));
    context.fleet.forget(server).await;
}

/// Reads one Lease, whatever its labels; `Err` where nobody knows. Network.
async fn read(api: &Api<Lease>, leases: &Leases, name: &str, polls: bool) -> Result<Option<Record>, ()> {
    let read = async {
        if polls {
            return api.get_opt(name).await;
        }
        let params = ListParams::default().fields(&format!("metadata.name={name}"));
        Ok(api.list(&params).await?.items.into_iter().next())
    };
    let read = timeout(leases.duration / 3, read).await.map_err(|_| ())?;
    let read = read.map_err(|error| tracing::warn!(%error, name, "failed to read the Lease"))?;
    Ok(read.map(|lease| Record::of(&lease, leases.duration)))
}
