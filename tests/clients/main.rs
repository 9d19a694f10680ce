//! Published clients of a Synology NAS, unmodified, against the simulated one: what they send it understands, what it
//! answers they take. The judge is the ledger of the NAS, not what a client says. They are installed with pip into a
//! virtual environment that is kept between runs, at the versions pinned in `requirements.txt`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod hook;
mod python;

use abb_operator::simulator::{self, Control, Effect, Options, Scenario, Simulator};
use serde_json::{Value, json};

/// A NAS with two tasks, the second with two versions.
async fn nas(plaintext: bool) -> Simulator {
    abb_operator::install_crypto();
    let text = "tasks: [{seed: true}, {id: 2, name: second, versions: [{id: 11, timeStart: 5}, {id: 12, timeStart: 6}]}]";
    simulator::start(Options {
        plaintext,
        scenario: Scenario::from_text(text, "test").unwrap(),
        time_scale: 20.0,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// Kinds of the effects that clients had.
fn effects(nas: &Simulator) -> Vec<String> {
    let by_call = |effect: &&Effect| {
        let consequences = ["run-started", "run-ended", "version-deleted"];
        !consequences.contains(&effect.kind.as_str())
    };
    let ledger = nas.ledger();
    ledger
        .iter()
        .filter(by_call)
        .map(|effect| match effect.task_id {
            Some(task) => format!("{} {task}", effect.kind),
            None => effect.kind.clone(),
        })
        .collect()
}

fn asked(nas: &Simulator, method: &str) -> Vec<String> {
    let requests = nas.requests();
    let of_method = requests.iter().filter(|request| request.method == method);
    of_method.map(|request| request.outcome.clone()).collect()
}

#[tokio::test]
async fn the_library_of_home_assistant() {
    let Some(python) = python::installed().await else {
        return;
    };
    for plaintext in [false, true] {
        let nas = nas(plaintext).await;
        let certificate = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&certificate, nas.certificate_pem().unwrap_or_default()).unwrap();
        let path = certificate.path().to_str().unwrap();
        let trusted = if plaintext { "" } else { path };
        let arguments = [nas.url(), nas.username(), nas.password(), trusted];
        let seen = python.run("dsm.py", &arguments).await;
        assert_eq!(
            seen,
            json!({
                "login": true,
                "information": ["DS918+", "SIM0000000001", "DSM 7.2.1-69057 Update 5", true],
                "tasks": [[1, "peterm-Default"], [2, "second"]],
                "pairs": ["1-1", "2-2"],
                "newest version": 103,
                "backup": {"success": true},
                "running": 1,
                "result": 1,
                "cancel": {"success": true},
                "without ids": [120, {"name": "task_ids", "reason": "required"}],
                "package": "running",
                "logout": true,
            })
        );
        assert_eq!(effects(&nas), ["login", "backup 1", "cancel 1", "logout"]);
        assert_eq!(asked(&nas, "backup"), ["ok", "120"]);
        let ledger = nas.ledger();
        let run = ledger.iter().find(|effect| effect.kind == "backup").unwrap();
        assert_eq!(run.user.as_deref(), Some(nas.username()));
    }
}

#[tokio::test]
async fn the_library_that_knows_active_backup() {
    let Some(python) = python::installed().await else {
        return;
    };
    // In plain text it encrypts its login; at version 7 it reads the page of the login first.
    for (plaintext, version) in [(false, "7"), (true, "7"), (false, "6"), (true, "6")] {
        let nas = nas(plaintext).await;
        let arguments = [nas.url(), nas.username(), nas.password(), version];
        let seen = python.run("n4.py", &arguments).await;
        let expected = json!({
            "tasks": [[1, "peterm-Default"], [2, "second"]],
            "filtered": 0,
            "backup": {"success": true},
            "running": [1, 1],
            "log": 1101,
            "details": 1,
            "cancel": {"success": true},
            "after": [5, 5],
            "history": "broken",
            "settings": {"id": 1, "name": "max_concurrent_devices", "value": "5"},
            "set": {"success": true},
            "changed": "3",
            "storage": 1,
            "transfers": [true, true],
            "hypervisors": [],
            "versions": {"success": true},
            "several": 2,
            "package": "ActiveBackup",
        });
        assert_eq!(seen, expected, "in plain text: {plaintext}, version {version}");
        assert_eq!(
            effects(&nas),
            [
                "login",
                "backup 1",
                "backup 2",
                "cancel 1",
                "cancel 2",
                "set-settings",
                "delete-version 2"
            ],
            "its logout names no session"
        );
        assert_eq!(asked(&nas, "getinfo").len(), usize::from(plaintext));
        assert_eq!(asked(&nas, "logout"), ["ok"]);
    }
}

#[tokio::test]
async fn they_say_why_a_login_fails() {
    let Some(python) = python::installed().await else {
        return;
    };
    let nas = nas(true).await;
    let switch = |code: Value| Control::Behaviour(json!({"loginAnswer": code}));
    for code in [400, 407] {
        nas.control(switch(json!(code))).unwrap();
        for (script, last) in [("dsm.py", ""), ("n4.py", "7")] {
            let arguments = [nas.url(), nas.username(), nas.password(), last];
            let said = python.fail(script, &arguments).await;
            assert!(
                said.contains("Login") || said.contains("login"),
                "{script}: {said}"
            );
        }
    }
    assert_eq!(asked(&nas, "login"), ["400", "400", "407", "407"]);
    assert!(nas.ledger().is_empty());
}
