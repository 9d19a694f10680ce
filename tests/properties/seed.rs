//! The published captures and answers like them.

use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../fixtures/seed/SYNO.ActiveBackup.Task.md");

/// The captured answer of a method.
pub fn answer(method: &str) -> Value {
    let heading = format!("#### Method: `{method}`\n");
    let section = DOCUMENT.split_once(&heading).unwrap().1;
    let body = section
        .split_once("```json")
        .unwrap()
        .1
        .split("```")
        .next()
        .unwrap();
    serde_json::from_str(body).unwrap()
}

/// The captured list with its data as a text.
pub fn list_as_text() -> Value {
    let mut answer = answer("list");
    answer["data"] = json!(answer["data"].to_string());
    answer
}

/// The captured list with rows of all kinds.
pub fn list_of_many() -> Value {
    let mut answer = answer("list");
    let row = answer["data"]["tasks"][0].clone();
    let as_text = json!(row.to_string());
    answer["data"]["tasks"] = json!([row, null, 7, [], {}, as_text, row]);
    answer
}

pub fn results() -> Value {
    let row = answer("list_with_device")["data"]["tasks"][0]["last_result"].clone();
    let with = |id: i64, status: i64, end: i64| {
        let mut row = row.clone();
        row["result_id"] = json!(id);
        row["status"] = json!(status);
        row["time_end"] = json!(end);
        row
    };
    json!({"success": true, "data": {"count": 3, "results": [with(5, 2, 1_762_848_525), with(9, 1, 0), with(7, 4, 1)]}})
}

pub fn catalogue() -> Value {
    let entry = |path: &str, max: i64| json!({"path": path, "minVersion": 1, "maxVersion": max, "requestFormat": "JSON"});
    json!({"success": true, "data": {
        "SYNO.API.Auth": entry("auth.cgi", 7),
        "SYNO.ActiveBackup.Task": entry("entry.cgi", 2),
    }})
}

pub fn envelopes() -> Vec<Value> {
    let mut all = vec![json!({"success": true}), json!({"success": true, "data": []})];
    for code in [
        100, 103, 105, 119, 120, 402, 1010, 1104, 1202, 1209, 4004, 4007, 5001, 9999,
    ] {
        all.push(json!({"success": false, "error": {"code": code, "errors": {"name": "task_ids", "reason": "required"}}}));
    }
    all
}

pub fn all() -> Vec<Value> {
    let mut all = vec![answer("list"), answer("list_with_device"), results(), catalogue()];
    all.extend(envelopes());
    all
}
