//! Kinds and names; what a Secret and a ConfigMap hold.

use super::{Folder, SERVER, TASK, faults, objects};

#[test]
fn unknown_versions_and_kinds_of_ours_are_faults_that_name_what_exists() {
    for (from, to, said) in [
        (
            "v1alpha1",
            "v1",
            r#"a.yaml:1: BackupTask "laptop": apiVersion: unknown version "activebackup.dev/v1": there is BackupServer and BackupTask of activebackup.dev/v1alpha1"#,
        ),
        (
            "BackupTask",
            "BackupTasks",
            r#"a.yaml:2: BackupTasks "laptop": kind: unknown kind "BackupTasks": did you mean BackupTask?"#,
        ),
        (
            "BackupTask",
            "Schedule",
            r#"a.yaml:2: Schedule "laptop": kind: unknown kind "Schedule": there is BackupServer and BackupTask of activebackup.dev/v1alpha1"#,
        ),
        (
            "activebackup.dev",
            "active-backup.dev",
            r#"a.yaml:1: BackupTask "laptop": apiVersion: unknown group "active-backup.dev": did you mean activebackup.dev?"#,
        ),
    ] {
        assert_eq!(faults(&TASK.replace(from, to)), [said]);
    }
    assert_eq!(
        objects(&TASK.replace("activebackup.dev/v1alpha1", "velero.io/v1")).others,
        1
    );
}

#[test]
fn the_namespace_is_filled_in_and_an_object_may_stand_once_in_each() {
    let elsewhere = TASK.replace("  name: laptop", "  name: laptop\n  namespace: other");
    let read = objects(&format!("{TASK}---\n{elsewhere}"));
    let namespaces: Vec<_> = read
        .tasks
        .iter()
        .map(|task| task.object.metadata.namespace.as_deref())
        .collect();
    assert_eq!(namespaces, [Some("backups"), Some("other")]);
    let folder = Folder::with(&[("a.yaml", TASK), ("b.yaml", &format!("{SERVER}---\n{TASK}"))]);
    let said = folder.faults(&["b.yaml", "a.yaml"]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with(r#"a.yaml:4: BackupTask "laptop": metadata.name: is declared twice in the namespace "backups", first at "#)
            && said[0].ends_with("b.yaml:11: keep one"),
        "{said:?}"
    );
}

#[test]
fn a_generated_name_is_refused_with_the_reason() {
    let said = faults(&TASK.replace("  name: laptop", "  generateName: laptop-"));
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("a.yaml:3: BackupTask: metadata.name: required value is missing: a name that"),
        "{said:?}"
    );
}

#[test]
fn what_only_a_cluster_sets_is_taken_away() {
    let text = TASK.replace(
        "  name: laptop",
        "  name: laptop\n  uid: u\n  resourceVersion: \"7\"\n  deletionTimestamp: 2026-01-02T03:04:05Z\n  generation: 3\n  \
         managedFields: [{manager: kubectl, operation: Update, fieldsV1: {\"f:spec\": {}}}]",
    );
    let read = objects(&format!("{text}status: {{state: Running}}\n"));
    let task = &read.tasks[0].object;
    assert!(!task.is_deleted() && task.metadata.uid.is_none() && task.metadata.resource_version.is_none());
    assert!(task.metadata.managed_fields.is_none() && task.status.is_none());
}

#[test]
fn secrets_and_config_maps_are_read_with_their_texts() {
    let text = "\
apiVersion: v1
kind: Secret
metadata: {name: nas}
data: {username: YWJi, password: b2xk}
stringData: {password: new}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: ca}
data:
  ca.crt: |
    -----BEGIN CERTIFICATE-----
";
    let read = objects(text);
    let secret = read.secrets[0].object.data.as_ref().unwrap();
    assert_eq!(
        (secret["username"].0.as_slice(), secret["password"].0.as_slice()),
        (&b"abb"[..], &b"new"[..])
    );
    assert!(read.secrets[0].object.string_data.is_none());
    assert_eq!(
        read.config_maps[0].object.data.as_ref().unwrap()["ca.crt"],
        "-----BEGIN CERTIFICATE-----\n"
    );
    assert_eq!(read.config_maps[0].at("data[ca.crt]").line, 11);
}

#[test]
fn a_fault_of_a_secret_never_shows_what_it_holds() {
    let text = "\
apiVersion: v1
kind: Secret
metadata: {name: nas}
data:
  password: hunter2!
  token: 12345678
  bad key: aHVudGVyMg==
stringdata: {password: hunter2}
stringData: {username: [hunter2]}
immutable: hunter2
";
    let said = faults(text);
    assert_eq!(
        said,
        [
            r#"a.yaml:5: Secret "nas": data.password: must be base64: write plain text below stringData"#,
            r#"a.yaml:6: Secret "nas": data.token: must be of type string, not integer: put it in quotes"#,
            r#"a.yaml:7: Secret "nas": data[bad key]: the key must be at most 253 letters, digits, '-', '_' and '.', and must not begin with '..'"#,
            r#"a.yaml:8: Secret "nas": stringdata: unknown field: did you mean "stringData"?"#,
            r#"a.yaml:9: Secret "nas": stringData.username: must be of type string, not array"#,
            r#"a.yaml:10: Secret "nas": immutable: must be of type boolean, not string"#,
        ]
    );
    let read =
        objects("apiVersion: v1\nkind: Secret\nmetadata: {name: nas}\nstringData: {password: hunter2}\n");
    assert!(!format!("{read:?}").contains("hunter2") && !format!("{read:?}").contains("aHVudGVyMg"));
    for data in [
        "data: hunter2\nstringData: {a: b}\n",
        "data: [hunter2]\n",
        "stringData: hunter2\n",
    ] {
        let said = faults(&format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: nas}}\n{data}"
        ));
        assert!(!said.concat().contains("hunter2") && said.len() == 1, "{said:?}");
    }
}
