//! The text of each class of failure, made by the client against a NAS that fails so: it names the NAS, the call, the code,
//! its meaning and the remedy. `UPDATE_DOCS=1 cargo test --test api` writes the snapshot anew.

use std::fmt::Write;
use std::time::Duration;

use abb_operator::nas::{
    Answer, Call, Client, Credentials, Endpoint, Error, Invocation, ListTasks, Mutation, TaskId, Trust,
    UnknownWhy, explain, explain_answer, methods,
};
use abb_operator::simulator::{self, Control, Fault, FaultKind, Options, Simulator};
use serde_json::json;

use super::nas::client;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/api/errors.txt");
const NAS: &str = "nas.example:5001";
const TASK: &str = "SYNO.ActiveBackup.Task";

async fn nas() -> Simulator {
    abb_operator::install_crypto();
    let options = Options {
        plaintext: true,
        ..Options::default()
    };
    simulator::start(options).await.unwrap()
}

fn fault(kind: FaultKind, api: &str, method: &str) -> Control {
    Control::AddFault(Fault::new(kind).on(api, method).times(0))
}

/// The error of a list on a NAS after `controls`.
async fn failing(controls: Vec<Control>) -> Error {
    let nas = nas().await;
    for control in controls {
        nas.control(control).unwrap();
    }
    let client = client(nas.url(), nas.username(), nas.password());
    client.list_tasks(&ListTasks::default()).await.unwrap_err()
}

async fn reads() -> Vec<(&'static str, Error)> {
    let mut errors = Vec::new();
    for (name, controls) in [
        (
            "wrong password",
            vec![Control::Password {
                password: "other".into(),
            }],
        ),
        ("address blocked", vec![Control::Block { on: true }]),
        (
            "second factor missing",
            vec![Control::Behaviour(json!({"twoFactor": true}))],
        ),
        (
            "package stopped",
            vec![Control::Package {
                state: simulator::PackageState::Stopped,
            }],
        ),
        (
            "package upgrading",
            vec![Control::Package {
                state: simulator::PackageState::Upgrading,
            }],
        ),
        ("HTML", vec![fault(FaultKind::Html, TASK, "list")]),
        (
            "bad gateway",
            vec![fault(FaultKind::Http { status: 502 }, TASK, "list")],
        ),
        ("empty", vec![fault(FaultKind::EmptyBody, TASK, "list")]),
        ("another type", vec![fault(FaultKind::WrongType, TASK, "list")]),
    ] {
        errors.push((name, failing(controls).await));
    }
    for code in [401, 402, 404, 405, 406, 408, 409, 410, 411, 109] {
        let controls = vec![fault(FaultKind::ErrorCode { code }, "SYNO.API.Auth", "login")];
        errors.push(("login answered", failing(controls).await));
    }
    for code in [
        100, 103, 104, 105, 106, 119, 120, 150, 160, 1001, 1008, 1011, 1018, 1024, 1036, 2000, 7777,
    ] {
        errors.push((
            "list answered",
            failing(vec![fault(FaultKind::ErrorCode { code }, TASK, "list")]).await,
        ));
    }
    errors
}

