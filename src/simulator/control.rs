//! Levers for whoever runs the simulator: the same verbs from Rust and over the admin interface. They stand
//! for what happens to a NAS from outside the API: people, power, upgrades. None of them is an API call, so
//! none of them is in the record of requests.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Error;
use super::behaviour::merged;
use super::core::Nas;
use super::faults::Fault;
use super::ledger::Origin;
use super::scenario::{ResultSpec, TaskChange, TaskSpec};
use super::settings::Settings;
use jiff::Timestamp;

/// State of the backup package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PackageState {
    /// Its APIs answer.
    #[default]
    Running,
    /// Its APIs are gone from the catalogue: 102.
    Stopped,
    /// Its APIs answer 1007.
    Upgrading,
    /// An upgrade is about to begin: its APIs answer 1006.
    UpgradeInitialising,
    /// An upgrade has failed: its APIs answer 1008.
    UpgradeFailed,
}

impl PackageState {
    /// Whether its APIs are in the catalogue.
    pub(super) fn is_present(self) -> bool {
        self != Self::Stopped
    }

    /// Code that its APIs answer instead of doing anything.
    pub(super) fn refusal(self) -> Option<i64> {
        match self {
            Self::Running | Self::Stopped => None,
            Self::UpgradeInitialising => Some(1006),
            Self::Upgrading => Some(1007),
            Self::UpgradeFailed => Some(1008),
        }
    }
}

/// One thing to do to the NAS, or to ask about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Control {
    /// The ledger of effects.
    Ledger,
    /// The record of requests.
    Requests,
    /// How many requests there were, of an API and a method where given.
    CountRequests {
        /// API to count.
        api: Option<String>,
        /// Method to count.
        method: Option<String>,
    },
    /// Everything else that can be seen from outside: tasks, queue, sessions, switches.
    State,
    /// Adds a fault.
    AddFault(Fault),
    /// Drops all faults still to come.
    ClearFaults,
    /// Plugs the network in or out. Runs go on either way.
    Power {
        /// Whether it is plugged in.
        on: bool,
    },
    /// Ends every session.
    ExpireSessions,
    /// Changes the password; open sessions stay.
    Password {
        /// New password.
        password: String,
    },
    /// Adds a task.
    AddTask(Box<TaskSpec>),
    /// Changes a task.
    ChangeTask {
        /// Task to change.
        id: i64,
        /// What changes.
        change: Box<TaskChange>,
    },
    /// Lets a task vanish with its runs, without any effect in the ledger.
    VanishTask {
        /// Task to drop.
        id: i64,
    },
    /// Starts a run as a person or the schedule does.
    StartTask {
        /// Task to start.
        id: i64,
        /// Who starts it.
        origin: Origin,
    },
    /// Ends the active run of a task now.
    FinishTask {
        /// Task whose run ends.
        id: i64,
        /// Result status it ends with.
        status: i64,
    },
    /// Appends a finished job of any kind, which becomes the task's last result.
    AddResult {
        /// Task it belongs to.
        id: i64,
        /// The result.
        result: ResultSpec,
    },
    /// Changes switches; fields not named stay.
    Behaviour(Value),
    /// Changes other fields of the scenario; fields not named stay. Runs that fit into a larger bound start.
    Settings(Value),
    /// Sets how far the clock of the NAS is ahead of true time.
    Clock {
        /// Seconds ahead; negative is behind.
        offset_seconds: i64,
    },
    /// Puts another machine behind the address: the same tasks under another serial number. Open sessions stay.
    Serial {
        /// New serial number.
        serial: String,
    },
    /// Blocks logins: they answer 407.
    Block {
        /// Whether they are blocked.
        on: bool,
    },
    /// Stops, starts or upgrades the package.
    Package {
        /// New state.
        state: PackageState,
    },
    /// Restarts the NAS: sessions gone, active runs end with status 4.
    Reboot,
    /// Forgets the record of requests.
    ResetRequests,
}

