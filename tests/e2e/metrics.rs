//! Real scrapes of real processes: what is described is served, by the leader all of it, by a standby what it knows.

use std::collections::BTreeSet;

use abb_operator::telemetry::CATALOGUE;

use crate::{
    harness::{Operator, eventually},
    lab::Lab,
};

/// Nothing is due once the run is over.
const NOT_NOW: &str = "abb_task_due_since_timestamp_seconds";

fn names(scrape: &str) -> BTreeSet<String> {
    let heads = scrape.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    heads
        .filter_map(|head| Some(head.split_once(' ')?.0.to_owned()))
        .collect()
}

/// The series of tasks with their values.
async fn of_tasks(operator: &Operator) -> BTreeSet<String> {
    let scrape = operator.metrics().await;
    let series = scrape.lines().filter(|line| line.starts_with("abb_task_"));
    series.map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_described_is_served_for_as_long_as_the_object_is_there() {
    let lab = Lab::new("metrics").await;
    lab.server_reason("Connected").await;
    lab.task("triggers: {request: a, maxAge: 24h}").await;
    lab.until("it has run", |status| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    let described: BTreeSet<String> = CATALOGUE.iter().map(|metric| metric.name.to_owned()).collect();
    let expected: BTreeSet<String> = described
        .iter()
        .filter(|name| *name != NOT_NOW)
        .cloned()
        .collect();
    // The watch may be a moment behind what kubectl shows.
    eventually("the leader serves what is described", async || {
        let served = names(&lab.operator.metrics().await);
        if served == expected {
            Ok(())
        } else {
            let differ: Vec<&String> = served.symmetric_difference(&expected).collect();
            Err(format!("{differ:?}"))
        }
    })
    .await;

    let mut standby = lab.namespace.operator(&[]);
    standby.wait_ready().await;
    eventually("the standby says of the task what the leader says", async || {
        let (ours, theirs) = (of_tasks(&lab.operator).await, of_tasks(&standby).await);
        if ours == theirs && !ours.is_empty() {
            Ok(())
        } else {
            let differ: Vec<&String> = ours.symmetric_difference(&theirs).collect();
            Err(format!("{differ:?}"))
        }
    })
    .await;
    let served = names(&standby.metrics().await);
    for name in ["abb_server_mode", "abb_server_ready_reason", "abb_server_tasks"] {
        assert!(served.contains(name), "{name}");
    }
    for metric in CATALOGUE
        .iter()
        .filter(|metric| metric.absent.contains("does not lead"))
    {
        assert!(!served.contains(metric.name), "{}: it reads no NAS", metric.name);
    }

    lab.namespace.kubectl(&["delete", "bt", "laptop"]).await.ok();
    lab.namespace.kubectl(&["delete", "bsrv", "nas"]).await.ok();
    for operator in [&lab.operator, &standby] {
        eventually("nothing is left of the objects", async || {
            let scrape = operator.metrics().await;
            let left: Vec<&str> = scrape
                .lines()
                .filter(|line| line.contains("server=\"nas\""))
                .collect();
            if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            }
        })
        .await;
    }
}
