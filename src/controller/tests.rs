//! The shipped pass over the store in memory and the simulated NAS, one pass at a time: what a process remembers, and
//! how often it reads and writes. What the world may do between two calls is the simulation's.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde_json::{Value, json};
use tokio::time::{Instant, advance};

use super::{
    Context, Fleet, Machine, Memory,
    cluster::{Cluster, Keys, ReadError, WriteError},
    packed::Packed,
    pass, pass_over, prepare,
    store::MemoryStore,
};
use crate::{
    act::Fence,
    api::{
        BackupServer, BackupTask, BackupTaskStatus, ConditionType, Intent, IntentAction, Reason, condition,
    },
    clock::Clock,
    nas::TaskId,
    observe::{Shelf, Wanted},
    simulator::{Control, DirectNas, Fault, FaultKind, Nas, Scenario, TaskSpec},
    status::Notice,
    telemetry::Metrics,
};

/// What goes wrong with the API server, and what was asked of it.
#[derive(Default)]
struct Trouble {
    /// Lists fail.
    no_list: bool,
    /// What somebody applies while the tasks are listed, which takes a second.
    while_listing: Option<BackupTask>,
    /// Events are refused, and how many were.
    no_events: bool,
    events: u32,
    /// Writes of tasks are refused.
    refuses_tasks: bool,
    /// Writes of task statuses, and how many of them met a conflict.
    writes: u32,
    conflicts: u32,
    /// The Secret: its version, and a key that is not used.
    secret: (u32, String),
    password: Option<String>,
}

/// The store, with trouble.
#[derive(Clone, Default)]
struct Api {
    store: MemoryStore,
    trouble: Arc<Mutex<Trouble>>,
}

impl Api {
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap()
    }
}

impl Cluster for Api {
    async fn write_task_status(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        self.trouble().writes += 1;
        if self.trouble().refuses_tasks {
            return Err(WriteError::Refused("quota".to_owned()));
        }
        let written = self.store.write_task_status(task).await;
        self.trouble().conflicts += u32::from(matches!(written, Err(WriteError::Conflict)));
        written
    }

    async fn write_server_status(&self, server: &BackupServer) -> Result<BackupServer, WriteError> {
        self.store.write_server_status(server).await
    }

    async fn write_finalizers(&self, task: &BackupTask) -> Result<BackupTask, WriteError> {
        self.store.write_finalizers(task).await
    }

    async fn read_task(&self, namespace: &str, name: &str) -> Result<Option<BackupTask>, ReadError> {
        self.store.read_task(namespace, name).await
    }

    async fn list_tasks(&self, namespace: &str) -> Result<Vec<Arc<Packed>>, ReadError> {
        if self.trouble().no_list {
            return Err(ReadError {
                what: "BackupTasks".to_owned(),
                why: "no answer".to_owned(),
                is_passing: true,
            });
        }
        let edited = self.trouble().while_listing.take();
        if let Some(task) = edited {
            advance(Duration::from_secs(1)).await;
            self.store.apply_task(task);
        }
        self.store.list_tasks(namespace).await
    }

    async fn tasks_version(&self, namespace: &str) -> Result<Option<u64>, ReadError> {
        self.store.tasks_version(namespace).await
    }

    async fn read_server(&self, namespace: &str, name: &str) -> Result<Option<BackupServer>, ReadError> {
        self.store.read_server(namespace, name).await
    }

    async fn read_secret(&self, _: &str, _: &str) -> Result<Option<Keys>, ReadError> {
        let trouble = self.trouble();
        let password = trouble.password.as_deref().unwrap_or("simulated-password");
        let keys = [
            ("username", "abb-operator"),
            ("password", password),
            ("unused", trouble.secret.1.as_str()),
        ];
        let keys = keys.map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
        Ok(Some(Keys::new(
            trouble.secret.0.to_string(),
            BTreeMap::from(keys),
        )))
    }

    async fn read_config_map(&self, _: &str, _: &str) -> Result<Option<Keys>, ReadError> {
        Ok(None)
    }

