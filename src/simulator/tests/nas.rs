//! What every NAS does, whatever the switches say.

use serde_json::json;

use super::super::{ApiCall, Control, Delivery, Fault, FaultKind, Origin, PackageState, Scenario, TaskSpec};
use super::{Bench, LOG, TASK, code, login};

#[test]
fn the_seed_is_the_recorded_task_with_its_result() {
    let mut bench = Bench::new(Scenario::seed());
    let data = bench.ask(ApiCall::new(TASK, "list").with("load_result", "true"))["data"].clone();
    assert_eq!(data["total"], 1);
    let row = &data["tasks"][0];
    assert_eq!(row["task_id"], 1);
    assert_eq!(row["task_name"], "peterm-Default");
    assert_eq!(row["unikey"], "75711daf-8ee1-4bcb-bd84-2b04e9983f6d");
    assert_eq!(row["next_trigger_time"], 1_763_884_800);
    assert_eq!(row["retention_policy"]["gfs_days"], "7");
    assert_eq!(row["last_result"]["result_id"], 7544);
    assert_eq!(
        row["last_result"]["activity_uuid"],
        "a62f9539-dbbc-4813-b293-c338f40f73df"
    );
    assert_eq!(row["last_result"]["transfered_bytes"], 4_754_168_380_i64);
    assert_eq!(
        row["last_result"]["task_config"]["device_list"],
        json!([{"device_id": 1, "host_name": "HOSTNAME"}])
    );
    assert!(row.get("progress").is_none() && row.get("status").is_none());
}

#[test]
fn rows_have_every_recorded_field_and_the_flags_decide_on_the_rest() {
    let mut bench = Bench::new(Scenario {
        generate_tasks: 2,
        ..Scenario::seed()
    });
    let plain = bench.ask(ApiCall::new(TASK, "list"))["data"].clone();
    let generated = plain["tasks"][2].as_object().unwrap();
    for name in plain["tasks"][0].as_object().unwrap().keys() {
        assert!(generated.contains_key(name), "{name} is missing");
    }
    assert_eq!(generated["task_name"], "task-0002");
    assert_ne!(generated["unikey"], plain["tasks"][1]["unikey"]);
    assert_eq!(plain["has_devices"], false);
    for name in ["last_result", "versions", "version_count", "target_status"] {
        assert!(!generated.contains_key(name), "{name} was not asked for");
    }
    assert!(generated["devices"][0].get("agent_status").is_none());

    let call = ApiCall::new(TASK, "list")
        .with("load_devices", "true")
        .with("load_versions", "\"true\"")
        .with("load_status", "1");
    let full = bench.ask(call)["data"].clone();
    assert_eq!(full["has_windows_agent"], true);
    assert_eq!(full["tasks"][0]["devices"][0]["agent_status"], "online");
    assert_eq!(full["tasks"][0]["version_count"], 0);
    assert_eq!(full["tasks"][0]["target_status"], "online");

    let pairs = bench.ask(ApiCall::new(TASK, "list_with_device"))["data"].clone();
    assert_eq!(pairs["total"], 3);
    assert_eq!(pairs["tasks"][0]["unique_id"], "1-1");
    assert_eq!(pairs["tasks"][0]["last_result"]["result_id"], 7544);
    assert_eq!(pairs["tasks"][0]["device_info"]["host_name"], "HOSTNAME");
    assert!(pairs["tasks"][0].get("allow_manual_backup").is_none());
    assert_eq!(pairs["cms_info"]["unfiltered_task_size"], 3);
}

#[test]
fn secrets_of_devices_are_sent_as_the_real_thing_sends_them() {
    let mut bench = Bench::new(Scenario::seed());
    for method in ["list", "list_with_device"] {
        let text = bench.ask(ApiCall::new(TASK, method)).to_string();
        for canary in [
            "agent-token",
            "login-password",
            "mssql-password",
            "oracle-password",
        ] {
            assert!(
                text.contains(&format!("canary-{canary}-")),
                "{method} lacks {canary}"
            );
        }
    }
    let records = serde_json::to_string(&bench.nas.requests()).unwrap();
    assert!(!records.contains("simulated-password") && !records.contains(&bench.sid));
}

