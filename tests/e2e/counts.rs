//! What a run, a removal, a poll and an idle hour may cost, counted in the API server's audit log and at the NAS: the
//! numbers of `docs/scaling.md` that need no clock. A change that costs one request more fails here.

use std::{collections::BTreeMap, fmt::Write};

use abb_operator::simulator::{Control, RequestRecord, Scenario};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    harness::eventually,
    lab::{Lab, task},
};

/// Runs or removals of one count.
const CROWD: usize = 10;
/// Removals of one count; they take longer, each waits for the breaker.
const REMOVALS: usize = 3;
/// The read of the Secret while its session holds.
const SECRET: &str = "get secrets";
/// Polls of the NAS that are counted.
const POLLS: usize = 4;
/// Seconds in which kubectl writes a hundred objects on a busy machine.
const AHEAD: i64 = 15;

/// A NAS with so many tasks, each declared, and an operator that has looked at all of them. A run lasts for hours and
/// moves no bytes: nothing is to be told of its progress, and it ends when a test says so.
async fn crowd(prefix: &str, tasks: usize, spec: &str) -> Lab {
    let scenario: Scenario = serde_json::from_value(json!({
        "tasks": [],
        "generateTasks": tasks,
        "maxConcurrentDevices": 1000,
        "defaultRunSeconds": 100_000,
        "defaultRunBytes": 0,
    }))
    .unwrap();
    let lab = Lab::with(prefix, scenario, 1.0).await;
    let limits =
        r#"{"spec": {"limits": {"maxConcurrentRuns": 0}, "removals": {"allowed": true, "maxPerDay": 1000}}}"#;
    lab.namespace
        .kubectl(&["patch", "bsrv", "nas", "--type=merge", "-p", limits])
        .await
        .ok();
    declare(&lab, tasks, spec).await;
    eventually("all are bound", async || {
        let bound = lab.namespace.get("bsrv", "nas").await["status"]["tasks"]["bound"].as_u64();
        if bound == Some(tasks as u64) {
            Ok(())
        } else {
            Err(format!("{bound:?}\n{}", lab.operator.log()))
        }
    })
    .await;
    quiet(&lab).await;
    lab
}

async fn declare(lab: &Lab, tasks: usize, spec: &str) {
    let mut manifests = String::new();
    for number in 1..=tasks {
        let name = format!("task-{number:04}");
        writeln!(manifests, "{}---", task(&name, &name, spec)).unwrap();
    }
    lab.namespace.apply(&manifests).await.ok();
}

/// Waits until two polls have passed without a write.
async fn quiet(lab: &Lab) {
    let state = || {
        let writes = requests(lab)
            .iter()
            .filter(|line| line.starts_with("patch") || line.starts_with("create"))
            .count();
        (writes, lab.requests("list"))
    };
    let mut before = state();
    eventually("the writes end", async || {
        let now = state();
        if now.0 != before.0 {
            before = now;
        }
        (now.1 >= before.1 + 2).then_some(())
    })
    .await;
}

/// The operator's requests to the API server, without Lease calls and watches.
fn requests(lab: &Lab) -> Vec<String> {
    let mut requests = lab.namespace.cluster().operator_requests(lab.namespace.name());
    requests.retain(|line| !line.contains("leases") && !line.starts_with("watch"));
    requests
}

/// Watches that have ended, of whatever.
fn ended_watches(lab: &Lab) -> usize {
    let requests = lab.namespace.cluster().operator_requests(lab.namespace.name());
    requests.iter().filter(|line| line.starts_with("watch")).count()
}

/// How many of each there were beyond the first ones.
fn kinds(lab: &Lab, after: usize) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for line in requests(lab).into_iter().skip(after) {
        *kinds.entry(line).or_default() += 1;
    }
    kinds
}

fn of(kinds: &BTreeMap<String, usize>, kind: &str) -> usize {
    kinds.get(kind).copied().unwrap_or_default()
}

async fn until_all(lab: &Lab, what: &str, holds: impl Fn(&Value) -> bool) {
    eventually(what, async || {
        let text = lab.namespace.kubectl(&["get", "bt", "-o", "json"]).await.ok();
        let list: Value = serde_json::from_str(&text).unwrap();
        let items = list["items"].as_array().unwrap();
        match items.iter().find(|item| !holds(&item["status"])) {
            None => Ok(()),
            Some(item) => Err(format!("{:#}\n{}", item["status"], lab.operator.log())),
        }
    })
    .await;
}