    async fn publish_task(&self, task: &BackupTask, notice: &Notice) -> Result<(), WriteError> {
        if self.trouble().no_events && notice.reason == Reason::RemovalPlanned {
            self.trouble().events += 1;
            return Err(WriteError::Refused("the namespace is terminating".to_owned()));
        }
        self.store.publish_task(task, notice).await
    }

    async fn publish_server(&self, server: &BackupServer, notice: &Notice) -> Result<(), WriteError> {
        self.store.publish_server(server, notice).await
    }
}

/// One process with its NAS.
struct Lab {
    ctx: Context<Api>,
    nas: DirectNas,
    api: Api,
    clock: Clock,
}

const START: i64 = 1_800_000_000;
/// Longer than any test.
const LEASE: Duration = Duration::from_secs(7 * 86_400);

impl Lab {
    /// A process that leads, on a NAS with two tasks.
    fn new(server: &Value, fence: Fence) -> Self {
        let task = |id: i64| TaskSpec {
            id: Some(id),
            name: Some(format!("task-{id}")),
            unique_key: Some(format!("key-{id}")),
            run_seconds: Some(60.0),
            ..TaskSpec::default()
        };
        let scenario = Scenario {
            tasks: vec![task(1), task(2)],
            ..Scenario::default()
        };
        let begin = Timestamp::from_second(START).unwrap();
        let clock = Clock::starting_at(begin);
        let nas = DirectNas::new(Nas::new(scenario, 1.0, begin).unwrap(), clock);
        let api = Api::default();
        fence.hold_until(Some(Instant::now() + LEASE));
        let lab = Self {
            ctx: Context {
                cluster: api.clone(),
                fleet: Fleet::default(),
                fence: fence.into(),
                metrics: Arc::new(Metrics::new()),
                machine: Machine {
                    clock,
                    carrier: Some(Arc::new(nas.clone())),
                    ..Machine::default()
                },
            },
            nas,
            api,
            clock,
        };
        let mut all = json!({
            "url": "http://nas",
            "credentials": { "secretRef": { "name": "nas" } },
            "tls": { "allowPlaintext": true },
            "polling": { "idle": "5m", "active": "10s" },
            "timeouts": { "request": "20s", "settle": "60s" },
        });
        merge(&mut all, server);
        let mut server = BackupServer::new("nas", serde_json::from_value(all).unwrap());
        server.metadata.namespace = Some("default".to_owned());
        lab.api.store.apply_server(server);
        lab
    }

    fn leading(server: &Value) -> Self {
        Self::new(server, Fence::leased(LEASE))
    }

    fn server(&self) -> BackupServer {
        self.api.store.servers().remove(0)
    }

    fn apply(&self, id: i64, spec: &Value) {
        let mut all = json!({ "serverRef": { "name": "nas" }, "task": { "id": id } });
        merge(&mut all, spec);
        let mut task = BackupTask::new(&format!("task-{id}"), serde_json::from_value(all).unwrap());
        task.metadata.namespace = Some("default".to_owned());
        self.api.store.apply_task(task);
    }

    /// A task's status as another process wrote it.
    async fn write_status(&self, id: i64, change: impl FnOnce(&mut BackupTaskStatus)) {
        let mut task = self.task(id);
        change(task.status.get_or_insert_default());
        self.api.store.write_task_status(&task).await.unwrap();
    }

    fn task(&self, id: i64) -> BackupTask {
        self.api.store.task("default", &format!("task-{id}")).unwrap()
    }

    fn status(&self, id: i64) -> BackupTaskStatus {
        self.task(id).status.unwrap_or_default()
    }

    /// What the watch shows when it does not lag.
    fn watched(&self) -> Vec<Arc<BackupTask>> {
        self.api.store.tasks_of(&self.server())
    }

    fn packed(&self) -> Vec<Arc<Packed>> {
        let tasks = self.watched();
        tasks.iter().map(|task| Arc::new(Packed::alone(task))).collect()
    }

    async fn pass(&self) -> Duration {
        pass(&self.ctx, &self.server(), self.watched()).await
    }

    /// Passes as they ask for them, until so many seconds are over; gives how many there were.
    async fn pass_for(&self, seconds: i64) -> u32 {
        let end = self.clock.now() + SignedDuration::from_secs(seconds);
        let mut passes = 0;
        while self.clock.now() < end {
            let next = self.pass().await;
            passes += 1;
            assert!(i64::from(passes) <= seconds, "a loop");
            let left = Duration::try_from(end.duration_since(self.clock.now())).unwrap_or_default();
            advance(next.min(left)).await;
        }
        passes
    }

