//! Slots of a schedule: cron expression and time zone to points in time. Calendar and zones are a library's, with
//! the zones of the build, so that every replica counts the same slots whatever its image holds. What the schema
//! cannot judge (31 February, a zone that does not exist, a reversed range) is an error with a remedy here.

use std::sync::LazyLock;

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{
    SignedDuration, Timestamp,
    tz::{TimeZone, TimeZoneDatabase},
};
use sha2::{Digest, Sha256};

use crate::api::BackupTask;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An expression in its zone.
pub(super) struct Calendar {
    cron: Cron,
    zone: TimeZone,
    jitter: SignedDuration,
}

/// What is wrong with a task's schedule that only calendar and zones can tell; what to mend stands in it.
#[must_use]
pub fn schedule_fault(task: &BackupTask, now: Timestamp) -> Option<String> {
    let triggers = &task.spec.triggers;
    let expression = &triggers.schedule.as_ref()?.0;
    match Calendar::new(expression, &triggers.time_zone, SignedDuration::ZERO) {
        Err(message) => Some(message),
        Ok(calendar) => calendar.next_after(now).is_none().then(|| never(expression)),
    }
}

/// What is said of an expression without a slot.
pub(super) fn never(expression: &str) -> String {
    format!("triggers.schedule {expression:?} never comes: no such day exists in any year to come")
}

