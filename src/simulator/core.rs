//! The state machine of the NAS: calls in, replies out, time as a value. It has no clock, no socket and no
//! task of its own; whatever was due is done when it is next asked, at the time it was due. The HTTP server
//! drives it with true time, a test with any time it likes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::{Answer, ApiCall, Delivery, Failure, Reply, envelope};
use super::catalogue;
use super::control::PackageState;
use super::faults::Faults;
use super::jobs::Job;
use super::ledger::{Effect, Ledger, Origin, RequestRecord, rfc3339};
use super::replay::Replay;
use super::results::{LogRow, ResultRow};
use super::scenario::Scenario;
use super::seed::Seed;
use super::session::Sessions;
use super::tasks::Task;
use super::{Error, Fault};

/// Longest time a job can take; stands for "never" in arithmetic that must not overflow.
pub(super) const LONGEST: i64 = 1 << 52;

/// A simulated NAS.
#[derive(Debug)]
pub struct Nas {
    pub(super) scenario: Scenario,
    pub(super) seed: Seed,
    /// Divides the length of jobs.
    scale: f64,
    /// True time up to which everything has been done, in milliseconds since 1970.
    pub(super) clock: i64,
    pub(super) tasks: BTreeMap<i64, Task>,
    pub(super) jobs: Vec<Job>,
    pub(super) results: BTreeMap<i64, ResultRow>,
    pub(super) logs: Vec<LogRow>,
    pub(super) sessions: Sessions,
    pub(super) faults: Faults,
    pub(super) ledger: Ledger,
    /// Logins answer 407.
    pub(super) blocked: bool,
    pub(super) power: bool,
    pub(super) package: PackageState,
    pub(super) last_job: i64,
    pub(super) last_result: i64,
    pub(super) late: Vec<Late>,
    collectable: BTreeMap<u64, Reply>,
    /// Recorded answers that are served instead of its own.
    pub(super) replay: Option<Replay>,
}

/// A call whose effect is still to come.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) due: i64,
    pub(super) seq: u64,
    pub(super) call: ApiCall,
    /// Account of the session it came in with; sessions are checked on arrival.
    pub(super) user: Option<String>,
    /// Whether somebody waits for the answer.
    pub(super) wanted: bool,
}

impl Nas {
    /// A NAS as the scenario describes it. `time_scale` divides the length of runs, cancellations, deletions
    /// and start delays; the clock is true.
    pub fn new(scenario: Scenario, time_scale: f64, now: Timestamp) -> Result<Self, Error> {
        if !time_scale.is_finite() || time_scale <= 0.0 {
            return Err(Error::Refuse {
                reason: format!("time scale {time_scale} is not above zero"),
            });
        }
        let specs = scenario.resolved_tasks();
        let mut nas = Self {
            faults: Faults::new(scenario.faults.clone()),
            scenario,
            seed: Seed::read()?,
            scale: time_scale,
            clock: now.as_millisecond(),
            tasks: BTreeMap::new(),
            jobs: Vec::new(),
            results: BTreeMap::new(),
            logs: Vec::new(),
            sessions: Sessions::default(),
            ledger: Ledger::default(),
            blocked: false,
            power: true,
            package: PackageState::Running,
            last_job: 0,
            // The recorded result; the next one is 7545.
            last_result: 7544,
            late: Vec::new(),
            collectable: BTreeMap::new(),
            replay: None,
        };
        for spec in specs {
            nas.add_task(spec)?;
        }
        Ok(nas)
    }

