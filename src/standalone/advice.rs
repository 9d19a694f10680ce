//! What somebody should look at before a change is merged: nothing here is wrong, each line has cost somebody a backup, a
//! password or a night elsewhere.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use serde::Serialize;

use crate::{
    api::{BackupServer, BackupTask, RemovalWhen, TaskSelector},
    manifest::{Manifests, Place},
};

/// One hint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Advice {
    /// Where.
    pub place: Place,
    /// Kind and name.
    pub object: String,
    /// What, and what to do.
    pub message: String,
}

/// A removal that is permitted for longer is left in Git by mistake.
const LONG_REMOVAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Everything that is to be said of what these manifests change; of what was there before it has been said.
#[must_use]
pub fn advise(
    manifests: &Manifests,
    changes_server: impl Fn(&BackupServer) -> bool,
    changes_task: impl Fn(&BackupTask) -> bool,
    now: Timestamp,
) -> Vec<Advice> {
    let mut advice = Vec::new();
    for server in manifests
        .servers
        .iter()
        .filter(|server| changes_server(&server.object))
    {
        let object = server.label().to_owned();
        for (field, message) in of_server(&server.object) {
            advice.push(Advice {
                place: server.at(field),
                object: object.clone(),
                message,
            });
        }
    }
    for secret in &manifests.secrets {
        advice.push(Advice {
            place: secret.place.clone(),
            object: secret.label().to_owned(),
            message: "a Secret beside manifests ends in Git, where everybody reads it for good: seal it, or keep it elsewhere"
                .to_owned(),
        });
    }
    let mut meant: BTreeMap<(String, String, String), String> = BTreeMap::new();
    for task in &manifests.tasks {
        let is_changed = changes_task(&task.object);
        let object = task.label().to_owned();
        for (field, message) in of_task(&task.object, now).into_iter().filter(|_| is_changed) {
            advice.push(Advice {
                place: task.at(field),
                object: object.clone(),
                message,
            });
        }
        let key = (
            task.object.namespace().unwrap_or_default(),
            task.object.spec.server_ref.name.clone(),
            selector(&task.object.spec.task),
        );
        if let Some(other) = meant.insert(key, task.object.name_any()) {
            advice.push(Advice {
                place: task.at("spec.task"),
                object,
                message: format!(
                    "names the same NAS task as {other:?}: the older object acts for it, the other is stalled"
                ),
            });
        }
    }
    advice.sort();
    advice
}

fn selector(selector: &TaskSelector) -> String {
    format!("{:?}", (&selector.name, selector.id, &selector.unique_key))
}

fn of_server(server: &BackupServer) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let tls = server.spec.tls.clone().unwrap_or_default();
    if tls.insecure_skip_verify == Some(true) {
        found.push((
            "spec.tls.insecureSkipVerify",
            "accepts any certificate: whoever stands between reads the password; pin tls.fingerprint instead",
        ));
    }
    if tls.allow_plaintext == Some(true) && server.spec.url.starts_with("http://") {
        found.push((
            "spec.url",
            "sends the password in the clear: whoever stands between reads it; use https with tls.fingerprint",
        ));
    }
    if server.spec.removals.allowed {
        found.push((
            "spec.removals.allowed",
            "lets BackupTasks of this server remove NAS tasks with every version: leave it false until the moment it is meant",
        ));
    }
    found
        .into_iter()
        .map(|(field, text)| (field, text.to_owned()))
        .collect()
}

fn of_task(task: &BackupTask, now: Timestamp) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let (spec, removal) = (&task.spec, &task.spec.removal);
    if let Some(token) = &spec.triggers.request
        && token.parse::<Timestamp>().is_err()
    {
        found.push((
            "spec.triggers.request",
            format!("{token:?} is no time: reverting it in Git asks for another run; an RFC 3339 time asks once for good"),
        ));
    }
    if let Some(limit) = &spec.triggers.request_not_after
        && limit.0 < now
    {
        found.push((
            "spec.triggers.requestNotAfter",
            format!(
                "{} has passed: the request is answered Expired and never run",
                limit.0
            ),
        ));
    }
    match removal.when {
        RemovalWhen::Never => {}
        RemovalWhen::OnDelete => found.push((
            "spec.removal.when",
            "whatever deletes this object, a prune or a renamed folder included, destroys every version of the NAS task"
                .to_owned(),
        )),
        RemovalWhen::Now => {
            found.push((
                "spec.removal.when",
                "destroys the NAS task with every version as soon as this is applied".to_owned(),
            ));
            match &removal.not_after {
                Some(limit) if limit.0 < now => found.push((
                    "spec.removal.notAfter",
                    format!("{} has passed: nothing is removed any more; take the removal out", limit.0),
                )),
                Some(limit) if limit.0.duration_since(now) > LONG_REMOVAL => found.push((
                    "spec.removal.notAfter",
                    "is more than a week away: a removal forgotten in Git can destroy what is restored until then"
                        .to_owned(),
                )),
                Some(_) | None => {}
            }
        }
    }
    found
}