#[test]
fn calls_are_checked_in_the_order_of_the_real_thing() {
    let mut bench = Bench::new(Scenario::seed());
    let list = || ApiCall::new(TASK, "list");
    assert_eq!(code(&bench.send(&ApiCall::default())), 101);
    assert_eq!(
        code(&bench.send(&ApiCall {
            version: None,
            ..list()
        })),
        101
    );
    assert_eq!(
        code(&bench.ask(ApiCall::new("SYNO.ActiveBackup.Nothing", "list"))),
        102
    );
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "nothing").at_version(3))), 104);
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "nothing"))), 103);
    assert_eq!(code(&bench.ask(list().at_version(2))), 103);
    assert_eq!(code(&bench.ask(ApiCall::new("SYNO.DSM.Info", "getinfo"))), 104);
    let info = bench.ask(ApiCall::new("SYNO.DSM.Info", "getinfo").at_version(2));
    assert_eq!(info["data"]["serial"], "SIM0000000001");
    assert_eq!(info["data"]["version"], "69057");
    let serial = "SIM0000000002".to_owned();
    bench.nas.control(Control::Serial { serial }, bench.now).unwrap();
    let info = bench.ask(ApiCall::new("SYNO.DSM.Info", "getinfo").at_version(2));
    assert_eq!(info["data"]["serial"], "SIM0000000002");
    let missing = bench.ask(ApiCall::new(TASK, "backup"));
    assert_eq!(
        missing["error"],
        json!({"code": 120, "errors": {"name": "task_ids", "reason": "required"}})
    );
    assert_eq!(
        code(&bench.ask(ApiCall::new(TASK, "backup").with("task_ids", "1"))),
        120
    );
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "get_default_task_name"))), 120);
    assert!(bench.effects("backup").is_empty());
}

#[test]
fn the_catalogue_offers_two_versions_and_hides_a_stopped_package() {
    let mut bench = Bench::new(Scenario::seed());
    let query = || ApiCall::new("SYNO.API.Info", "query").with("query", "all");
    let all = bench.send(&query());
    assert_eq!(
        all["data"][TASK],
        json!({"path": "entry.cgi", "minVersion": 1, "maxVersion": 2, "requestFormat": "JSON"})
    );
    assert!(all["data"]["SYNO.API.Auth"].get("requestFormat").is_none());
    bench
        .nas
        .control(
            Control::Package {
                state: PackageState::Stopped,
            },
            bench.now,
        )
        .unwrap();
    assert!(bench.send(&query())["data"].get(TASK).is_none());
    assert_eq!(bench.code("backup", 1), 102);
    bench
        .nas
        .control(
            Control::Package {
                state: PackageState::Upgrading,
            },
            bench.now,
        )
        .unwrap();
    assert_eq!(bench.code("backup", 1), 1007);
    bench
        .nas
        .control(
            Control::Package {
                state: PackageState::Running,
            },
            bench.now,
        )
        .unwrap();
    assert_eq!(bench.code("backup", 1), 0);
}

#[test]
fn a_session_needs_its_token_and_ends() {
    let mut bench = Bench::new(Scenario {
        session_seconds: Some(60),
        ..Scenario::seed()
    });
    let (sid, token) = (bench.sid.clone(), bench.token.clone());
    let list = |sid: &str, token: Option<&str>| ApiCall::new(TASK, "list").in_session(sid, token);
    assert_eq!(code(&bench.send(&ApiCall::new(TASK, "list"))), 119);
    assert_eq!(code(&bench.send(&list(&sid, None))), 119);
    assert_eq!(code(&bench.send(&list(&sid, Some("other")))), 119);
    assert_eq!(code(&bench.send(&list(&sid, Some(&token)))), 0);
    bench.wait(60);
    assert_eq!(code(&bench.send(&list(&sid, Some(&token)))), 119);

    let mut without = login();
    without.fields.remove("enable_syno_token");
    let body = bench.send(&without);
    assert!(body["data"].get("synotoken").is_none());
    let sid = body["data"]["sid"].as_str().unwrap().to_owned();
    assert_eq!(sid.len(), 86);
    assert_eq!(code(&bench.send(&list(&sid, None))), 0);
}

