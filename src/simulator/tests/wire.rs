//! The same NAS over real sockets: encodings, headers, and the ways an answer gets lost.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::{Control, Fault, FaultKind, Options, Simulator, start};
use super::{TASK, code};

async fn plain() -> Simulator {
    start(Options {
        plaintext: true,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Sends raw bytes and reads until the connection ends or nothing comes for a while; whether it ended.
async fn raw(simulator: &Simulator, request: String) -> (String, bool) {
    let (answer, ended) = bytes(simulator, request).await;
    (String::from_utf8_lossy(&answer).into_owned(), ended)
}

async fn bytes(simulator: &Simulator, request: String) -> (Vec<u8>, bool) {
    let address = simulator.url().trim_start_matches("http://").to_owned();
    let task = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return (answer, true),
                Ok(length) => answer.extend_from_slice(&buffer[..length]),
                Err(error) => return (answer, error.kind() == std::io::ErrorKind::ConnectionReset),
            }
        }
    });
    task.await.unwrap()
}

/// The body of an answer, put together where it came in chunks.
fn joined(answer: &str) -> (&str, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    if !head.to_lowercase().contains("transfer-encoding: chunked") {
        return (head, body.to_owned());
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((length, after)) = rest.split_once("\r\n") {
        let Ok(length) = usize::from_str_radix(length, 16) else {
            break;
        };
        whole.push_str(&after[..length]);
        rest = after[length..].trim_start_matches("\r\n");
    }
    (head, whole)
}

async fn get(simulator: &Simulator, path: &str, headers: &str) -> (String, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\n{headers}\r\n");
    let (answer, _) = raw(simulator, request).await;
    let (head, body) = joined(&answer);
    (
        head.to_lowercase(),
        serde_json::from_str(&body).unwrap_or_default(),
    )
}

async fn post(simulator: &Simulator, path: &str, content_type: &str, body: &str) -> (String, Value) {
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\nContent-Type: {content_type}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (answer, _) = raw(simulator, request).await;
    let (head, body) = joined(&answer);
    (
        head.to_lowercase(),
        serde_json::from_str(&body).unwrap_or_default(),
    )
}

const FORM: &str = "application/x-www-form-urlencoded";
const LOGIN: &str = "api=SYNO.API.Auth&version=6&method=login&account=abb-operator&passwd=simulated-password";

async fn session(simulator: &Simulator) -> String {
    let body = format!("{LOGIN}&format=sid");
    let (_, answer) = post(simulator, "/webapi/auth.cgi", FORM, &body).await;
    answer["data"]["sid"].as_str().unwrap().to_owned()
}

fn backups(simulator: &Simulator) -> usize {
    simulator
        .ledger()
        .iter()
        .filter(|effect| effect.kind == "backup")
        .count()
}

#[tokio::test]
async fn encodings_paths_cookies_and_headers() {
    let simulator = plain().await;
    let (head, answer) = post(
        &simulator,
        "/webapi/entry.cgi",
        FORM,
        &format!("{LOGIN}&enable_syno_token=yes"),
    )
    .await;
    assert!(
        head.contains("content-type: application/json; charset=\"utf-8\""),
        "{head}"
    );
    assert!(
        head.contains("server: nginx") && head.contains("\r\ndate: ") && head.contains("set-cookie: id=")
    );
    let sid = answer["data"]["sid"].as_str().unwrap();
    let token = answer["data"]["synotoken"].as_str().unwrap();

    let query = "/webapi/entry.cgi?api=SYNO.ActiveBackup.Task&version=1&method=list";
    let cookie = format!("Cookie: a=b; id={sid}\r\nX-SYNO-TOKEN: {token}\r\n");
    let (_, listed) = get(&simulator, query, &cookie).await;
    assert_eq!(listed["data"]["total"], 1);
    assert_eq!(
        code(&get(&simulator, &format!("{query}&_sid={sid}"), "").await.1),
        119
    );
    let (_, listed) = get(&simulator, &format!("{query}&_sid={sid}&SynoToken={token}"), "").await;
    assert_eq!(listed["data"]["total"], 1);
    // Routing in the path and the query, the rest in a form that says it is JSON.
    let path = "/webapi/entry.cgi/SYNO.ActiveBackup.Task?version=1&method=backup";
    let body = format!("task_ids=%5B1%5D&trigger_type=1&_sid={sid}&SynoToken={token}");
    let (_, done) = post(&simulator, path, "application/json", &body).await;
    assert_eq!(done, json!({"success": true}));

    let (_, all) = get(
        &simulator,
        "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=all",
        "",
    )
    .await;
    assert_eq!(all["data"][TASK]["maxVersion"], 2);
    let (_, key) = get(
        &simulator,
        "/webapi/encryption.cgi?api=SYNO.API.Encryption&version=1&method=getinfo",
        "",
    )
    .await;
    assert_eq!(key["success"], true);
    assert!(
        get(&simulator, "/index.html", "")
            .await
            .0
            .starts_with("http/1.1 404")
    );
    let records = simulator.requests();
    assert_eq!(records.last().unwrap().api, "SYNO.API.Encryption");
    assert!(records[0].remote.starts_with("127.0.0.1:"));
}

#[tokio::test]
async fn the_date_is_that_of_the_nas() {
    let simulator = plain().await;
    simulator
        .control(Control::Clock {
            offset_seconds: -400 * 86_400,
        })
        .unwrap();
    let (head, _) = get(
        &simulator,
        "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query",
        "",
    )
    .await;
    let year = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(400 * 24);
    assert!(
        head.contains(&year.strftime("%b %Y").to_string().to_lowercase()),
        "{head}"
    );
}

#[tokio::test]
async fn a_nas_may_keep_its_clock_to_itself() {
    let simulator = plain().await;
    let silent = json!({ "emitDate": false });
    simulator.control(Control::Behaviour(silent)).unwrap();
    let path = "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query";
    let (head, body) = get(&simulator, path, "").await;
    assert!(!head.contains("\r\ndate:"), "{head}");
    assert_eq!(body["success"], true);
}

const CATALOGUE: &str = "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query";

#[tokio::test]
async fn large_answers_are_compressed_for_those_who_accept_it() {
    use std::io::Read as _;
    let simulator = plain().await;
    let request = |path: &str, encoding: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: nas\r\nConnection: close\r\nAccept-Encoding: {encoding}\r\n\r\n"
        )
    };
    let small = format!("{CATALOGUE}&query=SYNO.API.Auth");
    let plainly = [request(CATALOGUE, "identity"), request(&small, "gzip")];
    for request in plainly {
        let (answer, _) = raw(&simulator, request).await;
        assert!(!answer.contains("content-encoding"), "{answer}");
    }
    let (head, body) = unchunked(&simulator, request(CATALOGUE, "gzip, deflate")).await;
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(&body[..])
        .read_to_string(&mut text)
        .unwrap();
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["data"][TASK]["maxVersion"], 2);

    let off = json!({"gzip": false});
    simulator.control(Control::Behaviour(off)).unwrap();
    let (answer, _) = raw(&simulator, request(CATALOGUE, "gzip")).await;
    assert!(!answer.contains("content-encoding"), "{answer}");
}

