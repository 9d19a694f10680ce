//! The values: each is documented, each is in the schema, and each makes a difference to what is rendered.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::helm::{Chart, objects, root};

/// A value as `values.yaml` shows it.
pub(super) struct Documented {
    /// Such as `image.tag`.
    pub(super) path: String,
    pub(super) default: Value,
    /// What its comment says after `# --`.
    pub(super) meaning: String,
}

/// Every value with a comment of its own, in the order of the file; a map with such a comment is one value.
pub(super) fn documented() -> Vec<Documented> {
    let text = Chart::NOW.read("values.yaml");
    let defaults = &objects(&text)[0].0;
    let mut found = Vec::new();
    let mut comment: Option<String> = None;
    let mut path: Vec<(usize, String)> = Vec::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if let Some(begun) = line.strip_prefix("# -- ") {
            comment = Some(begun.to_owned());
        } else if let Some(more) = line.strip_prefix("# ") {
            if let Some(comment) = &mut comment {
                comment.push(' ');
                comment.push_str(more);
            }
        } else if let Some((key, _)) = line.split_once(':') {
            path.retain(|(depth, _)| *depth < indent);
            path.push((indent, key.to_owned()));
            if let Some(meaning) = comment.take() {
                let path = path
                    .iter()
                    .map(|(_, key)| key.as_str())
                    .collect::<Vec<_>>()
                    .join(".");
                let default = pointed(defaults, &path)
                    .unwrap_or_else(|| panic!("{path} is no value"))
                    .clone();
                found.push(Documented {
                    path,
                    default,
                    meaning,
                });
            }
        }
    }
    found
}

fn pointed<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    values.pointer(&format!("/{}", path.replace('.', "/")))
}

