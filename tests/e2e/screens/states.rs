//! One namespace with every state: a task that is fine, one that runs, one that failed, one that is held back, one that is
//! missing on the NAS, one that is several, one of a server that refuses the login, one of a server that is not there; names
//! as wide as two columns, and one that would steer the terminal. Whatever has an age is so old that a test does not see it
//! grow.

use abb_operator::simulator::{Control, Origin, ResultSpec, Scenario, TaskSpec};
use jiff::{SignedDuration, Timestamp};

use crate::lab::{Lab, condition, task};

/// A name in letters that take two columns each.
pub const WIDE_NAME: &str = "家族の写真と動画のバックアップ 📷 (リビングのパソコン)";
/// A name that clears the screen, colours it, starts a line and turns the direction of writing.
pub const STEERING_NAME: &str = "\u{1b}[2J\u{1b}[31mevil\r\n\u{9b}7m\u{202e}exe";

/// A result as old as that, which took nine minutes or so.
pub fn result(id: i64, status: i64, hours: i64, bytes: i64) -> ResultSpec {
    let ended = Timestamp::now() - SignedDuration::from_mins(hours * 60 + 30);
    ResultSpec {
        result_id: Some(id),
        status: Some(status),
        time_start: Some((ended - SignedDuration::from_secs(520 + id % 7)).as_second()),
        time_end: Some(ended.as_second()),
        transfered_bytes: Some(bytes),
        ..ResultSpec::default()
    }
}

fn on_nas(id: i64, name: &str) -> TaskSpec {
    TaskSpec {
        id: Some(id),
        name: Some(name.to_owned()),
        ..TaskSpec::default()
    }
}

fn scenario() -> Scenario {
    let video = TaskSpec {
        // Longer than any test: it stays at its beginning.
        run_seconds: Some(3e9),
        ..on_nas(2, "video")
    };
    Scenario {
        tasks: vec![
            on_nas(1, "files"),
            video,
            on_nas(3, "mail"),
            on_nas(4, "old-pc"),
            on_nas(5, "twin"),
            on_nas(6, "twin"),
            on_nas(7, WIDE_NAME),
            on_nas(8, STEERING_NAME),
            on_nas(9, "nobody's"),
        ],
        ..Scenario::seed()
    }
}

pub struct States {
    pub lab: Lab,
}

impl States {
    pub async fn new() -> Self {
        let lab = Lab::with("screens", scenario(), 300.0).await;
        for (id, result) in [
            (3, result(8007, 2, 52, 700_000_000)),
            (3, result(8008, 4, 30, 5_000_000)),
            (4, result(8009, 2, 400, 1_000_000)),
        ] {
            lab.nas.control(Control::AddResult { id, result }).unwrap();
        }
        let origin = Origin::Schedule;
        lab.nas.control(Control::StartTask { id: 2, origin }).unwrap();
        let states = Self { lab };
        states.apply().await;
        states.add_runs().await;
        states.settle().await;
        states
    }

