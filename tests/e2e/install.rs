//! Helm: install, upgrade, rollback, uninstall, on a cluster of its own with the strictest policies; then what only the
//! API server can judge: admission policies, the rights of people, and a release that watches the whole cluster.
//!
//! There is no kubelet: Pods are admitted and stay Pending, so nothing here waits for them. Where the operator has to run,
//! it does so out of cluster, with the arguments that the chart gives its container and the token of the chart's account.

use std::{fs, path::PathBuf, process::Stdio};

use abb_operator::simulator::{Scenario, Simulator};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{
    harness::{Cluster, Output, eventually, own_cluster, rights},
    lab::{Lab, TASK, UNIQUE_KEY, condition, nas, secret, server, task},
};

/// What people upgrade from.
const FIRST: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/fixtures/charts/abb-operator-0.1.0"
);
const NOW: &str = rights::CHART;
const RELEASE: &str = rights::RELEASE;
/// The release's namespace, in which Pod Security `restricted` is enforced.
const HOME: &str = "abb-operator";

/// A cluster on which only Helm has installed anything.
struct Site {
    cluster: &'static Cluster,
}

impl Site {
    async fn new() -> Self {
        let site = Self {
            cluster: own_cluster().await,
        };
        for namespace in [HOME, "team-a", "team-b"] {
            site.kubectl(&["create", "namespace", namespace]).await;
            let policy = ["enforce", "audit", "warn"]
                .map(|mode| format!("pod-security.kubernetes.io/{mode}=restricted"));
            let [enforce, audit, warn] = &policy;
            site.kubectl(&["label", "namespace", namespace, enforce, audit, warn])
                .await;
        }
        site
    }

    /// kubectl, which has to succeed without a warning.
    async fn kubectl(&self, arguments: &[&str]) -> String {
        quiet(arguments, self.cluster.kubectl(arguments).await)
    }

    /// Helm in a namespace, with values in YAML; it has to succeed without a warning.
    async fn helm(&self, namespace: &str, arguments: &[&str], values: &str) -> String {
        quiet(arguments, self.try_helm(namespace, arguments, values).await)
    }

    async fn try_helm(&self, namespace: &str, arguments: &[&str], values: &str) -> Output {
        let file = self.file("values.yaml", if values.is_empty() { "{}" } else { values });
        let mut command = arguments.to_vec();
        command.extend(["--namespace", namespace]);
        if ["install", "upgrade", "template"].contains(&arguments[0]) {
            command.extend(["--values", &file]);
        }
        self.cluster.helm(&command).await
    }

    /// A file for a program to read.
    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.cluster.directory().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    async fn apply(&self, namespace: &str, manifests: &[String]) {
        let file = self.file("applied.yaml", &manifests.join("---\n"));
        self.kubectl(&["apply", "--namespace", namespace, "-f", &file])
            .await;
    }

    async fn get(&self, namespace: &str, what: &[&str]) -> Value {
        let mut command = vec!["get", "--namespace", namespace, "-o", "json"];
        command.extend(what);
        serde_json::from_str(&self.kubectl(&command).await).unwrap()
    }

    async fn items(&self, namespace: &str, what: &[&str]) -> Vec<Value> {
        self.get(namespace, what).await["items"]
            .as_array()
            .cloned()
            .unwrap()
    }

    /// Waits until the controllers have made a Pod of the Deployment as it is now: Pod Security has let it in. The further
    /// ones of an upgrade wait for the first to be ready, which no kubelet makes it.
    async fn admitted(&self, namespace: &str, replicas: usize) {
        eventually("a Pod is admitted", async || {
            let deployment = self.get(namespace, &["deployment", RELEASE]).await;
            assert_eq!(deployment["spec"]["replicas"], replicas);
            let status = &deployment["status"];
            let failure = condition(status, "ReplicaFailure");
            assert!(failure.is_null(), "{failure}");
            let is_current = status["observedGeneration"] == deployment["metadata"]["generation"];
            (is_current && status["updatedReplicas"].as_u64() > Some(0))
                .then_some(())
                .ok_or_else(|| status.clone())
        })
        .await;
    }