#[test]
fn logins_and_logouts_are_in_the_ledger_when_they_open_or_close_a_session() {
    let mut bench = Bench::new(Scenario::seed());
    assert_eq!(code(&bench.send(&login().with("passwd", "wrong"))), 400);
    assert_eq!(code(&bench.send(&login().with("account", "nobody"))), 400);
    bench.nas.control(Control::Block { on: true }, bench.now).unwrap();
    assert_eq!(code(&bench.send(&login())), 407);
    assert_eq!(bench.effects("login").len(), 1);
    assert_eq!(bench.effects("login")[0].user.as_deref(), Some("abb-operator"));
    let count = bench
        .nas
        .control(
            Control::CountRequests {
                api: Some("SYNO.API.Auth".to_owned()),
                method: Some("login".to_owned()),
            },
            bench.now,
        )
        .unwrap();
    assert_eq!(count["count"], 4);

    assert_eq!(code(&bench.send(&ApiCall::new("SYNO.API.Auth", "logout"))), 0);
    assert!(bench.effects("logout").is_empty());
    bench.ask(ApiCall::new("SYNO.API.Auth", "logout"));
    assert_eq!(bench.effects("logout").len(), 1);
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "list"))), 119);
}

#[test]
fn a_backup_runs_shows_progress_and_ends_in_a_result_and_a_version() {
    let mut bench = Bench::new(Scenario::seed());
    assert_eq!(bench.act("backup", 1), json!({"success": true}));
    let started = bench.now.as_second();
    assert_eq!(bench.results(1)[0]["result_id"], 7545);
    assert_eq!(bench.results(1)[0]["status"], 1);
    assert_eq!(bench.results(1)[0]["time_end"], 0);
    bench.wait(261);
    let row = bench.row(1);
    assert_eq!(row["status"], "backingup");
    assert_eq!(row["progress"]["running_task_status"], 1);
    assert_eq!(row["progress"]["percentage"], 0.5);
    assert_eq!(row["progress"]["transfered_bytes"], 4_754_168_380_i64 / 2);
    assert_eq!(row["last_result"]["result_id"], 7544);
    let activity = bench.ask(ApiCall::new("SYNO.ActiveBackup.Overview", "list_activity"))["data"].clone();
    assert_eq!(activity["total"], 1);
    assert_eq!(activity["activity_list"][0]["job"]["status"], 3);
    assert_eq!(activity["activity_list"][0]["job"]["user_name"], "abb-operator");

    bench.wait(10_000);
    let row = bench.row(1);
    assert!(row.get("progress").is_none() && row.get("status").is_none());
    assert_eq!(row["last_result"]["result_id"], 7545);
    assert_eq!(row["last_result"]["status"], 2);
    assert_eq!(row["last_result"]["success_count"], 0);
    assert_eq!(row["last_result"]["time_start"], started);
    assert_eq!(row["last_result"]["time_end"], started + 522);
    let versions = bench.ask(ApiCall::new("SYNO.ActiveBackup.Version", "list").with("task_id", "1"));
    assert_eq!(versions["data"]["total"], 1);
    let kinds: Vec<&str> = bench
        .nas
        .ledger()
        .iter()
        .map(|effect| effect.kind.as_str())
        .collect();
    assert_eq!(kinds, ["login", "backup", "run-started", "run-ended"]);
    let backup = bench.effects("backup")[0];
    assert_eq!((backup.task_id, backup.result_id), (Some(1), Some(7545)));
    assert_eq!(backup.origin, Origin::Api);
    let logs = bench.ask(ApiCall::new(LOG, "list_log").with("task_id", "1"))["data"].clone();
    assert_eq!(logs["logs"][0]["log_type"], 1102);
    assert_eq!(logs["logs"][1]["log_type"], 1101);
    assert_eq!(logs["logs"][1]["user_name"], "abb-operator");
}

