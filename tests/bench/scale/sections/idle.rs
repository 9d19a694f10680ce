//! What a settled system costs: calls to the API server by verb and resource, Lease calls apart, and time on a processor;
//! for one replica with the default flags, and for a leader and a standby with one Lease between them.

use std::collections::BTreeMap;

use crate::{
    arm::{self, Running},
    audit::{Audit, Entry},
    ground::{Ground, Plan},
    harness::rights,
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::number,
};

/// How often a Lease of the default duration is renewed.
const RENEWALS_PER_HOUR: f64 = 3600.0 / 20.0;
const CALLS_PER_HOUR: f64 = 25.0;

/// One process and the token by which its requests are told from the others'.
struct Replica {
    label: &'static str,
    running: Running,
    credential: String,
}

pub async fn measure(settings: &Settings, report: &mut Report) {
    let plan = Plan::new(1, settings.idle_tasks, 0.1).polling("5m", "10s");
    let alone = Ground::settled("idle", &plan, settings).await;
    let shared = Ground::settled("idle", &plan, settings).await;
    let single: &[&str] = if arm::knows(settings, "--single-leader") {
        &["--single-leader"]
    } else {
        &[]
    };
    let mut replicas = vec![
        replica(settings, &alone, "one replica", &[]).await,
        replica(settings, &shared, "leader", single).await,
    ];
    // Whoever comes second finds the Lease taken.
    shared.wait_quiet().await;
    replicas.push(replica(settings, &shared, "standby", single).await);
    for ground in [&alone, &shared] {
        ground.wait_quiet().await;
    }
    let mut audit = Audit::of(alone.namespace.cluster());
    audit.skip();
    let before: Vec<f64> = replicas.iter().map(|replica| replica.running.cpu()).collect();
    tokio::time::sleep(settings.idle).await;
    let entries = audit.read().to_vec();
    let hours = settings.idle.as_secs_f64() / 3600.0;
    for (replica, before) in replicas.iter().zip(before) {
        let own: Vec<&Entry> = entries
            .iter()
            .filter(|entry| entry.credential == replica.credential)
            .collect();
        let (leases, calls): (Vec<&Entry>, Vec<&Entry>) = own.iter().partition(|entry| entry.is_lease());
        let label = replica.label;
        report.add(
            Figure::new(
                "idle",
                &format!("{label}: calls"),
                "1/h",
                vec![number(calls.len()) / hours],
            )
            .limit(Limit::AtMost(CALLS_PER_HOUR))
            .note(by_kind(&calls)),
        );
        // One more than the interval gives: the window may begin just before a renewal.
        let limit = (RENEWALS_PER_HOUR * hours + 1.0) / hours;
        report.add(
            Figure::new(
                "idle",
                &format!("{label}: Lease calls"),
                "1/h",
                vec![number(leases.len()) / hours],
            )
            .limit(Limit::AtMost(limit.round()))
            .note(by_kind(&leases)),
        );
        let cpu = (replica.running.cpu() - before) / settings.idle.as_secs_f64() / 10.0;
        report.add(
            Figure::new("idle", &format!("{label}: CPU"), "% of a core", vec![cpu]).limit(Limit::AtMost(0.1)),
        );
        let resident = replica.running.memory().resident / 1024.0;
        report.add(Figure::new(
            "idle",
            &format!("{label}: resident, {} tasks", settings.idle_tasks),
            "MiB",
            vec![resident],
        ));
    }
    for replica in replicas {
        replica.running.stop().await;
    }
    alone.clear().await;
    shared.clear().await;
}

async fn replica(settings: &Settings, ground: &Ground, label: &'static str, arguments: &[&str]) -> Replica {
    let (cluster, namespace) = (ground.namespace.cluster(), ground.namespace.name());
    let token = rights::token_of(&ground.objects.client, namespace).await;
    let kubeconfig = ground
        .directory()
        .join(format!("{}.kubeconfig", label.replace(' ', "-")));
    cluster.write_kubeconfig_with(&token, namespace, &kubeconfig);
    let mut running = arm::operator_as(settings, ground, arguments, &kubeconfig);
    running.wait_ready().await;
    Replica {
        label,
        running,
        credential: credential(&token),
    }
}

/// The name under which the API server logs a token: its claim `jti`.
fn credential(token: &str) -> String {
    use base64::Engine;
    let claims = token.split('.').nth(1).unwrap();
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    format!("JTI={}", claims["jti"].as_str().unwrap())
}

fn by_kind(entries: &[&Entry]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for entry in entries {
        *kinds
            .entry(format!("{} {}", entry.verb, entry.resource))
            .or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    kinds.join(", ")
}
