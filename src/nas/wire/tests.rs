//! Answers as real NAS gave them, and as they may also come.

use super::*;
use crate::nas::model::{
    Activity, Device, LogRow, Progress, ResultDevice, ResultId, ResultRow, Task, TaskId, UniqueKey, Version,
};

/// A capture of a real NAS, secrets replaced by `REDACTED`.
const SEED: &str = include_str!("../../../tests/fixtures/seed/SYNO.ActiveBackup.Task.md");

/// The captured answer of `method`.
fn seed(method: &str) -> &'static [u8] {
    let section = SEED.split(&format!("#### Method: `{method}`\n")).nth(1).unwrap();
    let section = section.split("#### Method").next().unwrap();
    let json = section.split("```json\n").nth(1).unwrap();
    json.split("\n```").next().unwrap().as_bytes()
}

/// The list as a whole, which is what it also is in pieces of any length.
fn task_list(body: &[u8]) -> Result<TaskList, Fault> {
    let whole = super::task_list(body);
    for length in [1, 2, 3, 7, 64, body.len().max(1)] {
        assert_eq!(
            in_pieces(body, length),
            whole,
            "{length}: {}",
            String::from_utf8_lossy(body)
        );
    }
    whole
}

fn in_pieces(body: &[u8], length: usize) -> Result<TaskList, Fault> {
    let mut tasks = vec![one_before()];
    let mut stream = TaskStream::new(&mut tasks);
    for piece in body.chunks(length) {
        stream.push(piece)?;
    }
    let end = stream.finish()?;
    assert_eq!(end.rows, tasks.len());
    let list = TaskList {
        tasks,
        total: end.total,
        unreadable_rows: end.unreadable_rows,
    };
    assert_eq!(end.is_complete(), list.is_complete());
    Ok(list)
}

/// What a sink holds of an earlier list.
fn one_before() -> Task {
    let body = br#"{"success":true,"data":{"tasks":[{"task_id":77}]}}"#;
    super::task_list(body).unwrap().tasks.remove(0)
}