#[test]
fn runs_beyond_the_limit_wait_without_a_row_and_start_in_order() {
    let mut bench =
        Bench::yaml("{maxConcurrentDevices: 2, defaultRunSeconds: 100, tasks: [], generateTasks: 4}");
    for task in 1..=4 {
        assert_eq!(bench.code("backup", task), 0);
    }
    assert_eq!(bench.row(3)["status"], "waiting");
    assert_eq!(bench.row(3)["progress"]["running_task_status"], 0);
    assert!(bench.results(3).is_empty());
    assert_eq!(bench.effects("backup").len(), 4);
    assert_eq!(bench.effects("run-started").len(), 2);
    assert_eq!(bench.effects("backup")[2].result_id, None);
    bench.wait(100);
    assert_eq!(bench.row(3)["status"], "backingup");
    assert_eq!(bench.row(1)["last_result"]["status"], 2);
    bench.wait(1000);
    let ends: Vec<(Option<i64>, i64)> = bench
        .effects("run-ended")
        .iter()
        .map(|end| (end.task_id, end.nas_time - 1_772_334_000))
        .collect();
    assert_eq!(
        ends,
        [(Some(1), 100), (Some(2), 100), (Some(3), 200), (Some(4), 200)]
    );
}

#[test]
fn a_cancel_ends_the_run_after_a_while_and_counts_once() {
    let mut bench = Bench::yaml("{behaviour: {cancelSeconds: 30}}");
    bench.act("backup", 1);
    bench.wait(100);
    assert_eq!(bench.act("cancel", 1), json!({"success": true}));
    assert_eq!(bench.code("cancel", 1), 0);
    assert_eq!(bench.row(1)["progress"]["running_task_status"], 3);
    assert_eq!(bench.effects("cancel").len(), 1);
    bench.wait(30);
    assert_eq!(bench.row(1)["last_result"]["status"], 5);
    assert!(bench.row(1)["last_result"]["transfered_bytes"].as_i64().unwrap() > 0);

    bench.act("backup", 1);
    bench.wait(510);
    bench.act("cancel", 1);
    bench.wait(30);
    assert_eq!(
        bench.row(1)["last_result"]["status"],
        2,
        "a run that ends first wins over its cancellation"
    );
}

#[test]
fn a_removed_task_stays_listed_until_its_data_is_gone() {
    let mut bench = Bench::yaml("{behaviour: {removeSeconds: 60}}");
    assert_eq!(bench.act("remove", 1), json!({"success": true}));
    assert_eq!(bench.row(1)["status"], "deleting");
    assert_eq!(bench.code("remove", 1), 1206);
    assert_eq!(bench.code("backup", 1), 1208);
    let activity = bench.ask(ApiCall::new("SYNO.ActiveBackup.Overview", "list_activity"))["data"].clone();
    assert_eq!(activity["activity_list"][0]["job"]["action"], 65536);
    bench.wait(60);
    assert!(bench.row(1).is_null());
    assert_eq!(bench.effects("remove").len(), 1);
    assert_eq!(bench.effects("removed").len(), 1);
    assert_eq!(bench.code("remove", 1), 1010);
}

#[test]
fn a_locked_version_stops_the_removal() {
    let mut bench = Bench::yaml("tasks: [{seed: true, versions: [{id: 4, locked: true, timeStart: 5}]}]");
    assert_eq!(bench.code("remove", 1), 1101);
    let change = serde_json::from_value(json!({"locked": false})).unwrap();
    bench
        .nas
        .control(Control::ChangeTask { id: 1, change }, bench.now)
        .unwrap();
    assert_eq!(bench.code("remove", 1), 0);
    assert_eq!(bench.effects("remove").len(), 1);
}

