//! What holds of the objects whatever the values are.

use std::collections::BTreeSet;

use abb_operator::config::{Cli, Command};
use clap::Parser;
use serde_json::{Value, json};

use super::{
    helm::{Chart, Object, helm, ids, the},
    sets::SETS,
};

const CLUSTER_SCOPED: [&str; 5] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

fn every_set(check: impl Fn(&str, &[Object])) {
    for (name, values) in SETS {
        check(name, &Chart::NOW.rendered(values));
    }
}

/// The Pod specs: the operator's and that of `helm test`.
fn pods(objects: &[Object]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for object in objects {
        match object.kind() {
            "Deployment" => found.push((object.id(), object.0["spec"]["template"].clone())),
            "Pod" => found.push((object.id(), object.0.clone())),
            _ => {}
        }
    }
    assert_eq!(found.len(), 2, "{:?}", ids(objects));
    found
}

#[test]
fn helm_lints_every_set_of_values() {
    let path = Chart::NOW.path().display().to_string();
    for (name, values) in SETS {
        if let Err(error) = helm(&["lint", "--strict", "--quiet", &path, "--values", "-"], values) {
            panic!("{name}: {error}");
        }
    }
}

#[test]
fn every_object_has_the_standard_labels_a_place_and_a_name_of_its_own() {
    every_set(|name, objects| {
        let unique: BTreeSet<_> = ids(objects).into_iter().collect();
        assert_eq!(unique.len(), objects.len(), "{name}: {:?}", ids(objects));
        for object in objects {
            let id = format!("{name}: {}", object.id());
            for (key, expected) in [
                ("app.kubernetes.io/instance", "abb-operator"),
                ("app.kubernetes.io/part-of", "abb-operator"),
                ("app.kubernetes.io/managed-by", "Helm"),
                ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION")),
                ("helm.sh/chart", "abb-operator-0.2.0"),
            ] {
                assert_eq!(object.label(key), Some(expected), "{id}: {key}");
            }
            assert!(object.label("app.kubernetes.io/name").is_some(), "{id}");
            assert!(object.label("app.kubernetes.io/component").is_some(), "{id}");
            let is_cluster_scoped = CLUSTER_SCOPED.contains(&object.kind());
            assert_eq!(object.namespace().is_empty(), is_cluster_scoped, "{id}");
            assert!(!object.name().is_empty(), "{id}");
            no_accidents(&id, &object.0);
        }
    });
}

/// Null, and what a template writes where a value is missing or of another type.
fn no_accidents(id: &str, value: &Value) {
    match value {
        Value::Null => panic!("{id}: a null"),
        Value::String(text) => {
            for accident in ["<no value>", "<nil>", "%!", "map["] {
                assert!(!text.contains(accident), "{id}: {text}");
            }
        }
        Value::Array(list) => list.iter().for_each(|value| no_accidents(id, value)),
        Value::Object(map) => {
            for (key, value) in map {
                no_accidents(&format!("{id}.{key}"), value);
            }
        }
        _ => {}
    }
}

