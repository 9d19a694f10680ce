//! Many servers of which three tenths hang, answer garbage or refuse the login, beside as many healthy ones: what a
//! change on one of the others waits for.

use std::time::Duration;

use serde_json::json;

use crate::{
    arm,
    audit::Audit,
    burst::{self, Change},
    ground::{Ground, Plan},
    objects::WRITERS,
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::percentile,
    witness::Witness,
};

/// Between two changes: "idle" for one server, though not for the process.
const PACE: Duration = Duration::from_millis(150);
/// Rounds over the healthy servers in each turn.
const ROUNDS: usize = 3;

pub async fn measure(settings: &Settings, report: &mut Report) {
    let plan = Plan::new(settings.troubled_servers, 2, 0.1).polling("10s", "1s");
    // The first has trouble, the second has none.
    let grounds = [
        Ground::settled("troubles", &plan, settings).await,
        Ground::settled("troubles", &plan, settings).await,
    ];
    let tenth = settings.troubled_servers / 10;
    trouble(&grounds[0], tenth).await;
    let mut audits = grounds
        .each_ref()
        .map(|ground| Audit::of(ground.namespace.cluster()));
    audits.iter_mut().for_each(Audit::skip);
    let mut samples: [Vec<Vec<f64>>; 2] = Default::default();
    for pair in 0..settings.pairs {
        for side in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            let turn = turn(settings, &grounds[side], tenth, &mut audits[side], pair).await;
            samples[side].push(turn);
        }
    }
    let figure = |name: &str, part: f64, limit: f64| {
        let [ill, well] = samples.each_ref().map(|turns| {
            turns
                .iter()
                .map(|turn| percentile(turn, part))
                .collect::<Vec<f64>>()
        });
        Figure::new(
            "troubles",
            &format!("healthy servers beside ill ones, {name}"),
            "ms",
            ill,
        )
        .beside("all healthy", well)
        .limit(Limit::RatioAtMost(limit))
    };
    report.add(figure("p50", 0.5, 1.1).note(format!("{tenth} hang, {tenth} garbage, {tenth} no login")));
    report.add(figure("p99", 0.99, 1.25));
    for ground in grounds {
        ground.clear().await;
    }
}

/// Pulls the levers, behind the back of whoever has a session.
async fn trouble(ground: &Ground, tenth: usize) {
    for (index, nas) in ground.hosts.nas.iter().take(3 * tenth).enumerate() {
        match index / tenth {
            0 => nas.fault(json!({ "times": 0, "kind": "Hang" })).await,
            1 => nas.fault(json!({ "times": 0, "kind": "Html" })).await,
            _ => nas.refuse_logins().await,
        }
    }
}

async fn turn(
    settings: &Settings,
    ground: &Ground,
    tenth: usize,
    audit: &mut Audit,
    pair: usize,
) -> Vec<f64> {
    let mut operator = arm::operator(settings, ground, &[]);
    operator.wait_ready().await;
    let witness = Witness::start(&ground.objects, false);
    let healthy: Vec<String> = ground.tasks[3 * tenth..]
        .iter()
        .map(|tasks| tasks[0].clone())
        .collect();
    // What is ill has shown it by then, and connections are open.
    burst::burst(ground, &witness, &healthy, &format!("warm-{pair}"), WRITERS).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut spans = Vec::new();
    for round in 0..ROUNDS {
        let token = format!("paced-{pair}-{round}");
        spans.push(burst::paced(ground, &witness, &healthy, &token, PACE).await);
    }
    operator.stop().await;
    let changes = burst::changes(ground, audit).await;
    let within = changes
        .iter()
        .filter(|change| spans.iter().any(|span| span.contains(change)));
    within.map(Change::latency).collect()
}