    async fn apply(&self) {
        let nas = &self.lab.nas;
        let url = nas.url();
        let fingerprint = nas.fingerprint().unwrap_or_default();
        let locked = format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: locked}}\nstringData: {{username: abb-operator, password: wrong}}\n\
             ---\napiVersion: activebackup.dev/v1alpha1\nkind: BackupServer\nmetadata: {{name: locked}}\nspec:\n  url: {url}\n  \
             credentials: {{secretRef: {{name: locked}}}}\n  tls: {{fingerprint: {fingerprint:?}}}\n  mode: Plan\n"
        );
        let of = |server: &str, name: &str, selector: &str, spec: &str| {
            task(name, "-", spec).replace("{name: \"-\"}", selector).replace(
                "serverRef: {name: nas}",
                &format!("serverRef: {{name: {server}}}"),
            )
        };
        // Without a success a task with maxAge would start one; it gets its age below.
        let labelled = task("files", "files", "").replace(
            "metadata: {name: files}",
            "metadata: {name: files, labels: {tier: gold}}",
        );
        let held = task("old-pc", "old-pc", "triggers: {maxAge: 521h}").replace(
            "metadata: {name: old-pc}",
            "metadata: {name: old-pc, annotations: {activebackup.dev/suspended: \"true\"}}",
        );
        let manifests = [
            locked,
            labelled,
            task("video", "video", ""),
            task("mail", "mail", "readiness: LastBackup"),
            held,
            task("gone", "moved-away", ""),
            task("twin", "twin", ""),
            of("nas", "photos", "{id: 7}", ""),
            of("nas", "steering", "{id: 8}", ""),
            of("locked", "payroll", "{name: payroll}", ""),
            of("nowhere", "orphan", "{name: orphan}", ""),
        ];
        self.lab.namespace.apply(&manifests.join("---\n")).await.ok();
    }

    /// Runs of `files`, one after the other: the operator keeps those that it sees.
    async fn add_runs(&self) {
        for (number, result) in [
            result(8001, 2, 220, 9_000_000_000),
            result(8002, 2, 196, 1_200_000_000),
            result(8003, 4, 172, 0),
            result(8004, 5, 148, 40_000_000),
            result(8005, 3, 124, 800_000_000),
            result(8006, 2, 100, 2_000_000),
            result(8020, 2, 28, 4_754_168_380),
        ]
        .into_iter()
        .enumerate()
        {
            self.lab
                .nas
                .control(Control::AddResult { id: 1, result })
                .unwrap();
            self.until("bt", "files", "a run", |status| {
                status["history"]
                    .as_array()
                    .is_some_and(|runs| runs.len() == number + 1)
            })
            .await;
        }
        let age = r#"{"spec": {"triggers": {"maxAge": "521h"}}}"#;
        let patch = ["patch", "bt", "files", "--type=merge", "-p", age];
        self.lab.namespace.kubectl(&patch).await.ok();
    }

    /// Waits until the operator has said its last word on everything.
    async fn settle(&self) {
        let server = self.lab.server_reason("Connected").await;
        assert_eq!(server["package"]["version"], "2.7.0-13164");
        for (kind, name, reason) in [
            ("bsrv", "locked", "CredentialsRejected"),
            ("bt", "files", "Reconciled"),
            ("bt", "video", "BackupRunning"),
            ("bt", "mail", "BackupFailed"),
            ("bt", "old-pc", "Suspended"),
            ("bt", "gone", "TaskNotFound"),
            ("bt", "twin", "TaskAmbiguous"),
            ("bt", "photos", "Reconciled"),
            ("bt", "steering", "Reconciled"),
            ("bt", "payroll", "ServerNotReady"),
            ("bt", "orphan", "ServerNotFound"),
        ] {
            self.until(kind, name, reason, |status| {
                let ready = condition(status, "Ready");
                let has_verdict =
                    name != "payroll" || ready["message"].as_str().unwrap().contains("CredentialsRejected");
                ready["reason"] == reason && has_verdict
            })
            .await;
        }
        self.until("bt", "files", "the next run", |status| {
            status["nextRunTime"].is_string()
        })
        .await;
        self.until("bt", "video", "progress", |status| {
            status["run"]["progress"]["percent"] == 0
        })
        .await;
        self.until("bsrv", "nas", "counts", |status| status["tasks"]["bound"] == 6)
            .await;
    }

    async fn until(&self, kind: &str, name: &str, what: &str, holds: impl Fn(&serde_json::Value) -> bool) {
        crate::harness::eventually(&format!("{what} of {name}"), async || {
            let status = self.lab.namespace.get(kind, name).await["status"].take();
            if holds(&status) {
                Ok(())
            } else {
                Err(format!("{status:#}\n{}", self.lab.operator.log()))
            }
        })
        .await;
    }

    /// Each command that asks the NAS logs out; the operator keeps its one session.
    pub fn sessions_are_ended(&self) {
        let (logins, logouts) = (self.lab.effects("login").len(), self.lab.effects("logout").len());
        assert_eq!(logins, logouts + 1, "a session is left behind");
    }
}