    /// What took effect so far.
    #[must_use]
    pub fn ledger(&self) -> &[Effect] {
        self.ledger.effects()
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> &[RequestRecord] {
        self.ledger.requests()
    }

    /// Whether the network of the NAS answers at all; the server obeys it, the state machine does not.
    #[must_use]
    pub fn power(&self) -> bool {
        self.power
    }

    /// The clock as the `Date` header of an answer tells it, where there is one.
    #[must_use]
    pub fn told_time(&self) -> Option<Timestamp> {
        let told = self.scenario.behaviour.emit_date.then(|| self.nas_time())?;
        Timestamp::from_second(told).ok()
    }

    /// Adds a fault behind those still to come.
    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    /// Does everything that was due up to now, in its order.
    pub fn advance(&mut self, now: Timestamp) {
        let now = now.as_millisecond();
        while let Some(due) = self.next_due().filter(|due| *due <= now) {
            self.clock = self.clock.max(due);
            self.end_due_jobs();
            self.do_due_calls();
            self.start_ready();
        }
        self.clock = self.clock.max(now);
    }

    /// When something will next happen without being asked; `None` when nothing is under way.
    #[must_use]
    pub fn next_event(&self) -> Option<Timestamp> {
        self.next_due()
            .and_then(|due| Timestamp::from_millisecond(due).ok())
    }

    fn next_due(&self) -> Option<i64> {
        let calls = self.late.iter().map(|late| late.due);
        let jobs = self.jobs.iter().filter_map(|job| job.next_due(self.clock));
        calls.chain(jobs).min()
    }

    fn do_due_calls(&mut self) {
        let clock = self.clock;
        let due: Vec<Late> = self.late.extract_if(.., |late| late.due <= clock).collect();
        for late in due {
            let mut cookies = Vec::new();
            let answer = self.execute(&late.call, late.user.as_deref(), &mut cookies);
            if late.wanted {
                self.ledger.answered(late.seq, outcome(&answer));
                let reply = Reply {
                    cookies,
                    ..Reply::json(envelope(&answer))
                };
                self.collectable.insert(late.seq, reply);
            } else {
                self.ledger
                    .answered(late.seq, format!("lost {}", outcome(&answer)));
            }
        }
    }

    /// Takes the answer of a call that was dealt with later; lost when it is not there.
    pub fn collect(&mut self, ticket: u64, now: Timestamp) -> Reply {
        self.advance(now);
        self.collectable
            .remove(&ticket)
            .unwrap_or_else(|| Reply::of(Delivery::Lost))
    }

    /// Deals with one call.
    pub fn handle(&mut self, call: &ApiCall, now: Timestamp) -> Reply {
        self.advance(now);
        let seq = self.arrive(call);
        if let Some((reply, outcome)) = self.replayed(call) {
            self.ledger.answered(seq, outcome);
            return reply;
        }
        let Some(fault) = self.faults.hit(call) else {
            let (answer, cookies) = self.perform(call);
            self.ledger.answered(seq, outcome(&answer));
            return Reply {
                cookies,
                ..Reply::json(envelope(&answer))
            };
        };
        let (reply, outcome) = self.suffer(seq, call, fault);
        self.ledger.answered(seq, outcome);
        reply
    }

    pub(super) fn perform(&mut self, call: &ApiCall) -> (Answer, Vec<String>) {
        let mut cookies = Vec::new();
        let answer = match self.admit(call) {
            Ok(user) => self.execute(call, user.as_deref(), &mut cookies),
            Err(failure) => Err(failure),
        };
        (answer, cookies)
    }

    /// Checks API, version, method and session; the account of the session, if the API needs one.
    pub(super) fn admit(&mut self, call: &ApiCall) -> Result<Option<String>, Failure> {
        let v2_reads = !self.scenario.behaviour.v2_reads103;
        let api = catalogue::check(call, self.package != PackageState::Stopped, v2_reads)?;
        let user = if api.open {
            None
        } else {
            Some(self.authorise(call)?)
        };
        if api.of_package() && self.package == PackageState::Upgrading {
            return Err(Failure::code(1007));
        }
        Ok(user)
    }

    fn execute(&mut self, call: &ApiCall, user: Option<&str>, cookies: &mut Vec<String>) -> Answer {
        let user = user.unwrap_or_default();
        match (call.api.as_str(), call.method.as_str()) {
            ("SYNO.API.Info", _) => {
                let present = self.package != PackageState::Stopped;
                Ok(Some(catalogue::query(call.text("query").as_deref(), present)))
            }
            ("SYNO.API.Auth", "login") => self.login(call, cookies),
            ("SYNO.API.Auth", _) => {
                self.logout(call);
                Ok(None)
            }
            ("SYNO.API.Encryption", _) => Ok(Some(self.encryption_info())),
            ("SYNO.Entry.Request", _) => self.compound(call, user),
            ("SYNO.DSM.Info", _) => Ok(Some(self.dsm_info())),
            ("SYNO.Core.System", _) => Ok(Some(self.system_info())),
            ("SYNO.Core.Package", _) => Ok(Some(self.packages())),
            ("SYNO.ActiveBackup.Task", "list") => Ok(Some(self.list(call))),
            ("SYNO.ActiveBackup.Task", "list_with_device") => Ok(Some(self.list_with_device(call))),
            ("SYNO.ActiveBackup.Task", "backup") => self.call_backup(call, user),
            ("SYNO.ActiveBackup.Task", "cancel") => self.call_cancel(call, user),
            ("SYNO.ActiveBackup.Task", "cancel_waiting_backup") => self.call_cancel_waiting(call, user),
            ("SYNO.ActiveBackup.Task", "remove") => self.call_remove(call, user),
            ("SYNO.ActiveBackup.Task", "list_vm_check") => Ok(Some(json!([]))),
            ("SYNO.ActiveBackup.Task", "create_vm_check") => {
                Ok(Some(json!({"aem_check_list": [], "check_list": []})))
            }
            ("SYNO.ActiveBackup.Task", "vm_check_cancel") => Ok(None),
            ("SYNO.ActiveBackup.Task", "get_default_task_name") => self.default_task_name(call),
            ("SYNO.ActiveBackup.Log", "list_result") => Ok(Some(self.list_result(call))),
            ("SYNO.ActiveBackup.Log", "list_log") => Ok(Some(self.list_log(call))),
            ("SYNO.ActiveBackup.Version", _) => self.list_versions(call),
            ("SYNO.ActiveBackup.Overview", _) => Ok(Some(self.list_activity())),
            ("SYNO.ActiveBackup.Device", _) => Ok(Some(self.list_devices(call))),
            ("SYNO.ActiveBackup.Setting", _) => Ok(Some(self.settings())),
            ("SYNO.ActiveBackup.Activation", _) => Ok(Some(self.activation())),
            _ => Err(Failure::code(103)),
        }
    }

    /// `SYNO.Entry.Request` `request`: several calls in one, one after the other.
    fn compound(&mut self, call: &ApiCall, user: &str) -> Answer {
        let Some(Value::Array(parts)) = call.value("compound") else {
            return Err(Failure::code(113));
        };
        let stop = call.flag("stop_when_error");
        let (mut result, mut has_fail) = (Vec::new(), false);
        for part in parts {
            let Value::Object(part) = part else {
                return Err(Failure::code(113));
            };
            let text = |name: &str| {
                part.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let version = part.get("version").and_then(super::call::as_number);
            let fields = part
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "api" | "method" | "version"));
            let inner = ApiCall {
                api: text("api"),
                method: text("method"),
                version,
                fields: fields
                    .map(|(name, value)| (name.clone(), value.to_string()))
                    .collect(),
                ..call.clone()
            };
            let seq = self.arrive(&inner);
            let answer = if has_fail && stop {
                Err(Failure::code(112))
            } else if inner.api == "SYNO.Entry.Request" {
                Err(Failure::code(113))
            } else {
                self.admit(&inner)
                    .and_then(|_| self.execute(&inner, Some(user), &mut Vec::new()))
            };
            self.ledger.answered(seq, outcome(&answer));
            has_fail |= answer.is_err();
            let mut entry = envelope(&answer);
            entry["api"] = json!(inner.api);
            entry["method"] = json!(inner.method);
            entry["version"] = json!(version);
            result.push(entry);
        }
        Ok(Some(json!({"has_fail": has_fail, "result": result})))
    }