/// The values that hold no further ones, where a documented map counts as one.
fn leaves(value: &Value, path: &str, maps: &BTreeSet<String>, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) if !map.is_empty() && !maps.contains(path) => {
            for (key, value) in map {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                leaves(value, &path, maps, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

fn all_values() -> BTreeSet<String> {
    let defaults = &objects(&Chart::NOW.read("values.yaml"))[0].0;
    let documented: BTreeSet<_> = documented().into_iter().map(|value| value.path).collect();
    let mut found = BTreeSet::new();
    leaves(defaults, "", &documented, &mut found);
    found
}

#[test]
fn every_value_has_a_comment_that_is_a_sentence() {
    let documented: BTreeMap<_, _> = documented()
        .into_iter()
        .map(|value| (value.path, value.meaning))
        .collect();
    for path in all_values() {
        let meaning = documented
            .get(&path)
            .unwrap_or_else(|| panic!("{path} has no comment that begins with # --"));
        assert!(
            meaning.ends_with('.') || meaning.ends_with("like."),
            "{path}: {meaning}"
        );
        assert!(meaning.len() > 10, "{path}: {meaning}");
    }
    // A comment at a value that is not one would be lost.
    assert_eq!(documented.len(), all_values().len());
}

/// Strict everywhere but in maps that are the user's own.
#[test]
fn the_schema_knows_every_value_and_no_others() {
    let schema: Value = serde_json::from_str(&Chart::NOW.read("values.schema.json")).unwrap();
    let known = &mut BTreeSet::new();
    let mut open = BTreeSet::new();
    walk(&schema, &schema, "", known, &mut open);
    let all = all_values();
    let unknown: Vec<_> = all
        .difference(known)
        .filter(|path| !known.iter().any(|part| part.starts_with(&format!("{path}."))))
        .collect();
    assert!(unknown.is_empty(), "the schema has no {unknown:?}");
    let gone: Vec<_> = known
        .difference(&all)
        .filter(|path| !["global", "enabled"].contains(&path.as_str()))
        .filter(|path| !all.iter().any(|value| path.starts_with(&format!("{value}."))))
        .collect();
    assert!(gone.is_empty(), "values.yaml has no {gone:?}");
    // What may hold anything is Kubernetes' to check: maps of labels and parts of a Pod.
    let expected: BTreeSet<_> = [
        "affinity",
        "dnsConfig",
        "extraEnv[].valueFrom",
        "extraVolumeMounts[]",
        "extraVolumes[]",
        "global",
        "metrics.podMonitor.metricRelabelings[]",
        "metrics.podMonitor.relabelings[]",
        "metrics.serviceMonitor.metricRelabelings[]",
        "metrics.serviceMonitor.relabelings[]",
        "networkPolicy.metricsFrom[].ipBlock",
        "networkPolicy.metricsFrom[].namespaceSelector",
        "networkPolicy.metricsFrom[].podSelector",
        "podSecurityContext",
        "resources",
        "securityContext",
        "strategy.rollingUpdate",
        "tolerations[]",
        "topologySpreadConstraints[]",
    ]
    .map(str::to_owned)
    .into();
    assert_eq!(open, expected);
}

fn walk(root: &Value, schema: &Value, path: &str, known: &mut BTreeSet<String>, open: &mut BTreeSet<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root
            .pointer(reference.trim_start_matches('#'))
            .expect("a definition"),
        None => schema,
    };
    let nothing = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&nothing);
    let is_closed = schema["additionalProperties"].is_object() || schema["additionalProperties"] == false;
    if schema["type"] == "object" && !is_closed {
        open.insert(path.to_owned());
    }
    if let Some(items) = schema.get("items") {
        walk(root, items, &format!("{path}[]"), known, open);
    }
    if !path.is_empty() {
        known.insert(path.to_owned());
    }
    for (name, property) in properties {
        let below = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        // A value is what stands in no list; what has parts of its own is none.
        known.remove(path);
        walk(root, property, &below, known, open);
    }
    if path.contains("[]") {
        known.remove(path);
    }
}

/// The value, another one for it, and what has to be on for it to matter.
fn changes() -> Vec<(&'static str, Value, Value)> {
    let object = json!({ "name": "a", "spec": { "serverRef": { "name": "nas" }, "task": { "id": 5 } } });
    let server = json!({ "name": "nas", "spec": { "url": "https://nas:5001", "credentials": { "secretRef": { "name": "nas" } } } });
    let mut changes = vec![
        ("replicaCount", json!(2), json!({})),
        ("image.repository", json!("registry.example/abb"), json!({})),
        ("image.tag", json!("1.2.3"), json!({})),
        (
            "image.digest",
            json!(format!("sha256:{}", "0".repeat(64))),
            json!({}),
        ),
        ("image.pullPolicy", json!("Always"), json!({})),
        ("imagePullSecrets", json!([{ "name": "registry" }]), json!({})),
        ("nameOverride", json!("backups"), json!({})),
        ("fullnameOverride", json!("backups"), json!({})),
        ("commonLabels", json!({ "a": "b" }), json!({})),
        ("crds.install", json!(false), json!({})),
        ("crds.keep", json!(false), json!({})),
        ("watchNamespaces", json!(["team-a"]), json!({})),
        ("clusterWide.enabled", json!(true), json!({})),
        (
            "clusterWide.credentialNamespaces",
            json!(["team-a"]),
            json!({ "clusterWide": { "enabled": true } }),
        ),
        ("serviceAccount.create", json!(false), json!({})),
        ("serviceAccount.name", json!("backups"), json!({})),
        ("serviceAccount.annotations", json!({ "a": "b" }), json!({})),
        ("rbac.create", json!(false), json!({})),
        ("rbac.aggregate.view", json!(false), json!({})),
        ("rbac.aggregate.edit", json!(true), json!({})),
        ("leaderElection.enabled", json!(false), json!({})),
        ("leaderElection.leaseDuration", json!("30s"), json!({})),
        ("leaderElection.singleLeader", json!(true), json!({})),
        ("logFormat", json!("text"), json!({})),
        ("logLevel", json!("debug"), json!({})),
        ("extraArgs", json!(["--help"]), json!({})),
        ("extraEnv", json!([{ "name": "A", "value": "b" }]), json!({})),
        (
            "extraVolumes",
            json!([{ "name": "a", "emptyDir": {} }]),
            json!({}),
        ),
        (
            "extraVolumeMounts",
            json!([{ "name": "a", "mountPath": "/a" }]),
            json!({}),
        ),
        ("podAnnotations", json!({ "a": "b" }), json!({})),
        ("podLabels", json!({ "a": "b" }), json!({})),
        ("deploymentAnnotations", json!({ "a": "b" }), json!({})),
        ("strategy", json!({ "type": "Recreate" }), json!({})),
        ("revisionHistoryLimit", json!(1), json!({})),
        ("terminationGracePeriodSeconds", json!(90), json!({})),
        ("podSecurityContext", json!({ "fsGroup": 5 }), json!({})),
        ("securityContext", json!({ "privileged": false }), json!({})),
        ("resources", json!({ "limits": { "cpu": "1" } }), json!({})),
        ("livenessProbe", json!({ "periodSeconds": 7 }), json!({})),
        ("readinessProbe", json!({ "periodSeconds": 7 }), json!({})),
        ("nodeSelector", json!({ "a": "b" }), json!({})),
        ("tolerations", json!([{ "operator": "Exists" }]), json!({})),
        ("affinity", json!({ "nodeAffinity": {} }), json!({})),
        (
            "topologySpreadConstraints",
            json!([{ "maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule" }]),
            json!({}),
        ),
        ("priorityClassName", json!("high"), json!({})),
        (
            "hostAliases",
            json!([{ "ip": "192.0.2.1", "hostnames": ["nas"] }]),
            json!({}),
        ),
        ("dnsPolicy", json!("Default"), json!({})),
        ("dnsConfig", json!({ "nameservers": ["192.0.2.1"] }), json!({})),
        ("podDisruptionBudget.enabled", json!(false), json!({})),
        ("podDisruptionBudget.minAvailable", json!(0), json!({})),
        ("podDisruptionBudget.maxUnavailable", json!(2), json!({})),
        ("metrics.port", json!(9090), json!({})),
        ("metrics.address", json!("[::]"), json!({})),
        ("metrics.service.enabled", json!(true), json!({})),
        ("admissionPolicy.removals.enabled", json!(true), json!({})),
        ("servers", json!([server]), json!({})),
        ("tasks", json!([object]), json!({})),
        ("keepObjects", json!(false), json!({ "tasks": [object] })),
    ];
    let on = |part: &str| json!({ part: { "enabled": true } });
    for path in ["metrics.service.annotations", "metrics.service.labels"] {
        changes.push((path, json!({ "a": "b" }), json!({ "metrics": on("service") })));
    }
    for (kind, paths) in [
        (
            "serviceMonitor",
            [
                "metrics.serviceMonitor.enabled",
                "metrics.serviceMonitor.interval",
                "metrics.serviceMonitor.scrapeTimeout",
                "metrics.serviceMonitor.labels",
                "metrics.serviceMonitor.annotations",
                "metrics.serviceMonitor.relabelings",
                "metrics.serviceMonitor.metricRelabelings",
            ],
        ),
        (
            "podMonitor",
            [
                "metrics.podMonitor.enabled",
                "metrics.podMonitor.interval",
                "metrics.podMonitor.scrapeTimeout",
                "metrics.podMonitor.labels",
                "metrics.podMonitor.annotations",
                "metrics.podMonitor.relabelings",
                "metrics.podMonitor.metricRelabelings",
            ],
        ),
    ] {
        let others = [
            json!(true),
            json!("7s"),
            json!("7s"),
            json!({ "a": "b" }),
            json!({ "a": "b" }),
            json!([{ "action": "keep" }]),
            json!([{ "action": "keep" }]),
        ];
        for (path, other) in paths.into_iter().zip(others) {
            let base = if path.ends_with(".enabled") {
                json!({})
            } else {
                json!({ "metrics": on(kind) })
            };
            changes.push((path, other, base));
        }
    }
    for (path, other) in [
        ("prometheusRule.labels", json!({ "a": "b" })),
        ("prometheusRule.annotations", json!({ "a": "b" })),
        (
            "prometheusRule.runbookBaseUrl",
            json!("https://example.org/runbooks"),
        ),
        ("prometheusRule.defaultMaxAgeSeconds", json!(777)),
        ("prometheusRule.longRunningSeconds", json!(777)),
        ("prometheusRule.longWaitingSeconds", json!(777)),
        ("prometheusRule.serverDownFor", json!("7m")),
        ("prometheusRule.disabled", json!(["ActiveBackupServerDown"])),
    ] {
        changes.push((path, other, on("prometheusRule")));
    }
    changes.push(("prometheusRule.enabled", json!(true), json!({})));
    for (path, other) in [
        ("dashboard.labels", json!({ "a": "b" })),
        ("dashboard.annotations", json!({ "a": "b" })),
        ("dashboard.folder", json!("Backups")),
    ] {
        changes.push((path, other, on("dashboard")));
    }
    changes.push(("dashboard.enabled", json!(true), json!({})));
    let network = json!({ "networkPolicy": { "enabled": true, "nas": [{ "cidr": "192.0.2.1/32" }] } });
    for (path, other) in [
        ("networkPolicy.apiServer.cidrs", json!(["10.0.0.1/32"])),
        ("networkPolicy.apiServer.ports", json!([777])),
        ("networkPolicy.dns.namespaceLabels", json!({ "a": "b" })),
        ("networkPolicy.dns.podLabels", json!({ "a": "b" })),
        ("networkPolicy.dns.cidrs", json!(["10.0.0.1/32"])),
        ("networkPolicy.dns.ports", json!([777])),
        ("networkPolicy.nas", json!([{ "cidr": "192.0.2.2/32" }])),
        ("networkPolicy.metricsFrom", json!([{ "podSelector": {} }])),
    ] {
        changes.push((path, other, network.clone()));
    }
    let nas = json!({ "networkPolicy": { "nas": [{ "cidr": "192.0.2.1/32" }] } });
    changes.push(("networkPolicy.enabled", json!(true), nas));
    let removals = json!({ "admissionPolicy": on("removals") });
    changes.push((
        "admissionPolicy.validationActions",
        json!(["Audit"]),
        removals.clone(),
    ));
    changes.push((
        "admissionPolicy.removals.allowedGroups",
        json!(["a"]),
        removals.clone(),
    ));
    changes.push(("admissionPolicy.removals.allowedUsers", json!(["a"]), removals));
    let named = |enabled: bool| json!({ "admissionPolicy": { "requestOnly": { "enabled": enabled, "users": ["b"] } } });
    changes.push(("admissionPolicy.requestOnly.enabled", json!(true), named(false)));
    changes.push(("admissionPolicy.requestOnly.groups", json!(["a"]), named(true)));
    changes.push(("admissionPolicy.requestOnly.users", json!(["a"]), named(true)));
    changes
}

fn put(values: &mut Value, path: &str, other: Value) {
    let mut place = values;
    for key in path.split('.') {
        place = &mut place[key];
    }
    *place = other;
}

#[test]
fn every_value_makes_a_difference() {
    let mut bases: BTreeMap<String, String> = BTreeMap::new();
    let render = |values: &Value| {
        Chart::NOW
            .template_text(&values.to_string(), &[])
            .unwrap_or_else(|e| panic!("{e}"))
    };
    let mut seen = BTreeSet::new();
    for (path, other, base) in changes() {
        let before = bases
            .entry(base.to_string())
            .or_insert_with(|| render(&base))
            .clone();
        let mut values = base;
        put(&mut values, path, other);
        // Not `assert_ne!`, which would print the whole of both.
        assert!(render(&values) != before, "{path} changes nothing: {values}");
        assert!(seen.insert(path.to_owned()), "{path} stands there twice");
    }
    let all = all_values();
    assert_eq!(
        seen, all,
        "the values that are changed here, and those that there are"
    );
}

/// What a value is called in a template is a value of `values.yaml`.
#[test]
fn templates_speak_of_values_that_exist() {
    let defaults = &objects(&Chart::NOW.read("values.yaml"))[0].0;
    let mut folders = vec![Chart::NOW.path().join("templates")];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            for named in text.split(".Values.").skip(1) {
                let name: String = named
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '.')
                    .collect();
                let name = name.trim_end_matches('.');
                count += 1;
                assert!(
                    pointed(defaults, name).is_some(),
                    "{} speaks of {name}",
                    path.strip_prefix(root()).unwrap().display()
                );
            }
        }
    }
    assert!(count > 50, "{count}");
}
