//! What the operator is granted: eighteen rights in any mode, and no Secret beyond the namespaces that are named.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    helm::{Chart, Object, the},
    sets::RENDERED,
};

/// (group, resource, verb), as the documentation lists them.
const GRANTED: [(&str, &str, &str); 18] = [
    ("", "configmaps", "get"),
    ("", "secrets", "get"),
    ("activebackup.dev", "backupservers", "get"),
    ("activebackup.dev", "backupservers", "list"),
    ("activebackup.dev", "backupservers", "watch"),
    ("activebackup.dev", "backupservers/status", "patch"),
    ("activebackup.dev", "backuptasks", "get"),
    ("activebackup.dev", "backuptasks", "list"),
    ("activebackup.dev", "backuptasks", "patch"),
    ("activebackup.dev", "backuptasks", "watch"),
    ("activebackup.dev", "backuptasks/status", "patch"),
    ("coordination.k8s.io", "leases", "create"),
    ("coordination.k8s.io", "leases", "delete"),
    ("coordination.k8s.io", "leases", "list"),
    ("coordination.k8s.io", "leases", "patch"),
    ("coordination.k8s.io", "leases", "watch"),
    ("events.k8s.io", "events", "create"),
    ("events.k8s.io", "events", "patch"),
];

/// A right, and where: a namespace, or nothing for the whole cluster.
type Grant = (String, String, String, Option<String>);

/// What the bindings to the operator's account grant.
fn grants(objects: &[Object], account: &str) -> BTreeSet<Grant> {
    let mut found = BTreeSet::new();
    for binding in objects {
        let cluster = binding.kind() == "ClusterRoleBinding";
        if !cluster && binding.kind() != "RoleBinding" {
            continue;
        }
        assert_eq!(
            binding.0["subjects"],
            serde_json::json!([{ "kind": "ServiceAccount", "name": account, "namespace": "abb-operator" }]),
            "{}",
            binding.id()
        );
        let reference = &binding.0["roleRef"];
        assert_eq!(reference["apiGroup"], "rbac.authorization.k8s.io");
        let role = objects
            .iter()
            .find(|role| {
                reference["kind"] == role.kind()
                    && reference["name"] == role.name()
                    && (role.kind() == "ClusterRole" || role.namespace() == binding.namespace())
            })
            .unwrap_or_else(|| panic!("{} binds a role that is not there", binding.id()));
        let place = (!cluster).then(|| binding.namespace().to_owned());
        for (group, resource, verb) in rules(role) {
            found.insert((group, resource, verb, place.clone()));
        }
    }
    found
}

fn rules(role: &Object) -> Vec<(String, String, String)> {
    let texts = |rule: &Value, key: &str| -> Vec<String> {
        let list = rule[key].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|text| text.as_str().unwrap().to_owned())
            .collect()
    };
    let mut found = Vec::new();
    for rule in role.0["rules"].as_array().unwrap() {
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    found.push((group.clone(), resource.clone(), verb));
                }
            }
        }
    }
    found
}

fn everything(places: &[Option<&str>], lease: Option<&str>, credentials: &[&str]) -> BTreeSet<Grant> {
    let mut expected = BTreeSet::new();
    for (group, resource, verb) in GRANTED {
        let mut add = |place: Option<&str>| {
            expected.insert((
                group.to_owned(),
                resource.to_owned(),
                verb.to_owned(),
                place.map(str::to_owned),
            ));
        };
        match group {
            "coordination.k8s.io" => lease.into_iter().for_each(|place| add(Some(place))),
            "" => credentials.iter().for_each(|place| add(Some(place))),
            _ => places.iter().for_each(|place| add(*place)),
        }
    }
    expected
}

#[test]
fn each_mode_grants_the_eighteen_rights_where_they_are_needed_and_nothing_else() {
    let home = "abb-operator";
    for (values, places, lease, credentials) in [
        ("", &[Some(home)][..], Some(home), &[home][..]),
        (
            "{watchNamespaces: [team-a, team-b]}",
            &[Some("team-a"), Some("team-b")],
            Some(home),
            &["team-a", "team-b"],
        ),
        (
            "{clusterWide: {enabled: true, credentialNamespaces: [team-a, team-b]}}",
            &[None],
            Some(home),
            &["team-a", "team-b"],
        ),
        ("{clusterWide: {enabled: true}}", &[None], Some(home), &[]),
        ("{leaderElection: {enabled: false}}", &[Some(home)], None, &[home]),
    ] {
        let objects = Chart::NOW.rendered(values);
        let granted = grants(&objects, "abb-operator");
        assert_eq!(granted, everything(places, lease, credentials), "{values}");
    }
}

