//! The one control plane of this test process, with the definitions of `crds/` installed. It is started by the
//! first test that asks and lives as long as the process; its clients are made per test, since a client belongs
//! to the runtime it was made in.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::{process::Command, sync::OnceCell};

use super::{
    TEST_USER,
    binaries::Binaries,
    control_plane::{ControlPlane, kubeconfig, kubeconfig_with},
    eventually::attempt,
    namespace::{Namespace, Output},
    rights::is_operator,
    workspace::Workspace,
};

/// The definitions as users install them.
pub const CRD_DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crds");
const SERVED_WITHIN: Duration = Duration::from_secs(30);

/// A control plane with the definitions installed.
#[derive(Debug)]
pub struct Cluster {
    control_plane: ControlPlane,
    binaries: Binaries,
    kubeconfig: PathBuf,
    crds_created: Output,
    namespaces: AtomicU32,
    workspace: Workspace,
}

/// The cluster of this process, started on the first call.
///
/// # Panics
/// When it cannot be started: in every test, with the same words.
pub async fn cluster() -> &'static Cluster {
    static CLUSTER: OnceCell<Result<Cluster, String>> = OnceCell::const_new();
    match CLUSTER.get_or_init(|| started(true)).await {
        Ok(cluster) => cluster,
        Err(error) => panic!("{error}"),
    }
}

/// Another control plane, for one test alone, on which nothing of ours is installed. Ends with the test process.
///
/// # Panics
/// When it cannot be started.
pub async fn own_cluster() -> &'static Cluster {
    match started(false).await {
        Ok(cluster) => Box::leak(Box::new(cluster)),
        Err(error) => panic!("{error}"),
    }
}

/// On a thread and a runtime of its own: a test that is given up in the meantime does not take it along.
async fn started(with_definitions: bool) -> Result<Cluster, String> {
    tokio::task::spawn_blocking(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("failed to make a runtime: {error}"))?
            .block_on(Cluster::start(with_definitions))
    })
    .await
    .unwrap_or_else(|panic| Err(format!("failed to start the cluster: {panic}")))
}

impl Cluster {
    async fn start(with_definitions: bool) -> Result<Self, String> {
        // An error means that one is installed already, and there is only one to choose.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let binaries = Binaries::find()?;
        let workspace =
            Workspace::create().map_err(|error| format!("failed to make a work directory: {error}"))?;
        let control_plane = ControlPlane::start(&binaries, &workspace).await?;
        let mut cluster = Self {
            control_plane,
            binaries,
            kubeconfig: PathBuf::new(),
            crds_created: Output::default(),
            namespaces: AtomicU32::new(0),
            workspace,
        };
        cluster.kubeconfig = cluster.write_kubeconfig(TEST_USER, "default");
        if with_definitions {
            cluster.crds_created = cluster.kubectl(&["create", "-f", CRD_DIRECTORY]).await;
            cluster.wait_until_served().await?;
        }
        Ok(cluster)
    }

    /// Established is not enough: kubectl goes by the aggregated discovery, which follows a moment later.
    pub async fn wait_until_served(&self) -> Result<(), String> {
        let client = self.client_of(TEST_USER, "default").await;
        let seen = attempt(SERVED_WITHIN, async || {
            let request = http::Request::get("/apis")
                .header(
                    http::header::ACCEPT,
                    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
                )
                .body(Vec::new())
                .unwrap();
            let text = client
                .request_text(request)
                .await
                .map_err(|error| error.to_string())?;
            ["\"backupservers\"", "\"backuptasks\""]
                .into_iter()
                .find(|name| !text.contains(name))
                .map_or(Ok(()), |missing| Err(format!("the discovery without {missing}")))
        })
        .await;
        seen.map_err(|seen| format!("the definitions are not served: {seen}\n{:?}", self.crds_created))
    }

    /// A new namespace with a name of its own, in which the operator's user has the operator's role.
    pub async fn namespace(&'static self, prefix: &str) -> Namespace {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        // As long in every run, for the screens that show it.
        Namespace::create(self, format!("{prefix}-{number:04}")).await
    }

