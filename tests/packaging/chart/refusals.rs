//! Values that are wrong are refused before anything is sent, by a message that names the value.

use super::helm::Chart;

const SERVER: &str = "name: nas, spec: {url: 'https://nas:5001', credentials: {secretRef: {name: nas}}}";

/// By the schema: the value, and what of the message says so.
const BY_SCHEMA: &[(&str, &[&str])] = &[
    ("{replicas: 2}", &["'replicas' not allowed"]),
    ("{crds: {enabled: true}}", &["'/crds'", "'enabled' not allowed"]),
    ("{replicaCount: 0}", &["'/replicaCount'", "want 1"]),
    (
        "{replicaCount: two}",
        &["'/replicaCount'", "got string, want integer"],
    ),
    (
        "{image: {pullPolicy: always}}",
        &["'/image/pullPolicy'", "'IfNotPresent', 'Always', 'Never'"],
    ),
    (
        "{image: {tag: 1.0}}",
        &["'/image/tag'", "got number, want string"],
    ),
    ("{image: {digest: 'sha256:abc'}}", &["'/image/digest'"]),
    (
        "{image: {repository: 'ghcr.io/a/b@sha256:abc'}}",
        &["'/image/repository'"],
    ),
    ("{watchNamespaces: team-a}", &["'/watchNamespaces'", "want array"]),
    (
        "{watchNamespaces: ['*']}",
        &["'/watchNamespaces/0'", "'*' does not match"],
    ),
    (
        "{leaderElection: {leaseDuration: 60}}",
        &["'/leaderElection/leaseDuration'", "want string"],
    ),
    ("{logFormat: yaml}", &["'/logFormat'", "'json', 'text'"]),
    ("{logLevel: inof}", &["'/logLevel'", "inof"]),
    (
        "{extraEnv: [{name: A, vlaue: b}]}",
        &["'/extraEnv/0'", "'vlaue' not allowed"],
    ),
    ("{extraArgs: [simulate]}", &["'/extraArgs/0'"]),
    ("{metrics: {port: 80}}", &["'/metrics/port'", "want 1,024"]),
    (
        "{metrics: {serviceMonitor: {interval: 60}}}",
        &["'/metrics/serviceMonitor/interval'"],
    ),
    (
        "{networkPolicy: {nas: [{cidr: nas.example.org}]}}",
        &["'/networkPolicy/nas/0/cidr'"],
    ),
    (
        "{networkPolicy: {nas: [{cidr: 192.0.2.1/32, port: 70000}]}}",
        &["'/networkPolicy/nas/0/port'"],
    ),
    (
        "{podDisruptionBudget: {maxUnavailable: half}}",
        &["'/podDisruptionBudget/maxUnavailable'"],
    ),
    ("{commonLabels: {a: 1}}", &["'/commonLabels/a'", "want string"]),
    (
        "{admissionPolicy: {removals: {allowedGroups: admins}}}",
        &["'/admissionPolicy/removals/allowedGroups'"],
    ),
    (
        "{admissionPolicy: {validationActions: []}}",
        &["'/admissionPolicy/validationActions'"],
    ),
    (
        "{prometheusRule: {serverDownFor: 15}}",
        &["'/prometheusRule/serverDownFor'"],
    ),
    (
        "{dashboard: {enabled: 'yes'}}",
        &["'/dashboard/enabled'", "want boolean"],
    ),
    (
        "{servers: [{name: nas}]}",
        &["'/servers/0'", "missing property 'spec'"],
    ),
    (
        "{servers: [{name: nas, spec: {url: 'https://a', credentials: {username: a, password: hunter2}}}]}",
        &["'/servers/0/spec/credentials'", "missing property 'secretRef'"],
    ),
    (
        "{servers: [{name: nas, spec: {url: 'https://a', password: hunter2, credentials: {secretRef: {name: a}}}}]}",
        &["'/servers/0/spec'", "'password' not allowed"],
    ),
    (
        "{tasks: [{name: a, spec: {serverRef: {name: nas, namespace: b}, task: {id: 1}}}]}",
        &["'/tasks/0/spec/serverRef'", "'namespace' not allowed"],
    ),
    (
        "{tasks: [{name: a, spec: {serverRef: {name: nas}, task: {id: 1}, whenRunning: Stop}}]}",
        &["'/tasks/0/spec/whenRunning'", "'Wait', 'Adopt', 'Replace'"],
    ),
    (
        "{tasks: [{name: a, spec: {serverRef: {name: nas}, task: {id: 1}, triggers: {maxAge: 1 day}}}]}",
        &["'/tasks/0/spec/triggers/maxAge'"],
    ),
];

