//! One corpus of manifests, judged by the real API server and by `manifest`: the same verdict for each document, the same
//! words where a rule refuses it, the same object where it is accepted. The text is sent as it stands, so the API server
//! reads the YAML itself.

#[path = "../fixtures/manifests/corpus.rs"]
mod files;

use std::collections::BTreeSet;

use abb_operator::{
    api::{BackupServer, BackupTask},
    manifest::{self, Fault, Manifests},
};
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::Value;

use self::files::Case;
use super::harness::{Namespace, cluster};

const AT_ONCE: usize = 8;
/// The API server adds this when a mistake keeps it from trying the rules.
const RULES_NOT_TRIED: &str = "some validation rules were not checked";

/// What the API server said: the object, or each thing that is wrong.
type Verdict = Result<Value, Vec<Cause>>;

#[derive(Debug)]
struct Cause {
    field: String,
    message: String,
}

#[tokio::test]
async fn both_judge_each_manifest_alike() {
    let namespace = cluster().await.namespace("corpus").await;
    let client = namespace.client().await;
    let cases = files::cases();
    assert!(cases.len() > 300, "{}", cases.len());
    let judge = async |case: &Case| {
        let theirs = ask(&client, http::Method::POST, &namespace, case, "dryRun=All").await;
        let ours = read(case, namespace.name());
        compare(case, &theirs, &ours)
    };
    let wrong: Vec<String> = stream::iter(&cases)
        .map(judge)
        .buffer_unordered(AT_ONCE)
        .filter_map(async |wrong| wrong)
        .collect()
        .await;
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn both_judge_each_change_alike() {
    let namespace = cluster().await.namespace("changes").await;
    let client = namespace.client().await;
    let mut wrong = Vec::new();
    for (number, (before, after)) in files::changes().into_iter().enumerate() {
        let named = |case: &Case| Case {
            text: case.text.replace("name: it}", &format!("name: it-{number}}}")),
            ..case.clone()
        };
        let (before, after) = (named(&before), named(&after));
        let kept = ask(&client, http::Method::PATCH, &namespace, &before, "").await;
        assert!(kept.is_ok(), "{}: {kept:?}", before.place);
        let theirs = ask(&client, http::Method::PATCH, &namespace, &after, "dryRun=All").await;
        let ours = read(&after, namespace.name()).and_then(|objects| {
            let mut faults = Vec::new();
            let old = read(&before, namespace.name()).unwrap();
            for (old, new) in old.tasks.iter().zip(&objects.tasks) {
                faults.extend(manifest::changes(&old.object, new));
            }
            for (old, new) in old.servers.iter().zip(&objects.servers) {
                faults.extend(manifest::changes(&old.object, new));
            }
            if faults.is_empty() {
                Ok(objects)
            } else {
                Err(faults)
            }
        });
        wrong.extend(compare(&after, &theirs, &ours));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where ours differs from the API server's own YAML for kubectl's sake, kubectl is asked.
#[tokio::test]
async fn kubectl_takes_merged_fields_and_escapes_of_json() {
    let namespace = cluster().await.namespace("differences").await;
    let merged = files::cases()
        .into_iter()
        .find(|case| case.what.starts_with("a field beside a merged one"))
        .unwrap();
    let json = r#"{"apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask", "metadata": {"name": "json"},
        "spec": {"serverRef": {"name": "nas"}, "task": {"name": "a\/b \ud83d\uddc4"}}}"#;
    for (kind, text) in [("it", merged.text.as_str()), ("json", json)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("case.yaml");
        std::fs::write(&path, text).unwrap();
        let arguments = [
            "apply",
            "--dry-run=server",
            "-o",
            "json",
            "-f",
            path.to_str().unwrap(),
        ];
        let theirs: Value = serde_json::from_str(&namespace.kubectl(&arguments).await.ok()).unwrap();
        let ours = manifest::load(&[path], namespace.name()).unwrap();
        assert_eq!(ours.tasks[0].document()["spec"], theirs["spec"], "{kind}");
    }
}

/// Sends a document as it stands; what is created is named by it.
async fn ask(
    client: &kube::Client,
    method: http::Method,
    namespace: &Namespace,
    case: &Case,
    query: &str,
) -> Verdict {
    let resource = format!("{}s", case.kind().to_lowercase());
    let group = if case.kind().starts_with("Backup") {
        "apis/activebackup.dev/v1alpha1"
    } else {
        "api/v1"
    };
    let mut path = format!("/{group}/namespaces/{}/{resource}", namespace.name());
    let mut content = "application/yaml";
    let mut query = format!("{query}&fieldValidation=Strict&fieldManager=test");
    if method == http::Method::PATCH {
        let name = case
            .text
            .split("name: ")
            .nth(1)
            .unwrap()
            .split('}')
            .next()
            .unwrap();
        path = format!("{path}/{name}");
        content = "application/apply-patch+yaml";
        query.push_str("&force=true");
    }
    let request = http::Request::builder()
        .method(method)
        .uri(format!("{path}?{query}"))
        .header(http::header::CONTENT_TYPE, content)
        .header(http::header::ACCEPT, "application/json")
        .body(case.text.clone().into_bytes())
        .unwrap();
    match client.request::<Value>(request).await {
        Ok(object) => Ok(object),
        Err(kube::Error::Api(status)) => {
            let causes = status
                .details
                .as_ref()
                .map_or(&[][..], |details| details.causes.as_slice());
            if causes.is_empty() {
                return Err(vec![Cause {
                    field: String::new(),
                    message: status.message.clone(),
                }]);
            }
            Err(causes
                .iter()
                .map(|cause| Cause {
                    field: cause.field.clone(),
                    message: cause.message.clone(),
                })
                .collect())
        }
        Err(error) => panic!("{}: failed to ask the API server: {error:?}", case.place),
    }
}

/// Reads a document as `plan` does.
fn read(case: &Case, namespace: &str) -> Result<Manifests, Vec<Fault>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.yaml");
    std::fs::write(&path, &case.text).unwrap();
    manifest::load(&[path], namespace)
}

/// What is wrong with the pair of verdicts.
fn compare(case: &Case, theirs: &Verdict, ours: &Result<Manifests, Vec<Fault>>) -> Option<String> {
    let said = match (theirs, ours) {
        (Ok(theirs), Ok(ours)) if case.verdict == "accepted" => differing_objects(theirs, ours),
        (Err(theirs), Err(ours)) if case.verdict == "refused" => differing_words(theirs, ours),
        (Ok(theirs), Ok(ours)) if case.verdict == "differs" && differing_objects(theirs, ours).is_some() => {
            None
        }
        (theirs, ours) if case.verdict == "differs" && theirs.is_ok() != ours.is_ok() => None,
        (theirs, ours) => {
            let verdict = |is_accepted| if is_accepted { "accepted" } else { "refused" };
            let (theirs_is, ours_is) = (verdict(theirs.is_ok()), verdict(ours.is_ok()));
            Some(format!(
                "the API server: {theirs_is}, ours: {ours_is}\n  {:?}\n  {:?}",
                theirs.as_ref().err(),
                ours.as_ref().err()
            ))
        }
    };
    said.map(|said| format!("{} ({}: {}): {said}", case.place, case.verdict, case.what))
}

/// The object that would be kept, and what the operator reads from it.
fn differing_objects(theirs: &Value, ours: &Manifests) -> Option<String> {
    let same_as_read;
    let document = if let [server] = ours.servers.as_slice() {
        let read: BackupServer = serde_json::from_value(theirs.clone()).unwrap();
        same_as_read = read.spec == server.object.spec;
        server.document()
    } else if let [task] = ours.tasks.as_slice() {
        let read: BackupTask = serde_json::from_value(theirs.clone()).unwrap();
        same_as_read = read.spec == task.object.spec;
        task.document()
    } else if let [secret] = ours.secrets.as_slice() {
        let read: Secret = serde_json::from_value(theirs.clone()).unwrap();
        same_as_read = read.data.unwrap_or_default() == secret.object.data.clone().unwrap_or_default();
        secret.document()
    } else {
        let read: ConfigMap = serde_json::from_value(theirs.clone()).unwrap();
        let ours = &ours.config_maps[0];
        same_as_read = read.data == ours.object.data && read.binary_data == ours.object.binary_data;
        ours.document()
    };
    let mut differing: Vec<&str> = Vec::new();
    if !same_as_read || document["spec"] != theirs["spec"] {
        differing.push("spec");
    }
    for field in [
        "name",
        "namespace",
        "labels",
        "annotations",
        "finalizers",
        "ownerReferences",
    ] {
        if document["metadata"][field] != theirs["metadata"][field] {
            differing.push(field);
        }
    }
    (!differing.is_empty()).then(|| format!("{differing:?} differ\n  {theirs}\n  {document}"))
}

/// Where the API server names fields, ours are the same, and so are the words. Left out, each for its reason:
///
/// - what it could not even decode (a field that is unknown or stands twice, metadata of a wrong type): it then says
///   nothing else, and ours says the rest as well;
/// - `metadata`: its words are Kubernetes' own, and it names `metadata.labels` where ours names the key;
/// - a wrong type beside an unsupported value: ours names the values only;
/// - a pattern beside other words on the same field: ours says the words only; a time that its pattern refuses is
///   "of type date-time" in ours, as it is when the format refuses it;
/// - a change to an object that is wrong by itself: ours does not go on to compare it with what was before;
/// - `<nil>`, a second mention of a float for an integer, and that the rules were not tried.
fn differing_words(theirs: &[Cause], ours: &[Fault]) -> Option<String> {
    const OF_A_CHANGE: &str = "is immutable";
    // Secrets and ConfigMaps have rules of Kubernetes' own, in its words.
    let is_of_kubernetes = ours.iter().any(|fault| !fault.object.starts_with("Backup"));
    if is_of_kubernetes || theirs.iter().all(|cause| cause.field.is_empty()) {
        return None;
    }
    let rules = rule_messages();
    let mut fields: BTreeSet<(String, String)> = theirs
        .iter()
        .filter(|cause| cause.field != "<nil>" && !cause.message.contains(RULES_NOT_TRIED))
        .map(|cause| (cause.field.clone(), core(&rules, &cause.field, &cause.message)))
        .collect();
    let all = fields.clone();
    fields.retain(|(field, words)| {
        let others = || {
            all.iter()
                .filter(|(other, others)| other == field && others != words)
        };
        let is_needless = words.starts_with("should match") && others().next().is_some()
            || words.starts_with("must be of type")
                && others().any(|(_, words)| words.starts_with("unsupported value"));
        !is_needless
    });
    let theirs: BTreeSet<_> = fields
        .into_iter()
        .map(|pair| without_metadata(pair.0, &pair.1))
        .collect();
    let ours: BTreeSet<_> = ours
        .iter()
        .map(|fault| without_metadata(fault.field.clone(), &core(&rules, &fault.field, &fault.message)))
        .collect();
    let is_of_change = |(_, words): &(String, String)| words.starts_with(OF_A_CHANGE);
    let theirs: BTreeSet<_> = theirs
        .into_iter()
        .filter(|said| !is_of_change(said) || ours.iter().any(is_of_change))
        .collect();
    (ours != theirs).then(|| format!("\n  {theirs:?}\n  {ours:?}"))
}

fn without_metadata(field: String, words: &str) -> (String, String) {
    match field.split(['.', '[']).collect::<Vec<_>>().as_slice() {
        ["metadata", part, ..] => (format!("metadata.{part}"), String::new()),
        _ => (field, words.to_owned()),
    }
}

/// The words without the value and the remedy; a rule's message is whole.
fn core(rules: &[String], field: &str, message: &str) -> String {
    if let Some(rule) = rules.iter().find(|rule| message.ends_with(rule.as_str())) {
        return rule.clone();
    }
    let words = message
        .rsplit_once(" in body ")
        .map_or(message, |(_, words)| words);
    let mut words = words
        .strip_prefix(&format!("{field}: "))
        .unwrap_or(words)
        .to_owned();
    for remedy in [
        ", not ",
        ", such as ",
        ": put it in quotes",
        " bytes",
        " characters",
        " is missing",
        " items",
    ] {
        words.truncate(words.find(remedy).unwrap_or(words.len()));
    }
    if words.starts_with("must be of type") {
        words.truncate(words.find(": ").unwrap_or(words.len()));
    }
    let words = words
        .replace("of type int32", "of type integer")
        .replace("of type int64", "of type integer");
    if words.starts_with("should match '^[0-9]{4}-") {
        return "must be of type date-time".to_owned();
    }
    let mut letters = words.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

fn rule_messages() -> Vec<String> {
    fn collect(schema: &Value, found: &mut Vec<String>) {
        if let Some(rules) = schema["x-kubernetes-validations"].as_array() {
            found.extend(
                rules
                    .iter()
                    .map(|rule| rule["message"].as_str().unwrap().to_owned()),
            );
        }
        match schema {
            Value::Object(fields) => fields.values().for_each(|field| collect(field, found)),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(
        &serde_json::to_value(abb_operator::api::definitions()).unwrap(),
        &mut found,
    );
    // The longest first: none may be taken for the end of another.
    found.sort_by_key(|message| std::cmp::Reverse(message.len()));
    found
}
