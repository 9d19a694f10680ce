//! A recording over HTTPS and back: nothing personal is in the file, and the client reads the same from its replay.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to panic")]

use std::{future::pending, io::BufReader, time::Duration};

use abb_operator::{
    nas::{
        Client, Credentials, Endpoint, ListDevices, ListResults, ListTasks, ResultRow, Task, Trust,
        parse_fingerprint,
    },
    record::{Plan, Trace, record},
    simulator::{self, Options, Pollution, Scenario, Simulator},
};
use serde_json::Value;

const SCENARIO: &str = r"
username: paula.personal
password: canary-password-1f
serial: 1780CANARY001
tasks:
  - {id: 1, name: Payroll of Paula, devices: [{id: 1, hostName: PAULA-PC}]}
  - {id: 7, name: zz-board-minutes, backupType: 4, devices: [{id: 2, hostName: fs01.corp.example}, {id: 3, hostName: fs02}]}
";

fn client(nas: &Simulator) -> Client {
    let endpoint = Endpoint {
        url: nas.url().parse().unwrap(),
        trust: Trust::Fingerprint(parse_fingerprint(nas.fingerprint().unwrap()).unwrap()),
        request_timeout: Duration::from_secs(10),
        list_timeout: Duration::from_secs(10),
    };
    let credentials = Credentials {
        username: nas.username().to_owned(),
        password: nas.password().to_owned().into(),
        otp_secret: None,
        device: None,
    };
    Client::new(endpoint, credentials).unwrap()
}

/// What is read of a NAS, without what a recording takes out.
#[derive(Debug, PartialEq)]
struct Seen {
    tasks: Vec<TaskNumbers>,
    total: (Option<u64>, bool),
    pairs: Vec<(i64, Option<ResultNumbers>)>,
    results: Vec<ResultNumbers>,
    activities: usize,
    apis: Vec<String>,
    model: (Option<String>, Option<String>),
    settings: Vec<(String, Option<i64>)>,
    packages: Vec<(String, Option<String>, Option<String>)>,
    devices: Vec<i64>,
    versions: Vec<usize>,
}

type TaskNumbers = (
    i64,
    Option<i64>,
    Option<i64>,
    usize,
    Option<i64>,
    Option<String>,
    Option<usize>,
);

type ResultNumbers = (i64, i64, i64, Option<i64>, Option<i64>, Option<u64>);

fn numbers(row: &ResultRow) -> ResultNumbers {
    (
        row.result_id.0,
        row.job_action,
        row.status,
        row.time_start,
        row.time_end,
        row.transferred_bytes,
    )
}

async fn see(client: &Client) -> Seen {
    let everything = ListTasks {
        load_result: true,
        load_devices: true,
        load_status: true,
        load_versions: true,
        load_verify_status: true,
        ..ListTasks::default()
    };
    let list = client.list_tasks(&everything).await.unwrap().value;
    let row = |task: &Task| {
        let versions = task.versions.as_ref().map(Vec::len);
        (
            task.id.0,
            task.backup_type,
            task.device_count,
            task.devices.len(),
            task.next_trigger_time,
            task.target_status.clone(),
            versions,
        )
    };
    let pairs = client.list_with_device().await.unwrap().value.tasks;
    let mut versions = Vec::new();
    for task in &list.tasks {
        versions.push(client.list_versions(task.id).await.unwrap().value.versions.len());
    }
    let info = client.dsm_info().await.unwrap().value;
    let settings = client.list_settings().await.unwrap().value.rows;
    let packages = client.list_packages().await.unwrap().value;
    let devices = client
        .list_devices(&ListDevices::default())
        .await
        .unwrap()
        .value
        .rows;
    let results = client.list_results(&ListResults::default()).await.unwrap().value;
    Seen {
        tasks: list.tasks.iter().map(row).collect(),
        total: (list.total, list.is_complete()),
        pairs: pairs
            .iter()
            .map(|pair| (pair.task.id.0, pair.task.last_result.as_ref().map(numbers)))
            .collect(),
        results: results.rows.iter().map(numbers).collect(),
        activities: client.list_activity().await.unwrap().value.activities.len(),
        apis: client.api_info().await.unwrap().value.apis.into_keys().collect(),
        model: (info.model, info.version),
        settings: settings
            .into_iter()
            .map(|row| {
                (
                    row.known.name,
                    row.known.value.and_then(|value| value.parse().ok()),
                )
            })
            .collect(),
        packages: packages
            .into_iter()
            .map(|package| (package.id, package.version, package.status))
            .collect(),
        devices: devices.into_iter().map(|row| row.known.id).collect(),
        versions,
    }
}

