//! What is resident: idle with nothing, with many settled tasks, with ten entries of history in each, and at the moment
//! when everything is listed again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    arm::{self, ARMS, Arm, Memory, Running},
    gone::Gone,
    ground::{Ground, Plan, server_name},
    objects::{WRITERS, for_each},
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::{median, number},
};

/// How often the NAS is read.
const POLL: &str = "10s";
const POLL_SECONDS: f64 = 10.0;
/// Looks at a process, one a second: as long as three polls.
const LOOKS: usize = 30;
const ENTRIES: usize = 10;

/// A process that has settled.
#[derive(Clone, Copy, Debug)]
struct Steady {
    memory: Memory,
    /// The most that was resident until it had settled, and while the NAS was polled afterwards, KiB.
    start_peak: f64,
    poll_peak: f64,
    /// Milliseconds of processor for one poll of the NAS.
    poll_cost: f64,
}

pub async fn measure(settings: &Settings, report: &mut Report) {
    let most = settings.tasks;
    let mut empty: [Vec<Steady>; 2] = Default::default();
    let plan = |tasks| Plan::new(1, tasks, 0.1).polling(POLL, POLL);
    let ground = Ground::settled("memory", &plan(0), settings).await;
    for (place, arm) in ARMS.into_iter().enumerate() {
        for _ in 0..settings.pairs {
            empty[place].push(steady(arm, settings, &ground).await);
        }
    }
    ground.clear().await;
    for figure in figures("0 tasks", &empty) {
        report.add(figure);
    }
    report.add(
        Figure::new("memory", "resident, idle, 0 tasks", "MiB", mib(&empty[0]))
            .floor(mib(&empty[1]))
            .limit(Limit::AtMost(10.0)),
    );
    let resident = |all: &[Steady]| median(&all.iter().map(|it| it.memory.resident).collect::<Vec<_>>());
    report.point("operator, resident MiB", 0.0, resident(&empty[0]) / 1024.0);
    report.point("floor, resident MiB", 0.0, resident(&empty[1]) / 1024.0);
    for tasks in [most / 10, most] {
        let ground = Ground::settled("memory", &plan(tasks), settings).await;
        let mut full: [Vec<Steady>; 2] = Default::default();
        for (place, arm) in ARMS.into_iter().enumerate() {
            // A large one takes its time and varies little.
            for _ in 0..settings.pairs.min(3) {
                full[place].push(steady(arm, settings, &ground).await);
            }
        }
        let label = format!("{tasks} tasks");
        for figure in figures(&label, &full) {
            report.add(figure);
        }
        let per_task = |place: usize| {
            let base = resident(&empty[place]);
            let growth = full[place]
                .iter()
                .map(|it| (it.memory.resident - base) / number(tasks));
            growth.collect::<Vec<f64>>()
        };
        let mut figure =
            Figure::new("memory", &format!("per task, {label}"), "KiB", per_task(0)).floor(per_task(1));
        if tasks == most {
            figure = figure.limit(Limit::AtMost(1.0));
        }
        report.add(figure);
        report.point(
            "operator, resident MiB",
            number(tasks),
            resident(&full[0]) / 1024.0,
        );
        report.point("floor, resident MiB", number(tasks), resident(&full[1]) / 1024.0);
        if tasks == most {
            relist(settings, &ground, report).await;
            history(settings, &ground, report, resident(&full[0])).await;
        }
        ground.clear().await;
    }
}

fn mib(all: &[Steady]) -> Vec<f64> {
    all.iter().map(|it| it.memory.resident / 1024.0).collect()
}

fn figures(label: &str, all: &[Vec<Steady>; 2]) -> Vec<Figure> {
    let of = |name: &str, what: fn(&Steady) -> f64| {
        let [operator, floor] = all
            .each_ref()
            .map(|all| all.iter().map(|it| what(it) / 1024.0).collect());
        Figure::new("memory", &format!("{name}, {label}"), "MiB", operator).floor(floor)
    };
    let poll = all[0].iter().map(|it| it.poll_cost).collect();
    vec![
        of("resident", |it| it.memory.resident),
        of("of it anonymous", |it| it.memory.anonymous),
        of("of it files", |it| it.memory.file),
        of("peak at the start", |it| it.start_peak),
        of("peak while the NAS is polled", |it| it.poll_peak),
        Figure::new(
            "memory",
            &format!("CPU of a poll of the NAS, {label}"),
            "ms",
            poll,
        ),
    ]
}

