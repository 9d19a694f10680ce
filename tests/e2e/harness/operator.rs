//! The operator's real binary as a child process, watching one namespace as the operator's user.

use std::{
    path::Path,
    process::ExitStatus,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;

use super::{
    eventually::{PATIENCE, eventually},
    namespace::Namespace,
    process::Process,
    rights::RELEASE,
};

/// Telling runs in one namespace apart.
static STARTED: AtomicU32 = AtomicU32::new(0);
const CALL: Duration = Duration::from_secs(5);

/// A running operator; killed when dropped.
#[derive(Debug)]
pub struct Operator {
    process: Process,
}

impl Operator {
    /// Starts `abb-operator run` for a namespace. A flag in `arguments` takes the place of the harness's own.
    pub fn start(namespace: &Namespace, arguments: &[&str]) -> Self {
        let defaults = [
            ("--watch-namespace", namespace.name()),
            ("--listen", "127.0.0.1:0"),
            ("--lease-namespace", namespace.name()),
            ("--lease-name", RELEASE),
            ("--lease-duration", "6s"),
            ("--log-format", "json"),
        ];
        let given = |flag: &str| arguments.iter().any(|a| a.split('=').next() == Some(flag));
        let mut command = vec!["run".to_owned()];
        for (flag, value) in defaults.iter().filter(|(flag, _)| !given(flag)) {
            command.extend([(*flag).to_owned(), (*value).to_owned()]);
        }
        command.extend(arguments.iter().map(|argument| (*argument).to_owned()));

        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = namespace
            .cluster()
            .directory()
            .join(format!("operator-{}-{number}.log", namespace.name()));
        let kubeconfig = namespace.operator_kubeconfig_path().display().to_string();
        let program = Path::new(env!("CARGO_BIN_EXE_abb-operator"));
        let process = Process::start(program, &command, &[("KUBECONFIG", kubeconfig)], &log).unwrap();
        Self { process }
    }

    /// Waits until `/readyz` answers 200.
    ///
    /// # Panics
    /// With the log when the operator ends or is not ready in time.
    pub async fn wait_ready(&mut self) {
        eventually("the operator is ready", async || {
            if let Some(status) = self.process.exit_status() {
                panic!("the operator ended ({status}); its log:\n{}", self.log());
            }
            let seen = match self.get("/readyz").await {
                Ok((200, _)) => return Ok(()),
                seen => seen,
            };
            Err(format!("{seen:?}\n{}", self.log()))
        })
        .await;
    }

    /// The Prometheus text of `/metrics`.
    pub async fn metrics(&self) -> String {
        match self.get("/metrics").await {
            Ok((200, text)) => text,
            other => panic!("no metrics: {other:?}"),
        }
    }

    /// The value of a metric line that begins with `name` and contains all `labels`, such as `namespace="a"`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let text = self.metrics().await;
        text.lines()
            .filter(|line| {
                line.strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .find(|line| labels.iter().all(|label| line.contains(label)))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
    }

    /// Status and body of a request to the operator's own address.
    pub async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let address = self.address().ok_or("no line of the log says where it listens")?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(CALL)
            .build()
            .map_err(|e| format!("{e:?}"))?;
        let answer = client
            .get(format!("http://{address}{path}"))
            .send()
            .await
            .map_err(|e| format!("{e:?}"))?;
        let status = answer.status().as_u16();
        answer
            .text()
            .await
            .map(|text| (status, text))
            .map_err(|e| format!("{e:?}"))
    }

    /// Where probes and metrics are served, as the log tells.
    pub fn address(&self) -> Option<String> {
        self.log_lines().iter().find_map(listening_at)
    }

    /// What the operator has written so far.
    pub fn log(&self) -> String {
        self.process.output()
    }

    /// The lines of the log that are JSON.
    pub fn log_lines(&self) -> Vec<Value> {
        self.log()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    /// The exit status, once the operator has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.process.exit_status()
    }

    /// SIGKILL, as a lost node would: nothing is tidied up. Returns when the process is gone.
    pub async fn kill(&mut self) {
        self.process.signal("KILL");
        self.process.ended_within(PATIENCE).await;
    }

    /// SIGTERM, and the exit code after an orderly end.
    pub async fn terminate(&mut self) -> Option<i32> {
        self.process.signal("TERM");
        self.process.ended_within(PATIENCE).await.code()
    }

    /// Any other signal by its name: `STOP` and `CONT` make a process that hangs and comes back.
    pub fn signal(&mut self, name: &str) {
        self.process.signal(name);
    }
}

/// Where an operator serves probes and metrics, if this line of its log tells.
pub fn listening_at(line: &Value) -> Option<String> {
    // The fields of an event stand on their own or below `fields`, by the format of the log.
    let fields = if line["fields"].is_object() {
        &line["fields"]
    } else {
        line
    };
    let listening = fields["message"].as_str()?.contains("listening");
    listening.then(|| fields["address"].as_str().map(str::to_owned))?
}
