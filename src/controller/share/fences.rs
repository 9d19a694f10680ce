//! The fences of one process: the whole, which is open while its slot is held, and the parts of it that stand in front of the
//! servers it has taken and of what belongs to no server.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{act::Fence, controller::ServerKey};

/// The fences of one process.
#[derive(Clone, Debug)]
pub struct Fences {
    /// Open while the slot is held.
    pub(super) whole: Fence,
    /// In front of what belongs to no server; of everything where one leads alone.
    pub(super) first: Fence,
    /// Whether one leads alone.
    is_alone: Arc<AtomicBool>,
    servers: Arc<Mutex<BTreeMap<ServerKey, Fence>>>,
}

/// One fence in front of everything.
impl From<Fence> for Fences {
    fn from(fence: Fence) -> Self {
        Self {
            whole: fence.clone(),
            first: fence,
            is_alone: Arc::new(AtomicBool::new(true)),
            servers: Arc::default(),
        }
    }
}

impl Fences {
    /// Parts of a fence that are closed until they are taken.
    pub(super) fn of(whole: Fence, is_alone: bool) -> Self {
        Self {
            first: whole.part(),
            whole,
            is_alone: Arc::new(AtomicBool::new(is_alone)),
            servers: Arc::default(),
        }
    }

    /// The fence in front of one server.
    #[must_use]
    pub fn of_server(&self, server: &ServerKey) -> Fence {
        if self.is_alone() {
            return self.first.clone();
        }
        let part = self.lock().get(server).cloned();
        part.unwrap_or_else(|| self.whole.part())
    }

    /// The fence in front of what belongs to no server.
    #[must_use]
    pub fn of_orphans(&self) -> Fence {
        self.first.clone()
    }

    /// Whether Leases stand behind them.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.whole.is_leased()
    }

    /// Whether one leads alone, or would.
    pub(super) fn is_alone(&self) -> bool {
        self.is_alone.load(Ordering::Relaxed)
    }

    /// From now on the first fence stands in front of everything.
    pub(super) fn lead_alone(&self) {
        self.is_alone.store(true, Ordering::Relaxed);
    }

    /// The fence in front of one server, for whoever has its Lease to take.
    pub(super) fn part(&self, server: &ServerKey) -> Fence {
        let part = || self.whole.part();
        self.lock().entry(server.clone()).or_insert_with(part).clone()
    }

    /// Forgets the fences of all other servers.
    pub(super) fn keep_only(&self, owned: &BTreeMap<ServerKey, Fence>) {
        self.lock().retain(|server, _| owned.contains_key(server));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerKey, Fence>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