#[test]
fn lists_are_paged_and_filtered_in_every_encoding() {
    let mut bench = Bench::new(Scenario {
        generate_tasks: 9,
        ..Scenario::seed()
    });
    let mut ids = |call: ApiCall| {
        let data = bench.ask(call)["data"].take();
        let rows = data["tasks"].as_array().unwrap();
        let ids: Vec<i64> = rows.iter().map(|row| row["task_id"].as_i64().unwrap()).collect();
        (ids, data["total"].as_i64().unwrap())
    };
    let list = || ApiCall::new(TASK, "list");
    assert_eq!(
        ids(list().with("offset", "4").with("limit", "3")),
        (vec![5, 6, 7], 10)
    );
    assert_eq!(
        ids(list().with("offset", "\"8\"").with("limit", "100")),
        (vec![9, 10], 10)
    );
    assert_eq!(ids(list().with("limit", "-1")).0.len(), 10);
    assert_eq!(
        ids(list().with("filter", "{\"offset\": 0, \"limit\": 1}")),
        (vec![1], 10)
    );
    assert_eq!(
        ids(list().with("filter", "{\"task_id\": [2, 3]}")),
        (vec![2, 3], 2)
    );
    assert_eq!(ids(list().with("filter", "{\"task_id\":\"4\"}")), (vec![4], 1));
    assert_eq!(
        ids(list().with("filter", "{\"key_word\":\"0009\"}")),
        (vec![10], 1)
    );
    assert_eq!(ids(list().with("filter", "{\"task_id\":99}")), (vec![], 0));
    assert_eq!(ids(list().with("filter", "{}")).1, 10);
    for encoded in ["[5]", "[ 5 ]", "[\"5\"]"] {
        let answer = bench.ask(
            ApiCall::new(TASK, "backup")
                .with("task_ids", encoded)
                .with("trigger_type", "\"1\""),
        );
        assert_eq!(code(&answer), 0);
        bench.wait(1000);
    }
    assert_eq!(
        code(&bench.ask(ApiCall::new(TASK, "backup").with("task_ids", "[6, 99]"))),
        1009
    );
    assert_eq!(bench.effects("backup").len(), 4);
}

#[test]
fn results_are_filtered_and_ordered() {
    let mut bench = Bench::yaml("{defaultRunSeconds: 1, generateTasks: 1, behaviour: {resultRow: AtEnd}}");
    for task in [1, 2, 1] {
        bench.act("backup", task);
        bench.wait(10);
    }
    let add = serde_json::from_value(json!({"jobAction": 131_072})).unwrap();
    bench
        .nas
        .control(Control::AddResult { id: 1, result: add }, bench.now)
        .unwrap();
    assert_eq!(bench.row(1)["last_result"]["job_action"], 131_072);
    let mut ids = |call: ApiCall| {
        let data = bench.ask(call)["data"].take();
        let rows = data["results"].as_array().unwrap();
        let ids: Vec<i64> = rows
            .iter()
            .map(|row| row["result_id"].as_i64().unwrap())
            .collect();
        (ids, data["count"].as_i64().unwrap())
    };
    let list = || ApiCall::new(LOG, "list_result");
    assert_eq!(
        ids(list()).0,
        [7544, 7545, 7546, 7547, 7548],
        "oldest first when nothing is asked for"
    );
    assert_eq!(ids(list().with("task_id", "1")).0, [7548, 7547, 7545, 7544]);
    assert_eq!(
        ids(list().with("task_id", "1").with("limit", "1")),
        (vec![7548], 4)
    );
    let filter = "{\"status\":2,\"job_action\":1,\"from_timestamp\":1772334005}";
    assert_eq!(ids(list().with("filter", filter)).0, [7547, 7546]);
    assert_eq!(
        ids(list().with("filter", "{\"job_action\": [131072, 512]}")).0,
        [7548]
    );
}

