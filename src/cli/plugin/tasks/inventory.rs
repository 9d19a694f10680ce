//! The tasks of a NAS with the BackupTasks that stand for them, as people and programs see them. Pure.

use jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use crate::{
    api::{BackupTask, BackupType, JobAction, ResultStatus, SourceType, State},
    nas::{ResultRow, Task},
    observe::{Bound, Claim, Doing, Inventory, Queue, bind, claims, doing},
};

/// Everything that is known of a NAS's tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Listed {
    /// The BackupServer.
    pub server: String,
    /// The NAS's serial number.
    pub serial: Option<String>,
    /// Whether every task that the NAS counts is in the list.
    pub complete: bool,
    /// Whether the queue could be read; without it a run that waits may not show.
    pub queue_readable: bool,
    /// The NAS's clock minus ours.
    pub clock_skew_seconds: Option<i64>,
    /// Whether the versions were asked for in vain.
    #[serde(skip)]
    pub versions_unread: bool,
    /// BackupTasks of this server that cannot be read, so that they may stand for a task all the same.
    pub unreadable: Vec<String>,
    /// In the order of their numbers.
    pub tasks: Vec<Row>,
}

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub id: i64,
    pub name: String,
    pub unique_key: Option<String>,
    pub backup_type: Option<BackupType>,
    pub backup_type_code: Option<i64>,
    pub source_type: Option<SourceType>,
    pub source_type_code: Option<i64>,
    pub state: State,
    pub percent: Option<i64>,
    pub last_result: Option<LastResult>,
    pub devices: Vec<String>,
    pub device_count: Option<i64>,
    pub share: Option<String>,
    pub version_count: Option<i64>,
    pub next_trigger_time: Option<Timestamp>,
    /// The BackupTasks that mean it; the one that acts for it comes first.
    pub managed_by: Vec<String>,
}

/// The newest job of a task, of any kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LastResult {
    pub result_id: i64,
    pub status: ResultStatus,
    pub status_code: i64,
    pub action: JobAction,
    pub action_code: i64,
    pub start_time: Option<Timestamp>,
    pub end_time: Option<Timestamp>,
    pub transferred_bytes: Option<u64>,
}

