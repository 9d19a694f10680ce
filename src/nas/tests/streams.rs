//! Lists that are read as they arrive, and answers of more bytes than are read.

use std::io::Write;

use super::*;

fn zipped(body: &[u8]) -> Reaction {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).unwrap();
    Reaction::Zipped(encoder.finish().unwrap())
}

/// A list of so many rows of about 3 KB.
fn long_list(rows: usize) -> String {
    let note = "x".repeat(3000);
    let rows: Vec<String> = (0..rows)
        .map(|id| format!(r#"{{"task_id":{id},"note":"{note}","last_result":{{}}}}"#))
        .collect();
    let total = rows.len();
    let rows = rows.join(",");
    format!(r#"{{"data":{{"tasks":[{rows}],"total":{total}}},"success":true}}"#)
}

#[tokio::test]
async fn a_long_list_arrives_row_by_row_compressed_or_not() {
    for is_zipped in [false, true] {
        let server = Server::start(move |call, _| {
            let react = |body: String| {
                if is_zipped {
                    zipped(body.as_bytes())
                } else {
                    Reaction::Json(body)
                }
            };
            (call == LIST).then(|| react(long_list(2000)))
        })
        .await;
        let read = list(&server.client()).await.unwrap().value;
        assert!(read.is_complete());
        let ids = read.tasks.iter().map(|task| task.id.0);
        assert!(ids.eq(0..2000));
    }
}

#[tokio::test]
async fn an_answer_above_its_limit_ends_its_connection_and_is_told() {
    let server = Server::start(|call, _| match call {
        LIST => Some(zipped(long_list(25_000).as_bytes())),
        "DSM.Info getinfo" => Some(Reaction::TooMuch),
        _ => None,
    })
    .await;
    let endpoint = Endpoint {
        request_timeout: 60 * SECOND,
        list_timeout: 60 * SECOND,
        ..server.endpoint(Trust::Plaintext)
    };
    let client = Client::new(endpoint, credentials()).unwrap();
    for (error, message) in [
        (
            list(&client).await.unwrap_err(),
            "failed to take the answer to SYNO.ActiveBackup.Task list: it is larger than 64 MiB",
        ),
        (
            client.dsm_info().await.unwrap_err(),
            "failed to take the answer to SYNO.DSM.Info getinfo: it is larger than 16 MiB",
        ),
    ] {
        assert_eq!(
            (error.label(), error.to_string().as_str()),
            ("unexpected", message)
        );
        let told = explain("nas:5001", &error);
        assert!(told.contains("what makes the answer so long"), "{told}");
    }
    // Of the first the connection had brought everything, compressed.
    let mut connections = server.connections.clone();
    connections.wait_for(|(_, closed)| *closed >= 1).await.unwrap();
    client.list_activity().await.unwrap_err();
    assert_eq!(server.count(LOGIN), 1);
}

#[tokio::test]
async fn rows_of_an_answer_that_fails_at_its_end_are_void() {
    let server = Server::start(|call, nth| {
        let body = match nth {
            0 => r#"{"data":{"tasks":[{"task_id":1}],"total":1},"success":false,"error":{"code":119}}"#,
            1 => r#"{"data":{"tasks":[{"task_id":2}],"total":1},"success":true}"#,
            _ => r#"{"data":{"tasks":[{"task_id":3}],"total":1}"#,
        };
        (call == LIST).then(|| Reaction::Json(body.to_owned()))
    })
    .await;
    let client = server.client();
    let mut tasks = Vec::new();
    let end = client.list_tasks_into(&ListTasks::default(), &mut tasks).await;
    assert_eq!(end.unwrap().value.rows, 1);
    let ids: Vec<i64> = tasks.iter().map(|task| task.id.0).collect();
    assert_eq!(ids, [2], "the first session's rows were forgotten");
    let end = client.list_tasks_into(&ListTasks::default(), &mut tasks).await;
    assert_eq!(end.unwrap_err().label(), "unexpected");
}

#[tokio::test]
async fn a_tap_sees_the_whole_of_a_list_that_is_read_in_pieces() {
    let server = Server::start(|call, _| (call == LIST).then(|| Reaction::Json(long_list(500)))).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let tap: Tap = Arc::new(move |exchange: &RawExchange<'_>| {
        if exchange.call.method == "list" {
            sink.lock()
                .unwrap()
                .extend_from_slice(exchange.answer.unwrap().body);
        }
    });
    list(&server.client().with_tap(tap)).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), long_list(500).as_bytes());
}
