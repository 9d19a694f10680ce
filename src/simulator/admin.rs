//! The admin interface: levers as HTTP paths with JSON in and out. It translates and nothing else. It listens
//! on a port of its own, in plain text, and is meant for the machine it runs on.

use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::control::{Control, PackageState};
use super::ledger::Origin;
use super::{Error, TaskSpec};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Switch {
    on: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    password: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    #[serde(default = "person")]
    origin: Origin,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Finish {
    #[serde(default = "success")]
    status: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewOffset {
    offset_seconds: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSerial {
    serial: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPackageState {
    state: PackageState,
}

fn person() -> Origin {
    Origin::Person
}

fn success() -> i64 {
    super::results::status::SUCCESS
}

/// The lever that a request names; `None` when there is none at this path.
pub(super) fn route(method: &Method, path: &str, query: &str, body: &[u8]) -> Result<Option<Control>, Error> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let control = match (method.as_str(), parts.as_slice()) {
        ("GET", ["ledger"]) => Control::Ledger,
        ("GET", ["requests"]) => Control::Requests,
        ("GET", ["requests", "count"]) => {
            let field = |wanted: &str| {
                let mut fields = form_urlencoded::parse(query.as_bytes());
                fields
                    .find(|(name, _)| name == wanted)
                    .map(|(_, value)| value.into_owned())
            };
            Control::CountRequests {
                api: field("api"),
                method: field("method"),
            }
        }
        ("GET", ["state"]) => Control::State,
        ("POST", ["faults"]) => Control::AddFault(read(body)?),
        ("DELETE", ["faults"]) => Control::ClearFaults,
        ("POST", ["power"]) => Control::Power {
            on: read::<Switch>(body)?.on,
        },
        ("POST", ["sessions", "expire"]) => Control::ExpireSessions,
        ("POST", ["password"]) => Control::Password {
            password: read::<NewPassword>(body)?.password,
        },
        ("POST", ["tasks"]) => Control::AddTask(Box::new(read::<TaskSpec>(body)?)),
        ("POST", ["behaviour"]) => Control::Behaviour(read::<Value>(body)?),
        ("POST", ["settings"]) => Control::Settings(read::<Value>(body)?),
        ("POST", ["clock"]) => Control::Clock {
            offset_seconds: read::<NewOffset>(body)?.offset_seconds,
        },
        ("POST", ["serial"]) => Control::Serial {
            serial: read::<NewSerial>(body)?.serial,
        },
        ("POST", ["block"]) => Control::Block {
            on: read::<Switch>(body)?.on,
        },
        ("POST", ["package"]) => Control::Package {
            state: read::<NewPackageState>(body)?.state,
        },
        ("POST", ["reboot"]) => Control::Reboot,
        ("POST", ["reset-requests"]) => Control::ResetRequests,
        (verb, ["tasks", id, rest @ ..]) => {
            let Ok(id) = id.parse::<i64>() else {
                return Ok(None);
            };
            match (verb, rest) {
                ("POST", []) => Control::ChangeTask {
                    id,
                    change: Box::new(read(body)?),
                },
                ("DELETE", []) => Control::VanishTask { id },
                ("POST", ["start"]) => Control::StartTask {
                    id,
                    origin: read::<Start>(body)?.origin,
                },
                ("POST", ["finish"]) => Control::FinishTask {
                    id,
                    status: read::<Finish>(body)?.status,
                },
                ("POST", ["result"]) => Control::AddResult {
                    id,
                    result: read(body)?,
                },
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(control))
}

/// Reads a body; an empty one is an empty object.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|source| Error::ReadControl { source })
}
