//! Shapes that clients have to expect: refusals in other forms, and rows with types, gaps and values that some
//! versions of the package send and no list of values contains.

use serde_json::{Map, Value, json};

use super::answers::ErrorShape;

/// Bit of `job_action` that nobody knows.
const UNKNOWN_ACTION: i64 = 1 << 30;

/// Gives the refusal in an envelope another shape; a success stays as it is.
pub(super) fn refused(mut envelope: Value, shape: ErrorShape) -> Value {
    let Some(code) = envelope.pointer("/error/code").and_then(Value::as_i64) else {
        return envelope;
    };
    match shape {
        ErrorShape::Plain => {}
        ErrorShape::Object => envelope["error"]["errors"] = json!({"name": "task_ids", "reason": "required"}),
        ErrorShape::List => envelope["error"]["errors"] = json!([{"code": code, "path": ""}]),
        ErrorShape::Text => envelope["error"]["errors"] = json!("Execute Error: refused"),
        ErrorShape::CodeAsText => envelope["error"]["code"] = json!(code.to_string()),
        ErrorShape::Null => envelope["error"] = Value::Null,
        ErrorShape::Absent => {
            if let Value::Object(fields) = &mut envelope {
                fields.remove("error");
            }
        }
    }
    envelope
}

/// The shapes in which retention policies have been seen.
pub(super) fn retention(task_id: i64) -> Value {
    match task_id % 3 {
        0 => json!({"gfs_days": 7, "gfs_months": 12, "gfs_weeks": 4, "gfs_years": 3, "keep_all": false,
                    "keep_days": 30, "keep_versions": 7}),
        1 => json!({"gfs_days": "7", "gfs_months": "12", "gfs_weeks": "4", "gfs_years": "36",
                    "keep_all": false, "keep_versions": 7}),
        _ => json!({"gfs_days": "0", "gfs_months": "0", "gfs_weeks": "0", "gfs_years": null,
                    "keep_all": true, "keep_days": "0", "keep_versions": "0"}),
    }
}

/// Gives a row of a task types that some versions of the package send. Odd ids: numbers as strings, the schedule
/// as a JSON text. Even ids: nulls, also for devices. Every third: no `unikey`.
pub(super) fn disguise(row: &mut Map<String, Value>, task_id: i64) {
    if task_id % 2 == 0 {
        for name in [
            "pre_post_script_setting",
            "custom_volume",
            "workload_uuid",
            "devices",
            "device_info",
        ] {
            if row.contains_key(name) || !name.starts_with("device") {
                row.insert(name.to_owned(), Value::Null);
            }
        }
        row.entry("progress").or_insert(Value::Null);
        row.remove("sched_uuid");
    } else {
        for name in ["backup_type", "source_type", "next_trigger_time", "storage_id"] {
            as_text(row, name);
        }
        if let Some(schedule) = row.get_mut("sched_content") {
            *schedule = json!(schedule.to_string());
        }
    }
    if task_id % 3 == 0 {
        row.remove("unikey");
    }
    if let Some(Value::Object(progress)) = row.get_mut("progress") {
        for name in ["percentage", "pid", "running_task_status", "transfered_bytes"] {
            as_text(progress, name);
        }
    }
    if let Some(Value::Object(result)) = row.get_mut("last_result") {
        if task_id % 2 == 0 {
            result.insert("activity_uuid".to_owned(), json!(""));
            result.remove("none_count");
        } else {
            result.remove("activity_uuid");
        }
        for name in [
            "time_start",
            "time_end",
            "transfered_bytes",
            "error_count",
            "warning_count",
        ] {
            as_text(result, name);
        }
    }
}

/// Turns a number into a string.
fn as_text(row: &mut Map<String, Value>, name: &str) {
    if let Some(value) = row.get_mut(name)
        && value.is_number()
    {
        *value = json!(value.to_string());
    }
}

/// Gives a row of a task kinds and a textual status that nobody knows.
pub(super) fn estrange(row: &mut Map<String, Value>, task_id: i64) {
    row.insert("backup_type".to_owned(), json!(9));
    row.insert("source_type".to_owned(), json!(42));
    if row.contains_key("status") {
        row.insert("status".to_owned(), json!("sleeping"));
    }
    if let Some(Value::Object(result)) = row.get_mut("last_result") {
        estrange_result(result, task_id);
    }
}

/// Gives a result a status that nobody knows where the id of its task is even, and an action with an unknown bit
/// where it can be divided by three.
pub(super) fn estrange_result(result: &mut Map<String, Value>, task_id: i64) {
    if task_id % 2 == 0 {
        result.insert("status".to_owned(), json!(42));
    }
    if task_id % 3 == 0 {
        let action = result
            .get("job_action")
            .and_then(Value::as_i64)
            .unwrap_or_default();
        result.insert("job_action".to_owned(), json!(action | UNKNOWN_ACTION));
    }
}