    /// UIDs of everything that has to outlive the release.
    async fn kept(&self) -> Vec<(String, String)> {
        let mut kept = Vec::new();
        for what in ["crds", "backupservers,backuptasks"] {
            for object in self.items(HOME, &[what]).await {
                let text = |value: &Value| value.as_str().unwrap().to_owned();
                kept.push((
                    text(&object["metadata"]["name"]),
                    text(&object["metadata"]["uid"]),
                ));
            }
        }
        kept
    }
}

#[track_caller]
fn quiet(arguments: &[&str], output: Output) -> String {
    assert!(
        output.success && output.stderr.is_empty(),
        "{arguments:?}: {:?}\n{}\n{}",
        output.code,
        output.stdout,
        output.stderr
    );
    output.stdout
}

/// A `BackupServer` and a `BackupTask` in the values.
const DECLARED: &str = "\
servers:
- name: declared
  spec: {url: 'https://nas.example.org:5001', mode: Observe, credentials: {secretRef: {name: nas}}}
tasks:
- name: declared
  labels: {team: storage}
  spec: {serverRef: {name: declared}, task: {name: Laptop}, triggers: {schedule: '30 2 * * *'}}
";

/// Everything that needs no kind of somebody else's.
fn everything() -> String {
    format!(
        "{DECLARED}
replicaCount: 3
podDisruptionBudget: {{minAvailable: 2}}
commonLabels: {{team: storage}}
rbac: {{aggregate: {{edit: true}}}}
metrics: {{service: {{enabled: true}}}}
networkPolicy: {{enabled: true, nas: [{{cidr: 192.0.2.10/32}}], metricsFrom: [{{namespaceSelector: {{}}}}]}}
topologySpreadConstraints: [{{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: ScheduleAnyway}}]
dashboard: {{enabled: true}}
admissionPolicy:
  removals: {{enabled: true, allowedGroups: [backup-admins]}}
  requestOnly: {{enabled: true, groups: [ci]}}
"
    )
}

#[tokio::test]
async fn a_release_is_installed_upgraded_rolled_back_and_uninstalled() {
    let site = Site::new().await;
    objects_before_their_kinds_are_refused(&site).await;
    pod_security_is_enforced(&site).await;

    // The first version, and somebody's objects.
    let notes = site.helm(HOME, &["install", RELEASE, FIRST], "").await;
    assert!(notes.contains("STATUS: deployed"), "{notes}");
    site.admitted(HOME, 1).await;
    site.cluster.wait_until_served().await.unwrap();
    site.apply(HOME, &[server_without_nas(), task("own", TASK, "")])
        .await;

    let notes = site.helm(HOME, &["upgrade", RELEASE, NOW], &everything()).await;
    assert!(notes.contains("REVISION: 2"), "{notes}");
    site.admitted(HOME, 3).await;
    the_new_version_is_there(&site).await;
    nothing_rendered_brings_a_warning(&site).await;
    people_see_and_change_what_their_roles_say(&site).await;
    let kept = site.kept().await;
    assert_eq!(kept.len(), 6, "{kept:?}");

    site.helm(HOME, &["rollback", RELEASE, "1"], "").await;
    site.admitted(HOME, 1).await;
    let deployment = site.get(HOME, &["deployment", RELEASE]).await;
    assert_eq!(
        deployment["metadata"]["labels"]["helm.sh/chart"],
        "abb-operator-0.1.0"
    );
    assert!(site.items(HOME, &["pdb,netpol,services"]).await.is_empty());
    assert_eq!(site.kept().await, kept, "a rollback deletes nobody's backups");

    two_releases_share_the_definitions(&site).await;

    site.helm(HOME, &["upgrade", RELEASE, NOW], DECLARED).await;
    let said = site.try_helm(HOME, &["uninstall", RELEASE], "").await;
    assert!(said.success, "{said:?}");
    for kind in ["CustomResourceDefinition", "BackupServer", "BackupTask"] {
        assert!(
            format!("{}{}", said.stdout, said.stderr).contains(kind),
            "{said:?}"
        );
    }
    assert_eq!(site.kept().await, kept, "definitions and objects stay");
    let left = site
        .items(HOME, &["deployments,serviceaccounts,roles,rolebindings,pdb"])
        .await;
    let left: Vec<_> = left.iter().map(|object| &object["metadata"]["name"]).collect();
    assert_eq!(left, ["default"], "nothing else stays");

    // The same release finds what it has left.
    site.helm(HOME, &["install", RELEASE, NOW], DECLARED).await;
    assert_eq!(site.kept().await, kept);
    a_release_for_the_whole_cluster_serves_it_and_reads_only_the_secrets_it_may(&site).await;
}

