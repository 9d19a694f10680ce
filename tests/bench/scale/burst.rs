//! Changes that ask for a run, and how long each took to reach the NAS: from the API server's own time of the answer to
//! the change to the time at which the NAS had the whole call, in microseconds of one machine's clock.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::{
    audit::Audit,
    ground::{Ground, nas_task, server_name},
    harness::TEST_USER,
    nas,
    objects::{for_each, request},
    witness::{Witness, answered},
};

/// A run may have to wait for a poll, and a burst for its turn.
pub const ANSWERED_WITHIN: Duration = Duration::from_mins(3);

/// One change and the call it led to.
#[derive(Clone, Debug)]
pub struct Change {
    pub task: String,
    pub accepted: i64,
    pub arrived: i64,
}

impl Change {
    /// Milliseconds between the two.
    pub fn latency(&self) -> f64 {
        crate::stats::milliseconds(self.arrived - self.accepted)
    }
}

/// A span of time in which changes were made.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    from: i64,
    to: i64,
}

impl Span {
    pub fn contains(self, change: &Change) -> bool {
        (self.from..=self.to).contains(&change.accepted)
    }
}

/// Makes the changes, so many at once, and waits until all are answered.
pub async fn burst(
    ground: &Ground,
    witness: &Witness,
    names: &[String],
    token: &str,
    writers: usize,
) -> Span {
    let from = now();
    for_each(names, writers, |name| async move {
        ground
            .objects
            .patch("backuptasks", name, "", &request(token))
            .await;
    })
    .await;
    wait(witness, names, token).await;
    Span { from, to: now() }
}

/// Makes one change after the other, each when the one before it is answered and written down.
pub async fn one_by_one(
    ground: &Ground,
    witness: &Witness,
    names: impl IntoIterator<Item = &String>,
    token: &str,
) -> Span {
    let from = now();
    for (number, name) in names.into_iter().enumerate() {
        let token = format!("{token}-{number}");
        ground
            .objects
            .patch("backuptasks", name, "", &request(&token))
            .await;
        wait(witness, std::slice::from_ref(name), &token).await;
        // The last write has come back to whoever made it.
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    Span { from, to: now() }
}

/// Makes one change every so often, whatever became of the last; waits for all at the end.
pub async fn paced(
    ground: &Ground,
    witness: &Witness,
    names: &[String],
    token: &str,
    pace: Duration,
) -> Span {
    let from = now();
    let begun = Instant::now();
    for (name, number) in names.iter().zip(0_u32..) {
        let due = pace * number;
        tokio::time::sleep(due.saturating_sub(begun.elapsed())).await;
        ground
            .objects
            .patch("backuptasks", name, "", &request(token))
            .await;
    }
    wait(witness, names, token).await;
    Span { from, to: now() }
}

/// Waits until all have answered the token.
pub async fn wait(witness: &Witness, names: &[String], token: &str) {
    let all = |statuses: &crate::witness::Statuses| {
        let is = |name: &String| statuses.get(name).is_some_and(|status| answered(status, token));
        names.iter().all(is)
    };
    let what = format!("{} tasks have answered {token}", names.len());
    witness.until(&what, ANSWERED_WITHIN, all).await;
}

/// All changes of a ground since it was made, and their calls.
///
/// # Panics
/// When a task was called more or less often than it was asked for.
pub async fn changes(ground: &Ground, audit: &mut Audit) -> Vec<Change> {
    let mut accepted: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for entry in audit.read() {
        let is_change = entry.namespace == ground.namespace.name()
            && entry.user == TEST_USER
            && entry.verb == "patch"
            && entry.resource == "backuptasks"
            && entry.code == 200;
        if is_change {
            accepted
                .entry(entry.name.clone())
                .or_default()
                .push(entry.answered);
        }
    }
    let mut changes = Vec::new();
    for (index, nas) in ground.hosts.nas.iter().enumerate() {
        let mut arrived: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for (at, task) in nas::backups(nas).await {
            arrived.entry(task).or_default().push(at);
        }
        for name in &ground.tasks[index] {
            let accepted = accepted.remove(name).unwrap_or_default();
            let arrived = arrived.remove(nas_task(name)).unwrap_or_default();
            assert_eq!(
                accepted.len(),
                arrived.len(),
                "{name} of {}: as many calls as changes",
                server_name(index)
            );
            changes.extend(
                accepted
                    .into_iter()
                    .zip(arrived)
                    .map(|(accepted, arrived)| Change {
                        task: name.clone(),
                        accepted,
                        arrived,
                    }),
            );
        }
        assert!(arrived.is_empty(), "calls for tasks nobody declared: {arrived:?}");
    }
    changes
}

/// Microseconds since 1970.
pub fn now() -> i64 {
    Timestamp::now().as_microsecond()
}