/// A single leader writes to its own Lease alone. `create` cannot be held to a name, and it has to see whether others share.
#[test]
fn the_lease_of_a_single_leader_is_its_own() {
    for (values, name) in [
        ("{leaderElection: {singleLeader: true}}", "abb-operator"),
        (
            "{fullnameOverride: backups, leaderElection: {singleLeader: true}}",
            "backups",
        ),
    ] {
        let objects = Chart::NOW.rendered(values);
        let role = the(&objects, "Role", &format!("{name}-lease"));
        let first = &role["rules"][0];
        assert_eq!(first["verbs"], serde_json::json!(["create", "list", "watch"]));
        assert_eq!(role["rules"][1]["verbs"], serde_json::json!(["patch"]));
        assert_eq!(role["rules"][1]["resourceNames"], serde_json::json!([name]));
        assert_eq!(role["rules"].as_array().unwrap().len(), 2);
        let container = &the(&objects, "Deployment", name)["spec"]["template"]["spec"]["containers"][0];
        assert!(
            container["args"]
                .to_string()
                .contains(&format!("\"--lease-name={name}\""))
        );
    }
}

#[test]
fn no_values_grant_a_secret_cluster_wide_or_a_wildcard() {
    for (name, objects) in RENDERED.iter() {
        for role in objects {
            if !["Role", "ClusterRole"].contains(&role.kind()) {
                continue;
            }
            for (group, resource, verb) in rules(role) {
                assert!(
                    ![&group, &resource, &verb].iter().any(|part| part.contains('*')),
                    "{name}: {} has a wildcard",
                    role.id()
                );
                let is_secret = group.is_empty() && ["secrets", "configmaps"].contains(&resource.as_str());
                assert!(
                    !is_secret || (role.kind() == "Role" && verb == "get"),
                    "{name}: {} may {verb} {resource}",
                    role.id()
                );
            }
        }
    }
}

#[test]
fn another_account_gets_the_rights_and_no_account_is_made() {
    let objects = Chart::NOW.rendered("{serviceAccount: {create: false, name: backups}}");
    assert_eq!(grants(&objects, "backups").len(), 18);
    assert!(!objects.iter().any(|object| object.kind() == "ServiceAccount"));

    let none = Chart::NOW.rendered("{rbac: {create: false}}");
    assert!(!none.iter().any(|object| object.kind().contains("Role")));
}

#[test]
fn people_may_view_by_default_and_edit_on_request() {
    let people = |values: &str| -> BTreeSet<(String, Vec<String>, BTreeSet<String>)> {
        let objects = Chart::NOW.rendered(values);
        let roles = objects.iter().filter(|object| object.kind() == "ClusterRole");
        roles
            .map(|role| {
                let labels = role.0["metadata"]["labels"].as_object().unwrap();
                let to = labels
                    .iter()
                    .filter(|(_, value)| *value == "true")
                    .filter_map(|(key, _)| key.strip_prefix("rbac.authorization.k8s.io/aggregate-to-"));
                let verbs = rules(role).into_iter().map(|(_, _, verb)| verb).collect();
                (role.name().to_owned(), to.map(str::to_owned).collect(), verbs)
            })
            .collect()
    };
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let view = (
        "abb-operator-view.abb-operator".to_owned(),
        list(&["admin", "edit", "view"]),
        set(&["get", "list", "watch"]),
    );
    let edit = (
        "abb-operator-edit.abb-operator".to_owned(),
        list(&["admin", "edit"]),
        set(&["create", "delete", "deletecollection", "patch", "update"]),
    );
    assert_eq!(people(""), [view.clone()].into());
    assert_eq!(people("{rbac: {aggregate: {edit: true}}}"), [view, edit].into());
    assert_eq!(people("{rbac: {aggregate: {view: false}}}"), BTreeSet::new());
}
