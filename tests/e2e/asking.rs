//! `backup`, `cancel`, `suspend` and `resume` as people type them: real API server, running operator, simulated NAS, and a
//! terminal where they draw.

use std::time::Duration;

use abb_operator::simulator::{Control, Scenario};
use serde_json::{Value, json};

use crate::{
    harness::{Namespace, Output, Terminal, cluster, eventually, eventually_within, snapshot},
    lab::{Lab, secret, server, task},
};

const ABB: &str = env!("CARGO_BIN_EXE_kubectl-abb");
/// A run of six seconds: bars move, and nobody waits for long.
const SIX_SECONDS: f64 = 87.0;

async fn abb(namespace: &Namespace, arguments: &[&str]) -> Output {
    let arguments: Vec<&str> = ["abb"].iter().chain(arguments).copied().collect();
    namespace.kubectl(&arguments).await
}

fn terminal(namespace: &Namespace, arguments: &[&str], columns: u16) -> Terminal {
    let kubeconfig = namespace.kubeconfig_path().display().to_string();
    Terminal::start(ABB, arguments, &[("KUBECONFIG", &kubeconfig)], (columns, 24))
}

/// A lab with the task `laptop`, bound and idle.
async fn idle_lab(prefix: &str, time_scale: f64) -> Lab {
    let lab = Lab::with(prefix, Scenario::seed(), time_scale).await;
    lab.task("").await;
    lab.until("the task is idle", |status| status["state"] == "Idle")
        .await;
    lab
}

/// Three tasks of the NAS as `task-0001` to `task-0003`, with these results, each with its BackupTask of the tier gold.
async fn lab_of_three(prefix: &str, results: [i64; 3]) -> Lab {
    let tasks: Vec<Value> = (1..)
        .zip(results)
        .map(|(number, result)| {
            json!({ "id": number, "name": format!("task-{number:04}"), "runSeconds": 522.0, "result": result })
        })
        .collect();
    let scenario = Scenario::from_text(&json!({ "tasks": tasks }).to_string(), "three").unwrap();
    let lab = Lab::with(prefix, scenario, SIX_SECONDS).await;
    for name in ["task-0001", "task-0002", "task-0003"] {
        let manifest =
            task(name, name, "").replace("metadata: {name:", "metadata: {labels: {tier: gold}, name:");
        lab.namespace.apply(&manifest).await.ok();
    }
    for name in ["task-0001", "task-0002", "task-0003"] {
        eventually("the task is idle", async || {
            let status = lab.namespace.get("bt", name).await["status"].take();
            if status["state"] == "Idle" {
                Ok(())
            } else {
                Err(status)
            }
        })
        .await;
    }
    lab
}

/// The percents on a screen, in the order of its lines.
fn percents(screen: &str) -> Vec<u32> {
    let before = |line: &str| line.split(" %").next()?.split_whitespace().last()?.parse().ok();
    screen
        .lines()
        .filter(|line| line.contains(" %"))
        .filter_map(before)
        .collect()
}

#[track_caller]
fn ended_with(output: Output, code: i32) -> Output {
    assert_eq!(output.code, Some(code), "{}{}", output.stdout, output.stderr);
    output
}

async fn annotation(namespace: &Namespace, name: &str) -> Value {
    namespace.get("bt", "laptop").await["metadata"]["annotations"][format!("activebackup.dev/{name}")].take()
}

