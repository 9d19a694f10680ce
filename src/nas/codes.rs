//! One-time codes: which steps of which seed are spent. DSM takes the code of a step once, and answers 404 to the next
//! login with it, which would count as a refused login.
//!
//! A process shares one record among all its clients. What an earlier process spent is not known: at its start, and where
//! another process led before, the steps up to then count as spent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The seconds that a one-time code is good for.
const STEP: i64 = 30;

/// The record of spent codes. Clones share it.
#[derive(Clone, Default)]
pub struct OneTimeCodes {
    spent: Arc<Mutex<Spent>>,
}

#[derive(Default)]
struct Spent {
    /// Steps up to this one may have been spent by someone else.
    elsewhere: Option<i64>,
    /// The last step that was spent here, by the digest of the seed.
    here: BTreeMap<[u8; 32], i64>,
    /// The reign that began last.
    reign: Option<u64>,
}

impl fmt::Debug for OneTimeCodes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OneTimeCodes([redacted])")
    }
}

impl OneTimeCodes {
    /// A record in which the codes of `now` and before count as spent.
    #[must_use]
    pub fn starting_at(now: Timestamp) -> Self {
        let codes = Self::default();
        codes.with(|spent| spent.elsewhere = Some(step(now)));
        codes
    }

    /// Another process may have led until `now`. A reign begins once, however many servers it has.
    pub fn begin_reign(&self, reign: u64, now: Timestamp) {
        self.with(|spent| {
            if spent.reign != Some(reign) {
                spent.reign = Some(reign);
                spent.elsewhere = Some(step(now));
            }
        });
    }

    /// Spends the code of `now`, or says how many seconds to wait for the next one. A clock that was set back a little waits,
    /// too.
    pub(super) fn spend(&self, seed: &SecretString, now: Timestamp) -> Result<(), u64> {
        let spelling: String = seed
            .expose_secret()
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|letter| letter.to_ascii_uppercase())
            .collect();
        let seed: [u8; 32] = Sha256::digest(spelling).into();
        let (present, second) = (step(now), now.as_second());
        self.with(|spent| {
            let last = spent.here.get(&seed).copied().max(spent.elsewhere);
            // A step in the future means that the clock was set back: waiting for it would not be bounded.
            if let Some(last) = last.filter(|last| (0..=1).contains(&(last - present))) {
                let wait = (last + 1) * STEP - second;
                return Err(u64::try_from(wait).unwrap_or_default().max(1));
            }
            spent.here.insert(seed, present);
            Ok(())
        })
    }

    fn with<T>(&self, what: impl FnOnce(&mut Spent) -> T) -> T {
        // Nothing panics while it holds this lock; were it to, the record would still be whole.
        what(&mut self.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn step(now: Timestamp) -> i64 {
    now.as_second().div_euclid(STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_code_is_spent_once_by_everybody() {
        let (one, other) = (SecretString::from("one"), SecretString::from("other"));
        let codes = OneTimeCodes::default();
        assert_eq!(codes.spend(&one, at(60)), Ok(()));
        assert_eq!(codes.clone().spend(&one, at(75)), Err(15));
        assert_eq!(codes.spend(&one, at(89)), Err(1));
        assert_eq!(codes.spend(&other, at(75)), Ok(()), "another account has its own");
        assert_eq!(codes.spend(&one, at(90)), Ok(()));
        assert_eq!(codes.spend(&one, at(89)), Err(31), "a clock set back by a second");
        assert_eq!(
            codes.spend(&one, at(30)),
            Ok(()),
            "one set back by more is not waited for"
        );
        let (spaced, plain) = (SecretString::from("AB cd"), SecretString::from("abcd=="));
        assert_eq!(codes.spend(&spaced, at(60)), Ok(()));
        assert_eq!(codes.spend(&plain, at(60)), Err(30), "one seed in two spellings");
    }

    #[test]
    fn what_another_process_spent_is_not_known() {
        let seed = SecretString::from("seed");
        let codes = OneTimeCodes::starting_at(at(70));
        assert_eq!(codes.spend(&seed, at(70)), Err(20));
        assert_eq!(codes.spend(&seed, at(90)), Ok(()));
        codes.begin_reign(2, at(125));
        assert_eq!(codes.spend(&seed, at(130)), Err(20));
        codes.begin_reign(2, at(155));
        assert_eq!(codes.spend(&seed, at(155)), Ok(()), "a reign begins once");
    }
}
