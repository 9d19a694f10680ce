//! Every method of the package's APIs as far as it is known: what it needs, what it does, what it answers.

use serde_json::{Value, json};

use super::super::{ApiCall, Control, Origin};
use super::{Bench, LOG, TASK, code};

const VERSION: &str = "SYNO.ActiveBackup.Version";
const OVERVIEW: &str = "SYNO.ActiveBackup.Overview";
const SHARE: &str = "SYNO.ActiveBackup.Share";

fn seed() -> Bench {
    Bench::yaml("")
}

/// A task with versions 1 to 3, of which the oldest is locked.
fn versions(behaviour: &str) -> Bench {
    Bench::yaml(&format!(
        "{{tasks: [{{seed: true, runSeconds: 10, versions: [{{id: 1, locked: true, timeStart: 1, usedSize: 5}}, \
         {{id: 2, timeStart: 2}}, {{id: 3, timeStart: 3}}]}}], behaviour: {{{behaviour}}}}}"
    ))
}

fn version_ids(bench: &mut Bench) -> Vec<i64> {
    let list = bench.ask(ApiCall::new(VERSION, "list").with("task_id", "1"));
    let rows = list["data"]["versions"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| row["version_id"].as_i64().unwrap())
        .collect()
}

fn delete(bench: &mut Bench, ids: &str) -> i64 {
    let call = ApiCall::new(VERSION, "delete")
        .with("task_id", "1")
        .with("version_ids", ids);
    code(&bench.ask(call))
}