#[tokio::test]
async fn a_run_that_is_waited_for_moves_on_the_terminal_and_ends_in_a_table() {
    let lab = idle_lab("wait", SIX_SECONDS).await;
    for columns in [80, 140] {
        let token = format!("at-{columns}-columns");
        let mut terminal = terminal(
            &lab.namespace,
            &["backup", "laptop", "--wait", "--token", &token],
            columns,
        );
        let first = terminal
            .until("a bar moves", |screen| {
                percents(screen).iter().any(|percent| *percent > 0)
            })
            .await;
        assert!(first.contains("Running") && first.contains('━'), "{first}");
        let before = percents(&first)[0];
        let second = terminal
            .until("it moves on", |screen| {
                percents(screen).iter().any(|now| *now > before)
            })
            .await;
        assert!(second.contains("GiB") || second.contains("MiB"), "{second}");
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 0, "{screen}");
        snapshot::compare(&format!("backup-wait-{columns}"), &numberless(&lab, &screen));
    }
    assert_eq!(lab.effects("backup").len(), 2);
}

#[tokio::test]
async fn three_runs_have_a_bar_each_and_one_that_fails_is_a_failure() {
    let lab = lab_of_three("three", [2, 4, 3]).await;
    for columns in [140, 80] {
        let mut terminal = terminal(&lab.namespace, &["backup", "-l", "tier=gold", "--wait"], columns);
        let screen = terminal
            .until("three bars move", |screen| {
                percents(screen).iter().filter(|percent| **percent > 0).count() == 3
            })
            .await;
        for name in ["task-0001", "task-0002", "task-0003"] {
            assert!(screen.contains(&format!("{name}  Running")), "{screen}");
        }
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains("error: 2 of 3 not backed up"), "{screen}");
        snapshot::compare(&format!("backup-three-{columns}"), &numberless(&lab, &screen));
    }
    assert_eq!(lab.effects("backup").len(), 6);

    // Without a terminal: a line per change on standard error, the table alone on standard output.
    let output = abb(
        &lab.namespace,
        &[
            "backup",
            "task-0001",
            "backuptask/task-0002",
            "--wait",
            "--token",
            "again",
        ],
    )
    .await;
    let output = ended_with(output, 1);
    for part in [
        "task-0001: Running ",
        "task-0001: Succeeded after ",
        "task-0002: Failed after ",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert!(!output.stderr.contains('\u{1b}') && !output.stdout.contains('\u{1b}'));
    let table = output.stdout.split_once("TASK").unwrap().1;
    snapshot::compare("backup-failed", &numberless(&lab, &format!("TASK{table}")));
}

/// A text without the numbers that the NAS gave to results.
fn numberless(lab: &Lab, text: &str) -> String {
    let ended = lab.effects("run-ended");
    let ids = ended.iter().filter_map(|effect| effect.result_id);
    ids.fold(text.to_owned(), |text, id| {
        text.replace(&id.to_string(), "NUMBER")
    })
}

#[tokio::test]
async fn an_interrupted_wait_leaves_the_run_alone_and_says_so() {
    let lab = idle_lab("interrupt", SIX_SECONDS).await;
    let mut terminal = terminal(
        &lab.namespace,
        &["backup", "laptop", "--wait", "--token", "kept"],
        80,
    );
    terminal
        .until("the run is shown", |screen| !percents(screen).is_empty())
        .await;
    terminal.press("\x03");
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 1, "{screen}");
    assert!(
        screen.contains("interrupted: the runs go on; see kubectl abb status"),
        "{screen}"
    );
    let status = lab.status().await;
    assert_eq!(
        status["receipts"]["requestAnnotation"]["outcome"], "Accepted",
        "it ended with the run: {status:#}"
    );
    lab.until("the run succeeds", |status| {
        status["receipts"]["requestAnnotation"]["outcome"] == "Succeeded"
    })
    .await;
    assert_eq!((lab.effects("backup").len(), lab.effects("cancel").len()), (1, 0));
}

#[tokio::test]
async fn a_wait_ends_in_time_and_the_run_goes_on() {
    let lab = idle_lab("timeout", SIX_SECONDS).await;
    let output = abb(&lab.namespace, &["backup", "laptop", "--wait", "--timeout", "2s"]).await;
    let output = ended_with(output, 1);
    assert!(
        output
            .stderr
            .contains("1 of 1 not ended within 2s: the runs go on; see kubectl abb status"),
        "{}",
        output.stderr
    );
    assert!(output.stdout.contains("laptop   "), "{}", output.stdout);
    lab.until("the run succeeds", |status| {
        status["receipts"]["requestAnnotation"]["outcome"] == "Succeeded"
    })
    .await;
    assert_eq!((lab.effects("backup").len(), lab.effects("cancel").len()), (1, 0));
}

