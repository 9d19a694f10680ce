//! The cases of `SYNO.ActiveBackup.Task`.

use abb_operator::nas::{
    CancelWaiting, CheckFolder, CreateTask, CreateVm, DefaultTaskName, Extra, Invocation, ListTasks,
    Mutation, RetentionPolicy, Schedule, SetTasks, TaskFilter, TaskId, VirtualMachine, VmCheck,
};
use serde_json::{Value, json};

use super::cells::Cell;
use super::nas::Seen;

const TASK: &str = "api=SYNO.ActiveBackup.Task&version=1&method=";

/// A case of one parameter of `create_vm`: with a name, which the simulated NAS wants, and in the new row.
macro_rules! creates {
    ($method:literal, $call:path, $types:ident, $field:ident: $value:expr, $form:literal, $shows:expr) => {
        Cell {
            method: concat!("SYNO.ActiveBackup.Task ", $method),
            parameters: &[stringify!($field)],
            call: $call(&$types {
                task_name: Some("new".into()),
                $field: Some($value),
                ..$types::default()
            }),
            form: concat!(
                "api=SYNO.ActiveBackup.Task&version=1&method=",
                $method,
                "&",
                $form
            ),
            shows: |seen| {
                let shows: fn(&Value) -> bool = $shows;
                seen.did(&["create"]) && shows(seen.task("new"))
            },
        }
    };
}

macro_rules! sets {
    ($field:ident: $value:expr, $form:literal, $shows:expr) => {
        Cell {
            method: "SYNO.ActiveBackup.Task set",
            parameters: &[stringify!($field)],
            call: Invocation::set(&SetTasks {
                task_ids: vec![TaskId(2)],
                $field: Some($value),
                ..SetTasks::default()
            }),
            form: concat!("api=SYNO.ActiveBackup.Task&version=1&method=set&", $form),
            shows: |seen| {
                let shows: fn(&Value) -> bool = $shows;
                let task = seen.tasks.iter().find(|row| row["task_id"] == 2).unwrap();
                seen.did(&["set"]) && shows(task)
            },
        }
    };
}

/// A case of one switch or filter of `list`.
fn lists(
    parameters: &'static [&'static str],
    query: &ListTasks,
    form: &'static str,
    shows: fn(&Seen) -> bool,
) -> Cell {
    Cell {
        method: "SYNO.ActiveBackup.Task list",
        parameters,
        call: query.into(),
        form,
        shows,
    }
}