/// Helm needs the kinds before it makes the first object, and the chart says so better than Helm.
async fn objects_before_their_kinds_are_refused(site: &Site) {
    let refused = site
        .try_helm(HOME, &["install", RELEASE, NOW], DECLARED)
        .await
        .refused();
    assert!(
        refused.contains("install without servers and tasks first, then run helm upgrade with them"),
        "{refused}"
    );
    assert!(site.items(HOME, &["deployments"]).await.is_empty());
    // Without a cluster nobody can tell, and GitOps tools render without one.
    site.helm(HOME, &["template", RELEASE, NOW], DECLARED).await;
}

/// So that a Pod that gets in means something.
async fn pod_security_is_enforced(site: &Site) {
    let run = ["run", "lax", "--namespace", HOME, "--image", "example.org/lax"];
    // Before that the controllers have to make the account that every Pod has.
    eventually("a lax Pod is refused", async || {
        let refused = site.cluster.kubectl(&run).await.refused();
        let is_policy = refused.contains("violates PodSecurity \"restricted");
        is_policy.then_some(()).ok_or(refused)
    })
    .await;
}

fn server_without_nas() -> String {
    "apiVersion: activebackup.dev/v1alpha1\nkind: BackupServer\nmetadata: {name: nas}\n\
     spec: {url: 'https://nas.example.org:5001', credentials: {secretRef: {name: nas}}}\n"
        .to_owned()
}

async fn the_new_version_is_there(site: &Site) {
    for definition in site.items(HOME, &["crds"]).await {
        let metadata = &definition["metadata"];
        assert_eq!(metadata["labels"]["helm.sh/chart"], "abb-operator-0.2.0");
        assert_eq!(metadata["annotations"]["helm.sh/resource-policy"], "keep");
    }
    let counts = [
        ("pdb", 1),
        ("netpol", 1),
        ("services", 1),
        ("validatingadmissionpolicies", 3),
        ("validatingadmissionpolicybindings", 3),
    ];
    for (what, count) in counts {
        assert_eq!(site.items(HOME, &[what]).await.len(), count, "{what}");
    }
    let declared = site.get(HOME, &["bt", "declared"]).await;
    assert_eq!(declared["metadata"]["labels"]["team"], "storage");
    // The type checker of the API server has no doubt about the expressions.
    let policies = eventually("the policies are checked", async || {
        let policies = site.items(HOME, &["validatingadmissionpolicies"]).await;
        let checked = |policy: &Value| policy["status"]["typeChecking"].is_object();
        policies.iter().all(checked).then_some(policies)
    })
    .await;
    for policy in policies {
        assert_eq!(policy["status"]["typeChecking"], json!({}), "{policy:#}");
    }
}

/// Also what Helm would not send before `helm test`: the server has no warning about any field of any object.
async fn nothing_rendered_brings_a_warning(site: &Site) {
    for (namespace, values) in [(HOME, everything()), ("team-a", String::new())] {
        let rendered = site.helm(namespace, &["template", RELEASE, NOW], &values).await;
        assert!(
            rendered.contains("helm.sh/hook: test"),
            "the test's Pod is looked at, too"
        );
        let file = site.file("rendered.yaml", &rendered);
        let apply = ["apply", "--server-side", "--dry-run=server", "--validate=strict"];
        let mut command = apply.to_vec();
        // Another manager has the same definitions.
        command.extend(["--force-conflicts", "--namespace", namespace, "-f", &file]);
        site.kubectl(&command).await;
    }
}