#[tokio::test]
async fn a_token_asks_once_and_is_found_again_behind_a_newer_one() {
    let lab = idle_lab("token", 300.0).await;
    let first = ended_with(
        abb(&lab.namespace, &["backup", "laptop", "--wait", "--token", "a"]).await,
        0,
    );
    assert!(
        first.stdout.starts_with("backuptask/laptop asked (token a)\n"),
        "{}",
        first.stdout
    );
    let again = ended_with(
        abb(&lab.namespace, &["backup", "laptop", "--wait", "--token", "a"]).await,
        0,
    );
    let told = "backuptask/laptop was asked before (token a): Succeeded, result 7545\n";
    assert!(
        again.stdout.starts_with(told) && again.stdout.contains("7545\n"),
        "{}",
        again.stdout
    );
    assert_eq!(lab.effects("backup").len(), 1);

    // Another token is accepted in the write that ends the first one's run.
    let run = "triggers: {}\nwhenRunning: Wait";
    lab.task(run).await;
    let waiting = abb(&lab.namespace, &["backup", "laptop", "--wait", "--token", "b"]);
    let overtaking = async {
        lab.until("b runs", |status| {
            status["receipts"]["requestAnnotation"]["token"] == "b"
        })
        .await;
        ended_with(
            abb(&lab.namespace, &["backup", "laptop", "--token", "c"]).await,
            0,
        )
    };
    let (waited, overtaking) = tokio::join!(waiting, overtaking);
    ended_with(waited, 0);
    assert!(
        !overtaking.stderr.contains("was replaced"),
        "{}",
        overtaking.stderr
    );
    lab.until("c is answered", |status| {
        let receipt = &status["receipts"]["requestAnnotation"];
        receipt["token"] == "c" && receipt["outcome"] == "Succeeded"
    })
    .await;
    let old = ended_with(
        abb(&lab.namespace, &["backup", "laptop", "--token", "a"]).await,
        0,
    );
    assert!(old.stdout.starts_with(told), "{}", old.stdout);
    assert_eq!(annotation(&lab.namespace, "backup-requested").await, "c");
    assert_eq!(lab.effects("backup").len(), 3);
}

