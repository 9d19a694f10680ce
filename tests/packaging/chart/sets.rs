//! Values that people use: every check of what is rendered goes over all of them.

use std::sync::LazyLock;

use super::helm::{Chart, Object};

/// What the chart renders with each set; rendered once for all tests.
pub(super) static RENDERED: LazyLock<Vec<(&str, Vec<Object>)>> = LazyLock::new(|| {
    SETS.iter()
        .map(|(name, values)| (*name, Chart::NOW.rendered(values)))
        .collect()
});

/// A name and values in YAML.
pub(super) const SETS: &[(&str, &str)] = &[
    ("nothing said", ""),
    ("another name", "{nameOverride: backups, crds: {install: false}}"),
    ("the whole name", "{fullnameOverride: nas-backups}"),
    ("CRDs that go with the release", "{crds: {keep: false}}"),
    ("namespaces", "{watchNamespaces: [team-a, team-b]}"),
    (
        "cluster-wide",
        "{clusterWide: {enabled: true, credentialNamespaces: [team-a, team-b]}}",
    ),
    ("cluster-wide without Secrets", "{clusterWide: {enabled: true}}"),
    (
        "an account of somebody else's",
        "{serviceAccount: {create: false, name: backups}}",
    ),
    ("rights of somebody else's", "{rbac: {create: false}}"),
    (
        "people who edit",
        "{rbac: {aggregate: {view: false, edit: true}}}",
    ),
    ("no election", "{leaderElection: {enabled: false}}"),
    (
        "a single leader",
        "{replicaCount: 2, leaderElection: {singleLeader: true}}",
    ),
    (
        "three operators",
        "{replicaCount: 3, podDisruptionBudget: {minAvailable: 2}, strategy: {type: RollingUpdate}}",
    ),
    (
        "a budget in percent",
        "{replicaCount: 4, podDisruptionBudget: {maxUnavailable: 50%}}",
    ),
    ("no budget", "{podDisruptionBudget: {enabled: false}}"),
    (
        "a Service",
        "{metrics: {service: {enabled: true, labels: {a: b}, annotations: {c: d}}}}",
    ),
    (
        "a ServiceMonitor",
        "{metrics: {port: 9090, address: '[::]', serviceMonitor: {enabled: true, labels: {release: prometheus}, \
         relabelings: [{action: labeldrop, regex: pod}], metricRelabelings: [{action: drop, sourceLabels: [a]}]}}}",
    ),
    (
        "a PodMonitor",
        "{metrics: {podMonitor: {enabled: true, labels: {release: prometheus}, annotations: {a: b}}}}",
    ),
    (
        "a NetworkPolicy",
        "{networkPolicy: {enabled: true, nas: [{cidr: 192.0.2.10/32}, {cidr: '2001:db8::1/128', port: 5443}], \
         apiServer: {cidrs: [10.0.0.1/32]}, dns: {cidrs: [169.254.20.10/32]}, \
         metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]}}",
    ),
    (
        "rules and a dashboard",
        "{prometheusRule: {enabled: true}, dashboard: {enabled: true, folder: Backups}}",
    ),
    (
        "policies",
        "{admissionPolicy: {removals: {enabled: true, allowedGroups: [backup-admins], allowedUsers: ['a \"b\" <c>']}, \
         requestOnly: {enabled: true, groups: ['system:serviceaccounts:ci']}}}",
    ),
    (
        "policies cluster-wide, tried out",
        "{clusterWide: {enabled: true, credentialNamespaces: [team-a]}, \
         admissionPolicy: {validationActions: [Warn, Audit], removals: {enabled: true}, \
         requestOnly: {enabled: true, users: [robot]}}}",
    ),
    (
        "objects",
        "{servers: [{name: nas, labels: {a: b}, annotations: {c: d}, spec: {url: 'https://nas.example.org:5001', \
         credentials: {secretRef: {name: nas}}}}], \
         tasks: [{name: laptop, spec: {serverRef: {name: nas}, task: {name: My-Laptop}, \
         triggers: {schedule: '30 2 * * *', maxAge: 26h}}}]}",
    ),
    (
        "objects elsewhere that go with the release",
        "{watchNamespaces: [team-a], keepObjects: false, tasks: [{name: a, namespace: team-a, \
         spec: {serverRef: {name: nas}, task: {id: 5}}}]}",
    ),
    (
        "all that a Pod may have",
        "{image: {tag: 0.1.0, digest: 'sha256:0000000000000000000000000000000000000000000000000000000000000000'}, \
         imagePullSecrets: [{name: registry}], commonLabels: {team: storage}, podLabels: {color: blue}, \
         podAnnotations: {a: b}, deploymentAnnotations: {c: d}, extraArgs: [--help], \
         extraEnv: [{name: HTTPS_PROXY, value: 'http://proxy:3128'}], extraVolumes: [{name: x, emptyDir: {}}], \
         extraVolumeMounts: [{name: x, mountPath: /x}], tolerations: [{operator: Exists}], \
         affinity: {nodeAffinity: {}}, priorityClassName: system-cluster-critical, \
         topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}, \
         {maxSkew: 2, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {a: b}}}], \
         hostAliases: [{ip: 192.0.2.10, hostnames: [nas]}], dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.1]}, \
         logLevel: 'info,abb_operator::nas=debug', logFormat: text}",
    ),
    (
        "maps that are emptied",
        "{resources: null, nodeSelector: null, livenessProbe: null, readinessProbe: null}",
    ),
    ("a part of another chart", "{global: {a: b}, enabled: true}"),
];