    /// Another leads for a moment.
    fn lose_and_gain(&self) {
        self.ctx.fence.of_orphans().hold_until(None);
        self.ctx
            .fence
            .of_orphans()
            .hold_until(Some(Instant::now() + LEASE));
    }

    async fn memory<T>(&self, look: impl FnOnce(&Memory) -> T) -> T {
        let memory = self.ctx.fleet.server(&("default".to_owned(), "nas".to_owned()));
        let memory = memory.lock().await;
        look(&memory)
    }

    fn control(&self, control: Control) -> Value {
        self.nas.lock().control(control, self.clock.now()).unwrap()
    }

    fn requests(&self, api: Option<&str>, method: &str) -> u64 {
        let counted = self.control(Control::CountRequests {
            api: api.map(str::to_owned),
            method: Some(method.to_owned()),
        });
        counted["count"].as_u64().unwrap()
    }

    fn count(&self, method: &str) -> u64 {
        self.requests(None, method)
    }

    /// Inventories.
    fn lists(&self) -> u64 {
        self.requests(Some("SYNO.ActiveBackup.Task"), "list")
    }

    fn effects(&self, kind: &str) -> usize {
        let nas = self.nas.lock();
        nas.ledger().iter().filter(|effect| effect.kind == kind).count()
    }
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().unwrap() {
        into[key] = value.clone();
    }
}

fn token(token: &str) -> Value {
    json!({ "triggers": { "request": token } })
}

/// An intent that somebody recorded for a task.
fn intent(server: &BackupServer, action: IntentAction, id: i64, now: Timestamp) -> Intent {
    serde_json::from_value(json!({
        "id": "theirs",
        "action": action,
        "attempt": 1,
        "serverUID": server.uid(),
        "nasSerial": "SIM0000000001",
        "taskId": id,
        "uniqueKey": format!("key-{id}"),
        "baselineResultId": 1_000_000,
        "baselineRunActive": false,
        "recordedAt": now.to_string(),
        "triggers": [],
    }))
    .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_new_reign_sees_with_its_own_eyes() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({}));
    lab.pass().await;
    let begun = lab.clock.now();
    let seen = |memory: &Memory| {
        let awake = memory.knowledge.values().next().cloned();
        let known = awake.unwrap_or_else(|| memory.naps.values().next().unwrap().knowledge());
        (memory.shelf.as_ref().unwrap().begun, known.quiet_since)
    };
    advance(Duration::from_secs(100)).await;
    lab.pass().await;
    assert_eq!(
        lab.memory(seen).await,
        (begun, Some(begun)),
        "the same reign goes on with what it saw"
    );
    lab.lose_and_gain();
    lab.pass().await;
    let now = lab.clock.now();
    assert_eq!(lab.memory(seen).await, (now, Some(now)), "another may have led");
}

#[tokio::test(start_paused = true)]
async fn what_a_predecessor_just_recorded_counts_before_the_watch_shows_it() {
    let lab = Lab::leading(&json!({ "limits": { "maxConcurrentRuns": 1 } }));
    lab.apply(1, &token("a"));
    lab.apply(2, &token("b"));
    let of_one = |tasks: Vec<Arc<BackupTask>>| -> Vec<Arc<BackupTask>> {
        tasks
            .into_iter()
            .filter(|task| task.name_any() == "task-1")
            .collect()
    };
    let stale = of_one(lab.watched());
    let theirs = intent(&lab.server(), IntentAction::Backup, 2, lab.clock.now());
    lab.write_status(2, |status| status.intent = Some(theirs)).await;

    lab.api.trouble().no_list = true;
    let next = pass(&lab.ctx, &lab.server(), stale.clone()).await;
    assert!(next <= Duration::from_secs(5), "{next:?}");
    assert_eq!((lab.count("backup"), lab.api.trouble().writes), (0, 0));
    assert_eq!(lab.memory(|memory| memory.reign).await, None);

    lab.api.trouble().no_list = false;
    for _ in 0..3 {
        pass(&lab.ctx, &lab.server(), stale.clone()).await;
        assert_eq!(lab.count("backup"), 0, "one is under way already");
        advance(Duration::from_secs(1)).await;
    }
    lab.pass().await;
    assert_eq!(
        lab.memory(|memory| memory.unwatched.len()).await,
        0,
        "the watch has caught up"
    );
}

