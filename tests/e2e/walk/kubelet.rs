//! The one stand-in of the walk: a kubelet without a node. It starts our own binary for each Pod, with the Pod's own
//! arguments, environment and service-account token, asks its own readiness probe, and writes the Pod's status. Everything
//! that a Pod can hold and this does not know ends the walk.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::{
    authentication::v1::TokenRequest,
    core::v1::{Container, EnvVar, Pod, Probe},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;

use crate::harness::{Cluster, PATIENCE, TEST_USER, process::Process};

const IMAGE: &str = concat!("ghcr.io/abb-operator/abb-operator:", env!("CARGO_PKG_VERSION"));
const PROBE: Duration = Duration::from_secs(5);
/// Pods have addresses of their own; these processes share one.
const ADDRESSES: [(&str, &str); 2] = [
    ("--listen=0.0.0.0:8080", "--listen=127.0.0.1:0"),
    ("--listen=0.0.0.0:5001", "--listen=127.0.0.1:0"),
];

/// A Pod's process.
struct Running {
    name: String,
    namespace: String,
    process: Process,
    log: PathBuf,
    probe: Option<Probe>,
    container: String,
    is_ready: bool,
}

#[derive(Default)]
struct Shared {
    /// Logs by the name of the Pod, also of those that ended.
    logs: Vec<(String, PathBuf)>,
    started: usize,
    fault: Option<String>,
    is_over: bool,
}

/// Runs until dropped, on a thread of its own.
pub struct Kubelet {
    shared: Arc<Mutex<Shared>>,
    work: Option<JoinHandle<()>>,
}

impl Kubelet {
    pub fn start(cluster: &'static Cluster) -> Self {
        let shared = Arc::new(Mutex::new(Shared::default()));
        let own = Arc::clone(&shared);
        let work = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(run(cluster, &own));
        });
        Self {
            shared,
            work: Some(work),
        }
    }

    /// The log of the newest Pod whose name begins so.
    pub fn log_of(&self, prefix: &str) -> Option<PathBuf> {
        let shared = self.shared.lock().unwrap();
        let of_it = shared
            .logs
            .iter()
            .rev()
            .find(|(name, _)| name.starts_with(prefix));
        of_it.map(|(_, log)| log.clone())
    }

    /// How many processes were started for Pods whose name begins so.
    pub fn started(&self, prefix: &str) -> usize {
        let shared = self.shared.lock().unwrap();
        shared
            .logs
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .count()
    }

    /// What it could not do, and the logs of all processes.
    pub fn report(&self) -> String {
        let shared = self.shared.lock().unwrap();
        let logs = shared.logs.iter().map(|(name, log)| {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let lines: Vec<_> = text.lines().collect();
            format!(
                "--- {name}\n{}\n",
                lines[lines.len().saturating_sub(30)..].join("\n")
            )
        });
        format!(
            "{}\n{}",
            shared.fault.clone().unwrap_or_default(),
            logs.collect::<String>()
        )
    }

    pub fn fault(&self) -> Option<String> {
        self.shared.lock().unwrap().fault.clone()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.lock().unwrap().is_over = true;
        if let Some(work) = self.work.take() {
            let _panicked = work.join();
        }
    }
}

async fn run(cluster: &'static Cluster, shared: &Mutex<Shared>) {
    let client = cluster.client_of(TEST_USER, "default").await;
    let mut running: HashMap<String, Running> = HashMap::new();
    let mut often = tokio::time::interval(Duration::from_millis(100));
    while !shared.lock().unwrap().is_over {
        often.tick().await;
        if let Err(fault) = look(cluster, &client, shared, &mut running).await {
            shared.lock().unwrap().fault.get_or_insert(fault);
            return;
        }
    }
}

async fn look(
    cluster: &'static Cluster,
    client: &Client,
    shared: &Mutex<Shared>,
    running: &mut HashMap<String, Running>,
) -> Result<(), String> {
    let pods = Api::<Pod>::all(client.clone())
        .list(&ListParams::default())
        .await
        .map_err(|error| format!("failed to list Pods: {error}"))?;
    let wanted: HashMap<String, &Pod> = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none())
        .filter_map(|pod| Some((pod.uid()?, pod)))
        .collect();
    let gone: Vec<String> = running
        .keys()
        .filter(|uid| !wanted.contains_key(*uid))
        .cloned()
        .collect();
    for uid in gone {
        if let Some(mut ended) = running.remove(&uid) {
            ended.process.signal("TERM");
            ended.process.ended_within(PATIENCE).await;
        }
    }
    for (uid, pod) in wanted {
        if !running.contains_key(&uid) {
            let started = start(cluster, client, shared, pod).await?;
            running.insert(uid.clone(), started);
        }
        let Some(one) = running.get_mut(&uid) else {
            continue;
        };
        if let Some(status) = one.process.exit_status() {
            return Err(format!(
                "{} ended ({status}):\n{}",
                one.name,
                one.process.output()
            ));
        }
        if !one.is_ready && answers(one).await {
            one.is_ready = tell(client, one).await;
        }
    }
    Ok(())
}

