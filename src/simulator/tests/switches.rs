//! Each answer that nobody has published, both ways.

use serde_json::json;

use super::super::{ApiCall, Error, Scenario};
use super::{Bench, LOG, TASK, code, login};

/// A NAS with one switch set.
fn with(switch: &str) -> Bench {
    Bench::yaml(&format!("behaviour: {{{switch}}}"))
}

#[test]
fn backup_while_running() {
    for (answer, expected, effects) in [
        ("Conflict1202", 1202, 1),
        ("Conflict4007", 4007, 1),
        ("SuccessLogOnly", 0, 1),
        ("Success", 0, 2),
    ] {
        let mut bench = with(&format!("backupWhileRunning: {answer}"));
        bench.act("backup", 1);
        assert_eq!(bench.code("backup", 1), expected, "{answer}");
        assert_eq!(bench.effects("backup").len(), effects, "{answer}");
        let logs = bench.ask(ApiCall::new(LOG, "list_log"))["data"]["logs"].clone();
        assert_eq!(logs[0]["log_type"] == 1137, answer == "SuccessLogOnly");
        bench.wait(5000);
        assert_eq!(bench.effects("run-ended").len(), effects, "{answer}");
    }
}

#[test]
fn cancel_of_an_idle_task() {
    assert_eq!(with("cancelIdle: Success").code("cancel", 1), 0);
    let mut bench = with("cancelIdle: Error1201");
    assert_eq!(bench.code("cancel", 1), 1201);
    assert!(bench.effects("cancel").is_empty());
}

#[test]
fn cancel_of_a_queued_run() {
    let mut bench = with("cancelWaiting: Success, startDelaySeconds: 60");
    bench.act("backup", 1);
    assert_eq!(bench.row(1)["status"], "waiting");
    let activity = bench.ask(ApiCall::new("SYNO.ActiveBackup.Overview", "list_activity"));
    assert_eq!(activity["data"]["activity_list"][0]["job"]["status"], 1);
    assert_eq!(bench.code("cancel", 1), 0);
    assert_eq!(bench.effects("cancel").len(), 1);
    bench.wait(100);
    assert!(bench.effects("run-started").is_empty());
    assert_eq!(bench.results(1).len(), 1);

    let mut bench = with("cancelWaiting: Error, startDelaySeconds: 60");
    bench.act("backup", 1);
    assert_eq!(bench.code("cancel", 1), 1201);
    bench.wait(60);
    assert_eq!(bench.effects("run-started").len(), 1);

    let mut bench = with("cancelledWaitingRow: true, startDelaySeconds: 60");
    bench.act("backup", 1);
    bench.act("cancel", 1);
    assert_eq!(bench.results(1)[0]["status"], 5);

    let mut bench = with("startDelaySeconds: 60");
    bench.act("backup", 1);
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "cancel_waiting_backup"))), 0);
    assert_eq!(bench.effects("cancel").len(), 1);
}

#[test]
fn remove_of_a_running_task() {
    let mut bench = with("removeRunning: Error1204");
    bench.act("backup", 1);
    assert_eq!(bench.code("remove", 1), 1204);
    assert!(bench.effects("remove").is_empty());

    let mut bench = with("removeRunning: Success, removeSeconds: 5");
    bench.act("backup", 1);
    assert_eq!(bench.code("remove", 1), 0);
    assert_eq!(bench.effects("run-ended")[0].status, Some(5));
    bench.wait(5);
    assert!(bench.row(1).is_null());
}

#[test]
fn calls_for_unknown_tasks() {
    for (answer, expected) in [("Success", 0), ("Error1010", 1010), ("Error1103", 1103)] {
        let mut bench = with(&format!("unknownTask: {answer}"));
        for method in ["backup", "cancel", "remove"] {
            assert_eq!(bench.code(method, 99), expected);
        }
        assert_eq!(bench.nas.ledger().len(), 1, "only the login");
    }
}