/// Every text of an answer that is no word of the API.
fn personal(value: &Value, found: &mut Vec<String>) {
    const NAMES: [&str; 8] = [
        "host_name",
        "task_name",
        "unikey",
        "login_user",
        "host_ip",
        "device_uuid",
        "share_name",
        "target_dir",
    ];
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if NAMES.contains(&name.as_str()) && !text.is_empty() => {
                        found.push(text.clone());
                    }
                    value => personal(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| personal(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_holds_nothing_personal_and_replays_as_it_was() {
    abb_operator::install_crypto();
    let scenario = Scenario::from_text(SCENARIO, "test").unwrap();
    let nas = simulator::start(Options {
        scenario,
        ..Options::default()
    })
    .await
    .unwrap();
    let original = client(&nas);
    original
        .arm(abb_operator::nas::Mutation::Backup(abb_operator::nas::TaskId(1)))
        .await
        .unwrap()
        .send(Duration::from_secs(10))
        .await;
    let mut file = Vec::new();
    let plan = Plan {
        watch: Duration::from_millis(250),
        interval: Duration::from_millis(100),
    };
    let written = record(client(&nas), plan, &mut file, pending()).await.unwrap();
    let changing = nas
        .requests()
        .into_iter()
        .filter(|request| ["backup", "cancel", "remove", "set", "delete"].contains(&request.method.as_str()));
    assert_eq!(changing.count(), 1, "a recording only reads");

    let text = String::from_utf8(file.clone()).unwrap();
    let Pollution {
        agent_token,
        login_password,
        mssql_password,
        oracle_password,
    } = Pollution::default();
    let mut canaries = vec![
        agent_token,
        login_password,
        mssql_password,
        oracle_password,
        nas.username().to_owned(),
        nas.password().to_owned(),
        "1780CANARY001".to_owned(),
        "Payroll".to_owned(),
        "zz-board".to_owned(),
        "paula".to_owned(),
        "Paula".to_owned(),
        nas.url().to_owned(),
    ];
    let raw = original
        .ask(&abb_operator::nas::Invocation::list_with_device())
        .await
        .unwrap();
    personal(&raw.value.unwrap(), &mut canaries);
    let listed = original
        .ask(&abb_operator::nas::Invocation::from(&ListTasks {
            load_devices: true,
            ..ListTasks::default()
        }))
        .await
        .unwrap();
    personal(&listed.value.unwrap(), &mut canaries);
    assert!(canaries.len() > 20, "{canaries:?}");
    for canary in &canaries {
        assert!(!text.contains(canary.as_str()), "{canary:?} is in the recording");
    }

    let trace = Trace::read(BufReader::new(file.as_slice())).unwrap();
    assert_eq!(
        (trace.exchanges.len(), trace.header.dsm.model.is_some()),
        (written, true)
    );
    let looks = trace
        .exchanges
        .iter()
        .filter(|exchange| exchange.method == "list_activity");
    assert!(looks.count() >= 2, "one look, and more while watching");
    let replay = simulator::start(Options {
        replay: Some(trace),
        ..Options::default()
    })
    .await
    .unwrap();
    let (was, is) = (see(&original).await, see(&client(&replay)).await);
    assert_eq!(is, was);
    let refused = client(&replay)
        .arm(abb_operator::nas::Mutation::Remove(abb_operator::nas::TaskId(1)))
        .await
        .unwrap()
        .send(Duration::from_secs(10))
        .await;
    assert_eq!(refused, abb_operator::nas::Answer::Refused { code: 103 });
}