#[test]
fn a_created_task_has_the_fields_of_its_call_and_can_run() {
    let mut bench = seed();
    let create = |name: &str| {
        ApiCall::new(TASK, "create_vm")
            .with("task_name", name)
            .with(
                "devices",
                r#"[{"host_name": "vm-a", "os_name": "Linux", "inventory_id": 3}, {"host_name": "vm-b"}]"#,
            )
            .with("share_name", "\"Backups\"")
            .with("retention_policy", r#"{"keep_all": true, "gfs_days": null}"#)
            .with("sched_content", r#"{"schedule_setting_type": 1}"#)
            .with("custom_volume", r#"["C:"]"#)
            .with("source_type", "3")
            .with("invented", "[1, 2]")
            .with("mimeType", "application/json")
    };
    assert_eq!(bench.ask(create("vms")), json!({"success": true}));
    let row = bench.row(2);
    assert_eq!(row["task_name"], "vms");
    assert_eq!(row["backup_type"], 1);
    assert_eq!(row["device_count"], 2);
    assert_eq!(row["devices"][0]["host_name"], "vm-a");
    assert_eq!(row["devices"][0]["inventory_id"], 3);
    assert_eq!(row["devices"][0]["device_id"], 2);
    assert_eq!(row["devices"][1]["device_id"], 3);
    assert_eq!(row["share_name"], "Backups");
    assert_eq!(
        row["retention_policy"],
        json!({"keep_all": true, "gfs_days": "7"})
    );
    assert_eq!(row["sched_content"]["schedule_setting_type"], 1);
    assert_eq!(row["custom_volume"], json!(["C:"]));
    assert_eq!(row["source_type"], 3);
    assert_eq!(row["invented"], json!([1, 2]), "unknown fields are kept");
    assert!(row.get("mimeType").is_none());
    assert_ne!(row["unikey"], bench.row(1)["unikey"]);

    let effects = bench.effects("create");
    assert_eq!((effects.len(), effects[0].task_id), (1, Some(2)));
    assert_eq!(effects[0].origin, Origin::Api);
    assert_eq!(code(&bench.ask(create("vms"))), 4003, "the name is in use");
    let nameless = bench.ask(ApiCall::new(TASK, "create_agent"));
    assert_eq!(nameless["error"]["errors"]["name"], "task_name");
    assert_eq!(nameless["error"]["code"], 120);
    assert_eq!(bench.effects("create").len(), 1);

    assert_eq!(bench.code("backup", 2), 0);
    bench.wait(522);
    assert_eq!(bench.row(2)["last_result"]["status"], 2);
    let log = bench.ask(ApiCall::new(LOG, "list_log").with("task_id", "2"));
    assert_eq!(
        log["data"]["logs"].as_array().unwrap().last().unwrap()["log_type"],
        1001
    );
}

#[test]
fn agents_and_file_servers_have_their_kinds_and_ids_are_never_used_again() {
    let mut bench = Bench::yaml("behaviour: {createAnswer: TaskId, removeSeconds: 1}");
    let create = |method: &str, name: &str| {
        ApiCall::new(TASK, method)
            .with("task_name", name)
            .with("devices", "[1]")
    };
    let made = bench.ask(create("create_agent", "servers").with("backup_type", "3"));
    assert_eq!(made["data"], json!({"task_id": 2}));
    assert_eq!(bench.row(2)["backup_type"], 3);
    assert_eq!(
        bench.row(2)["devices"][0]["host_name"],
        "HOSTNAME",
        "a known device"
    );
    let made = bench.ask(create("create_agentless", "files"));
    assert_eq!(made["data"]["task_id"], 3);
    assert_eq!(bench.row(3)["backup_type"], 4);
    bench.act("remove", 3);
    bench.wait(1);
    assert!(bench.row(3).is_null());
    assert_eq!(bench.ask(create("create_agent", "files"))["data"]["task_id"], 4);
    assert_eq!(bench.row(4)["backup_type"], 2);
}

#[test]
fn set_changes_several_tasks_at_once() {
    let mut bench = Bench::yaml("generateTasks: 2");
    let set = |ids: &str| ApiCall::new(TASK, "set").with("task_ids", ids);
    let changed = set("[2, 3]")
        .with("allow_manual_backup", "false")
        .with("max_concurrent_devices", "9");
    assert_eq!(bench.ask(changed), json!({"success": true}));
    for id in [2, 3] {
        assert_eq!(bench.row(id)["max_concurrent_devices"], 9);
        assert_eq!(bench.code("backup", id), 1209);
    }
    let pairs = bench.ask(ApiCall::new(TASK, "list_with_device"))["data"]["tasks"].clone();
    assert_eq!(pairs[1]["max_concurrent_devices"], 9);
    assert!(pairs[1].get("allow_manual_backup").is_none());
    assert_eq!(bench.effects("set").len(), 2);
    assert_eq!(code(&bench.ask(set("[2]").with("task_name", "task-0002"))), 4003);
    assert_eq!(code(&bench.ask(set("[2]").with("task_name", "renamed"))), 0);
    assert_eq!(bench.row(2)["task_name"], "renamed");
    assert_eq!(code(&bench.ask(set("[77]").with("task_name", "x"))), 1010);
    assert_eq!(code(&bench.ask(ApiCall::new(TASK, "set"))), 120);
}

#[test]
fn default_names_are_free_and_need_a_kind() {
    let mut bench = Bench::yaml("tasks: [{name: Task 2}]");
    let refused = bench.ask(ApiCall::new(TASK, "get_default_task_name"));
    assert_eq!(
        refused["error"],
        json!({"code": 120, "errors": {"name": "backup_type", "reason": "required"}})
    );
    let asked = ApiCall::new(TASK, "get_default_task_name");
    let wrong = bench.ask(asked.clone().with("backup_type", "\"vm\""));
    assert_eq!(wrong["error"]["errors"]["reason"], "type");
    let named = bench.ask(asked.with("backup_type", "2"));
    assert_eq!(named["data"]["task_name"], "Task 3");
}

#[test]
fn checks_of_virtual_machines_start_show_and_end() {
    let mut bench = seed();
    let empty = bench.ask(ApiCall::new(TASK, "create_vm_check"));
    assert_eq!(empty["data"], json!({"aem_check_list": [], "check_list": []}));
    assert_eq!(bench.ask(ApiCall::new(TASK, "list_vm_check"))["data"], json!([]));
    bench.ask(ApiCall::new(TASK, "create_vm_check").with("task_name", "vms"));
    let list = bench.ask(ApiCall::new(TASK, "list_vm_check"));
    assert_eq!(list["data"], json!([{"check_id": 1, "task_name": "vms"}]));
    assert_eq!(
        bench.ask(ApiCall::new(TASK, "vm_check_cancel")),
        json!({"success": true})
    );
    assert_eq!(bench.ask(ApiCall::new(TASK, "list_vm_check"))["data"], json!([]));
}

#[test]
fn deleted_versions_are_a_job_that_becomes_the_last_result() {
    let mut bench = versions("deleteVersionSeconds: 5");
    assert_eq!(delete(&mut bench, "[1, 2]"), 1210, "one of them is locked");
    assert_eq!(delete(&mut bench, "[9]"), 1103);
    assert_eq!(delete(&mut bench, "2"), 120);
    assert!(bench.effects("delete-version").is_empty());
    assert_eq!(delete(&mut bench, "[2]"), 0);
    assert_eq!(bench.effects("delete-version").len(), 1);
    assert_eq!(version_ids(&mut bench), [3, 2, 1]);
    let activity = bench.ask(ApiCall::new(OVERVIEW, "list_activity"));
    assert_eq!(activity["data"]["activity_list"][0]["job"]["action"], 131_072);
    let storages = bench.ask(ApiCall::new(SHARE, "list_storage"));
    assert_eq!(
        storages["data"]["storages"][0]["delete_versions"][0]["task_id"],
        1
    );
    assert!(bench.row(1).get("status").is_none());
    assert_eq!(bench.code("backup", 1), 1208);
    assert_eq!(delete(&mut bench, "[3]"), 1208);
    assert_eq!(bench.row(1)["last_result"]["result_id"], 7544);

    bench.wait(5);
    assert_eq!(version_ids(&mut bench), [3, 1]);
    let last = bench.row(1)["last_result"].clone();
    assert_eq!(
        (&last["job_action"], &last["status"]),
        (&json!(131_072), &json!(2))
    );
    assert_eq!(
        last["task_config"]["device_list"],
        json!([{"host_name": "HOSTNAME"}])
    );
    assert_eq!(bench.results(1)[0]["result_id"], 7544, "no backup");
    let log = bench.ask(ApiCall::new(LOG, "list_log"))["data"]["logs"].clone();
    assert_eq!(
        (&log[0]["log_type"], &log[1]["log_type"]),
        (&json!(1303), &json!(1302))
    );

    bench.act("backup", 1);
    assert_eq!(delete(&mut bench, "[3]"), 1204);
}

#[test]
fn versions_are_locked_and_unlocked() {
    let mut bench = versions("");
    let lock = |method: &str| {
        ApiCall::new(VERSION, method)
            .with("task_id", "1")
            .with("version_ids", "[3]")
    };
    assert_eq!(code(&bench.ask(lock("lock"))), 0);
    assert_eq!(delete(&mut bench, "[3]"), 1210);
    assert_eq!(code(&bench.ask(lock("unlock"))), 0);
    assert_eq!(delete(&mut bench, "[3]"), 0);
    assert_eq!(bench.code("remove", 1), 1208);
}

#[test]
fn the_package_deletes_versions_after_a_run() {
    let mut bench = versions("retentionAfterRun: true, deleteVersionSeconds: 5");
    bench.act("backup", 1);
    bench.wait(10);
    assert_eq!(bench.row(1)["last_result"]["job_action"], 1);
    bench.wait(5);
    assert_eq!(bench.row(1)["last_result"]["job_action"], 131_072);
    assert_eq!(version_ids(&mut bench), [4, 1], "the newest and the locked one");
    assert_eq!(bench.results(1)[0]["status"], 2);
    assert_eq!(bench.effects("version-deleted")[0].origin, Origin::Schedule);

    let mut bench = Bench::yaml(
        "{tasks: [{seed: true, runSeconds: 1, result: 4}], behaviour: {retentionAfterRun: true}}",
    );
    bench.act("backup", 1);
    bench.wait(60);
    assert!(bench.effects("delete-version").is_empty(), "only after a success");
}

#[test]
fn details_of_a_result_are_its_log_rows() {
    let mut bench = seed();
    bench.act("backup", 1);
    bench.wait(522);
    let ask = || ApiCall::new(LOG, "list_result_detail").with("result_id", "7545");
    let details = bench.ask(ask())["data"].clone();
    assert_eq!(details["count"], 2);
    let types = |data: &Value| -> Vec<i64> {
        let rows = data["result_detail_list"].as_array().unwrap();
        rows.iter().map(|row| row["log_type"].as_i64().unwrap()).collect()
    };
    assert_eq!(types(&details), [1101, 1102]);
    let latest = bench.ask(ask().with("direction", "DESC").with("limit", "1"))["data"].clone();
    assert_eq!(types(&latest), [1102]);
    assert_eq!(latest["result_detail_list"][0]["result_id"], 7545);
    bench.ask(ask().with("order_by", "log_level"));
    assert_eq!(code(&bench.ask(ApiCall::new(LOG, "list_result_detail"))), 120);
}

#[test]
fn transfers_are_listed_by_device_and_time() {
    let mut bench = Bench::yaml("tasks: [{seed: true, devices: [{id: 1}, {id: 2}], runBytes: 100}]");
    bench.act("backup", 1);
    bench.wait(522);
    let refused = bench.ask(ApiCall::new(OVERVIEW, "list_device_transfer_size"));
    assert_eq!(refused["error"]["errors"]["name"], "time_start");
    let ask = |from: &str| ApiCall::new(OVERVIEW, "list_device_transfer_size").with("time_start", from);
    let data = bench.ask(ask("1772333000"))["data"].clone();
    assert_eq!(data["total"], 2);
    let runs = data["device_list"][1]["transfer_list"].as_array().unwrap();
    assert_eq!(runs.len(), 1, "the recorded run is older");
    assert_eq!(runs[0]["config_device_id"], 2);
    assert_eq!(runs[0]["transfered_bytes"], 50);
    let data = bench.ask(ask("0").with("time_end", "1772333000"))["data"].clone();
    assert_eq!(data["device_list"][0]["transfer_list"][0]["result_id"], 7544);
    let last = bench.ask(ApiCall::new(OVERVIEW, "list_device_last_backup"));
    assert_eq!(last["data"]["device_list"][0]["last_backup"]["result_id"], 7545);
}

#[test]
fn settings_are_strings_and_can_be_changed() {
    let mut bench = Bench::yaml("{maxConcurrentDevices: 1, generateTasks: 1}");
    let value = |bench: &mut Bench, name: &str| -> Value {
        let data = bench.ask(ApiCall::new("SYNO.ActiveBackup.Setting", "list"))["data"].clone();
        let settings = data["settings"].as_array().unwrap();
        assert_eq!(settings.len(), 11);
        settings.iter().find(|setting| setting["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(value(&mut bench, "max_concurrent_devices"), "1");
    assert_eq!(value(&mut bench, "enable_global_bandwidth_control"), "false");
    bench.act("backup", 1);
    bench.act("backup", 2);
    assert_eq!(bench.effects("run-started").len(), 1);
    let set = ApiCall::new("SYNO.ActiveBackup.Setting", "set");
    let change =
        r#"[{"name": "max_concurrent_devices", "value": "2"}, {"name": "retention_run_hour", "value": "3"}]"#;
    assert_eq!(
        bench.ask(set.clone().with("settings", change)),
        json!({"success": true})
    );
    assert_eq!(value(&mut bench, "max_concurrent_devices"), "2");
    assert_eq!(value(&mut bench, "retention_run_hour"), "3");
    assert_eq!(bench.effects("run-started").len(), 2);
    assert_eq!(bench.effects("set-settings").len(), 1);
    assert_eq!(code(&bench.ask(set.with("settings", "[1]"))), 120);
}

#[test]
fn packages_show_their_state_only_when_asked() {
    let mut bench = seed();
    let list = || ApiCall::new("SYNO.Core.Package", "list").at_version(2);
    let row = bench.ask(list())["data"]["packages"][0].clone();
    assert_eq!(
        (&row["id"], row.get("additional")),
        (&json!("ActiveBackup"), None)
    );
    let asked = || list().with("additional", r#"["status"]"#);
    let row = bench.ask(asked())["data"]["packages"][0].clone();
    assert_eq!(row["additional"]["status"], "running");
    let state = super::super::PackageState::Stopped;
    bench.nas.control(Control::Package { state }, bench.now).unwrap();
    let row = bench.ask(asked())["data"]["packages"][0].clone();
    assert_eq!(row["additional"]["status"], "stop");
    let get = || {
        ApiCall::new("SYNO.Core.Package", "get")
            .at_version(2)
            .with("id", "ActiveBackup")
    };
    assert_eq!(code(&bench.ask(get())), 103);
    let mut bench = Bench::yaml("behaviour: {packageGet: true}");
    assert_eq!(bench.ask(get())["data"]["version"], "2.7.0-13164");
}

#[test]
fn the_other_reading_methods_answer_in_their_shapes() {
    let mut bench = seed();
    let mut data = |api: &str, method: &str| bench.ask(ApiCall::new(api, method))["data"].clone();
    assert_eq!(data(SHARE, "list")["shares"][0]["storage_id"], 1);
    assert_eq!(data(SHARE, "list_storage")["storages"][0]["device_count"], 1);
    assert!(data(SHARE, "list_volume")["volumes"][0]["total_bytes"].is_string());
    assert_eq!(data("SYNO.ActiveBackup.Inventory", "list"), json!([]));
    let templates = data("SYNO.ActiveBackup.TaskTemplate", "list");
    assert_eq!(templates["template_list"][0]["retention_policy"]["keep_days"], 30);
    assert!(data("SYNO.ActiveBackup.General", "get_sys_mem_info")["total_mem"].is_i64());
    assert_eq!(data("SYNO.ActiveBackup.AEM", "get_info")["role"], "");
    assert_eq!(data("SYNO.ActiveBackup.Activation", "get")["activated"], true);
    let call = ApiCall::new("SYNO.ActiveBackup.Device", "list_tasks").with("device_ids", "[1]");
    assert_eq!(bench.ask(call)["data"]["tasks"][0]["task_id"], 1);
    let devices = bench.ask(ApiCall::new("SYNO.ActiveBackup.Device", "list"));
    assert_eq!(devices["data"]["total_devices_of_backup_type"], 1);
}

#[test]
fn the_catalogue_names_what_a_nas_has_and_the_rest_of_it_answers_103() {
    let mut bench = seed();
    let all = bench.send(&ApiCall::new("SYNO.API.Info", "query"))["data"].clone();
    let of_package = all
        .as_object()
        .unwrap()
        .keys()
        .filter(|name| name.starts_with("SYNO.ActiveBackup."));
    assert_eq!(of_package.count(), 36);
    for api in ["Workload", "Plan", "AEM.Task", "Restore", "Wrapper.NFSPrivilege"] {
        let name = format!("SYNO.ActiveBackup.{api}");
        assert_eq!(all[&name]["maxVersion"], 2, "{name}");
        assert_eq!(code(&bench.ask(ApiCall::new(&name, "list"))), 103, "{name}");
    }
}