/// Puts an inventory and the BackupTasks of its server together.
pub(super) fn listed(
    server: &str,
    objects: &[BackupTask],
    unreadable: Vec<String>,
    inventory: &Inventory,
    serial: Option<String>,
    versions_unread: bool,
) -> Listed {
    let bound: Vec<(&BackupTask, Bound<'_>)> = objects
        .iter()
        .map(|object| (object, bind(object, Some(inventory), serial.as_deref())))
        .collect();
    let claims = claims(&bound);
    let mut tasks: Vec<Row> = inventory
        .tasks
        .iter()
        .map(|task| row(task, &inventory.queue, managers(task, &bound, &claims)))
        .collect();
    tasks.sort_by_key(|row| row.id);
    Listed {
        server: server.to_owned(),
        serial,
        complete: inventory.complete,
        queue_readable: matches!(inventory.queue, Queue::Read(_)),
        clock_skew_seconds: inventory.skew().map(|skew| skew.as_secs()),
        versions_unread,
        unreadable,
        tasks,
    }
}

/// The BackupTasks that mean a task: first the one that acts, then those that only look, by name.
fn managers(task: &Task, bound: &[(&BackupTask, Bound<'_>)], claims: &[Claim]) -> Vec<String> {
    let mut found: Vec<(bool, String)> = bound
        .iter()
        .zip(claims)
        .filter(|((_, bound), _)| matches!(bound, Bound::To(meant) if meant.id == task.id))
        .map(|((object, _), claim)| (claim.owner.is_some(), object.name_any()))
        .collect();
    found.sort();
    found.into_iter().map(|(_, name)| name).collect()
}

fn row(task: &Task, queue: &Queue, managed_by: Vec<String>) -> Row {
    let hosts = task.devices.iter().map(|device| device.host_name.clone());
    let percentage = task.progress.as_ref().and_then(|progress| progress.percentage);
    Row {
        id: task.id.0,
        name: task.name.clone(),
        unique_key: task.unique_key.as_ref().map(|key| key.as_str().to_owned()),
        backup_type: task.backup_type.map(BackupType::from_code),
        backup_type_code: task.backup_type,
        source_type: task.source_type.map(SourceType::from_code),
        source_type_code: task.source_type,
        state: state(task, queue),
        percent: percentage.map(percent),
        last_result: task.last_result.as_ref().map(last_result),
        devices: hosts.collect(),
        device_count: task.device_count,
        share: task.share_name.clone(),
        version_count: task.version_count,
        next_trigger_time: task.next_trigger_time.and_then(time),
        managed_by,
    }
}

fn state(task: &Task, queue: &Queue) -> State {
    match doing(task, queue) {
        Doing::Nothing => State::Idle,
        Doing::PerhapsRunning => State::Unknown,
        Doing::Waiting => State::Waiting,
        Doing::Running => State::Running,
        Doing::Canceling => State::Canceling,
        Doing::Deleting => State::Deleting,
    }
}

/// Whole percents of a share.
#[allow(clippy::cast_possible_truncation, reason = "clamped to 0..=100 before")]
fn percent(share: f64) -> i64 {
    (share * 100.0).clamp(0.0, 100.0) as i64
}

fn last_result(row: &ResultRow) -> LastResult {
    LastResult {
        result_id: row.result_id.0,
        status: ResultStatus::from_code(row.status),
        status_code: row.status,
        action: JobAction::from_code(row.job_action),
        action_code: row.job_action,
        start_time: row.time_start.and_then(time),
        end_time: row.time_end.and_then(time),
        transferred_bytes: row.transferred_bytes,
    }
}

fn time(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nas::{Device, Progress, ResultId, TaskId, UniqueKey, job_action};
    use serde_json::json;

    fn on_nas(id: i64, name: &str) -> Task {
        Task {
            id: TaskId(id),
            name: name.to_owned(),
            unique_key: UniqueKey::new(format!("key-{id}")),
            backup_type: Some(2),
            source_type: Some(1),
            device_count: Some(1),
            devices: vec![Device {
                id: Some(id),
                host_name: format!("host-{id}"),
                os_name: None,
            }],
            share_name: None,
            version_count: None,
            versions: None,
            next_trigger_time: None,
            allow_manual_backup: None,
            status: None,
            target_status: None,
            progress: None,
            last_result: None,
        }
    }

    fn object(name: &str, created: i64, nas_task: &str, bound_to: Option<&str>) -> BackupTask {
        let selector = json!({ "name": nas_task });
        let status = bound_to
            .map(|key| json!({ "binding": { "selector": selector, "uniqueKey": key, "nasSerial": "S1" } }));
        serde_json::from_value(json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
            "metadata": {
                "name": name, "namespace": "backup", "uid": name,
                "creationTimestamp": Timestamp::from_second(created).unwrap(),
            },
            "spec": { "serverRef": { "name": "nas" }, "task": selector },
            "status": status,
        }))
        .unwrap()
    }

    fn inventory(tasks: Vec<Task>) -> Inventory {
        Inventory {
            begun: Timestamp::UNIX_EPOCH,
            nas_time: None,
            complete: true,
            tasks,
            queue: Queue::Read(Vec::new()),
        }
    }

    /// As the operator binds: a key that was bound is followed when its task is renamed, a name that is two is none.
    #[test]
    fn who_stands_for_a_task_is_what_the_operator_says() {
        let tasks = vec![
            on_nas(9, "twin"),
            on_nas(2, "renamed"),
            on_nas(1, "plain"),
            on_nas(3, "twin"),
        ];
        let objects = [
            object("newer", 20, "plain", None),
            object("older", 10, "plain", None),
            object("follower", 10, "old-name", Some("key-2")),
            object("torn", 10, "twin", None),
            object("lost", 10, "plain", Some("key-77")),
        ];
        let listed = listed(
            "nas",
            &objects,
            Vec::new(),
            &inventory(tasks),
            Some("S1".to_owned()),
            false,
        );
        let rows: Vec<(i64, Vec<String>)> = listed
            .tasks
            .into_iter()
            .map(|row| (row.id, row.managed_by))
            .collect();
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(
            rows,
            [
                (1, names(&["older", "newer"])),
                (2, names(&["follower"])),
                (3, names(&[])),
                (9, names(&[])),
            ]
        );
    }

    /// Another machine behind the address: nothing that was bound on the old one stands for a task of the new one.
    #[test]
    fn on_another_nas_nothing_is_managed() {
        let objects = [object("laptop", 10, "plain", Some("key-1"))];
        for (serial, count) in [("S1", 1), ("S2", 0)] {
            let inventory = inventory(vec![on_nas(1, "plain")]);
            let listed = listed(
                "nas",
                &objects,
                Vec::new(),
                &inventory,
                Some(serial.to_owned()),
                false,
            );
            assert_eq!(listed.tasks[0].managed_by.len(), count, "{serial}");
        }
    }

    #[test]
    fn states_percents_and_results_are_the_nas_own() {
        let mut task = on_nas(1, "busy");
        task.progress = Some(Progress {
            running_task_status: Some(1),
            percentage: Some(0.456),
            transferred_bytes: None,
            total_bytes: None,
            pid: None,
        });
        task.last_result = Some(ResultRow {
            result_id: ResultId(5),
            activity_uuid: None,
            task_id: None,
            task_name: None,
            backup_type: None,
            job_action: job_action::DELETE_VERSION,
            status: 2,
            time_start: Some(100),
            time_end: Some(160),
            success_count: None,
            warning_count: None,
            error_count: None,
            none_count: None,
            transferred_bytes: None,
            devices: Vec::new(),
        });
        let listed = listed("nas", &[], Vec::new(), &inventory(vec![task]), None, false);
        let row = &listed.tasks[0];
        assert_eq!((row.state, row.percent), (State::Running, Some(45)));
        let written = serde_json::to_value(&listed).unwrap();
        assert_eq!(written["tasks"][0]["lastResult"]["action"], "DeleteVersion");
        assert_eq!(
            written["tasks"][0]["lastResult"]["endTime"],
            "1970-01-01T00:02:40Z"
        );
        for (share, whole) in [
            (0.0, 0),
            (0.999, 99),
            (1.0, 100),
            (7.0, 100),
            (-1.0, 0),
            (f64::NAN, 0),
        ] {
            assert_eq!(percent(share), whole);
        }
    }
}
