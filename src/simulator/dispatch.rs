//! From a call to the method that answers it. What is not named here is answered with 103, whether or not the
//! catalogue offers its API.

use serde_json::{Value, json};

use super::call::{Answer, ApiCall, Failure, as_number};
use super::core::{Nas, outcome};
use super::storage;

impl Nas {
    /// Answers a call that has been admitted.
    pub(super) fn execute(
        &mut self,
        call: &ApiCall,
        user: Option<&str>,
        cookies: &mut Vec<String>,
    ) -> Answer {
        let user = user.unwrap_or_default();
        let method = call.method.as_str();
        if let Some(part) = call.api.strip_prefix("SYNO.ActiveBackup.") {
            return match part {
                "Task" => self.task_method(method, call, user),
                "Version" => self.version_method(method, call, user),
                _ => self.package_method(part, method, call, user),
            };
        }
        match (call.api.as_str(), method) {
            ("SYNO.API.Info", "query") => Ok(Some(self.offer().query(call.text("query").as_deref()))),
            ("SYNO.API.Auth", "login") => self.login(call, cookies),
            ("SYNO.API.Auth", "logout") => {
                self.logout(call);
                Ok(None)
            }
            ("SYNO.API.Auth.UIConfig", "get") => Ok(Some(self.login_page(cookies))),
            ("SYNO.API.Encryption", "getinfo") => Ok(Some(self.encryption_info())),
            ("SYNO.Entry.Request", "request") => self.compound(call),
            ("SYNO.DSM.Info", "getinfo") => Ok(Some(self.dsm_info())),
            ("SYNO.Core.System", "info") => Ok(Some(self.system_info())),
            ("SYNO.Core.Package", "list") => Ok(Some(self.packages(call))),
            ("SYNO.Core.Package", "get") => self.package_info(call),
            _ => Err(Failure::code(103)),
        }
    }

    fn task_method(&mut self, method: &str, call: &ApiCall, user: &str) -> Answer {
        match method {
            "list" => Ok(Some(self.list(call))),
            "list_with_device" => Ok(Some(self.list_with_device(call))),
            "backup" => self.call_backup(call, user),
            "cancel" => self.call_cancel(call, user),
            "cancel_waiting_backup" => self.call_cancel_waiting(call, user),
            "remove" => self.call_remove(call, user),
            "create_vm" | "create_agent" | "create_agentless" => self.call_create(call, user),
            "set" => self.call_set(call, user),
            "list_vm_check" => Ok(Some(self.list_checks())),
            "create_vm_check" => Ok(Some(self.create_check(call))),
            "vm_check_cancel" => {
                self.cancel_checks();
                Ok(None)
            }
            "get_default_task_name" => self.default_task_name(call),
            _ => Err(Failure::code(103)),
        }
    }

    fn version_method(&mut self, method: &str, call: &ApiCall, user: &str) -> Answer {
        match method {
            "list" => self.list_versions(call),
            "lock" => self.lock_versions(call, true),
            "unlock" => self.lock_versions(call, false),
            "delete" => self.call_delete_versions(call, user),
            _ => Err(Failure::code(103)),
        }
    }

    fn package_method(&mut self, part: &str, method: &str, call: &ApiCall, user: &str) -> Answer {
        match (part, method) {
            ("Log", "list_result") => Ok(Some(self.list_result(call))),
            ("Log", "list_log") => Ok(Some(self.list_log(call))),
            ("Log", "list_result_detail") => self.list_result_detail(call),
            ("Overview", "list_activity") => Ok(Some(self.list_activity())),
            ("Overview", "list_device_transfer_size") => self.list_transfers(call),
            ("Overview", "list_device_last_backup") => Ok(Some(self.list_last_backups())),
            ("Device", "list") => Ok(Some(self.list_devices(call))),
            ("Device", "list_tasks") => self.list_tasks_of_devices(call),
            ("Setting", "list") => Ok(Some(self.settings())),
            ("Setting", "set") => self.change_settings(call, user),
            ("Activation", "get") => Ok(Some(self.activation())),
            ("Share", "list") => Ok(Some(storage::shares())),
            ("Share", "list_storage") => Ok(Some(self.storages())),
            ("Share", "list_volume") => Ok(Some(storage::volumes())),
            ("General", "get_sys_mem_info") => Ok(Some(storage::memory())),
            ("TaskTemplate", "list") => Ok(Some(self.templates())),
            ("Inventory", "list") => Ok(Some(json!([]))),
            ("AEM", "get_info") => Ok(Some(json!({"addr": "", "role": "", "status": ""}))),
            _ => Err(Failure::code(103)),
        }
    }

    /// `SYNO.Entry.Request` `request`: several calls in one, one after the other.
    fn compound(&mut self, call: &ApiCall) -> Answer {
        let Some(Value::Array(parts)) = call.value("compound") else {
            return Err(Failure::code(113));
        };
        let stop = call.flag("stop_when_error");
        let (mut result, mut has_fail) = (Vec::new(), false);
        for part in parts {
            let Value::Object(part) = part else {
                return Err(Failure::code(113));
            };
            let text = |name: &str| {
                part.get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let version = part.get("version").and_then(as_number);
            let fields = part
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "api" | "method" | "version"));
            let inner = ApiCall {
                api: text("api"),
                method: text("method"),
                version,
                fields: fields
                    .map(|(name, value)| (name.clone(), value.to_string()))
                    .collect(),
                ..call.clone()
            };
            let seq = self.arrive(&inner);
            let answer = if has_fail && stop {
                Err(Failure::code(112))
            } else if inner.api == "SYNO.Entry.Request" {
                Err(Failure::code(113))
            } else {
                let admitted = self.admit(&inner);
                admitted.and_then(|user| self.execute(&inner, user.as_deref(), &mut Vec::new()))
            };
            self.ledger.answered(seq, outcome(&answer));
            has_fail |= answer.is_err();
            let mut entry = self.envelope(&answer);
            entry["api"] = json!(inner.api);
            entry["method"] = json!(inner.method);
            entry["version"] = json!(version);
            result.push(entry);
        }
        Ok(Some(json!({"has_fail": has_fail, "result": result})))
    }
}