/// Head and body, as bytes, of an answer that comes in one chunk or with a length.
async fn unchunked(simulator: &Simulator, request: String) -> (String, Vec<u8>) {
    let off = json!({"chunked": false});
    simulator.control(Control::Behaviour(off)).unwrap();
    let answer = bytes(simulator, request).await.0;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    (head, answer[end + 4..].to_vec())
}

#[tokio::test]
async fn answers_come_in_chunks_and_call_themselves_text_as_the_switches_say() {
    let simulator = plain().await;
    let (head, _) = get(&simulator, CATALOGUE, "").await;
    assert!(
        head.contains("transfer-encoding: chunked") && !head.contains("content-length"),
        "{head}"
    );
    assert!(
        head.contains("keep-alive: timeout=20") && head.contains("no-store"),
        "{head}"
    );
    let other = json!({"chunked": false, "textPlain": true});
    simulator.control(Control::Behaviour(other)).unwrap();
    let (head, answer) = get(&simulator, CATALOGUE, "").await;
    assert!(
        head.contains("content-length") && !head.contains("chunked"),
        "{head}"
    );
    assert!(
        head.contains("content-type: text/plain; charset=\"utf-8\""),
        "{head}"
    );
    assert_eq!(answer["success"], true);
}

#[tokio::test]
async fn a_fixed_path_for_each_system() {
    let simulator = plain().await;
    let old = json!({"dsmGeneration": "Dsm6"});
    simulator.control(Control::Behaviour(old)).unwrap();
    let (_, refused) = post(&simulator, "/webapi/entry.cgi", FORM, LOGIN).await;
    assert_eq!(code(&refused), 102);
    session(&simulator).await;
}