/// The one task of a list with this row.
fn one(row: &str) -> Task {
    let body = format!(r#"{{"success":true,"data":{{"tasks":[{row}],"total":1}}}}"#);
    task_list(body.as_bytes()).unwrap().tasks.remove(0)
}

#[test]
fn the_captured_list() {
    let list = task_list(seed("list")).unwrap();
    assert_eq!(
        (list.tasks.len(), list.total, list.unreadable_rows),
        (1, Some(5), 0)
    );
    assert!(!list.is_complete(), "the capture was cut to one of five rows");
    let device = Device {
        id: Some(1),
        host_name: "HOSTNAME".into(),
        os_name: Some("Windows 11(64-bit)".into()),
    };
    assert_eq!(
        list.tasks[0],
        Task {
            id: TaskId(1),
            name: "peterm-Default".into(),
            unique_key: UniqueKey::new("75711daf-8ee1-4bcb-bd84-2b04e9983f6d"),
            backup_type: Some(2),
            source_type: Some(3),
            device_count: Some(1),
            devices: vec![device],
            share_name: Some("ActiveBackupforBusiness".into()),
            version_count: None,
            versions: None,
            next_trigger_time: Some(1_763_884_800),
            allow_manual_backup: Some(true),
            status: None,
            target_status: None,
            progress: None,
            last_result: None,
        }
    );
    assert!(
        !format!("{list:?}").contains("REDACTED"),
        "secrets are never stored"
    );
}

#[test]
fn the_captured_list_with_device() {
    let list = device_task_list(seed("list_with_device")).unwrap();
    assert_eq!((list.tasks.len(), list.total), (1, Some(5)));
    assert!(!list.is_complete());
    let row = &list.tasks[0];
    assert_eq!(row.unique_id.as_deref(), Some("1-1"));
    assert_eq!(row.task.devices.len(), 1);
    assert_eq!(row.task.devices[0].host_name, "HOSTNAME");
    assert_eq!(
        (row.task.allow_manual_backup, row.task.next_trigger_time),
        (None, None)
    );
    let result = row.task.last_result.clone().unwrap();
    assert!(result.is_backup() && result.is_finished());
    assert_eq!(
        result,
        ResultRow {
            result_id: ResultId(7544),
            activity_uuid: Some("a62f9539-dbbc-4813-b293-c338f40f73df".into()),
            task_id: Some(TaskId(1)),
            task_name: Some("peterm-Default".into()),
            backup_type: Some(2),
            job_action: 1,
            status: 2,
            time_start: Some(1_762_848_003),
            time_end: Some(1_762_848_525),
            success_count: Some(0),
            warning_count: Some(0),
            error_count: Some(0),
            none_count: Some(0),
            transferred_bytes: Some(4_754_168_380),
            devices: vec![ResultDevice {
                id: Some(1),
                host_name: "HOSTNAME".into()
            }],
        }
    );
    assert!(
        !format!("{list:?}").contains("REDACTED"),
        "secrets are never stored"
    );
}

#[test]
fn captured_actions_without_data() {
    assert_eq!(verdict(seed("cancel_waiting_backup")), Ok(()));
    assert_eq!(verdict(seed("list_vm_check")), Ok(()));
}

#[test]
fn a_task_of_strings_and_nulls() {
    let task = one(
        r#"{"task_id":"12","task_name":null,"unikey":"","backup_type":"2","next_trigger_time":-1,
        "devices":null,"device_info":{"device_id":"9","host_name":null},"allow_manual_backup":"0","status":2,
        "version_count":"3","versions":[{"version_id":"5","locked":1,"used_size":"77","time_end":0},null,{}],
        "target_status":"","progress":[],"last_result":{},"new_field":{"deep":[1,{"x":null}]}}"#,
    );
    assert_eq!(
        (task.id, task.name.as_str(), &task.unique_key),
        (TaskId(12), "", &None)
    );
    assert_eq!(
        (task.next_trigger_time, task.allow_manual_backup),
        (None, Some(false))
    );
    assert_eq!((task.status.as_deref(), &task.target_status), (Some("2"), &None));
    assert_eq!(
        task.devices,
        [Device {
            id: Some(9),
            host_name: String::new(),
            os_name: None
        }]
    );
    let version = Version {
        id: 5,
        status: None,
        time_start: None,
        time_end: None,
        locked: true,
        used_size: Some(77),
    };
    assert_eq!(
        (task.version_count, task.versions),
        (Some(3), None),
        "one that cannot be read may be the locked one"
    );
    let readable =
        r#"{"task_id":1,"versions":[{"version_id":"5","locked":1,"used_size":"77","time_end":0}]}"#;
    assert_eq!(one(readable).versions, Some(vec![version]));
    assert_eq!((task.progress, task.last_result), (None, None));
    assert_eq!(
        one(r#"{"task_id":1,"next_trigger_time":0}"#).next_trigger_time,
        None
    );
    assert_eq!(
        one(r#"{"task_id":1,"status":"backingup"}"#).status.as_deref(),
        Some("backingup")
    );
}

#[test]
fn progress_is_there_or_not() {
    for idle in [
        "null",
        "{}",
        "[]",
        "\"\"",
        "{\"pid\":0}",
        "{\"pid\":\"0\",\"percentage\":null}",
    ] {
        assert_eq!(
            one(&format!(r#"{{"task_id":1,"progress":{idle}}}"#)).progress,
            None,
            "{idle}"
        );
    }
    let running = one(
        r#"{"task_id":1,"progress":{"running_task_status":"1","percentage":"0.25",
        "transfered_bytes":"10","total_bytes":40,"pid":77}}"#,
    );
    assert_eq!(
        running.progress,
        Some(Progress {
            running_task_status: Some(1),
            percentage: Some(0.25),
            transferred_bytes: Some(10),
            total_bytes: Some(40),
            pid: Some(77),
        })
    );
    assert!(one(r#"{"task_id":1,"progress":{"pid":5}}"#).progress.is_some());
    assert!(
        one(r#"{"task_id":1,"progress":{"running_task_status":0}}"#)
            .progress
            .is_some(),
        "0 is waiting"
    );
}

#[test]
fn unusable_rows_are_counted_and_keep_a_list_from_being_complete() {
    let body = br#"{"success":true,"data":{"total":4,
        "tasks":[{"task_id":1},{"task_name":"x"},null,{"task_id":null}]}}"#;
    let list = task_list(body).unwrap();
    assert_eq!((list.tasks.len(), list.unreadable_rows), (1, 3));
    assert!(!list.is_complete());
    for (body, complete) in [
        (
            r#"{"success":true,"data":{"total":1,"tasks":[{"task_id":1}]}}"#,
            true,
        ),
        (
            r#"{"success":true,"data":{"total":2,"tasks":[{"task_id":1}]}}"#,
            false,
        ),
        (r#"{"success":true,"data":{"tasks":[{"task_id":1}]}}"#, true),
        (r#"{"success":true,"data":{"total":0,"tasks":[]}}"#, true),
        (r#"{"success":true,"data":{"total":0,"tasks":null}}"#, true),
        (r#"{"success":true,"data":{"total":5,"tasks":[]}}"#, false),
    ] {
        assert_eq!(
            task_list(body.as_bytes()).unwrap().is_complete(),
            complete,
            "{body}"
        );
    }
}

#[test]
fn a_missing_list_is_never_an_empty_one() {
    for data in [
        "{}",
        "[]",
        "null",
        "\"x\"",
        "{\"tasks\":null}",
        "{\"tasks\":{}}",
        "{\"tasks\":null,\"total\":3}",
    ] {
        let body = format!(r#"{{"success":true,"data":{data}}}"#);
        assert!(
            matches!(task_list(body.as_bytes()), Err(Fault::Unexpected(_))),
            "{data}"
        );
        assert!(
            matches!(device_task_list(body.as_bytes()), Err(Fault::Unexpected(_))),
            "{data}"
        );
        assert!(
            matches!(result_page(body.as_bytes()), Err(Fault::Unexpected(_))),
            "{data}"
        );
        assert!(
            matches!(version_list(body.as_bytes()), Err(Fault::Unexpected(_))),
            "{data}"
        );
        assert!(
            matches!(activity_list(body.as_bytes()), Err(Fault::Unexpected(_))),
            "{data}"
        );
    }
}

#[test]
fn half_an_answer_is_no_answer() {
    let whole = seed("list");
    for end in 0..whole.len() {
        assert!(
            matches!(task_list(&whole[..end]), Err(Fault::Unexpected(_))),
            "{end}"
        );
    }
}

#[test]
fn errors_in_every_form() {
    for (body, fault) in [
        (r#"{"error":{"code":105},"success":false}"#, Fault::Code(105)),
        (r#"{"error":{"code":"119"},"success":false}"#, Fault::Code(119)),
        (
            r#"{"error":{"code":120,"errors":{"name":"task_ids","reason":"required"}},"success":false}"#,
            Fault::Code(120),
        ),
        (
            r#"{"error":{"code":403,"errors":[1]},"success":false,"data":[]}"#,
            Fault::Code(403),
        ),
        (r#"{"success":false}"#, Fault::Code(NO_CODE)),
        (r#"{"success":false,"error":null}"#, Fault::Code(NO_CODE)),
        (r#"{"success":false,"error":[101]}"#, Fault::Code(NO_CODE)),
        ("[true]", Fault::Unexpected("no JSON object")),
        (
            "  <!DOCTYPE html>",
            Fault::Unexpected("a page of HTML or XML, possibly from a proxy"),
        ),
    ] {
        assert_eq!(task_list(body.as_bytes()), Err(fault), "{body}");
    }
}

#[test]
fn results_are_sorted_and_lenient() {
    let body = br#"{"success":true,"data":{"count":"4","results":[
        {"result_id":3,"job_action":1,"status":2,"time_start":5,"time_end":9,"activity_uuid":"",
         "task_config":"{\"device_list\":[{\"host_name\":\"a\"}]}"},
        {"result_id":"9","job_action":"1","status":"1","time_start":10,"time_end":0,"task_config":null},
        {"result_id":7,"job_action":131072,"status":99,"time_end":null},
        {"job_action":1,"status":2}]}}"#;
    let page = result_page(body).unwrap();
    assert_eq!(
        (page.count, page.unreadable_rows, page.is_complete()),
        (Some(4), 1, false)
    );
    let ids: Vec<i64> = page.rows.iter().map(|row| row.result_id.0).collect();
    assert_eq!(ids, [9, 7, 3]);
    let [running, purge, done] = page.rows.as_slice() else {
        panic!("three rows")
    };
    assert!(running.is_backup() && !running.is_finished());
    assert_eq!((running.time_end, running.transferred_bytes), (None, None));
    assert!(!purge.is_backup() && purge.is_finished());
    assert_eq!(purge.status, 99, "unknown numbers are kept");
    assert_eq!(done.activity_uuid, None);
    assert_eq!(
        done.devices,
        [ResultDevice {
            id: None,
            host_name: "a".into()
        }]
    );
}

#[test]
fn a_result_is_finished() {
    let row = |status, time_start, time_end| {
        let body = format!(
            r#"{{"success":true,"data":{{"results":[{{"result_id":1,"job_action":1,"status":{status},
            "time_start":{time_start},"time_end":{time_end}}}]}}}}"#
        );
        result_page(body.as_bytes()).unwrap().rows.remove(0).is_finished()
    };
    assert!(!row(1, 10, 0));
    assert!(
        !row(1, 10, 9),
        "an end before the start is left over from something else"
    );
    assert!(row(1, 10, 10));
    for status in [0, 2, 3, 4, 5, 6, 8] {
        assert!(row(status, 10, 20), "{status}");
    }
}

#[test]
fn activities_in_both_shapes() {
    let body = br#"{"success":true,"data":{"total":5,"activity_list":[
        {"job":{"job_id":3,"task_id":5,"action":1,"status":3,"stage":2,"user_name":"op"},
         "device":[{"agent_token":"SECRET"}]},
        {"job":{"job_id":4,"action":65536},"task":{"task_id":"6"}},
        {"task_id":7,"action":1,"status":1},
        {"job":null},
        4]}}"#;
    let list = activity_list(body).unwrap();
    assert_eq!((list.total, list.unreadable_rows), (Some(5), 1));
    assert!(!list.is_complete());
    assert_eq!(
        list.activities[0],
        Activity {
            task_id: Some(TaskId(5)),
            action: Some(1),
            status: Some(3),
            stage: Some(2),
            job_id: Some(3),
            user_name: Some("op".into()),
        }
    );
    let tasks: Vec<Option<i64>> = list
        .activities
        .iter()
        .map(|row| row.task_id.map(|id| id.0))
        .collect();
    assert_eq!(tasks, [Some(5), Some(6), Some(7), None]);
    assert!(!format!("{list:?}").contains("SECRET"));
    for (rows, complete) in [
        ("", true),
        (r#"{"action":1}"#, false),
        (r#"{"action":262144}"#, true),
        (r#"{"task_id":1}"#, true),
    ] {
        let body = format!(r#"{{"success":true,"data":{{"activity_list":[{rows}]}}}}"#);
        assert_eq!(
            activity_list(body.as_bytes()).unwrap().is_complete(),
            complete,
            "{rows}"
        );
    }
}

#[test]
fn versions_info_and_catalogue() {
    let body = br#"{"success":true,"data":{"total":1,"versions":[{"version_id":3,"status":3,"locked":true,
        "time_start":5,"time_end":6,"used_size":1}]}}"#;
    let list = version_list(body).unwrap();
    assert_eq!(
        (
            list.versions[0].id,
            list.versions[0].status,
            list.versions[0].locked
        ),
        (3, Some(3), true)
    );

    let body = br#"{"success":true,"data":{"model":"DS918+","serial":"1780PDN000000","uptime":55,
        "version":"69057","version_string":"DSM 7.2.1-69057 Update 5","temperature_warn":false}}"#;
    let info = dsm_info(body).unwrap();
    assert_eq!(info.version.as_deref(), Some("DSM 7.2.1-69057 Update 5"));
    assert_eq!((info.model.as_deref(), info.uptime), (Some("DS918+"), Some(55)));
    assert_eq!(info.serial.as_deref(), Some("1780PDN000000"));
    let info = dsm_info(br#"{"success":true,"data":{"version":"69057"}}"#).unwrap();
    assert_eq!((info.version.as_deref(), info.serial), (Some("69057"), None));

    let body =
        br#"{"success":true,"data":{"SYNO.API.Auth":{"path":"entry.cgi","minVersion":1,"maxVersion":"7"},
        "SYNO.ActiveBackup.Task":{"path":"entry.cgi","minVersion":1,"maxVersion":2,"requestFormat":"JSON"},
        "odd":7}}"#;
    let found = catalogue(body).unwrap();
    assert!(found.has_active_backup());
    assert_eq!(found.apis["SYNO.API.Auth"].max_version, Some(7));
    assert_eq!(found.apis.len(), 2);
    assert!(
        !catalogue(br#"{"success":true,"data":{}}"#)
            .unwrap()
            .has_active_backup()
    );
}