impl Calendar {
    /// Reads an expression; the error says what to mend.
    pub(super) fn new(expression: &str, zone: &str, jitter: SignedDuration) -> Result<Self, String> {
        // The library has every macro of the contract but this one.
        let text = if expression == "@midnight" {
            "@daily"
        } else {
            expression
        };
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| {
            format!("triggers.schedule {expression:?} cannot be used: {error}; ranges run upwards, as in 1-5")
        })?;
        let zone = ZONES.get(zone).map_err(|_| {
            format!("triggers.timeZone {zone:?} does not exist; use an IANA name such as Europe/Berlin")
        })?;
        Ok(Self { cron, zone, jitter })
    }

    /// The first slot after a time; `None` where there never is one.
    pub(super) fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        let from = time.to_zoned(self.zone.clone());
        let slot = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(slot.timestamp())
    }

    /// The newest slot at a time or before it.
    pub(super) fn last_until(&self, time: Timestamp) -> Option<Timestamp> {
        let from = time.to_zoned(self.zone.clone());
        let slot = self.cron.find_previous_occurrence(&from, true).ok()?;
        Some(slot.timestamp())
    }

    /// When a slot is due: delayed by bits of their own for every object and slot, and always before the next slot,
    /// so that slots never overtake each other.
    pub(super) fn due(&self, uid: &str, slot: Timestamp) -> Timestamp {
        if self.jitter < SignedDuration::from_secs(1) {
            return slot;
        }
        let gap = self
            .next_after(slot)
            .map_or(self.jitter, |next| next.duration_since(slot));
        let longest = self.jitter.min(gap - SignedDuration::from_secs(1)).as_secs();
        let mut digest = Sha256::new();
        digest.update(uid.as_bytes());
        digest.update(slot.as_second().to_be_bytes());
        let bits: [u8; 32] = digest.finalize().into();
        let draw = bits[..8]
            .iter()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        let seconds = draw % (longest.max(0).cast_unsigned() + 1);
        slot.saturating_add(SignedDuration::from_secs(seconds.cast_signed()))
            .unwrap_or(slot)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn slots(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let calendar = Calendar::new(expression, zone, SignedDuration::ZERO).unwrap();
        let next = |time: &Timestamp| calendar.next_after(*time);
        std::iter::successors(next(&at(from)), next)
            .take(count)
            .map(|slot| slot.to_string())
            .collect()
    }

    #[test]
    fn the_calendar_of_a_schedule() {
        let rows: &[(&str, &str, &str, &str, &[&str])] = &[
            (
                "clocks go forward: the slot that does not exist comes right after the gap",
                "30 2 * * *",
                "Europe/Berlin",
                "2026-03-28T02:00:00Z",
                &["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
            ),
            (
                "clocks go back: the slot that exists twice counts once",
                "30 2 * * *",
                "Europe/Berlin",
                "2026-10-24T02:00:00Z",
                &["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
            ),
            (
                "clocks go back: every half hour goes on",
                "*/30 * * * *",
                "Europe/Berlin",
                "2026-10-25T00:00:00Z",
                &[
                    "2026-10-25T00:30:00Z",
                    "2026-10-25T01:00:00Z",
                    "2026-10-25T01:30:00Z",
                ],
            ),
            (
                "a leap day",
                "0 0 29 2 *",
                "Etc/UTC",
                "2026-03-01T00:00:00Z",
                &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
            ),
            (
                "months without a 31st have no slot",
                "0 0 31 * *",
                "Etc/UTC",
                "2026-03-31T00:00:00Z",
                &["2026-05-31T00:00:00Z", "2026-07-31T00:00:00Z"],
            ),
            (
                "the two day fields are alternatives",
                "0 0 13 * 5",
                "Etc/UTC",
                "2026-04-04T00:00:00Z",
                &["2026-04-10T00:00:00Z", "2026-04-13T00:00:00Z"],
            ),
            (
                "7 is Sunday as 0 is",
                "0 0 * * 7",
                "Etc/UTC",
                "2026-04-04T12:00:00Z",
                &["2026-04-05T00:00:00Z"],
            ),
            (
                "names in any case",
                "0 0 1 JAN,jul *",
                "Etc/UTC",
                "2026-04-04T12:00:00Z",
                &["2026-07-01T00:00:00Z", "2027-01-01T00:00:00Z"],
            ),
            (
                "midnight is the zone's",
                "@midnight",
                "Asia/Kolkata",
                "2026-04-04T12:00:00Z",
                &["2026-04-04T18:30:00Z"],
            ),
            (
                "weekly is Sunday",
                "@weekly",
                "Etc/UTC",
                "2026-04-04T12:00:00Z",
                &["2026-04-05T00:00:00Z"],
            ),
            (
                "annually is the first of January",
                "@annually",
                "Etc/UTC",
                "2026-04-04T12:00:00Z",
                &["2027-01-01T00:00:00Z"],
            ),
        ];
        for (name, expression, zone, from, expected) in rows {
            assert_eq!(slots(expression, zone, from, expected.len()), *expected, "{name}");
        }
    }

    #[test]
    fn what_only_a_calendar_can_refuse() {
        let refused = |expression, zone| Calendar::new(expression, zone, SignedDuration::ZERO).err();
        assert!(
            refused("50-10 0 * * *", "Etc/UTC")
                .unwrap()
                .contains("ranges run upwards")
        );
        assert!(
            refused("0 0 * * *", "Mars/Olympus")
                .unwrap()
                .contains("IANA name")
        );
        let never = Calendar::new("0 0 31 2 *", "Etc/UTC", SignedDuration::ZERO).unwrap();
        assert_eq!(never.next_after(at("2026-04-04T12:00:00Z")), None);
    }

    #[test]
    fn looking_back_finds_the_slots_that_looking_forward_finds() {
        for zone in [
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "Asia/Kolkata",
            "Etc/UTC",
        ] {
            for expression in [
                "30 2 * * *",
                "*/30 * * * *",
                "0 3 * * 0",
                "15 1-3 * * *",
                "@hourly",
                "0 0 1 * *",
            ] {
                let calendar = Calendar::new(expression, zone, SignedDuration::ZERO).unwrap();
                for (from, until) in [
                    ("2026-03-07T00:00:00Z", "2026-03-09T12:00:00Z"),
                    ("2026-03-28T00:00:00Z", "2026-03-30T12:00:00Z"),
                    ("2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"),
                    ("2026-10-03T00:00:00Z", "2026-10-05T00:00:00Z"),
                    ("2026-10-24T00:00:00Z", "2026-10-26T12:00:00Z"),
                    ("2026-10-31T00:00:00Z", "2026-11-02T12:00:00Z"),
                ] {
                    let (mut slot, until) = (calendar.next_after(at(from)).unwrap(), at(until));
                    while slot < until {
                        let name = format!("{expression} {zone} {slot}");
                        assert_eq!(calendar.last_until(slot), Some(slot), "at: {name}");
                        let next = calendar.next_after(slot).unwrap();
                        assert!(next > slot, "not forward: {name}");
                        let before = next - SignedDuration::from_secs(1);
                        assert_eq!(calendar.last_until(before), Some(slot), "before the next: {name}");
                        slot = next;
                    }
                }
            }
        }
    }

    #[test]
    fn jitter_spreads_objects_and_slots_over_all_minutes() {
        let hour = SignedDuration::from_hours(1);
        let calendar = Calendar::new("0 2 * * *", "Etc/UTC", hour).unwrap();
        let mut minutes = [0_u32; 60];
        let mut slot = at("2026-01-01T02:00:00Z");
        for _ in 0..60 {
            for object in 0..100 {
                let delay = calendar.due(&format!("uid-{object}"), slot).duration_since(slot);
                assert!(delay >= SignedDuration::ZERO && delay <= hour);
                minutes[usize::try_from(delay.as_mins().min(59)).unwrap()] += 1;
            }
            slot = calendar.next_after(slot).unwrap();
        }
        // 6,000 draws over 60 minutes: 100 each, with a standard deviation of 10.
        let chi: f64 = minutes
            .iter()
            .map(|count| (f64::from(*count) - 100.0).powi(2) / 100.0)
            .sum();
        assert!(
            chi < 98.0,
            "not even (chi-squared {chi}, 59 degrees of freedom): {minutes:?}"
        );
        let of = |object| calendar.due(object, slot).duration_since(slot);
        assert_eq!(of("uid-1"), of("uid-1"), "the same in every process");
        assert_ne!(of("uid-1"), of("uid-2"));
    }

    #[test]
    fn jitter_never_reaches_the_next_slot() {
        let calendar = Calendar::new("* * * * *", "Etc/UTC", SignedDuration::from_hours(9)).unwrap();
        let mut slot = at("2026-01-01T02:00:00Z");
        for _ in 0..200 {
            let next = calendar.next_after(slot).unwrap();
            assert!(calendar.due("uid", slot) < next);
            slot = next;
        }
    }
}
