//! `doctor`: everything between a user and a run, step by step: cluster, definitions, rights, operator, and for each
//! BackupServer its status, Secret, address, certificate, login, package and clock. A step that fails ends only what
//! depends on it. It changes nothing, and tries no login of which the status says that it was refused and waits.

mod account;
mod address;
mod asking;
mod certificate;
mod cluster;
mod definitions;
mod deployment;
mod lease;
mod operator;
mod report;
mod rights;
mod secret;
mod server;

use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use super::Failure;
use crate::{
    api::BackupServer,
    config::{ClusterArgs, DoctorArgs},
};
use asking::{Refusal, ask};
use cluster::Site;
use report::Report;

/// Walks the way for one server or for all of the namespace.
pub(super) async fn run(cluster: &ClusterArgs, args: &DoctorArgs) -> Result<(), Failure> {
    let mut report = Report::new();
    walk(cluster, args, &mut report).await;
    if report.end() {
        Ok(())
    } else {
        Err(Failure::said(1))
    }
}

async fn walk(cluster: &ClusterArgs, args: &DoctorArgs, report: &mut Report) {
    report.section("Cluster");
    let Some(site) = cluster::reach(cluster, report).await else {
        return;
    };
    if !cluster::kinds_are_served(&site, report).await {
        return;
    }
    cluster::user_may(&site, report).await;
    let servers = servers(&site, args.server.as_deref(), report).await;
    report.section("Operator");
    let operator = operator::look(&site, args, &servers, report).await;
    for server in servers {
        report.section(&format!("BackupServer {}", server.name_any()));
        server::look(&site, &operator, server, report).await;
    }
}

async fn servers(site: &Site, name: Option<&str>, report: &mut Report) -> Vec<BackupServer> {
    let namespace = &site.namespace;
    let api: Api<DeserializeGuard<BackupServer>> = Api::namespaced(site.client.clone(), namespace);
    let everywhere = "see kubectl get backupservers --all-namespaces; another namespace: -n";
    let listed = match name {
        Some(name) => ask(api.get(name)).await.map(|server| vec![server]),
        None => ask(api.list(&ListParams::default())).await.map(|list| list.items),
    };
    let listed = match listed {
        Ok(listed) => listed,
        Err(refusal) => {
            let which = name.map_or("BackupServers".to_owned(), |name| {
                format!("BackupServer {name:?}")
            });
            let found = match refusal {
                Refusal::Absent => format!("there is no {which} in namespace {namespace:?}"),
                refusal => format!("failed to read the {which} of namespace {namespace:?}: {refusal}"),
            };
            report.fail("servers", &found, everywhere);
            return Vec::new();
        }
    };
    let mut servers = Vec::new();
    for server in listed {
        match server.0 {
            Ok(server) => servers.push(server),
            Err(error) => {
                let name = error.metadata.name.unwrap_or_default();
                let found = format!(
                    "the BackupServer {name:?} is not as this build knows them: {}",
                    error.error
                );
                report.fail(
                    "servers",
                    &found,
                    "use the release of kubectl-abb that belongs to the definitions",
                );
            }
        }
    }
    let names: Vec<String> = servers.iter().map(ResourceExt::name_any).collect();
    if servers.is_empty() {
        let found = format!("there is no BackupServer in namespace {namespace:?}");
        report.warn("servers", &found, everywhere);
    } else {
        report.ok("servers", &names.join(", "));
    }
    servers
}
