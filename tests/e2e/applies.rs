//! `apply` without a cluster: what is due is sent once, whatever happens to the process or to an answer.

use std::{path::Path, process::Stdio};

use abb_operator::simulator::{Control, Fault, FaultKind, Options, Scenario, Simulator, WindowClosed, start};
use tokio::process::{Child, Command};

use crate::{
    harness::{Terminal, eventually, snapshot},
    lab::{TASK, nas, server, server_at, task},
    proxy::{Proxy, Verdict},
};

const OPERATOR: &str = env!("CARGO_BIN_EXE_abb-operator");

/// A folder with manifests, and what an apply keeps beside them.
struct Repository {
    place: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Repository {
    fn new(nas: &Simulator, url: &str) -> Self {
        let environment = vec![
            ("ABB_NAS_URL", url.to_owned()),
            ("ABB_NAS_USERNAME", nas.username().to_owned()),
            ("ABB_NAS_PASSWORD", nas.password().to_owned()),
        ];
        Self {
            place: tempfile::tempdir().unwrap(),
            environment,
        }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.place.path().join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(OPERATOR);
        command
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.place.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    /// Exit code and everything that was printed.
    async fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    async fn apply(&self, more: &[&str]) -> (i32, String) {
        let arguments: Vec<&str> = ["apply", "-f", "."].iter().chain(more).copied().collect();
        self.run(&arguments).await
    }

    fn start(&self, more: &[&str]) -> Child {
        let arguments: Vec<&str> = ["apply", "-f", "."].iter().chain(more).copied().collect();
        self.command(&arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn status(&self, name: &str) -> serde_json::Value {
        let path = self
            .place
            .path()
            .join(format!(".abb/default/backuptasks/{name}.json"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let mut object: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        object["status"].take()
    }

    fn path(&self) -> &Path {
        self.place.path()
    }
}

#[tokio::test]
async fn the_bars_and_the_table_of_an_apply() {
    let at = |width: u16| async move {
        let nas = nas(Scenario::seed(), 100.0).await;
        let repository = Repository::new(&nas, nas.url());
        repository.write("nas.yaml", &server(&nas, ""));
        repository.write(
            "laptop.yaml",
            &task("laptop", TASK, "triggers: {request: \"2026-01-01T00:00:00Z\"}"),
        );
        repository.write("gone.yaml", &task("gone", "Moved-Away", ""));
        let environment: Vec<(&str, &str)> = repository
            .environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let mut terminal =
            crate::pulls::terminal(repository.path(), "apply -f . --wait", &environment, (width, 40));
        let moving = terminal.until("the bar moves", |screen| {
            screen.contains("laptop") && screen.contains(" %") && screen.contains("MiB")
        });
        let moving = moving.await;
        assert!(
            moving
                .lines()
                .all(|line| console::measure_text_width(line) <= usize::from(width)),
            "{moving}"
        );
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 1, "one of them is in trouble: {screen}");
        snapshot::compare(&format!("apply-{width}"), &screen);
    };
    futures::future::join(at(80), at(140)).await;
}

fn effects(nas: &Simulator, kind: &str) -> usize {
    nas.ledger().iter().filter(|effect| effect.kind == kind).count()
}

#[tokio::test]
async fn the_second_apply_sends_nothing() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let repository = Repository::new(&nas, nas.url());
    repository.write("nas.yaml", &server(&nas, ""));
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
    let (code, text) = repository.apply(&["--wait"]).await;
    assert_eq!(code, 0, "{text}");
    assert_eq!(effects(&nas, "backup"), 1);
    let status = repository.status("laptop");
    assert_eq!(
        status["receipts"]["request"]["outcome"], "Succeeded",
        "{status:#}"
    );
    for _ in 0..2 {
        let (code, text) = repository.apply(&["--wait"]).await;
        assert_eq!((code, effects(&nas, "backup")), (0, 1), "{text}");
    }
    let (code, text) = repository.run(&["plan", "-f", "."]).await;
    assert_eq!(code, 0, "{text}");
    // Another token is another run.
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: twice}"));
    let (code, text) = repository.run(&["plan", "-f", "."]).await;
    assert_eq!(code, 2, "{text}");
    let (code, text) = repository.apply(&["--wait"]).await;
    assert_eq!((code, effects(&nas, "backup")), (0, 2), "{text}");
    assert_eq!(effects(&nas, "login"), effects(&nas, "logout"));
    let state =
        std::fs::read_to_string(repository.path().join(".abb/default/backupservers/nas.json")).unwrap();
    assert!(!state.contains(nas.password()), "{state}");
}

#[tokio::test]
async fn a_failed_run_and_a_nas_that_is_away_end_with_1() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let repository = Repository::new(&nas, nas.url());
    repository.write("nas.yaml", &server(&nas, ""));
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
    let change = serde_json::from_value(serde_json::json!({ "result": 4 })).unwrap();
    nas.control(Control::ChangeTask {
        id: 1,
        change: Box::new(change),
    })
    .unwrap();
    let (code, text) = repository.apply(&["--wait"]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("BackupFailed"), "{text}");
    nas.control(Control::Power { on: false }).unwrap();
    let (code, text) = repository.apply(&[]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("Unreachable"), "{text}");
    let (code, text) = repository.apply(&["--wait", "--timeout", "1s"]).await;
    assert_eq!(code, 1, "{text}");
    assert_eq!(effects(&nas, "backup"), 1);
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_and_again() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let mut repository = Repository::new(&nas, nas.url());
    repository.write("nas.yaml", &server(&nas, ""));
    repository.write("laptop.yaml", &task("laptop", TASK, ""));
    repository.environment[2].1 = "wrong".to_owned();
    for _ in 0..3 {
        let (code, text) = repository.apply(&[]).await;
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("CredentialsRejected"), "{text}");
    }
    let logins = nas
        .requests()
        .iter()
        .filter(|request| request.method == "login")
        .count();
    assert_eq!(logins, 1, "each further one brings the account nearer to a block");
}

/// Where the kill falls.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The NAS was asked for its tasks; nothing is kept yet.
    BeforeTheIntent,
    /// The NAS has carried the call out; the process does not know yet.
    CallSent,
    /// The process has the NAS's answer.
    AnswerCame,
}

