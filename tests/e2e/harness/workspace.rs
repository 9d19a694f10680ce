//! The directory of one test process below cargo's target directory. A file lock marks it as in use, so that
//! the next start removes what ended processes have left behind, however they ended, and nothing else.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A directory that belongs to this process for as long as the value lives.
#[derive(Debug)]
pub struct Workspace {
    path: PathBuf,
    _in_use: File,
}

const PREFIX: &str = "cluster-";
const LOCK: &str = "in-use";

impl Workspace {
    /// Removes the directories of ended processes, then makes a new one.
    pub fn create() -> io::Result<Self> {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(parent)?;
        sweep(parent)?;
        let path = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?.keep();
        let in_use = File::create(path.join(LOCK))?;
        in_use.lock()?;
        Ok(Self {
            path,
            _in_use: in_use,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)?.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // Without the lock file the directory is being made at this moment, or half removed: the next start sees.
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        match lock.try_lock() {
            Ok(()) => drop(fs::remove_dir_all(entry.path())),
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
    Ok(())
}
