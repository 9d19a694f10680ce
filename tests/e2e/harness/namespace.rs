//! A namespace of one test, and what a user at a terminal would do in it.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};

use super::{TEST_USER, cluster::Cluster, operator::Operator, rights};

/// How many tests have a namespace at this moment.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// How a program ended and what it wrote.
#[derive(Clone, Debug, Default)]
pub struct Output {
    pub success: bool,
    /// None when a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// Standard output of a program that must have succeeded.
    ///
    /// # Panics
    /// With everything it wrote when it failed.
    #[track_caller]
    pub fn ok(self) -> String {
        assert!(
            self.success,
            "failed with {:?}\n{}{}",
            self.code, self.stdout, self.stderr
        );
        self.stdout
    }

    /// Standard error of a program that must have failed.
    ///
    /// # Panics
    /// With everything it wrote when it succeeded.
    #[track_caller]
    pub fn refused(self) -> String {
        assert!(!self.success, "was accepted\n{}{}", self.stdout, self.stderr);
        self.stderr
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A namespace nobody else uses.
#[derive(Debug)]
pub struct Namespace {
    cluster: &'static Cluster,
    name: String,
    kubeconfig: PathBuf,
    operator_kubeconfig: PathBuf,
}

impl Namespace {
    pub(super) async fn create(cluster: &'static Cluster, name: String) -> Self {
        let namespace = Self {
            kubeconfig: cluster.write_kubeconfig(TEST_USER, &name),
            operator_kubeconfig: cluster.directory().join(format!("operator-{name}.kubeconfig")),
            cluster,
            name,
        };
        LIVE.fetch_add(1, Ordering::SeqCst);
        let client = namespace.client().await;
        let request = http::Request::post("/api/v1/namespaces")
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(
                json!({ "metadata": { "name": namespace.name } })
                    .to_string()
                    .into_bytes(),
            )
            .unwrap();
        let _created: Value = client.request(request).await.unwrap();
        namespace.give_rights(&[namespace.name()]).await;
        let token = rights::token_of(&client, namespace.name()).await;
        cluster.write_kubeconfig_with(&token, namespace.name(), &namespace.operator_kubeconfig);
        namespace
    }

    /// Makes what the chart's release in this namespace has by way of rights when it watches the given namespaces.
    pub async fn give_rights(&self, watched: &[&str]) {
        rights::give(self.cluster, &self.client().await, &self.name, watched).await;
    }

    /// How many tests have a namespace at this moment, this one's own among them.
    pub fn live() -> usize {
        LIVE.load(Ordering::SeqCst)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Runs kubectl in this namespace; `kubectl(&["abb", ...])` runs this crate's plugin.
    pub async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.cluster.run(&self.kubeconfig, arguments, "").await
    }

    /// `kubectl apply -f -` in this namespace.
    pub async fn apply(&self, manifests: &str) -> Output {
        self.cluster
            .run(&self.kubeconfig, &["apply", "-f", "-"], manifests)
            .await
    }

    /// One object as JSON, such as `get("bt", "nightly")`.
    pub async fn get(&self, kind: &str, name: &str) -> Value {
        let text = self.kubectl(&["get", kind, name, "-o", "json"]).await.ok();
        serde_json::from_str(&text).unwrap()
    }

    /// A client of the tests' user with this namespace as its default, for the runtime of the caller.
    pub async fn client(&self) -> kube::Client {
        self.cluster.client_of(TEST_USER, &self.name).await
    }

    /// A kubeconfig of the tests' user with this namespace as its default.
    pub fn kubeconfig_path(&self) -> &Path {
        &self.kubeconfig
    }

    /// A kubeconfig of the operator's user with this namespace as its default.
    pub fn operator_kubeconfig_path(&self) -> &Path {
        &self.operator_kubeconfig
    }

    /// Starts the operator for this namespace; see [`Operator::start`].
    pub fn operator(&self, arguments: &[&str]) -> Operator {
        Operator::start(self, arguments)
    }
}
