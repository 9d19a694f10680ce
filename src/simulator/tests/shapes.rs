//! Answers in other shapes, answers that show late, and rows with values that nobody knows.

use serde_json::{Value, json};

use super::super::{ApiCall, Control, PackageState};
use super::{Bench, LOG, TASK, code, login};

fn with(switch: &str) -> Bench {
    Bench::yaml(&format!("behaviour: {{{switch}}}"))
}

#[test]
fn refusals_come_in_every_shape() {
    let error = |shape: &str| {
        let mut bench = with(&format!("errorShape: {shape}"));
        let refused = bench.act("backup", 99);
        assert_eq!(refused["success"], false, "{shape}");
        refused.get("error").cloned()
    };
    assert_eq!(error("Plain"), Some(json!({"code": 1010})));
    let errors = |shape: &str| error(shape).unwrap()["errors"].clone();
    assert_eq!(errors("Object")["name"], "task_ids");
    assert_eq!(errors("List")[0]["code"], 1010);
    assert!(errors("Text").is_string());
    assert_eq!(error("CodeAsText"), Some(json!({"code": "1010"})));
    assert_eq!(error("Null"), Some(Value::Null));
    assert_eq!(error("Absent"), None);
    // A fault speaks the same way, and a success stays what it is.
    let mut bench = with("errorShape: CodeAsText");
    let fault = super::super::Fault::new(super::super::FaultKind::ErrorCode { code: 150 });
    bench.nas.add_fault(fault);
    assert_eq!(bench.act("cancel", 1)["error"]["code"], "150");
    assert_eq!(bench.act("cancel", 1), json!({"success": true}));
}

#[test]
fn a_last_result_may_show_late() {
    for (while_running, shown) in [("Previous", 7544), ("Running", 7545)] {
        let mut bench = with(&format!(
            "lastResultDelaySeconds: 60, lastResultWhileRunning: {while_running}"
        ));
        bench.act("backup", 1);
        assert_eq!(bench.row(1)["last_result"]["result_id"], 7544);
        bench.wait(60);
        assert_eq!(bench.row(1)["last_result"]["result_id"], shown);
        bench.wait(462);
        assert_eq!(bench.results(1)[0]["status"], 2, "the list is up to date");
        let late = bench.row(1)["last_result"].clone();
        assert_eq!(late["result_id"], shown, "{while_running}");
        assert_eq!(late["status"] == 1, while_running == "Running");
        bench.wait(60);
        assert_eq!(bench.row(1)["last_result"]["status"], 2);
        assert_eq!(bench.row(1)["last_result"]["result_id"], 7545);
    }
}

#[test]
fn a_result_row_may_show_late() {
    let mut bench = with("resultRowDelaySeconds: 60");
    bench.act("backup", 1);
    assert_eq!(bench.results(1)[0]["result_id"], 7544);
    bench.wait(60);
    assert_eq!(bench.results(1)[0]["result_id"], 7545);
    assert_eq!(bench.results(1)[0]["status"], 1);
    bench.wait(462);
    assert_eq!(bench.results(1)[0]["status"], 1, "not yet");
    assert_eq!(
        bench.row(1)["last_result"]["status"],
        2,
        "the row of the task is up to date"
    );
    bench.wait(60);
    assert_eq!(bench.results(1)[0]["status"], 2);
}

#[test]
fn rows_may_carry_values_that_nobody_knows() {
    let mut bench = Bench::yaml("{generateTasks: 2, behaviour: {unknownEnums: true}}");
    for id in [1, 2, 3] {
        bench.act("backup", id);
    }
    assert_eq!(bench.row(1)["status"], "sleeping");
    bench.wait(522);
    for id in [1, 2, 3] {
        let row = bench.row(id);
        assert_eq!(
            (&row["backup_type"], &row["source_type"]),
            (&json!(9), &json!(42))
        );
        let status = if id == 2 { 42 } else { 2 };
        let action = if id == 3 { 1 | 1 << 30 } else { 1 };
        for result in [&row["last_result"], &bench.results(id)[0]] {
            assert_eq!(
                (&result["status"], &result["job_action"]),
                (&json!(status), &json!(action))
            );
        }
    }
    assert_eq!(bench.effects("run-ended")[1].status, Some(2), "the truth");
}

