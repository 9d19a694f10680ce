//! What a process keeps per BackupServer between passes: the session, the newest inventory, and what it remembers
//! about open calls. All of it can be lost at any time; a restart begins with none.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{
    awake::Naps,
    packed::{ByUid, Packed, Uid},
    reign::Lists,
};
use crate::{
    api::{BackupServer, Reason},
    nas::{Capabilities, Client, DsmInfo, TaskId},
    observe::{Knowledge, Reach, Shelf},
    telemetry::ServerSample,
};

/// Namespace and name of a BackupServer.
pub type ServerKey = (String, String);

/// The servers this process serves.
#[derive(Default)]
pub struct Fleet {
    servers: std::sync::Mutex<BTreeMap<ServerKey, Arc<Mutex<Memory>>>>,
    samples: std::sync::Mutex<BTreeMap<ServerKey, ServerSample>>,
    /// Live lists of tasks at the beginning of a reign.
    pub(super) lists: Lists,
}

impl Fleet {
    /// The memory of one server.
    #[must_use]
    pub fn server(&self, key: &ServerKey) -> Arc<Mutex<Memory>> {
        let mut servers = self
            .servers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(servers.entry(key.clone()).or_default())
    }

    /// What a scrape is told of a server; a scrape never waits for a NAS.
    #[must_use]
    pub fn sample(&self, key: &ServerKey) -> ServerSample {
        let samples = self
            .samples
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        samples.get(key).cloned().unwrap_or_default()
    }

    /// Notes what the last pass found.
    pub fn note(&self, key: &ServerKey, memory: &Memory) {
        let sample = ServerSample {
            up: memory.reached(),
            last_list: memory.shelf.as_ref().map(|shelf| shelf.begun),
            list_duration: memory.list_duration.map(|took| took.as_secs_f64()),
        };
        let mut samples = self
            .samples
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        samples.insert(key.clone(), sample);
    }

    /// Every server's memory.
    #[must_use]
    pub fn all(&self) -> Vec<(ServerKey, Arc<Mutex<Memory>>)> {
        let servers = self
            .servers
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        servers
            .iter()
            .map(|(key, memory)| (key.clone(), Arc::clone(memory)))
            .collect()
    }

    /// Forgets a server that does not exist any more and ends its session. Network.
    pub async fn forget(&self, key: &ServerKey) {
        self.samples
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .remove(key);
        let memory = {
            let mut servers = self
                .servers
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            servers.remove(key)
        };
        if let Some(memory) = memory {
            let connection = memory.lock().await.connection.take();
            if let Some(connection) = connection {
                connection.client.logout().await;
            }
        }
    }

    /// Forgets the servers that are gone. Network.
    pub async fn forget_if(&self, is_gone: impl Fn(&ServerKey) -> bool) {
        for (key, _) in self.all() {
            if is_gone(&key) {
                self.forget(&key).await;
            }
        }
    }

    /// Waits until nothing is under way that was begun.
    pub async fn quiet(&self) {
        for (_, memory) in self.all() {
            drop(memory.lock().await);
        }
    }

    /// Ends every session. Network.
    pub async fn log_out(&self) {
        let all = self.all();
        let log_out = |memory: Arc<Mutex<Memory>>| async move {
            let connection = memory.lock().await.connection.take();
            if let Some(connection) = connection {
                connection.client.logout().await;
            }
        };
        futures::future::join_all(all.into_iter().map(|(_, memory)| log_out(memory))).await;
    }
}

/// What is kept of one server.
#[derive(Default)]
pub struct Memory {
    /// UID and generation of the object that the rest was made from.
    pub made_from: Option<(Option<String>, Option<i64>)>,
    /// The reign in which it was begun, once the server was read in it.
    pub entered: Option<u64>,
    /// The same once the tasks were, too.
    pub reign: Option<u64>,
    /// The session.
    pub connection: Option<Connection>,
    /// The newest login refusal.
    pub refusal: Option<Refusal>,
    /// Why the server cannot be used, if so.
    pub problem: Option<Problem>,
    /// Failed polls in a row.
    pub failures: u32,
    /// The newest inventory.
    pub shelf: Option<Arc<Shelf>>,
    /// Where it was begun before the tasks were known: a version that they had just before.
    pub early: Option<u64>,
    /// Whether it is not noted yet for those who are awake.
    pub is_news: bool,
    /// When the inventory is read next.
    pub next_poll: Option<Timestamp>,
    /// Whether the last pass left something to watch.
    pub active: bool,
    /// Since when news of tasks gives way to calls.
    pub giving_way: Option<Timestamp>,
    /// UIDs of the BackupTasks for which the last pass found a run due, queued or in flight.
    pub seeking: BTreeSet<String>,
    /// How long the last inventory read took.
    pub list_duration: Option<SignedDuration>,
    /// Whether the session has turned out to be over: the Secret is read before the next login.
    pub is_session_over: bool,
    /// When the Secret was last read.
    pub secret_read: Option<Timestamp>,
    /// Its resourceVersion then.
    pub secret_version: Option<String>,
    /// Versions of the BackupTasks that were looked at while others still wait for their turn.
    pub had_a_turn: ByUid<u64>,
    /// Of BackupTasks that are awake.
    pub knowledge: ByUid<Knowledge>,
    /// Of BackupTasks at rest.
    pub naps: Naps,
    /// Result number and clock skew of the newest result that showed one.
    pub shown_skew: Option<(i64, i64)>,
    /// Objects as we last wrote or read them, until the watch has caught up.
    pub written: ByUid<Arc<Packed>>,
    /// The BackupServer as we last wrote it.
    pub written_server: Option<BackupServer>,
    /// Tasks that a live read showed and the watch does not know yet.
    pub unwatched: ByUid<Arc<Packed>>,
    /// Since when nothing but the count of running tasks is to be written of the BackupServer.
    pub miscounted_since: Option<Timestamp>,
    /// Digest of the UIDs of all its tasks.
    pub members: u64,
}