#[test]
fn logins() {
    let data = login(br#"{"success":true,"data":{"sid":"s","synotoken":"t","is_portal_port":false}}"#);
    let LoginData { sid, token } = data.ok().unwrap();
    assert_eq!((sid.as_str(), token.as_deref()), ("s", Some("t")));
    assert!(
        login(br#"{"success":true,"data":{"sid":"s"}}"#)
            .ok()
            .unwrap()
            .token
            .is_none()
    );
    assert!(login(br#"{"success":true,"data":{"sid":""}}"#).is_err());
    assert!(login(br#"{"success":true}"#).is_err());
}

#[test]
fn rows_of_a_log() {
    let body = br#"{"success":true,"data":{"count":"3","logs":[
        {"log_id":1,"log_type":"1124","log_time":1700000000,"task_id":5,"other_params":{"a":1}},
        {"log_id":2,"log_type":1101,"log_time":null},
        {"log_id":3}]}}"#;
    let page = log_page(body).unwrap();
    let row = |log_type, log_time, task: Option<i64>| LogRow {
        log_type,
        log_time,
        task_id: task.map(TaskId),
    };
    assert_eq!(
        page.rows,
        [row(1124, Some(1_700_000_000), Some(5)), row(1101, None, None)]
    );
    assert_eq!((page.count, page.unreadable_rows), (Some(3), 1));
    assert!(log_page(br#"{"success":true,"data":{"count":1}}"#).is_err());
}

#[test]
fn rows_are_cut_out_wherever_they_stand() {
    for body in [
        // Data as text, its name and that of the list spelt differently, after the verdict and before it.
        r#"{"success":true,"data":"{\"tasks\":[{\"task_id\":1},{}],\"total\":2}"}"#,
        r#"{"\u0064ata":{"t\u0061sks":[{"task_id":1}]},"success":true}"#,
        r#" { "success" : true , "data" : { "total" : 3 , "tasks" : [ { "task_id" : 1 } , 7 , "{\"task_id\":3}" ] } } "#,
        // Lists of the same name elsewhere, and texts that look like the list.
        r#"{"tasks":[{"task_id":9}],"data":{"more":{"tasks":[{"task_id":8}]},"tasks":[{"task_id":1,"tasks":[[{}]]}]},"success":true}"#,
        r#"{"x":{"data":{"tasks":[{"task_id":9}]}},"data":{"note":"\"tasks\":[\\","tasks":[{"task_id":1,"task_name":"],[\"{\\"}],"total":1},"success":true}"#,
        r#"{"data":[{"tasks":[{"task_id":9}]}],"success":true}"#,
        r#"{"data":{"tasks":{"tasks":[{"task_id":9}]}},"success":true}"#,
        r#"{"data":{"tasks":null,"total":0},"success":true}"#,
        r#"{"data":{"tasks":null,"total":1},"success":true}"#,
        r#"{"data":{"tasks":[]},"success":true}"#,
        r#"{"data":{"tasks":[ ]},"success":false,"error":{"code":119}}"#,
        // A verdict at the end voids what came before it.
        r#"{"data":{"tasks":[{"task_id":1}]},"success":false,"error":{"code":105}}"#,
        r#"{"data":{"tasks":[{"task_id":1}]},"success":true,"error":{"code":105}}"#,
        r#"{"data":{"tasks":[{"task_id":1}]}}"#,
        r#"{"data":{"tasks":[{"task_id":1}],"tasks":[]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1}]},"data":{},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1}]},"success":true}x"#,
        // No JSON.
        r#"{"data":{"tasks":[,]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1},]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1} {"task_id":2}]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1}}},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1]]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1e999}]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":1,"task_id":1}]},"success":true}"#,
        r#"{"data":{"tasks":[{"task_id":01}]},"success":true}"#,
        r#"{"data":{"tasks":["\q"]},"success":true}"#,
        r#"["data":{"tasks":[x]}]"#,
        r#"<"data":{"tasks":[x]}>"#,
    ] {
        let _ = task_list(body.as_bytes());
    }
    assert_eq!(
        task_list(br#"{"data":"{\"tasks\":[{\"task_id\":1},{}],\"total\":2}","success":true}"#)
            .map(|list| (list.tasks.len(), list.unreadable_rows)),
        Ok((1, 1))
    );
}

#[test]
fn a_stream_holds_a_row_and_no_more() {
    let unexpected = |what| Err(Fault::Unexpected(what));
    let mut sink = Vec::new();
    let mut stream = TaskStream::new(&mut sink);
    stream.push(br#"{"data":{"tasks":[{"task_name":""#).unwrap();
    let piece = vec![b'a'; 1 << 20];
    let pushed = (0..9).map(|_| stream.push(&piece)).find(Result::is_err);
    assert_eq!(pushed, Some(unexpected("a row of more than 8 MiB")));
    for (begin, what) in [
        (&br#"{"data":{"note":""#[..], "more than 1 MiB beside its rows"),
        (b"<p>", "a page of HTML or XML, possibly from a proxy"),
    ] {
        let mut stream = TaskStream::new(&mut sink);
        stream.push(begin).unwrap();
        assert_eq!(stream.push(&piece), unexpected(what));
    }
    // Blanks are nothing.
    let mut stream = TaskStream::new(&mut sink);
    let blanks = vec![b' '; 1 << 20];
    (0..3).for_each(|_| stream.push(&blanks).unwrap());
    stream
        .push(br#"{"success":true,"data":{"tasks":[{"task_id":1}]}}"#)
        .unwrap();
    assert_eq!(stream.finish().unwrap().rows, 1);
}
