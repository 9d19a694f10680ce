//! What a plain YAML scalar means. kubectl and the API server read YAML 1.1 through one library: `yes` is true there,
//! `010` is eight, `1_000` a thousand, and a time is text. A manifest has to mean the same here, so the rules of that
//! library are written down; a scalar that stands in quotes is text.

use serde_json::{Number, Value};

/// Beyond this a float has no integer of its own any more that 64 bits could hold.
const INTEGER_LIMIT: f64 = 9_223_372_036_854_774_784.0;

/// The value of a scalar without quotes or tag; none for a number that JSON does not have.
pub(super) fn resolve(text: &str) -> Option<Value> {
    let value = match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        ".nan" | ".NaN" | ".NAN" => return None,
        _ if is_infinity(text) => return None,
        _ => match text.as_bytes().first() {
            Some(b'+' | b'-' | b'.' | b'0'..=b'9') => {
                return Some(number(text).unwrap_or_else(|| text.into()));
            }
            _ => text.into(),
        },
    };
    Some(value)
}

/// The text of a key: keys of JSON are texts, whatever they look like in YAML.
pub(super) fn key(text: &str) -> Option<String> {
    match resolve(text)? {
        Value::String(text) => Some(text),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(value) => Some(value.to_string()),
        _ => None,
    }
}

fn is_infinity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF")
}

fn number(text: &str) -> Option<Value> {
    if text.starts_with('.') {
        return is_float(text).then(|| float(text))?;
    }
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        return Some(Value::Number(integer));
    }
    is_float(&plain).then(|| float(&plain))?
}

/// Decimal, `0x…`, `0o…`, `0b…`, and octal by a leading zero.
fn integer(plain: &str) -> Option<Number> {
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.strip_prefix('+').unwrap_or(plain)),
    };
    let prefixed = |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix));
    let (base, digits) = if let Some(rest) = prefixed(["0x", "0X"]) {
        (16, rest)
    } else if let Some(rest) = prefixed(["0o", "0O"]) {
        (8, rest)
    } else if let Some(rest) = prefixed(["0b", "0B"]) {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, &digits[1..])
    } else {
        (10, digits)
    };
    // The sign is off already; a second one is no number.
    if !digits.starts_with(|first: char| first.is_digit(base)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative {
        0_i64.checked_sub_unsigned(magnitude).map(Number::from)
    } else {
        Some(Number::from(magnitude))
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)),
        ),
        None => (unsigned, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => digits(whole) && digits(fraction),
        None => !mantissa.is_empty() && digits(mantissa),
    };
    mantissa_fits && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}

/// On its way through JSON a float without a fraction becomes an integer.
fn float(text: &str) -> Option<Value> {
    let value: f64 = text.parse().ok()?;
    if value.fract() == 0.0 && value.abs() <= INTEGER_LIMIT {
        #[allow(
            clippy::cast_possible_truncation,
            reason = "it has no fraction and is in range"
        )]
        return Some((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubectl_reads() {
        for (text, value) in [
            ("", json!(null)),
            ("~", json!(null)),
            ("Null", json!(null)),
            ("nil", json!("nil")),
            ("yes", json!(true)),
            ("On", json!(true)),
            ("n", json!(false)),
            ("tRUE", json!("tRUE")),
            ("0", json!(0)),
            ("-0", json!(0)),
            ("7", json!(7)),
            ("+7", json!(7)),
            ("-7", json!(-7)),
            ("1_000", json!(1000)),
            ("010", json!(8)),
            ("08", json!(8)),
            ("0o10", json!(8)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("0x", json!("0x")),
            ("+-5", json!("+-5")),
            ("9223372036854775807", json!(i64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(u64::MAX)),
            ("18446744073709551616", json!(18_446_744_073_709_551_616.0)),
            ("1.5", json!(1.5)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            ("7.0", json!(7)),
            ("1e3", json!(1000)),
            ("1e", json!("1e")),
            (".", json!(".")),
            ("-", json!("-")),
            ("1.2.3", json!("1.2.3")),
            ("5m", json!("5m")),
            ("2026-01-02T03:04:05Z", json!("2026-01-02T03:04:05Z")),
            ("2026-01-02", json!("2026-01-02")),
            ("12:30", json!("12:30")),
            ("@daily", json!("@daily")),
        ] {
            assert_eq!(resolve(text), Some(value), "{text:?}");
        }
        for none in [".inf", "-.INF", "+.Inf", ".nan"] {
            assert_eq!(resolve(none), None, "{none}");
        }
        assert_eq!(key("yes").as_deref(), Some("true"));
        assert_eq!(key("010").as_deref(), Some("8"));
        assert_eq!(key("~"), None);
    }
}