async fn start(
    cluster: &'static Cluster,
    client: &Client,
    shared: &Mutex<Shared>,
    pod: &Pod,
) -> Result<Running, String> {
    let (name, namespace) = (pod.name_any(), pod.namespace().unwrap_or_default());
    let spec = pod.spec.as_ref().ok_or("a Pod without a spec")?;
    let [container] = spec.containers.as_slice() else {
        return Err(format!("{name} does not have one container"));
    };
    if container.image.as_deref() != Some(IMAGE) || container.command.is_some() {
        return Err(format!("{name} does not run {IMAGE}: {:?}", container.image));
    }
    let number = {
        let mut shared = shared.lock().unwrap();
        shared.started += 1;
        shared.started
    };
    let log = cluster.directory().join(format!("pod-{number}.log"));
    let mut environment = environment(container, &namespace)?;
    environment.push(("ABB_SIMULATE_ADMIN".to_owned(), "127.0.0.1:0".to_owned()));
    let is_projected = spec.volumes.iter().flatten().any(|volume| {
        let sources = volume
            .projected
            .as_ref()
            .and_then(|projected| projected.sources.as_ref());
        sources.is_some_and(|sources| {
            sources
                .iter()
                .any(|source| source.service_account_token.is_some())
        })
    });
    let kubeconfig = cluster.directory().join(format!("pod-{number}.kubeconfig"));
    if is_projected {
        let account = spec.service_account_name.as_deref().unwrap_or("default");
        let token = token(client, &namespace, account).await?;
        cluster.write_kubeconfig_with(&token, &namespace, &kubeconfig);
    }
    environment.push(("KUBECONFIG".to_owned(), kubeconfig.display().to_string()));
    let arguments: Vec<String> = container
        .args
        .iter()
        .flatten()
        .map(|argument| {
            let own = ADDRESSES.iter().find(|(shown, _)| shown == argument);
            own.map_or_else(|| argument.clone(), |(_, own)| (*own).to_owned())
        })
        .collect();
    let environment: Vec<(&str, String)> = environment
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    let program = Path::new(env!("CARGO_BIN_EXE_abb-operator"));
    let process = Process::start(program, &arguments, &environment, &log)
        .map_err(|error| format!("failed to start {name}: {error}"))?;
    shared.lock().unwrap().logs.push((name.clone(), log.clone()));
    Ok(Running {
        name,
        namespace,
        process,
        log,
        probe: container.readiness_probe.clone(),
        container: container.name.clone(),
        is_ready: false,
    })
}

fn environment(container: &Container, namespace: &str) -> Result<Vec<(String, String)>, String> {
    let value_of = |variable: &EnvVar| {
        let Some(source) = &variable.value_from else {
            return Ok(variable.value.clone().unwrap_or_default());
        };
        match source.field_ref.as_ref().map(|field| field.field_path.as_str()) {
            Some("metadata.namespace") => Ok(namespace.to_owned()),
            _ => Err(format!("the kubelet of the walk does not know {source:?}")),
        }
    };
    let variables = container.env.iter().flatten();
    variables
        .map(|variable| Ok((variable.name.clone(), value_of(variable)?)))
        .collect()
}

async fn token(client: &Client, namespace: &str, account: &str) -> Result<String, String> {
    let wanted = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "audiences": [] } });
    let uri = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
    let request = http::Request::post(uri)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(wanted.to_string().into_bytes())
        .map_err(|error| error.to_string())?;
    let answer: TokenRequest = client
        .request(request)
        .await
        .map_err(|error| format!("failed to get a token of {namespace}/{account}: {error}"))?;
    answer
        .status
        .and_then(|status| status.token)
        .ok_or_else(|| "no token".to_owned())
}

/// The readiness probe of the container, at the address that its log tells.
async fn answers(one: &Running) -> bool {
    let text = std::fs::read_to_string(&one.log).unwrap_or_default();
    let Some(address) = text.lines().find_map(address) else {
        return false;
    };
    let Some(probe) = &one.probe else { return true };
    if probe.tcp_socket.is_some() {
        return tokio::net::TcpStream::connect(&address).await.is_ok();
    }
    let path = probe.http_get.as_ref().and_then(|get| get.path.clone());
    let Ok(client) = reqwest::Client::builder().no_proxy().timeout(PROBE).build() else {
        return false;
    };
    let url = format!("http://{address}{}", path.unwrap_or_default());
    client
        .get(url)
        .send()
        .await
        .is_ok_and(|answer| answer.status().is_success())
}

/// Where a line says that something listens: the operator's in JSON, the simulated NAS's in words.
fn address(line: &str) -> Option<String> {
    if let Some(url) = line.strip_prefix("url:") {
        return Some(url.trim().trim_start_matches("https://").to_owned());
    }
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    let fields = if line["fields"].is_object() {
        &line["fields"]
    } else {
        &line
    };
    (fields["message"] == "listening").then(|| fields["address"].as_str().map(str::to_owned))?
}

/// Whether the status could be written; a Pod may be gone meanwhile.
async fn tell(client: &Client, one: &Running) -> bool {
    let now = Timestamp::now().to_string();
    let is_true = |kind: &str| json!({ "type": kind, "status": "True", "lastTransitionTime": now });
    let status = json!({ "status": {
        "phase": "Running",
        "startTime": now,
        "conditions": [is_true("Initialized"), is_true("ContainersReady"), is_true("Ready")],
        "containerStatuses": [{
            "name": one.container, "ready": true, "started": true, "restartCount": 0,
            "image": IMAGE, "imageID": "", "state": { "running": { "startedAt": now } },
        }],
    } });
    let pods: Api<Pod> = Api::namespaced(client.clone(), &one.namespace);
    pods.patch_status(&one.name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .is_ok()
}
