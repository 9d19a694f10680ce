//! etcd, kube-apiserver and kube-controller-manager as child processes on loopback ports: files, flags, and the wait until
//! they serve. There is no scheduler and no kubelet: Pods are admitted and stay Pending.
//! A start that fails because another process took a port meanwhile is tried again with other ports.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    TEST_USER, binaries::Binaries, certificates::Certificates, eventually::attempt, process::Process,
    workspace::Workspace,
};

/// A cold start on a busy machine with one core still fits.
const READY_WITHIN: Duration = Duration::from_mins(1);
const STARTS: usize = 3;

/// Every request but those of the control plane itself, once when it is answered; a watch in addition when its answer
/// begins.
const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:apiserver, system:kube-controller-manager]
- level: None
  userGroups: ['system:serviceaccounts:kube-system']
- level: Metadata
";

/// A control plane that answers.
#[derive(Debug)]
pub struct ControlPlane {
    /// The authority of the API server's certificate, in PEM.
    pub authority: PathBuf,
    pub url: String,
    pub audit_log: PathBuf,
    // Dropped in this order: the API server before its store.
    _controller_manager: Process,
    _apiserver: Process,
    _etcd: Process,
}

impl ControlPlane {
    /// Starts both processes and waits until the API server is ready.
    pub async fn start(binaries: &Binaries, workspace: &Workspace) -> Result<Self, String> {
        let mut failure = String::new();
        for number in 0..STARTS {
            let directory = workspace.path().join(format!("control-plane-{number}"));
            match start(binaries, &directory).await {
                Ok(control_plane) => return Ok(control_plane),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The user that the API server's own bootstrap roles are for.
const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";

/// The bearer token of a user. Fixed: the server listens on loopback only and ends with the tests.
pub fn token(user: &str) -> String {
    format!("token-of-{user}")
}

/// A kubeconfig of a user whose token is fixed.
pub fn kubeconfig(url: &str, authority: &Path, user: &str, namespace: &str) -> Value {
    kubeconfig_with(url, authority, &token(user), namespace)
}

/// A kubeconfig with a bearer token and a default namespace.
pub fn kubeconfig_with(url: &str, authority: &Path, token: &str, namespace: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": { "server": url, "certificate-authority": authority } }],
        "users": [{ "name": "user", "user": { "token": token } }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "user", "namespace": namespace } }],
        "current-context": "test",
    })
}

async fn start(binaries: &Binaries, directory: &Path) -> Result<ControlPlane, String> {
    let certificates =
        Certificates::generate().map_err(|error| format!("failed to make certificates: {error}"))?;
    let [store_port, peer_port, api_port] =
        free_ports().map_err(|error| format!("failed to find free ports: {error}"))?;
    let url = format!("https://127.0.0.1:{api_port}");
    let tokens = format!(
        "{},{TEST_USER},1,system:masters\n{},{CONTROLLER_MANAGER},2\n",
        token(TEST_USER),
        token(CONTROLLER_MANAGER)
    );
    let kubeconfig = kubeconfig(
        &url,
        &directory.join("authority.crt"),
        CONTROLLER_MANAGER,
        "default",
    );
    let files = [
        ("authority.crt", &certificates.authority),
        ("serving.crt", &certificates.serving),
        ("serving.key", &certificates.serving_key),
        ("service-account.key", &certificates.service_account_key),
        ("service-account.pub", &certificates.service_account_public_key),
        ("tokens.csv", &tokens),
        ("audit-policy.yaml", &AUDIT_POLICY.to_owned()),
        ("controller-manager.kubeconfig", &kubeconfig.to_string()),
    ];
    fs::create_dir_all(directory)
        .and_then(|()| {
            files
                .iter()
                .try_for_each(|(name, content)| fs::write(directory.join(name), content))
        })
        .map_err(|error| format!("failed to write to {}: {error}", directory.display()))?;

    let failed = |name: &'static str| move |error| format!("failed to start {name}: {error}");
    let mut etcd = Process::start(
        &binaries.etcd(),
        &etcd_flags(directory, store_port, peer_port),
        &[],
        &directory.join("etcd.log"),
    )
    .map_err(failed("etcd"))?;
    let mut apiserver = Process::start(
        &binaries.kube_apiserver(),
        &apiserver_flags(directory, store_port, api_port),
        &[],
        &directory.join("kube-apiserver.log"),
    )
    .map_err(failed("kube-apiserver"))?;

    wait_until_ready(&url, &certificates.authority, &mut etcd, &mut apiserver).await?;
    let controller_manager = Process::start(
        &binaries.kube_controller_manager(),
        &controller_manager_flags(directory),
        &[],
        &directory.join("kube-controller-manager.log"),
    )
    .map_err(failed("kube-controller-manager"))?;
    Ok(ControlPlane {
        authority: directory.join("authority.crt"),
        url,
        audit_log: directory.join("audit.log"),
        _controller_manager: controller_manager,
        _apiserver: apiserver,
        _etcd: etcd,
    })
}

