//! Serves a recording: a login as ever, and then the recorded answers in their order. Nothing that a client sends has an
//! effect here, also no call that would change a NAS.
//!
//! A call gets the answers that were recorded for the same API, method and fields; where there are none, those of the
//! same API, method and task; where there are none either, those of the method. The last of them stays. What was never
//! asked answers 103, or 102 where the recorded catalogue has no such API.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use super::call::{Answer, ApiCall, Delivery, Failure, Reply, envelope};
use super::core::Nas;
use super::scenario::Scenario;
use super::{Error, core};
use crate::record::{Exchange, Trace, redact::BodyKind};

/// How exactly a call has to match, from the most exact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Fields(String, String, BTreeMap<String, String>),
    Task(String, String, String),
    Method(String, String),
}

/// The recorded answers, and how many of each were given.
#[derive(Debug)]
pub(super) struct Replay {
    exchanges: Vec<Exchange>,
    apis: BTreeSet<String>,
    places: BTreeMap<Key, Vec<usize>>,
    given: BTreeMap<Key, usize>,
}

impl Replay {
    fn new(exchanges: Vec<Exchange>) -> Self {
        let mut apis = BTreeSet::new();
        let mut places: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for (place, exchange) in exchanges.iter().enumerate() {
            apis.insert(exchange.api.clone());
            if exchange.api == "SYNO.API.Info" {
                let catalogue = exchange
                    .body
                    .as_ref()
                    .and_then(|body| body.get("data")?.as_object());
                apis.extend(
                    catalogue
                        .into_iter()
                        .flat_map(|catalogue| catalogue.keys().cloned()),
                );
            }
            for key in keys(&exchange.api, &exchange.method, &exchange.fields) {
                places.entry(key).or_default().push(place);
            }
        }
        Self {
            exchanges,
            apis,
            places,
            given: BTreeMap::new(),
        }
    }

    fn next(&mut self, call: &ApiCall) -> Result<&Exchange, Failure> {
        if !self.apis.contains(&call.api) {
            return Err(Failure::code(102));
        }
        let key = keys(&call.api, &call.method, &call.fields)
            .into_iter()
            .find(|key| self.places.contains_key(key))
            .ok_or(Failure::code(103))?;
        let places = &self.places[&key];
        let given = self.given.entry(key).or_default();
        let place = places[(*given).min(places.len() - 1)];
        *given += 1;
        Ok(&self.exchanges[place])
    }
}

fn keys(api: &str, method: &str, fields: &BTreeMap<String, String>) -> Vec<Key> {
    let normal: BTreeMap<String, String> = fields
        .iter()
        .map(|(name, text)| (name.clone(), normal(text)))
        .collect();
    let (api, method) = (api.to_owned(), method.to_owned());
    let mut keys = Vec::new();
    let task = task_of(&normal);
    keys.push(Key::Fields(api.clone(), method.clone(), normal));
    keys.extend(task.map(|task| Key::Task(api.clone(), method.clone(), task)));
    keys.push(Key::Method(api, method));
    keys
}

/// One spelling for `5`, `"5"` and `{"a": 1}` with or without spaces.
fn normal(text: &str) -> String {
    match serde_json::from_str(text) {
        Ok(Value::String(inner)) => inner,
        Ok(value) => value.to_string(),
        Err(_) => text.to_owned(),
    }
}

fn task_of(fields: &BTreeMap<String, String>) -> Option<String> {
    let filter: Option<Value> = fields
        .get("filter")
        .and_then(|text| serde_json::from_str(text).ok());
    let filtered = filter.and_then(|filter| filter.get("task_id").map(Value::to_string));
    fields.get("task_id").cloned().or(filtered)
}

impl Nas {
    /// A NAS that answers what another one was recorded to answer, at its pace and with its clock's offset. The scenario
    /// tells who may log in.
    pub fn replaying(
        scenario: Scenario,
        trace: Trace,
        time_scale: f64,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let offset = trace.exchanges.iter().find_map(|exchange| exchange.date_offset);
        let scenario = Scenario {
            tasks: Vec::new(),
            generate_tasks: 0,
            clock_offset_seconds: offset.unwrap_or_default(),
            ..scenario
        };
        let mut nas = Self::new(scenario, time_scale, now)?;
        nas.replay = Some(Replay::new(trace.exchanges));
        Ok(nas)
    }

    /// The recorded answer to a call and its outcome; `None` without a recording, and for logins.
    pub(super) fn replayed(&mut self, call: &ApiCall) -> Option<(Reply, String)> {
        if self.replay.is_none() || matches!(call.api.as_str(), "SYNO.API.Auth" | "SYNO.API.Encryption") {
            return None;
        }
        let refusal = if call.api == "SYNO.API.Info" {
            None
        } else {
            self.authorise(call).err()
        };
        let recorded = self.replay.as_mut()?;
        let found = refusal.map_or_else(|| recorded.next(call), Err).map(|exchange| {
            (
                delivery(exchange),
                i64::try_from(exchange.milliseconds).unwrap_or(core::LONGEST),
            )
        });
        match found {
            Ok((delivery, milliseconds)) => {
                let outcome = recorded_outcome(&delivery);
                let mut reply = Reply::of(delivery);
                #[allow(clippy::cast_precision_loss, reason = "milliseconds of a call are few")]
                let hold = self.scaled(milliseconds as f64 / 1000.0);
                reply.hold_milliseconds = u64::try_from(hold).unwrap_or_default();
                Some((reply, outcome))
            }
            Err(failure) => {
                let answer: Answer = Err(failure);
                Some((Reply::json(envelope(&answer)), core::outcome(&answer)))
            }
        }
    }
}

