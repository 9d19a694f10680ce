//! How many actions a second come to their end, beside what the API server can write at all. The tokens stand in the
//! specs before the process starts: a change that asks for a run is a write too, and would count against whom it
//! feeds.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::{
    arm::{ARMS, Arm},
    audit::Audit,
    burst,
    ground::{Ground, Plan},
    objects::{WRITERS, for_each, request},
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::number,
    witness::Witness,
};

const RUN_SECONDS: f64 = 0.05;

pub async fn measure(settings: &Settings, report: &mut Report) {
    let each = settings.sustained.div_ceil(settings.sustained_servers);
    let plan = Plan::new(settings.sustained_servers, each, RUN_SECONDS);
    let grounds = [
        Ground::settled("sustained", &plan, settings).await,
        Ground::settled("sustained", &plan, settings).await,
    ];
    let mut audits = grounds
        .each_ref()
        .map(|ground| Audit::of(ground.namespace.cluster()));
    audits.iter_mut().for_each(Audit::skip);
    let (mut rates, mut costs): ([Vec<f64>; 2], [Vec<f64>; 2]) = Default::default();
    let (mut many, mut one) = (Vec::new(), Vec::new());
    for pair in 0..settings.pairs {
        many.push(ceiling(&grounds[0], WRITERS, settings.ceiling).await);
        one.push(ceiling(&grounds[0], 1, settings.ceiling).await);
        for arm in if pair % 2 == 0 { [0, 1] } else { [1, 0] } {
            let (rate, cost) = drain(settings, ARMS[arm], &grounds[arm], &mut audits[arm], pair).await;
            rates[arm].push(rate);
            costs[arm].push(cost);
        }
    }
    let half: Vec<f64> = many.iter().map(|rate| rate / 2.0).collect();
    let figure = |name: &str, unit: &str, values| Figure::new("sustained", name, unit, values);
    report.add(figure("ceiling: status writes, 64 writers", "1/s", many));
    report.add(figure("ceiling: status writes, one writer", "1/s", one));
    let [operator, floor] = rates;
    report.add(
        figure("completed actions", "1/s", operator.clone())
            .beside("half the ceiling", half)
            .limit(Limit::RatioAtLeast(0.8))
            .note(format!("{} actions each", settings.sustained)),
    );
    report.add(figure("completed actions beside the floor", "1/s", operator).floor(floor));
    let [operator, floor] = costs;
    report.add(figure("CPU per action, start included", "ms", operator).floor(floor));
    for ground in grounds {
        ground.clear().await;
    }
}

/// Status writes a second of so many writers, each with an object of its own, of the size that the operator writes.
async fn ceiling(ground: &Ground, writers: usize, length: Duration) -> f64 {
    let names: Vec<String> = ground.names().take(writers).cloned().collect();
    let written = Mutex::new(0_usize);
    let begun = Instant::now();
    for_each(&names, writers, |name| async {
        let mut status: Value = ground.objects.get("backuptasks", name).await["status"].take();
        let mut count = 0;
        while begun.elapsed() < length {
            count += 1;
            // A value that changes each time: a write that changes nothing is not written.
            status["nextAttemptTime"] =
                json!(format!("2099-01-01T00:{:02}:{:02}Z", count / 60 % 60, count % 60));
            let patch = json!({ "status": status });
            ground.objects.patch("backuptasks", name, "/status", &patch).await;
        }
        *written.lock().await += count;
        let patch = json!({ "status": { "nextAttemptTime": null } });
        ground.objects.patch("backuptasks", name, "/status", &patch).await;
    })
    .await;
    number(*written.lock().await) / begun.elapsed().as_secs_f64()
}

/// Actions a second from the first call to the last outcome written, and milliseconds of processor for each.
async fn drain(settings: &Settings, arm: Arm, ground: &Ground, audit: &mut Audit, pair: usize) -> (f64, f64) {
    let token = format!("sustained-{pair}");
    let names: Vec<String> = ground.names().cloned().collect();
    for_each(&names, WRITERS, |name| {
        let token = &token;
        async move {
            ground
                .objects
                .patch("backuptasks", name, "", &request(token))
                .await;
        }
    })
    .await;
    let begun = burst::now();
    let witness = Witness::start(&ground.objects, false);
    let running = arm.start(settings, ground);
    burst::wait(&witness, &names, &token).await;
    let cpu = running.cpu();
    running.stop().await;
    // Every change has one call: checked here.
    let changes = burst::changes(ground, audit).await;
    let calls = changes.iter().map(|change| change.arrived);
    let first = calls.filter(|arrived| *arrived > begun).min().unwrap();
    let writes = audit.entries.iter().filter(|entry| {
        entry.is_operator_of(ground.namespace.name()) && entry.resource == "backuptasks/status"
    });
    let last = writes.map(|entry| entry.answered).max().unwrap();
    let seconds = crate::stats::milliseconds(last - first) / 1000.0;
    (number(names.len()) / seconds, cpu / number(names.len()))
}
