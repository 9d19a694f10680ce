//! What makes and changes tasks: `create_vm`, `create_agent`, `create_agentless` and `set`. The names of their
//! fields are public only in part, so that every field of a call becomes a field of the row, known or not.

use serde_json::{Map, Value, json};

use super::answers::CreateAnswer;
use super::call::{Answer, ApiCall, Failure, as_number};
use super::core::Nas;
use super::ledger::Origin;
use super::scenario::{DeviceSpec, TaskSpec};
use super::tasks::Device;

/// Fields of `list` that `list_with_device` lacks.
const ONLY_LISTED: &[&str] = &[
    "allow_manual_backup",
    "device_count",
    "next_trigger_time",
    "share_compressed",
    "storage_compress_algorithm",
    "storage_encrypt_algorithm",
    "vm_folder",
];

impl Nas {
    /// `SYNO.ActiveBackup.Task` `create_vm`, `create_agent` and `create_agentless`.
    pub(super) fn call_create(&mut self, call: &ApiCall, user: &str) -> Answer {
        let name = call.text("task_name").filter(|name| !name.is_empty());
        let name = name.ok_or(Failure::missing("task_name"))?;
        if self.tasks.values().any(|task| task.name == name) {
            return Err(Failure::code(4003));
        }
        let mut fields = call.given();
        fields.remove("task_name");
        let devices = self.devices_of(&mut fields);
        let backup_type = match call.method.as_str() {
            "create_vm" => 1,
            "create_agentless" => 4,
            _ => fields.get("backup_type").and_then(as_number).unwrap_or(2),
        };
        let spec = TaskSpec {
            id: Some(self.last_task + 1),
            name: Some(name),
            backup_type: Some(backup_type),
            devices: Some(Vec::new()),
            ..TaskSpec::default()
        };
        let id = self.add_task(spec).map_err(|_| Failure::code(1001))?;
        if let Some(task) = self.tasks.get_mut(&id) {
            task.devices = devices.unwrap_or_default();
        }
        self.fill(id, fields);
        self.log(id, 1001, 2, None, user);
        self.enter_task("create", id, user);
        Ok(match self.scenario.behaviour.create_answer {
            CreateAnswer::Nothing => None,
            CreateAnswer::TaskId => Some(json!({"task_id": id})),
        })
    }

    /// `SYNO.ActiveBackup.Task` `set`: the same changes for every task of the call.
    pub(super) fn call_set(&mut self, call: &ApiCall, user: &str) -> Answer {
        let mut fields = call.given();
        fields.remove("task_ids");
        let name = fields.remove("task_name").map(|name| match name {
            Value::String(name) => name,
            other => other.to_string(),
        });
        let devices = self.devices_of(&mut fields);
        self.for_each_task(call, |nas, id| {
            if let Some(name) = &name {
                let taken = |task: &super::tasks::Task| task.id != id && task.name == *name;
                if nas.tasks.values().any(taken) {
                    return Err(4003);
                }
            }
            if let Some(task) = nas.tasks.get_mut(&id) {
                task.name = name.clone().unwrap_or_else(|| task.name.clone());
                task.devices = devices.clone().unwrap_or_else(|| task.devices.clone());
            }
            nas.fill(id, fields.clone());
            nas.enter_task("set", id, user);
            Ok(())
        })
    }

    /// Puts the fields of a call into the rows of a task.
    fn fill(&mut self, id: i64, mut fields: Map<String, Value>) {
        if let Some(Value::Object(policy)) = fields.get_mut("retention_policy") {
            let defaults = self.seed.task.get("retention_policy");
            for (name, value) in policy.iter_mut().filter(|(_, value)| value.is_null()) {
                *value = defaults
                    .and_then(|policy| policy.get(name))
                    .cloned()
                    .unwrap_or_default();
            }
        }
        let Some(task) = self.tasks.get_mut(&id) else {
            return;
        };
        for (name, value) in fields {
            if !ONLY_LISTED.contains(&name.as_str()) {
                task.device_row.insert(name.clone(), value.clone());
            }
            task.row.insert(name, value);
        }
    }

    /// The devices that a call names, by their ids or by what is known of them; none where it names none.
    fn devices_of(&self, fields: &mut Map<String, Value>) -> Option<Vec<Device>> {
        let named = fields.remove("devices").or_else(|| fields.remove("device_ids"))?;
        let Value::Array(named) = named else {
            return None;
        };
        let known = || self.tasks.values().flat_map(|task| &task.devices);
        let mut last = known().map(|device| device.id).max().unwrap_or_default();
        let mut devices = Vec::new();
        for item in named {
            let id = as_number(&item).or_else(|| item.get("device_id").and_then(as_number));
            let same = known().find(|device| Some(device.id) == id).cloned();
            let mut device = same.unwrap_or_else(|| {
                last += 1;
                let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
                let spec = DeviceSpec {
                    id: id.unwrap_or(last),
                    host_name: text("host_name"),
                    os_name: text("os_name"),
                };
                self.device(spec, self.last_task + 1)
            });
            if let Value::Object(given) = item {
                device.row.extend(given.clone());
                device.info.extend(given);
                let id = json!(device.id);
                device.row.insert("device_id".to_owned(), id.clone());
                device.info.insert("device_id".to_owned(), id);
            }
            devices.push(device);
        }
        Some(devices)
    }

    /// Enters an effect on a task that is not a job.
    pub(super) fn enter_task(&mut self, kind: &str, id: i64, user: &str) {
        let mut effect = self.effect(kind, Some(user), Origin::Api);
        let task = self.tasks.get(&id);
        effect.task_id = Some(id);
        effect.unique_key = task.map(|task| task.unique_key.clone());
        effect.task_name = task.map(|task| task.name.clone());
        self.ledger.enter(effect);
    }
}
