//! Operators by their Deployments: where they run, which namespaces they watch, under which Lease and account. Read from
//! the container's arguments and environment, as `abb-operator run` reads them.

use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Container, Pod},
};
use kube::{Api, ResourceExt, api::ListParams};

use super::{
    asking::{Refusal, ask},
    cluster::Site,
};

/// What the chart puts on its Deployment, whatever it is called, and what hand-written ones have.
const SELECTORS: [&str; 2] = [
    "app.kubernetes.io/part-of=abb-operator,app.kubernetes.io/component=controller",
    "app.kubernetes.io/name=abb-operator",
];
/// Where the documentation puts an operator.
pub(super) const USUAL_NAMESPACE: &str = "abb-operator";
/// The name of the Lease where none is given.
pub(super) const USUAL_LEASE: &str = "abb-operator";

/// Which namespaces an operator watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    All,
    These(Vec<String>),
    /// It comes from where it cannot be read here.
    Unknown,
}

impl Watched {
    /// Whether it may watch this one.
    pub fn may_include(&self, namespace: &str) -> bool {
        match self {
            Self::All | Self::Unknown => true,
            Self::These(names) => names.iter().any(|name| name == namespace),
        }
    }
}

impl std::fmt::Display for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("all namespaces"),
            Self::These(names) => f.write_str(&names.join(", ")),
            Self::Unknown => f.write_str("namespaces that do not stand in its Deployment"),
        }
    }
}

/// One operator's Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Release {
    pub namespace: String,
    pub name: String,
    /// Of helm, by the label; the Deployment's name elsewhere.
    pub helm_name: String,
    pub watched: Watched,
    /// Namespace and name; none where it leads without one.
    pub lease: Option<(String, String)>,
    pub account: String,
    pub image: String,
    pub wanted: i32,
    pub ready: i32,
    selector: String,
}