/// The chart's `ClusterRole`s become parts of those that a cluster has for people.
async fn people_see_and_change_what_their_roles_say(site: &Site) {
    for (role, user) in [("view", "viewer"), ("edit", "editor")] {
        let role = format!("--clusterrole={role}");
        let subject = format!("--user={user}");
        site.kubectl(&[
            "create",
            "rolebinding",
            user,
            "--namespace",
            "team-a",
            &role,
            &subject,
        ])
        .await;
    }
    for (user, verb, expected) in [
        ("viewer", "list", "yes"),
        ("viewer", "patch", "no"),
        ("editor", "patch", "yes"),
        ("stranger", "list", "no"),
    ] {
        eventually(&format!("{user} may {verb}: {expected}"), async || {
            let can = [
                "auth",
                "can-i",
                verb,
                "backuptasks",
                "--namespace",
                "team-a",
                "--as",
                user,
            ];
            let said = site.cluster.kubectl(&can).await.stdout;
            (said.trim() == expected).then_some(()).ok_or(said)
        })
        .await;
    }
}

async fn two_releases_share_the_definitions(site: &Site) {
    let refused = site
        .try_helm("team-b", &["install", RELEASE, NOW], "")
        .await
        .refused();
    assert!(
        refused.contains("cannot be imported into the current release"),
        "{refused}"
    );
    let without = "crds: {install: false}";
    site.helm("team-b", &["install", RELEASE, FIRST], without).await;
    site.helm("team-b", &["upgrade", RELEASE, NOW], without).await;
    site.helm(HOME, &["upgrade", RELEASE, NOW], DECLARED).await;
    site.helm(
        "team-b",
        &["upgrade", RELEASE, NOW],
        "{crds: {install: false}, replicaCount: 2}",
    )
    .await;
    site.admitted("team-b", 2).await;
    let kept = site.kept().await;
    site.helm("team-b", &["uninstall", RELEASE], "").await;
    assert_eq!(site.kept().await, kept);
}

/// The operator as its Deployment would start it, out of cluster.
async fn started_as_rendered(site: &Site, namespace: &str) -> Child {
    let deployment = site.get(namespace, &["deployment", RELEASE]).await;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap().iter().map(|argument| {
        let argument = argument.as_str().unwrap();
        // Any port will do: there is no Pod with an address of its own.
        if argument.starts_with("--listen=") {
            "--listen=127.0.0.1:0"
        } else {
            argument
        }
    });
    let token = site
        .kubectl(&["create", "token", RELEASE, "--namespace", namespace])
        .await;
    let kubeconfig = site.cluster.directory().join("rendered.kubeconfig");
    site.cluster
        .write_kubeconfig_with(token.trim(), namespace, &kubeconfig);
    let log = fs::File::create(site.cluster.directory().join("rendered.log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_abb-operator"));
    command
        .args(arguments)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    for variable in container["env"].as_array().unwrap() {
        let value = variable["value"].as_str().unwrap_or(namespace);
        command.env(variable["name"].as_str().unwrap(), value);
    }
    command.spawn().unwrap()
}

async fn declared(site: &Site, namespace: &str) -> Simulator {
    let nas = nas(Scenario::seed(), 300.0).await;
    let objects = [
        secret(nas.password()),
        server(&nas, ""),
        task("laptop", TASK, "triggers: {request: first}"),
    ];
    site.apply(namespace, &objects).await;
    nas
}