#[test]
fn several_calls_fit_into_one() {
    let mut bench = Bench::new(Scenario::seed());
    let parts = json!([
        {"api": TASK, "method": "list", "version": 1, "load_result": true},
        {"api": TASK, "method": "list", "version": 2},
        {"api": TASK, "method": "backup", "version": 1, "task_ids": [1]},
    ]);
    let call = ApiCall::new("SYNO.Entry.Request", "request").with("compound", &parts.to_string());
    let data = bench.ask(call)["data"].take();
    assert_eq!(data["has_fail"], true);
    assert_eq!(
        data["result"][0]["data"]["tasks"][0]["last_result"]["result_id"],
        7544
    );
    assert_eq!(data["result"][1]["error"]["code"], 103);
    assert_eq!(data["result"][2]["success"], true);
    assert_eq!(bench.effects("backup").len(), 1);
    assert_eq!(
        code(&bench.ask(ApiCall::new("SYNO.Entry.Request", "request"))),
        113
    );
}

#[test]
fn levers_act_from_outside() {
    let mut bench = Bench::new(Scenario::seed());
    bench
        .nas
        .control(
            Control::StartTask {
                id: 1,
                origin: Origin::Person,
            },
            bench.now,
        )
        .unwrap();
    assert_eq!(bench.effects("backup")[0].origin, Origin::Person);
    assert!(
        bench
            .nas
            .control(
                Control::StartTask {
                    id: 1,
                    origin: Origin::Schedule
                },
                bench.now
            )
            .is_err()
    );
    bench
        .nas
        .control(Control::FinishTask { id: 1, status: 3 }, bench.now)
        .unwrap();
    assert_eq!(bench.row(1)["last_result"]["status"], 3);

    bench.act("backup", 1);
    bench.nas.control(Control::Reboot, bench.now).unwrap();
    assert_eq!(bench.code("backup", 1), 119);
    bench.log_in();
    assert_eq!(bench.row(1)["last_result"]["status"], 4);

    let spec = TaskSpec {
        name: Some("peterm-Default".to_owned()),
        ..TaskSpec::default()
    };
    bench
        .nas
        .control(Control::AddTask(Box::new(spec.clone())), bench.now)
        .unwrap();
    assert_eq!(bench.row(2)["task_name"], "peterm-Default");
    let before = bench.nas.ledger().len();
    bench
        .nas
        .control(Control::VanishTask { id: 1 }, bench.now)
        .unwrap();
    assert!(bench.row(1).is_null());
    assert_eq!(bench.nas.ledger().len(), before);
    let reused = TaskSpec {
        id: Some(1),
        name: Some("other".to_owned()),
        ..TaskSpec::default()
    };
    bench
        .nas
        .control(Control::AddTask(Box::new(reused)), bench.now)
        .unwrap();
    assert_ne!(bench.row(1)["unikey"], "75711daf-8ee1-4bcb-bd84-2b04e9983f6d");

    bench
        .nas
        .control(Control::Clock { offset_seconds: 3600 }, bench.now)
        .unwrap();
    bench.act("backup", 2);
    assert_eq!(bench.results(2)[0]["time_start"], bench.now.as_second() + 3600);
    assert_eq!(
        bench.effects("backup").last().unwrap().nas_time,
        bench.now.as_second() + 3600
    );

    bench
        .nas
        .control(
            Control::Password {
                password: "new".to_owned(),
            },
            bench.now,
        )
        .unwrap();
    assert_eq!(code(&bench.send(&login())), 400);
    assert_eq!(code(&bench.send(&login().with("passwd", "new"))), 0);
    let state = bench.nas.control(Control::State, bench.now).unwrap();
    assert_eq!(state["tasks"][1]["state"], "running");
}

#[test]
fn faults_hit_matching_calls_as_often_as_they_say() {
    let mut bench = Bench::new(Scenario::seed());
    bench.nas.add_fault(
        Fault::new(FaultKind::ErrorCode { code: 117 })
            .on(TASK, "list")
            .after(1)
            .times(2),
    );
    let list = || ApiCall::new(TASK, "list");
    let codes: Vec<i64> = (0..4).map(|_| code(&bench.ask(list()))).collect();
    assert_eq!(codes, [0, 117, 117, 0]);
    bench
        .nas
        .add_fault(Fault::new(FaultKind::ErrorCode { code: 100 }).times(0));
    assert_eq!((0..5).filter(|_| code(&bench.ask(list())) == 100).count(), 5);
    bench.nas.control(Control::ClearFaults, bench.now).unwrap();
    assert_eq!(code(&bench.ask(list())), 0);
}

