use super::*;

#[test]
fn bytes_of_every_request() {
    let everything = ListTasks {
        load_result: true,
        load_devices: true,
        load_status: true,
        load_versions: true,
        load_verify_status: true,
        task_id: Some(TaskId(5)),
        offset: Some(0),
        limit: Some(100),
        ..ListTasks::default()
    };
    let results = ListResults {
        task_id: Some(TaskId(5)),
        job_action: vec![1],
        status: Some(2),
        from_timestamp: Some(10),
        to_timestamp: Some(20),
        offset: Some(0),
        limit: Some(50),
        ..ListResults::default()
    };
    let several = ListResults {
        job_action: vec![1, 65_536],
        ..ListResults::default()
    };
    for (request, body) in [
        (
            ListTasks::default().request(),
            "api=SYNO.ActiveBackup.Task&version=1&method=list",
        ),
        (
            everything.request(),
            "api=SYNO.ActiveBackup.Task&version=1&method=list&load_result=true&load_devices=true\
             &load_status=true&load_versions=true&load_verify_status=true&filter=%7B%22task_id%22%3A5%7D&offset=0&limit=100",
        ),
        (
            list_with_device(),
            "api=SYNO.ActiveBackup.Task&version=1&method=list_with_device",
        ),
        (
            list_log(TaskId(5), 10, 50),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_log&task_id=5&\
             filter=%7B%22from_timestamp%22%3A10%7D&offset=0&limit=50",
        ),
        (
            ListResults::default().request(),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result",
        ),
        (
            results.request(),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result&task_id=5&filter=%7B%22status%22%3A2\
             %2C%22job_action%22%3A1%2C%22from_timestamp%22%3A10%2C%22to_timestamp%22%3A20%7D&offset=0&limit=50",
        ),
        (
            several.request(),
            "api=SYNO.ActiveBackup.Log&version=1&method=list_result\
             &filter=%7B%22job_action%22%3A%5B1%2C65536%5D%7D",
        ),
        (
            list_versions(TaskId(7)),
            "api=SYNO.ActiveBackup.Version&version=1&method=list&task_id=7",
        ),
        (
            list_activity(),
            "api=SYNO.ActiveBackup.Overview&version=1&method=list_activity",
        ),
        (dsm_info(), "api=SYNO.DSM.Info&version=2&method=getinfo"),
        (
            api_info("all"),
            "api=SYNO.API.Info&version=1&method=query&query=all",
        ),
        (
            Mutation::Backup(TaskId(5)).request(),
            "api=SYNO.ActiveBackup.Task&version=1&method=backup&task_ids=%5B5%5D&trigger_type=1",
        ),
        (
            Mutation::Cancel(TaskId(5)).request(),
            "api=SYNO.ActiveBackup.Task&version=1&method=cancel&task_ids=%5B5%5D",
        ),
        (
            Mutation::Remove(TaskId(5)).request(),
            "api=SYNO.ActiveBackup.Task&version=1&method=remove&task_ids=%5B5%5D",
        ),
    ] {
        assert_eq!(request.body(None), body);
    }
}

#[test]
fn the_session_goes_into_the_body() {
    let sid = SecretString::from("a&b=c");
    assert_eq!(
        list_activity().body(Some(&sid)),
        "api=SYNO.ActiveBackup.Overview&version=1&method=list_activity&_sid=a%26b%3Dc"
    );
}
