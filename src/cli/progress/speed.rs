//! How fast bytes move, from the numbers that the NAS told. It tells them every now and then, so a speed is one over
//! several looks; where there are no two numbers there is none.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// Numbers that count: a speed of long ago is none.
const LOOKS: usize = 6;
/// A number older than this is not the speed of now: a NAS is looked at every ten seconds.
const TOO_OLD: SignedDuration = SignedDuration::from_secs(45);

/// The last numbers, each with the time at which it was seen.
#[derive(Debug, Default)]
pub(super) struct Speed {
    seen: VecDeque<(Timestamp, i64)>,
}

impl Speed {
    /// Takes a number up.
    pub fn note(&mut self, now: Timestamp, bytes: Option<i64>) {
        let Some(bytes) = bytes else {
            return self.seen.clear();
        };
        match self.seen.back() {
            Some((_, last)) if *last == bytes => return,
            // Another run.
            Some((_, last)) if *last > bytes => self.seen.clear(),
            _ => {}
        }
        self.seen.push_back((now, bytes));
        if self.seen.len() > LOOKS {
            self.seen.pop_front();
        }
    }

    /// Bytes per second.
    pub fn per_second(&self, now: Timestamp) -> Option<i64> {
        let ((begin, from), (end, to)) = (self.seen.front()?, self.seen.back()?);
        if now.duration_since(*end) > TOO_OLD {
            return None;
        }
        let millis = i64::try_from(end.duration_since(*begin).as_millis()).ok()?;
        (millis > 0).then(|| to.saturating_sub(*from).saturating_mul(1000) / millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_known_from_the_second_number_on_and_forgotten_when_they_stay_away() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        let mut speed = Speed::default();
        speed.note(at(0), Some(1000));
        assert_eq!(speed.per_second(at(1)), None);
        speed.note(at(500), Some(1000));
        speed.note(at(2000), Some(5000));
        assert_eq!(speed.per_second(at(3000)), Some(2000));
        assert_eq!(speed.per_second(at(60_000)), None);
        // The next run begins anew.
        speed.note(at(61_000), Some(10));
        assert_eq!(speed.per_second(at(61_000)), None);
        speed.note(at(62_000), Some(20));
        assert_eq!(speed.per_second(at(62_000)), Some(10));
        speed.note(at(63_000), None);
        assert_eq!(speed.per_second(at(63_000)), None);
    }
}
