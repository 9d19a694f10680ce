//! What the tables are written with: builders of objects, NAS rows and knowledge, and the row itself. A row that
//! says nothing else has a bound, idle task whose newest backup (10) succeeded, seen in a read of this very pass.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt;

use crate::{
    api::*,
    decide::{Act, Decision, Needs, decide},
    nas::{Activity, LogRow, ResultId, ResultRow, Task, TaskId, UniqueKey, Version, job_action, status},
    observe::{
        Admission, Answered, Bound, Call, Claim, Inventory, Knowledge, Observation, Queue, Reach,
        ServerFacts, bind,
    },
    status::{next_status, notices},
};

/// Seconds after the moment in which every row takes place.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

/// That moment as a token.
pub fn token_at(second: i64) -> String {
    at(second).to_string()
}

/// `timeouts.settle` of every row.
pub const SETTLE: i64 = 60;
/// A day.
pub const DAY: i64 = 86_400;

/// One row: what is given, and what is expected of it.
pub struct Case {
    pub name: &'static str,
    pub object: BackupTask,
    pub server: ServerFacts,
    pub reach: Reach,
    pub nas: Option<Inventory>,
    pub fresh: bool,
    pub claim: Claim,
    pub admission: Admission,
    pub results: Option<Vec<ResultRow>>,
    pub versions: Option<Vec<Version>>,
    pub log: Option<Vec<LogRow>>,
    pub knowledge: Knowledge,
    pub now: Timestamp,

    pub act: Want,
    /// Kinds of triggers that the call or the run answers, checked where given.
    pub answers: Option<&'static [TriggerKind]>,
    pub needs: Needs,
    pub reason: Reason,
    pub state: State,
    pub request: Option<(&'static str, ReceiptOutcome)>,
    pub annotation: Option<(&'static str, ReceiptOutcome)>,
    pub cancel: Option<(&'static str, ReceiptOutcome)>,
    pub intent: bool,
    pub run: Option<Origin>,
    pub finalizer: bool,
    /// Checked where given.
    pub wake: Option<Timestamp>,
    /// Checked where given: what `status.nextRunTime`, `status.nextAttemptTime` and the queue go by.
    pub next_run: Option<Timestamp>,
    pub next_attempt: Option<Timestamp>,
    pub due: Option<Timestamp>,
    pub last_slot: Option<Timestamp>,
    pub last_result: Option<i64>,
    pub conditions: &'static [(ConditionType, &'static str, Reason)],
    pub without: &'static [ConditionType],
    pub events: Option<&'static [Reason]>,
}

/// The call a row expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Nothing,
    Backup { attempt: i32, baseline: i64 },
    Cancel { attempt: i32 },
    Remove { attempt: i32 },
}

pub fn case() -> Case {
    Case {
        nas: Some(lists(row())),
        ..bare(task())
    }
}

pub fn server() -> ServerFacts {
    ServerFacts {
        name: "nas".to_owned(),
        uid: "server".to_owned(),
        mode: Mode::Enforce,
        deleting: false,
        serial: Some("S1".to_owned()),
        settle: SignedDuration::from_secs(SETTLE),
        removals_allowed: true,
        removals_per_day: 5,
        breaker: (None, 0),
    }
}

pub fn mode(mode: Mode) -> ServerFacts {
    ServerFacts { mode, ..server() }
}

pub fn failing(polls: u32) -> Reach {
    Reach::Failing {
        polls,
        reason: Reason::Unreachable,
    }
}

/// An object that nobody has looked at yet.
pub fn new_task() -> BackupTask {
    let spec = serde_json::json!({ "serverRef": { "name": "nas" }, "task": { "name": "office" } });
    let mut object = BackupTask::new("office", serde_json::from_value(spec).unwrap());
    object.metadata.uid = Some("u1".to_owned());
    object.metadata.generation = Some(1);
    object.metadata.creation_timestamp = Some(Time(at(-DAY)));
    object
}

