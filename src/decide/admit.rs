//! Who may start now: one queue per server, oldest first, never more in flight than `limits.maxConcurrentRuns`.

use jiff::Timestamp;
use kube::ResourceExt;

use super::Decision;
use crate::{
    api::{BackupTask, IntentAction, Origin},
    observe::Admission,
};

/// A task that wants to start a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its place among the tasks of the pass.
    pub index: usize,
    /// Since when its oldest trigger is due.
    pub due: Option<Timestamp>,
    /// When the object was created, to break ties.
    pub created: Option<Timestamp>,
    /// Its UID, so that the order is the same in every process.
    pub uid: String,
}

/// Splits candidates into those that may go and those that wait, the latter with their position from 1.
/// `limit` 0 is no limit.
#[must_use]
pub fn admit(
    mut candidates: Vec<Candidate>,
    in_flight: usize,
    limit: usize,
) -> (Vec<usize>, Vec<(usize, usize)>) {
    candidates.sort_by(|a, b| (a.due, a.created, &a.uid).cmp(&(b.due, b.created, &b.uid)));
    let free = if limit == 0 {
        usize::MAX
    } else {
        limit.saturating_sub(in_flight)
    };
    let waiting = candidates.split_off(free.min(candidates.len()));
    (
        candidates.into_iter().map(|candidate| candidate.index).collect(),
        waiting
            .into_iter()
            .enumerate()
            .map(|(place, candidate)| (candidate.index, place + 1))
            .collect(),
    )
}

/// Which of a server's tasks must wait for their turn, each with its admission. `decisions` are those of `tasks`, as
/// if all could start at once.
#[must_use]
pub fn queue(tasks: &[BackupTask], decisions: &[&Decision], limit: usize) -> Vec<(usize, Admission)> {
    let decided = || tasks.iter().zip(decisions);
    let in_flight = decided()
        .filter(|(task, decision)| is_in_flight(task, decision))
        .count();
    let candidates = decided()
        .enumerate()
        .filter(|(_, (_, decision))| decision.wants_start)
        .map(|(index, (task, decision))| Candidate {
            index,
            due: decision.due,
            created: task.creation_timestamp().map(|time| time.0),
            uid: task.uid().unwrap_or_else(|| task.name_any()),
        })
        .collect();
    let (_, waiting) = admit(candidates, in_flight, limit);
    waiting
        .into_iter()
        .map(|(index, position)| (index, Admission::Queued { position, limit }))
        .collect()
}

/// Whether the task has a run of ours, or may have one.
fn is_in_flight(task: &BackupTask, decision: &Decision) -> bool {
    let intent = task.status.as_ref().and_then(|status| status.intent.as_ref());
    let run = task.status.as_ref().and_then(|status| status.run.as_ref());
    let is_asked_for = intent.is_some_and(|intent| intent.action == IntentAction::Backup);
    let is_ours = run.is_some_and(|run| run.origin != Origin::External);
    // A run that its object does not know of yet may be a former leader's, and the object older than its write.
    let is_news = run.is_none() && decision.status.run.is_some();
    // An intent that wants to start certainly has no run: it stands in the queue itself.
    !decision.wants_start && (is_asked_for || is_ours || is_news)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(count: usize) -> Vec<Candidate> {
        let of = |index: usize| Candidate {
            index,
            due: Timestamp::from_second(100 - i64::try_from(index).unwrap()).ok(),
            created: None,
            uid: index.to_string(),
        };
        (0..count).map(of).collect()
    }

    #[test]
    fn the_oldest_go_first_up_to_the_limit() {
        assert_eq!(admit(candidates(4), 1, 3), (vec![3, 2], vec![(1, 1), (0, 2)]));
        assert_eq!(admit(candidates(2), 9, 0), (vec![1, 0], vec![]));
        assert_eq!(admit(candidates(1), 5, 5), (vec![], vec![(0, 1)]));
    }

    #[test]
    fn the_order_is_the_same_in_every_process() {
        let of = |index, due: Option<i64>, uid: &str| Candidate {
            index,
            due: due.and_then(|second| Timestamp::from_second(second).ok()),
            created: None,
            uid: uid.to_owned(),
        };
        let mixed = [
            of(0, Some(5), "b"),
            of(1, Some(5), "a"),
            of(2, None, "z"),
            of(3, Some(1), "c"),
        ];
        let mut backwards = mixed.clone();
        backwards.reverse();
        for candidates in [mixed, backwards] {
            assert_eq!(admit(candidates.into(), 0, 2), (vec![2, 3], vec![(1, 1), (0, 2)]));
        }
        assert_eq!(
            admit(Vec::new(), 3, 2),
            (vec![], vec![]),
            "more in flight than the limit, as after an edit"
        );
    }
}