#[tokio::test]
async fn what_would_never_end_is_not_waited_for_and_suspension_is_a_matter_of_annotations() {
    let lab = idle_lab("suspend", 300.0).await;
    let suspend = async |arguments: &[&str]| abb(&lab.namespace, arguments).await;
    for told in [
        "backuptask/laptop suspended\n",
        "backuptask/laptop was suspended already\n",
    ] {
        assert_eq!(suspend(&["suspend", "laptop"]).await.ok(), told);
    }
    lab.until("it is held back", |status| {
        crate::lab::condition(status, "Ready")["reason"] == "Suspended"
    })
    .await;
    let refused = ended_with(abb(&lab.namespace, &["backup", "laptop", "--wait"]).await, 1);
    assert!(
        refused
            .stderr
            .contains("nothing was asked: backuptask/laptop: it is suspended: kubectl abb resume laptop"),
        "{}",
        refused.stderr
    );
    assert_eq!(annotation(&lab.namespace, "backup-requested").await, Value::Null);
    let asked = ended_with(abb(&lab.namespace, &["backup", "laptop"]).await, 0);
    assert!(asked.stdout.contains("asked (token cli-"), "{}", asked.stdout);
    assert!(
        asked
            .stderr
            .contains("warning: backuptask/laptop: it will wait: it is suspended"),
        "{}",
        asked.stderr
    );
    lab.until("it is seen", |status| status["dueSince"].is_string())
        .await;
    assert!(lab.effects("backup").is_empty());
    for told in [
        "backuptask/laptop resumed\n",
        "backuptask/laptop was not suspended\n",
    ] {
        assert_eq!(suspend(&["resume", "laptop"]).await.ok(), told);
    }
    lab.until("what was asked for runs", |status| {
        status["receipts"]["requestAnnotation"]["outcome"] == "Succeeded"
    })
    .await;
    assert_eq!(lab.effects("backup").len(), 1);

    lab.task("suspend: true").await;
    suspend(&["suspend", "laptop"]).await.ok();
    for told in [
        "is no longer suspended by its annotation",
        "is suspended by its manifest",
    ] {
        let held = ended_with(suspend(&["resume", "laptop"]).await, 1);
        assert!(held.stdout.contains(told), "{}", held.stdout);
        assert!(
            held.stderr
                .contains("spec.suspend still holds laptop back: take it out of the manifest"),
            "{}",
            held.stderr
        );
    }
    assert_eq!(annotation(&lab.namespace, "suspended").await, Value::Null);

    lab.task("suspend: false").await;
    let plan = [
        "patch",
        "bsrv",
        "nas",
        "--type=merge",
        "-p",
        r#"{"spec":{"mode":"Plan"}}"#,
    ];
    lab.namespace.kubectl(&plan).await.ok();
    for command in ["backup", "cancel"] {
        let refused = ended_with(abb(&lab.namespace, &[command, "laptop", "--wait"]).await, 1);
        assert!(
            refused
                .stderr
                .contains("in mode Plan and sends nothing: set its spec.mode to Enforce"),
            "{}",
            refused.stderr
        );
    }
}

#[tokio::test]
async fn a_cancel_ends_the_run_in_flight_and_says_when_there_is_none() {
    let lab = idle_lab("cancel", 20.0).await;
    let waiting = abb(&lab.namespace, &["backup", "laptop", "--wait"]);
    let cancelling = async {
        lab.until("the run is in progress", |status| status["state"] == "Running")
            .await;
        abb(&lab.namespace, &["cancel", "laptop", "--wait"]).await
    };
    let (waited, cancelled) = tokio::join!(waiting, cancelling);
    let cancelled = ended_with(cancelled, 0);
    assert!(
        cancelled
            .stdout
            .contains("backuptask/laptop asked to cancel (token cli-"),
        "{}",
        cancelled.stdout
    );
    assert!(
        cancelled.stdout.contains("laptop   Canceled   "),
        "{}",
        cancelled.stdout
    );
    let waited = ended_with(waited, 1);
    assert!(
        waited.stdout.contains("the run was cancelled"),
        "{}",
        waited.stdout
    );
    assert_eq!(lab.effects("cancel").len(), 1);

    let nothing = ended_with(abb(&lab.namespace, &["cancel", "laptop", "--wait"]).await, 0);
    assert!(
        nothing
            .stderr
            .contains("no run is in flight: the answer will be NothingToCancel"),
        "{}",
        nothing.stderr
    );
    assert!(
        nothing.stdout.contains("laptop   NothingToCancel"),
        "{}",
        nothing.stdout
    );
    assert_eq!(lab.effects("cancel").len(), 1);
}