#[test]
fn pods_keep_what_pod_security_restricted_asks_and_more() {
    every_set(|name, objects| {
        for (id, pod) in pods(objects) {
            let id = format!("{name}: {id}");
            let spec = &pod["spec"];
            assert_eq!(spec["enableServiceLinks"], false, "{id}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{id}");
            assert_eq!(
                spec["securityContext"],
                json!({
                    "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                    "seccompProfile": { "type": "RuntimeDefault" },
                }),
                "{id}"
            );
            for absent in ["hostNetwork", "hostPID", "hostIPC", "initContainers"] {
                assert!(spec.get(absent).is_none(), "{id}: {absent}");
            }
            let containers = spec["containers"].as_array().unwrap();
            assert_eq!(containers.len(), 1, "{id}");
            assert_eq!(
                containers[0]["securityContext"],
                json!({
                    "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                }),
                "{id}"
            );
        }
    });
}

#[test]
fn the_token_is_mounted_in_the_one_container_that_uses_it() {
    every_set(|name, objects| {
        for account in objects.iter().filter(|object| object.kind() == "ServiceAccount") {
            assert_eq!(account.0["automountServiceAccountToken"], false, "{name}");
        }
        let [(_, operator), (_, test)] = &pods(objects)[..] else {
            unreachable!()
        };
        let volumes = operator["spec"]["volumes"].as_array().unwrap();
        assert_eq!(volumes[0]["name"], "api-access");
        let sources = volumes[0]["projected"]["sources"].as_array().unwrap();
        assert!(
            sources
                .iter()
                .any(|source| source["serviceAccountToken"]["path"] == "token")
        );
        let mounts = operator["spec"]["containers"][0]["volumeMounts"]
            .as_array()
            .unwrap();
        assert_eq!(
            mounts[0],
            json!({ "name": "api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true })
        );
        assert!(test["spec"].get("volumes").is_none(), "{name}");
        assert!(test["spec"].get("serviceAccountName").is_none(), "{name}");
    });
}

/// The program itself reads what the chart gives it.
#[test]
fn the_arguments_are_those_of_the_program() {
    every_set(|name, objects| {
        let [(_, operator), (_, test)] = &pods(objects)[..] else {
            unreachable!()
        };
        let parsed = |pod: &Value| {
            let arguments = pod["spec"]["containers"][0]["args"].as_array().unwrap().clone();
            let words = arguments.iter().map(|word| word.as_str().unwrap().to_owned());
            // What a user adds is not the chart's to answer for.
            let words = words.filter(|word| word != "--help");
            Cli::try_parse_from(["abb-operator".to_owned()].into_iter().chain(words))
                .unwrap_or_else(|error| panic!("{name}: {error}"))
                .command
        };
        let Command::Run(run) = parsed(operator) else {
            panic!("{name}")
        };
        let container = &operator["spec"]["containers"][0];
        assert_eq!(
            container["ports"][0]["containerPort"],
            run.listen.port(),
            "{name}"
        );
        // All that may be seen: by the environment the Pod's own namespace, or none and so all.
        let own = container["env"].as_array().unwrap().iter().any(|variable| {
            variable["name"] == "ABB_WATCH_NAMESPACE"
                && variable["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.namespace"
        });
        let is_cluster_wide = objects.iter().any(|object| object.kind() == "ClusterRoleBinding");
        assert_eq!(
            u8::from(own) + u8::from(is_cluster_wide) + u8::from(!run.watch_namespaces.is_empty()),
            1,
            "{name}: {run:?}"
        );
        let Command::Ready(ready) = parsed(test) else {
            panic!("{name}")
        };
        let host = ready
            .url
            .host_str()
            .unwrap()
            .strip_suffix(".abb-operator.svc")
            .unwrap();
        let service = the(objects, "Service", host);
        assert_eq!(
            service["spec"]["ports"][0]["port"],
            ready.url.port().unwrap(),
            "{name}"
        );
        assert_eq!(ready.url.path(), "/readyz");
    });
}

fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().unwrap();
    !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
}

#[test]
fn selectors_find_the_operators_pods_and_not_that_of_the_test() {
    every_set(|name, objects| {
        let [(_, operator), (_, test)] = &pods(objects)[..] else {
            unreachable!()
        };
        let mut seen = 0;
        for object in objects {
            let spec = &object.0["spec"];
            let selector = match object.kind() {
                "Service" => &spec["selector"],
                "NetworkPolicy" => &spec["podSelector"]["matchLabels"],
                "PodDisruptionBudget" | "PodMonitor" => &spec["selector"]["matchLabels"],
                _ => continue,
            };
            seen += 1;
            assert!(
                selects(selector, &operator["metadata"]["labels"]),
                "{name}: {}",
                object.id()
            );
            assert!(
                !selects(selector, &test["metadata"]["labels"]),
                "{name}: {}",
                object.id()
            );
        }
        assert!(seen > 0, "{name}");
        for monitor in objects.iter().filter(|object| object.kind() == "ServiceMonitor") {
            let selector = &monitor.0["spec"]["selector"]["matchLabels"];
            let found = objects.iter().filter(|object| {
                object.kind() == "Service" && selects(selector, &object.0["metadata"]["labels"])
            });
            assert_eq!(found.count(), 1, "{name}: {selector}");
        }
        let constraints = operator["spec"]["topologySpreadConstraints"].as_array();
        for constraint in constraints.into_iter().flatten() {
            assert!(
                constraint["labelSelector"]["matchLabels"].is_object(),
                "{name}: {constraint}"
            );
        }
    });
}

/// A Deployment's selector and a binding's role can never be changed: they are those of the first version.
#[test]
fn what_cannot_be_changed_is_as_in_the_first_version() {
    let (first, now) = (Chart::FIRST.rendered(""), Chart::NOW.rendered(""));
    let selector =
        |objects: &[Object]| the(objects, "Deployment", "abb-operator")["spec"]["selector"].clone();
    assert_eq!(selector(&first), selector(&now));
    assert_eq!(
        selector(&now),
        json!({ "matchLabels": { "app.kubernetes.io/name": "abb-operator", "app.kubernetes.io/instance": "abb-operator" } })
    );
    let bindings = |objects: &[Object]| -> Vec<(String, Value)> {
        let bindings = objects.iter().filter(|object| object.kind() == "RoleBinding");
        bindings
            .map(|binding| (binding.id(), binding.0["roleRef"].clone()))
            .collect()
    };
    assert_eq!(bindings(&first), bindings(&now));
    for (kind, name) in [
        ("ServiceAccount", "abb-operator"),
        ("Role", "abb-operator"),
        ("Role", "abb-operator-lease"),
    ] {
        the(&now, kind, name);
        the(&first, kind, name);
    }
}

#[test]
fn two_releases_share_no_cluster_scoped_name_but_the_definitions() {
    let values = "{clusterWide: {enabled: true}, rbac: {aggregate: {edit: true}}, admissionPolicy: {removals: \
                  {enabled: true}, requestOnly: {enabled: true, users: [robot]}}}";
    let names = |namespace: &str| -> BTreeSet<String> {
        let objects = Chart::NOW
            .template_with(values, &["--namespace", namespace])
            .unwrap();
        let shared = objects
            .iter()
            .filter(|object| object.namespace().is_empty() && object.kind() != "CustomResourceDefinition");
        shared.map(Object::id).collect()
    };
    let (one, other) = (names("abb-operator"), names("team-a"));
    assert_eq!(one.len(), 10, "{one:?}");
    assert_eq!(one.intersection(&other).count(), 0);
}

#[test]
fn the_oldest_kubernetes_is_named_and_older_ones_are_refused() {
    for (_, values) in SETS {
        Chart::NOW
            .template_with(values, &["--kube-version", "1.30.0"])
            .unwrap();
    }
    let refused = Chart::NOW
        .template_with("", &["--kube-version", "1.29.9"])
        .unwrap_err();
    assert!(refused.contains(">=1.30.0"), "{refused}");
}

#[test]
fn rendering_twice_gives_the_same() {
    for (name, values) in SETS {
        let text = || Chart::NOW.template_text(values, &[]).unwrap();
        assert_eq!(text(), text(), "{name}");
    }
}

#[test]
fn without_election_two_operators_never_run_side_by_side() {
    let strategy = |values: &str| {
        let objects = Chart::NOW.rendered(values);
        the(&objects, "Deployment", "abb-operator")["spec"]["strategy"].clone()
    };
    assert_eq!(
        strategy("{leaderElection: {enabled: false}}"),
        json!({ "type": "Recreate" })
    );
    assert_eq!(strategy(""), Value::Null);
}

#[test]
fn operators_prefer_different_nodes_and_one_may_always_be_moved() {
    let objects = Chart::NOW.rendered("");
    let deployment = the(&objects, "Deployment", "abb-operator");
    let pod = &deployment["spec"]["template"];
    let term =
        &pod["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"][0];
    assert_eq!(term["podAffinityTerm"]["topologyKey"], "kubernetes.io/hostname");
    assert!(selects(
        &term["podAffinityTerm"]["labelSelector"]["matchLabels"],
        &pod["metadata"]["labels"]
    ));
    let budget = the(&objects, "PodDisruptionBudget", "abb-operator");
    assert_eq!(budget["spec"]["maxUnavailable"], 1);
    assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
}

#[test]
fn the_network_policy_lets_in_the_scrape_and_out_what_is_named() {
    let objects = Chart::NOW.rendered("{networkPolicy: {enabled: true, nas: [{cidr: 192.0.2.10/32}]}}");
    let spec = &the(&objects, "NetworkPolicy", "abb-operator")["spec"];
    assert_eq!(spec["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(
        spec["ingress"],
        json!([{ "ports": [{ "port": "metrics", "protocol": "TCP" }] }])
    );
    let tcp = |port: u16| json!({ "port": port, "protocol": "TCP" });
    assert_eq!(
        spec["egress"],
        json!([
            { "ports": [tcp(443), tcp(6443)] },
            {
                "ports": [{ "port": 53, "protocol": "UDP" }, tcp(53)],
                "to": [{
                    "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
                    "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
                }],
            },
            { "ports": [tcp(5001)], "to": [{ "ipBlock": { "cidr": "192.0.2.10/32" } }] },
        ])
    );
    // Who may scrape is named: the Pod of `helm test` stays among them.
    let objects = Chart::NOW.rendered(
        "{networkPolicy: {enabled: true, nas: [{cidr: 192.0.2.10/32}], metricsFrom: [{podSelector: {}}]}}",
    );
    let from = the(&objects, "NetworkPolicy", "abb-operator")["spec"]["ingress"][0]["from"].clone();
    assert!(selects(
        &from[0]["podSelector"]["matchLabels"],
        &pods(&objects)[1].1["metadata"]["labels"]
    ));
    assert_eq!(from[1], json!({ "podSelector": {} }));
}

#[test]
fn monitors_keep_the_labels_that_the_metrics_bring() {
    for kind in ["serviceMonitor", "podMonitor"] {
        let objects = Chart::NOW.rendered(&format!("{{metrics: {{{kind}: {{enabled: true}}}}}}"));
        let (name, list) = if kind == "podMonitor" {
            ("PodMonitor", "podMetricsEndpoints")
        } else {
            ("ServiceMonitor", "endpoints")
        };
        let endpoint = &the(&objects, name, "abb-operator")["spec"][list][0];
        assert_eq!(
            *endpoint,
            json!({ "port": "metrics", "path": "/metrics", "honorLabels": true, "interval": "60s", "scrapeTimeout": "10s" })
        );
    }
}

#[test]
fn objects_of_the_values_stay_unless_their_owner_says_otherwise() {
    let values = |keep: bool| {
        format!(
            "{{keepObjects: {keep}, tasks: [{{name: a, annotations: {{c: d}}, spec: {{serverRef: {{name: nas}}, task: {{id: 5}}}}}}]}}"
        )
    };
    let annotations = |keep| {
        let objects = Chart::NOW.rendered(&values(keep));
        the(&objects, "BackupTask", "a")["metadata"]["annotations"].clone()
    };
    assert_eq!(
        annotations(true),
        json!({ "c": "d", "helm.sh/resource-policy": "keep" })
    );
    assert_eq!(annotations(false), json!({ "c": "d" }));
}

#[test]
fn admission_policies_reach_the_watched_namespaces_only() {
    let values = |mode: &str| {
        format!(
            "{{{mode}, admissionPolicy: {{removals: {{enabled: true, allowedGroups: [admins]}}, requestOnly: \
             {{enabled: true, groups: [ci]}}}}}}"
        )
    };
    for (mode, watched) in [
        ("replicaCount: 1", json!(["abb-operator"])),
        ("watchNamespaces: [team-a, team-b]", json!(["team-a", "team-b"])),
        ("clusterWide: {enabled: true}", Value::Null),
    ] {
        let objects = Chart::NOW.rendered(&values(mode));
        let bindings: Vec<_> = objects
            .iter()
            .filter(|object| object.kind() == "ValidatingAdmissionPolicyBinding")
            .collect();
        assert_eq!(bindings.len(), 3);
        for binding in bindings {
            the(
                &objects,
                "ValidatingAdmissionPolicy",
                binding.0["spec"]["policyName"].as_str().unwrap(),
            );
            assert_eq!(binding.0["spec"]["validationActions"], json!(["Deny"]));
            let selector = &binding.0["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0];
            assert_eq!(selector["values"], watched, "{mode}");
        }
    }
}
