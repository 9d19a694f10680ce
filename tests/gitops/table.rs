//! The states of objects with the verdict that every GitOps tool must give of them, and the program that asks the
//! tools. Shared by the tests with a cluster, which bring objects into these states, and those without, which look at
//! the recordings in `states/`.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

/// What tools make of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as its spec says.
    Current,
    /// It is getting there.
    InProgress,
    /// Somebody has to act.
    Failed,
    /// It is being deleted.
    Terminating,
}
use Verdict::{Current, Failed, InProgress, Terminating};

impl Verdict {
    /// The verdict in the words of kstatus, of Argo CD, and of Flux's expressions, which know no deletion.
    pub fn words(self) -> Value {
        let (kstatus, argo, flux) = match self {
            Current => ("Current", "Healthy", "Current"),
            InProgress => ("InProgress", "Progressing", "InProgress"),
            Failed => ("Failed", "Degraded", "Failed"),
            Terminating => ("Terminating", "Progressing", "InProgress"),
        };
        json!({ "kstatus": kstatus, "argo": argo, "flux": flux })
    }
}

/// Name of the state and of its recording, verdict, reason of `Ready` (empty: no such condition yet).
pub type Row = (&'static str, Verdict, &'static str);

/// Tasks: what goes on, under each `readiness` where it matters.
pub const TASKS: [Row; 42] = [
    // What nobody has looked at yet.
    ("task-new", InProgress, ""),
    ("task-never-read", InProgress, "ServerNotReady"),
    ("task-edited-after-good", InProgress, "BackupSucceeded"),
    ("task-edited-after-stalled", InProgress, "TaskNotFound"),
    // readiness: Reconciled: bound and observed is enough.
    ("reconciled-idle", Current, "Reconciled"),
    ("reconciled-waiting", Current, "BackupRunning"),
    ("reconciled-running", Current, "BackupRunning"),
    ("reconciled-failed", Current, "Reconciled"),
    // readiness: LastBackup: the newest backup is good and none is being sought.
    ("last-backup-none", InProgress, "NoResult"),
    ("last-backup-queued", InProgress, "Queued"),
    ("last-backup-waiting", InProgress, "BackupRunning"),
    ("last-backup-running", InProgress, "BackupRunning"),
    ("last-backup-good", Current, "BackupSucceeded"),
    ("last-backup-failed", Failed, "BackupFailed"),
    ("last-backup-failed-retry", InProgress, "BackupFailed"),
    ("last-backup-partial", Failed, "BackupPartiallySucceeded"),
    ("last-backup-canceled", Failed, "BackupCanceled"),
    // readiness: Fresh: the newest success is younger than maxAge.
    ("fresh-queued", InProgress, "Queued"),
    ("fresh-running", InProgress, "BackupRunning"),
    ("fresh-running-while-fresh", Current, "WithinMaxAge"),
    ("fresh-good", Current, "WithinMaxAge"),
    ("fresh-failed", Failed, "MaxAgeExceeded"),
    // Held back by its owner: the verdict stays.
    ("suspended", Current, "Suspended"),
    ("suspended-by-annotation", Current, "Suspended"),
    ("suspended-after-failed", Failed, "Suspended"),
    ("suspended-stale", Failed, "Suspended"),
    ("planned", Current, "Planned"),
    ("planned-stale", Failed, "Planned"),
    ("observing", Current, "Observing"),
    // Somebody has to act.
    ("task-not-found", Failed, "TaskNotFound"),
    ("task-ambiguous", Failed, "TaskAmbiguous"),
    ("task-claimed", Failed, "TaskClaimed"),
    ("task-replaced", Failed, "TaskReplaced"),
    ("invalid-schedule", Failed, "InvalidSchedule"),
    ("server-not-found", Failed, "ServerNotFound"),
    ("refused-for-now", InProgress, "BackupRefused"),
    ("refused-for-good", Failed, "BackupRefused"),
    // A NAS that went away leaves no verdict.
    ("server-not-ready", InProgress, "ServerNotReady"),
    // The end of a task.
    ("removal-not-allowed", Failed, "RemovalNotAllowed"),
    ("removed", Current, "TaskRemoved"),
    ("deleting", Terminating, "RemovalInProgress"),
    ("deleting-withheld", Terminating, "RemovalNotAllowed"),
];

