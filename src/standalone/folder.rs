//! The folder in which `apply` keeps what an API server would keep: one file per object, as a manifest with its status.
//! A file is written beside its place, flushed to the disk and renamed, so that a crash leaves the old or the new one. One
//! process has the folder at a time.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    api::{BackupServer, BackupTask},
    controller::{cluster::WriteError, store::Keeper},
};

const TASKS: &str = "backuptasks";
const SERVERS: &str = "backupservers";
// No namespace begins with a dot.
const LOCK: &str = ".lock";
const ANSWERS: &str = ".answers.json";
const KEY: &str = ".key";

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system refused.
    #[error("failed to use {path}: {source}")]
    Io {
        /// Which file or folder.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Another process has it.
    #[error("failed to lock {path}: another apply is using this folder; wait for its end")]
    Locked {
        /// Which folder.
        path: String,
    },
    /// A file in it is not what was written there.
    #[error(
        "failed to read {path}: {why}; without it a run that was asked for would be asked for again: restore the file, or \
         delete it if no run may be under way"
    )]
    Broken {
        /// Which file.
        path: String,
        /// Why.
        why: String,
    },
}

/// The folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    // The first write that failed: what it was for was not done, and somebody has to be told.
    failure: Mutex<Option<String>>,
    // Held until the end of the process; the operating system lets go of it after a kill.
    _lock: Option<File>,
}

impl Folder {
    /// Takes the folder for this process, and makes it where there is none.
    ///
    /// # Errors
    /// Where it cannot be made, written, or another process has it.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        let failed = |source| failed(path, source);
        private_folder(path).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                failure: Mutex::default(),
                _lock: Some(lock),
            }),
            Err(fs::TryLockError::WouldBlock) => Err(FolderError::Locked {
                path: path.display().to_string(),
            }),
            Err(fs::TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Only reads; what another process writes at the same time is seen in whole files.
    #[must_use]
    pub fn read_only(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            failure: Mutex::default(),
            _lock: None,
        }
    }

    /// Why something could not be kept, if so.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The answers to open calls.
    ///
    /// # Errors
    /// [`FolderError::Broken`] and [`FolderError::Io`].
    pub fn answers(&self) -> Result<Answers, FolderError> {
        let path = self.path.join(ANSWERS);
        if path.exists() {
            read(&path)
        } else {
            Ok(Answers::new())
        }
    }

    /// Keeps the answers to open calls.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn write_answers(&self, answers: &Answers) -> Result<(), FolderError> {
        let path = self.path.join(ANSWERS);
        keep(&path, answers).map_err(|error| failed(&path, error))
    }

    /// The key, where there is one.
    #[must_use]
    pub fn known_key(&self) -> Vec<u8> {
        fs::read(self.path.join(KEY)).unwrap_or_default()
    }

    /// A key that nobody else has, made when it is first asked for: with it a credential can be told from another one
    /// later, without anything of it being kept.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn key(&self) -> Result<Vec<u8>, FolderError> {
        let path = self.path.join(KEY);
        match fs::read(&path) {
            Ok(key) if !key.is_empty() => Ok(key),
            _ => {
                let key = [
                    uuid::Uuid::new_v4().into_bytes(),
                    uuid::Uuid::new_v4().into_bytes(),
                ]
                .concat();
                private_file(&path, &key).map_err(|error| failed(&path, error))?;
                Ok(key)
            }
        }
    }

    /// The servers in it.
    ///
    /// # Errors
    /// [`FolderError::Broken`] and [`FolderError::Io`].
    pub fn servers(&self) -> Result<Vec<BackupServer>, FolderError> {
        self.all(SERVERS)
    }

    /// The tasks in it.
    ///
    /// # Errors
    /// [`FolderError::Broken`] and [`FolderError::Io`].
    pub fn tasks(&self) -> Result<Vec<BackupTask>, FolderError> {
        self.all(TASKS)
    }

    /// Keeps a task.
    ///
    /// # Errors
    /// [`FolderError::Io`]; the file is then as it was before.
    pub fn write_task(&self, task: &BackupTask) -> Result<(), FolderError> {
        self.write(TASKS, task)
    }

    /// Keeps a server.
    ///
    /// # Errors
    /// [`FolderError::Io`]; the file is then as it was before.
    pub fn write_server(&self, server: &BackupServer) -> Result<(), FolderError> {
        self.write(SERVERS, server)
    }

    /// Lets go of a task.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn remove_task(&self, task: &BackupTask) -> Result<(), FolderError> {
        let path = self.file(TASKS, &task.namespace().unwrap_or_default(), &task.name_any());
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&path, error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn file(&self, kind: &str, namespace: &str, name: &str) -> PathBuf {
        self.path.join(namespace).join(kind).join(format!("{name}.json"))
    }

    fn all<K: DeserializeOwned>(&self, kind: &str) -> Result<Vec<K>, FolderError> {
        let mut objects = Vec::new();
        for namespace in entries(&self.path)? {
            for path in entries(&namespace.join(kind))? {
                if path.extension().is_some_and(|extension| extension == "json") {
                    objects.push(read(&path)?);
                }
            }
        }
        Ok(objects)
    }

    fn write<K: Resource<DynamicType = ()> + Serialize>(
        &self,
        kind: &str,
        object: &K,
    ) -> Result<(), FolderError> {
        let path = self.file(kind, &object.namespace().unwrap_or_default(), &object.name_any());
        keep(&path, object).map_err(|error| failed(&path, error))
    }
}