#[test]
fn result_rows_at_the_start_or_the_end() {
    let mut bench = with("resultRow: AtEnd");
    bench.act("backup", 1);
    assert_eq!(bench.results(1).len(), 1);
    assert_eq!(bench.effects("backup")[0].result_id, None);
    bench.wait(522);
    assert_eq!(bench.results(1)[0]["result_id"], 7545);
    assert_eq!(bench.effects("run-ended")[0].result_id, Some(7545));

    let mut bench = with("lastResultWhileRunning: Running");
    bench.act("backup", 1);
    assert_eq!(bench.row(1)["last_result"]["result_id"], 7545);
    assert_eq!(bench.row(1)["last_result"]["status"], 1);
}

#[test]
fn second_factors() {
    let mut bench = with("twoFactor: true");
    let refused = bench.send(&login());
    assert_eq!(code(&refused), 403);
    assert_eq!(refused["error"]["errors"]["types"][0]["type"], "authenticator");
    assert_eq!(code(&bench.send(&login().with("otp_code", "000000"))), 404);
    let first = login()
        .with("otp_code", "123456")
        .with("enable_device_token", "yes")
        .with("device_name", "op");
    let opened = bench.send(&first);
    assert_eq!(code(&opened), 0);
    let device = opened["data"]["did"].as_str().unwrap();
    assert_eq!(
        code(&bench.send(&login().with("device_id", device).with("device_name", "op"))),
        0
    );
    assert_eq!(
        code(&bench.send(&login().with("device_id", device).with("device_name", "other"))),
        403
    );
    assert_eq!(bench.effects("login").len(), 2);

    // The secret of RFC 6238; a code is good once.
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let mut bench = Bench::yaml(&format!(
        "{{totpSecret: {secret}, behaviour: {{twoFactor: true}}}}"
    ));
    bench.now = "1970-01-01T00:00:59Z".parse().unwrap();
    let mut nas = super::super::Nas::new(
        Scenario::from_text(
            &format!("{{totpSecret: {secret}, behaviour: {{twoFactor: true}}}}"),
            "",
        )
        .unwrap(),
        1.0,
        bench.now,
    )
    .unwrap();
    std::mem::swap(&mut bench.nas, &mut nas);
    assert_eq!(code(&bench.send(&login().with("otp_code", "287082"))), 0);
    assert_eq!(code(&bench.send(&login().with("otp_code", "287082"))), 404);
}

#[test]
fn other_switches() {
    let mut bench = with("v2Reads103: false, emitStatus: false");
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "list").at_version(2))), 0);
    bench.act("backup", 1);
    assert!(bench.row(1).get("status").is_none());
    assert_eq!(bench.row(1)["progress"]["running_task_status"], 1);

    let mut bench = with("polymorphicRetention: true, polymorphicRows: true");
    assert_eq!(bench.row(1)["last_result"]["time_end"], "1762848525");
    assert!(bench.row(1)["last_result"].get("activity_uuid").is_none());

    let mut bench = Bench::yaml("tasks: [{seed: true, allowManualBackup: false, result: 4}]");
    assert_eq!(bench.code("backup", 1), 1209);
    let mut bench = Bench::yaml("tasks: [{seed: true, result: 4, runSeconds: 9}]");
    bench.act("backup", 1);
    bench.wait(9);
    assert_eq!(bench.row(1)["last_result"]["status"], 4);
    assert_eq!(bench.row(1)["last_result"]["error_count"], 1);

    let mut bench = Bench::yaml("{synoTokenEnforced: false, behaviour: {pollute: {agentToken: mine}}}");
    bench.token = "wrong".to_owned();
    assert_eq!(bench.row(1)["devices"][0]["agent_token"], "mine");
}

