//! Watches the BackupTasks of one namespace and holds every version of their status against the ledger as it
//! comes: a claim that is right in the end but was wrong for a moment is a contradiction all the same.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use abb_operator::{
    api::{BackupTask, BackupTaskStatus},
    simulator::Simulator,
};
use futures::StreamExt;
use kube::{
    Api, ResourceExt,
    runtime::{
        WatchStreamExt,
        watcher::{self, Event, watcher},
    },
};
use tokio::{sync::watch, task::JoinHandle};

use crate::judge::{self, Finding};

type Objects = BTreeMap<String, BackupTask>;

/// A running watch; ends when dropped.
pub struct Witness {
    objects: watch::Receiver<Objects>,
    findings: Arc<Mutex<BTreeSet<Finding>>>,
    watching: JoinHandle<()>,
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

impl Witness {
    pub fn start(tasks: Api<BackupTask>, nas: Arc<Simulator>) -> Self {
        let (publish, objects) = watch::channel(Objects::new());
        let findings = Arc::new(Mutex::new(BTreeSet::new()));
        let shared = Arc::clone(&findings);
        let watching = tokio::spawn(async move {
            let mut events = watcher(tasks, watcher::Config::default())
                .default_backoff()
                .boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(Event::Apply(task) | Event::InitApply(task)) => {
                        let status = task.status.clone().unwrap_or_default();
                        let found = judge::status(&status, &nas.ledger());
                        shared
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .extend(found);
                        publish.send_modify(|objects| {
                            objects.insert(task.name_any(), task);
                        });
                    }
                    Ok(Event::Delete(task)) => {
                        publish.send_modify(|objects| {
                            objects.remove(&task.name_any());
                        });
                    }
                    Ok(Event::Init | Event::InitDone) => {}
                    Err(error) => eprintln!("the witness's watch: {error}"),
                }
            }
        });
        Self {
            objects,
            findings,
            watching,
        }
    }

    /// Waits until the status of an object satisfies a condition; in vain, the last status seen.
    pub async fn until(
        &self,
        name: &str,
        deadline: Duration,
        holds: impl Fn(&BackupTaskStatus) -> bool,
    ) -> Result<BackupTaskStatus, Option<BackupTaskStatus>> {
        let mut objects = self.objects.clone();
        let satisfied = |objects: &Objects| {
            objects
                .get(name)
                .and_then(|task| task.status.as_ref())
                .is_some_and(&holds)
        };
        let in_time = tokio::time::timeout(deadline, objects.wait_for(satisfied))
            .await
            .is_ok_and(|seen| seen.is_ok());
        match self.status(name) {
            Some(status) if in_time => Ok(status),
            status => Err(status),
        }
    }

    /// The status as last seen.
    pub fn status(&self, name: &str) -> Option<BackupTaskStatus> {
        self.objects.borrow().get(name)?.status.clone()
    }

    /// What was found since the last call.
    pub fn take_findings(&self) -> Vec<Finding> {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *findings).into_iter().collect()
    }
}