fn delivery(exchange: &Exchange) -> Delivery {
    let no_json = exchange.no_json.map(|no_json| no_json.kind);
    match (exchange.status, &exchange.body, no_json) {
        (None, _, _) => Delivery::Lost,
        (Some(200), Some(body), _) => Delivery::Json(body.clone()),
        (Some(200), None, Some(BodyKind::Empty) | None) => Delivery::Empty,
        (Some(200), None, Some(BodyKind::Html | BodyKind::Text | BodyKind::Binary)) => Delivery::Html,
        (Some(status), _, _) => Delivery::Status(status),
    }
}

fn recorded_outcome(delivery: &Delivery) -> String {
    let code = match delivery {
        Delivery::Json(body) => body.pointer("/error/code").map(Value::to_string),
        _ => Some("no answer".to_owned()),
    };
    code.unwrap_or_else(|| "ok".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const LIST: &str = "SYNO.ActiveBackup.Task";

    fn exchange(api: &str, method: &str, fields: &[(&str, &str)], body: Option<Value>) -> Exchange {
        Exchange {
            at: 0,
            api: api.to_owned(),
            version: 1,
            method: method.to_owned(),
            fields: fields
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            status: body.is_some().then_some(200),
            date_offset: Some(-7),
            content_type: None,
            body,
            no_json: None,
            milliseconds: 40,
        }
    }

    fn nas(exchanges: Vec<Exchange>) -> (Nas, ApiCall, Timestamp) {
        let header = serde_json::from_value(json!({"trace": "abb-operator/v1", "recorded": ""})).unwrap();
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let scenario = Scenario::seed();
        let login = ApiCall::new("SYNO.API.Auth", "login")
            .at_version(6)
            .with("account", &scenario.username)
            .with("passwd", &scenario.password);
        let mut nas = Nas::replaying(scenario, Trace { header, exchanges }, 1.0, now).unwrap();
        let reply = nas.handle(&login, now);
        let sid = reply.body().unwrap()["data"]["sid"].as_str().unwrap().to_owned();
        (nas, ApiCall::new(LIST, "list").in_session(&sid, None), now)
    }

    fn said(nas: &mut Nas, call: &ApiCall, now: Timestamp) -> Value {
        nas.handle(call, now).body().cloned().unwrap_or_default()
    }

    #[test]
    fn the_nth_call_gets_the_nth_answer_and_the_last_stays() {
        let (mut nas, list, now) = nas(vec![
            exchange(LIST, "list", &[("load_result", "true")], Some(json!(1))),
            exchange(LIST, "list", &[("filter", "{\"task_id\": 5}")], Some(json!(5))),
            exchange(LIST, "list", &[("load_result", "true")], Some(json!(2))),
        ]);
        let flagged = list.clone().with("load_result", "\"true\"");
        let five = list.clone().with("filter", "{\"task_id\":5}").with("limit", "1");
        let answers: Vec<Value> = [&flagged, &five, &flagged, &flagged, &list, &list, &list, &list]
            .into_iter()
            .map(|call| said(&mut nas, call, now))
            .collect();
        let expected: Vec<Value> = [1, 5, 2, 2, 1, 5, 2, 2].map(Value::from).into();
        assert_eq!(answers, expected);
        assert_eq!(nas.handle(&flagged, now).hold_milliseconds, 40);
        assert_eq!(
            nas.told_time().unwrap(),
            Timestamp::from_second(1_799_999_993).unwrap()
        );
    }

    #[test]
    fn what_was_not_recorded_and_what_would_change_something() {
        let catalogue = json!({"success": true, "data": {"SYNO.ActiveBackup.Log": {"path": "entry.cgi"}}});
        let (mut nas, list, now) = nas(vec![
            exchange("SYNO.API.Info", "query", &[], Some(catalogue.clone())),
            exchange(LIST, "list", &[], None),
        ]);
        let call = |api: &str, method: &str| ApiCall {
            api: api.to_owned(),
            method: method.to_owned(),
            ..list.clone()
        };
        let code = |code: i64| json!({"success": false, "error": {"code": code}});
        let effects = nas.ledger().len();
        for (call, answer) in [
            (call(LIST, "backup").with("task_ids", "[1]"), code(103)),
            (call(LIST, "remove").with("task_ids", "[1]"), code(103)),
            (call("SYNO.ActiveBackup.Log", "list_result"), code(103)),
            (call("SYNO.ActiveBackup.Version", "list"), code(102)),
            (ApiCall::new(LIST, "list"), code(119)),
            (
                ApiCall::new("SYNO.API.Info", "query").with("query", "all"),
                catalogue,
            ),
        ] {
            assert_eq!(said(&mut nas, &call, now), answer, "{} {}", call.api, call.method);
        }
        assert_eq!(nas.handle(&list, now).delivery, Delivery::Lost);
        assert_eq!(nas.ledger().len(), effects);
    }
}
