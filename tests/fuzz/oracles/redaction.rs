//! Whatever is put into an answer as a text or a key does not come out of its redaction; what comes out is JSON of the
//! same shape, and redacting it again changes nothing.

use abb_operator::{nas::visible::is_secret, record::redact::redact};
use serde_json::Value;

const CANARY: &str = "c4n4ry-";

pub fn check(body: &[u8]) {
    let Ok(tree) = serde_json::from_slice::<Value>(body) else {
        // The error tells a length and a kind.
        if let Err(error) = redact(body) {
            assert!(!error.to_string().contains("c4n4ry"));
        }
        return;
    };
    let polluted = pollute(tree, &mut 0);
    let Ok(once) = redact(polluted.to_string().as_bytes()) else {
        panic!("JSON is JSON: {polluted}")
    };
    let text = once.to_string();
    assert!(!text.contains("c4n4ry"), "{polluted}\n{text}");
    assert_eq!(
        redact(text.as_bytes()).as_ref(),
        Ok(&once),
        "redacted again: {polluted}"
    );
    same_shape("", &polluted, &once);
}

fn pollute(value: Value, count: &mut usize) -> Value {
    *count += 1;
    let number = *count;
    match value {
        Value::String(text) => Value::String(match number % 12 {
            0 => format!("{CANARY}{number}"),
            1 => format!("{{\"name\":\"{CANARY}{number}\",\"n\":[1,\"{CANARY}\"],\"{CANARY}key\":0}}"),
            2 => format!("\"{CANARY}{number}\""),
            3 => format!("/volume1/{CANARY}{number}"),
            4 => format!("{CANARY}{number}.corp.example"),
            5 => format!("DSM 7.2 {CANARY}{number}"),
            6 => format!("Windows 11 ({CANARY}{number})"),
            7 => format!("[{{\"password\":\"{CANARY}\"}},\"{CANARY}{number}\"]"),
            8 => format!("{text}{CANARY}"),
            _ => text,
        }),
        Value::Array(values) => values.into_iter().map(|value| pollute(value, count)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let value = pollute(value, count);
                (
                    if (*count).is_multiple_of(5) {
                        format!("{name}{CANARY}{count}")
                    } else {
                        name
                    },
                    value,
                )
            })
            .collect(),
        other => other,
    }
}

fn same_shape(field: &str, was: &Value, is: &Value) {
    if is_secret(field) && !field.starts_with("SYNO.") {
        assert_eq!(is, "REDACTED", "{field}");
        return;
    }
    match (was, is) {
        (Value::Null, Value::Null) | (Value::String(_), Value::String(_)) => {}
        (Value::Bool(was), Value::Bool(is)) => assert_eq!(was, is),
        (Value::Number(was), Value::Number(is)) => {
            let person = ["uid", "gid", "user_id", "group_id", "owner_id"]
                .iter()
                .any(|name| field.ends_with(name));
            assert!(person || was == is, "{field}: {was} {is}");
        }
        (Value::Array(was), Value::Array(is)) => {
            assert_eq!(was.len(), is.len());
            was.iter()
                .zip(is)
                .for_each(|(was, is)| same_shape(field, was, is));
        }
        (Value::Object(was), Value::Object(is)) => {
            assert_eq!(was.len(), is.len(), "{field}");
            for (name, was) in was {
                if let Some(is) = is.get(name) {
                    same_shape(name, was, is);
                }
            }
        }
        (was, is) => panic!("{field}: {was} became {is}"),
    }
}
