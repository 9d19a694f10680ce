//! `call` and `doctor` as a user types them, against the simulated NAS over HTTPS.

use std::process::Stdio;

use abb_operator::simulator::{Control, PackageState, Scenario, Simulator};
use tokio::process::Command;

use crate::lab::{Lab, condition, nas};

struct Output {
    code: i32,
    out: String,
    err: String,
}

async fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Output {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn call(nas: &Simulator, arguments: &[&str]) -> Output {
    let fingerprint = nas.fingerprint().unwrap();
    let environment = [
        ("ABB_NAS_URL", nas.url()),
        ("ABB_NAS_USERNAME", nas.username()),
        ("ABB_NAS_PASSWORD", nas.password()),
        ("ABB_NAS_FINGERPRINT", fingerprint),
    ];
    let arguments: Vec<&str> = ["call"].iter().chain(arguments).copied().collect();
    run(env!("CARGO_BIN_EXE_abb-operator"), &arguments, &environment).await
}

fn effects(nas: &Simulator, kind: &str) -> usize {
    nas.ledger().iter().filter(|effect| effect.kind == kind).count()
}

#[tokio::test]
async fn any_method_can_be_called_and_what_changes_something_wants_consent() {
    let nas = nas(Scenario::seed(), 1.0).await;
    let list = call(&nas, &["list", "-p", "load_devices=true"]).await;
    assert_eq!(list.code, 0, "{}", list.err);
    let data: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(data["tasks"][0]["task_name"], "peterm-Default");
    assert!(!list.out.contains("canary") && list.out.contains("agent_status"));

    let withheld = call(&nas, &["backup", "-p", "task_ids=[1]"]).await;
    assert_eq!(withheld.code, 3);
    assert!(
        withheld.err.contains("add --yes") || withheld.err.contains("Add --yes"),
        "{}",
        withheld.err
    );
    let dry = call(&nas, &["backup", "-p", "task_ids=[1]", "--dry-run"]).await;
    assert_eq!(dry.code, 0);
    assert!(
        dry.out.contains("task_ids=[1]") && !dry.out.contains(nas.password()),
        "{}",
        dry.out
    );
    assert_eq!(effects(&nas, "backup"), 0);
    let sent = call(&nas, &["backup", "-p", "task_ids=[1]", "--yes"]).await;
    assert_eq!((sent.code, effects(&nas, "backup")), (0, 1), "{}", sent.err);
    assert!(sent.err.contains("success, without data"), "{}", sent.err);
    let again = call(&nas, &["backup", "-p", "task_ids=[1]", "--yes"]).await;
    assert_eq!((again.code, effects(&nas, "backup")), (1, 1));
    assert!(
        again.err.contains("not known whether") && again.err.contains("1202"),
        "{}",
        again.err
    );
    let missing = call(&nas, &["New.thing", "--yes"]).await;
    assert_eq!(missing.code, 1);
    assert!(missing.err.contains("error 102"), "{}", missing.err);
    assert_eq!(
        effects(&nas, "login"),
        effects(&nas, "logout"),
        "every session is ended"
    );

    nas.control(Control::Password {
        password: "other".into(),
    })
    .unwrap();
    let refused = call(&nas, &["list"]).await;
    assert_eq!(refused.code, 1);
    assert!(
        refused.err.contains("error 400") && refused.err.contains("correct username and password"),
        "{}",
        refused.err
    );
    assert!(!refused.err.contains(nas.password()));
}

#[tokio::test]
async fn the_plugin_calls_with_the_secret_of_a_server_and_says_where_the_way_ends() {
    let lab = Lab::new("plugin").await;
    let status = lab.server_reason("Connected").await;
    assert_eq!(status["package"]["version"], "2.7.0-13164");
    assert_eq!(status["package"]["capabilities"][0], "History");
    let kubeconfig = lab.namespace.kubeconfig_path().display().to_string();
    let environment = [("KUBECONFIG", kubeconfig.as_str())];
    let plugin =
        async |arguments: &[&str]| run(env!("CARGO_BIN_EXE_kubectl-abb"), arguments, &environment).await;

    let list = plugin(&["call", "nas", "list"]).await;
    assert_eq!(list.code, 0, "{}", list.err);
    assert!(list.out.contains("peterm-Default") && !list.out.contains("canary"));
    let dry = plugin(&["call", "nas", "remove", "-p", "task_ids=[1]", "--dry-run"]).await;
    assert!(dry.out.contains("method=remove"), "{}", dry.out);
    let withheld = plugin(&["call", "nas", "remove", "-p", "task_ids=[1]"]).await;
    assert_eq!(withheld.code, 3);
    assert!(withheld.err.contains("DESTROYS BACKUPS"), "{}", withheld.err);
    assert_eq!(effects(&lab.nas, "remove"), 0);
    let nobody = plugin(&["call", "other", "list"]).await;
    assert!(
        nobody.code == 1 && nobody.err.contains("no BackupServer \"other\""),
        "{}",
        nobody.err
    );

    let healthy = plugin(&["doctor", "nas"]).await;
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    assert!(
        !healthy.out.contains("fail") && healthy.out.contains("ok    machine: DS918+"),
        "{}",
        healthy.out
    );
    let stopped = PackageState::Stopped;
    lab.nas.control(Control::Package { state: stopped }).unwrap();
    let ill = plugin(&["doctor", "nas"]).await;
    assert_eq!(ill.code, 1);
    assert!(
        ill.out.contains("fail  package") && ill.out.contains("Package Center"),
        "{}",
        ill.out
    );
    let status = lab.server_reason("PackageNotRunning").await;
    let message = condition(&status, "Ready")["message"].as_str().unwrap();
    assert!(
        message.contains("error 102") && message.contains("Package Center"),
        "{message}"
    );
}