impl Release {
    /// `namespace/name`, as kubectl and people write it.
    pub fn place(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// The Deployments of operators, and whether all of the cluster was looked through.
pub(super) async fn find(site: &Site) -> (Vec<Release>, Result<(), Refusal>) {
    let mut found: Vec<Release> = Vec::new();
    let mut looked = Ok(());
    for selector in SELECTORS {
        let params = ListParams::default().labels(selector);
        let everywhere: Api<Deployment> = Api::all(site.client.clone());
        let mut listed = Vec::new();
        match ask(everywhere.list(&params)).await {
            Ok(list) => listed = list.items,
            Err(refusal) => {
                looked = Err(refusal);
                for namespace in [site.namespace.as_str(), USUAL_NAMESPACE] {
                    let api: Api<Deployment> = Api::namespaced(site.client.clone(), namespace);
                    listed.extend(
                        ask(api.list(&params))
                            .await
                            .map(|list| list.items)
                            .unwrap_or_default(),
                    );
                }
            }
        }
        for release in listed.iter().filter_map(read) {
            if !found.iter().any(|other| other.place() == release.place()) {
                found.push(release);
            }
        }
    }
    (found, looked)
}

/// What stands in a Deployment that runs an operator.
fn read(deployment: &Deployment) -> Option<Release> {
    let namespace = deployment.namespace()?;
    let spec = &deployment.spec;
    let pod = spec.template.spec.as_ref()?;
    let container = pod
        .containers
        .iter()
        .find(|container| container.args.iter().flatten().any(|arg| arg == "run"))?;
    let lease = || {
        let place = value(container, "--lease-namespace", "ABB_LEASE_NAMESPACE", &namespace);
        let name = value(container, "--lease-name", "ABB_LEASE_NAME", &namespace);
        (
            place.first().cloned().unwrap_or_else(|| namespace.clone()),
            name.first().cloned().unwrap_or_else(|| USUAL_LEASE.to_owned()),
        )
    };
    let leads_without = container
        .args
        .iter()
        .flatten()
        .any(|arg| arg == "--no-leader-election");
    let selector = spec.selector.match_labels.iter().flatten();
    let status = deployment.status.as_ref();
    let name = deployment.name_any();
    Some(Release {
        helm_name: deployment
            .labels()
            .get("app.kubernetes.io/instance")
            .cloned()
            .unwrap_or_else(|| name.clone()),
        watched: watched(container, &namespace),
        lease: (!leads_without).then(lease),
        account: pod
            .service_account_name
            .clone()
            .unwrap_or_else(|| "default".to_owned()),
        image: container.image.clone().unwrap_or_default(),
        wanted: spec.replicas.unwrap_or(1),
        ready: status.and_then(|status| status.ready_replicas).unwrap_or(0),
        selector: selector
            .map(|(label, value)| format!("{label}={value}"))
            .collect::<Vec<_>>()
            .join(","),
        namespace,
        name,
    })
}

fn watched(container: &Container, namespace: &str) -> Watched {
    let variable = "ABB_WATCH_NAMESPACE";
    let names = value(container, "--watch-namespace", variable, namespace);
    if !names.is_empty() {
        return Watched::These(names);
    }
    let is_set = container.env.iter().flatten().any(|set| set.name == variable);
    if is_set || container.env_from.iter().flatten().next().is_some() {
        Watched::Unknown
    } else {
        Watched::All
    }
}

/// The values of a flag, else of its variable, as `run` takes them.
fn value(container: &Container, flag: &str, variable: &str, namespace: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut args = container.args.iter().flatten();
    while let Some(arg) = args.next() {
        match arg.split_once('=') {
            Some((name, value)) if name == flag => values.push(value.to_owned()),
            None if arg == flag => values.extend(args.next().cloned()),
            _ => {}
        }
    }
    if values.is_empty() {
        let set = container.env.iter().flatten().find(|set| set.name == variable);
        let reference = set
            .and_then(|set| set.value_from.as_ref())
            .and_then(|from| from.field_ref.as_ref());
        values.extend(set.and_then(|set| set.value.clone()));
        if reference.is_some_and(|reference| reference.field_path == "metadata.namespace") {
            values.push(namespace.to_owned());
        }
    }
    values
        .iter()
        .flat_map(|value| value.split(','))
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
        .collect()
}

/// Why the Pods of an operator are not ready, as far as they say it.
pub(super) async fn pods_in_trouble(site: &Site, release: &Release) -> String {
    let api: Api<Pod> = Api::namespaced(site.client.clone(), &release.namespace);
    let Ok(pods) = ask(api.list(&ListParams::default().labels(&release.selector))).await else {
        return String::new();
    };
    let reasons: Vec<String> = pods.items.iter().filter_map(reason).collect();
    reasons.join(", ")
}

fn reason(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let waiting = status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        waiting.reason.clone()
    });
    let refused = status.conditions.iter().flatten().find_map(|condition| {
        (condition.status == "False")
            .then(|| condition.message.clone().or_else(|| condition.reason.clone()))
            .flatten()
    });
    let phase = status.phase.clone().unwrap_or_default();
    let why = waiting.or(refused).unwrap_or(phase);
    (why != "Running").then(|| format!("Pod {}: {why}", pod.name_any()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read_from(args: &[&str], env: &Value) -> Release {
        let deployment = json!({
            "metadata": { "name": "backup", "namespace": "home" },
            "spec": {
                "selector": { "matchLabels": { "a": "b" } },
                "template": { "spec": {
                    "serviceAccountName": "robot",
                    "containers": [
                        { "name": "beside", "args": ["--watch-namespace=other"] },
                        { "name": "abb-operator", "args": args, "env": env },
                    ],
                }},
            },
        });
        read(&serde_json::from_value(deployment).unwrap()).unwrap()
    }

    #[test]
    fn arguments_and_environment_are_read_as_run_reads_them() {
        let these = |names: &[&str]| Watched::These(names.iter().map(|&name| name.to_owned()).collect());
        for (args, env, watched) in [
            (&["run"][..], json!([]), Watched::All),
            (
                &["run", "--watch-namespace=a", "--watch-namespace", "b,c"],
                json!([]),
                these(&["a", "b", "c"]),
            ),
            (
                &["run"],
                json!([{ "name": "ABB_WATCH_NAMESPACE", "value": "a" }]),
                these(&["a"]),
            ),
            (
                &["run"],
                json!([{ "name": "ABB_WATCH_NAMESPACE", "valueFrom": { "fieldRef": { "fieldPath": "metadata.namespace" } } }]),
                these(&["home"]),
            ),
            (
                &["run", "--watch-namespace=a"],
                json!([{ "name": "ABB_WATCH_NAMESPACE", "value": "b" }]),
                these(&["a"]),
            ),
            (
                &["run"],
                json!([{ "name": "ABB_WATCH_NAMESPACE", "valueFrom": { "configMapKeyRef": { "name": "x", "key": "y" } } }]),
                Watched::Unknown,
            ),
        ] {
            assert_eq!(read_from(args, &env).watched, watched, "{args:?} {env}");
        }
        let named = ["run", "--lease-name=x", "--lease-namespace=y"];
        assert_eq!(
            read_from(&named, &json!([])).lease,
            Some(("y".to_owned(), "x".to_owned()))
        );
        let plain = read_from(&["run"], &json!([]));
        assert_eq!(plain.lease, Some(("home".to_owned(), USUAL_LEASE.to_owned())));
        assert_eq!(
            (
                plain.account.as_str(),
                plain.wanted,
                plain.ready,
                plain.selector.as_str()
            ),
            ("robot", 1, 0, "a=b")
        );
        assert_eq!(
            read_from(&["run", "--no-leader-election"], &json!([])).lease,
            None
        );
    }
}
