//! A simulated NAS, a namespace that declares it, and the real operator watching: what most tests here start from.
//! Times are short, so a run takes a second or two; everything else is as a user would have it.

use std::time::Duration;

use abb_operator::simulator::{self, Effect, Options, Scenario, Simulator};
use serde_json::Value;

use crate::harness::{Namespace, Operator, cluster, eventually};

/// The seed's task.
pub const TASK: &str = "peterm-Default";
/// Its identity.
pub const UNIQUE_KEY: &str = "75711daf-8ee1-4bcb-bd84-2b04e9983f6d";

/// What a test works with.
pub struct Lab {
    pub nas: Simulator,
    pub namespace: Namespace,
    pub operator: Operator,
}

impl Lab {
    /// A NAS with the seed's tasks, declared in a namespace of its own, and an operator that leads.
    pub async fn new(prefix: &str) -> Self {
        Self::with(prefix, Scenario::seed(), 300.0).await
    }

    /// The same with another scenario; a larger scale makes runs shorter (the seed's takes 522 s at 1).
    pub async fn with(prefix: &str, scenario: Scenario, time_scale: f64) -> Self {
        let nas = nas(scenario, time_scale).await;
        let namespace = cluster().await.namespace(prefix).await;
        namespace.apply(&secret(nas.password())).await.ok();
        namespace.apply(&server(&nas, "")).await.ok();
        let mut operator = namespace.operator(&[]);
        operator.wait_ready().await;
        Self {
            nas,
            namespace,
            operator,
        }
    }

    /// Applies a BackupTask named `laptop` for the seed's task; `spec` is added below `spec:`.
    pub async fn task(&self, spec: &str) {
        self.namespace.apply(&task("laptop", TASK, spec)).await.ok();
    }

    /// The status of `laptop`.
    pub async fn status(&self) -> Value {
        self.namespace.get("bt", "laptop").await["status"].take()
    }

    /// Waits until the status satisfies a condition, and returns it.
    pub async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || {
            let status = self.status().await;
            if holds(&status) {
                Ok(status)
            } else {
                Err(format!("{status:#}\n{}", self.operator.log()))
            }
        })
        .await
    }

    /// Waits until the BackupServer's `Ready` has a reason.
    pub async fn server_reason(&self, reason: &str) -> Value {
        eventually(&format!("the server is {reason}"), async || {
            let status = self.namespace.get("bsrv", "nas").await["status"].take();
            if condition(&status, "Ready")["reason"] == reason {
                Ok(status)
            } else {
                Err(format!("{status:#}\n{}", self.operator.log()))
            }
        })
        .await
    }

    /// Effects of one kind on the NAS.
    pub fn effects(&self, kind: &str) -> Vec<Effect> {
        self.nas
            .ledger()
            .into_iter()
            .filter(|effect| effect.kind == kind)
            .collect()
    }

    /// Requests the NAS got for a method.
    pub fn requests(&self, method: &str) -> usize {
        self.nas
            .requests()
            .iter()
            .filter(|request| request.method == method)
            .count()
    }

    /// A figure of `/proc/PID/status` of the operator of this namespace, in KiB.
    pub fn memory_kib(&self, figure: &str) -> u64 {
        let mark = self.namespace.name();
        std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| {
                let folder = entry.ok()?.path();
                let command = std::fs::read_to_string(folder.join("cmdline")).ok()?;
                if !command.split('\0').next()?.ends_with("abb-operator") || !command.contains(mark) {
                    return None;
                }
                let status = std::fs::read_to_string(folder.join("status")).ok()?;
                let line = status.lines().find(|line| line.starts_with(figure))?;
                line.split_whitespace().nth(1)?.parse().ok()
            })
            .max()
            .unwrap()
    }

    /// The messages and reasons of the namespace's Events.
    pub async fn events(&self) -> String {
        self.namespace
            .kubectl(&["get", "events", "-o", "json"])
            .await
            .ok()
    }
}

/// Starts a NAS on free ports.
pub async fn nas(scenario: Scenario, time_scale: f64) -> Simulator {
    abb_operator::install_crypto();
    simulator::start(Options {
        scenario,
        time_scale,
        ..Options::default()
    })
    .await
    .unwrap()
}

/// The Secret.
pub fn secret(password: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: nas}}\nstringData: {{username: abb-operator, password: {password:?}}}\n"
    )
}

/// The BackupServer; `spec` is added below `spec:`.
pub fn server(nas: &Simulator, spec: &str) -> String {
    server_at(nas.url(), nas.fingerprint().unwrap_or_default(), spec)
}

/// The BackupServer at an address.
pub fn server_at(url: &str, fingerprint: &str, spec: &str) -> String {
    let tls = if fingerprint.is_empty() {
        "{allowPlaintext: true}".to_owned()
    } else {
        format!("{{fingerprint: {fingerprint:?}}}")
    };
    let mut text = format!(
        "apiVersion: activebackup.dev/v1alpha1\nkind: BackupServer\nmetadata: {{name: nas}}\nspec:\n  url: {url}\n  \
         credentials: {{secretRef: {{name: nas}}}}\n  tls: {tls}\n  polling: {{idle: 1s, active: 1s}}\n  \
         timeouts: {{request: 1s, settle: 3s}}\n"
    );
    text.push_str(&indented(spec));
    text
}

/// A BackupTask; `spec` is added below `spec:`.
pub fn task(name: &str, nas_task: &str, spec: &str) -> String {
    let mut text = format!(
        "apiVersion: activebackup.dev/v1alpha1\nkind: BackupTask\nmetadata: {{name: {name}}}\nspec:\n  \
         serverRef: {{name: nas}}\n  task: {{name: {nas_task:?}}}\n"
    );
    text.push_str(&indented(spec));
    text
}

fn indented(spec: &str) -> String {
    spec.lines().flat_map(|line| ["  ", line, "\n"]).collect()
}

/// A condition of a status, or null.
pub fn condition<'a>(status: &'a Value, kind: &str) -> &'a Value {
    let conditions = status["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    conditions
        .iter()
        .find(|condition| condition["type"] == kind)
        .unwrap_or(&Value::Null)
}

/// Long enough for several polls of the lab's server.
pub const SEVERAL_POLLS: Duration = Duration::from_secs(4);
