//! The cases of the siblings of `SYNO.ActiveBackup.Task`, and their typed answers.

use abb_operator::nas::{
    Capability, DeleteVersions, DeviceFilter, Extra, Invocation, ListDevices, ListResultDetail, ListResults,
    ListTasks, ListTransfers, ResultId, TaskId,
};
use serde_json::json;

use super::cells::Cell;
use super::nas::{Lab, Seen};

fn cell(
    method: &'static str,
    parameters: &'static [&'static str],
    call: Invocation,
    form: &'static str,
    shows: fn(&Seen) -> bool,
) -> Cell {
    Cell {
        method,
        parameters,
        call,
        form,
        shows,
    }
}

/// A call whose parameters have no struct of their own.
fn open(api: &str, method: &str, parameters: serde_json::Value) -> Invocation {
    let parameters: Extra = serde_json::from_value(parameters).unwrap();
    Invocation::new(api, method, None, &parameters).unwrap()
}

pub fn cells() -> Vec<Cell> {
    let mut cells = log();
    cells.extend(overview());
    cells.extend(versions_and_devices());
    cells.extend(system());
    cells
}

fn log() -> Vec<Cell> {
    const RESULTS: &str = "SYNO.ActiveBackup.Log list_result";
    const LOGS: &str = "SYNO.ActiveBackup.Log list_log";
    const DETAIL: &str = "SYNO.ActiveBackup.Log list_result_detail";
    let detail = |change: fn(&mut ListResultDetail)| {
        let mut query = ListResultDetail::of(ResultId(7544));
        change(&mut query);
        Invocation::from(&query)
    };
    vec![
        cell(
            RESULTS,
            &["task_id"],
            (&ListResults {
                task_id: Some(TaskId(1)),
                ..ListResults::default()
            })
                .into(),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result&task_id=1",
            |seen| seen.data["count"] == 1 && seen.rows("results")[0]["result_id"] == 7544,
        ),
        cell(
            RESULTS,
            &["filter"],
            (&ListResults {
                status: Some(4),
                job_action: vec![1],
                from_timestamp: Some(1_700_000_000),
                to_timestamp: Some(1_700_000_900),
                ..ListResults::default()
            })
                .into(),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result&filter=%7B%22status%22%3A4%2C%22job_action%22%3A1%2C\
             %22from_timestamp%22%3A1700000000%2C%22to_timestamp%22%3A1700000900%7D",
            |seen| seen.data["count"] == 1 && seen.rows("results")[0]["task_id"] == 3,
        ),
        cell(
            RESULTS,
            &["offset", "limit"],
            (&ListResults {
                offset: Some(1),
                limit: Some(1),
                ..ListResults::default()
            })
                .into(),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result&offset=1&limit=1",
            |seen| seen.data["count"] == 3 && seen.rows("results").len() == 1,
        ),
        cell(
            LOGS,
            &["task_id", "filter", "offset", "limit"],
            open(
                "SYNO.ActiveBackup.Log",
                "list_log",
                json!({"task_id": 3, "filter": {"log_level": 2}, "offset": 0, "limit": 1}),
            ),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_log&filter=%7B%22log_level%22%3A2%7D&limit=1&offset=0&task_id=3",
            |seen| seen.rows("logs").len() == 1 && seen.rows("logs")[0]["task_id"] == 3,
        ),
        cell(
            DETAIL,
            &["result_id"],
            detail(|_| {}),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result_detail&result_id=7544",
            |seen| seen.data["count"].is_i64() && seen.data["result_detail_list"].is_array(),
        ),
        cell(
            DETAIL,
            &["offset", "limit"],
            detail(|query| (query.offset, query.limit) = (Some(0), Some(1))),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result_detail&limit=1&offset=0&result_id=7544",
            |seen| seen.rows("result_detail_list").len() <= 1,
        ),
        cell(
            DETAIL,
            &["order_by", "direction"],
            detail(|query| (query.order_by, query.direction) = (Some("log_time".into()), Some("ASC".into()))),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result_detail&direction=%22ASC%22&order_by=%22log_time%22\
             &result_id=7544",
            |seen| {
                seen.rows("result_detail_list")
                    .is_sorted_by_key(|row| row["log_time"].as_i64())
            },
        ),
    ]
}

