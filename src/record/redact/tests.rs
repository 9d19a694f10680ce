#![allow(clippy::unwrap_used, reason = "a test that cannot go on has to panic")]

use super::*;
use serde_json::json;

fn redacted(value: &Value) -> Value {
    let once = redact(value.to_string().as_bytes()).unwrap();
    assert_eq!(redact(once.to_string().as_bytes()).unwrap(), once, "stable");
    once
}

#[test]
fn shape_stays_and_names_go() {
    let answer = json!({"success": true, "data": {"total": 2, "tasks": [
        {"task_id": 1, "task_name": "payroll", "unikey": "75711daf-8ee1-4bcb-bd84-2b04e9983f6d", "view_type": "",
         "status": "backingup", "target_status": "on-line", "share_name": "Backups", "target_dir": "PC-PETERM",
         "retention_policy": {"gfs_days": "7"}, "login_user_id": 1027, "trigger_uid": "1027",
         "devices": [{"host_name": "fs01", "host_ip": "10.1.2.3", "agent_token": {"a": 1}, "login_user": "peterm",
                      "os_name": "Windows 11(64-bit)", "mssql_password": ""}],
         "sched_content": "{\"run_hour\":3,\"owner\":\"peterm\",\"repeat_type\":\"Weekly\"}"},
        {"task_id": 2, "task_name": "payroll", "unikey": "not-a-uuid", "os_name": "peterm's PC",
         "devices": [{"host_name": "fs02", "host_ip": "fe80::1"}, {"host_name": "fs01", "host_ip": "10.1.2.3"}]},
        null, "free text", 1.5]}});
    assert_eq!(
        redacted(&answer),
        json!({"success": true, "data": {"total": 2, "tasks": [
            {"task_id": 1, "task_name": "task-1", "unikey": "00000000-0000-4000-8000-000000000001", "view_type": "",
             "status": "backingup", "target_status": "text-1", "share_name": "share-1", "target_dir": "/path-1",
             "retention_policy": {"gfs_days": "7"}, "login_user_id": 1, "trigger_uid": "1",
             "devices": [{"host_name": "host-1", "host_ip": "192.0.2.2", "agent_token": "REDACTED",
                          "login_user": "user-1", "os_name": "Windows 11(64-bit)", "mssql_password": "REDACTED"}],
             "sched_content": "{\"owner\":\"user-1\",\"repeat_type\":\"Weekly\",\"run_hour\":3}"},
            {"task_id": 2, "task_name": "task-1", "unikey": "00000000-0000-4000-8000-000000000002", "os_name": "text-2",
             "devices": [{"host_name": "host-2", "host_ip": "192.0.2.3"}, {"host_name": "host-1", "host_ip": "192.0.2.2"}]},
            null, "text-3", 1.5]}})
    );
}

#[test]
fn what_is_known_to_be_impersonal_stays() {
    for answer in [
        json!({"success": true, "data": {"model": "DS918+", "version_string": "DSM 7.2.1-69057 Update 5", "version": "69057"}}),
        json!({"success": true, "data": {"SYNO.API.Auth": {"path": "entry.cgi", "minVersion": 1, "maxVersion": 7, "requestFormat": "JSON"}}}),
        json!({"success": true, "data": {"settings": [{"name": "max_concurrent_devices", "value": "5"}, {"name": "enable_x", "value": "true"}]}}),
        json!({"success": true, "data": {"packages": [{"id": "ActiveBackup", "version": "2.7.0-13164", "additional": {"status": "running"}}]}}),
        json!({"success": false, "error": {"code": 120, "errors": {"name": "task_ids", "reason": "required"}}}),
        json!({"success": false, "error": {"code": 403, "errors": {"token": "REDACTED", "types": [{"type": "otp"}]}}}),
    ] {
        assert_eq!(redacted(&answer), answer);
    }
}

#[test]
fn the_same_words_elsewhere_go() {
    let answer = json!({"success": false, "error": {"code": 402, "errors": "Execute Error: peterm"}, "name": "task_ids",
        "data": {"cert": {"name": "max_devices"}, "fs.example.com": 1, "FS01": {"10.1.2.3": "x"}, "_a b": 2, "model": "PETERM-PC",
                 "serial": "1780PDN000000", "serial_number": "1780PDN000000", "user_name": "1027", "version": "peterm 1"}});
    let text = redacted(&answer).to_string();
    for word in [
        "peterm",
        "PETERM",
        "fs.example",
        "FS01",
        "10.1.2.3",
        "_a b",
        "1780",
        "1027",
        "task_ids",
        "max_devices",
        "Execute",
    ] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}

#[test]
fn what_is_no_json_is_its_length() {
    for (body, kind) in [
        (&b""[..], BodyKind::Empty),
        (b" \n", BodyKind::Empty),
        (b" <html>fs01</html>", BodyKind::Html),
        (b"{\"success\":tr", BodyKind::Text),
        (b"{\"a\":\"\xff\"}", BodyKind::Binary),
    ] {
        let error = redact(body).unwrap_err();
        assert_eq!(
            error,
            NotJson {
                kind,
                bytes: body.len()
            }
        );
        assert!(!error.to_string().contains("fs01"));
    }
}

#[test]
fn fields_of_a_request() {
    let mut redactor = Redactor::default();
    let fields = redactor.fields([
        ("api", "SYNO.ActiveBackup.Log"),
        ("_sid", "secret"),
        ("SynoToken", "secret"),
        ("otp_code", "123456"),
        ("task_id", "5"),
        ("load_result", "true"),
        ("filter", "{\"key_word\":\"fs01\",\"status\":2}"),
        ("additional", "[\"status\"]"),
        ("x-y", "fs01"),
        ("host_name", "\"fs01\""),
    ]);
    let expected = [
        ("additional", "[\"status\"]"),
        ("filter", "{\"key_word\":\"text-1\",\"status\":2}"),
        ("host_name", "\"host-1\""),
        ("key_1", "text-1"),
        ("load_result", "true"),
        ("otp_code", "REDACTED"),
        ("task_id", "5"),
    ];
    let found: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    assert_eq!(found, expected);
    assert_eq!(
        redactor.body(br#"{"host_name":"fs01"}"#).unwrap(),
        json!({"host_name": "host-1"}),
        "one recording, one pseudonym"
    );
}

#[test]
fn there_are_addresses_for_all() {
    let addresses: BTreeSet<String> = (1..2_000).map(address).collect();
    assert_eq!(addresses.len(), 1_999);
    assert!(
        addresses
            .iter()
            .all(|text| text.parse::<std::net::IpAddr>().is_ok())
    );
}