fn has_succeeded(status: &Value) -> bool {
    status["receipts"]["request"]["outcome"] == "Succeeded"
}

#[tokio::test]
async fn a_run_costs_three_status_writes_and_no_read() {
    let lab = crowd("count-runs", CROWD, "").await;
    let before = requests(&lab).len();
    declare(&lab, CROWD, "triggers: {request: a}").await;
    until_all(&lab, "all run", |status| status["state"] == "Running").await;
    // Polls on which nothing has moved.
    quiet(&lab).await;
    for id in 1..=i64::try_from(CROWD).unwrap() {
        lab.nas.control(Control::FinishTask { id, status: 2 }).unwrap();
    }
    until_all(&lab, "all have succeeded", has_succeeded).await;
    quiet(&lab).await;
    let kinds = kinds(&lab, before);
    let log = lab.operator.log();
    assert_eq!(
        of(&kinds, "patch backuptasks/status"),
        3 * CROWD,
        "{kinds:#?}\n{log}"
    );
    assert_eq!(of(&kinds, "patch backuptasks"), 0, "no finalizer: {kinds:#?}");
    let events = of(&kinds, "create events") + of(&kinds, "patch events");
    assert!(events <= 3 * CROWD, "{kinds:#?}");
    let reads: Vec<_> = kinds
        .keys()
        .filter(|kind| kind.starts_with("get") || kind.starts_with("list"))
        .filter(|kind| *kind != SECRET)
        .collect();
    assert!(reads.is_empty(), "a run reads nothing: {kinds:#?}");
    assert_eq!(lab.effects("backup").len(), CROWD);
}

#[tokio::test]
async fn a_run_that_no_poll_sees_costs_no_more() {
    let lab = crowd("count-short", CROWD, "").await;
    for id in 1..=i64::try_from(CROWD).unwrap() {
        let change = abb_operator::simulator::TaskChange {
            run_seconds: Some(0.01),
            ..Default::default()
        };
        let change = Control::ChangeTask {
            id,
            change: Box::new(change),
        };
        lab.nas.control(change).unwrap();
    }
    let before = requests(&lab).len();
    declare(&lab, CROWD, "triggers: {request: a}").await;
    until_all(&lab, "all have succeeded", has_succeeded).await;
    quiet(&lab).await;
    let kinds = kinds(&lab, before);
    assert!(of(&kinds, "patch backuptasks/status") <= 3 * CROWD, "{kinds:#?}");
}

#[tokio::test]
async fn a_lone_run_changes_the_status_of_its_server_twice() {
    let lab = crowd("count-server", 1, "").await;
    let before = requests(&lab).len();
    declare(&lab, 1, "triggers: {request: a}").await;
    until_all(&lab, "it runs", |status| status["state"] == "Running").await;
    quiet(&lab).await;
    lab.nas.control(Control::FinishTask { id: 1, status: 2 }).unwrap();
    until_all(&lab, "it has succeeded", has_succeeded).await;
    quiet(&lab).await;
    let kinds = kinds(&lab, before);
    // `tasks.running` rises and falls.
    assert_eq!(of(&kinds, "patch backupservers/status"), 2, "{kinds:#?}");
}

#[tokio::test]
async fn a_removal_reads_three_times_and_writes_the_breaker_once() {
    let lab = crowd("count-removals", REMOVALS, "").await;
    let before = requests(&lab).len();
    let mut manifests = String::new();
    for number in 1..=REMOVALS {
        let name = format!("task-{number:04}");
        let status = lab.namespace.get("bt", &name).await["status"].take();
        let key = &status["task"]["uniqueKey"];
        let spec = format!("removal: {{when: Now, confirm: {key}, notAfter: '2099-01-01T00:00:00Z'}}");
        writeln!(manifests, "{}---", task(&name, &name, &spec)).unwrap();
    }
    lab.namespace.apply(&manifests).await.ok();
    eventually("all are asked for", async || {
        let asked = lab.effects("remove").len();
        if asked == REMOVALS {
            return Ok(());
        }
        let conditions = lab.namespace.kubectl(&["get", "bt", "-o", "wide"]).await.stdout;
        Err(format!("{asked}\n{conditions}\n{}", lab.operator.log()))
    })
    .await;
    let kinds = kinds(&lab, before);
    let reads: usize = kinds
        .iter()
        .filter(|(kind, _)| kind.starts_with("get") || kind.starts_with("list"))
        .map(|(_, count)| count)
        .sum();
    // The tasks of the namespace, its server, and its Secret, each live. They take turns, so no reservation outruns another.
    assert!(reads <= 3 * REMOVALS + 1, "{kinds:#?}");
    assert!(of(&kinds, "patch backupservers/status") >= REMOVALS, "{kinds:#?}");
}