#[tokio::test]
async fn answers_are_spoilt_on_the_wire() {
    // Kind, effects, whether the connection ends, and what is seen of the answer.
    let table = [
        (FaultKind::LoseReplyBefore, 0, true, ""),
        (FaultKind::LoseReplyAfter, 1, true, ""),
        (FaultKind::LateEffect { milliseconds: 10 }, 1, true, ""),
        (FaultKind::Hang, 0, false, ""),
        (FaultKind::Html, 0, true, "<!DOCTYPE html>"),
        (FaultKind::Http { status: 502 }, 0, true, "HTTP/1.1 502"),
        (
            FaultKind::RedirectTo {
                url: "https://elsewhere.example/".to_owned(),
            },
            0,
            true,
            "location: https://elsewhere.example/",
        ),
        (
            FaultKind::Oversize { bytes: 100_000 },
            1,
            true,
            "                ",
        ),
        (
            FaultKind::Slow {
                bytes_per_second: 200,
            },
            1,
            true,
            "\r\n0\r\n",
        ),
        (FaultKind::EmptyBody, 1, true, "content-length: 0"),
        (FaultKind::CutBody, 1, true, "{\"succes"),
        (FaultKind::WrongType, 1, true, "\"unexpected\""),
        (FaultKind::ErrorCode { code: 1202 }, 0, true, "1202"),
        (FaultKind::ErrorCodeAfter { code: 1202 }, 1, true, "1202"),
        (FaultKind::ExpireSession, 0, true, "119"),
        (
            FaultKind::Delay {
                milliseconds: 20,
                before_effect: true,
            },
            1,
            true,
            "{\"success\":true}",
        ),
        (
            FaultKind::Delay {
                milliseconds: 20,
                before_effect: false,
            },
            1,
            true,
            "{\"success\":true}",
        ),
    ];
    for (kind, effects, ends, seen) in table {
        let simulator = plain().await;
        let sid = session(&simulator).await;
        simulator
            .control(Control::AddFault(Fault::new(kind.clone()).on(TASK, "backup")))
            .unwrap();
        let request = format!(
            "GET /webapi/entry.cgi?api={TASK}&version=1&method=backup&task_ids=[1]&_sid={sid} HTTP/1.1\r\n\
             Host: nas\r\nConnection: close\r\n\r\n"
        );
        let (answer, ended) = raw(&simulator, request).await;
        assert_eq!(ended, ends, "{kind:?}");
        assert!(answer.contains(seen), "{kind:?}: {answer}");
        assert!(!seen.is_empty() || answer.is_empty(), "{kind:?}: {answer}");
        assert!(kind != FaultKind::CutBody || !answer.ends_with('}'), "{answer}");
        while simulator.requests().last().unwrap().outcome.ends_with("pending") {
            tokio::task::yield_now().await;
        }
        assert_eq!(backups(&simulator), effects, "{kind:?}");
    }
}