/// A session and what it was made from.
pub struct Connection {
    /// The client.
    pub client: Client,
    /// Digest of the used keys of the Secret and of the address and trust they are used with. Never leaves the process.
    pub fingerprint: [u8; 32],
    /// The machine, once it was asked.
    pub dsm: Option<DsmInfo>,
    /// Logins of the client when it was asked.
    pub login: u64,
    /// The newest probe.
    pub probed: Option<Probed>,
}

/// What the account can ask for.
pub struct Probed {
    /// Logins of the client then.
    pub login: u64,
    /// What was found; `None` where no probe has told anything.
    pub found: Option<Capabilities>,
    /// When it is asked again.
    pub again: Timestamp,
}

impl Connection {
    /// Whether the machine was asked who it is since the last login.
    #[must_use]
    pub fn is_identified(&self) -> bool {
        self.dsm.is_some() && self.login == self.client.logins()
    }

    /// What the newest probe found.
    #[must_use]
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.probed.as_ref()?.found.as_ref()
    }

    /// Its serial, where it told.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        self.dsm.as_ref()?.serial.as_deref()
    }
}

/// A refused login.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// As [`Connection::fingerprint`]; `None` after a restart, when only the Secret's version is known.
    pub fingerprint: Option<[u8; 32]>,
    /// resourceVersion of the Secret.
    pub secret_version: String,
    /// When the same credentials are tried again.
    pub next_attempt: Timestamp,
    /// Time between the last two attempts.
    pub delay: SignedDuration,
    /// What is said of it.
    pub problem: Problem,
}

/// Why a server cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The reason of its `Ready`.
    pub reason: Reason,
    /// For people; without secrets.
    pub message: String,
    /// Whether somebody has to act.
    pub stalled: bool,
}

impl Memory {
    /// An edited server is looked at anew at once, its address, trust and Secret included; one that was made anew
    /// under its name shares nothing with the old one. Network: the logout of the old one.
    pub async fn follow(&mut self, server: &BackupServer) {
        let now = (server.metadata.uid.clone(), server.metadata.generation);
        match &self.made_from {
            Some(before) if *before == now => return,
            Some((uid, _)) if *uid != now.0 => {
                let old = std::mem::take(self);
                if let Some(connection) = old.connection {
                    connection.client.logout().await;
                }
            }
            Some(_) | None => {
                self.next_poll = None;
                self.secret_read = None;
            }
        }
        self.made_from = Some(now);
    }

    /// Forgets what an earlier reign saw: another process may have led since, started runs, seen runs end, and been
    /// refused a login. Only the answers to our own calls stay; nobody else knows them.
    pub fn begin_reign(&mut self) {
        self.shelf = None;
        self.next_poll = None;
        self.secret_read = None;
        self.naps.clear();
        self.had_a_turn.clear();
        for knowledge in self.knowledge.values_mut() {
            let (call, withheld) = (knowledge.call.take(), knowledge.withheld.take());
            *knowledge = Knowledge {
                call,
                withheld,
                ..Knowledge::default()
            };
        }
    }

    /// Forgets tasks that are not there any more; the NAS tasks that some of them were bound to come back.
    pub fn forget_the_gone(&mut self, tasks: &[Arc<Packed>]) -> BTreeSet<TaskId> {
        let members = tasks.iter().fold(0, |all, task| all ^ task.uid.digest());
        if std::mem::replace(&mut self.members, members) == members {
            return BTreeSet::new();
        }
        let uids: HashSet<&Uid> = tasks.iter().map(|task| &task.uid).collect();
        self.knowledge.retain(|uid, _| uids.contains(uid));
        self.written.retain(|uid, _| uids.contains(uid));
        let gone = self.naps.extract_if(.., |uid, _| !uids.contains(uid));
        gone.map(|(_, nap)| nap.bound).collect()
    }

    /// Takes note of a poll that failed.
    pub fn fail(&mut self, problem: Problem) {
        self.failures = self.failures.saturating_add(1);
        self.problem = Some(problem);
    }

    /// Whether the last attempt to read the NAS succeeded, if there was one.
    fn reached(&self) -> Option<bool> {
        match (&self.problem, &self.shelf) {
            (Some(_), _) => Some(false),
            (None, Some(_)) => Some(true),
            (None, None) => None,
        }
    }

    /// Whether the NAS could be read.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match &self.problem {
            Some(problem) => Reach::Failing {
                polls: self.failures,
                reason: problem.reason,
            },
            None => Reach::Readable,
        }
    }
}
