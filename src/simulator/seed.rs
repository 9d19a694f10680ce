//! The recorded answers with which the simulator starts: one real task, its device and its last result, read
//! out of the API notes beside this file. Rows of other tasks are made from the same row, so that every field
//! of a real answer is there.

use serde_json::{Map, Value};

use super::Error;

const DOCUMENT: &str = include_str!("seed.md");

/// The rows of the recorded task.
#[derive(Debug, Clone)]
pub(super) struct Seed {
    /// Row of `list`, without its devices.
    pub(super) task: Map<String, Value>,
    /// Device of the row of `list`.
    pub(super) device: Map<String, Value>,
    /// Row of `list_with_device`, without device and result.
    pub(super) device_task: Map<String, Value>,
    /// Device of the row of `list_with_device`.
    pub(super) device_info: Map<String, Value>,
    /// The task's last result.
    pub(super) last_result: Map<String, Value>,
}

impl Seed {
    /// Reads the embedded document.
    pub(super) fn read() -> Result<Self, Error> {
        let mut task = first_task("list")?;
        let mut device_task = first_task("list_with_device")?;
        let device = match task.remove("devices") {
            Some(Value::Array(mut devices)) if !devices.is_empty() => object(devices.remove(0), "devices")?,
            _ => return Err(Error::ReadSeed { part: "devices" }),
        };
        let device_info = object(
            device_task.remove("device_info").unwrap_or_default(),
            "device_info",
        )?;
        let last_result = object(
            device_task.remove("last_result").unwrap_or_default(),
            "last_result",
        )?;
        Ok(Self {
            task,
            device,
            device_task,
            device_info,
            last_result,
        })
    }
}

/// The first task in the recorded answer of a method.
fn first_task(method: &'static str) -> Result<Map<String, Value>, Error> {
    let failed = || Error::ReadSeed { part: method };
    let heading = format!("#### Method: `{method}`\n");
    let section = DOCUMENT.split_once(&heading).ok_or_else(failed)?.1;
    let section = section.split("#### Method:").next().unwrap_or(section);
    let body = section
        .split_once("```json")
        .ok_or_else(failed)?
        .1
        .split("```")
        .next()
        .unwrap_or_default();
    let mut answer: Value = serde_json::from_str(body).map_err(|_| failed())?;
    let tasks = answer.pointer_mut("/data/tasks").map(Value::take);
    match tasks {
        Some(Value::Array(mut tasks)) if !tasks.is_empty() => object(tasks.remove(0), method),
        _ => Err(failed()),
    }
}

fn object(value: Value, part: &'static str) -> Result<Map<String, Value>, Error> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Error::ReadSeed { part }),
    }
}