/// An object that has been looked at: the status of an idle pass.
pub fn task() -> BackupTask {
    let object = new_task();
    let nas = lists(row());
    let (server, knowledge) = (server(), Knowledge::default());
    let seen = Case {
        now: at(-3000),
        ..bare(object)
    };
    let bound = bind(&seen.object, Some(&nas), server.serial.as_deref());
    let observation = seen.observation(&server, Some(&nas), bound.clone(), &knowledge);
    let decision = decide(&seen.object, &observation, seen.now, "seen");
    let status = next_status(&seen.object, &decision, &bound, seen.now);
    BackupTask {
        status: Some(status),
        ..seen.object
    }
}

/// A row without the default object, which is made with one.
fn bare(object: BackupTask) -> Case {
    Case {
        name: "",
        object,
        server: server(),
        reach: Reach::Readable,
        nas: None,
        fresh: true,
        claim: Claim::default(),
        admission: Admission::Open,
        results: None,
        versions: None,
        log: Some(Vec::new()),
        knowledge: Knowledge::default(),
        now: at(0),
        act: Want::Nothing,
        answers: None,
        needs: Needs::default(),
        reason: Reason::Reconciled,
        state: State::Idle,
        request: None,
        annotation: None,
        cancel: None,
        intent: false,
        run: None,
        finalizer: false,
        wake: None,
        next_run: None,
        next_attempt: None,
        due: None,
        last_slot: None,
        last_result: None,
        conditions: &[],
        without: &[],
        events: None,
    }
}

/// Chained changes of an object.
pub trait Build: Sized {
    fn edit(self, change: impl FnOnce(&mut BackupTask)) -> Self;

    fn request(self, token: &str) -> Self {
        let token = token.to_owned();
        self.edit(|object| object.spec.triggers.request = Some(token))
    }
    fn not_after(self, second: i64) -> Self {
        self.edit(|object| object.spec.triggers.request_not_after = Some(Time(at(second))))
    }
    fn annotate(self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.edit(|object| {
            object.annotations_mut().insert(key, value);
        })
    }
    fn cancel(self, token: &str) -> Self {
        let request = token.to_owned();
        self.edit(|object| object.spec.cancel = Some(CancelSpec { request }))
    }
    fn suspended(self) -> Self {
        self.edit(|object| object.spec.suspend = true)
    }
    fn removal(self, when: RemovalWhen, confirm: &str) -> Self {
        let confirm = Some(confirm.to_owned());
        let not_after = (when == RemovalWhen::Now).then(|| Time(at(600)));
        self.edit(|object| {
            object.spec.removal = RemovalSpec {
                when,
                confirm,
                not_after,
            }
        })
    }
    fn deleted(self) -> Self {
        self.edit(|object| {
            object.metadata.deletion_timestamp = Some(Time(at(-10)));
            object.finalizers_mut().push(FINALIZER.to_owned());
        })
    }
    fn status(self, change: impl FnOnce(&mut BackupTaskStatus)) -> Self {
        self.edit(|object| change(object.status.get_or_insert_default()))
    }
    fn intent(self, intent: Intent) -> Self {
        self.status(|status| status.intent = Some(intent))
    }
    fn run(self, run: Run) -> Self {
        self.status(|status| status.run = Some(run))
    }
    fn receipt(self, token: &str, outcome: ReceiptOutcome) -> Self {
        let receipt = receipt(token, outcome);
        self.status(|status| status.receipts.get_or_insert_default().request = Some(receipt))
    }
    fn cancel_receipt(self, token: &str, outcome: ReceiptOutcome) -> Self {
        let receipt = receipt(token, outcome);
        self.status(|status| status.receipts.get_or_insert_default().cancel = Some(receipt))
    }
    /// The newest success was first seen under that skew.
    fn success_seen(self, skew: Option<i64>, in_flight: bool) -> Self {
        self.status(|status| {
            let last = [&mut status.last_success, &mut status.last_result];
            let history = status.history.iter_mut().map(|entry| &mut entry.result);
            for result in last.into_iter().flatten().chain(history) {
                result.clock_skew_seconds = skew;
                result.seen_in_flight = in_flight;
            }
        })
    }
    fn schedule(self, expression: &str) -> Self {
        let schedule = Some(Schedule(expression.to_owned()));
        self.edit(|object| object.spec.triggers.schedule = schedule)
    }
    /// The schedule has been kept since that second, with its newest slot answered at another.
    fn scheduled(self, expression: &str, since: i64, last: Option<i64>, next: i64) -> Self {
        let kept = ScheduleReceipt {
            expression: expression.to_owned(),
            time_zone: "Etc/UTC".to_owned(),
            since: Time(at(since)),
            last_slot: last.map(|second| Time(at(second))),
            next_slot: Some(Time(at(next))),
        };
        self.schedule(expression)
            .status(|status| status.receipts.get_or_insert_default().schedule = Some(kept))
    }
    fn max_age(self, text: &str) -> Self {
        let max_age = GoDuration::try_from(text.to_owned()).ok();
        self.edit(|object| object.spec.triggers.max_age = max_age)
    }
    fn retries(self, count: i32) -> Self {
        self.edit(|object| object.spec.retries = count)
    }
    fn when_running(self, what: WhenRunning) -> Self {
        self.edit(|object| object.spec.when_running = what)
    }
    fn active_deadline(self, text: &str) -> Self {
        let limit = GoDuration::try_from(text.to_owned()).ok();
        self.edit(|object| object.spec.active_deadline = limit)
    }
    /// The newest backup (11) failed so many seconds ago, the so-manieth in a row.
    fn failed(self, second: i64, failures: i64) -> Self {
        self.status(|status| {
            let mut failed = status.last_result.clone().unwrap();
            failed.result_id = 11;
            failed.status = ResultStatus::Failed;
            failed.status_code = crate::nas::status::FAILED;
            failed.start_time = Some(Time(at(second - 50)));
            failed.end_time = Some(Time(at(second)));
            status.last_result = Some(failed);
            status.last_failure_time = Some(Time(at(second)));
            status.consecutive_failures = Some(failures);
        })
    }
    fn removed(self, by: RemovalWhen) -> Self {
        self.status(|status| {
            status.binding.get_or_insert_default().removed_by = Some(by);
            status.state = Some(State::Removed);
        })
    }
}