async fn a_release_for_the_whole_cluster_serves_it_and_reads_only_the_secrets_it_may(site: &Site) {
    let values = "{clusterWide: {enabled: true, credentialNamespaces: [team-a]}}";
    site.helm(HOME, &["upgrade", RELEASE, NOW], values).await;
    let (reached, other) = (declared(site, "team-a").await, declared(site, "team-b").await);
    let _operator = started_as_rendered(site, HOME).await;
    let log = || fs::read_to_string(site.cluster.directory().join("rendered.log")).unwrap();

    eventually("the task of a namespace with credentials runs", async || {
        let task = site.get("team-a", &["bt", "laptop"]).await;
        (task["status"]["receipts"]["request"]["outcome"] == "Succeeded")
            .then_some(())
            .ok_or_else(|| format!("{:#}\n{}", task["status"], log()))
    })
    .await;
    assert!(!reached.ledger().is_empty());
    let message = eventually("the other namespace's server says what is missing", async || {
        let status = site.get("team-b", &["bsrv", "nas"]).await["status"].take();
        let ready = condition(&status, "Ready").clone();
        (ready["reason"] == "SecretNotFound")
            .then(|| ready["message"].to_string())
            .ok_or(ready)
    })
    .await;
    assert!(message.contains("forbidden"), "{message}");
    assert!(other.requests().is_empty(), "nobody logged in there");

    let user = rights::operator_user(HOME);
    let refused = site.cluster.audit(|event| {
        event["user"]["username"] == user.as_str()
            && event["objectRef"]["resource"] == "secrets"
            && event["annotations"]["authorization.k8s.io/decision"] == "forbid"
    });
    assert!(
        refused
            .iter()
            .all(|event| event["objectRef"]["namespace"] != "team-a"),
        "{refused:?}"
    );
    assert!(
        refused
            .iter()
            .any(|event| event["objectRef"]["namespace"] == "team-b"),
        "{refused:?}"
    );
    for (verb, what, namespace, expected) in [
        ("get", "secrets/nas", "team-a", "yes"),
        ("list", "secrets", "team-a", "no"),
        ("get", "secrets/nas", "team-b", "no"),
        ("get", "configmaps/any", "team-b", "no"),
        ("list", "backuptasks", "team-b", "yes"),
        ("patch", "leases/abb-operator", "team-a", "no"),
        ("patch", "leases/abb-operator", HOME, "yes"),
        ("get", "leases/abb-operator", HOME, "no"),
        ("update", "leases/abb-operator", HOME, "no"),
    ] {
        let can = [
            "auth",
            "can-i",
            verb,
            what,
            "--namespace",
            namespace,
            "--as",
            &user,
        ];
        let said = site.cluster.kubectl(&can).await.stdout;
        assert_eq!(said.trim(), expected, "{verb} {what} in {namespace}");
    }
}

/// Somebody with every right in a namespace, as member of a group.
struct Person<'a> {
    lab: &'a Lab,
    group: &'static str,
}

impl Person<'_> {
    async fn does(&self, arguments: &[&str]) -> Output {
        let group = format!("--as-group={}", self.group);
        let mut command = vec!["--as=somebody", &group];
        command.extend(arguments);
        self.lab.namespace.kubectl(&command).await
    }

    async fn patches(&self, what: &str, patch: &str) -> Output {
        self.does(&["patch", what, "laptop", "--type=merge", "-p", patch])
            .await
    }
}

/// A lab with the chart's policies in force.
async fn with_policies(prefix: &str, values: &str) -> Lab {
    let lab = Lab::new(prefix).await;
    let namespace = lab.namespace.name();
    // BackupServer and BackupTask have one name, for the table below.
    let server = server(&lab.nas, "").replace("metadata: {name: nas}", "metadata: {name: laptop}");
    lab.namespace.apply(&server).await.ok();
    lab.task("").await;
    let file = lab
        .namespace
        .cluster()
        .directory()
        .join(format!("{namespace}.yaml"));
    fs::write(&file, values.replace("NAMESPACE", namespace)).unwrap();
    let file = file.display().to_string();
    let template = [
        "template",
        RELEASE,
        NOW,
        "--namespace",
        namespace,
        "--values",
        &file,
        "--show-only",
        "templates/admissionpolicies.yaml",
    ];
    let policies = lab.namespace.cluster().helm(&template).await.ok();
    let applied = lab.namespace.apply(&policies).await;
    assert!(applied.success && applied.stderr.is_empty(), "{applied:?}");
    let bind = ["create", "rolebinding", "people", "--clusterrole=cluster-admin"];
    let groups = ["--group=developers", "--group=backup-admins", "--group=ci"];
    lab.namespace
        .kubectl(&[&bind[..], &groups[..]].concat())
        .await
        .ok();
    lab
}

