//! Who may start now: one queue per server, oldest first, never more in flight than `limits.maxConcurrentRuns`.

use jiff::Timestamp;

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