/// By the templates, which see how values stand together: the value, and what has to be done.
const BY_CHECKS: &[(&str, &[&str])] = &[
    (
        "{clusterWide: {enabled: true}, watchNamespaces: [team-a]}",
        &[
            "watchNamespaces: clusterWide.enabled watches all namespaces",
            "empty watchNamespaces",
        ],
    ),
    (
        "{clusterWide: {credentialNamespaces: [team-a]}}",
        &["clusterWide.credentialNamespaces: has a meaning with clusterWide.enabled only"],
    ),
    (
        "{replicaCount: 2, leaderElection: {enabled: false}}",
        &[
            "replicaCount: 2 operators without leader election",
            "leaderElection.enabled to true",
        ],
    ),
    (
        "{leaderElection: {enabled: false}, strategy: {type: RollingUpdate}}",
        &["strategy: without leader election", "leave strategy empty"],
    ),
    (
        "{leaderElection: {leaseDuration: 2s}}",
        &["leaderElection.leaseDuration: 2s is too short", "3s"],
    ),
    (
        "{replicaCount: 3, podDisruptionBudget: {minAvailable: 1, maxUnavailable: 1}}",
        &["podDisruptionBudget: minAvailable and maxUnavailable exclude each other"],
    ),
    (
        "{podDisruptionBudget: {minAvailable: 1}}",
        &["podDisruptionBudget.minAvailable: 1 of 1 operators lets none go"],
    ),
    (
        "{replicaCount: 3, podDisruptionBudget: {minAvailable: 100%}}",
        &["podDisruptionBudget.minAvailable: 100% of 3 operators"],
    ),
    (
        "{podDisruptionBudget: {maxUnavailable: 0}}",
        &["podDisruptionBudget.maxUnavailable: 0 lets no operator go"],
    ),
    (
        "{metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}}",
        &[
            "metrics.podMonitor.enabled: with metrics.serviceMonitor.enabled",
            "turn one of them off",
        ],
    ),
    (
        "{networkPolicy: {enabled: true}}",
        &[
            "networkPolicy.nas: the policy would cut the operator off",
            "192.0.2.10/32",
        ],
    ),
    (
        "{commonLabels: {app.kubernetes.io/name: a}}",
        &["commonLabels: the label app.kubernetes.io/name is the chart's own"],
    ),
    (
        "{podLabels: {app.kubernetes.io/component: a}}",
        &["podLabels: the label app.kubernetes.io/component"],
    ),
    (
        "{extraArgs: ['--listen=0.0.0.0:9']}",
        &["extraArgs: --listen is set by the chart; use metrics.address"],
    ),
    (
        "{extraEnv: [{name: RUST_LOG, value: debug}]}",
        &["extraEnv: RUST_LOG is set by the chart; use logLevel"],
    ),
    (
        "{extraVolumes: [{name: api-access, emptyDir: {}}]}",
        &["extraVolumes: api-access is the volume"],
    ),
    (
        "{admissionPolicy: {requestOnly: {enabled: true}}}",
        &["admissionPolicy.requestOnly: names nobody; name groups or users"],
    ),
    (
        "{admissionPolicy: {requestOnly: {enabled: true, groups: ['system:authenticated']}}}",
        &["admissionPolicy.requestOnly.groups: system:authenticated holds the cluster's own controllers"],
    ),
    (
        "{admissionPolicy: {validationActions: [Deny, Warn]}}",
        &["admissionPolicy.validationActions: Deny and Warn"],
    ),
];

fn refused(values: &str, parts: &[&str]) {
    let error = match Chart::NOW.template(values) {
        Ok(_) => panic!("was accepted: {values}"),
        Err(error) => error,
    };
    for part in parts {
        assert!(error.contains(part), "{part} is not in\n{error}\nfor {values}");
    }
    assert!(!error.contains("hunter2"), "a secret is printed: {error}");
}

#[test]
fn the_schema_refuses_wrong_values_and_names_them() {
    for (values, parts) in BY_SCHEMA {
        refused(values, parts);
    }
}

#[test]
fn values_that_do_not_go_together_are_refused_with_the_remedy() {
    for (values, parts) in BY_CHECKS {
        refused(values, parts);
    }
}

#[test]
fn declared_objects_that_nobody_would_serve_or_that_hold_a_password_are_refused() {
    for (values, parts) in [
        (
            format!("{{servers: [{{namespace: team-a, {SERVER}}}]}}"),
            &["servers[0] (nas): nobody watches the namespace team-a; add it to watchNamespaces"][..],
        ),
        (
            format!("{{servers: [{{{SERVER}}}, {{{SERVER}}}]}}"),
            &["servers[1] (nas): abb-operator/nas stands there twice"],
        ),
        (
            "{servers: [{name: nas, spec: {url: 'http://nas:5000', credentials: {secretRef: {name: nas}}}}]}".to_owned(),
            &["servers[0] (nas).spec.url: an http:// URL sends the password in the clear", "allowPlaintext"],
        ),
        (
            "{servers: [{name: nas, spec: {url: 'https://me:hunter2@nas', credentials: {secretRef: {name: nas}}}}]}"
                .to_owned(),
            &["servers[0] (nas).spec.url: must not contain credentials", "secretRef"],
        ),
    ] {
        refused(&values, parts);
    }
    let plaintext = "{servers: [{name: nas, spec: {url: 'http://nas:5000', tls: {allowPlaintext: true}, \
                     credentials: {secretRef: {name: nas}}}}]}";
    Chart::NOW.rendered(plaintext);
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let values = "{leaderElection: {enabled: false}, replicaCount: 3, networkPolicy: {enabled: true}, \
                  extraArgs: [--log-format=text]}";
    refused(
        values,
        &["\n- replicaCount:", "\n- networkPolicy.nas:", "\n- extraArgs:"],
    );
}
