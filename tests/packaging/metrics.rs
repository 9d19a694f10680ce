//! What is served, what is described and what is documented are the same metrics. `UPDATE_DOCS=1 cargo test --test
//! packaging metrics::` writes the tables of `docs/metrics.md` anew.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Write as _,
    process::Stdio,
};

use abb_operator::{
    api::{BackupServer, BackupTask, IntentAction},
    nas::CallRecord,
    observe::Answered,
    telemetry::{CATALOGUE, Kind, Metric, Metrics, ServerSample},
};

use crate::observed::{file, path, promtool};

/// A task whose object has everything a metric is made of.
const TASK: &str = r#"
apiVersion: activebackup.dev/v1alpha1
kind: BackupTask
metadata: {name: laptop, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  serverRef: {name: nas}
  task: {name: My-Laptop}
  triggers: {maxAge: 26h}
status:
  state: Waiting
  stateSince: "2026-01-02T00:00:00Z"
  dueSince: "2026-01-02T00:00:10Z"
  consecutiveFailures: 2
  lastSuccessTime: "2026-01-01T12:00:00Z"
  lastResult:
    resultId: 7
    status: Failed
    statusCode: 4
    action: Backup
    actionCode: 1
    startTime: "2026-01-01T20:00:00Z"
    endTime: "2026-01-01T20:10:00Z"
    transferredBytes: 1024
    origin: Schedule
  conditions:
  - {type: Ready, status: "True", reason: Reconciled, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}
  - {type: Stalled, status: "True", reason: Queued, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}
"#;

const SERVER: &str = r#"
apiVersion: activebackup.dev/v1alpha1
kind: BackupServer
metadata: {name: nas, namespace: shop}
spec:
  url: https://nas.example.org:5001
  credentials: {secretRef: {name: nas}}
  mode: Plan
  polling: {idle: 7m}
status:
  tasks: {total: 5, bound: 2, unmanaged: 3, running: 0}
  clockSkewSeconds: -6
  conditions:
  - {type: Ready, status: "False", reason: AccountBlocked, message: "", lastTransitionTime: "2026-01-01T00:00:00Z"}
"#;

fn task() -> BackupTask {
    serde_saphyr::from_str(TASK).unwrap()
}

fn server() -> BackupServer {
    serde_saphyr::from_str(SERVER).unwrap()
}

/// A process that has counted one of each.
fn metrics() -> Metrics {
    let metrics = Metrics::new();
    metrics.observer(&server())(&CallRecord {
        api: "SYNO.ActiveBackup.Task",
        method: "list",
        outcome: "ok",
        seconds: 0.2,
    });
    metrics.mutation(IntentAction::Backup, Answered::Applied);
    metrics.reconcile("BackupServer").done("ok");
    metrics.leads(true);
    metrics
}

fn sample() -> ServerSample {
    ServerSample {
        up: Some(false),
        last_list: Some("2026-01-02T00:01:00Z".parse().unwrap()),
        list_duration: Some(1.5),
    }
}

/// Everything there is.
fn scrape() -> String {
    metrics()
        .render([task()].into_iter(), &[(server(), sample())])
        .unwrap()
}

#[test]
fn promtool_finds_nothing_to_complain_of() {
    let mut check = promtool()
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check
        .stdin
        .take()
        .unwrap()
        .write_all(scrape().as_bytes())
        .unwrap();
    let said = check.wait_with_output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
}

/// Series of a scrape with their values.
fn series(scrape: &str) -> BTreeMap<String, f64> {
    scrape
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

#[test]
fn what_is_served_is_what_is_described() {
    let scrape = scrape();
    let of = |word: &str| -> BTreeMap<String, String> {
        scrape
            .lines()
            .filter_map(|line| line.strip_prefix(&format!("# {word} "))?.split_once(' '))
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    };
    let (types, helps) = (of("TYPE"), of("HELP"));
    let described: BTreeSet<String> = CATALOGUE.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(described.len(), CATALOGUE.len(), "a name stands twice");
    assert_eq!(types.keys().cloned().collect::<BTreeSet<_>>(), described);
    for metric in CATALOGUE {
        assert_eq!(types[metric.name], metric.kind.as_str(), "{}", metric.name);
        assert_eq!(helps[metric.name], metric.help, "{}", metric.name);
    }
    for series in series(&scrape).keys() {
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let metric = CATALOGUE.iter().find(|metric| {
            let plain = metric.kind != Kind::Histogram && metric.name == name;
            let parts = ["_bucket", "_sum", "_count"];
            let is_part = |suffix: &&str| name.strip_suffix(*suffix) == Some(metric.name);
            plain || metric.kind == Kind::Histogram && parts.iter().any(is_part)
        });
        let metric = metric.unwrap_or_else(|| panic!("{series} is described nowhere"));
        let mut expected: BTreeSet<&str> = metric.labels.iter().copied().collect();
        if name.ends_with("_bucket") {
            expected.insert("le");
        }
        let found: BTreeSet<&str> = labels
            .trim_end_matches('}')
            .split(',')
            .filter_map(|label| Some(label.split_once('=')?.0))
            .collect();
        assert_eq!(found, expected, "{series}");
    }
}

#[test]
fn the_values_are_those_of_the_objects() {
    let found = series(&scrape());
    let of_task = |name: &str| found[&format!(r#"{name}{{name="laptop",namespace="shop",server="nas"}}"#)];
    let of_server = |name: &str| found[&format!(r#"{name}{{namespace="shop",server="nas"}}"#)];
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    // 2026-01-01T00:00:00Z.
    let begun = 1_767_225_600.0;
    let (hour, day) = (3600.0, 86_400.0);
    close(of_task("abb_task_created_timestamp_seconds"), begun);
    close(
        of_task("abb_task_last_success_timestamp_seconds"),
        begun + 12.0 * hour,
    );
    close(
        of_task("abb_task_last_result_timestamp_seconds"),
        begun + 20.0 * hour + 600.0,
    );
    close(of_task("abb_task_last_duration_seconds"), 600.0);
    close(of_task("abb_task_last_transferred_bytes"), 1024.0);
    close(of_task("abb_task_consecutive_failures"), 2.0);
    close(of_task("abb_task_running"), 1.0);
    close(of_task("abb_task_state_since_timestamp_seconds"), begun + day);
    close(
        of_task("abb_task_due_since_timestamp_seconds"),
        begun + day + 10.0,
    );
    close(of_task("abb_task_max_age_seconds"), 26.0 * hour);
    close(of_task("abb_task_suspended"), 0.0);
    close(of_task("abb_task_ready"), 1.0);
    close(of_task("abb_task_stalled"), 1.0);
    close(of_server("abb_server_up"), 0.0);
    close(of_server("abb_server_tasks"), 5.0);
    close(of_server("abb_server_unmanaged_tasks"), 3.0);
    close(of_server("abb_server_clock_skew_seconds"), -6.0);
    close(
        of_server("abb_server_last_list_timestamp_seconds"),
        begun + day + 60.0,
    );
    close(of_server("abb_server_last_list_duration_seconds"), 1.5);
    close(of_server("abb_server_polling_idle_seconds"), 420.0);
    close(found["abb_leader"], 1.0);
}

/// Which label values of a state set hold, and how many there are.
fn set(found: &BTreeMap<String, f64>, name: &str) -> (Vec<String>, usize) {
    let label = CATALOGUE
        .iter()
        .find(|metric| metric.name == name)
        .unwrap()
        .labels;
    let label = label.last().unwrap();
    let members = found
        .iter()
        .filter(|(series, _)| series.starts_with(&format!("{name}{{")));
    let members: Vec<(String, f64)> = members
        .map(|(series, value)| {
            let (_, rest) = series.split_once(&format!("{label}=\"")).unwrap();
            (rest.split('"').next().unwrap().to_owned(), *value)
        })
        .collect();
    assert!(
        members.iter().all(|(_, value)| [0.0, 1.0].contains(value)),
        "{members:?}"
    );
    let holds = members.iter().filter(|(_, value)| *value > 0.5);
    (holds.map(|(member, _)| member.clone()).collect(), members.len())
}

#[test]
fn exactly_one_member_of_a_state_set_holds() {
    let found = series(&scrape());
    let expected = [
        ("abb_task_last_result_status", "Failed", 7),
        ("abb_task_state", "Waiting", 8),
        ("abb_server_ready_reason", "AccountBlocked", 11),
        ("abb_server_mode", "Plan", 3),
    ];
    let sets = CATALOGUE.iter().filter(|metric| metric.kind == Kind::StateSet);
    assert_eq!(
        sets.map(|metric| metric.name).collect::<BTreeSet<_>>(),
        expected.iter().map(|(name, ..)| *name).collect()
    );
    for (name, member, count) in expected {
        assert_eq!(set(&found, name), (vec![member.to_owned()], count), "{name}");
    }
    // A reason that nobody has thought of holds beside the others.
    let mut odd = server();
    odd.status.as_mut().unwrap().conditions[0].reason = "InvalidSpec".to_owned();
    let found = series(&metrics().render(std::iter::empty(), &[(odd, sample())]).unwrap());
    assert_eq!(
        set(&found, "abb_server_ready_reason"),
        (vec!["InvalidSpec".to_owned()], 12)
    );
}

fn names(scrape: &str) -> BTreeSet<&str> {
    let heads = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    heads.filter_map(|head| head.split(' ').next()).collect()
}

#[test]
fn what_is_not_known_is_not_served() {
    let mut new: BackupTask = serde_saphyr::from_str(TASK).unwrap();
    new.status = None;
    new.spec.triggers.max_age = None;
    let mut unread = server();
    unread.status = None;
    let scrape = Metrics::new()
        .render([new].into_iter(), &[(unread, ServerSample::default())])
        .unwrap();
    let always = |metric: &&Metric| metric.absent == "never";
    let expected: BTreeSet<&str> = CATALOGUE
        .iter()
        .filter(always)
        .map(|metric| metric.name)
        .collect();
    assert_eq!(names(&scrape), expected);
}

#[test]
fn a_standby_says_nothing_of_the_nas_and_all_of_the_objects() {
    let scrape = metrics()
        .render([task()].into_iter(), &[(server(), ServerSample::default())])
        .unwrap();
    let all: BTreeSet<&str> = CATALOGUE.iter().map(|metric| metric.name).collect();
    let left: BTreeSet<&str> = all.difference(&names(&scrape)).copied().collect();
    let by_leader = CATALOGUE
        .iter()
        .filter(|metric| metric.absent.contains("does not serve it"));
    assert_eq!(left, by_leader.map(|metric| metric.name).collect());
    assert_eq!(left.len(), 3);
}

#[test]
fn a_deleted_object_takes_its_series_along() {
    let scrape = metrics().render(std::iter::empty(), &[]).unwrap();
    assert!(!scrape.contains("shop"), "{scrape}");
    let left: BTreeSet<&str> = names(&scrape);
    let process = [
        "abb_build_info",
        "abb_leader",
        "abb_nas_mutations_total",
        "abb_reconcile_duration_seconds",
        "abb_reconciles_total",
    ];
    assert_eq!(left, BTreeSet::from(process));
}

const DOCUMENT: &str = "docs/metrics.md";
const BEGIN: &str = "<!-- metrics: made from src/telemetry/catalogue.rs -->\n";
const END: &str = "<!-- end of metrics -->";

fn table() -> String {
    let mut text = String::new();
    for (title, prefixes) in [
        ("Tasks", &["abb_task_"][..]),
        ("Servers", &["abb_server_"]),
        (
            "Process",
            &["abb_nas_", "abb_reconcile", "abb_leader", "abb_build_info"],
        ),
    ] {
        let _ = writeln!(text, "### {title}\n");
        text.push_str("| name | type | labels | unit | meaning | absent |\n|---|---|---|---|---|---|\n");
        for metric in CATALOGUE {
            if !prefixes.iter().any(|prefix| metric.name.starts_with(prefix)) {
                continue;
            }
            let Metric {
                name,
                kind,
                labels,
                unit,
                help,
                absent,
            } = metric;
            let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = match kind {
                Kind::StateSet => "gauge (state set)",
                _ => kind.as_str(),
            };
            let labels = labels.join(", ");
            let _ = writeln!(
                text,
                "| `{name}` | {kind} | {labels} | {unit} | {help} | {absent} |"
            );
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_tables_in_the_documents_are_those_in_the_code() {
    let text = file(DOCUMENT);
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (_, tail) = rest.split_once(END).unwrap();
    let table = table();
    for metric in CATALOGUE {
        assert_eq!(
            table.matches(&format!("| `{}` |", metric.name)).count(),
            1,
            "{}",
            metric.name
        );
    }
    let fresh = format!("{head}{BEGIN}\n{table}{END}{tail}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path(DOCUMENT), &fresh).unwrap();
        return;
    }
    assert_eq!(
        text, fresh,
        "{DOCUMENT} is out of date: run UPDATE_DOCS=1 cargo test --test packaging metrics::"
    );
}

#[test]
fn no_document_speaks_of_a_metric_that_does_not_exist() {
    let served: BTreeSet<String> = crate::observed::served()
        .into_keys()
        .chain(CATALOGUE.iter().map(|metric| metric.name.to_owned()))
        .collect();
    for document in [DOCUMENT, "docs/runbooks.md"] {
        let text = file(document);
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || ['_', '…'].contains(&letter);
        for word in text.split(|letter| !is_part(letter)) {
            let is_known = match word.strip_suffix('…') {
                Some(beginning) => served.iter().any(|name| name.starts_with(beginning)),
                None => served.contains(word),
            };
            assert!(!word.starts_with("abb_") || is_known, "{document}: {word}");
        }
    }
}