fn etcd_flags(directory: &Path, store_port: u16, peer_port: u16) -> Vec<String> {
    let store = format!("http://127.0.0.1:{store_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    vec![
        format!("--data-dir={}", directory.join("etcd").display()),
        format!("--listen-client-urls={store}"),
        format!("--advertise-client-urls={store}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        // Nothing here has to survive a power cut.
        "--unsafe-no-fsync".to_owned(),
    ]
}

fn apiserver_flags(directory: &Path, store_port: u16, api_port: u16) -> Vec<String> {
    let file = |flag: &str, name: &str| format!("--{flag}={}", directory.join(name).display());
    vec![
        format!("--etcd-servers=http://127.0.0.1:{store_port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={api_port}"),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        file("cert-dir", "generated"),
        file("tls-cert-file", "serving.crt"),
        file("tls-private-key-file", "serving.key"),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        file("service-account-signing-key-file", "service-account.key"),
        file("service-account-key-file", "service-account.pub"),
        file("token-auth-file", "tokens.csv"),
        "--authorization-mode=RBAC".to_owned(),
        file("audit-policy-file", "audit-policy.yaml"),
        file("audit-log-path", "audit.log"),
        "--audit-log-maxsize=0".to_owned(),
    ]
}

/// As kubeadm starts it, each controller under its own service account, but for the certificates that no kubelet asks for.
fn controller_manager_flags(directory: &Path) -> Vec<String> {
    let file = |flag: &str, name: &str| format!("--{flag}={}", directory.join(name).display());
    vec![
        file("kubeconfig", "controller-manager.kubeconfig"),
        file("service-account-private-key-file", "service-account.key"),
        file("root-ca-file", "authority.crt"),
        "--use-service-account-credentials=true".to_owned(),
        "--leader-elect=false".to_owned(),
        "--secure-port=0".to_owned(),
    ]
}

/// All three are held at once, so they differ; between release and use another process may take one.
fn free_ports() -> std::io::Result<[u16; 3]> {
    let listeners = [listen()?, listen()?, listen()?];
    let [first, second, third] = &listeners;
    Ok([
        first.local_addr()?.port(),
        second.local_addr()?.port(),
        third.local_addr()?.port(),
    ])
}

fn listen() -> std::io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

async fn wait_until_ready(
    url: &str,
    authority: &str,
    etcd: &mut Process,
    apiserver: &mut Process,
) -> Result<(), String> {
    let client = reqwest::Certificate::from_pem(authority.as_bytes())
        .and_then(|authority| {
            reqwest::Client::builder()
                .tls_certs_only([authority])
                .no_proxy()
                .build()
        })
        .map_err(|error| format!("failed to make a client: {error}"))?;
    let ready = attempt(READY_WITHIN, async || {
        for (name, process) in [("etcd", &mut *etcd), ("kube-apiserver", &mut *apiserver)] {
            if let Some(status) = process.exit_status() {
                return Ok(Err(format!(
                    "{name} ended ({status}); its output:\n{}",
                    tail(&process.output())
                )));
            }
        }
        let answer = client
            .get(format!("{url}/readyz"))
            .bearer_auth(token(TEST_USER))
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status().is_success() => Ok(Ok(())),
            Ok(answer) => Err(answer.text().await.unwrap_or_default()),
            Err(error) => Err(format!("{error:?}")),
        }
    })
    .await;
    ready.unwrap_or_else(|seen| {
        Err(format!(
            "kube-apiserver was not ready within {READY_WITHIN:?}: {seen}; its output:\n{}",
            tail(&apiserver.output())
        ))
    })
}

/// The last lines of a log: the reason stands there.
fn tail(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