const ON_DELETE: &str =
    r#"{"spec": {"removal": {"when": "OnDelete", "confirm": "75711daf-8ee1-4bcb-bd84-2b04e9983f6d"}}}"#;
const ALLOWED: &str = r#"{"spec": {"removals": {"allowed": true}}}"#;

#[tokio::test]
async fn only_the_named_declare_removals_and_the_operator_is_not_hit() {
    assert!(ON_DELETE.contains(UNIQUE_KEY));
    // The operator is among those who may only request: its finalizer passes all the same.
    let values = "admissionPolicy:
  removals: {enabled: true, allowedGroups: [backup-admins], allowedUsers: [root]}
  requestOnly: {enabled: true, groups: ['system:serviceaccounts:NAMESPACE']}
";
    let lab = with_policies("removals", values).await;
    let [developer, admin] = ["developers", "backup-admins"].map(|group| Person { lab: &lab, group });
    eventually("the policies are in force", async || {
        let mut seen = Vec::new();
        for (what, patch) in [("bt", ON_DELETE), ("bsrv", ALLOWED)] {
            let dry = [
                "patch",
                what,
                "laptop",
                "--type=merge",
                "-p",
                patch,
                "--dry-run=server",
            ];
            seen.push(developer.does(&dry).await);
        }
        (seen.iter().all(|output| !output.success))
            .then_some(())
            .ok_or(seen)
    })
    .await;

    let refused = developer.patches("bt", ON_DELETE).await.refused();
    for part in [
        "Forbidden",
        "spec.removal destroys backups",
        "only the group backup-admins, root may",
        RELEASE,
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let refused = developer.patches("bsrv", ALLOWED).await.refused();
    assert!(
        refused.contains("spec.removals.allowed lets backups be destroyed"),
        "{refused}"
    );
    let created = task("other", TASK, "removal: {when: OnDelete, confirm: key}");
    let file = lab.namespace.cluster().directory().join("removal.yaml");
    fs::write(&file, created).unwrap();
    let create = ["create", "-f", &file.display().to_string()];
    let refused = developer.does(&create).await.refused();
    assert!(refused.contains("spec.removal destroys backups"), "{refused}");
    developer
        .patches("bt", r#"{"spec": {"suspend": true}}"#)
        .await
        .ok();
    developer
        .patches("bsrv", r#"{"spec": {"removals": {"maxPerDay": 2}}}"#)
        .await
        .ok();

    // Declared by whoever may: others go on with what is not the removal, and may take it back.
    lab.namespace
        .kubectl(&["patch", "bsrv", "nas", "--type=merge", "-p", ALLOWED])
        .await
        .refused();
    admin
        .does(&["patch", "bsrv", "nas", "--type=merge", "-p", ALLOWED])
        .await
        .ok();
    admin.patches("bsrv", ALLOWED).await.ok();
    admin.patches("bt", ON_DELETE).await.ok();
    developer
        .patches("bt", r#"{"spec": {"suspend": false}}"#)
        .await
        .ok();
    developer
        .patches("bsrv", r#"{"spec": {"mode": "Observe"}}"#)
        .await
        .ok();
    for (what, patch) in [
        ("bt", r#"{"spec": {"removal": {"confirm": "another"}}}"#),
        (
            "bt",
            r#"{"spec": {"removal": {"when": "Now", "notAfter": "2099-01-01T00:00:00Z"}}}"#,
        ),
        ("bsrv", r#"{"spec": {"removals": {"maxPerDay": 100}}}"#),
    ] {
        developer.patches(what, patch).await.refused();
    }
    developer
        .patches("bsrv", r#"{"spec": {"removals": {"allowed": false}}}"#)
        .await
        .ok();

    eventually("the operator's finalizer is there", async || {
        let finalizers = lab.namespace.get("bt", "laptop").await["metadata"]["finalizers"].clone();
        finalizers
            .to_string()
            .contains("activebackup.dev/removal")
            .then_some(())
            .ok_or(finalizers)
    })
    .await;
    admin
        .does(&["delete", "bt", "laptop", "--timeout=30s"])
        .await
        .ok();
    assert_eq!(
        lab.effects("removed").len(),
        1,
        "the finalizer went after the task"
    );
}

#[tokio::test]
async fn those_who_may_only_request_change_nothing_else() {
    let values = "admissionPolicy: {requestOnly: {enabled: true, groups: [ci], users: [robot]}}";
    let lab = with_policies("requestonly", values).await;
    let [developer, ci] = ["developers", "ci"].map(|group| Person { lab: &lab, group });
    let suspend = r#"{"spec": {"suspend": true}}"#;
    eventually("the policy is in force", async || {
        let dry = [
            "patch",
            "bt",
            "laptop",
            "--type=merge",
            "-p",
            suspend,
            "--dry-run=server",
        ];
        (!ci.does(&dry).await.success).then_some(())
    })
    .await;
    developer
        .does(&["label", "bt", "laptop", "team=storage"])
        .await
        .ok();
    developer.does(&["annotate", "bt", "laptop", "note=a"]).await.ok();

    for patch in [
        suspend,
        r#"{"spec": {"triggers": {"maxAge": "26h"}}}"#,
        r#"{"spec": {"triggers": {"request": "b", "schedule": "@daily"}}}"#,
        r#"{"spec": {"removal": {"when": "OnDelete", "confirm": "key"}}}"#,
        r#"{"spec": {"whenRunning": "Replace"}}"#,
        r#"{"metadata": {"labels": {"team": "other"}}}"#,
        r#"{"metadata": {"labels": null}}"#,
        r#"{"metadata": {"annotations": {"note": null}}}"#,
        r#"{"metadata": {"annotations": {"activebackup.dev/suspended": "true"}}}"#,
        r#"{"metadata": {"annotations": {"activebackup.dev/abandon": "true"}}}"#,
        r#"{"metadata": {"finalizers": ["example.org/hold"]}}"#,
        r#"{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Secret", "name": "a", "uid": "b"}]}}"#,
    ] {
        let refused = ci.patches("bt", patch).await.refused();
        assert!(
            refused.contains("you may change nothing of a BackupTask but"),
            "{patch}: {refused}"
        );
    }
    for delete in [&["delete", "bt", "laptop"][..], &["delete", "bt", "--all"]] {
        let refused = ci.does(delete).await.refused();
        assert!(refused.contains("not create or delete a BackupTask"), "{refused}");
    }
    let file = lab.namespace.cluster().directory().join("requestonly.yaml");
    fs::write(&file, task("other", TASK, "")).unwrap();
    let refused = ci
        .does(&["create", "-f", &file.display().to_string()])
        .await
        .refused();
    assert!(refused.contains("not create or delete a BackupTask"), "{refused}");

    // What they are there for, and the run takes place.
    ci.patches(
        "bt",
        r#"{"spec": {"triggers": {"request": "from-ci", "requestNotAfter": "2099-01-01T00:00:00Z"}}}"#,
    )
    .await
    .ok();
    lab.until("the run has succeeded", |status| {
        status["receipts"]["request"]["token"] == "from-ci"
            && status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    for patch in [
        r#"{"spec": {"triggers": {"request": null, "requestNotAfter": null}}}"#,
        r#"{"spec": {"cancel": {"request": "stop"}}}"#,
        r#"{"spec": {"cancel": null}}"#,
    ] {
        ci.patches("bt", patch).await.ok();
    }
    for annotation in [
        "activebackup.dev/backup-requested=a",
        "activebackup.dev/cancel-requested=b",
    ] {
        ci.does(&["annotate", "bt", "laptop", annotation]).await.ok();
    }
}