#[tokio::test]
async fn killed_in_the_middle_it_converges_on_one_run() {
    let moments = [Moment::BeforeTheIntent, Moment::CallSent, Moment::AnswerCame];
    futures::future::join_all(moments.map(killed_at)).await;
}

async fn killed_at(moment: Moment) {
    abb_operator::install_crypto();
    let options = Options {
        plaintext: true,
        time_scale: 300.0,
        scenario: Scenario::seed(),
        ..Options::default()
    };
    let nas = start(options).await.unwrap();
    let (method, verdict) = match moment {
        Moment::BeforeTheIntent => ("method=list", Verdict::Withhold),
        Moment::CallSent => ("method=backup", Verdict::Withhold),
        Moment::AnswerCame => ("method=backup", Verdict::Tell),
    };
    let rule = move |verb: &str, _: &str, body: &str| {
        if verb == "POST" && body.split('&').any(|field| field == method) {
            verdict
        } else {
            Verdict::Pass
        }
    };
    let mut proxy = Proxy::start(nas.url(), Box::new(rule)).await;
    let repository = Repository::new(&nas, &proxy.url);
    repository.write("nas.yaml", &server_at(&proxy.url, "", ""));
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
    let mut first = repository.start(&["--wait"]);
    proxy.reached().await;
    first.kill().await.unwrap();
    let kept = repository.status("laptop")["intent"]["action"] == "Backup";
    let had_run = repository.status("laptop")["run"].is_object();
    assert_eq!(
        kept || had_run,
        !matches!(moment, Moment::BeforeTheIntent),
        "{moment:?}"
    );

    let mut second = Repository::new(&nas, nas.url());
    second.place = repository.place;
    second.write("nas.yaml", &server_at(nas.url(), "", ""));
    let (code, text) = second.apply(&["--wait"]).await;
    assert_eq!(code, 0, "{moment:?}: {text}");
    assert_eq!(effects(&nas, "backup"), 1, "{moment:?}: {text}");
    let status = second.status("laptop");
    assert_eq!(
        status["receipts"]["request"]["outcome"], "Succeeded",
        "{moment:?}: {status:#}"
    );
    assert!(status["intent"].is_null(), "{moment:?}: {status:#}");
}