impl Keeper for Folder {
    fn keep_task(&self, task: &BackupTask) -> Result<(), WriteError> {
        self.kept(self.write_task(task))
    }

    fn keep_server(&self, server: &BackupServer) -> Result<(), WriteError> {
        self.kept(self.write_server(server))
    }

    fn forget_task(&self, task: &BackupTask) -> Result<(), WriteError> {
        self.kept(self.remove_task(task))
    }
}

impl Folder {
    fn kept(&self, done: Result<(), FolderError>) -> Result<(), WriteError> {
        done.map_err(|error| {
            let text = error.to_string();
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert_with(|| text.clone());
            WriteError::Refused(text)
        })
    }
}

/// The open calls that a NAS has answered with success, by the UID of their BackupTask. After such an answer no second call
/// follows from absence (protocol, step 6), also not in the next process.
pub type Answers = BTreeMap<String, Applied>;

/// A call that was answered with success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Identity of its intent.
    pub intent: String,
    /// When it was sent.
    pub sent: Timestamp,
    /// When the settling time starts.
    pub settles_from: Timestamp,
}

fn failed(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io {
        path: path.display().to_string(),
        source,
    }
}

/// What is in a folder, sorted; a folder that does not exist has nothing in it.
fn entries(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let read = match fs::read_dir(path) {
        Ok(read) => read,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(path, error)),
    };
    let mut entries = Vec::new();
    for entry in read {
        entries.push(entry.map_err(|error| failed(path, error))?.path());
    }
    entries.sort();
    Ok(entries)
}

fn read<K: DeserializeOwned>(path: &Path) -> Result<K, FolderError> {
    let bytes = fs::read(path).map_err(|error| failed(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| FolderError::Broken {
        path: path.display().to_string(),
        why: error.to_string(),
    })
}

fn keep<K: Serialize>(path: &Path, object: &K) -> io::Result<()> {
    private_file(path, &serde_json::to_vec_pretty(object)?)
}

/// Replaces a file. The call follows this write: it has to survive a power cut as etcd's does.
fn private_file(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    private_folder(folder)?;
    let beside = path.with_extension("new");
    let mut file = File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

/// Names of hosts and users stand in a status. Each folder that is made is flushed into the one above it.
fn private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let above = path.parent().unwrap_or(Path::new("."));
    private_folder(above)?;
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let above = if above.as_os_str().is_empty() {
        Path::new(".")
    } else {
        above
    };
    File::open(above)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(name: &str) -> BackupTask {
        let value = serde_json::json!({
            "apiVersion": "activebackup.dev/v1alpha1", "kind": "BackupTask",
            "metadata": {"name": name, "namespace": "default", "uid": "u1", "generation": 3},
            "spec": {"serverRef": {"name": "nas"}, "task": {"name": "T"}},
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_kept_is_read_back_and_one_process_has_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("state");
        assert!(Folder::read_only(&path).tasks().unwrap().is_empty());
        let folder = Folder::take(&path).unwrap();
        folder.write_task(&task("b")).unwrap();
        folder.write_task(&task("a")).unwrap();
        let second = Folder::take(&path).unwrap_err().to_string();
        assert!(second.contains("another apply"), "{second}");
        let names: Vec<String> = folder
            .tasks()
            .unwrap()
            .iter()
            .map(ResourceExt::name_any)
            .collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(folder.tasks().unwrap()[0], task("a"));
        folder.remove_task(&task("a")).unwrap();
        folder.remove_task(&task("a")).unwrap();
        assert_eq!(folder.tasks().unwrap().len(), 1);
        drop(folder);
        assert!(Folder::take(&path).is_ok());
    }

    #[test]
    fn a_broken_file_is_never_taken_for_none() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::take(place.path()).unwrap();
        folder.write_task(&task("a")).unwrap();
        let file = place.path().join("default/backuptasks/a.json");
        fs::write(&file, "{\"apiVersion\":").unwrap();
        let error = folder.tasks().unwrap_err().to_string();
        assert!(
            error.contains("a.json") && error.contains("restore the file"),
            "{error}"
        );
        // A write that a crash ended before its rename is nothing.
        folder.write_task(&task("a")).unwrap();
        fs::write(file.with_extension("new"), "{").unwrap();
        assert_eq!(folder.tasks().unwrap().len(), 1);
    }
}
