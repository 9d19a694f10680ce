//! `plan` as a pipeline runs it: pull requests against a repository of manifests, good, wrong and dangerous, each with its
//! verdict and the comment it gets. Judged twice, against the folder of an earlier `apply` and against a cluster with a
//! running operator; both say the same. `UPDATE_PULLS=1` writes the comments anew.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use abb_operator::simulator::{ResultSpec, Scenario, Simulator, TaskSpec, VersionSpec};
use tokio::process::Command;

use crate::{
    harness::{Namespace, Terminal, cluster, eventually, snapshot},
    lab::{condition, nas, secret},
};

const PULLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pulls");
const OPERATOR: &str = env!("CARGO_BIN_EXE_abb-operator");

/// What a pipeline goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Merging it sends nothing.
    Quiet,
    /// Merging it sends something.
    Due,
    /// Merging it destroys a backup.
    Destroys,
    /// Something is in trouble.
    Trouble,
    /// The manifests cannot be applied.
    Refused,
}

/// Each pull request, its verdict, and what its comment must say.
const CASES: &[(&str, Kind, &str)] = &[
    ("unchanged", Kind::Quiet, "nothing is due"),
    ("a-new-task", Kind::Quiet, "| `attic` | nas | Attic | new |"),
    ("a-schedule", Kind::Quiet, "| changed | next "),
    ("a-request-by-time", Kind::Due, "🟩 backup | `laptop`"),
    ("a-request-that-is-satisfied", Kind::Quiet, "nothing is due"),
    ("a-request-for-later", Kind::Quiet, "next 2099-01-01T00:00:00Z"),
    (
        "an-age-that-has-passed",
        Kind::Due,
        "the newest success is older than maxAge",
    ),
    ("a-request-while-suspended", Kind::Quiet, "Suspended"),
    ("a-server-that-only-plans", Kind::Quiet, "would send backup"),
    ("other-kinds", Kind::Quiet, "nothing is due"),
    ("a-list-of-tasks", Kind::Quiet, "nothing is due"),
    ("wrong-field", Kind::Refused, "backups/laptop.yaml:9"),
    ("wrong-cron", Kind::Refused, "five cron fields"),
    ("wrong-day", Kind::Refused, "never comes"),
    ("wrong-zone", Kind::Refused, "Europe/Atlantis"),
    ("wrong-address", Kind::Refused, "sends the password in the clear"),
    ("wrong-removal", Kind::Refused, "confirm is required"),
    ("wrong-yaml", Kind::Refused, "backups/laptop.yaml:9"),
    ("twice-the-same", Kind::Refused, "backups/copy.yaml"),
    ("another-server", Kind::Refused, "is immutable"),
    ("a-server-that-is-not-there", Kind::Trouble, "ServerNotFound"),
    ("a-task-that-is-not-there", Kind::Trouble, "TaskNotFound"),
    ("a-task-that-has-an-owner", Kind::Trouble, "TaskClaimed"),
    (
        "removal-now",
        Kind::Destroys,
        "**Laptop would be removed from the NAS with 3 versions",
    ),
    ("removal-of-another", Kind::Trouble, "RemovalNotConfirmed"),
    ("removal-not-permitted", Kind::Trouble, "RemovalNotAllowed"),
    ("removal-too-late", Kind::Trouble, "removal.notAfter has passed"),
    (
        "removal-by-a-prune",
        Kind::Destroys,
        "**Archive would be removed from the NAS with 12 versions",
    ),
    ("a-renamed-object", Kind::Trouble, "declares the same NAS task"),
    ("a-harmless-prune", Kind::Quiet, "the NAS keeps its task"),
    (
        "another-token",
        Kind::Due,
        "reverting it in Git asks for another run",
    ),
    ("no-verification", Kind::Quiet, "accepts any certificate"),
    ("a-password-in-git", Kind::Quiet, "ends in Git"),
    ("replace-a-run", Kind::Due, "🟩 backup | `laptop`"),
];

fn versions(count: i64) -> Vec<VersionSpec> {
    (1..=count)
        .map(|id| VersionSpec {
            id,
            locked: false,
            used_size: 1 << 30,
            time_start: 1_700_000_000 + id * 86_400,
            time_end: 1_700_000_600 + id * 86_400,
        })
        .collect()
}

