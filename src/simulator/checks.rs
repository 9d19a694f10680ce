//! Checks of virtual machines before a task is made of them: one starts with `create_vm_check`, stands in
//! `list_vm_check` and ends with `vm_check_cancel`. Only that much is known; the fields of a check are those of the
//! call that started it.

use serde_json::{Map, Value, json};

use super::call::ApiCall;
use super::core::Nas;

/// A check under way.
#[derive(Debug, Clone)]
pub(super) struct Check {
    id: usize,
    fields: Map<String, Value>,
}

impl Check {
    fn listed(&self) -> Value {
        let mut row = self.fields.clone();
        row.insert("check_id".to_owned(), json!(self.id));
        Value::Object(row)
    }
}

impl Nas {
    /// `SYNO.ActiveBackup.Task` `create_vm_check`: without anything to check it starts none.
    pub(super) fn create_check(&mut self, call: &ApiCall) -> Value {
        let fields = call.given();
        if fields.is_empty() {
            return json!({"aem_check_list": [], "check_list": []});
        }
        let check = Check {
            id: self.checks.len() + 1,
            fields,
        };
        let answer = json!({"aem_check_list": [], "check_list": [check.listed()]});
        self.checks.push(check);
        answer
    }

    /// `SYNO.ActiveBackup.Task` `list_vm_check`.
    pub(super) fn list_checks(&self) -> Value {
        self.checks.iter().map(Check::listed).collect()
    }

    /// `SYNO.ActiveBackup.Task` `vm_check_cancel`: ends every check.
    pub(super) fn cancel_checks(&mut self) {
        self.checks.clear();
    }
}
