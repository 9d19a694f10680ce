//! The first steps: an API server that answers, the definitions on it, and what the user may do with them.

use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client, ResourceExt};

use super::{
    asking::{Refusal, Right, ask, chain, may_i},
    definitions::{Difference, compare, refused},
    report::Report,
};
use crate::{
    api::{GROUP, definitions},
    cli::plugin,
    config::ClusterArgs,
    controller::kubernetes::Kubernetes,
};

/// Longest wait for a connection: who waits for more has the answer.
const CONNECT: Duration = Duration::from_secs(10);
/// How the definitions come into a cluster.
const INSTALL: &str = "abb-operator crd | kubectl apply --server-side -f -";
/// Differences that are named; more are counted.
const NAMED: usize = 3;

/// A cluster that answers, and the namespace that is looked at.
pub(super) struct Site {
    pub client: Client,
    pub kubernetes: Kubernetes,
    pub namespace: String,
}

/// The cluster that the flags name, if it answers.
pub(super) async fn reach(args: &ClusterArgs, report: &mut Report) -> Option<Site> {
    let mut config = match plugin::config(args).await {
        Ok(config) => config,
        Err(failure) => {
            report.fail_told("cluster", &failure.to_string());
            return None;
        }
    };
    // One look, and its outcome at once.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    let url = config.cluster_url.to_string();
    let url = url.trim_end_matches('/');
    let namespace = args
        .namespace
        .clone()
        .unwrap_or_else(|| config.default_namespace.clone());
    let client = match Client::try_from(config) {
        Ok(client) => client,
        Err(error) => {
            let remedy = "correct the kubeconfig: kubectl config view";
            report.fail("cluster", &chain(&error), remedy);
            return None;
        }
    };
    match ask(client.apiserver_version()).await {
        Ok(version) => report.ok(
            "cluster",
            &format!("{url} answers, Kubernetes {}", version.git_version),
        ),
        Err(refusal) => {
            let found = match refusal {
                Refusal::Other(text) => format!("{url} does not answer as an API server: {text}"),
                Refusal::Forbidden | Refusal::Absent => format!("{url} does not tell its version"),
            };
            let remedy =
                "see whether kubectl reaches it: kubectl cluster-info; another one: --context, --kubeconfig";
            report.fail("cluster", &found, remedy);
            return None;
        }
    }
    Some(Site {
        kubernetes: Kubernetes::new(client.clone(), "kubectl-abb"),
        client,
        namespace,
    })
}

/// Whether the kinds can be asked for.
pub(super) async fn kinds_are_served(site: &Site, report: &mut Report) -> bool {
    let api: Api<CustomResourceDefinition> = Api::all(site.client.clone());
    let mut served = true;
    let mut the_same = Vec::new();
    for ours in definitions() {
        let name = ours.name_any();
        match ask(api.get(&name)).await {
            Ok(installed) => match compare(&installed, &ours) {
                Ok(_) if refused(&installed).is_some() => {
                    let why = refused(&installed).unwrap_or_default();
                    let remedy = format!("see kubectl describe crd {name}");
                    report.fail("definitions", &format!("{name} is not served: {why}"), &remedy);
                    served = false;
                }
                Ok(difference) if difference.is_none() => the_same.push(ours.spec.names.plural.clone()),
                Ok(difference) => differs(&name, &difference, report),
                Err(why) => {
                    let found = format!("{name} is of another release: {why}");
                    report.fail(
                        "definitions",
                        &found,
                        &format!("install those of this one: {INSTALL}"),
                    );
                    served = false;
                }
            },
            Err(Refusal::Absent) => {
                let found = format!("{name} is not installed");
                report.fail("definitions", &found, &format!("install it: {INSTALL}"));
                served = false;
            }
            Err(Refusal::Forbidden) => return served && by_discovery(site, report).await,
            Err(Refusal::Other(why)) => {
                let remedy = format!("see whether kubectl can: kubectl get crd {name}");
                report.fail("definitions", &format!("failed to read {name}: {why}"), &remedy);
                return false;
            }
        }
    }
    if !the_same.is_empty() {
        report.ok(
            "definitions",
            &format!("{} as in this build", the_same.join(" and ")),
        );
    }
    served
}

fn differs(name: &str, difference: &Difference, report: &mut Report) {
    let Difference { lacks, adds, changed } = difference;
    match (lacks.is_empty(), adds.is_empty()) {
        (false, _) => {
            let found = format!("{name} is older than this build: it lacks {}", some_of(lacks));
            report.warn("definitions", &found, &format!("install this build's: {INSTALL}"));
        }
        (true, false) => {
            let found = format!(
                "{name} is newer than this build: it has {} as well",
                some_of(adds)
            );
            let remedy =
                "use the release of kubectl-abb that belongs to the operator: kubectl krew upgrade abb";
            report.warn("definitions", &found, remedy);
        }
        (true, true) => {
            let found = format!(
                "{name} is not that of this build: it differs in {}",
                some_of(changed)
            );
            let remedy =
                format!("bring plugin and definitions to the operator's release; this build's: {INSTALL}");
            report.warn("definitions", &found, &remedy);
        }
    }
}

fn some_of(names: &[String]) -> String {
    let text = names[..names.len().min(NAMED)].join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// For who may not read definitions: everybody may ask what is served.
async fn by_discovery(site: &Site, report: &mut Report) -> bool {
    let version = format!("{GROUP}/{}", definitions()[0].spec.versions[0].name);
    match ask(site.client.list_api_group_resources(&version)).await {
        Ok(_) => {
            let found = format!("{version} is served; whether as in this build is not for you to read");
            report.note("definitions", &found);
            true
        }
        Err(Refusal::Absent) => {
            let found = format!("{version} is not served");
            report.fail("definitions", &found, &format!("have them installed: {INSTALL}"));
            false
        }
        Err(refusal) => {
            let found = format!("failed to ask for {version}: {refusal}");
            report.fail(
                "definitions",
                &found,
                "see whether kubectl can: kubectl api-resources",
            );
            false
        }
    }
}

/// What the plugin needs of the user's rights.
pub(super) async fn user_may(site: &Site, report: &mut Report) {
    let mut wanted = Vec::new();
    for resource in ["backupservers", "backuptasks"] {
        for verb in ["get", "list", "watch", "patch"] {
            wanted.push(Right {
                verb,
                group: GROUP,
                resource,
                name: "",
            });
        }
    }
    let asked = wanted
        .iter()
        .map(|right| may_i(&site.client, &site.namespace, *right));
    let mut missing = Vec::new();
    for (right, answer) in wanted.iter().zip(join_all(asked).await) {
        match answer {
            Ok(true) => {}
            Ok(false) => missing.push(right),
            Err(refusal) => {
                report.note("your rights", &format!("not known: {refusal}"));
                return;
            }
        }
    }
    if missing.is_empty() {
        report.ok("your rights", "you may read and patch both kinds");
        return;
    }
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    let namespace = &site.namespace;
    let found = format!("you may not {} in namespace {namespace:?}", names.join(", "));
    let may_look = !missing
        .iter()
        .any(|right| right.verb == "list" || right.verb == "get");
    let role = if may_look { "edit" } else { "view" };
    let remedy = format!(
        "have it granted: kubectl -n {namespace} create rolebinding abb-{role} --clusterrole={role} --user=YOU (the chart \
         adds both kinds to these roles: rbac.aggregate)"
    );
    report.warn("your rights", &found, &remedy);
}