fn overview() -> Vec<Cell> {
    vec![
        cell(
            "SYNO.ActiveBackup.Overview list_activity",
            &[],
            Invocation::list_activity(),
            "api=SYNO.ActiveBackup.Overview&version=1&method=list_activity",
            |seen| seen.data["total"] == 1 && seen.rows("activity_list")[0]["job"]["task_id"] == 3,
        ),
        cell(
            "SYNO.ActiveBackup.Overview list_device_transfer_size",
            &["time_start", "time_end"],
            (&ListTransfers {
                time_start: 1_700_000_000,
                time_end: Some(1_700_001_000),
                extra: Extra::new(),
            })
                .into(),
            "api=SYNO.ActiveBackup.Overview&version=1&method=list_device_transfer_size&time_end=1700001000\
             &time_start=1700000000",
            |seen| seen.data.to_string().matches("config_device_id").count() == 1,
        ),
    ]
}

const DEVICES: &str = "SYNO.ActiveBackup.Device list";

fn versions_and_devices() -> Vec<Cell> {
    let devices = |change: fn(&mut ListDevices)| {
        let mut query = ListDevices::default();
        change(&mut query);
        Invocation::from(&query)
    };
    vec![
        cell(
            "SYNO.ActiveBackup.Version list",
            &["task_id"],
            open("SYNO.ActiveBackup.Version", "list", json!({"task_id": 2})),
            "api=SYNO.ActiveBackup.Version&version=1&method=list&task_id=2",
            |seen| seen.data["total"] == 2 && seen.rows("versions")[0]["version_id"] == 12,
        ),
        cell(
            "SYNO.ActiveBackup.Version delete",
            &["task_id", "version_ids"],
            (&DeleteVersions::of(TaskId(2), vec![11])).into(),
            "api=SYNO.ActiveBackup.Version&version=1&method=delete&task_id=2&version_ids=%5B11%5D",
            |seen| seen.did(&["delete-version"]) && seen.effects[0].task_id == Some(2),
        ),
        cell(
            DEVICES,
            &["load_result"],
            devices(|query| query.load_result = Some(true)),
            "api=SYNO.ActiveBackup.Device&version=1&method=list&load_result=true",
            |seen| seen.data["total"] == 3 && seen.rows("devices")[0]["last_result"]["result_id"] == 7544,
        ),
        cell(
            DEVICES,
            &["filter"],
            devices(|query| {
                query.filter = Some(DeviceFilter {
                    backup_type: Some(2),
                    host_name: Some("seven".into()),
                });
            }),
            "api=SYNO.ActiveBackup.Device&version=1&method=list&filter=%7B%22backup_type%22%3A2%2C%22host_name%22%3A\
             %22seven%22%7D",
            |seen| seen.rows("devices").len() == 1 && seen.rows("devices")[0]["device_id"] == 7,
        ),
        cell(
            DEVICES,
            &["offset", "limit"],
            devices(|query| (query.offset, query.limit) = (Some(1), Some(1))),
            "api=SYNO.ActiveBackup.Device&version=1&method=list&limit=1&offset=1",
            |seen| seen.data["total"] == 3 && seen.rows("devices").len() == 1,
        ),
        cell(
            "SYNO.ActiveBackup.Setting list",
            &[],
            Invocation::list_settings(),
            "api=SYNO.ActiveBackup.Setting&version=1&method=list",
            |seen| {
                let limit = |row: &&&serde_json::Value| row["name"] == "max_concurrent_devices";
                seen.rows("settings").iter().find(limit).unwrap()["value"] == "5"
            },
        ),
    ]
}

