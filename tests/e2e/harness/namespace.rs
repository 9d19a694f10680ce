//! A namespace of one test, and what a user at a terminal would do in it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{OPERATOR_USER, TEST_USER, cluster::Cluster, operator::Operator};

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
            operator_kubeconfig: cluster.write_kubeconfig(OPERATOR_USER, &name),
            cluster,
            name,
        };
        let client = namespace.client().await;
        for (path, object) in namespace.objects() {
            let request = http::Request::post(path)
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(object.to_string().into_bytes())
                .unwrap();
            let _created: Value = client.request(request).await.unwrap();
        }
        namespace
    }

    fn objects(&self) -> [(String, Value); 2] {
        let name = &self.name;
        let role_bindings = format!("/apis/rbac.authorization.k8s.io/v1/namespaces/{name}/rolebindings");
        [
            (
                "/api/v1/namespaces".to_owned(),
                json!({ "metadata": { "name": name } }),
            ),
            (
                role_bindings,
                json!({
                    "metadata": { "name": OPERATOR_USER },
                    "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "abb-operator" },
                    "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OPERATOR_USER }],
                }),
            ),
        ]
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