#[tokio::test]
async fn without_an_operator_that_is_said_and_a_lost_token_ends_the_wait() {
    let namespace = cluster().await.namespace("nobody").await;
    let nas = crate::lab::nas(Scenario::seed(), 300.0).await;
    namespace.apply(&secret(nas.password())).await.ok();
    namespace.apply(&server(&nas, "")).await.ok();
    for name in ["laptop", "replaced", "deleted", "held"] {
        namespace.apply(&task(name, crate::lab::TASK, "")).await.ok();
    }
    let asked = async |name: &str| {
        eventually("the token stands", async || {
            let task = namespace.get("bt", name).await;
            task["metadata"]["annotations"]["activebackup.dev/backup-requested"]
                .is_string()
                .then_some(())
        })
        .await;
    };
    let silent = abb(&namespace, &["backup", "laptop", "--wait", "--timeout", "32s"]);
    let replaced = abb(&namespace, &["backup", "replaced", "--wait", "--token", "mine"]);
    let deleted = abb(&namespace, &["backup", "deleted", "--wait"]);
    let held = abb(&namespace, &["backup", "held", "--wait"]);
    let others = async {
        asked("replaced").await;
        let output = ended_with(
            abb(&namespace, &["backup", "bt/replaced", "--token", "other"]).await,
            0,
        );
        assert!(
            output
                .stderr
                .contains("the token \"mine\" was replaced before an operator accepted it"),
            "{}",
            output.stderr
        );
        asked("deleted").await;
        namespace.kubectl(&["delete", "bt", "deleted"]).await.ok();
        asked("held").await;
        abb(&namespace, &["suspend", "held"]).await.ok();
    };
    let (silent, replaced, deleted, held, ()) = tokio::join!(silent, replaced, deleted, held, others);
    let held = ended_with(held, 1);
    assert!(
        held.stdout.contains("held   Suspended ") && held.stdout.contains("kubectl abb resume held"),
        "{}",
        held.stdout
    );
    let silent = ended_with(silent, 1);
    assert!(
        silent
            .stderr
            .contains("no operator has looked at it yet: see kubectl abb doctor"),
        "{}",
        silent.stderr
    );
    assert!(
        silent
            .stderr
            .contains("warning: laptop: no operator has accepted it yet, after 30s: see kubectl abb doctor"),
        "{}",
        silent.stderr
    );
    let replaced = ended_with(replaced, 1);
    assert!(
        replaced.stdout.contains("replaced   Replaced ") && replaced.stdout.contains("never asked for"),
        "{}",
        replaced.stdout
    );
    let deleted = ended_with(deleted, 1);
    assert!(
        deleted.stdout.contains("deleted   Deleted "),
        "{}",
        deleted.stdout
    );
    assert!(nas.ledger().iter().all(|effect| effect.kind != "backup"));
}

#[tokio::test]
async fn what_cannot_be_asked_is_said_before_anything_is() {
    let namespace = cluster().await.namespace("refused").await;
    namespace.apply(&task("laptop", crate::lab::TASK, "")).await.ok();
    for (arguments, code, part) in [
        (
            &["backup", "laptop", "lap-top", "server"][..],
            1,
            "no BackupTask \"lap-top\", \"server\" in namespace",
        ),
        (
            &["backup", "-l", "tier=gold"],
            1,
            "has labels \"tier=gold\": see kubectl get backuptasks --show-labels",
        ),
        (
            &["backup", "-l", "tier in ("],
            3,
            "the selector \"tier in (\" cannot be read",
        ),
        (
            &["backup", "laptop", "--token", ""],
            3,
            "--token has 0 characters",
        ),
        (&["backup"], 3, "required"),
        (&["backup", "laptop", "--timeout", "5s"], 3, "--wait"),
        (&["suspend", "other"], 1, "no BackupTask \"other\""),
    ] {
        let output = ended_with(abb(&namespace, arguments).await, code);
        assert!(output.stderr.contains(part), "{arguments:?}: {}", output.stderr);
        assert_eq!(output.stdout, "");
    }
    assert_eq!(annotation(&namespace, "backup-requested").await, Value::Null);

    let mut config: Value =
        serde_json::from_str(&std::fs::read_to_string(namespace.kubeconfig_path()).unwrap()).unwrap();
    config["users"][0]["user"]["as"] = "nobody".into();
    let file = namespace.cluster().directory().join("nobody.kubeconfig");
    std::fs::write(&file, config.to_string()).unwrap();
    let as_nobody = abb(
        &namespace,
        &["--kubeconfig", &file.display().to_string(), "backup", "laptop"],
    )
    .await;
    let as_nobody = ended_with(as_nobody, 1);
    assert!(
        as_nobody.stderr.contains("forbidden") && as_nobody.stderr.contains("it takes the verbs get"),
        "{}",
        as_nobody.stderr
    );
}