impl Build for BackupTask {
    fn edit(mut self, change: impl FnOnce(&mut BackupTask)) -> Self {
        change(&mut self);
        self
    }
}

pub fn receipt(token: &str, outcome: ReceiptOutcome) -> Receipt {
    Receipt {
        token: token.to_owned(),
        outcome,
        result_id: None,
        accepted_at: Some(Time(at(-200))),
        finished_at: outcome.is_final().then(|| Time(at(-150))),
    }
}

/// An object whose token `a` was accepted 100 seconds ago, with its call open.
pub fn asked() -> BackupTask {
    task()
        .request("a")
        .receipt("a", ReceiptOutcome::Accepted)
        .intent(open(IntentAction::Backup))
}

/// An open call, recorded 100 seconds ago behind result 10.
pub fn open(action: IntentAction) -> Intent {
    Intent {
        id: "i0".to_owned(),
        action,
        attempt: 1,
        server_uid: "server".to_owned(),
        nas_serial: Some("S1".to_owned()),
        task_id: 7,
        unique_key: Some("k7".to_owned()),
        baseline_result_id: 10,
        baseline_run_active: action == IntentAction::Cancel,
        recorded_at: Time(at(-100)),
        nas_time: Some(Time(at(-100))),
        triggers: match action {
            IntentAction::Backup => vec![trigger(TriggerKind::Request, "a")],
            IntentAction::Cancel | IntentAction::Remove => Vec::new(),
        },
    }
}

pub fn trigger(kind: TriggerKind, token: &str) -> TriggerRef {
    TriggerRef {
        kind,
        token: Some(token.to_owned()),
        slot: None,
    }
}

/// The run of token `a`, or somebody else's.
pub fn run_of(origin: Origin, result_id: Option<i64>) -> Run {
    let triggers = match origin {
        Origin::Request => vec![trigger(TriggerKind::Request, "a")],
        _ => Vec::new(),
    };
    Run {
        origin,
        triggers,
        result_id,
        baseline_result_id: Some(10),
        requested_at: None,
        started_at: Some(Time(at(-90))),
        clock_skew_seconds: None,
        stopping: None,
        progress: None,
    }
}