/// Servers.
pub const SERVERS: [Row; 9] = [
    ("nas-new", InProgress, ""),
    ("nas-connected", Current, "Connected"),
    ("nas-edited", InProgress, "Connected"),
    ("nas-unreachable", InProgress, "Unreachable"),
    ("nas-package-stopped", InProgress, "PackageNotRunning"),
    ("nas-refused", Failed, "CredentialsRejected"),
    ("nas-untrusted", Failed, "CertificateRejected"),
    ("nas-without-secret", Failed, "SecretNotFound"),
    ("nas-deleting", Terminating, "Connected"),
];

/// Every row.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    TASKS.iter().chain(&SERVERS)
}

/// The file of a path below the crate.
pub fn below_root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The recording of a state.
pub fn recording(name: &str) -> PathBuf {
    below_root("tests/gitops/states").join(format!("{name}.json"))
}

/// Argo CD's scripts, laid out as upstream.
pub const ARGO: &str = "docs/gitops/argo-cd";
/// Flux's expressions.
pub const FLUX: &str = "docs/gitops/flux/backups.yaml";

/// The Go program that asks the tools.
pub const PROGRAM: super::go::Module = super::go::Module {
    folder: "gitops",
    package: ".",
    what: "the program that asks kstatus, Argo CD's Lua and Flux's CEL",
    version: None,
    otherwise: "",
};

/// Runs the program over objects.
pub fn ask(verb: &[&str], objects: &[Value]) -> Result<Vec<Value>, String> {
    let program = PROGRAM.built()?.join("gitops");
    let failed = |error: std::io::Error| format!("failed to run {}: {error}", program.display());
    let mut input = tempfile::tempfile().map_err(failed)?;
    let text = Value::from(objects).to_string();
    input
        .write_all(text.as_bytes())
        .and_then(|()| input.rewind())
        .map_err(failed)?;
    let output = Command::new(&program)
        .args(verb)
        .arg("-argo")
        .arg(below_root(ARGO))
        .arg("-flux")
        .arg(below_root(FLUX))
        .stdin(Stdio::from(input))
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

/// What the tools say, without their messages.
pub fn status_words(verdicts: &Value) -> Value {
    let word = |tool: &str| verdicts[tool]["status"].clone();
    json!({ "kstatus": word("kstatus"), "argo": word("argo"), "flux": word("flux") })
}

/// Type, status and reason of each condition: what a recording must have in common with the live object.
pub fn conditions(object: &Value) -> Vec<String> {
    let conditions = object["status"]["conditions"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut lines: Vec<String> = conditions
        .into_iter()
        .flatten()
        .map(|c| {
            format!(
                "{} {} {}",
                text(&c["type"]),
                text(&c["status"]),
                text(&c["reason"])
            )
        })
        .collect();
    lines.sort();
    lines
}

/// The reason of `Ready`.
pub fn ready_reason(object: &Value) -> String {
    let lines = conditions(object);
    let ready = lines.iter().find(|line| line.starts_with("Ready "));
    ready
        .and_then(|line| line.rsplit(' ').next())
        .unwrap_or_default()
        .to_owned()
}

/// Reads a recording.
pub fn recorded(name: &str) -> Result<Value, String> {
    let path = recording(name);
    let mut text = String::new();
    File::open(&path)
        .and_then(|mut file| file.read_to_string(&mut text))
        .map_err(|error| format!("failed to read {}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("failed to read {}: {error}", path.display()))
}
