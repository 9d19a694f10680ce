//! Which files are read, and what is said of those that cannot be.

use std::fs;

use super::{Folder, SERVER, TASK};
use crate::manifest::{Fault, Place, STANDARD_INPUT};

#[test]
fn a_folder_is_read_with_all_below_it_in_the_order_of_names() {
    let second = TASK.replace("laptop", "second");
    let third = TASK.replace("laptop", "third");
    let folder = Folder::with(&[
        ("z.yaml", TASK),
        ("a/b/c.yml", &second),
        ("a/x.YAML", &third),
        ("a/readme.md", "kind: BackupTask"),
        ("a/.hidden.yaml", "kind: BackupTask"),
        (".git/config.yaml", "kind: BackupTask"),
        ("kustomization.yaml", "resources: [z.yaml]\nkind: BackupTask"),
        ("Chart.yaml", "apiVersion: v2\nname: nas"),
        ("values.yaml", "image: {tag: 1}"),
        ("list.yaml", "- 1\n- 2"),
        ("other.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replicas: many}"),
        ("empty.yaml", "# nothing\n---\n---\n# nothing\n"),
        ("server.json", &serde_json::json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupServer", "metadata": { "name": "nas" },
            "spec": { "url": "https://nas", "credentials": { "secretRef": { "name": "nas" } } },
        }).to_string()),
    ]);
    let read = folder.load(&["."]).unwrap();
    let names: Vec<_> = read.tasks.iter().map(|task| task.label().to_owned()).collect();
    assert_eq!(
        names,
        [
            r#"BackupTask "second""#,
            r#"BackupTask "third""#,
            r#"BackupTask "laptop""#
        ]
    );
    assert_eq!((read.servers.len(), read.others), (1, 1));
    assert!(
        read.tasks[0].place.file.ends_with("a/b/c.yml"),
        "{}",
        read.tasks[0].place
    );
}

#[test]
fn what_is_no_manifest_is_a_fault_only_when_it_was_named() {
    let folder = Folder::with(&[
        ("values.yaml", "image: {tag: 1}"),
        ("task.yaml", TASK),
        ("text.yaml", "hello"),
    ]);
    assert!(folder.load(&["."]).is_ok());
    for (name, line) in [("values.yaml", 1), ("text.yaml", 1)] {
        let said = folder.faults(&[name]);
        let begin = format!("{name}:{line}: apiVersion: required value is missing: what is read here is");
        assert!(said[0].starts_with(&begin), "{said:?}");
    }
}

#[test]
fn half_a_manifest_of_ours_is_a_fault_wherever_it_is() {
    let folder = Folder::with(&[
        ("a.yaml", &TASK.replace("apiVersion:", "apiversion:")),
        ("b.yaml", &TASK.replace("kind: BackupTask\n", "")),
    ]);
    let said = folder.faults(&["."]);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(
        said[0].starts_with(r#"a.yaml:1: BackupTask "laptop": apiVersion: required"#),
        "{said:?}"
    );
    assert!(
        said[1].starts_with("b.yaml:1: kind: required value is missing"),
        "{said:?}"
    );
}

#[test]
fn what_cannot_be_read_is_a_fault_like_others() {
    let folder = Folder::with(&[("a.yaml", "a: b\n"), ("empty/notes.txt", "")]);
    fs::write(folder.path("latin.yaml"), b"a: 1\nname: B\xfcro\n").unwrap();
    let said = folder.faults(&["missing.yaml", "empty", "latin.yaml", "a.yaml"]);
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said[0].starts_with("a.yaml:1: apiVersion: "), "{said:?}");
    assert_eq!(said[1], "empty: holds no .yaml, .yml or .json file");
    assert_eq!(said[2], "latin.yaml:2: is no UTF-8: save the file as UTF-8");
    assert!(
        said[3].starts_with("missing.yaml: failed to read: No such file"),
        "{said:?}"
    );
}

#[test]
fn a_file_that_is_reached_twice_is_read_once() {
    let folder = Folder::with(&[("a/task.yaml", TASK), ("server.yaml", SERVER)]);
    let read = folder
        .load(&["a/task.yaml", ".", "a", "./a/../server.yaml"])
        .unwrap();
    assert_eq!((read.tasks.len(), read.servers.len()), (1, 1));
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_a_circle_of_them_ends() {
    let folder = Folder::with(&[("..data/task.yaml", TASK)]);
    std::os::unix::fs::symlink("..data/task.yaml", folder.path("task.yaml")).unwrap();
    std::os::unix::fs::symlink(".", folder.path("again")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("broken.yaml")).unwrap();
    let said = folder.faults(&["."]);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("broken.yaml: failed to read"), "{said:?}");
    fs::remove_file(folder.path("broken.yaml")).unwrap();
    assert_eq!(folder.load(&["."]).unwrap().tasks.len(), 1);
}

#[test]
fn standard_input_is_shown_as_such() {
    let place = Place {
        file: STANDARD_INPUT.to_owned(),
        line: 7,
    };
    let fault = Fault {
        place,
        object: String::new(),
        field: "kind".to_owned(),
        message: "is wrong".to_owned(),
    };
    assert_eq!(fault.to_string(), "<stdin>:7: kind: is wrong");
}

#[test]
fn the_examples_of_the_documentation_are_right() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples");
    let read = crate::manifest::load(&[folder], "default").unwrap();
    assert!(!read.servers.is_empty() && !read.tasks.is_empty() && !read.secrets.is_empty());
}