/// An object whose token `a` is being answered by a run.
pub fn running(result_id: Option<i64>) -> BackupTask {
    task()
        .request("a")
        .receipt("a", ReceiptOutcome::Accepted)
        .run(run_of(Origin::Request, result_id))
}

/// A call whose settling time started so many seconds ago, with the first absence at another.
pub fn call(answered: Option<Answered>, settles_from: i64, first_absence: Option<i64>) -> Knowledge {
    Knowledge {
        call: Some(Call {
            intent: "i0".to_owned(),
            answered,
            sent: at(settles_from - 20),
            settles_from: at(settles_from),
            first_absence: first_absence.map(at),
            unreadable_since: None,
        }),
        ..Knowledge::default()
    }
}

/// The same, with neither queue nor history readable since some second.
pub fn unreadable_since(second: i64, mut knowledge: Knowledge) -> Knowledge {
    let call = knowledge.call.as_mut().expect("a call");
    call.unreadable_since = Some(at(second));
    knowledge
}

pub fn answered(answered: Answered) -> Knowledge {
    call(Some(answered), -80, None)
}

/// No run has shown since that second.
pub fn quiet_since(second: i64) -> Knowledge {
    Knowledge {
        quiet_since: Some(at(second)),
        ..Knowledge::default()
    }
}

/// The task has been absent since that second.
pub fn absent_since(second: i64) -> Knowledge {
    Knowledge {
        absent_since: Some(at(second)),
        ..Knowledge::default()
    }
}

/// The task as the NAS lists it: idle, with result 10.
pub fn row() -> Task {
    Task {
        id: TaskId(7),
        name: "office".to_owned(),
        unique_key: UniqueKey::new("k7"),
        backup_type: Some(2),
        source_type: Some(1),
        device_count: Some(1),
        devices: Vec::new(),
        share_name: None,
        version_count: None,
        versions: None,
        next_trigger_time: None,
        allow_manual_backup: Some(true),
        status: None,
        target_status: None,
        progress: None,
        last_result: Some(result(10, status::SUCCESS)),
    }
}

pub fn doing(text: &str) -> Task {
    Task {
        status: Some(text.to_owned()),
        ..row()
    }
}

pub fn ended(result: ResultRow) -> Task {
    Task {
        last_result: Some(result),
        ..row()
    }
}

/// A backup's row; result 10 began an hour ago, each further one 100 seconds later, unfinished ones have no end.
pub fn result(id: i64, code: i64) -> ResultRow {
    let start = at(-3600 + (id - 10) * 100).as_second();
    ResultRow {
        result_id: ResultId(id),
        activity_uuid: None,
        task_id: Some(TaskId(7)),
        task_name: None,
        backup_type: Some(2),
        job_action: job_action::BACKUP,
        status: code,
        time_start: Some(start),
        time_end: (code != status::INCOMPLETE).then_some(start + 50),
        success_count: None,
        warning_count: None,
        error_count: None,
        none_count: None,
        transferred_bytes: None,
        devices: Vec::new(),
    }
}

/// A version deletion's row, which hides every backup before it.
pub fn deletion(id: i64) -> ResultRow {
    ResultRow {
        job_action: job_action::DELETE_VERSION,
        ..result(id, status::SUCCESS)
    }
}

pub fn version(locked: bool) -> Version {
    Version {
        id: 1,
        status: Some(3),
        time_start: Some(at(-DAY).as_second()),
        time_end: None,
        locked,
        used_size: Some(5),
    }
}

pub fn lists(task: Task) -> Inventory {
    inventory(vec![task])
}

/// A complete list of this moment, with an empty queue.
pub fn inventory(tasks: Vec<Task>) -> Inventory {
    Inventory {
        begun: at(0),
        nas_time: Some(at(0)),
        complete: true,
        tasks,
        queue: Queue::Read(Vec::new()),
    }
}

