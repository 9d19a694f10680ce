//! The operator's account in a namespace: the one that the chart makes, with the chart's own roles, bound by the chart's own
//! bindings. What the operator asks for beyond them fails in the tests.

use std::collections::BTreeSet;

use k8s_openapi::api::{authentication::v1::TokenRequest, rbac::v1::PolicyRule};
use serde_json::{Value, json};

use super::cluster::Cluster;

/// The chart as it stands in the repository.
pub const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/abb-operator");
/// Name of the release in the tests, and by it of the service account.
pub const RELEASE: &str = "abb-operator";

/// Group, resource with its subresource, verb.
pub type Right = (String, String, String);

/// The operator's user in a namespace, as it stands in audit events.
pub fn operator_user(namespace: &str) -> String {
    format!("system:serviceaccount:{namespace}:{RELEASE}")
}

/// Whether an audit event's user is the operator of some namespace.
pub fn is_operator(user: &str) -> bool {
    user.starts_with("system:serviceaccount:") && user.ends_with(&format!(":{RELEASE}"))
}

/// What the chart renders for a release in `namespace` that watches the given ones, without the definitions.
pub async fn rendered(cluster: &Cluster, namespace: &str, watched: &[&str]) -> Vec<Value> {
    let watch = format!("watchNamespaces={{{}}}", watched.join(","));
    let arguments = [
        "template",
        RELEASE,
        CHART,
        "-n",
        namespace,
        "--set",
        "crds.install=false",
        "--set",
        &watch,
    ];
    let text = cluster.helm(&arguments).await.ok();
    serde_saphyr::from_multiple(&text).unwrap()
}

/// Makes the chart's service account, roles and bindings.
pub async fn give(cluster: &Cluster, client: &kube::Client, namespace: &str, watched: &[&str]) {
    for object in rendered(cluster, namespace, watched).await {
        let Some((version, resource)) = (match object["kind"].as_str() {
            Some("ServiceAccount") => Some(("api/v1", "serviceaccounts")),
            Some("Role") => Some(("apis/rbac.authorization.k8s.io/v1", "roles")),
            Some("RoleBinding") => Some(("apis/rbac.authorization.k8s.io/v1", "rolebindings")),
            _ => None,
        }) else {
            continue;
        };
        let (place, name) = (
            text(&object["metadata"]["namespace"]),
            text(&object["metadata"]["name"]),
        );
        let uri = format!("/{version}/namespaces/{place}/{resource}/{name}?fieldManager=tests&force=true");
        let request = http::Request::patch(uri)
            .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml")
            .body(object.to_string().into_bytes())
            .unwrap();
        let _applied: Value = client.request(request).await.unwrap();
    }
}

/// A token of the service account, as a kubelet would fetch it.
pub async fn token_of(client: &kube::Client, namespace: &str) -> String {
    let wanted = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": { "audiences": [] } });
    let request = http::Request::post(format!(
        "/api/v1/namespaces/{namespace}/serviceaccounts/{RELEASE}/token"
    ))
    .header(http::header::CONTENT_TYPE, "application/json")
    .body(wanted.to_string().into_bytes())
    .unwrap();
    let answer: TokenRequest = client.request(request).await.unwrap();
    answer.status.unwrap().token.unwrap()
}

/// What the rendered bindings give the operator's account; a role that is bound to nobody (those for people) gives nothing.
pub fn granted(objects: &[Value]) -> BTreeSet<Right> {
    let is_bound = |role: &Value| {
        objects.iter().any(|binding| {
            binding["roleRef"]["kind"] == role["kind"]
                && binding["roleRef"]["name"] == role["metadata"]["name"]
        })
    };
    objects
        .iter()
        .filter(|object| object["rules"].is_array() && is_bound(object))
        .flat_map(|role| serde_json::from_value::<Vec<PolicyRule>>(role["rules"].clone()).unwrap())
        .flat_map(|rule| rights_of(&rule))
        .collect()
}

fn rights_of(rule: &PolicyRule) -> Vec<Right> {
    let mut rights = Vec::new();
    for group in rule.api_groups.iter().flatten() {
        for resource in rule.resources.iter().flatten() {
            for verb in &rule.verbs {
                rights.push((group.clone(), resource.clone(), verb.clone()));
            }
        }
    }
    rights
}

/// The rights that an operator's requests to objects have needed, and those that it lacked, with the namespace.
pub fn used(cluster: &Cluster) -> (BTreeSet<Right>, BTreeSet<(Right, String)>) {
    let (mut used, mut lacking) = (BTreeSet::new(), BTreeSet::new());
    let events = cluster.audit(|event| {
        event["user"]["username"].as_str().is_some_and(is_operator)
            && event["objectRef"]["resource"].is_string()
    });
    for event in events {
        let object = &event["objectRef"];
        let resource = match object["subresource"].as_str() {
            Some(part) => format!("{}/{part}", text(&object["resource"])),
            None => text(&object["resource"]),
        };
        let right = (text(&object["apiGroup"]), resource, text(&event["verb"]));
        if event["annotations"]["authorization.k8s.io/decision"] == "allow" {
            used.insert(right);
        } else {
            lacking.insert((right, text(&object["namespace"])));
        }
    }
    (used, lacking)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
