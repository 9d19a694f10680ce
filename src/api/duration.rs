//! Durations as users write them: the Gateway API form, a subset of Go's `time.ParseDuration`.

use std::{fmt, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// CEL: a field of this form lasts a second or more. Malformed text passes, the rule of the form speaks of it.
pub(super) const AT_LEAST_A_SECOND: &str =
    "!self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$') || duration(self) >= duration('1s')";

/// A duration such as `5m`, `1h30m` or `90s`; units `h`, `m`, `s`, `ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration {
    text: String,
    value: Duration,
}

/// The text is not one to four pairs of a number (at most five digits) and a unit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the duration {0:?}: write it as in \"5m\" or \"1h30m\" (units h, m, s, ms)")]
pub struct DurationError(String);

impl GoDuration {
    /// The length of time.
    #[must_use]
    pub fn get(&self) -> Duration {
        self.value
    }

    /// A duration of whole seconds.
    #[must_use]
    pub fn from_secs(seconds: u32) -> Self {
        let (text, value) = (format!("{seconds}s"), Duration::from_secs(seconds.into()));
        Self { text, value }
    }
}

impl TryFrom<String> for GoDuration {
    type Error = DurationError;

    fn try_from(text: String) -> Result<Self, DurationError> {
        match parse(&text) {
            Some(value) => Ok(Self { text, value }),
            None => Err(DurationError(text)),
        }
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> Self {
        duration.text
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": 28,
            "pattern": "^([0-9]{1,5}(h|m|s|ms)){1,4}$",
            "x-kubernetes-validations": [{
                "rule": "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')",
                "message": "write a duration such as 90s, 5m or 1h30m (units h, m, s, ms; a day is 24h)"
            }]
        })
    }
}

fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut total = Duration::ZERO;
    for _ in 0..4 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = (1..=5).contains(&digits).then(|| rest[..digits].parse().ok())??;
        rest = &rest[digits..];
        let (unit, milliseconds) = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
            .into_iter()
            .find(|(unit, _)| rest.starts_with(unit))?;
        rest = &rest[unit.len()..];
        total += Duration::from_millis(number * milliseconds);
        if rest.is_empty() {
            return Some(total);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Duration> {
        GoDuration::try_from(text.to_owned()).ok().map(|d| d.get())
    }

    #[test]
    fn reads_the_gateway_api_form_and_nothing_else() {
        assert_eq!(read("5m"), Some(Duration::from_secs(300)));
        assert_eq!(read("1h30m"), Some(Duration::from_secs(5400)));
        assert_eq!(read("1s500ms"), Some(Duration::from_millis(1500)));
        for wrong in [
            "",
            "5",
            "m",
            "1 week",
            "-5m",
            "100000s",
            "1d",
            "1s1s1s1s1s",
            "1.5h",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
