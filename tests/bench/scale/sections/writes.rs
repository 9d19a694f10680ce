//! What one run, one removal and one deletion write, counted: from the API server's audit log, and from every version
//! of every status, which says what each write was for.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    arm::{ARMS, Arm},
    audit::{Audit, Entry},
    burst,
    ground::{Ground, Plan},
    objects::{WRITERS, for_each},
    report::{Figure, Limit, Report, short},
    settings::Settings,
    stats::number,
    witness::{Version, Witness},
};

/// Three polls see such a run.
const LONG: f64 = 3.3;
/// None does.
const SHORT: f64 = 0.1;

pub async fn measure(settings: &Settings, report: &mut Report) {
    for (name, seconds) in [("long run", LONG), ("short run", SHORT)] {
        let plan = Plan::new(1, settings.runs, seconds);
        let mut floors = 0.0;
        for arm in [Arm::Floor, Arm::Operator] {
            let ground = Ground::settled("writes", &plan, settings).await;
            let (entries, versions) = runs(settings, arm, &ground).await;
            if arm == Arm::Floor {
                floors = count(&entries, "patch", "backuptasks/status");
            } else {
                runs_report(settings, report, name, &entries, &versions, floors);
            }
            ground.clear().await;
        }
    }
    removals(settings, report).await;
}

/// Requests and versions from the changes to the end of the last run.
async fn runs(settings: &Settings, arm: Arm, ground: &Ground) -> (Vec<Entry>, Vec<Version>) {
    let mut running = arm.start(settings, ground);
    running.wait_ready().await;
    let names: Vec<String> = ground.names().cloned().collect();
    let witness = Witness::start(&ground.objects, true);
    ground.wait_quiet().await;
    let mut audit = Audit::of(ground.namespace.cluster());
    let mut before = witness.take_versions();
    audit.skip();
    burst::burst(ground, &witness, &names, "counted", WRITERS).await;
    ground.wait_quiet().await;
    let entries = of_operator(&mut audit, ground);
    before.retain(|version| names.contains(&version.name));
    before.extend(witness.take_versions());
    assert_eq!(burst::changes(ground, &mut audit).await.len(), names.len());
    running.stop().await;
    (entries, before)
}

fn of_operator(audit: &mut Audit, ground: &Ground) -> Vec<Entry> {
    let namespace = ground.namespace.name();
    let entries = audit.read().iter();
    entries
        .filter(|entry| entry.is_operator_of(namespace))
        .cloned()
        .collect()
}

fn count(entries: &[Entry], verb: &str, resource: &str) -> f64 {
    let is = |entry: &&Entry| entry.verb == verb && entry.resource == resource;
    number(entries.iter().filter(is).count())
}

fn runs_report(
    settings: &Settings,
    report: &mut Report,
    name: &str,
    entries: &[Entry],
    versions: &[Version],
    floor: f64,
) {
    let runs = number(settings.runs);
    let (kinds, others) = kinds(versions);
    let of = |kind: &str| kinds.get(kind).copied().unwrap_or_default();
    let figure = |what: &str, value: f64| {
        Figure::new(
            "writes",
            &format!("{name}: {what}"),
            "per run",
            vec![value / runs],
        )
    };
    let needed: f64 = ["intent", "running", "outcome", "other"].map(of).iter().sum();
    report.add(
        figure("status writes without progress", needed)
            .floor(vec![floor / runs])
            .limit(Limit::AtMost(3.0)),
    );
    for kind in ["intent", "running", "outcome", "other", "progress"] {
        let mut figure = figure(&format!("of them {kind}"), of(kind));
        if kind == "other" {
            figure = figure.note(format!("{others:?}"));
        }
        report.add(figure);
    }
    // Beside what the versions showed: a write that no version showed is one too.
    let patched = count(entries, "patch", "backuptasks/status");
    report.add(figure("status patches in the audit log", patched).floor(vec![floor / runs]));
    let server = count(entries, "patch", "backupservers/status");
    report.add(figure("BackupServer status writes", server));
    report.add(figure("finalizer writes", count(entries, "patch", "backuptasks")));
    let events = ["create", "patch"].map(|verb| count(entries, verb, "events"));
    report.add(figure("Events written", events.iter().sum()).limit(Limit::AtMost(3.0)));
    let reads = entries
        .iter()
        .filter(|entry| matches!(entry.verb.as_str(), "get" | "list") && !entry.is_lease());
    let reads: Vec<&Entry> = reads.collect();
    let resources: BTreeSet<_> = reads.iter().map(|entry| &entry.resource).collect();
    report.add(
        figure("reads", number(reads.len()))
            .limit(Limit::Exactly(0.0))
            .note(format!("{resources:?}")),
    );
    let leases = entries.iter().filter(|entry| entry.is_lease()).count();
    report.add(Figure::new(
        "writes",
        &format!("{name}: Lease calls meanwhile"),
        "in all",
        vec![number(leases)],
    ));
}