fn system() -> Vec<Cell> {
    vec![
        cell(
            "SYNO.DSM.Info getinfo",
            &[],
            Invocation::dsm_info(),
            "api=SYNO.DSM.Info&version=2&method=getinfo",
            |seen| seen.data["serial"] == "SIM0000000001",
        ),
        cell(
            "SYNO.Core.Package list",
            &["additional"],
            Invocation::list_packages(),
            "api=SYNO.Core.Package&version=2&method=list&additional=%5B%22status%22%5D",
            |seen| {
                let ours = |row: &&&serde_json::Value| row["id"] == "ActiveBackup";
                seen.rows("packages").iter().find(ours).unwrap()["additional"]["status"] == "running"
            },
        ),
        cell(
            "SYNO.API.Info query",
            &["query"],
            open(
                "SYNO.API.Info",
                "query",
                json!({"query": "SYNO.API.Auth,SYNO.ActiveBackup.Task"}),
            ),
            "api=SYNO.API.Info&version=1&method=query&query=SYNO.API.Auth%2CSYNO.ActiveBackup.Task",
            |seen| {
                seen.data["SYNO.ActiveBackup.Task"]["maxVersion"] == 2
                    && seen.data["SYNO.API.Auth"].is_object()
            },
        ),
    ]
}

#[tokio::test]
async fn several_calls_in_one_round_trip() {
    let lab = Lab::new().await;
    let unknown = open("SYNO.ActiveBackup.Version", "list", json!({"task_id": 99}));
    let calls = [Invocation::dsm_info(), unknown, Invocation::list_packages()];
    let parts = lab.client.ask_together(&calls).await.unwrap().value;
    assert_eq!(
        parts[0].as_ref().unwrap().as_ref().unwrap()["serial"],
        "SIM0000000001"
    );
    assert_eq!(parts[1], Err(1103), "a part has a verdict of its own");
    assert!(parts[2].is_ok());
    let changes = Invocation::from(abb_operator::nas::Mutation::Backup(TaskId(1)));
    assert!(
        lab.client
            .ask_together(std::slice::from_ref(&changes))
            .await
            .is_err()
    );
    assert!(
        lab.client.ask(&changes).await.is_err(),
        "what changes something is not asked"
    );
}

#[tokio::test]
async fn typed_answers_keep_what_has_no_type_and_no_secret() {
    let lab = Lab::new().await;
    let client = &lab.client;
    let query = ListTasks {
        load_devices: true,
        load_versions: true,
        ..ListTasks::default()
    };
    let tasks = client.list_tasks_openly(&query).await.unwrap().value;
    assert_eq!(
        (tasks.rows.len(), tasks.total, tasks.unreadable_rows),
        (3, Some(3), 0)
    );
    let first = &tasks.rows[0];
    assert_eq!(first.known.name, "peterm-Default");
    assert_eq!(first.extra["retention_policy"]["gfs_years"], "36");
    assert!(
        !first.extra.contains_key("task_name"),
        "typed fields are not kept twice"
    );
    let devices = client.list_devices(&ListDevices::default()).await.unwrap().value;
    assert_eq!(devices.rows[1].known.host_name, "seven");
    assert_eq!(devices.rows[1].known.agent_status.as_deref(), Some("online"));
    assert!(devices.rows[1].extra.contains_key("host_ip"));
    let settings = client.list_settings().await.unwrap().value;
    assert!(
        settings
            .rows
            .iter()
            .any(|row| row.known.name == "max_concurrent_devices")
    );
    let packages = client.list_packages().await.unwrap().value;
    assert!(
        packages
            .iter()
            .any(|package| package.status.as_deref() == Some("running"))
    );
    let transfers = ListTransfers {
        time_start: 1_700_000_000,
        ..ListTransfers::default()
    };
    let transfers = client.list_transfers(&transfers).await.unwrap().value;
    assert!(
        transfers
            .rows
            .iter()
            .any(|row| row.known.result_id == ResultId(7544))
    );
    let detail = client
        .list_result_detail(&ListResultDetail::of(ResultId(7544)))
        .await
        .unwrap();
    assert_eq!(detail.value.unreadable_rows, 0);
    let shown = format!("{tasks:?} {devices:?} {settings:?} {transfers:?}");
    assert!(!shown.contains("canary"), "a secret is never held");
}

#[tokio::test]
async fn a_probe_tells_what_there_is() {
    let lab = Lab::new().await;
    let found = lab.client.probe().await.unwrap();
    assert_eq!(found.package_version.as_deref(), Some("2.7.0-13164"));
    assert_eq!(found.package_status.as_deref(), Some("running"));
    assert!(
        Capability::ALL
            .iter()
            .all(|capability| found.available.contains(capability))
    );
}
