//! The operator: whether one is there, leads, and watches this namespace.

use super::{
    asking::Refusal,
    cluster::Site,
    deployment::{self, Release, Watched},
    lease::{self, Found, State},
    report::Report,
    rights,
};
use crate::{api::BackupServer, cli::screen::span, config::DoctorArgs};

/// Where the documentation takes the chart from.
pub(super) const CHART: &str = "oci://ghcr.io/abb-operator/charts/abb-operator";

/// What was found out about the operator, for the checks of its servers.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// Whether one leads; unknown where it may not be looked for.
    pub leads: Option<bool>,
    /// Its Deployment, where there is one that watches this namespace.
    pub release: Option<Release>,
}

/// Looks for the operator of the site's namespace.
pub(super) async fn look(
    site: &Site,
    args: &DoctorArgs,
    servers: &[BackupServer],
    report: &mut Report,
) -> Operator {
    let (releases, looked) = deployment::find(site).await;
    let (mine, others): (Vec<Release>, Vec<Release>) = releases
        .into_iter()
        .partition(|release| release.watched.may_include(&site.namespace));
    if let [first, second, ..] = mine.as_slice() {
        let found = format!(
            "{} and {} both watch namespace {:?}, and each would act",
            first.place(),
            second.place(),
            site.namespace
        );
        let remedy = format!(
            "leave one: helm -n {} uninstall {}",
            second.namespace, second.helm_name
        );
        report.warn("operator", &found, &remedy);
    }
    let release = mine.into_iter().next();
    let lease = lease::find(site, args, release.as_ref()).await;
    let leads = match &release {
        Some(release) if release.lease.is_none() => without_lease(site, release, report).await,
        _ => leads(site, release.as_ref(), &others, &lease, &looked, report).await,
    };
    if let Some(release) = &release {
        pods(site, release, leads, report).await;
    }
    if leads != Some(false) {
        rights::look(site, release.as_ref(), &lease, servers, report).await;
    }
    Operator { leads, release }
}

async fn without_lease(site: &Site, release: &Release, report: &mut Report) -> Option<bool> {
    let place = release.place();
    if release.ready > 0 {
        report.ok("operator", &format!("{place} leads without a Lease"));
        return Some(true);
    }
    let why = deployment::pods_in_trouble(site, release).await;
    report.fail(
        "operator",
        &format!("{place} is not ready: {why}"),
        &logs(release),
    );
    Some(false)
}

/// Judges the Lease. Whether somebody leads.
async fn leads(
    site: &Site,
    release: Option<&Release>,
    others: &[Release],
    lease: &Found,
    looked: &Result<(), Refusal>,
    report: &mut Report,
) -> Option<bool> {
    let (namespace, name, state) = match lease {
        Found::There { namespace, name, .. }
            if release.is_none() && leads_elsewhere(others, namespace, name) =>
        {
            nobody(site, name, others, looked, report);
            return Some(false);
        }
        Found::There {
            namespace,
            name,
            state,
        } => (namespace, name, state),
        Found::Missing { namespace, name } => {
            let found = format!("there is no Lease {namespace}/{name}");
            match release {
                Some(release) => {
                    let why = why(site, release).await;
                    let found = format!("{found}: {} has never led{}", release.place(), colon(&why));
                    report.fail("operator", &found, &start(release));
                }
                None => report.fail(
                    "operator",
                    &found,
                    "name the right one: --lease-name, --lease-namespace",
                ),
            }
            return Some(false);
        }
        Found::Nowhere { name } => {
            nobody(site, name, others, looked, report);
            return Some(false);
        }
        Found::Several(places) => {
            let found = format!("several Leases may be meant: {}", places.join(", "));
            report.note("operator", &format!("{found}; name one: --lease-namespace"));
            return None;
        }
        Found::Unreadable(refusal) => {
            let found = format!("its Lease cannot be read: {refusal}");
            report.note("operator", &found);
            return None;
        }
    };
    let place = format!("{namespace}/{name}");
    let lost = match release {
        Some(release) => start(release),
        None => format!("see why it ended, and start it: kubectl -n {namespace} get pods"),
    };
    match state {
        State::Held { holder, renewed } => {
            let found = format!("{holder} holds the Lease {place}, renewed {} ago", span(*renewed));
            report.ok("operator", &found);
            Some(true)
        }
        State::Stale { holder, renewed } => {
            let found = format!(
                "{holder} holds the Lease {place}, and has not renewed it for {}: it has died, hangs, or does not reach \
                 the API server",
                span(*renewed)
            );
            report.fail("operator", &found, &lost);
            Some(false)
        }
        State::Released => {
            let why = match release {
                Some(release) => why(site, release).await,
                None => String::new(),
            };
            let found = format!(
                "nobody holds the Lease {place}: the operator has ended{}",
                colon(&why)
            );
            report.fail("operator", &found, &lost);
            Some(false)
        }
    }
}

