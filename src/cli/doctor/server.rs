//! One BackupServer: whether the operator has looked at it and what it says of it and its tasks, what its spec holds back,
//! and then the way to its NAS.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Api, ResourceExt, api::ListParams, core::DeserializeGuard};

use super::{
    account, address,
    asking::ask,
    cluster::Site,
    deployment::Watched,
    operator::{CHART, Operator, logs},
    report::Report,
    rights, secret,
};
use crate::api::{ANNOTATION_SUSPENDED, BackupServer, BackupTask, ConditionType, Mode, Reason, condition};

/// How long an edit may be on its way to the operator, in looks of a second.
const LOOKS: usize = 3;
/// Tasks in trouble that have a line of their own.
const TASKS_SHOWN: usize = 10;

/// Everything about one server.
pub(super) async fn look(site: &Site, operator: &Operator, server: BackupServer, report: &mut Report) {
    let server = seen(site, operator, server, report).await;
    // What nobody keeps up says nothing of now.
    let is_current = operator.leads != Some(false) && is_seen(&server);
    let works = status(&server, is_current, report) && is_current;
    if is_current {
        tasks(site, &server, works, report).await;
    }
    settings(site, &server, report);
    let secret = secret::look(site, &server, report).await;
    let Some(endpoint) = secret::trust(site, &server, report).await else {
        return;
    };
    // The operator's way is what runs depend on, and it is open.
    let stops_runs = !works;
    if !address::look(site, &server, &endpoint, stops_runs, report).await {
        return;
    }
    account::look(site, &server, endpoint, secret, report).await;
}

fn is_seen(server: &BackupServer) -> bool {
    let seen = server
        .status
        .as_ref()
        .and_then(|status| status.observed_generation);
    seen.is_some() && seen == server.metadata.generation
}

/// Whether the operator has looked at it as it stands. The object as it is then.
async fn seen(site: &Site, operator: &Operator, server: BackupServer, report: &mut Report) -> BackupServer {
    const WHAT: &str = "watched";
    if operator.leads == Some(false) {
        return server;
    }
    let mut server = server;
    let api: Api<BackupServer> = Api::namespaced(site.client.clone(), &site.namespace);
    for _ in 0..LOOKS {
        if is_seen(&server) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        if let Ok(newer) = ask(api.get(&server.name_any())).await {
            server = newer;
        }
    }
    let generation = server.metadata.generation.unwrap_or_default();
    let status = server.status.as_ref();
    match status.and_then(|status| status.observed_generation).unwrap_or(-1) {
        seen if seen == generation => report.ok(WHAT, "the operator has looked at it as it stands"),
        ..0 => {
            let namespace = &site.namespace;
            let watched = operator.release.as_ref().map(|release| &release.watched);
            // Who watches all namespaces has its rights by a ClusterRole.
            let is_unbound = watched != Some(&Watched::All)
                && rights::bindings(site).await.is_ok_and(|found| found.is_empty());
            let unbound = if is_unbound {
                ", and no RoleBinding gives it rights here"
            } else {
                ""
            };
            let (found, remedy) = match &operator.release {
                Some(release) => (
                    "no operator has looked at it, though it should: it starts, may not read here, or hangs",
                    logs(release),
                ),
                None => (
                    "no operator has looked at it: the one that leads watches other namespaces, or may not read here",
                    format!(
                        "have {namespace:?} put to the namespaces that it watches, and the chart's Role into it: helm \
                         upgrade abb-operator {CHART} --namespace abb-operator --reuse-values --set \
                         'watchNamespaces={{OTHERS,{namespace}}}'; see kubectl -n {namespace} get rolebindings"
                    ),
                ),
            };
            report.fail(WHAT, &format!("{found}{unbound}"), &remedy);
        }
        seen => {
            let found = format!("its generation is {generation}, and the operator has looked at {seen}");
            let remedy = "a NAS that is slow to answer holds it up for a while: try again; then see the operator's log";
            report.warn(WHAT, &found, remedy);
        }
    }
    server
}

/// What the operator says. Whether all is well by its word.
fn status(server: &BackupServer, is_current: bool, report: &mut Report) -> bool {
    let conditions = server
        .status
        .as_ref()
        .map_or(&[][..], |status| &status.conditions);
    let Some(ready) = condition(conditions, ConditionType::Ready) else {
        return false;
    };
    let Condition { reason, message, .. } = ready;
    let text = match message.as_str() {
        "" => reason.clone(),
        message => format!("{reason}: {message}"),
    };
    if !is_current {
        report.note("status", &format!("when an operator last looked: {text}"));
        return false;
    }
    match ready.status.as_str() {
        "True" => report.ok("status", &text),
        // Most messages name their remedy.
        verdict => {
            let more = if text.contains("; ") {
                ""
            } else {
                "; the lines below look closer"
            };
            report.fault_told(verdict == "False", "status", &format!("{text}{more}"));
        }
    }
    ready.status == "True"
}