    /// Runs kubectl as the tests' user, in the namespace `default`.
    pub async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.run(&self.kubeconfig, arguments, "").await
    }

    /// Runs helm as the tests' user, in the namespace `default`.
    pub async fn helm(&self, arguments: &[&str]) -> Output {
        self.run_program(&self.binaries.helm(), &self.kubeconfig, arguments, "")
            .await
    }

    /// A kubeconfig of the tests' user, who may do everything.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// Address of the API server.
    pub fn url(&self) -> &str {
        &self.control_plane.url
    }

    /// What kubectl said when it created the definitions.
    pub fn crds_created(&self) -> &Output {
        &self.crds_created
    }

    /// A directory of this test process; removed by a later one.
    pub fn directory(&self) -> &Path {
        self.workspace.path()
    }

    /// The audit events so far that the filter keeps, in the order in which they were written. An event is written
    /// when its request is answered (`stage: ResponseComplete`); a watch has a `ResponseStarted` in addition.
    pub fn audit(&self, keep: impl Fn(&Value) -> bool) -> Vec<Value> {
        let Ok(file) = fs::File::open(&self.control_plane.audit_log) else {
            return Vec::new();
        };
        // A line without its end is being written at this moment and does not parse.
        let events = BufReader::new(file).lines().map_while(Result::ok);
        events
            .filter_map(|line| serde_json::from_str(&line).ok())
            .filter(|event| keep(event))
            .collect()
    }

    /// The answered requests of the operator's user in a namespace, as `verb resource[/subresource]`.
    pub fn operator_requests(&self, namespace: &str) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.audit(|event| {
            event["user"]["username"].as_str().is_some_and(is_operator)
                && event["stage"] == "ResponseComplete"
                && event["objectRef"]["namespace"] == namespace
        })
        .iter()
        .map(|event| {
            let object = &event["objectRef"];
            let parts = [text(&object["resource"]), text(&object["subresource"])];
            format!(
                "{} {}",
                text(&event["verb"]),
                parts.join("/").trim_end_matches('/')
            )
        })
        .collect()
    }

    /// Names of the objects in a namespace that the operator has asked for one by one.
    pub fn operator_objects(&self, namespace: &str, resources: &[&str]) -> Vec<String> {
        self.audit(|event| {
            event["user"]["username"].as_str().is_some_and(is_operator)
                && event["objectRef"]["namespace"] == namespace
                && resources
                    .iter()
                    .any(|resource| event["objectRef"]["resource"] == *resource)
        })
        .iter()
        .map(|event| event["objectRef"]["name"].as_str().unwrap_or_default().to_owned())
        .collect()
    }

    /// Writes the kubeconfig of a user with a default namespace.
    pub fn write_kubeconfig(&self, user: &str, namespace: &str) -> PathBuf {
        let path = self
            .workspace
            .path()
            .join(format!("{user}-{namespace}.kubeconfig"));
        fs::write(&path, self.kubeconfig_of(user, namespace).to_string()).unwrap();
        path
    }

    /// Writes a kubeconfig with a bearer token and a default namespace.
    pub fn write_kubeconfig_with(&self, token: &str, namespace: &str, path: &Path) {
        let config = kubeconfig_with(self.url(), &self.control_plane.authority, token, namespace);
        fs::write(path, config.to_string()).unwrap();
    }

    /// A client of a user with a default namespace, for the runtime of the caller.
    pub async fn client_of(&self, user: &str, namespace: &str) -> kube::Client {
        let kubeconfig: Kubeconfig = serde_json::from_value(self.kubeconfig_of(user, namespace)).unwrap();
        let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .unwrap();
        // A test wants the first answer, not the one after minutes of repetitions.
        abb_operator::controller::cluster_client(config).unwrap()
    }

    fn kubeconfig_of(&self, user: &str, namespace: &str) -> Value {
        kubeconfig(self.url(), &self.control_plane.authority, user, namespace)
    }

    /// Runs kubectl with standard input.
    pub(super) async fn run(&self, kubeconfig: &Path, arguments: &[&str], input: &str) -> Output {
        self.run_program(&self.binaries.kubectl(), kubeconfig, arguments, input)
            .await
    }

    async fn run_program(
        &self,
        program: &Path,
        kubeconfig: &Path,
        arguments: &[&str],
        input: &str,
    ) -> Output {
        let input_file = tempfile::tempfile_in(self.workspace.path()).unwrap();
        write_from_start(&input_file, input);
        let output = Command::new(program)
            .args(arguments)
            .env("KUBECONFIG", kubeconfig)
            .env("KUBECACHEDIR", self.workspace.path().join("kubectl-cache"))
            .env("HOME", self.workspace.path())
            .env("PATH", path_with_plugin())
            .stdin(Stdio::from(input_file))
            .kill_on_drop(true)
            .output()
            .await
            .unwrap_or_else(|error| panic!("failed to run {}: {error}", program.display()));
        Output {
            success: output.status.success(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn write_from_start(mut file: &fs::File, text: &str) {
    use std::io::{Seek, Write};
    file.write_all(text.as_bytes())
        .and_then(|()| file.rewind())
        .unwrap();
}

/// `PATH` with this crate's programs in front, so that `kubectl abb` finds its plugin.
fn path_with_plugin() -> std::ffi::OsString {
    let plugin = Path::new(env!("CARGO_BIN_EXE_kubectl-abb"))
        .parent()
        .unwrap()
        .to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([plugin].into_iter().chain(std::env::split_paths(&inherited))).unwrap()
}