#[tokio::test]
async fn a_poll_is_one_list_and_what_is_due_together_one_more() {
    for tasks in [1, 100] {
        let lab = crowd("count-lists", tasks, "").await;
        lab.nas.control(Control::ResetRequests).unwrap();
        eventually("some polls pass", async || {
            (lab.nas.requests().len() >= POLLS).then_some(())
        })
        .await;
        let requests = lab.nas.requests();
        let times: Vec<Timestamp> = requests
            .iter()
            .map(|request| request.at.parse().unwrap())
            .collect();
        // The lab polls once a second.
        let close = SignedDuration::from_millis(500);
        assert!(
            requests.iter().all(|request| request.method == "list")
                && times
                    .windows(2)
                    .all(|pair| pair[1].duration_since(pair[0]) > close),
            "one list a poll: {requests:#?}"
        );
        without_polls(&lab).await;
        let due = Timestamp::from_second(Timestamp::now().as_second() + AHEAD).unwrap();
        declare(&lab, tasks, &format!("triggers: {{request: '{due}'}}")).await;
        assert!(Timestamp::now() < due, "the tokens were written too late");
        lab.nas.control(Control::ResetRequests).unwrap();
        eventually("all are called", async || {
            (lab.effects("backup").len() == tasks).then_some(())
        })
        .await;
        let requests = lab.nas.requests();
        assert_eq!(lists_before_the_last_call(&requests), 1, "{requests:#?}");
    }
}

#[tokio::test]
async fn what_is_due_at_a_start_is_one_list() {
    let mut lab = crowd("count-start", CROWD, "").await;
    without_polls(&lab).await;
    lab.operator.terminate().await;
    declare(&lab, CROWD, "triggers: {request: a}").await;
    lab.nas.control(Control::ResetRequests).unwrap();
    lab.operator = lab.namespace.operator(&[]);
    eventually("all are called", async || {
        (lab.effects("backup").len() == CROWD).then_some(())
    })
    .await;
    let requests = lab.nas.requests();
    assert_eq!(lists_before_the_last_call(&requests), 1, "{requests:#?}");
}

/// Polls come so rarely from now on that none is seen, and a read may take its time: no other would follow a failed one.
async fn without_polls(lab: &Lab) {
    let polling = r#"{"spec": {"polling": {"idle": "10m", "active": "10m"}, "timeouts": {"request": "10s", "settle": "10s"}}}"#;
    lab.namespace
        .kubectl(&["patch", "bsrv", "nas", "--type=merge", "-p", polling])
        .await
        .ok();
    // The edit may be answered by a look at the NAS; then no poll is near.
    let observed = async || {
        let server = lab.namespace.get("bsrv", "nas").await;
        (server["status"]["observedGeneration"] == server["metadata"]["generation"]).then_some(())
    };
    eventually("the edit is seen", observed).await;
}

fn lists_before_the_last_call(requests: &[RequestRecord]) -> usize {
    let last = requests.iter().rposition(|request| request.method == "backup");
    let before = requests[..last.unwrap()].iter();
    before.filter(|request| request.method == "list").count()
}

#[tokio::test]
async fn an_idle_operator_watches_and_renews_and_nothing_else() {
    let lab = crowd("count-idle", CROWD, "").await;
    let (before, watches) = (requests(&lab).len(), ended_watches(&lab));
    let polls = lab.requests("list");
    eventually("some polls pass", async || {
        (lab.requests("list") >= polls + POLLS).then_some(())
    })
    .await;
    let mut kinds = kinds(&lab, before);
    // At its own pace: every sixth idle poll.
    let secrets = kinds.remove(SECRET).unwrap_or(0);
    assert!(secrets <= POLLS / 6 + 1, "{secrets}");
    assert_eq!(kinds, BTreeMap::new(), "only watches and Lease calls");
    assert_eq!(ended_watches(&lab), watches, "and a watch lasts");
}