/// Whether a Lease that was come across is that of an operator which watches other namespaces.
fn leads_elsewhere(others: &[Release], namespace: &str, name: &str) -> bool {
    let lease = Some((namespace.to_owned(), name.to_owned()));
    others.iter().any(|other| other.lease == lease)
}

fn nobody(site: &Site, lease: &str, others: &[Release], looked: &Result<(), Refusal>, report: &mut Report) {
    let namespace = &site.namespace;
    if let Some(other) = others.first() {
        let found = format!(
            "no operator watches namespace {namespace:?}: {} watches {}",
            other.place(),
            other.watched
        );
        report.fail("operator", &found, &let_watch(other, namespace));
        return;
    }
    let far = if looked.is_ok() {
        ""
    } else {
        " in the namespaces that you may look into"
    };
    let found = format!("there is no operator{far}: no Deployment of it, and no Lease {lease:?}");
    let remedy = format!(
        "install one: helm install abb-operator {CHART} --namespace abb-operator --create-namespace --set \
         'watchNamespaces={{{namespace}}}'; one under another name: --lease-name, --lease-namespace"
    );
    report.fail("operator", &found, &remedy);
}

/// How a release is made to watch one more namespace.
fn let_watch(release: &Release, namespace: &str) -> String {
    let mut names = match &release.watched {
        Watched::These(names) => names.clone(),
        Watched::All | Watched::Unknown => Vec::new(),
    };
    names.push(namespace.to_owned());
    format!(
        "let it: helm upgrade {} {CHART} --namespace {} --reuse-values --set 'watchNamespaces={{{}}}'",
        release.helm_name,
        release.namespace,
        names.join(",")
    )
}

async fn pods(site: &Site, release: &Release, leads: Option<bool>, report: &mut Report) {
    let Release {
        image, wanted, ready, ..
    } = release;
    let found = format!("{}, {image}, {ready} of {wanted} ready", release.place());
    if *wanted > 0 && ready >= wanted {
        report.ok("deployment", &format!("{found}, watches {}", release.watched));
    } else if leads == Some(false) {
        // The line above says so, and why.
        report.note("deployment", &found);
    } else {
        let why = deployment::pods_in_trouble(site, release).await;
        report.warn("deployment", &format!("{found}{}", colon(&why)), &logs(release));
    }
}

/// Why nobody leads, as far as the Deployment and its Pods say it.
async fn why(site: &Site, release: &Release) -> String {
    if release.wanted == 0 {
        "its Deployment is scaled to zero".to_owned()
    } else {
        deployment::pods_in_trouble(site, release).await
    }
}

fn start(release: &Release) -> String {
    if release.wanted == 0 {
        let Release { namespace, name, .. } = release;
        format!("start it: kubectl -n {namespace} scale deployment {name} --replicas 1")
    } else {
        logs(release)
    }
}

pub(super) fn logs(release: &Release) -> String {
    let Release { namespace, name, .. } = release;
    format!(
        "see why: kubectl -n {namespace} describe deployment {name}; kubectl -n {namespace} logs deployment/{name}"
    )
}

fn colon(why: &str) -> String {
    if why.is_empty() {
        String::new()
    } else {
        format!(": {why}")
    }
}