#[tokio::test]
async fn without_power_nobody_answers() {
    let simulator = plain().await;
    let query = "/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query&query=all";
    simulator.control(Control::Power { on: false }).unwrap();
    assert_eq!(get(&simulator, query, "").await, (String::new(), Value::Null));
    simulator.control(Control::Power { on: true }).unwrap();
    assert_eq!(get(&simulator, query, "").await.1["success"], true);
}

#[tokio::test]
async fn clients_trust_the_certificate() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let simulator = start(Options::default()).await.unwrap();
    assert_eq!(simulator.fingerprint().unwrap().len(), 64);
    let root = reqwest::Certificate::from_pem(simulator.certificate_pem().unwrap().as_bytes()).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([root])
        .no_proxy()
        .build()
        .unwrap();
    let url = format!(
        "{}/webapi/query.cgi?api=SYNO.API.Info&version=1&method=query",
        simulator.url()
    );
    let by_name = url.replace("127.0.0.1", "localhost");
    for url in [url, by_name] {
        let text = client.get(url).send().await.unwrap().text().await.unwrap();
        assert!(text.contains(TASK));
    }
    simulator.shutdown().await;
}

#[tokio::test]
async fn the_admin_interface_pulls_the_levers() {
    let simulator = plain().await;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = simulator.admin_url().unwrap().to_owned();
    let send = async |method: &str, path: &str, body: Value| {
        let method = method.parse().unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = client
            .request(method, format!("{base}{path}"))
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        (
            status,
            serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap(),
        )
    };
    for (method, path, body) in [
        ("GET", "/ledger", Value::Null),
        ("GET", "/requests", Value::Null),
        (
            "POST",
            "/faults",
            json!({"method": "backup", "kind": {"Delay": {"milliseconds": 1}}}),
        ),
        ("DELETE", "/faults", Value::Null),
        ("POST", "/power", json!({"on": true})),
        ("POST", "/sessions/expire", Value::Null),
        ("POST", "/password", json!({"password": "other"})),
        ("POST", "/tasks", json!({"name": "second", "id": 5})),
        (
            "POST",
            "/tasks/5",
            json!({"name": "renamed", "versions": [{"id": 1, "locked": true}]}),
        ),
        ("POST", "/tasks/5/start", json!({"origin": "schedule"})),
        ("POST", "/tasks/5/finish", json!({"status": 4})),
        ("POST", "/tasks/5/result", json!({"jobAction": 131_072})),
        ("POST", "/behaviour", json!({"cancelIdle": "Error1201"})),
        (
            "POST",
            "/settings",
            json!({"model": "DS1", "maxConcurrentDevices": 9}),
        ),
        ("POST", "/clock", json!({"offsetSeconds": 60})),
        ("POST", "/serial", json!({"serial": "SIM0000000002"})),
        ("POST", "/block", json!({"on": true})),
        ("POST", "/package", json!({"state": "upgrading"})),
        ("POST", "/reboot", Value::Null),
        ("POST", "/reset-requests", Value::Null),
        ("DELETE", "/tasks/1", Value::Null),
    ] {
        let (status, answer) = send(method, path, body).await;
        assert_eq!(status, 200, "{method} {path}: {answer}");
    }
    let (_, state) = send("GET", "/state", Value::Null).await;
    assert_eq!(state["tasks"][0]["name"], "renamed");
    assert_eq!(state["package"], "upgrading");
    assert_eq!(
        send(
            "GET",
            "/requests/count?api=SYNO.API.Auth&method=login",
            Value::Null
        )
        .await
        .1["count"],
        0
    );
    assert_eq!(send("POST", "/power", json!({"off": 1})).await.0, 400);
    assert_eq!(send("POST", "/tasks/77/start", Value::Null).await.0, 409);
    assert_eq!(send("GET", "/nowhere", Value::Null).await.0, 404);
    let (_, ledger) = send("GET", "/ledger", Value::Null).await;
    assert_eq!(ledger[0]["origin"], "schedule");
}
