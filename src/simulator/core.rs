//! The state machine of the NAS: calls in, replies out, time as a value. It has no clock, no socket and no
//! task of its own; whatever was due is done when it is next asked, at the time it was due. The HTTP server
//! drives it with true time, a test with any time it likes.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::call::{Answer, ApiCall, Delivery, Failure, Reply, envelope};
use super::catalogue::Offer;
use super::checks::Check;
use super::control::PackageState;
use super::faults::Faults;
use super::job::Job;
use super::ledger::{Effect, Ledger, Origin, RequestRecord, rfc3339, rfc3339_micros};
use super::replay::Replay;
use super::results::{LogRow, ResultRow};
use super::scenario::Scenario;
use super::seed::Seed;
use super::session::Sessions;
use super::shapes;
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
    /// Highest id that a task has had.
    pub(super) last_task: i64,
    pub(super) last_job: i64,
    /// Checks of virtual machines under way.
    pub(super) checks: Vec<Check>,
    /// Settings of the package that were changed.
    pub(super) package_settings: BTreeMap<String, String>,
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
            blocked: scenario.blocked,
            power: scenario.power,
            package: scenario.package,
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
            last_task: 0,
            last_job: 0,
            checks: Vec::new(),
            package_settings: BTreeMap::new(),
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

    /// The faults still to come; one that hits several calls says how many are left.
    #[must_use]
    pub fn waiting_faults(&self) -> &[Fault] {
        self.faults.waiting()
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
                    ..Reply::json(self.envelope(&answer))
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
                ..Reply::json(self.envelope(&answer))
            };
        };
        let (reply, outcome) = self.suffer(seq, call, fault);
        self.ledger.answered(seq, outcome);
        reply
    }

    /// Which APIs there are at the moment.
    pub(super) fn offer(&self) -> Offer {
        let behaviour = &self.scenario.behaviour;
        Offer {
            package: self.package.is_present(),
            v2_reads: !behaviour.v2_reads103,
            compound: behaviour.compound,
            generation: behaviour.dsm_generation,
        }
    }

    /// Wraps an answer as this NAS does.
    pub(super) fn envelope(&self, answer: &Answer) -> Value {
        shapes::refused(envelope(answer), self.scenario.behaviour.error_shape)
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
        let api = self.offer().check(call)?;
        let inside = self.scenario.behaviour.compound_checks_inside && api.is_compound();
        let user = if api.open || inside {
            None
        } else {
            Some(self.authorise(call)?)
        };
        if !api.of_package() {
            return Ok(user);
        }
        if !self.scenario.behaviour.permission {
            return Err(Failure::code(105));
        }
        match self.package.refusal() {
            Some(code) => Err(Failure::code(code)),
            None => Ok(user),
        }
    }

    pub(super) fn arrive(&mut self, call: &ApiCall) -> u64 {
        let arrived = call.arrived.map(Timestamp::as_microsecond);
        self.ledger.arrive(RequestRecord {
            seq: 0,
            at: rfc3339_micros(arrived.unwrap_or(self.clock * 1000)),
            api: call.api.clone(),
            method: call.method.clone(),
            version: call.version,
            outcome: "pending".to_owned(),
            remote: call.remote.clone(),
            session: self.sessions.number(call.sid.as_deref()),
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