#[tokio::test]
async fn lost_answers_ask_for_no_second_run() {
    let kinds = [FaultKind::LoseReplyAfter, FaultKind::LoseReplyBefore];
    futures::future::join_all(kinds.map(|kind| async move {
        let nas = nas(Scenario::seed(), 300.0).await;
        let fault = Fault {
            method: Some("backup".to_owned()),
            ..Fault::new(kind)
        };
        nas.control(Control::AddFault(fault)).unwrap();
        let repository = Repository::new(&nas, nas.url());
        repository.write("nas.yaml", &server(&nas, ""));
        repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
        let (code, text) = repository.apply(&["--wait"]).await;
        assert_eq!((code, effects(&nas, "backup")), (0, 1), "{text}");
    }))
    .await;
}

/// A NAS may take a call and do nothing. After its answer absence never leads to a second call, in no later process.
#[tokio::test]
async fn an_answer_is_kept_for_the_next_apply() {
    let mut scenario = Scenario::seed();
    scenario.tasks[0].window_open = Some(false);
    scenario.behaviour.window_closed = WindowClosed::LogOnly;
    // Nor does its log say so.
    let silent = Fault {
        method: Some("list_log".to_owned()),
        ..Fault::new(FaultKind::ErrorCode { code: 103 })
    };
    scenario.faults.push(silent.times(0));
    let nas = nas(scenario, 300.0).await;
    let repository = Repository::new(&nas, nas.url());
    repository.write(
        "nas.yaml",
        &server(&nas, "").replace("settle: 3s", "settle: 3s, list: 1s"),
    );
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
    for _ in 0..3 {
        let (code, text) = repository.apply(&[]).await;
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("the next apply looks again"), "{text}");
        let status = repository.status("laptop");
        assert_eq!(status["intent"]["action"], "Backup", "{status:#}");
    }
    let calls = nas
        .requests()
        .iter()
        .filter(|request| request.method == "backup")
        .count();
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn a_password_that_was_mended_is_tried_at_once_and_what_is_held_is_not_waited_for() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let mut repository = Repository::new(&nas, nas.url());
    repository.write("nas.yaml", &server(&nas, ""));
    repository.write(
        "laptop.yaml",
        &task("laptop", TASK, "triggers: {request: once}\nsuspend: true"),
    );
    let right = std::mem::replace(&mut repository.environment[2].1, "wrong".to_owned());
    let (code, text) = repository.apply(&["--wait"]).await;
    assert!(code == 1 && text.contains("CredentialsRejected"), "{text}");
    repository.environment[2].1 = right;
    let (code, text) = repository.apply(&["--wait"]).await;
    assert!(code == 1 && text.contains("Suspended"), "{text}");
    assert!(!text.contains("CredentialsRejected"), "{text}");
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
    let (code, text) = repository.apply(&["--wait"]).await;
    assert_eq!((code, effects(&nas, "backup")), (0, 1), "{text}");
}

#[tokio::test]
async fn one_apply_has_the_folder_and_an_interrupted_one_leaves_the_run_alone() {
    let nas = nas(Scenario::seed(), 20.0).await;
    let repository = Repository::new(&nas, nas.url());
    repository.write("nas.yaml", &server(&nas, ""));
    repository.write("laptop.yaml", &task("laptop", TASK, "triggers: {request: once}"));
    let folder = repository.path().display().to_string();
    let state = repository.path().join(".abb").display().to_string();
    let environment: Vec<(&str, &str)> = repository
        .environment
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let arguments = ["apply", "-f", &folder, "--state", &state, "--wait"];
    let mut terminal = Terminal::start(OPERATOR, &arguments, &environment, (80, 24));
    eventually("the run is in flight", async || {
        (repository.status("laptop")["state"] == "Running").then_some(())
    })
    .await;
    let (code, text) = repository.apply(&[]).await;
    assert!(
        code == 1 && text.contains("another apply is using this folder"),
        "{text}"
    );
    terminal.press("\u{3}");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 1, "{screen}");
    assert!(screen.contains("go on"), "{screen}");
    assert_eq!(effects(&nas, "cancel"), 0);
    nas.control(Control::FinishTask { id: 1, status: 2 }).unwrap();
    let (code, text) = repository.apply(&["--wait"]).await;
    assert_eq!((code, effects(&nas, "backup")), (0, 1), "{text}");
}