fn task(
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

pub fn cells() -> Vec<Cell> {
    let mut cells = operated();
    cells.extend(lists_of_tasks());
    cells.extend(virtual_machines());
    cells.extend(other_creations());
    cells.extend(changes());
    cells.extend(checks());
    assert!(cells.iter().all(|cell| cell.form.starts_with(TASK)));
    cells
}

/// The operator's own three, and the one it never sends.
fn operated() -> Vec<Cell> {
    vec![
        task(
            "SYNO.ActiveBackup.Task backup",
            &["task_ids", "trigger_type"],
            Mutation::Backup(TaskId(2)).into(),
            "api=SYNO.ActiveBackup.Task&version=1&method=backup&task_ids=%5B2%5D&trigger_type=1",
            |seen| seen.did(&["backup"]) && seen.effects[0].task_id == Some(2),
        ),
        task(
            "SYNO.ActiveBackup.Task cancel",
            &["task_ids"],
            Mutation::Cancel(TaskId(3)).into(),
            "api=SYNO.ActiveBackup.Task&version=1&method=cancel&task_ids=%5B3%5D",
            |seen| seen.did(&["cancel"]) && seen.effects[0].task_id == Some(3),
        ),
        task(
            "SYNO.ActiveBackup.Task remove",
            &["task_ids"],
            Mutation::Remove(TaskId(1)).into(),
            "api=SYNO.ActiveBackup.Task&version=1&method=remove&task_ids=%5B1%5D",
            |seen| seen.did(&["remove"]) && seen.task("peterm-Default")["status"] == "deleting",
        ),
        task(
            "SYNO.ActiveBackup.Task cancel_waiting_backup",
            &["task_ids"],
            Invocation::cancel_waiting(&CancelWaiting {
                task_ids: Some(vec![TaskId(3)]),
                extra: Extra::new(),
            }),
            "api=SYNO.ActiveBackup.Task&version=1&method=cancel_waiting_backup&task_ids=%5B3%5D",
            // The run of task 3 is active and does not wait.
            |seen| seen.did(&[]) && seen.task("third")["status"] == "backingup",
        ),
    ]
}

fn lists_of_tasks() -> Vec<Cell> {
    let none = ListTasks::default;
    vec![
        lists(
            &[],
            &none(),
            "api=SYNO.ActiveBackup.Task&version=1&method=list",
            |seen| {
                let row = seen.rows("tasks")[0];
                seen.data["total"] == 3 && row["last_result"].is_null() && row["versions"].is_null()
            },
        ),
        lists(
            &["load_result"],
            &ListTasks {
                load_result: true,
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&load_result=true",
            |seen| seen.rows("tasks")[0]["last_result"]["result_id"] == 7544,
        ),
        lists(
            &["load_devices"],
            &ListTasks {
                load_devices: true,
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&load_devices=true",
            |seen| {
                let device = &seen.rows("tasks")[0]["devices"][0];
                // The NAS sends its secrets; none of them is in what is read.
                device["agent_status"] == "online"
                    && device["agent_token"].is_null()
                    && seen.data["has_devices"] == true
            },
        ),
        lists(
            &["load_status"],
            &ListTasks {
                load_status: true,
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&load_status=true",
            |seen| seen.rows("tasks")[0]["target_status"] == "online",
        ),
        lists(
            &["load_versions"],
            &ListTasks {
                load_versions: true,
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&load_versions=true",
            |seen| {
                seen.rows("tasks")[1]["version_count"] == 2
                    && seen.rows("tasks")[1]["versions"][0]["version_id"] == 12
            },
        ),
        lists(
            &["load_verify_status"],
            &ListTasks {
                load_versions: true,
                load_verify_status: true,
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&load_versions=true&load_verify_status=true",
            |seen| seen.rows("tasks")[1]["versions"][0]["verify_status"].is_i64(),
        ),
        lists(
            &["filter"],
            &ListTasks {
                task_id: Some(TaskId(2)),
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&filter=%7B%22task_id%22%3A2%7D",
            |seen| seen.data["total"] == 1 && seen.rows("tasks")[0]["task_id"] == 2,
        ),
        lists(
            &["filter"],
            &ListTasks {
                filter: TaskFilter {
                    backup_type: Some(4),
                    status: Some("backingup".into()),
                    key_word: Some("thi".into()),
                    ..TaskFilter::default()
                },
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&filter=%7B%22backup_type%22%3A4%2C%22status%22%3A\
             %22backingup%22%2C%22key_word%22%3A%22thi%22%7D",
            |seen| seen.data["total"] == 1 && seen.rows("tasks")[0]["task_id"] == 3,
        ),
        lists(
            &["filter"],
            &ListTasks {
                filter: TaskFilter {
                    device_id: Some(7),
                    ..TaskFilter::default()
                },
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&filter=%7B%22device_id%22%3A7%7D",
            |seen| seen.data["total"] == 1 && seen.rows("tasks")[0]["task_id"] == 2,
        ),
        lists(
            &["filter"],
            &ListTasks {
                filter: TaskFilter {
                    from_timestamp: Some(1_700_000_250),
                    to_timestamp: Some(1_700_000_350),
                    ..TaskFilter::default()
                },
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&filter=%7B%22from_timestamp%22%3A1700000250%2C\
             %22to_timestamp%22%3A1700000350%7D",
            |seen| seen.data["total"] == 1 && seen.rows("tasks")[0]["task_id"] == 3,
        ),
        lists(
            &["offset", "limit"],
            &ListTasks {
                offset: Some(1),
                limit: Some(1),
                ..none()
            },
            "api=SYNO.ActiveBackup.Task&version=1&method=list&offset=1&limit=1",
            |seen| {
                seen.data["total"] == 3
                    && seen.rows("tasks").len() == 1
                    && seen.rows("tasks")[0]["task_id"] == 2
            },
        ),
        task(
            "SYNO.ActiveBackup.Task list_with_device",
            &[],
            Invocation::list_with_device(),
            "api=SYNO.ActiveBackup.Task&version=1&method=list_with_device",
            |seen| {
                let row = seen.rows("tasks")[0];
                row["unique_id"] == "1-1"
                    && row["last_result"]["result_id"] == 7544
                    && row["devices"].is_null()
            },
        ),
        task(
            "SYNO.ActiveBackup.Task get_default_task_name",
            &["backup_type"],
            Invocation::default_task_name(&DefaultTaskName {
                backup_type: 2,
                extra: Extra::new(),
            }),
            "api=SYNO.ActiveBackup.Task&version=1&method=get_default_task_name&backup_type=2",
            |seen| seen.data["task_name"] == "Task 4",
        ),
    ]
}

fn machine() -> VirtualMachine {
    VirtualMachine {
        host_name: "vm".into(),
        os_name: "Linux".into(),
        device_uuid: "50-1".into(),
        vm_moid_path: "vm-123".into(),
        inventory_id: 4,
        inventory_name: "vcenter".into(),
        extra: Extra::new(),
    }
}

fn retention() -> RetentionPolicy {
    RetentionPolicy {
        keep_all: Some(false),
        keep_versions: Some(7),
        ..RetentionPolicy::default()
    }
}

fn schedule() -> Schedule {
    Schedule {
        repeat_type: Some("Weekly".into()),
        run_hour: Some(3),
        run_weekday: Some(vec![0]),
        ..Schedule::default()
    }
}

fn virtual_machines() -> Vec<Cell> {
    vec![
        task(
            "SYNO.ActiveBackup.Task create_vm",
            &["task_name"],
            Invocation::create_vm(&CreateVm {
                task_name: Some("new".into()),
                extra: Extra::from([("nobody_knows".to_owned(), json!([1, "a"]))]),
                ..CreateVm::default()
            }),
            "api=SYNO.ActiveBackup.Task&version=1&method=create_vm&nobody_knows=%5B1%2C%22a%22%5D&task_name=%22new%22",
            |seen| seen.did(&["create"]) && seen.task("new")["nobody_knows"] == json!([1, "a"]),
        ),
        creates!("create_vm", Invocation::create_vm, CreateVm, devices: vec![machine()],
            "devices=%5B%7B%22device_uuid%22%3A%2250-1%22%2C%22host_name%22%3A%22vm%22%2C%22inventory_id%22%3A4%2C\
             %22inventory_name%22%3A%22vcenter%22%2C%22os_name%22%3A%22Linux%22%2C%22vm_moid_path%22%3A%22vm-123%22\
             %7D%5D&task_name=%22new%22",
            |row| row["devices"][0]["host_name"] == "vm" && row["backup_type"] == 1),
        creates!("create_vm", Invocation::create_vm, CreateVm, share_name: "share".into(),
            "share_name=%22share%22&task_name=%22new%22", |row| row["share_name"] == "share"),
        creates!("create_vm", Invocation::create_vm, CreateVm, max_concurrent_devices: 4,
            "max_concurrent_devices=4&task_name=%22new%22", |row| row["max_concurrent_devices"] == 4),
        creates!("create_vm", Invocation::create_vm, CreateVm, retention_policy: retention(),
            "retention_policy=%7B%22keep_all%22%3Afalse%2C%22keep_versions%22%3A7%7D&task_name=%22new%22",
            |row| row["retention_policy"]["keep_versions"] == 7),
        creates!("create_vm", Invocation::create_vm, CreateVm, sched_content: schedule(),
            "sched_content=%7B%22repeat_type%22%3A%22Weekly%22%2C%22run_hour%22%3A3%2C%22run_weekday%22%3A%5B0%5D%7D\
             &task_name=%22new%22",
            |row| row["sched_content"]["run_hour"] == 3),
        creates!("create_vm", Invocation::create_vm, CreateVm, cbt_enable_mode: true,
            "cbt_enable_mode=true&task_name=%22new%22", |row| row["cbt_enable_mode"] == true),
        creates!("create_vm", Invocation::create_vm, CreateVm, datastore_reserved_percentage: 5,
            "datastore_reserved_percentage=5&task_name=%22new%22", |row| row["datastore_reserved_percentage"] == 5),
        creates!("create_vm", Invocation::create_vm, CreateVm, enable_app_aware_bkp: true,
            "enable_app_aware_bkp=true&task_name=%22new%22", |row| row["enable_app_aware_bkp"] == true),
        creates!("create_vm", Invocation::create_vm, CreateVm, enable_compress_transfer: false,
            "enable_compress_transfer=false&task_name=%22new%22", |row| row["enable_compress_transfer"] == false),
        creates!("create_vm", Invocation::create_vm, CreateVm, enable_datastore_aware: true,
            "enable_datastore_aware=true&task_name=%22new%22", |row| row["enable_datastore_aware"] == true),
        creates!("create_vm", Invocation::create_vm, CreateVm, enable_encrypt_transfer: false,
            "enable_encrypt_transfer=false&task_name=%22new%22", |row| row["enable_encrypt_transfer"] == false),
        creates!("create_vm", Invocation::create_vm, CreateVm, enable_verification: true,
            "enable_verification=true&task_name=%22new%22", |row| row["enable_verification"] == true),
        creates!("create_vm", Invocation::create_vm, CreateVm, verification_policy: 60,
            "task_name=%22new%22&verification_policy=60", |row| row["verification_policy"] == 60),
        creates!("create_vm", Invocation::create_vm, CreateVm, view_type: "vim.VirtualMachine-Host".into(),
            "task_name=%22new%22&view_type=%22vim.VirtualMachine-Host%22",
            |row| row["view_type"] == "vim.VirtualMachine-Host"),
        creates!("create_vm", Invocation::create_vm, CreateVm, scripts: json!({}),
            "scripts=%7B%7D&task_name=%22new%22", |row| row["scripts"] == json!({})),
        creates!("create_vm", Invocation::create_vm, CreateVm, users: vec![1026],
            "task_name=%22new%22&users=%5B1026%5D", |row| row["users"] == json!([1026])),
        creates!("create_vm", Invocation::create_vm, CreateVm, groups: vec![101],
            "groups=%5B101%5D&task_name=%22new%22", |row| row["groups"] == json!([101])),
    ]
}

fn other_creations() -> Vec<Cell> {
    let mut cells = Vec::new();
    macro_rules! both {
        ($field:ident: $value:expr, $form:literal, $shows:expr) => {
            cells.push(creates!("create_agent", Invocation::create_agent, CreateTask, $field: $value, $form, $shows));
            cells.push(creates!("create_agentless", Invocation::create_agentless, CreateTask, $field: $value, $form, $shows));
        };
    }
    let named = || CreateTask {
        task_name: Some("new".into()),
        ..CreateTask::default()
    };
    cells.push(task(
        "SYNO.ActiveBackup.Task create_agent",
        &["task_name"],
        Invocation::create_agent(&named()),
        "api=SYNO.ActiveBackup.Task&version=1&method=create_agent&task_name=%22new%22",
        |seen| seen.did(&["create"]) && seen.task("new")["backup_type"] == 2,
    ));
    cells.push(task(
        "SYNO.ActiveBackup.Task create_agentless",
        &["task_name"],
        Invocation::create_agentless(&named()),
        "api=SYNO.ActiveBackup.Task&version=1&method=create_agentless&task_name=%22new%22",
        |seen| seen.did(&["create"]) && seen.task("new")["backup_type"] == 4,
    ));
    both!(source_type: 3, "source_type=3&task_name=%22new%22", |row| row["source_type"] == 3);
    both!(custom_volume: vec!["D:".into()], "custom_volume=%5B%22D%3A%22%5D&task_name=%22new%22",
        |row| row["custom_volume"] == json!(["D:"]));
    both!(devices: vec![json!(7)], "devices=%5B7%5D&task_name=%22new%22", |row| row["devices"][0]["device_id"] == 7);
    both!(share_name: "share".into(), "share_name=%22share%22&task_name=%22new%22", |row| row["share_name"] == "share");
    both!(retention_policy: retention(),
        "retention_policy=%7B%22keep_all%22%3Afalse%2C%22keep_versions%22%3A7%7D&task_name=%22new%22",
        |row| row["retention_policy"]["keep_versions"] == 7);
    both!(sched_content: schedule(),
        "sched_content=%7B%22repeat_type%22%3A%22Weekly%22%2C%22run_hour%22%3A3%2C%22run_weekday%22%3A%5B0%5D%7D&task_name=%22new%22",
        |row| row["sched_content"]["run_hour"] == 3);
    both!(agentless_backup_path: "/data".into(), "agentless_backup_path=%22%2Fdata%22&task_name=%22new%22",
        |row| row["agentless_backup_path"] == "/data");
    both!(agentless_backup_policy: 1, "agentless_backup_policy=1&task_name=%22new%22",
        |row| row["agentless_backup_policy"] == 1);
    cells.push(
        creates!("create_agent", Invocation::create_agent, CreateTask, backup_type: 3,
        "backup_type=3&task_name=%22new%22", |row| row["backup_type"] == 3),
    );
    cells.push(
        creates!("create_agentless", Invocation::create_agentless, CreateTask, backup_type: 4,
        "backup_type=4&task_name=%22new%22", |row| row["backup_type"] == 4),
    );
    cells
}

fn changes() -> Vec<Cell> {
    vec![
        task(
            "SYNO.ActiveBackup.Task set",
            &["task_ids"],
            Invocation::set(&SetTasks {
                task_ids: vec![TaskId(1), TaskId(2)],
                share_name: Some("both".into()),
                ..SetTasks::default()
            }),
            "api=SYNO.ActiveBackup.Task&version=1&method=set&share_name=%22both%22&task_ids=%5B1%2C2%5D",
            |seen| {
                seen.did(&["set", "set"])
                    && seen.tasks[0]["share_name"] == "both"
                    && seen.tasks[1]["share_name"] == "both"
            },
        ),
        sets!(task_name: "renamed".into(), "task_ids=%5B2%5D&task_name=%22renamed%22", |row| row["task_name"] == "renamed"),
        sets!(devices: vec![machine()],
            "devices=%5B%7B%22device_uuid%22%3A%2250-1%22%2C%22host_name%22%3A%22vm%22%2C%22inventory_id%22%3A4%2C\
             %22inventory_name%22%3A%22vcenter%22%2C%22os_name%22%3A%22Linux%22%2C%22vm_moid_path%22%3A%22vm-123%22\
             %7D%5D&task_ids=%5B2%5D",
            |row| row["devices"][0]["host_name"] == "vm"),
        sets!(share_name: "other".into(), "share_name=%22other%22&task_ids=%5B2%5D", |row| row["share_name"] == "other"),
        sets!(retention_policy: retention(),
            "retention_policy=%7B%22keep_all%22%3Afalse%2C%22keep_versions%22%3A7%7D&task_ids=%5B2%5D",
            |row| row["retention_policy"]["keep_versions"] == 7),
        sets!(sched_content: schedule(),
            "sched_content=%7B%22repeat_type%22%3A%22Weekly%22%2C%22run_hour%22%3A3%2C%22run_weekday%22%3A%5B0%5D%7D\
             &task_ids=%5B2%5D",
            |row| row["sched_content"]["run_hour"] == 3),
        sets!(view_type: "vim.VirtualMachine-Folder".into(), "task_ids=%5B2%5D&view_type=%22vim.VirtualMachine-Folder%22",
            |row| row["view_type"] == "vim.VirtualMachine-Folder"),
        sets!(check_folders: vec![CheckFolder { inventory_id: 4, folder_id: "group-v3".into(), ..CheckFolder::default() }],
            "check_folders=%5B%7B%22exclusive_folder_id%22%3A%5B%5D%2C%22exclusive_folder_path%22%3A%5B%5D%2C\
             %22exclusive_vm_id%22%3A%5B%5D%2C%22exclusive_vm_path%22%3A%5B%5D%2C%22folder_id%22%3A%22group-v3%22%2C\
             %22folder_path%22%3A%22%22%2C%22folder_type%22%3A%22%22%2C%22inventory_id%22%3A4%2C%22viewtype%22%3A%22%22\
             %7D%5D&task_ids=%5B2%5D",
            |row| row["check_folders"][0]["folder_id"] == "group-v3"),
        sets!(max_concurrent_devices: 2, "max_concurrent_devices=2&task_ids=%5B2%5D", |row| row["max_concurrent_devices"] == 2),
    ]
}

/// The checks: every parameter of `create_vm` is one of the check, too, and comes back in the list of checks.
fn checks() -> Vec<Cell> {
    vec![
        task(
            "SYNO.ActiveBackup.Task create_vm_check",
            &[],
            Invocation::create_vm_check(&CreateVm::default()),
            "api=SYNO.ActiveBackup.Task&version=1&method=create_vm_check",
            |seen| seen.data == json!({"aem_check_list": [], "check_list": []}) && seen.checks == json!([]),
        ),
        task(
            "SYNO.ActiveBackup.Task create_vm_check",
            &[
                "task_name",
                "devices",
                "share_name",
                "max_concurrent_devices",
                "retention_policy",
                "sched_content",
                "cbt_enable_mode",
                "datastore_reserved_percentage",
                "enable_app_aware_bkp",
                "enable_compress_transfer",
                "enable_datastore_aware",
                "enable_encrypt_transfer",
                "enable_verification",
                "verification_policy",
                "view_type",
                "scripts",
                "users",
                "groups",
            ],
            Invocation::create_vm_check(&CreateVm {
                task_name: Some("new".into()),
                devices: Some(vec![machine()]),
                share_name: Some("share".into()),
                max_concurrent_devices: Some(4),
                retention_policy: Some(retention()),
                sched_content: Some(schedule()),
                cbt_enable_mode: Some(true),
                datastore_reserved_percentage: Some(5),
                enable_app_aware_bkp: Some(true),
                enable_compress_transfer: Some(true),
                enable_datastore_aware: Some(true),
                enable_encrypt_transfer: Some(true),
                enable_verification: Some(true),
                verification_policy: Some(120),
                view_type: Some("vim.VirtualMachine-Folder".into()),
                scripts: Some(json!({})),
                users: Some(vec![1026]),
                groups: Some(vec![101]),
                extra: Extra::new(),
            }),
            "api=SYNO.ActiveBackup.Task&version=1&method=create_vm_check&cbt_enable_mode=true\
             &datastore_reserved_percentage=5&devices=%5B%7B%22device_uuid%22%3A%2250-1%22%2C%22host_name%22%3A%22vm%22%2C\
             %22inventory_id%22%3A4%2C%22inventory_name%22%3A%22vcenter%22%2C%22os_name%22%3A%22Linux%22%2C\
             %22vm_moid_path%22%3A%22vm-123%22%7D%5D&enable_app_aware_bkp=true&enable_compress_transfer=true\
             &enable_datastore_aware=true&enable_encrypt_transfer=true&enable_verification=true&groups=%5B101%5D\
             &max_concurrent_devices=4&retention_policy=%7B%22keep_all%22%3Afalse%2C%22keep_versions%22%3A7%7D\
             &sched_content=%7B%22repeat_type%22%3A%22Weekly%22%2C%22run_hour%22%3A3%2C%22run_weekday%22%3A%5B0%5D%7D\
             &scripts=%7B%7D&share_name=%22share%22&task_name=%22new%22&users=%5B1026%5D&verification_policy=120\
             &view_type=%22vim.VirtualMachine-Folder%22",
            |seen| {
                let check = &seen.checks[0];
                seen.did(&[])
                    && check["devices"][0]["vm_moid_path"] == "vm-123"
                    && check["groups"] == json!([101])
                    && check.as_object().unwrap().len() == 19
            },
        ),
        task(
            "SYNO.ActiveBackup.Task list_vm_check",
            &[],
            Invocation::list_vm_check(&VmCheck::default()),
            "api=SYNO.ActiveBackup.Task&version=1&method=list_vm_check",
            |seen| seen.data == json!([]),
        ),
        task(
            "SYNO.ActiveBackup.Task vm_check_cancel",
            &[],
            Invocation::vm_check_cancel(&VmCheck::default()),
            "api=SYNO.ActiveBackup.Task&version=1&method=vm_check_cancel",
            |seen| seen.did(&[]) && seen.data.is_null(),
        ),
    ]
}