/// A fresh process, when it has settled.
async fn steady(arm: Arm, settings: &Settings, ground: &Ground) -> Steady {
    let mut running = arm.start(settings, ground);
    running.wait_ready().await;
    ground.wait_quiet().await;
    let start_peak = running.memory().peak;
    running.reset_peak();
    let before = running.cpu();
    let memory = watch(&running).await;
    let steady = Steady {
        memory,
        start_peak,
        poll_peak: memory.peak,
        poll_cost: (running.cpu() - before) / number(LOOKS) * POLL_SECONDS,
    };
    running.stop().await;
    steady
}

/// The median of some looks; the peak as it is at the end.
async fn watch(running: &Running) -> Memory {
    let mut looks = Vec::new();
    for _ in 0..LOOKS {
        tokio::time::sleep(Duration::from_secs(1)).await;
        looks.push(running.memory());
    }
    let of = |what: fn(&Memory) -> f64| median(&looks.iter().map(what).collect::<Vec<_>>());
    Memory {
        resident: of(|memory| memory.resident),
        anonymous: of(|memory| memory.anonymous),
        file: of(|memory| memory.file),
        peak: running.memory().peak,
    }
}

/// Everything listed again, by a proxy that says "410 Gone".
async fn relist(settings: &Settings, ground: &Ground, report: &mut Report) {
    // No poll of the NAS in between: its peak is another figure.
    let polling = |every: &str| json!({ "spec": { "polling": { "idle": every } } });
    let server = server_name(0);
    ground
        .objects
        .patch("backupservers", &server, "", &polling("1h"))
        .await;
    let gone = Gone::start(ground.namespace.cluster().url()).await;
    let mut running = arm::operator_as(settings, ground, &[], &gone.kubeconfig(ground));
    running.wait_ready().await;
    ground.wait_quiet().await;
    let (mut peaks, mut steadies) = (Vec::new(), Vec::new());
    for _ in 0..settings.pairs {
        let steady = watch(&running).await;
        running.reset_peak();
        gone.relist().await;
        ground.wait_quiet().await;
        peaks.push(running.memory().peak / 1024.0);
        steadies.push(steady.resident / 1024.0);
    }
    report.add(
        Figure::new("memory", "peak while all is listed again", "MiB", peaks)
            .beside("steady", steadies)
            .limit(Limit::RatioAtMost(1.3)),
    );
    running.stop().await;
    ground
        .objects
        .patch("backupservers", &server, "", &polling(POLL))
        .await;
}

/// Ten entries of history in each status, written while nobody looks.
async fn history(settings: &Settings, ground: &Ground, report: &mut Report, without: f64) {
    let status = history_of(ENTRIES);
    for_each(ground.names(), WRITERS, |name| {
        let status = &status;
        async move {
            ground.objects.patch("backuptasks", name, "/status", status).await;
        }
    })
    .await;
    let steady = steady(Arm::Operator, settings, ground).await;
    let added = (steady.memory.resident - without) / number(settings.tasks);
    report.add(Figure::new(
        "memory",
        "ten entries of history add, per task",
        "KiB",
        vec![added],
    ));
}

fn history_of(entries: usize) -> Value {
    let entry = |number: usize| {
        json!({
            "resultId": 100 + number,
            "status": "Success",
            "statusCode": 2,
            "action": "Backup",
            "actionCode": 1,
            "activityUuid": format!("d6b5c8a0-0000-4000-8000-{number:012}"),
            "backupType": "PC",
            "backupTypeCode": 2,
            "startTime": format!("2026-01-{:02}T01:00:00Z", 28 - number),
            "endTime": format!("2026-01-{:02}T01:08:42Z", 28 - number),
            "transferredBytes": 4_754_168_380_i64,
            "origin": "Request",
            "outcome": "Succeeded",
            "triggers": [{ "kind": "Request", "token": format!("token-{number}") }],
        })
    };
    let history: Vec<Value> = (0..entries).map(entry).collect();
    json!({ "status": { "history": history } })
}