#[test]
fn rows_may_come_in_other_types() {
    let mut bench = Bench::yaml("{generateTasks: 2, behaviour: {polymorphicRows: true}}");
    bench.act("backup", 1);
    bench.wait(261);
    let row = bench.row(1);
    assert_eq!(row["backup_type"], "2");
    assert_eq!(row["progress"]["percentage"], "0.5");
    let schedule = row["sched_content"].as_str().unwrap();
    assert!(serde_json::from_str::<Value>(schedule).unwrap().is_object());
    assert!(row["devices"].is_array());
    assert!(bench.row(2)["devices"].is_null());
    assert!(bench.row(3).get("unikey").is_none());
    let pairs = bench.ask(ApiCall::new(TASK, "list_with_device"))["data"]["tasks"].clone();
    assert!(pairs[1].as_object().unwrap()["device_info"].is_null());
    assert!(pairs[0]["device_info"].is_object());
}

#[test]
fn the_queue_may_need_ids_to_be_cleared() {
    let mut bench = with("cancelWaitingBackup: NeedsIds, startDelaySeconds: 60");
    bench.act("backup", 1);
    let clear = || ApiCall::new(TASK, "cancel_waiting_backup");
    assert_eq!(code(&bench.ask(clear())), 0);
    assert!(bench.effects("cancel").is_empty());
    assert_eq!(code(&bench.ask(clear().with("task_ids", "[1]"))), 0);
    assert_eq!(bench.effects("cancel").len(), 1);
}

#[test]
fn several_calls_in_one_may_be_unknown() {
    let mut bench = with("compound: false");
    let call = ApiCall::new("SYNO.Entry.Request", "request").with("compound", "[]");
    assert_eq!(code(&bench.ask(call)), 102);
    let query = bench.send(&ApiCall::new("SYNO.API.Info", "query"));
    assert!(query["data"].get("SYNO.Entry.Request").is_none());
}

#[test]
fn a_session_may_be_checked_inside_only() {
    let parts = json!([{"api": TASK, "method": "list", "version": 1}]).to_string();
    let call = || ApiCall::new("SYNO.Entry.Request", "request").with("compound", &parts);
    for (switch, outer, inner) in [("false", 119, json!(null)), ("true", 0, json!(119))] {
        let mut bench = with(&format!("compoundChecksInside: {switch}"));
        assert_eq!(bench.ask(call())["data"]["result"][0]["data"]["total"], 1);
        bench.nas.control(Control::ExpireSessions, bench.now).unwrap();
        let answer = bench.ask(call());
        assert_eq!(code(&answer), outer);
        assert_eq!(answer["data"]["result"][0]["error"]["code"], inner);
    }
}

#[test]
fn an_account_without_permission_gets_105_from_the_package_only() {
    let mut bench = with("permission: false");
    assert_eq!(bench.code("backup", 1), 105);
    assert_eq!(code(&bench.ask(ApiCall::new(LOG, "list_result"))), 105);
    let info = ApiCall::new("SYNO.DSM.Info", "getinfo").at_version(2);
    assert_eq!(code(&bench.ask(info)), 0);
}

#[test]
fn an_upgrade_has_its_own_codes() {
    for (state, expected) in [
        (PackageState::UpgradeInitialising, 1006),
        (PackageState::Upgrading, 1007),
        (PackageState::UpgradeFailed, 1008),
        (PackageState::Stopped, 102),
    ] {
        let mut bench = with("");
        bench.nas.control(Control::Package { state }, bench.now).unwrap();
        assert_eq!(bench.code("backup", 1), expected);
    }
    let mut bench = Bench::yaml("package: upgradeInitialising");
    assert_eq!(bench.code("backup", 1), 1006);
}

#[test]
fn an_old_system_logs_in_elsewhere() {
    use super::super::Script;
    let mut bench = with("dsmGeneration: Dsm6");
    assert_eq!(bench.sid, "", "not at entry.cgi");
    let all = ApiCall {
        script: Script::Query,
        ..ApiCall::new("SYNO.API.Info", "query")
    };
    let all = bench.send(&all)["data"].clone();
    assert_eq!(
        all["SYNO.API.Auth"],
        json!({"path": "auth.cgi", "minVersion": 1, "maxVersion": 6})
    );
    assert_eq!(all["SYNO.API.Encryption"]["path"], "encryption.cgi");
    for api in ["AEM", "AEM.Task", "General", "Plan", "Workload"] {
        assert!(all.get(format!("SYNO.ActiveBackup.{api}")).is_none(), "{api}");
    }
    let at_auth = |version| ApiCall {
        script: Script::Auth,
        ..login().at_version(version)
    };
    assert_eq!(code(&bench.send(&at_auth(7))), 104);
    let opened = bench.send(&at_auth(6));
    let sid = opened["data"]["sid"].as_str().unwrap().to_owned();
    let token = opened["data"]["synotoken"].as_str().unwrap().to_owned();
    let list = ApiCall::new(TASK, "list").in_session(&sid, Some(&token));
    assert_eq!(bench.send(&list)["data"]["total"], 1);
}