#[tokio::test(start_paused = true)]
async fn only_a_watch_asked_for_in_a_reign_spares_it_a_list_of_its_own() {
    let whole = Fence::leased(LEASE);
    whole.hold_until(Some(Instant::now() + LEASE));
    let part = whole.part();
    let lab = Lab::new(&json!({}), part.clone());
    lab.apply(1, &json!({}));
    let before = Instant::now();
    advance(Duration::from_secs(1)).await;
    assert!(part.take(whole.reign()));
    lab.api.trouble().no_list = true;
    for (listed_since, is_enough) in [(None, false), (Some(before), false), (Some(Instant::now()), true)] {
        pass_over(&lab.ctx, &lab.server(), lab.packed(), listed_since, &|| false).await;
        let has_begun = lab.memory(|memory| memory.reign.is_some()).await;
        assert_eq!(has_begun, is_enough, "{listed_since:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn news_gives_way_to_what_somebody_waits_for_and_not_for_ever() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({}));
    lab.pass().await;
    // Of one there is news, of the other a call.
    lab.apply(1, &json!({ "suspend": true }));
    lab.apply(2, &token("a"));
    let seen = lab.task(1).status;
    let busy = async || pass_over(&lab.ctx, &lab.server(), lab.packed(), None, &|| true).await;
    busy().await;
    assert_eq!(lab.effects("backup"), 1, "the call");
    assert_eq!(lab.task(1).status, seen, "the news");
    assert_eq!(busy().await, Duration::from_millis(20), "it is not forgotten");
    assert_eq!(lab.task(1).status, seen);
    advance(Duration::from_secs(2)).await;
    busy().await;
    assert_ne!(lab.task(1).status, seen, "others have come long enough");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_place_costs_the_nas_no_list() {
    for (limit, more) in [(1, (0, 0)), (0, (1, 1))] {
        let lab = Lab::leading(&json!({ "limits": { "maxConcurrentRuns": limit } }));
        lab.apply(1, &token("a"));
        lab.apply(2, &json!({}));
        lab.pass().await;
        assert_eq!(lab.effects("backup"), 1);
        let lists = lab.lists();
        lab.apply(2, &token("b"));
        // The list of the pass before is one of before.
        advance(Duration::from_secs(1)).await;
        lab.pass().await;
        assert_eq!(lab.said(2).0 == "Queued", limit == 1);
        assert_eq!((lab.lists() - lists, lab.effects("backup") - 1), more);
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_behind_those_who_do_not_rest() {
    const ALL: std::ops::Range<i64> = 3..203;
    let lab = Lab::leading(&json!({ "polling": { "idle": "1m", "active": "1m" } }));
    // The NAS has no such tasks, so none of them rests.
    ALL.for_each(|id| lab.apply(id, &json!({})));
    lab.pass_for(60).await;
    let mut fault = crate::simulator::Fault::new(crate::simulator::FaultKind::Http { status: 502 });
    fault.times = 0;
    lab.control(Control::AddFault(fault));
    let passes = lab.pass_for(240).await;
    for id in ALL {
        assert_eq!(lab.said(id).0, "ServerNotReady", "{id}");
    }
    assert!(passes < 60, "{passes}");
}

#[tokio::test(start_paused = true)]
async fn a_look_before_the_tasks_are_known_counts_for_what_stood_in_them_already() {
    for (is_later, lists) in [(false, 1), (true, 2)] {
        let lab = Lab::leading(&json!({}));
        lab.apply(1, &token("a"));
        prepare(&lab.ctx, &lab.server()).await;
        assert_eq!(lab.lists(), 1);
        advance(Duration::from_secs(1)).await;
        if is_later {
            lab.apply(1, &token("b"));
        }
        lab.pass().await;
        assert_eq!((lab.lists(), lab.effects("backup")), (lists, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_before_the_tasks_are_listed_does_not_count_for_what_was_edited_meanwhile() {
    for (id, lists) in [(2, 1), (1, 2)] {
        let lab = Lab::leading(&json!({}));
        lab.apply(1, &token("a"));
        lab.apply(2, &json!({}));
        let mut edited = lab.task(id);
        edited.spec.retries = 1;
        lab.api.trouble().while_listing = Some(edited);
        lab.pass().await;
        assert_eq!((lab.lists(), lab.effects("backup")), (lists, 1), "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_before_the_tasks_are_listed_is_written_down_at_once() {
    let lab = Lab::leading(&json!({}));
    refuse_logins(&lab, 400);
    lab.api.trouble().no_list = true;
    lab.pass().await;
    let status = lab.server().status.unwrap();
    assert!(status.login.is_some(), "{status:?}");
    lab.lose_and_gain();
    lab.pass_for(60).await;
    assert_eq!(lab.count("login"), 1, "the next reign knows of it");
}

#[tokio::test(start_paused = true)]
async fn a_look_before_the_tasks_are_known_gets_old() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &token("a"));
    prepare(&lab.ctx, &lab.server()).await;
    advance(Duration::from_secs(6)).await;
    lab.pass().await;
    assert_eq!((lab.lists(), lab.effects("backup")), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_lags_costs_one_conflict() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({}));
    lab.pass().await;
    lab.apply(1, &token("a"));
    let stale = lab.watched();
    lab.write_status(1, |status| status.observed_generation = Some(0))
        .await;
    for _ in 0..5 {
        pass(&lab.ctx, &lab.server(), stale.clone()).await;
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(lab.api.trouble().conflicts, 1);
    assert_eq!(lab.effects("backup"), 1, "it does not wait for the watch");
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_a_predecessors_call_may_still_be_on_its_way() {
    for (fence, seconds) in [(Fence::leased(LEASE), 0), (Fence::open(), 20)] {
        let lab = Lab::new(&json!({}), fence);
        lab.apply(1, &json!({}));
        let theirs = intent(&lab.server(), IntentAction::Backup, 1, lab.clock.now());
        lab.write_status(1, |status| status.intent = Some(theirs)).await;
        let found = lab.clock.now();
        lab.pass().await;
        advance(Duration::from_secs(10)).await;
        lab.pass().await;
        let from = |memory: &Memory| memory.knowledge.values().next().unwrap().call.clone().unwrap();
        let call = lab.memory(from).await;
        assert_eq!(call.settles_from, found + SignedDuration::from_secs(seconds));
    }
}

#[tokio::test(start_paused = true)]
async fn another_machine_behind_the_address_gets_no_call() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({}));
    lab.apply(2, &json!({ "triggers": { "request": "b" }, "suspend": true }));
    lab.pass().await;
    let theirs = intent(&lab.server(), IntentAction::Backup, 2, lab.clock.now());
    lab.write_status(2, |status| status.intent = Some(theirs)).await;
    lab.apply(1, &token("a"));
    let serial = "SIM0000000002".to_owned();
    lab.control(Control::Serial { serial });
    lab.control(Control::ExpireSessions);
    lab.pass_for(60).await;
    assert_eq!(lab.count("backup"), 0);
    let reason = |id: i64| {
        let ready = lab.status(id).conditions.into_iter().find(|c| c.type_ == "Ready");
        ready.unwrap().reason
    };
    assert_eq!(
        (reason(1).as_str(), reason(2).as_str()),
        ("TaskReplaced", "TaskReplaced")
    );
    assert_eq!(lab.status(2).intent, None);
    assert_eq!(
        lab.status(2).unsettled.as_deref(),
        Some("theirs"),
        "nobody can find out"
    );
    let told = lab.server().status.unwrap().dsm.unwrap().serial;
    assert_eq!(told.as_deref(), Some("SIM0000000002"));
}

#[tokio::test(start_paused = true)]
async fn a_login_after_the_last_look_lets_no_call_through() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({}));
    lab.pass().await;
    let peer = lab
        .memory(|memory| {
            let connection = memory.connection.as_ref().unwrap();
            crate::act::Peer {
                client: connection.client.clone(),
                login: connection.login,
            }
        })
        .await;
    let backup = || crate::nas::Mutation::Backup(crate::nas::TaskId(1));
    assert!(peer.arm(backup()).await.is_ok());
    lab.control(Control::ExpireSessions);
    peer.client.list_activity().await.unwrap();
    assert!(
        peer.arm(backup()).await.is_err(),
        "another machine may answer since"
    );
}

/// Lets the NAS answer each login with a code.
fn refuse_logins(lab: &Lab, code: i64) {
    let mut fault = crate::simulator::Fault::new(crate::simulator::FaultKind::ErrorCode { code });
    fault.method = Some("login".to_owned());
    fault.times = 0;
    lab.control(Control::AddFault(fault));
}

#[tokio::test(start_paused = true)]
async fn a_refused_login_of_any_kind_is_no_loop() {
    for code in 400..=411 {
        let lab = Lab::leading(&json!({}));
        refuse_logins(&lab, code);
        lab.pass_for(7190).await;
        assert_eq!(lab.count("login"), 2, "{code}: at once and after an hour");
        lab.pass_for(3600).await;
        assert_eq!(lab.count("login"), 2, "{code}: then after two");
        let status = lab.server().status.unwrap();
        assert!(status.conditions.iter().any(|c| c.type_ == "Stalled"), "{code}");
        assert!(status.login.is_some(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_neither_shortens_the_wait_after_a_refused_login_nor_tries_for_an_unused_key() {
    let mut lab = Lab::leading(&json!({}));
    lab.api.trouble().password = Some("wrong".to_owned());
    lab.pass_for(4000).await;
    assert_eq!(lab.count("login"), 2);
    lab.ctx.fleet = Fleet::default();
    lab.pass_for(60).await;
    lab.api.trouble().secret = (1, "another label".to_owned());
    lab.pass_for(60).await;
    assert_eq!(lab.count("login"), 2, "the used keys are the same");
    lab.ctx.fleet = Fleet::default();
    lab.pass_for(60).await;
    assert_eq!(lab.count("login"), 2, "nor after another restart");
    lab.pass_for(7200).await;
    assert_eq!(lab.count("login"), 3);
    lab.pass_for(4 * 3600 - 600).await;
    assert_eq!(lab.count("login"), 3, "doubling goes on: four hours");
    lab.api.trouble().secret = (2, String::new());
    lab.api.trouble().password = None;
    lab.pass_for(60).await;
    assert_eq!(lab.count("login"), 4);
    assert_eq!(lab.server().status.unwrap().login, None);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_settling_time_is_looked_at_once() {
    let slow = json!({ "polling": { "idle": "1h", "active": "1h" } });
    let lab = Lab::leading(&slow);
    lab.apply(1, &json!({}));
    let theirs = intent(&lab.server(), IntentAction::Backup, 1, lab.clock.now());
    lab.write_status(1, |status| status.intent = Some(theirs)).await;
    let passes = lab.pass_for(3000).await;
    assert!(lab.count("list") >= 2, "at once and when the time is over");
    assert!(lab.count("list") + u64::from(passes) < 20, "{passes} passes");
}

#[tokio::test(start_paused = true)]
async fn a_refused_write_waits_for_the_next_poll() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &token("a"));
    lab.api.trouble().refuses_tasks = true;
    lab.pass_for(600).await;
    let (writes, reads) = (lab.api.trouble().writes, lab.count("list"));
    assert!(
        writes <= 70 && reads <= 140,
        "{writes} writes, {reads} reads in ten minutes"
    );
    assert_eq!(lab.count("backup"), 0);
    lab.api.trouble().refuses_tasks = false;
    lab.pass_for(310).await;
    assert_eq!(lab.effects("backup"), 1);
}

#[tokio::test(start_paused = true)]
async fn unmanaged_tasks_stand_in_one_order() {
    let lab = Lab::leading(&json!({}));
    lab.pass().await;
    let listed = || lab.server().status.unwrap().unmanaged_tasks;
    assert_eq!(listed().iter().map(|task| task.id).collect::<Vec<_>>(), [1, 2]);
    let mut everything = Wanted::default();
    for id in [1, 2] {
        everything.id(TaskId(id));
    }
    let mut turned = lab
        .memory(|memory| memory.shelf.as_ref().unwrap().open(&everything))
        .await;
    assert_eq!(turned.tasks.len(), 2);
    turned.tasks.reverse();
    let mut memory = Memory {
        shelf: Some(Arc::new(Shelf::of(turned))),
        ..Memory::default()
    };
    let before = lab.server();
    let fence = Fence::open();
    super::report::server(&lab.ctx, &fence, &before, &mut memory, Some(&[])).await;
    assert_eq!(listed().iter().map(|task| task.id).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_to_say_rests_and_is_woken_by_what_concerns_it() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({}));
    lab.apply(2, &json!({}));
    lab.pass().await;
    lab.pass().await;
    let at_rest = |memory: &Memory| (memory.naps.len(), memory.knowledge.len());
    assert_eq!(lab.memory(at_rest).await, (2, 0));
    lab.apply(1, &token("a"));
    lab.pass().await;
    assert_eq!(
        lab.memory(at_rest).await,
        (1, 1),
        "the other one was not looked at"
    );
    assert_eq!(lab.effects("backup"), 1);
}

fn removal() -> Value {
    let not_after = Timestamp::from_second(START + 86_400).unwrap().to_string();
    json!({ "removal": { "when": "Now", "confirm": "key-1", "notAfter": not_after } })
}

fn removing() -> Lab {
    Lab::leading(&json!({ "removals": { "allowed": true } }))
}

impl Lab {
    /// Reason and message of a task's `Ready`.
    fn said(&self, id: i64) -> (String, String) {
        let ready = self
            .status(id)
            .conditions
            .into_iter()
            .find(|c| c.type_ == "Ready");
        let ready = ready.unwrap();
        (ready.reason, ready.message)
    }
}

#[tokio::test(start_paused = true)]
async fn a_withheld_removal_says_why_and_is_tried_less_and_less() {
    let lab = removing();
    lab.apply(1, &removal());
    lab.api.trouble().no_events = true;
    lab.pass_for(3000).await;
    let (reason, message) = lab.said(1);
    assert_eq!(reason, "RemovalInProgress");
    assert!(message.contains("the Event was not accepted"), "{message}");
    let attempts = lab.api.trouble().events;
    assert!((5..=7).contains(&attempts), "{attempts}");
    assert_eq!(lab.count("remove"), 0);
    let writes = lab.api.trouble().writes;
    lab.pass_for(500).await;
    assert!(lab.api.trouble().writes <= writes + 2, "quiet in between");
    lab.api.trouble().no_events = false;
    lab.pass_for(3600).await;
    assert_eq!(lab.count("remove"), 1);
}

#[tokio::test(start_paused = true)]
async fn versions_that_cannot_be_read_are_asked_for_once_in_a_pass() {
    let lab = removing();
    lab.apply(1, &json!({}));
    lab.pass().await;
    advance(Duration::from_secs(1)).await;
    lab.apply(1, &removal());
    let mut fault = crate::simulator::Fault::new(crate::simulator::FaultKind::Hang);
    fault.method = Some("list".to_owned());
    // The inventory that a removal asks for comes first.
    (fault.after, fault.times) = (1, 0);
    lab.control(Control::AddFault(fault));
    let (begun, lists) = (lab.clock.now(), lab.count("list"));
    lab.pass().await;
    assert_eq!(lab.count("list") - lists, 2);
    assert_eq!(
        lab.clock.now().duration_since(begun),
        SignedDuration::from_secs(20)
    );
    let (reason, message) = lab.said(1);
    assert_eq!(reason, "ServerNotReady");
    assert!(message.contains("versions"), "{message}");
    lab.control(Control::ClearFaults);
    lab.pass_for(120).await;
    assert_eq!(lab.count("remove"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_successor_that_the_watch_does_not_show_yet_stops_the_removal() {
    let lab = removing();
    lab.apply(1, &json!({}));
    lab.pass().await;
    lab.apply(1, &removal());
    let stale = lab.watched();
    let spec = json!({ "serverRef": { "name": "nas" }, "task": { "uniqueKey": "key-1" } });
    let mut heir = BackupTask::new("heir", serde_json::from_value(spec).unwrap());
    heir.metadata.namespace = Some("default".to_owned());
    lab.api.store.apply_task(heir);
    for _ in 0..3 {
        pass(&lab.ctx, &lab.server(), stale.clone()).await;
    }
    assert_eq!(lab.count("remove"), 0);
    let (reason, message) = lab.said(1);
    assert_eq!(reason, "RemovalNotAllowed");
    assert!(message.contains("heir"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_unfinished_row_holds_no_removal_back() {
    let lab = removing();
    lab.control(Control::AddResult {
        id: 1,
        result: crate::simulator::ResultSpec {
            status: Some(1),
            time_end: Some(0),
            ..crate::simulator::ResultSpec::default()
        },
    });
    lab.apply(1, &removal());
    lab.pass_for(600).await;
    assert_eq!(lab.count("remove"), 1, "{:?}", lab.said(1));
}

#[tokio::test(start_paused = true)]
async fn a_quiet_hour_has_the_reads_of_its_polls_and_no_more() {
    let lab = Lab::leading(&json!({}));
    lab.apply(1, &json!({ "triggers": { "schedule": "0 12 * * *" } }));
    lab.apply(
        2,
        &json!({ "removal": { "when": "OnDelete", "confirm": "key-2" } }),
    );
    lab.pass_for(600).await;
    let (lists, writes) = (lab.count("list"), lab.api.trouble().writes);
    let passes = lab.pass_for(3600).await;
    assert_eq!(lab.count("list") - lists, 12, "one in five minutes");
    assert!(passes <= 13, "{passes}");
    assert_eq!(lab.api.trouble().writes, writes);
}

#[tokio::test(start_paused = true)]
async fn rights_that_are_given_later_are_noticed_with_one_login_an_hour() {
    let lab = Lab::leading(&json!({}));
    lab.control(Control::Behaviour(json!({ "permission": false })));
    let ready = || {
        let status = lab.server().status.unwrap_or_default();
        let ready = condition(&status.conditions, ConditionType::Ready).unwrap();
        (ready.reason.clone(), ready.message.clone())
    };
    lab.pass_for(50 * 60).await;
    let (reason, message) = ready();
    assert_eq!(reason, "PermissionDenied");
    assert!(
        message.starts_with("nas:80: ")
            && message.contains("error 105")
            && message.contains("administrators"),
        "{message}"
    );
    assert_eq!(
        lab.count("login"),
        2,
        "a session that may be dead is renewed once"
    );
    lab.pass_for(3 * 3600).await;
    assert_eq!(lab.count("login"), 5, "and once an hour after that");
    lab.control(Control::Behaviour(json!({ "permission": true })));
    lab.pass_for(6 * 60).await;
    assert_eq!(ready().0, "Connected");
    assert_eq!(lab.count("login"), 5, "the session is good as it is");
}

#[tokio::test(start_paused = true)]
async fn a_probe_comes_once_per_login_and_holds_nothing_up() {
    let lab = Lab::leading(&json!({}));
    lab.pass_for(3600).await;
    let package = lab.server().status.unwrap().package.unwrap();
    assert_eq!(package.version.as_deref(), Some("2.7.0-13164"));
    assert_eq!(package.capabilities, ["History", "Log", "Queue", "Packages"]);
    assert_eq!(lab.count("request"), 1, "one compound request");
    let version = lab.server().resource_version();
    lab.control(Control::ExpireSessions);
    lab.pass_for(3600).await;
    assert_eq!(lab.count("request"), 2, "another login, another probe");
    assert_eq!(
        lab.server().resource_version(),
        version,
        "nothing new, nothing written"
    );

    // Where the probe hangs, what is asked for goes on.
    let lab = Lab::leading(&json!({}));
    let hang = Fault::new(FaultKind::Hang)
        .on("SYNO.Entry.Request", "request")
        .times(0);
    lab.control(Control::AddFault(hang));
    lab.apply(1, &token("a"));
    let begun = lab.clock.now();
    lab.pass().await;
    assert_eq!(lab.effects("backup"), 1);
    assert!(lab.clock.now().duration_since(begun) <= SignedDuration::from_secs(5));
    assert_eq!(lab.server().status.unwrap().package, None);
}