impl Nas {
    /// Does what a lever says, at this time.
    pub fn control(&mut self, control: Control, now: Timestamp) -> Result<Value, Error> {
        self.advance(now);
        match control {
            Control::Ledger => return Ok(json!(self.ledger.effects())),
            Control::Requests => return Ok(json!(self.ledger.requests())),
            Control::CountRequests { api, method } => {
                let wanted =
                    |have: &String, asked: &Option<String>| asked.as_ref().is_none_or(|it| it == have);
                let requests = self.ledger.requests().iter();
                let count = requests
                    .filter(|it| wanted(&it.api, &api) && wanted(&it.method, &method))
                    .count();
                return Ok(json!({"count": count}));
            }
            Control::State => return Ok(self.state()),
            Control::AddFault(fault) => self.faults.add(fault),
            Control::ClearFaults => self.faults.clear(),
            Control::Power { on } => self.power = on,
            Control::ExpireSessions => self.sessions.drop_all(),
            Control::Password { password } => self.scenario.password = password,
            Control::AddTask(spec) => {
                let id = self.add_task(*spec)?;
                return Ok(json!({"id": id}));
            }
            Control::ChangeTask { id, change } => {
                self.tasks
                    .get_mut(&id)
                    .ok_or_else(|| no_task(id))?
                    .change(*change);
                if self.tasks.get(&id).is_some_and(|task| task.agent_online) {
                    self.resume(id);
                }
            }
            Control::VanishTask { id } => {
                self.tasks.remove(&id).ok_or_else(|| no_task(id))?;
                self.jobs.retain(|job| job.task_id != id);
                self.start_ready();
            }
            Control::StartTask { id, origin } => self.start_by(id, origin)?,
            Control::FinishTask { id, status } => self.finish(id, status)?,
            Control::AddResult { id, result } => {
                let result_id = self
                    .enter_result(id, &result, self.clock)
                    .ok_or_else(|| no_task(id))?;
                return Ok(json!({"resultId": result_id}));
            }
            Control::Behaviour(patch) => {
                self.scenario.behaviour = self.scenario.behaviour.merged(patch)?;
            }
            Control::Settings(patch) => {
                let settings = merged(&Settings::from(&self.scenario), patch)?;
                self.scenario.set(settings);
                self.start_ready();
            }
            Control::Clock { offset_seconds } => self.scenario.clock_offset_seconds = offset_seconds,
            Control::Serial { serial } => self.scenario.serial = serial,
            Control::Block { on } => {
                self.blocked = on;
                self.sessions.forget_failures();
            }
            Control::Package { state } => self.package = state,
            Control::Reboot => self.reboot(),
            Control::ResetRequests => self.ledger.forget_requests(),
        }
        Ok(json!({"ok": true}))
    }

    fn state(&self) -> Value {
        let tasks: Vec<Value> = self
            .tasks
            .values()
            .map(|task| {
                let jobs = || self.jobs.iter().filter(|job| job.task_id == task.id);
                let state = if self.is_deleting(task.id) {
                    "deleting"
                } else if jobs().any(super::job::Job::is_active_run) {
                    "running"
                } else if jobs().next().is_some() {
                    "waiting"
                } else {
                    "idle"
                };
                json!({
                    "id": task.id,
                    "lastResultId": task.last_result,
                    "name": task.name,
                    "state": state,
                    "uniqueKey": task.unique_key,
                    "versions": task.versions.len(),
                })
            })
            .collect();
        json!({
            "behaviour": self.scenario.behaviour,
            "blocked": self.blocked,
            "clockOffsetSeconds": self.scenario.clock_offset_seconds,
            "faults": self.faults.waiting(),
            "nasTime": self.nas_time(),
            "package": self.package,
            "power": self.power,
            "sessions": self.sessions.count(),
            "tasks": tasks,
        })
    }
}

fn no_task(id: i64) -> Error {
    Error::Refuse {
        reason: format!("task {id} does not exist"),
    }
}