    fn arrive(&mut self, call: &ApiCall) -> u64 {
        self.ledger.arrive(RequestRecord {
            seq: 0,
            at: rfc3339(self.clock),
            api: call.api.clone(),
            method: call.method.clone(),
            version: call.version,
            outcome: "pending".to_owned(),
            remote: call.remote.clone(),
        })
    }

    /// Time on the clock of the NAS, in seconds since 1970.
    pub(super) fn nas_time(&self) -> i64 {
        self.clock.div_euclid(1000) + self.scenario.clock_offset_seconds
    }

    /// Length of a job in milliseconds of true time.
    pub(super) fn scaled(&self, seconds: f64) -> i64 {
        let length = Duration::try_from_secs_f64((seconds / self.scale).max(0.0)).ok();
        length
            .and_then(|length| i64::try_from(length.as_millis()).ok())
            .unwrap_or(LONGEST)
            .min(LONGEST)
    }

    /// Enters an effect that concerns no task.
    pub(super) fn enter_plain(&mut self, kind: &str, user: Option<&str>, origin: Origin) {
        let effect = self.effect(kind, user, origin);
        self.ledger.enter(effect);
    }

    /// An effect of this moment, to be filled in.
    pub(super) fn effect(&self, kind: &str, user: Option<&str>, origin: Origin) -> Effect {
        Effect {
            seq: 0,
            at: rfc3339(self.clock),
            nas_time: self.nas_time(),
            kind: kind.to_owned(),
            task_id: None,
            unique_key: None,
            task_name: None,
            result_id: None,
            job_id: None,
            status: None,
            user: user.map(str::to_owned),
            origin,
        }
    }
}

/// Outcome of a call as the record of requests shows it.
pub(super) fn outcome(answer: &Answer) -> String {
    answer
        .as_ref()
        .map_or_else(|failure| failure.code.to_string(), |_| "ok".to_owned())
}