#[tokio::test]
async fn a_pruned_task_goes_and_takes_its_backups_only_where_that_was_asked_for() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let repository = Repository::new(&nas, nas.url());
    repository.write("nas.yaml", &server(&nas, "removals: {allowed: true}"));
    repository.write("laptop.yaml", &task("laptop", TASK, ""));
    assert_eq!(repository.apply(&[]).await.0, 0);
    repository.write("laptop.yaml", "# gone\n");
    let (code, text) = repository.apply(&["--prune"]).await;
    assert!(code == 0 && text.contains("the NAS keeps its task"), "{text}");
    assert!(repository.status("laptop").is_null());
    assert_eq!(effects(&nas, "remove"), 0);

    let on_delete = format!(
        "removal: {{when: OnDelete, confirm: {:?}}}",
        crate::lab::UNIQUE_KEY
    );
    repository.write("laptop.yaml", &task("laptop", TASK, &on_delete));
    assert_eq!(repository.apply(&[]).await.0, 0);
    repository.write("laptop.yaml", "# gone\n");
    let (code, text) = repository.apply(&[]).await;
    assert_eq!((code, effects(&nas, "remove")), (0, 0), "without --prune: {text}");
    let (code, text) = repository.apply(&["--prune", "--wait"]).await;
    assert_eq!((code, effects(&nas, "remove")), (0, 1), "{text}");
    assert!(repository.status("laptop").is_null());
    let (code, text) = repository.apply(&["--prune", "--wait"]).await;
    assert_eq!((code, effects(&nas, "remove")), (0, 1), "{text}");
}

#[tokio::test]
async fn a_password_goes_to_its_own_address_only() {
    let nas = nas(Scenario::seed(), 300.0).await;
    let other = self::nas(Scenario::seed(), 300.0).await;
    let repository = Repository::new(&nas, nas.url());
    // What a pull request may write: another address with the same Secret.
    repository.write("nas.yaml", &server(&other, ""));
    repository.write("laptop.yaml", &task("laptop", TASK, ""));
    let (code, text) = repository.run(&["plan", "-f", "."]).await;
    assert!(code == 1 && text.contains("SecretNotFound"), "{text}");
    let secrets = repository.path().join("secrets/nas");
    std::fs::create_dir_all(&secrets).unwrap();
    for (key, value) in [
        ("username", other.username()),
        ("password", other.password()),
        ("url", nas.url()),
    ] {
        std::fs::write(secrets.join(key), value).unwrap();
    }
    let arguments = [
        "plan",
        "-f",
        "nas.yaml",
        "-f",
        "laptop.yaml",
        "--secrets",
        "secrets",
    ];
    let (code, text) = repository.run(&arguments).await;
    assert!(code == 1 && text.contains("names another address"), "{text}");
    assert!(other.requests().iter().all(|request| request.method != "login"));
    std::fs::write(secrets.join("url"), format!("{}\n", other.url())).unwrap();
    let (code, text) = repository.run(&arguments).await;
    assert_eq!(code, 0, "{text}");
    let mut bare = Repository::new(&nas, nas.url());
    bare.environment.remove(0);
    bare.write("nas.yaml", &server(&nas, ""));
    let (code, text) = bare.run(&["plan", "-f", "nas.yaml"]).await;
    assert!(code == 3 && text.contains("ABB_NAS_URL"), "{text}");
}