#[tokio::test]
async fn an_api_server_that_is_away_for_a_while_is_waited_for() {
    let lab = idle_lab("hiccup", 40.0).await;
    let way = Way::new(lab.namespace.cluster().url()).await;
    let text = std::fs::read_to_string(lab.namespace.kubeconfig_path()).unwrap();
    let file = lab.namespace.cluster().directory().join("way.kubeconfig");
    std::fs::write(&file, text.replace(lab.namespace.cluster().url(), &way.url)).unwrap();
    let kubeconfig = file.display().to_string();
    let mut terminal = Terminal::start(
        ABB,
        &["backup", "laptop", "--wait"],
        &[("KUBECONFIG", &kubeconfig)],
        (140, 24),
    );
    terminal
        .until("the run is shown", |screen| !percents(screen).is_empty())
        .await;
    way.close();
    terminal
        .until("it is told", |screen| {
            screen.contains("the API server does not answer")
        })
        .await;
    way.open();
    let mut ended = None;
    eventually_within("the wait ends", Duration::from_secs(60), async || {
        ended = Some(terminal.screen());
        terminal.screen().contains("RESULT ID").then_some(())
    })
    .await;
    let (code, screen) = terminal.ended().await;
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("kube_client"), "{screen}");
    assert!(
        screen.contains("the API server answers again") && screen.contains("Succeeded"),
        "{screen}"
    );
    assert_eq!(lab.effects("backup").len(), 1);
}

#[tokio::test]
async fn a_wait_tells_what_it_waits_for_and_a_time_may_be_satisfied_already() {
    let lab = idle_lab("told", SIX_SECONDS).await;
    // The seed's last run was later than that.
    let output = abb(
        &lab.namespace,
        &["backup", "laptop", "--wait", "--token", "2020-01-01T00:00:00Z"],
    )
    .await;
    let output = ended_with(output, 0);
    assert!(
        output.stdout.contains("laptop   AlreadySatisfied   "),
        "{}",
        output.stdout
    );
    assert!(lab.effects("backup").is_empty());

    let origin = abb_operator::simulator::Origin::Person;
    lab.nas.control(Control::StartTask { id: 1, origin }).unwrap();
    lab.until("somebody's run is in progress", |status| {
        status["state"] == "Running"
    })
    .await;
    let output = ended_with(abb(&lab.namespace, &["backup", "laptop", "--wait"]).await, 0);
    for part in [
        "a run is in progress: the one asked for starts after it",
        "laptop: WaitingForRun",
        "laptop: Running ",
        "laptop: Succeeded after ",
    ] {
        assert!(output.stderr.contains(part), "{part}: {}", output.stderr);
    }
    assert_eq!(lab.effects("run-ended").len(), 2);
}

/// The way to an API server, which can be closed: connections end, and new ones are refused.
struct Way {
    url: String,
    is_open: tokio::sync::watch::Sender<bool>,
}

impl Way {
    async fn new(target: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let target = target.trim_start_matches("https://").to_owned();
        let (is_open, state) = tokio::sync::watch::channel(true);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let (mut state, target) = (state.clone(), target.clone());
                tokio::spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let Ok(mut far) = tokio::net::TcpStream::connect(target).await else {
                        return;
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|is_open| !is_open) => {}
                    }
                });
            }
        });
        Self { url, is_open }
    }

    fn close(&self) {
        self.is_open.send_replace(false);
    }

    fn open(&self) {
        self.is_open.send_replace(true);
    }
}
