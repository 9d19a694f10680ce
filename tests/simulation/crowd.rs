//! Many tasks that are due at once on one NAS: how many run at a time, in which order, and whether all do.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use abb_operator::{
    clock::Clock,
    simulator::{Nas, Scenario},
};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tokio::time::sleep;

use super::{
    api_server::ApiServer,
    faults::Plan,
    scenarios,
    weak::Protocol,
    world::{PROCESSES, World},
};

/// What was seen.
pub struct Outcome {
    /// Runs queued or active at the NAS at the same time, at most.
    pub most_at_once: usize,
    /// Tasks with exactly one run, which succeeded.
    pub done: usize,
    /// Whether no task was asked for before one that had been due for longer.
    pub in_order: bool,
}

/// So many tasks with a slot of the same morning, an operator that comes back after it, and a limit.
pub fn run(tasks: usize, limit: i32) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(under(tasks, limit))
}

async fn under(tasks: usize, limit: i32) -> Outcome {
    let begin = scenarios::start();
    let clock = Clock::starting_at(begin);
    let scenario = Scenario {
        tasks: Vec::new(),
        generate_tasks: u32::try_from(tasks).unwrap(),
        default_run_seconds: 30.0,
        // The operator's own limit is the narrow place.
        max_concurrent_devices: 1000,
        ..Scenario::default()
    };
    let nas = Nas::new(scenario, 1.0, begin).unwrap();
    let (server, objects) = scenarios::crowd(tasks, limit);
    let api = ApiServer::new(server, objects, begin - SignedDuration::from_secs(1));
    let world = World::new(api, nas, clock, Protocol::Ours, Plan::default(), false);
    let processes: Vec<_> = (0..PROCESSES)
        .map(|process| tokio::spawn(Arc::clone(&world).process(process)))
        .collect();
    for _ in 0..600 {
        sleep(Duration::from_secs(60)).await;
        if finished(&world) == tasks {
            break;
        }
    }
    for process in processes {
        process.abort();
    }
    judge(&world)
}

fn finished(world: &World) -> usize {
    let state = world.lock();
    let nas = state.nas.lock();
    nas.ledger()
        .iter()
        .filter(|effect| effect.kind == "run-ended")
        .count()
}

fn judge(world: &World) -> Outcome {
    let state = world.lock();
    let nas = state.nas.lock();
    let (mut at_once, mut most_at_once) = (0_usize, 0);
    let mut runs: BTreeMap<i64, usize> = BTreeMap::new();
    let mut order = Vec::new();
    for effect in nas.ledger() {
        match effect.kind.as_str() {
            "backup" => {
                at_once += 1;
                most_at_once = most_at_once.max(at_once);
                let task = effect.task_id.unwrap_or_default();
                *runs.entry(task).or_default() += 1;
                order.push(task);
            }
            "run-ended" => at_once -= 1,
            _ => {}
        }
    }
    // Within one pass the calls go side by side: only tasks further apart than the limit have an order.
    let due: BTreeMap<i64, Option<Time>> = state
        .api
        .now()
        .tasks
        .values()
        .map(|task| {
            let slot = task
                .status
                .as_ref()
                .and_then(|status| status.receipts.as_ref()?.schedule.as_ref()?.last_slot.clone());
            (task.spec.task.id.unwrap_or_default(), slot)
        })
        .collect();
    let slots: Vec<&Option<Time>> = order.iter().filter_map(|task| due.get(task)).collect();
    let in_order = slots.iter().enumerate().all(|(place, slot)| {
        slots[(place + 10).min(slots.len())..]
            .iter()
            .all(|later| later.as_ref().map(|t| t.0) >= slot.as_ref().map(|t| t.0))
    });
    Outcome {
        most_at_once,
        done: runs.values().filter(|count| **count == 1).count(),
        in_order,
    }
}
