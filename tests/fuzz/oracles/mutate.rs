//! Changes a JSON document step by step as a script of bytes says: the same script, the same change.

use serde_json::{Map, Value};

const NUMBERS: [i64; 12] = [0, 1, -1, 2, 3, 4, 5, 99, 10, 1_800_000_000, i64::MAX, i64::MIN];

const TEXTS: [&str; 14] = [
    "",
    "0",
    "1",
    "-1",
    "5.0",
    "x",
    "true",
    "null",
    "{}",
    "[]",
    "Backup",
    "2026-01-02T03:04:05Z",
    "{\"task_id\":\"7\"}",
    "i0",
];

/// Applies as many steps as there are groups of four bytes.
pub fn mutate(document: &mut Value, script: &[u8]) {
    for step in script.chunks_exact(4) {
        let place = usize::from(step[0]) << 8 | usize::from(step[1]);
        let count = nodes(document);
        let mut left = place % count;
        change(document, &mut left, step[2], usize::from(step[3]));
    }
}

fn nodes(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(nodes).sum(),
        Value::Object(fields) => fields.values().map(nodes).sum::<usize>(),
        _ => 0,
    }
}

/// Changes the node number `left` in the order of the document; true when it is done.
fn change(value: &mut Value, left: &mut usize, kind: u8, argument: usize) -> bool {
    if *left == 0 {
        replace(value, kind, argument);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(values) => {
            for place in 0..values.len() {
                if *left == 0 && kind.is_multiple_of(16) {
                    values.remove(place);
                    return true;
                }
                if *left == 0 && kind % 16 == 1 {
                    let copy = values[place].clone();
                    values.push(copy);
                    return true;
                }
                if change(&mut values[place], left, kind, argument) {
                    return true;
                }
            }
            false
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            for name in names {
                if *left == 0 && kind.is_multiple_of(16) {
                    fields.remove(&name);
                    return true;
                }
                if *left == 0 && kind % 16 == 2 {
                    let moved = fields.remove(&name).unwrap_or_default();
                    fields.insert(format!("{name}_{argument}"), moved);
                    return true;
                }
                if fields
                    .get_mut(&name)
                    .is_some_and(|inner| change(inner, left, kind, argument))
                {
                    return true;
                }
            }
            false
        }
        _ => false,
    }
}

fn replace(value: &mut Value, kind: u8, argument: usize) {
    *value = match kind % 16 {
        3 => Value::Null,
        4 => Value::Bool(argument.is_multiple_of(2)),
        5 | 6 => Value::from(NUMBERS[argument % NUMBERS.len()]),
        7 | 8 => Value::from(TEXTS[argument % TEXTS.len()]),
        9 => Value::Array(Vec::new()),
        10 => Value::Object(Map::new()),
        11 => Value::String(value.to_string()),
        12 => Value::Array(vec![value.take()]),
        13 => Value::from(argument as f64 / 4.0),
        14 => match value.take() {
            Value::Number(number) => number.as_i64().map_or(Value::Null, |number| {
                Value::from(number.wrapping_add(argument as i64 - 128))
            }),
            Value::String(text) => Value::String(text.chars().skip(1).collect()),
            other => other,
        },
        15 => match value.take() {
            Value::Number(number) => Value::String(number.to_string()),
            Value::String(text) => text.parse::<i64>().map_or(Value::String(text), Value::from),
            other => other,
        },
        _ => value.take(),
    };
}