pub fn with_queue(task: Task, queue: Queue) -> Inventory {
    Inventory { queue, ..lists(task) }
}

pub fn job(action: i64, status: i64) -> Queue {
    Queue::Read(vec![Activity {
        task_id: Some(TaskId(7)),
        action: Some(action),
        status: Some(status),
        stage: None,
        job_id: None,
        user_name: None,
    }])
}

impl Case {
    fn observation<'a>(
        &'a self,
        server: &'a ServerFacts,
        nas: Option<&'a Inventory>,
        bound: Bound<'a>,
        knowledge: &'a Knowledge,
    ) -> Observation<'a> {
        Observation {
            server,
            reach: self.reach.clone(),
            inventory: nas,
            fresh: self.fresh,
            bound,
            claim: self.claim.clone(),
            admission: self.admission,
            results: self.results.as_deref(),
            versions: self.versions.as_deref(),
            log: self.log.as_deref(),
            knowledge,
        }
    }

    /// The inventory; one of this very pass was begun when the row takes place.
    fn read_now(&self) -> Option<Inventory> {
        let later = |read: &Inventory| self.now.duration_since(read.begun);
        let is_older = |read: &Inventory| self.fresh && read.begun == at(0) && later(read).is_positive();
        let mut read = self.nas.clone()?;
        if is_older(&read) {
            read.nas_time = read.nas_time.map(|time| time + later(&read));
            read.begun = self.now;
        }
        Some(read)
    }

    /// Decides for an object in place of the row's own.
    pub fn decide(&self, object: &BackupTask, knowledge: &Knowledge) -> (Decision, BackupTaskStatus) {
        let read = self.read_now();
        let nas = read.as_ref();
        let bound = bind(object, nas, self.server.serial.as_deref());
        let observation = self.observation(&self.server, nas, bound.clone(), knowledge);
        let decision = decide(object, &observation, self.now, "next");
        let status = next_status(object, &decision, &bound, self.now);
        (decision, status)
    }

    fn check(&self) {
        let name = self.name;
        let mut knowledge = self.knowledge.clone();
        knowledge.find_intent(&self.object, self.now);
        let (decision, status) = self.decide(&self.object, &knowledge);
        assert_eq!(
            want(&decision.act),
            self.act,
            "call: {name}: {:?}",
            decision.standing
        );
        if let Want::Backup { baseline, .. } = self.act {
            assert_eq!(
                status.intent.as_ref().map(|i| i.baseline_result_id),
                Some(baseline),
                "{name}"
            );
        }
        if let Some(expected) = self.answers {
            let call = status.intent.as_ref().map(|intent| &intent.triggers);
            let answered = call.or(status.run.as_ref().map(|run| &run.triggers));
            let kinds: Option<Vec<TriggerKind>> =
                answered.map(|triggers| triggers.iter().map(|trigger| trigger.kind).collect());
            assert_eq!(kinds.as_deref(), Some(expected), "answers: {name}");
        }
        assert_eq!(decision.needs, self.needs, "needs: {name}");
        assert_eq!(
            decision.standing.reason, self.reason,
            "reason: {name}: {:?}",
            decision.standing
        );
        assert_eq!(status.state, Some(self.state), "state: {name}");
        let receipts = status.receipts.clone().unwrap_or_default();
        let cancel = receipts.cancel.as_ref().or(receipts.cancel_annotation.as_ref());
        for (what, found, expected) in [
            ("request", receipts.request.as_ref(), self.request),
            (
                "annotation",
                receipts.request_annotation.as_ref(),
                self.annotation,
            ),
            ("cancel", cancel, self.cancel),
        ] {
            let found = found.map(|receipt| (receipt.token.as_str(), receipt.outcome));
            assert_eq!(found, expected, "{what} receipt: {name}");
        }
        assert_eq!(
            status.intent.is_some(),
            self.intent || self.act != Want::Nothing,
            "intent: {name}"
        );
        assert_eq!(status.run.as_ref().map(|run| run.origin), self.run, "run: {name}");
        assert_eq!(decision.finalizer, self.finalizer, "finalizer: {name}");
        self.check_more(&decision, &status);
        self.check_quiet(&decision, &status);
    }

    fn check_more(&self, decision: &Decision, status: &BackupTaskStatus) {
        let name = self.name;
        if self.wake.is_some() {
            assert_eq!(decision.wake, self.wake, "wake: {name}");
        }
        let of = |time: &Option<Time>| time.as_ref().map(|time| time.0);
        let kept = status
            .receipts
            .as_ref()
            .and_then(|receipts| receipts.schedule.as_ref());
        for (what, found, expected) in [
            ("next run", of(&status.next_run_time), self.next_run),
            ("next attempt", of(&status.next_attempt_time), self.next_attempt),
            ("due", decision.due, self.due),
            (
                "last slot",
                kept.and_then(|kept| of(&kept.last_slot)),
                self.last_slot,
            ),
        ] {
            if expected.is_some() {
                assert_eq!(found, expected, "{what}: {name}");
            }
        }
        if self.last_result.is_some() {
            let last = status.last_result.as_ref().map(|result| result.result_id);
            assert_eq!(last, self.last_result, "last result: {name}");
        }
        for (kind, verdict, reason) in self.conditions {
            let found = condition(&status.conditions, *kind).map(|c| (c.status.as_str(), c.reason.as_str()));
            assert_eq!(found, Some((*verdict, reason.as_str())), "{kind:?}: {name}");
        }
        for kind in self.without {
            assert_eq!(condition(&status.conditions, *kind), None, "{name}");
        }
        if let Some(events) = self.events {
            let told = notices(self.object.status.as_ref(), status, decision);
            let told: Vec<Reason> = told.into_iter().map(|notice| notice.reason).collect();
            assert_eq!(told, events, "events: {name}");
        }
    }

    /// The same observation once more: nothing is written and nothing sent. After a call the intent is one that
    /// is found, and stays what it is.
    fn check_quiet(&self, decision: &Decision, status: &BackupTaskStatus) {
        let name = self.name;
        let stored: BackupTaskStatus = serde_json::from_value(serde_json::to_value(status).unwrap()).unwrap();
        assert_eq!(&stored, status, "changes by being stored: {name}");
        let mut knowledge = self.knowledge.clone();
        let mut object = BackupTask {
            status: Some(stored),
            ..self.object.clone()
        };
        knowledge.find_intent(&object, self.now);
        let (second, again) = self.decide(&object, &knowledge);
        if decision.act == Act::Nothing {
            assert_eq!(&again, status, "not quiet: {name}");
        }
        assert_eq!(second.act, Act::Nothing, "sent twice: {name}");
        assert_eq!(again.intent, status.intent, "intent not kept: {name}");
        object.status = Some(again.clone());
        let (third, last) = self.decide(&object, &knowledge);
        assert_eq!(
            (&last, third.act),
            (&again, Act::Nothing),
            "not quiet in the third pass: {name}"
        );
    }
}

fn want(act: &Act) -> Want {
    let Act::Call(intent) = act else {
        return Want::Nothing;
    };
    let attempt = intent.attempt;
    match intent.action {
        IntentAction::Backup => Want::Backup {
            attempt,
            baseline: intent.baseline_result_id,
        },
        IntentAction::Cancel => Want::Cancel { attempt },
        IntentAction::Remove => Want::Remove { attempt },
    }
}

/// Judges every row of a table, naming the one that fails.
pub fn check(table: Vec<Case>) {
    for case in table {
        assert!(!case.name.is_empty(), "a row without a name");
        case.check();
    }
}

/// Needs of an inventory of this pass.
pub const FRESH: Needs = Needs {
    fresh: true,
    results: false,
    versions: false,
    log_since: None,
};
/// Needs of the history.
pub const HISTORY: Needs = Needs {
    fresh: false,
    results: true,
    versions: false,
    log_since: None,
};
/// Needs of the versions.
pub const VERSIONS: Needs = Needs {
    fresh: false,
    results: false,
    versions: true,
    log_since: None,
};

/// A time as objects carry it.
pub fn time(time: Timestamp) -> Time {
    Time(time)
}