async fn tasks(site: &Site, server: &BackupServer, works: bool, report: &mut Report) {
    const WHAT: &str = "backuptasks";
    let api: Api<DeserializeGuard<BackupTask>> = Api::namespaced(site.client.clone(), &site.namespace);
    let listed = match ask(api.list(&ListParams::default())).await {
        Ok(listed) => listed.items,
        Err(refusal) => {
            report.note(WHAT, &format!("not looked at: {refusal}"));
            return;
        }
    };
    let tasks: Vec<BackupTask> = listed
        .into_iter()
        .filter_map(|task| task.0.ok())
        .filter(|task| task.spec.server_ref.name == server.name_any())
        .collect();
    let suspended: Vec<String> = tasks
        .iter()
        .filter(|task| is_suspended(task))
        .map(ResourceExt::name_any)
        .collect();
    let mut in_trouble = 0;
    for task in &tasks {
        let Some((stops_runs, text)) = trouble(task, works) else {
            continue;
        };
        in_trouble += 1;
        if in_trouble <= TASKS_SHOWN {
            let what = format!("backuptask {}", task.name_any());
            let remedy = format!(
                "kubectl -n {} describe backuptask {}",
                site.namespace,
                task.name_any()
            );
            report.fault_told(stops_runs, &what, &format!("{text}; see {remedy}"));
        }
    }
    if in_trouble > TASKS_SHOWN {
        let found = format!("{} more are in trouble", in_trouble - TASKS_SHOWN);
        report.warn(WHAT, &found, "see kubectl abb status");
    }
    if in_trouble == 0 {
        report.ok(WHAT, &format!("{}, none in trouble", tasks.len()));
    }
    if !suspended.is_empty() {
        let found = format!("{} starts nothing until kubectl abb resume", suspended.join(", "));
        report.note("suspended", &found);
    }
}

fn is_suspended(task: &BackupTask) -> bool {
    task.spec.suspend
        || task
            .annotations()
            .get(ANNOTATION_SUSPENDED)
            .is_some_and(|value| value == "true")
}

/// What is wrong with a task by its own status, and whether it keeps it from running.
fn trouble(task: &BackupTask, works: bool) -> Option<(bool, String)> {
    let conditions = task.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let told = |found: &Condition| format!("{}: {}", found.reason, found.message);
    let is = |kind, verdict: &str| condition(conditions, kind).filter(|found| found.status == verdict);
    // Of a server in trouble its own line says it.
    let is_server = |found: &Condition| !works && found.reason == Reason::ServerNotReady.as_str();
    if let Some(found) = is(ConditionType::Stalled, "True") {
        return (!is_server(found)).then(|| (true, told(found)));
    }
    for kind in [
        ConditionType::Ready,
        ConditionType::LastBackupSucceeded,
        ConditionType::Fresh,
    ] {
        if let Some(found) = is(kind, "False") {
            let is_on_its_way = is(ConditionType::Reconciling, "True").is_some();
            return (!is_server(found) && !is_on_its_way).then(|| (false, told(found)));
        }
    }
    None
}

/// What the spec holds back or opens.
fn settings(site: &Site, server: &BackupServer, report: &mut Report) {
    let patch = |fields: &str| {
        format!(
            "kubectl -n {} patch backupserver {} --type merge -p '{{\"spec\":{fields}}}'",
            site.namespace,
            server.name_any()
        )
    };
    let mode = match server.spec.mode {
        Mode::Enforce => None,
        Mode::Plan => Some("Plan: what would be sent only stands in conditions"),
        Mode::Observe => Some("Observe: nothing is sent or planned"),
    };
    if let Some(mode) = mode {
        let remedy = format!("to let runs begin: {}", patch("{\"mode\":\"Enforce\"}"));
        report.warn("mode", mode, &remedy);
    }
    if server.spec.removals.allowed {
        let found = format!(
            "allowed, up to {} a day: a BackupTask may destroy its task with every version",
            server.spec.removals.max_per_day
        );
        let remedy = format!(
            "unless that is meant: {}",
            patch("{\"removals\":{\"allowed\":false}}")
        );
        report.warn("removals", &found, &remedy);
    }
}
