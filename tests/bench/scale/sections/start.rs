//! From the start of the process to the first call at the NAS, with many settled tasks of which one is due.

use crate::{
    arm::{ARMS, Arm},
    audit::Audit,
    burst,
    ground::{Ground, Plan},
    objects::request,
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::milliseconds,
    witness::Witness,
};

pub async fn measure(settings: &Settings, report: &mut Report) {
    let plan = Plan::new(1, settings.start_tasks, 0.1);
    let grounds = [
        Ground::settled("start", &plan, settings).await,
        Ground::settled("start", &plan, settings).await,
    ];
    let mut audits = grounds
        .each_ref()
        .map(|ground| Audit::of(ground.namespace.cluster()));
    audits.iter_mut().for_each(Audit::skip);
    let mut times: [Vec<f64>; 2] = Default::default();
    // A start is short: more of them than pairs elsewhere.
    for round in 0..settings.pairs * 2 {
        for arm in if round % 2 == 0 { [0, 1] } else { [1, 0] } {
            times[arm].push(start(settings, ARMS[arm], &grounds[arm], &mut audits[arm], round).await);
        }
    }
    let [operator, floor] = times;
    report.add(
        Figure::new(
            "start",
            &format!("start to first call, {} tasks", settings.start_tasks),
            "ms",
            operator,
        )
        .floor(floor)
        .limit(Limit::RatioAtMost(1.2)),
    );
    for ground in grounds {
        ground.clear().await;
    }
}

async fn start(settings: &Settings, arm: Arm, ground: &Ground, audit: &mut Audit, round: usize) -> f64 {
    let token = format!("start-{round}");
    let names: Vec<String> = ground.names().cloned().collect();
    let name = &names[round * 37 % names.len()];
    ground
        .objects
        .patch("backuptasks", name, "", &request(&token))
        .await;
    let witness = Witness::start(&ground.objects, false);
    witness
        .until("the bench sees the objects", burst::ANSWERED_WITHIN, |statuses| {
            statuses.len() == names.len()
        })
        .await;
    let running = arm.start(settings, ground);
    burst::wait(&witness, std::slice::from_ref(name), &token).await;
    let spawned = running.spawned;
    ground.wait_quiet().await;
    running.stop().await;
    let changes = burst::changes(ground, audit).await;
    let last = changes.iter().map(|change| change.arrived).max().unwrap();
    milliseconds(last - spawned)
}