#[test]
fn faults_say_whether_the_effect_takes_place() {
    let table = [
        (FaultKind::LoseReplyBefore, 0),
        (FaultKind::LoseReplyAfter, 1),
        (
            FaultKind::Delay {
                milliseconds: 5,
                before_effect: false,
            },
            1,
        ),
        (FaultKind::ErrorCode { code: 1203 }, 0),
        (FaultKind::ErrorCodeAfter { code: 1203 }, 1),
        (FaultKind::ExpireSession, 0),
        (FaultKind::Http { status: 502 }, 0),
        (FaultKind::Html, 0),
        (FaultKind::EmptyBody, 1),
        (FaultKind::CutBody, 1),
        (FaultKind::WrongType, 1),
        (FaultKind::LateEffect { milliseconds: 5000 }, 0),
        (FaultKind::Hang, 0),
    ];
    for (kind, effects) in table {
        let mut bench = Bench::new(Scenario::seed());
        bench.nas.add_fault(Fault::new(kind.clone()).on(TASK, "backup"));
        bench.act("backup", 1);
        assert_eq!(bench.effects("backup").len(), effects, "{kind:?}");
    }
}

#[test]
fn a_late_effect_takes_place_at_its_time() {
    let mut bench = Bench::new(Scenario::seed());
    bench
        .nas
        .add_fault(Fault::new(FaultKind::LateEffect { milliseconds: 5000 }).on(TASK, "backup"));
    bench.act("backup", 1);
    bench.nas.control(Control::ExpireSessions, bench.now).unwrap();
    bench.wait(60);
    let backup = bench.effects("backup")[0];
    assert_eq!(backup.nas_time, 1_772_334_005);
    assert_eq!(bench.nas.requests().last().unwrap().outcome, "lost ok");

    bench.log_in();
    bench.wait(1000);
    let fault = FaultKind::Delay {
        milliseconds: 2000,
        before_effect: true,
    };
    bench.nas.add_fault(Fault::new(fault).on(TASK, "backup"));
    let call = ApiCall::new(TASK, "backup")
        .with("task_ids", "[1]")
        .in_session(&bench.sid, Some(&bench.token));
    let reply = bench.nas.handle(&call, bench.now);
    let Delivery::Later { ticket, .. } = reply.delivery else {
        panic!("{reply:?}")
    };
    assert_eq!(bench.effects("backup").len(), 1);
    bench.wait(2);
    assert_eq!(bench.effects("backup").len(), 2);
    assert_eq!(
        bench.nas.collect(ticket, bench.now).body(),
        Some(&json!({"success": true}))
    );
}

#[test]
fn lists_can_lack_rows() {
    let mut bench = Bench::new(Scenario {
        generate_tasks: 4,
        ..Scenario::seed()
    });
    bench
        .nas
        .add_fault(Fault::new(FaultKind::MissingRows { task_ids: vec![2] }).on(TASK, "list"));
    let data = bench.ask(ApiCall::new(TASK, "list"))["data"].clone();
    assert_eq!(
        (data["total"].as_i64(), data["tasks"].as_array().unwrap().len()),
        (Some(4), 4)
    );
    bench
        .nas
        .add_fault(Fault::new(FaultKind::ShortPage { rows: 2 }).on(TASK, "list"));
    let data = bench.ask(ApiCall::new(TASK, "list"))["data"].clone();
    assert_eq!(
        (data["total"].as_i64(), data["tasks"].as_array().unwrap().len()),
        (Some(5), 2)
    );
}

#[test]
fn the_time_scale_shortens_runs_and_leaves_the_clock() {
    let mut bench = Bench::scaled(Scenario::seed(), 100.0);
    bench.act("backup", 1);
    bench.wait(6);
    let last = bench.row(1)["last_result"].take();
    assert_eq!(last["status"], 2);
    assert_eq!(
        last["time_end"].as_i64().unwrap() - last["time_start"].as_i64().unwrap(),
        5
    );
}