/// A NAS whose newest results are two days old.
pub async fn office() -> Simulator {
    let now = jiff::Timestamp::now().as_second();
    let task = |name: &str, count: i64| TaskSpec {
        name: Some(name.to_owned()),
        unique_key: Some(format!("{}-key", name.to_lowercase())),
        versions: Some(versions(count)),
        last_result: Some(ResultSpec {
            time_start: Some(now - 172_800),
            time_end: Some(now - 172_000),
            ..ResultSpec::default()
        }),
        ..TaskSpec::default()
    };
    let scenario = Scenario {
        tasks: vec![
            task("Laptop", 3),
            task("Desk", 1),
            task("Archive", 12),
            task("Attic", 2),
        ],
        ..Scenario::default()
    };
    nas(scenario, 300.0).await
}

/// The repository after a pull request: the base with the files it changes.
pub fn checkout(pull: &str, nas: &Simulator) -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("backups");
    fs::create_dir(&folder).unwrap();
    let day = jiff::SignedDuration::from_hours(24);
    let yesterday = abb_operator::api::status_time(jiff::Timestamp::now() - day)
        .0
        .to_string();
    for source in ["base", pull] {
        for entry in fs::read_dir(Path::new(PULLS).join(source)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = fs::read_to_string(&path)
                .unwrap()
                .replace("NAS_URL", nas.url())
                .replace("NAS_FINGERPRINT", nas.fingerprint().unwrap())
                .replace("YESTERDAY", &yesterday);
            fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
    place
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

async fn run(place: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let output = Command::new(OPERATOR)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(place)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    Ended {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn account(nas: &Simulator) -> [(&str, &str); 3] {
    [
        ("ABB_NAS_URL", nas.url()),
        ("ABB_NAS_USERNAME", nas.username()),
        ("ABB_NAS_PASSWORD", nas.password()),
    ]
}

/// What differs from run to run: dates after 2020 but the fixtures' own.
fn steady(text: &str, nas: &Simulator) -> String {
    let day = regex::Regex::new(r"20(2[1-9]|3\d)-\d\d-\d\dT\d\d:\d\d:\d\dZ").unwrap();
    let text = text.replace(nas.url(), "NAS_URL");
    day.replace_all(&text, |found: &regex::Captures<'_>| match &found[0] {
        // The versions of the fixtures.
        fixed if fixed.starts_with("2023-") => fixed.to_owned(),
        _ => "TIME".to_owned(),
    })
    .into_owned()
}

fn judged(pull: &str, kind: Kind, ended: &Ended, value: &serde_json::Value) {
    let (code, verdict) = match kind {
        Kind::Quiet => (0, "Nothing"),
        Kind::Due | Kind::Destroys => (2, "Due"),
        Kind::Trouble => (1, "Failed"),
        Kind::Refused => (3, "Invalid"),
    };
    assert_eq!(
        (ended.code, value["verdict"].as_str().unwrap()),
        (code, verdict),
        "{pull}: {}{}",
        ended.out,
        ended.err
    );
    let removes = value["tasks"]
        .as_array()
        .is_some_and(|tasks| tasks.iter().any(|task| task["action"] == "Remove"));
    assert_eq!(removes, kind == Kind::Destroys, "{pull}: {value:#}");
}

/// Compares a comment with the one in the fixtures.
fn compare(pull: &str, comment: &str) {
    let path: PathBuf = Path::new(PULLS).join(pull).join("comment.md");
    if std::env::var_os("UPDATE_PULLS").is_some() {
        fs::write(&path, comment).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(comment, expected, "{pull}: UPDATE_PULLS=1 writes it anew");
}

fn plan_arguments<'a>(format: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["plan", "-f", "backups", "--prune", "-o", format];
    arguments.extend(more);
    arguments
}

#[tokio::test]
async fn a_pipeline_without_a_cluster_gets_each_verdict() {
    let nas = office().await;
    let base = checkout("base", &nas);
    let applied = run(base.path(), &["apply", "-f", "backups", "--wait"], &account(&nas)).await;
    assert_eq!(applied.code, 0, "{}{}", applied.out, applied.err);
    let state = base.path().join(".abb").display().to_string();
    let before = nas
        .ledger()
        .iter()
        .filter(|effect| effect.kind == "backup")
        .count();
    assert_eq!(before, 1, "the base asks for one run");
    for (pull, kind, part) in CASES {
        let place = checkout(pull, &nas);
        let comment = run(
            place.path(),
            &plan_arguments("markdown", &["--state", &state]),
            &account(&nas),
        )
        .await;
        let json = run(
            place.path(),
            &plan_arguments("json", &["--state", &state]),
            &account(&nas),
        )
        .await;
        let value = serde_json::from_str(&json.out).unwrap();
        judged(pull, *kind, &json, &value);
        assert_eq!(comment.code, json.code, "{pull}");
        assert!(comment.out.contains(part), "{pull}: {part}: {}", comment.out);
        assert!(
            !comment.out.contains("canary") && !json.out.contains("canary"),
            "{pull}"
        );
        compare(pull, &steady(&comment.out, &nas));
        if *kind == Kind::Refused {
            assert!(
                comment.err.contains("no NAS was asked"),
                "{pull}: {}",
                comment.err
            );
        }
    }
    let changed = |effect: &str| matches!(effect, "backup" | "cancel" | "remove");
    let after = nas.ledger().iter().filter(|effect| changed(&effect.kind)).count();
    assert_eq!(after, 1, "no plan has changed anything");
    assert!(!base.path().join("backups/.abb").exists());
}

#[tokio::test]
async fn a_pipeline_with_a_cluster_gets_the_same() {
    let nas = office().await;
    let namespace = cluster().await.namespace("pulls").await;
    let base = checkout("base", &nas);
    namespace.apply(&secret(nas.password())).await.ok();
    let folder = base.path().join("backups").display().to_string();
    namespace.kubectl(&["apply", "-f", &folder]).await.ok();
    let mut operator = namespace.operator(&[]);
    operator.wait_ready().await;
    settled(&namespace).await;
    let kubeconfig = namespace.kubeconfig_path().display().to_string();
    for (pull, kind, _) in CASES {
        let place = checkout(pull, &nas);
        let more = ["--kubeconfig", kubeconfig.as_str()];
        let comment = run(place.path(), &plan_arguments("markdown", &more), &[]).await;
        let json = run(place.path(), &plan_arguments("json", &more), &[]).await;
        let value = serde_json::from_str(&json.out).unwrap();
        judged(pull, *kind, &json, &value);
        let expected = fs::read_to_string(Path::new(PULLS).join(pull).join("comment.md")).unwrap_or_default();
        let told = comment.out.replace(namespace.name(), "default");
        assert_eq!(
            steady(&told, &nas),
            expected,
            "{pull}: another comment than without a cluster"
        );
    }
    let changed = |effect: &str| matches!(effect, "backup" | "cancel" | "remove");
    let effects = nas.ledger().iter().filter(|effect| changed(&effect.kind)).count();
    assert_eq!(effects, 1, "no plan has changed anything");
}

/// A pull request that points a Secret of the cluster at an address of its own gets no login there.
#[tokio::test]
async fn a_secret_of_the_cluster_goes_where_it_is_used() {
    let (nas, other) = (office().await, office().await);
    let namespace = cluster().await.namespace("lure").await;
    namespace.apply(&secret(nas.password())).await.ok();
    let base = checkout("base", &nas);
    let folder = base.path().join("backups").display().to_string();
    namespace.kubectl(&["apply", "-f", &folder]).await.ok();
    let kubeconfig = namespace.kubeconfig_path().display().to_string();
    let lure = checkout("base", &other);
    let arguments = plan_arguments("text", &["--kubeconfig", &kubeconfig]);
    let told = run(lure.path(), &arguments, &[]).await;
    assert_eq!(told.code, 1, "{}{}", told.out, told.err);
    assert!(told.out.contains("add --any-address"), "{}", told.out);
    let logins = |nas: &Simulator| {
        nas.requests()
            .iter()
            .filter(|request| request.method == "login")
            .count()
    };
    assert_eq!(logins(&other), 0, "it was sent to another machine");
    let meant = run(
        lure.path(),
        &[arguments.as_slice(), &["--any-address"]].concat(),
        &[],
    )
    .await;
    assert_eq!(meant.code, 2, "{}{}", meant.out, meant.err);
    assert_eq!(logins(&other), 1);
}

/// Waits until the base is as quiet as after `apply --wait`.
async fn settled(namespace: &Namespace) {
    eventually("the base is settled", async || {
        let desk = namespace.get("bt", "desk").await;
        let archive = namespace.get("bt", "archive").await;
        let laptop = namespace.get("bt", "laptop").await;
        let bound = [&desk, &archive, &laptop]
            .iter()
            .all(|task| condition(&task["status"], "Bound")["status"] == "True");
        let done = desk["status"]["receipts"]["request"]["outcome"] == "Succeeded";
        let held = archive["metadata"]["finalizers"].is_array();
        (bound && done && held).then_some(())
    })
    .await;
}

/// Starts a command in a terminal, in a repository.
pub fn terminal(place: &Path, arguments: &str, environment: &[(&str, &str)], size: (u16, u16)) -> Terminal {
    let script = format!("cd '{}' && exec '{OPERATOR}' {arguments}", place.display());
    let mut environment = environment.to_vec();
    environment.push(("LANG", "C.UTF-8"));
    Terminal::start("sh", &["-c", &script], &environment, size)
}

#[tokio::test]
async fn a_removal_is_red_at_a_terminal_and_colourless_elsewhere() {
    let nas = office().await;
    let place = checkout("removal-now", &nas);
    for (width, more, red) in [
        (80, None, true),
        (140, None, true),
        (80, Some(("NO_COLOR", "1")), false),
    ] {
        let mut environment = account(&nas).to_vec();
        environment.extend(more);
        let mut terminal = terminal(place.path(), "plan -f backups", &environment, (width, 40));
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 2, "{screen}");
        snapshot::compare(&format!("plan-{width}"), &screen);
        let written = terminal.written();
        let line = written
            .lines()
            .find(|line| line.contains("REMOVE laptop: destroys"))
            .unwrap();
        assert_eq!(line.contains("\u{1b}[31m"), red, "{line:?}");
        let widest = screen.lines().map(console::measure_text_width).max().unwrap();
        assert!(widest <= usize::from(width), "{screen}");
    }
    let piped = run(place.path(), &["plan", "-f", "backups"], &account(&nas)).await;
    assert!(!piped.out.contains('\u{1b}'), "{}", piped.out);
    snapshot::compare("plan-piped", &piped.out);
}

#[tokio::test]
async fn what_is_wrong_with_manifests_is_said_in_one_style() {
    let nas = office().await;
    let place = checkout("wrong-field", &nas);
    for name in ["wrong-cron", "wrong-removal", "wrong-yaml"] {
        let wrong = Path::new(PULLS).join(name).join("laptop.yaml");
        fs::copy(wrong, place.path().join(format!("backups/{name}.yaml"))).unwrap();
    }
    for width in [80, 140] {
        let mut terminal = terminal(place.path(), "plan -f backups --offline", &[], (width, 40));
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 3, "{screen}");
        snapshot::compare(&format!("plan-faults-{width}"), &screen);
    }
}

/// The steps of the workflow in the documentation, with everything real but the forge's own command line.
#[tokio::test]
async fn the_workflow_of_the_documentation_comments_and_ends_as_the_plan_does() {
    use std::os::unix::fs::PermissionsExt;
    let text = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/examples/github-plan.yaml"
    ))
    .unwrap();
    let workflow: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let steps = workflow["jobs"]["plan"]["steps"].as_array().unwrap();
    let script = steps.iter().find_map(|step| step["run"].as_str()).unwrap();
    let nas = office().await;
    for (pull, password, ends_well, part) in [
        ("a-new-task", true, true, "| `attic` | nas | Attic | new |"),
        ("removal-now", true, true, "[!CAUTION]"),
        ("a-task-that-is-not-there", true, false, "TaskNotFound"),
        ("wrong-field", true, false, "backups/laptop.yaml:9"),
        ("wrong-field", false, false, "backups/laptop.yaml:9"),
        ("a-task-that-is-not-there", false, true, "no NAS was asked"),
    ] {
        let place = checkout(pull, &nas);
        let programs = place.path().join("programs");
        fs::create_dir(&programs).unwrap();
        let forge = programs.join("gh");
        fs::write(&forge, "#!/bin/sh\ncat \"$7\" >comment\necho \"$@\" >arguments\n").unwrap();
        fs::set_permissions(&forge, fs::Permissions::from_mode(0o755)).unwrap();
        let own = Path::new(OPERATOR).parent().unwrap().to_owned();
        let inherited = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(
            [programs, own]
                .into_iter()
                .chain(std::env::split_paths(&inherited)),
        )
        .unwrap();
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script])
            .current_dir(place.path())
            .env("PATH", path)
            .env("RUNNER_TEMP", place.path())
            .env("GITHUB_STEP_SUMMARY", place.path().join("summary"))
            .env("PULL_REQUEST", "https://forge.example/pulls/1")
            .env("ABB_NAS_URL", nas.url())
            .env("ABB_NAS_USERNAME", nas.username())
            .env("ABB_NAS_PASSWORD", if password { nas.password() } else { "" })
            .env("ABB_STATE", place.path().join("state"))
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), ends_well, "{pull}: {err}");
        let comment = fs::read_to_string(place.path().join("comment")).unwrap();
        assert!(comment.contains(part), "{pull}: {comment}");
        assert_eq!(comment, fs::read_to_string(place.path().join("summary")).unwrap());
        let arguments = fs::read_to_string(place.path().join("arguments")).unwrap();
        assert!(
            arguments.starts_with("pr comment https://forge.example/pulls/1 --edit-last"),
            "{arguments}"
        );
    }
}
