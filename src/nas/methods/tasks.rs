//! The fourteen methods of `SYNO.ActiveBackup.Task`.

use super::Confidence::{Code, Documented, Guess, Inferred};
use super::{Confidence, Effect, Kind, Method, Parameter, optional, required};
use crate::nas::error::Call;

const fn method(
    method: &'static str,
    effect: Effect,
    (fact, confidence): (&'static str, Confidence),
    answer: &'static str,
    unknown: &'static str,
    parameters: &'static [Parameter],
) -> Method {
    Method {
        call: Call {
            api: "SYNO.ActiveBackup.Task",
            method,
        },
        version: 1,
        effect,
        confidence,
        fact,
        answer,
        unknown,
        parameters,
    }
}

const fn task_ids(fact: &'static str) -> Parameter {
    required("task_ids", Kind::Integers, fact, Documented, "Mutation")
}

/// The parameters of `create_vm`, and of the check before it.
const CREATE_VM: &[Parameter] = &[
    optional("task_name", Kind::Text, "3.7", Code, "CreateVm"),
    optional("devices", Kind::Objects, "3.7", Code, "CreateVm"),
    optional("share_name", Kind::Text, "3.7", Code, "CreateVm"),
    optional("max_concurrent_devices", Kind::Integer, "3.7", Code, "CreateVm"),
    optional("retention_policy", Kind::Object, "3.7", Code, "CreateVm"),
    optional("sched_content", Kind::Object, "3.7", Code, "CreateVm"),
    optional("cbt_enable_mode", Kind::Boolean, "3.7", Code, "CreateVm"),
    optional(
        "datastore_reserved_percentage",
        Kind::Integer,
        "3.7",
        Code,
        "CreateVm",
    ),
    optional("enable_app_aware_bkp", Kind::Boolean, "3.7", Code, "CreateVm"),
    optional("enable_compress_transfer", Kind::Boolean, "3.7", Code, "CreateVm"),
    optional("enable_datastore_aware", Kind::Boolean, "3.7", Code, "CreateVm"),
    optional("enable_encrypt_transfer", Kind::Boolean, "3.7", Code, "CreateVm"),
    optional("enable_verification", Kind::Boolean, "3.7", Code, "CreateVm"),
    optional("verification_policy", Kind::Integer, "3.7", Code, "CreateVm"),
    optional("view_type", Kind::Text, "3.7", Code, "CreateVm"),
    optional("scripts", Kind::Object, "3.7", Code, "CreateVm"),
    optional("users", Kind::Integers, "3.7", Code, "CreateVm"),
    optional("groups", Kind::Integers, "3.7", Code, "CreateVm"),
];

/// The guessed parameters of `create_agent` and `create_agentless`.
const CREATE_TASK: &[Parameter] = &[
    optional("task_name", Kind::Text, "3.7", Guess, "CreateTask"),
    optional("backup_type", Kind::Integer, "3.7", Guess, "CreateTask"),
    optional("source_type", Kind::Integer, "3.7", Guess, "CreateTask"),
    optional("custom_volume", Kind::Texts, "3.7", Guess, "CreateTask"),
    optional("devices", Kind::Any, "3.7", Guess, "CreateTask"),
    optional("share_name", Kind::Text, "3.7", Guess, "CreateTask"),
    optional("retention_policy", Kind::Object, "3.7", Guess, "CreateTask"),
    optional("sched_content", Kind::Object, "3.7", Guess, "CreateTask"),
    optional("agentless_backup_path", Kind::Text, "3.7", Guess, "CreateTask"),
    optional(
        "agentless_backup_policy",
        Kind::Integer,
        "3.7",
        Guess,
        "CreateTask",
    ),
];

pub(super) const METHODS: &[Method] = &[
    method(
        "backup",
        Effect::Starts,
        ("3.8", Documented),
        "nothing: no run id",
        "what it answers while the task runs or waits, outside its backup window and for an unknown task; whether \
         trigger_type is needed, and its values other than 1",
        &[
            task_ids("3.8"),
            optional("trigger_type", Kind::Integer, "3.8", Code, "Mutation"),
        ],
    ),
    method(
        "cancel",
        Effect::Stops,
        ("3.9", Documented),
        "nothing; the run ends later",
        "what it answers for a task that is idle, and whether it reaches a run that still waits",
        &[task_ids("3.9")],
    ),
    method(
        "cancel_waiting_backup",
        Effect::Stops,
        ("3.10", Guess),
        "nothing",
        "which waiting runs it hits: it takes no task id in any public record and may clear the whole queue",
        &[optional(
            "task_ids",
            Kind::Integers,
            "3.10",
            Guess,
            "CancelWaiting",
        )],
    ),
    method(
        "create_agent",
        Effect::Changes,
        ("3.7", Guess),
        "not recorded",
        "every parameter: none is public. In practice an agent creates its task from a template",
        CREATE_TASK,
    ),
    method(
        "create_agentless",
        Effect::Changes,
        ("3.7", Guess),
        "not recorded",
        "every parameter: none is public. A file server must have been created as a device before",
        CREATE_TASK,
    ),
    method(
        "create_vm",
        Effect::Changes,
        ("3.7", Code),
        "not recorded",
        "which parameters are required, and what it answers",
        CREATE_VM,
    ),
    method(
        "create_vm_check",
        Effect::Changes,
        ("3.6", Inferred),
        "aem_check_list, check_list",
        "whether it leaves a check behind; it is known without parameters only, where both lists are empty",
        CREATE_VM,
    ),
    method(
        "get_default_task_name",
        Effect::Reads,
        ("3.5", Documented),
        "a name, in a field that nobody has recorded",
        "the shape of its answer",
        &[required(
            "backup_type",
            Kind::Integer,
            "3.5",
            Documented,
            "DefaultTaskName",
        )],
    ),
    method(
        "list",
        Effect::Reads,
        ("3.1", Documented),
        "tasks, total, flags of what kinds there are",
        "the largest limit, and how long it takes with hundreds of tasks",
        &[
            optional("load_status", Kind::Boolean, "3.1", Code, "ListTasks"),
            optional("load_result", Kind::Boolean, "3.1", Documented, "ListTasks"),
            optional("load_devices", Kind::Boolean, "3.1", Inferred, "ListTasks"),
            optional("load_versions", Kind::Boolean, "3.1", Documented, "ListTasks"),
            optional("load_verify_status", Kind::Boolean, "3.1", Code, "ListTasks"),
            optional("filter", Kind::Object, "3.1", Code, "ListTasks"),
            optional("offset", Kind::Integer, "3.1", Code, "ListTasks"),
            optional("limit", Kind::Integer, "3.1", Code, "ListTasks"),
        ],
    ),
    method(
        "list_vm_check",
        Effect::Reads,
        ("3.6", Documented),
        "a list, empty in the one capture",
        "the shape of its rows",
        &[],
    ),
    method(
        "list_with_device",
        Effect::Reads,
        ("3.4", Documented),
        "one row per task and device, total, cms_info",
        "its filters",
        &[],
    ),
    method(
        "remove",
        Effect::Destroys,
        ("3.11", Documented),
        "nothing; the deletion goes on afterwards",
        "what it answers while the task runs; it deletes the task and every version of its backups",
        &[task_ids("3.11")],
    ),
    method(
        "set",
        Effect::Changes,
        ("3.7", Code),
        "not recorded",
        "what it answers; it changes every task of the list",
        &[
            required("task_ids", Kind::Integers, "3.7", Inferred, "SetTasks"),
            optional("task_name", Kind::Text, "3.7", Code, "SetTasks"),
            optional("devices", Kind::Objects, "3.7", Code, "SetTasks"),
            optional("share_name", Kind::Text, "3.7", Code, "SetTasks"),
            optional("retention_policy", Kind::Object, "3.7", Code, "SetTasks"),
            optional("sched_content", Kind::Object, "3.7", Code, "SetTasks"),
            optional("view_type", Kind::Text, "3.7", Code, "SetTasks"),
            optional("check_folders", Kind::Objects, "3.7", Code, "SetTasks"),
            optional("max_concurrent_devices", Kind::Integer, "3.7", Code, "SetTasks"),
        ],
    ),
    method(
        "vm_check_cancel",
        Effect::Stops,
        ("3.6", Documented),
        "nothing",
        "which checks it ends; it is known without parameters only",
        &[],
    ),
];