#[test]
fn a_task_whose_agents_are_offline_or_whose_window_is_closed() {
    use super::super::{Control, TaskChange};
    let change = |bench: &mut Bench, change: TaskChange| {
        let change = Box::new(change);
        bench
            .nas
            .control(Control::ChangeTask { id: 1, change }, bench.now)
            .unwrap();
    };
    let offline = |how: &str| {
        let text = format!(
            "{{tasks: [{{seed: true, runSeconds: 9, agentOnline: false}}], behaviour: {{agentOffline: {how}}}}}"
        );
        Bench::yaml(&text)
    };
    let online = || TaskChange {
        agent_online: Some(true),
        ..TaskChange::default()
    };
    let mut bench = offline("Error5001");
    assert_eq!(bench.code("backup", 1), 5001);
    change(&mut bench, online());
    bench.act("backup", 1);

    let mut bench = offline("Cancelled");
    bench.act("backup", 1);
    bench.wait(1);
    assert_eq!(bench.row(1)["last_result"]["status"], 5);

    let mut bench = offline("Paused");
    bench.act("backup", 1);
    bench.wait(3600);
    assert_eq!(bench.row(1)["progress"]["running_task_status"], 2);
    change(&mut bench, online());
    bench.wait(8);
    assert_eq!(bench.row(1)["progress"]["running_task_status"], 1);
    bench.wait(1);
    assert_eq!(bench.row(1)["last_result"]["status"], 2);

    let closed = |how: &str| {
        let text =
            format!("{{tasks: [{{seed: true, windowOpen: false}}], behaviour: {{windowClosed: {how}}}}}");
        Bench::yaml(&text)
    };
    assert_eq!(closed("Error1104").code("backup", 1), 1104);
    assert_eq!(closed("Error1105").code("backup", 1), 1105);
    let mut bench = closed("LogOnly");
    bench.act("backup", 1);
    assert!(bench.row(1).get("status").is_none());
    change(
        &mut bench,
        TaskChange {
            window_open: Some(true),
            ..TaskChange::default()
        },
    );
    bench.act("backup", 1);
    assert_eq!(bench.row(1)["status"], "backingup");
}

#[test]
fn behaviour_is_merged_by_field() {
    use super::super::{Control, UnknownTask};
    let mut bench = with("cancelSeconds: 7");
    let patch = json!({"unknownTask": "Success", "pollute": {"agentToken": "x"}});
    bench.nas.control(Control::Behaviour(patch), bench.now).unwrap();
    let behaviour = &bench.nas.scenario.behaviour;
    assert_eq!(behaviour.unknown_task, UnknownTask::Success);
    assert!((behaviour.cancel_seconds - 7.0).abs() < f64::EPSILON);
    assert!(
        bench
            .nas
            .control(Control::Behaviour(json!({"unknownTusk": 1})), bench.now)
            .is_err()
    );
}

#[test]
fn scenarios_are_strict_and_say_what_is_wrong() {
    let text = "
username: reader
generateTasks: 3
tasks:
  - seed: true
  - {id: 9, name: nightly, uniqueKey: k9, devices: [{id: 4, hostName: db}], result: 3,
     lastResult: {resultId: 9000, status: 4}}
behaviour: {backupWhileRunning: SuccessLogOnly}
faults:
  - {api: SYNO.ActiveBackup.Task, method: backup, kind: LoseReplyAfter}
  - {method: list, after: 2, times: 0, kind: {Delay: {milliseconds: 10, beforeEffect: true}}}
  - kind: {ErrorCode: {code: 1203}}
";
    let scenario = Scenario::from_text(text, "test").unwrap();
    assert_eq!(scenario.faults.len(), 3);
    let json = serde_json::to_string(&scenario).unwrap();
    assert_eq!(Scenario::from_text(&json, "test").unwrap(), scenario);
    let nas = super::super::Nas::new(scenario, 1.0, jiff::Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(nas.tasks.keys().copied().collect::<Vec<_>>(), [1, 9, 10, 11, 12]);
    assert_eq!(nas.last_result, 9000);

    let error = Scenario::from_text("tasks:\n  - {nmae: x}\n", "there.yaml").unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("there.yaml") && text.contains("nmae") && text.contains('2'),
        "{text}"
    );
    assert!(matches!(
        Scenario::from_file("/nonexistent"),
        Err(Error::ReadScenario { .. })
    ));
    let twice = Scenario::from_text("tasks: [{id: 1}, {id: 1}]", "test").unwrap();
    assert!(super::super::Nas::new(twice, 1.0, jiff::Timestamp::UNIX_EPOCH).is_err());
}