/// Failures before anything is answered. The cause is the operating system's text, which is left out.
async fn connections() -> Vec<(&'static str, Error)> {
    let nas = simulator::start(Options::default()).await.unwrap();
    let endpoint = |trust: Trust, url: &str| Endpoint {
        url: url.parse().unwrap(),
        trust,
        request_timeout: Duration::from_secs(5),
        list_timeout: Duration::from_millis(300),
    };
    let credentials = |otp: Option<&str>| Credentials {
        username: nas.username().to_owned(),
        password: nas.password().into(),
        otp_secret: otp.map(Into::into),
        device: None,
    };
    let pinned = Client::new(
        endpoint(Trust::Fingerprint([7; 32]), nas.url()),
        credentials(None),
    )
    .unwrap();
    let mut errors = vec![("another certificate", pinned.dsm_info().await.unwrap_err())];
    nas.control(fault(FaultKind::Hang, TASK, "list")).unwrap();
    let slow = Client::new(endpoint(Trust::Unverified, nas.url()), credentials(None)).unwrap();
    errors.push((
        "no answer in time",
        slow.list_tasks(&ListTasks::default()).await.unwrap_err(),
    ));
    let url = nas.url().to_owned();
    let refused = |trust: Trust, url: &str, otp: Option<&str>| {
        Client::new(endpoint(trust, url), credentials(otp)).unwrap_err()
    };
    errors.push((
        "a spoilt authority",
        refused(Trust::Authority(b"none".to_vec()), &url, None),
    ));
    errors.push(("a spoilt seed", refused(Trust::Unverified, &url, Some("!!"))));
    errors.push((
        "a spoilt URL",
        refused(Trust::Unverified, "https://user:canary@nas", None),
    ));
    nas.shutdown().await;
    let gone = Client::new(
        endpoint(Trust::Unverified, &url),
        Credentials {
            username: "nobody".into(),
            password: "canary".into(),
            otp_secret: None,
            device: None,
        },
    )
    .unwrap();
    errors.push(("nobody there", gone.dsm_info().await.unwrap_err()));
    errors
}

/// What came of calls that change something.
fn answers() -> Vec<(&'static str, Call, Answer)> {
    let backup = Mutation::Backup(TaskId(1)).call();
    let create = Invocation::create_vm(&abb_operator::nas::CreateVm::default()).call();
    let unknown = |why| Answer::Unknown { why };
    vec![
        ("refused", backup, Answer::Refused { code: 1010 }),
        ("refused", backup, Answer::Refused { code: 1104 }),
        ("refused", backup, Answer::Refused { code: 5001 }),
        ("refused", backup, Answer::Refused { code: 105 }),
        ("refused", create, Answer::Refused { code: 4003 }),
        (
            "refused",
            Mutation::Remove(TaskId(1)).call(),
            Answer::Refused { code: 1101 },
        ),
        ("session over", backup, Answer::Session { code: 119 }),
        ("unknown", backup, unknown(UnknownWhy::Timeout)),
        ("unknown", backup, unknown(UnknownWhy::Broken)),
        ("unknown", backup, unknown(UnknownWhy::HttpStatus(502))),
        ("unknown", backup, unknown(UnknownWhy::Unreadable)),
        ("unknown", backup, unknown(UnknownWhy::Conflict(1202))),
        ("unknown", backup, unknown(UnknownWhy::Code(9999))),
        ("not sent", backup, Answer::NotSent),
    ]
}

#[tokio::test]
async fn every_class_of_failure_names_nas_call_code_meaning_and_remedy() {
    let mut text = String::new();
    let mut labels = std::collections::BTreeSet::new();
    for (name, error) in reads().await.into_iter().chain(connections().await) {
        labels.insert(error.label());
        let mut line = explain(NAS, &error);
        if let Error::Unreachable { source, .. } | Error::CertificateRejected { source, .. } = &error {
            line = line.replace(&source.to_string(), "(cause)");
        }
        if let Some(code) = error.code() {
            assert!(line.contains(&format!("error {code} (")), "{line}");
        }
        assert!(line.starts_with(NAS) && line.contains("; "), "{line}");
        let _ = writeln!(text, "{name}\n    {line}");
    }
    for (name, call, answer) in answers() {
        let _ = writeln!(text, "{name}\n    {}", explain_answer(NAS, call, answer));
    }
    assert!(!text.contains("canary") && !text.contains("simulated-password"));
    // `refused`, `unexpected`, … : every class that a read can end in.
    assert_eq!(labels.len(), 13, "{labels:?}");
    assert!(methods::all().count() > 20);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &text).unwrap();
    }
    let kept = std::fs::read_to_string(PATH).unwrap();
    assert_eq!(text, kept, "see the head of tests/api/errors.rs");
}
