//! The operator's rights in this namespace: those of the chart's roles, asked of the API server for its account.

use futures::future::join_all;
use k8s_openapi::api::{core::v1::Pod, rbac::v1::RoleBinding};
use kube::{Api, api::ListParams};

use super::{
    asking::{Refusal, Right, ask, may_account},
    cluster::Site,
    deployment::{Release, Watched},
    lease::{Found, State},
    operator::CHART,
    report::Report,
};
use crate::api::{BackupServer, CaKind, GROUP};

/// What the operator may do here: the chart's rights, asked of the API server for its account.
pub(super) async fn look(
    site: &Site,
    release: Option<&Release>,
    lease: &Found,
    servers: &[BackupServer],
    report: &mut Report,
) {
    const WHAT: &str = "operator's rights";
    let Some((account_namespace, account)) = account(site, release, lease).await else {
        report.note(WHAT, "not checked: its account is not known here");
        return;
    };
    let mut asked: Vec<(String, Right<'_>)> = Vec::new();
    let here = |right| (site.namespace.clone(), right);
    let right = |verb, group, resource| Right {
        verb,
        group,
        resource,
        name: "",
    };
    for (resource, verbs) in [
        ("backuptasks", &["get", "list", "watch", "patch"][..]),
        ("backupservers", &["get", "list", "watch"]),
        ("backuptasks/status", &["patch"]),
        ("backupservers/status", &["patch"]),
    ] {
        asked.extend(verbs.iter().map(|verb| here(right(verb, GROUP, resource))));
    }
    asked.extend(["create", "patch"].map(|verb| here(right(verb, "events.k8s.io", "events"))));
    for (resource, name) in servers.iter().flat_map(read_by_name) {
        asked.push(here(Right {
            name,
            ..right("get", "", resource)
        }));
    }
    if let Found::There { namespace, name, .. } = lease {
        for verb in ["list", "watch", "patch"] {
            let right = Right {
                name,
                ..right(verb, "coordination.k8s.io", "leases")
            };
            asked.push((namespace.clone(), right));
        }
    }
    let owner = (account_namespace.as_str(), account.as_str());
    let answers = asked
        .iter()
        .map(|(namespace, right)| may_account(&site.client, owner, namespace, *right));
    let mut missing = Vec::new();
    for ((namespace, right), answer) in asked.iter().zip(join_all(answers).await) {
        match answer {
            Ok(true) => {}
            Ok(false) => missing.push(format!("{right} in namespace {namespace:?}")),
            Err(Refusal::Forbidden) => {
                report.note(WHAT, "not checked: you may not ask what others may do");
                return;
            }
            Err(refusal) => {
                report.note(WHAT, &format!("not checked: {refusal}"));
                return;
            }
        }
    }
    let user = format!("system:serviceaccount:{account_namespace}:{account}");
    if missing.is_empty() {
        report.ok(WHAT, &format!("{user} has what it needs here"));
        return;
    }
    let namespace = &site.namespace;
    let lacks_secrets = missing
        .iter()
        .any(|right| right.starts_with("get secrets") || right.starts_with("get configmaps"));
    let remedy = match release {
        Some(release) if release.watched == Watched::All && lacks_secrets => format!(
            "name the namespace to the chart as well: helm upgrade {} {CHART} --namespace {} --reuse-values --set \
             'clusterWide.credentialNamespaces={{OTHERS,{namespace}}}'",
            release.helm_name, release.namespace
        ),
        Some(release) => format!(
            "have the chart make its roles again: helm upgrade {} {CHART} --namespace {} --reuse-values",
            release.helm_name, release.namespace
        ),
        None => {
            format!("give it the rules of the chart's Role: kubectl -n {namespace} edit role abb-operator")
        }
    };
    report.fail(WHAT, &format!("{user} may not {}", missing.join(", ")), &remedy);
}

/// The Secret, and where the certificate authority is kept.
fn read_by_name(server: &BackupServer) -> Vec<(&'static str, &str)> {
    let mut read = vec![("secrets", server.spec.credentials.secret_ref.name.as_str())];
    let authority = server.spec.tls.as_ref().and_then(|tls| tls.ca_ref.as_ref());
    read.extend(authority.map(|authority| {
        let resource = match authority.kind {
            CaKind::Secret => "secrets",
            CaKind::ConfigMap => "configmaps",
        };
        (resource, authority.name.as_str())
    }));
    read
}

/// Namespace and name of the operator's service account: from its Deployment, the Pod that holds the Lease, or the binding
/// that gives it its rights here.
async fn account(site: &Site, release: Option<&Release>, lease: &Found) -> Option<(String, String)> {
    if let Some(release) = release {
        return Some((release.namespace.clone(), release.account.clone()));
    }
    let Found::There { namespace, state, .. } = lease else {
        return None;
    };
    if let State::Held { holder, .. } = state {
        let pod = holder.split('_').next().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(site.client.clone(), namespace);
        if let Ok(pod) = ask(api.get(pod)).await {
            let account = pod.spec.and_then(|spec| spec.service_account_name);
            return account.map(|account| (namespace.clone(), account));
        }
    }
    let bindings = bindings(site).await.ok()?;
    bindings
        .into_iter()
        .flat_map(|binding| binding.subjects.unwrap_or_default())
        .find(|subject| subject.kind == "ServiceAccount" && subject.namespace.as_deref() == Some(namespace))
        .map(|subject| (namespace.clone(), subject.name))
}

/// What the chart, or whoever took its roles over, bound in this namespace.
pub(super) async fn bindings(site: &Site) -> Result<Vec<RoleBinding>, Refusal> {
    let api: Api<RoleBinding> = Api::namespaced(site.client.clone(), &site.namespace);
    let params = ListParams::default().labels("app.kubernetes.io/part-of=abb-operator");
    ask(api.list(&params)).await.map(|list| list.items)
}
