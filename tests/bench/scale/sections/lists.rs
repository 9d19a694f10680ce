//! How often the inventory of a NAS is read: once a poll, however many tasks, and once for what becomes due together.

use std::time::Duration;

use abb_operator::simulator::RequestRecord;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::{
    arm::ARMS,
    ground::{Ground, Plan, server_name},
    harness::eventually_within,
    nas::arrived,
    objects::{WRITERS, for_each, request},
    report::{Figure, Limit, Report},
    settings::Settings,
    stats::number,
};

const POLLS: usize = 5;
const BATCHES: usize = 3;
const BATCH: usize = 50;
/// Long enough to write the tokens of one batch before it is due.
const AHEAD: SignedDuration = SignedDuration::from_secs(4);

pub async fn measure(settings: &Settings, report: &mut Report) {
    for (tasks, every) in [(1, 2), (100, 2), (settings.tasks, 5)] {
        let idle = if every == 2 { "2s" } else { "5s" };
        let plan = Plan::new(1, tasks, 0.1).polling(idle, "10s");
        let ground = Ground::settled("lists", &plan, settings).await;
        let mut running = ARMS[0].start(settings, &ground);
        running.wait_ready().await;
        ground.wait_quiet().await;
        polls(&ground, report, tasks, every).await;
        batches(&ground, report, tasks).await;
        running.stop().await;
        ground.clear().await;
    }
}

async fn polls(ground: &Ground, report: &mut Report, tasks: usize, every: u64) {
    let nas = ground.nas();
    nas.forget_requests().await;
    let window = Duration::from_secs(every) * u32::try_from(POLLS + 1).unwrap();
    tokio::time::sleep(window).await;
    let requests = nas.requests().await;
    let polls = polls_of(&requests, i64::try_from(every).unwrap() * 1_000_000 / 2);
    assert!(polls.len() >= POLLS, "{} polls in {window:?}", polls.len());
    let lists = polls
        .iter()
        .map(|poll| number(poll.iter().filter(|request| request.method == "list").count()));
    let others: Vec<&str> = requests
        .iter()
        .map(|request| request.method.as_str())
        .filter(|method| *method != "list")
        .collect();
    report.add(
        Figure::new(
            "lists",
            &format!("lists per poll, {tasks} tasks"),
            "count",
            lists.collect(),
        )
        .limit(Limit::Exactly(1.0))
        .note(format!(
            "{} polls in {window:?}, other requests: {others:?}",
            polls.len()
        )),
    );
}

/// Requests that follow each other closely are one poll.
fn polls_of(requests: &[RequestRecord], gap: i64) -> Vec<Vec<&RequestRecord>> {
    let mut polls: Vec<Vec<&RequestRecord>> = Vec::new();
    for request in requests {
        let follows = polls
            .last()
            .and_then(|poll| poll.last())
            .is_some_and(|last| arrived(request) - arrived(last) < gap);
        match polls.last_mut() {
            Some(poll) if follows => poll.push(request),
            _ => polls.push(vec![request]),
        }
    }
    polls
}

async fn batches(ground: &Ground, report: &mut Report, tasks: usize) {
    // No poll in between: what is read is read for the batch.
    let polling = json!({ "spec": { "polling": { "idle": "10m", "active": "10m" } } });
    ground
        .objects
        .patch("backupservers", &server_name(0), "", &polling)
        .await;
    ground.wait_quiet().await;
    let nas = ground.nas();
    let size = BATCH.min(tasks);
    let mut lists = Vec::new();
    for _ in 0..BATCHES {
        nas.forget_requests().await;
        let due = Timestamp::now() + AHEAD;
        let token = Timestamp::from_second(due.as_second()).unwrap();
        let names: Vec<&String> = ground.names().take(size).collect();
        for_each(&names, WRITERS, |name| {
            let token = token.to_string();
            async move {
                ground
                    .objects
                    .patch("backuptasks", name, "", &request(&token))
                    .await;
            }
        })
        .await;
        assert!(Timestamp::now() < token, "the tokens were written too late");
        eventually_within("the batch is called", Duration::from_mins(1), async || {
            (nas.count("backup").await >= size).then_some(())
        })
        .await;
        let requests = nas.requests().await;
        let last = requests
            .iter()
            .rposition(|request| request.method == "backup")
            .unwrap();
        let before = requests[..last].iter().filter(|request| request.method == "list");
        lists.push(number(before.count()));
        // The runs are over and written down before the next batch: by an edit, as no poll is near.
        settle(ground, &names).await;
    }
    report.add(
        Figure::new(
            "lists",
            &format!("lists per batch of {size} due together, {tasks} tasks"),
            "count",
            lists,
        )
        .limit(Limit::Exactly(1.0)),
    );
}

async fn settle(ground: &Ground, names: &[&String]) {
    let polling = |active: &str| json!({ "spec": { "polling": { "active": active } } });
    let server = server_name(0);
    ground
        .objects
        .patch("backupservers", &server, "", &polling("1s"))
        .await;
    let witness = crate::witness::Witness::start(&ground.objects, false);
    witness
        .until("the batch is over", Duration::from_mins(1), |statuses| {
            let over = |name: &&String| statuses.get(*name).is_some_and(crate::witness::settled);
            names.iter().all(over)
        })
        .await;
    ground
        .objects
        .patch("backupservers", &server, "", &polling("10m"))
        .await;
    ground.wait_quiet().await;
}
