//! Two replicas, of which the one that works is stopped or killed: how long a change made in that moment waits for its
//! call at the NAS, and whether any call came twice.

use std::time::Duration;

use crate::{
    arm::{self, Running},
    audit::Audit,
    burst,
    ground::{Ground, Plan},
    harness::eventually_within,
    objects::request,
    report::{Figure, Limit, Report},
    settings::Settings,
    sockets,
    stats::milliseconds,
    witness::Witness,
};

/// The Lease of this section.
const LEASE: &str = "6s";
const LEASE_SECONDS: f64 = 6.0;
const TASKS: usize = 20;

pub async fn measure(settings: &Settings, report: &mut Report) {
    let mut modes: Vec<(&str, &[&str])> = vec![("", &[])];
    if arm::knows(settings, "--single-leader") {
        modes.push((", one leader", &["--single-leader"]));
    }
    for (label, flags) in modes {
        let mut arguments = vec!["--lease-duration", LEASE];
        arguments.extend(flags);
        let plan = Plan::new(1, TASKS, 0.1).polling("1s", "1s");
        let ground = Ground::settled("failover", &plan, settings).await;
        let mut audit = Audit::of(ground.namespace.cluster());
        audit.skip();
        let start = || arm::operator(settings, &ground, &arguments);
        let mut replicas = [start(), start()];
        for (signal, name, limit) in [("TERM", "stop", 1.0), ("KILL", "kill", LEASE_SECONDS + 1.0)] {
            let mut waits = Vec::new();
            for round in 0..settings.failovers {
                let active = ready(&ground, &mut replicas).await;
                let token = format!("{name}-{round}");
                waits.push(fail(&ground, &mut replicas[active], signal, &token, &mut audit).await);
                replicas[active] = start();
            }
            report.add(
                Figure::new("failover", &format!("{name} to next call{label}"), "s", waits)
                    .limit(Limit::NeverAbove(limit))
                    .note("no call twice"),
            );
        }
        drop(replicas);
        ground.clear().await;
    }
}

/// Waits until both are ready and one of them reads the NAS; gives its place.
async fn ready(ground: &Ground, replicas: &mut [Running; 2]) -> usize {
    for replica in &mut *replicas {
        replica.wait_ready().await;
    }
    // Long enough for a newcomer to have seen the Leases as they are.
    tokio::time::sleep(Duration::from_secs_f64(LEASE_SECONDS)).await;
    let port = sockets::port_of(&ground.nas().url);
    eventually_within("one replica reads the NAS", Duration::from_mins(1), async || {
        let talks = replicas.each_ref().map(|replica| {
            let connections = sockets::connections(replica.pid);
            connections.iter().any(|(_, remote)| *remote == port)
        });
        match talks {
            [true, false] => Ok(0),
            [false, true] => Ok(1),
            both => Err(both),
        }
    })
    .await
}

/// Seconds from the signal to the call for a change made right after it.
async fn fail(ground: &Ground, active: &mut Running, signal: &str, token: &str, audit: &mut Audit) -> f64 {
    let names: Vec<String> = ground.names().cloned().collect();
    let name = &names[usize::from(token.as_bytes()[token.len() - 1]) % names.len()];
    let witness = Witness::start(&ground.objects, false);
    let signalled = burst::now();
    active.signal(signal);
    ground
        .objects
        .patch("backuptasks", name, "", &request(token))
        .await;
    burst::wait(&witness, std::slice::from_ref(name), token).await;
    active.ended().await;
    // As many calls as changes, for every task: checked here.
    let changes = burst::changes(ground, audit).await;
    let call = changes.iter().filter(|change| change.task == *name);
    let arrived = call.map(|change| change.arrived).max().unwrap();
    milliseconds(arrived - signalled) / 1000.0
}
