//! Manifests as people write them, and what is said of them where.

mod corpus;
mod files;
mod kinds;
mod lines;

use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::{Fault, Manifests, load};

/// A folder with files.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let path = folder.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, names: &[&str]) -> Result<Manifests, Vec<Fault>> {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.path(name)).collect();
        load(&paths, "backups")
    }

    /// Faults as they are shown, without the folder.
    fn faults(&self, names: &[&str]) -> Vec<String> {
        let Err(faults) = self.load(names) else {
            panic!("nothing is wrong with {names:?}")
        };
        let prefix = format!("{}/", self.0.path().display());
        faults
            .iter()
            .map(|fault| fault.to_string().replace(&prefix, ""))
            .collect()
    }
}

/// What is said of one text in a file `a.yaml`.
fn faults(text: &str) -> Vec<String> {
    Folder::with(&[("a.yaml", text)]).faults(&["a.yaml"])
}

/// What one text in a file `a.yaml` declares.
fn objects(text: &str) -> Manifests {
    Folder::with(&[("a.yaml", text)]).load(&["a.yaml"]).unwrap()
}

const SERVER: &str = "\
apiVersion: activebackup.dev/v1alpha1
kind: BackupServer
metadata:
  name: nas
spec:
  url: https://nas:5001
  credentials:
    secretRef:
      name: nas
";

const TASK: &str = "\
apiVersion: activebackup.dev/v1alpha1
kind: BackupTask
metadata:
  name: laptop
spec:
  serverRef:
    name: nas
  task:
    name: pc-1
";
