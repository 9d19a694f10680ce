//! Manifests as files of a folder, with a kustomization beside them. Nothing that stands there is ever overwritten: all files
//! are looked at before the first is written.

use std::{
    fmt::Write as _,
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    path::Path,
};

use crate::cli::Failure;

const KUSTOMIZATION: &str = "kustomization.yaml";
/// Kustomize takes these as well, and one of them only.
const OTHER_KUSTOMIZATIONS: [&str; 2] = ["kustomization.yml", "Kustomization"];

/// Writes one file per manifest and the kustomization; says what was written.
pub(super) fn write(folder: &Path, manifests: &[(String, String)]) -> Result<String, Failure> {
    let files = files(manifests);
    let failed = |what: &str, path: &Path, error: &dyn std::error::Error| {
        Failure::because(&format!("failed to {what} {}", path.display()), error)
    };
    let mut missing = Vec::new();
    for (name, text) in &files {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(found) if found == text.as_bytes() => {}
            Ok(_) => return Err(other(folder, name, manifests)),
            Err(error) if error.kind() == ErrorKind::NotFound => missing.push((path, text)),
            Err(error) => return Err(failed("read", &path, &error)),
        }
    }
    for name in OTHER_KUSTOMIZATIONS {
        if fs::symlink_metadata(folder.join(name)).is_ok() {
            return Err(other(folder, name, manifests));
        }
    }
    fs::create_dir_all(folder).map_err(|error| failed("make the folder", folder, &error))?;
    let mut told = String::new();
    for (path, text) in &missing {
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| failed("write", path, &error))?;
        let _ = writeln!(told, "{}", path.display());
    }
    if missing.is_empty() {
        let _ = writeln!(told, "{} has all of it already", folder.display());
    }
    Ok(told)
}

/// Names and contents, the kustomization last.
fn files(manifests: &[(String, String)]) -> Vec<(String, String)> {
    let mut kustomization =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n".to_owned();
    let mut files = Vec::new();
    for (object, text) in manifests {
        let _ = writeln!(kustomization, "  - {object}.yaml");
        files.push((format!("{object}.yaml"), text.clone()));
    }
    files.push((KUSTOMIZATION.to_owned(), kustomization));
    files
}

fn other(folder: &Path, name: &str, manifests: &[(String, String)]) -> Failure {
    let path = folder.join(name);
    let remedy = if name == KUSTOMIZATION || OTHER_KUSTOMIZATIONS.contains(&name) {
        const FEW: usize = 5;
        let names: Vec<String> = manifests
            .iter()
            .take(FEW)
            .map(|(object, _)| format!("{object}.yaml"))
            .collect();
        let more = manifests.len().saturating_sub(FEW);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        format!(
            "import into an empty folder, and add to its resources by hand: {}{more}",
            names.join(", ")
        )
    } else {
        "import into an empty folder, or move it away".to_owned()
    };
    Failure::new(format!(
        "{} is there with another content, and nothing was written: {remedy}",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifests() -> Vec<(String, String)> {
        [("b", "2\n"), ("a", "1\n")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .to_vec()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_gets_a_file_for_each_in_order_and_the_same_again_changes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/backups");
        let told = write(&folder, &manifests()).unwrap();
        assert_eq!(told.lines().count(), 3, "{told}");
        assert_eq!(names(&folder), ["a.yaml", "b.yaml", "kustomization.yaml"]);
        let kustomization = fs::read_to_string(folder.join(KUSTOMIZATION)).unwrap();
        assert!(
            kustomization.ends_with("resources:\n  - b.yaml\n  - a.yaml\n"),
            "{kustomization}"
        );
        assert!(
            write(&folder, &manifests())
                .unwrap()
                .contains("has all of it already")
        );
        fs::remove_file(folder.join("a.yaml")).unwrap();
        assert_eq!(
            write(&folder, &manifests()).unwrap(),
            format!("{}\n", folder.join("a.yaml").display())
        );
    }

    #[test]
    fn nothing_is_written_where_a_file_says_something_else() {
        for (name, part) in [
            ("a.yaml", "move it away"),
            (
                "kustomization.yaml",
                "add to its resources by hand: b.yaml, a.yaml",
            ),
            ("kustomization.yml", "import into an empty folder"),
            ("Kustomization", "import into an empty folder"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), "mine\n").unwrap();
            let failure = write(folder.path(), &manifests()).unwrap_err().to_string();
            assert!(failure.contains(name) && failure.contains(part), "{failure}");
            assert_eq!(names(folder.path()), [name]);
        }
    }
}