/// What each write was for, by the difference between one version of a status and the next; and for those that are
/// none of the expected, which fields they changed.
fn kinds(versions: &[Version]) -> (BTreeMap<&'static str, f64>, BTreeMap<String, usize>) {
    let mut last: BTreeMap<&str, &Version> = BTreeMap::new();
    let (mut kinds, mut others) = (BTreeMap::new(), BTreeMap::new());
    for version in versions {
        let Some(before) = last.insert(&version.name, version) else {
            continue;
        };
        if before.status == version.status {
            continue;
        }
        let kind = kind(&before.status, &version.status);
        *kinds.entry(kind).or_default() += 1.0;
        if kind == "other" {
            *others
                .entry(changed(&before.status, &version.status))
                .or_default() += 1;
        }
    }
    (kinds, others)
}

fn kind(before: &Value, after: &Value) -> &'static str {
    let finished = |status: &Value| status["receipts"]["request"]["finishedAt"].clone();
    if !after["intent"].is_null() && before["intent"] != after["intent"] {
        "intent"
    } else if !finished(after).is_null() && finished(before) != finished(after) {
        "outcome"
    } else if !before["intent"].is_null() && after["intent"].is_null() {
        "running"
    } else if without_progress(before) == without_progress(after) {
        "progress"
    } else {
        "other"
    }
}

fn without_progress(status: &Value) -> Value {
    let mut status = status.clone();
    if let Some(run) = status["run"].as_object_mut() {
        run.remove("progress");
    }
    status
}

/// The fields at the top that differ.
fn changed(before: &Value, after: &Value) -> String {
    let keys = |status: &Value| {
        let fields = status.as_object().into_iter().flatten();
        fields.map(|(key, _)| key.clone()).collect::<BTreeSet<_>>()
    };
    let all = keys(before).union(&keys(after)).cloned().collect::<Vec<_>>();
    let differ = all.into_iter().filter(|key| before[key] != after[key]);
    differ.collect::<Vec<_>>().join("+")
}

async fn removals(settings: &Settings, report: &mut Report) {
    // Half of the tasks are removed by `Now`, half by the deletion of their object.
    let plan =
        Plan::new(1, settings.removals * 2, SHORT).timeouts(json!({ "request": "2s", "settle": "3s" }));
    let ground = Ground::settled("removals", &plan, settings).await;
    let mut running = ARMS[0].start(settings, &ground);
    running.wait_ready().await;
    let witness = Witness::start(&ground.objects, false);
    ground.wait_quiet().await;
    let names: Vec<String> = ground.names().cloned().collect();
    let (now, on_delete) = names.split_at(settings.removals);
    let mut audit = Audit::of(ground.namespace.cluster());
    audit.skip();
    for_each(now, WRITERS, |name| {
        let removal = removal(&witness, name, "Now");
        let ground = &ground;
        async move { ground.objects.patch("backuptasks", name, "", &removal).await }
    })
    .await;
    witness
        .until("all are removed", Duration::from_mins(3), |statuses| {
            let removed = |name| {
                statuses
                    .get(name)
                    .is_some_and(|status: &Value| status["state"] == "Removed")
            };
            now.iter().all(removed)
        })
        .await;
    ground.wait_quiet().await;
    let entries = of_operator(&mut audit, &ground);
    let removals = number(settings.removals);
    let figure = |what: &str, value: f64| Figure::new("writes", what, "per removal", vec![value / removals]);
    report.add(figure(
        "remove: status writes",
        count(&entries, "patch", "backuptasks/status"),
    ));
    let reads = |entry: &&Entry| matches!(entry.verb.as_str(), "get" | "list") && !entry.is_lease();
    let reads = entries.iter().filter(reads).count();
    let secrets = count(&entries, "get", "secrets");
    report.add(
        figure("remove: reads", number(reads))
            .limit(Limit::AtMost(2.0))
            .note(format!("{} of them Secrets", short(secrets / removals))),
    );
    let breaker = count(&entries, "patch", "backupservers/status");
    report.add(figure("remove: breaker and server status writes", breaker));
    let events = ["create", "patch"].map(|verb| count(&entries, verb, "events"));
    report.add(figure("remove: Events written", events.iter().sum()));
    assert_eq!(ground.nas().effects("remove").await.len(), settings.removals);
    audit.skip();
    for_each(on_delete, WRITERS, |name| {
        let removal = removal(&witness, name, "OnDelete");
        let ground = &ground;
        async move { ground.objects.patch("backuptasks", name, "", &removal).await }
    })
    .await;
    ground.wait_quiet().await;
    for_each(on_delete, WRITERS, |name| {
        let ground = &ground;
        async move { ground.objects.delete("backuptasks", name).await }
    })
    .await;
    witness
        .until("all are gone", Duration::from_mins(3), |statuses| {
            on_delete.iter().all(|name| !statuses.contains_key(name))
        })
        .await;
    ground.wait_quiet().await;
    let entries = of_operator(&mut audit, &ground);
    report.add(figure(
        "deletion: finalizer writes",
        count(&entries, "patch", "backuptasks"),
    ));
    report.add(figure(
        "deletion: status writes",
        count(&entries, "patch", "backuptasks/status"),
    ));
    running.stop().await;
    ground.clear().await;
}

fn removal(witness: &Witness, name: &str, when: &str) -> Value {
    let key = witness.status(name)["task"]["uniqueKey"].clone();
    let mut removal = json!({ "when": when, "confirm": key });
    if when == "Now" {
        removal["notAfter"] = json!("2099-01-01T00:00:00Z");
    }
    json!({ "spec": { "removal": removal } })
}
