//! Start-up and idle memory of the release binary with 200 tasks, on the real API server: `cargo bench --bench startup`.
//! Prints one line per run; the figures belong to the machine they are made on.

#![allow(clippy::unwrap_used, dead_code, unused_imports, missing_docs)]

#[path = "../e2e/harness/mod.rs"]
mod harness;
#[path = "../e2e/lab.rs"]
mod lab;

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use abb_operator::simulator::{Control, Scenario};
use harness::eventually;
use lab::{Lab, task};

/// User name of the requests of the bench and of kubectl.
pub const TEST_USER: &str = "test";

const TASKS: usize = 200;
const RUNS: usize = 5;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(measure());
}

async fn measure() {
    let scenario: Scenario = serde_json::from_value(serde_json::json!({ "generateTasks": TASKS })).unwrap();
    let mut lab = Lab::with("bench", scenario, 300.0).await;
    lab.server_reason("Connected").await;
    let mut manifests = String::new();
    for number in 1..=TASKS {
        let name = format!("task-{number:04}");
        writeln!(manifests, "{}---", task(&name, &name, "")).unwrap();
    }
    lab.namespace.apply(&manifests).await.ok();
    settled(&lab).await;
    for run in 1..=RUNS {
        assert_eq!(lab.operator.terminate().await, Some(0));
        lab.nas.control(Control::ResetRequests).unwrap();
        let begun = Instant::now();
        lab.operator = lab.namespace.operator(&[]);
        while lab.requests("list") == 0 {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{}",
                lab.operator.log()
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let first = begun.elapsed();
        eventually("several quiet polls", async || {
            (lab.requests("list") >= 8).then_some(())
        })
        .await;
        let resident = lab.memory_kib("VmRSS:");
        println!(
            "run {run}: start to first list {:>4} ms, resident {resident} KiB with {TASKS} tasks",
            first.as_millis()
        );
    }
}

async fn settled(lab: &Lab) {
    eventually("all are bound", async || {
        let server = lab.namespace.get("bsrv", "nas").await;
        (server["status"]["tasks"]["bound"] == TASKS).then_some(())
    })
    .await;
}
