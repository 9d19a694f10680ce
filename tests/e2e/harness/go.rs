//! Programs built with Go from a module below `tests/`, once per content of its files, kept in the target directory.
//! Nothing is downloaded but Go modules, whose sums stand in `go.sum`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

/// What to build.
#[derive(Clone, Copy, Debug)]
pub struct Module {
    /// Name of the folder below `tests/`, and of the folder of the programs below the target directory.
    pub folder: &'static str,
    /// `tool` for the tools that go.mod names, `.` for the module's own program.
    pub package: &'static str,
    /// What is built, for people.
    pub what: &'static str,
    /// A required module and the variable that tells the program its version.
    pub version: Option<(&'static str, &'static str)>,
    /// How else to come by the programs, for whoever has no Go.
    pub otherwise: &'static str,
}

impl Module {
    /// The directory of the programs, built on the first call of all processes that share a target directory.
    pub fn built(&self) -> Result<PathBuf, String> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(self.folder);
        // CARGO_TARGET_TMPDIR is `tmp` in the target directory.
        let store = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name(self.folder);
        let finished = store.join(&key(&sources)?[..16]);

        let failed = |error: io::Error| format!("failed to prepare {}: {error}", store.display());
        fs::create_dir_all(&store).map_err(failed)?;
        let lock = File::create(store.join("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if !finished.is_dir() {
            let partial = store.join("partial");
            let _absent = fs::remove_dir_all(&partial);
            fs::create_dir_all(&partial).map_err(failed)?;
            self.build(&sources, &partial)?;
            // Only a finished build gets the name that is looked for.
            fs::rename(&partial, &finished).map_err(failed)?;
        }
        Ok(finished)
    }

    fn build(&self, sources: &Path, into: &Path) -> Result<(), String> {
        // Not `eprintln!`: the test runner would keep it until the end.
        let _unseen = writeln!(
            io::stderr(),
            "building {} from source (tests/{}/go.mod): this takes some minutes, once",
            self.what,
            self.folder
        );
        let status = Command::new("go")
            .args(["build", "-ldflags", &self.linker_flags(sources)?, "-o"])
            .arg(format!("{}/", into.display()))
            .arg(self.package)
            .current_dir(sources)
            .env("GOFLAGS", "-mod=readonly")
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!(
                "failed to build {}: `go build {}` in tests/{}: {status}",
                self.what, self.package, self.folder
            )),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(format!(
                "failed to find `go`: these tests need {}, built once from source. Install Go \
                 (https://go.dev/dl/){}",
                self.what, self.otherwise
            )),
            Err(error) => Err(format!("failed to run `go`: {error}")),
        }
    }

    fn linker_flags(&self, sources: &Path) -> Result<String, String> {
        let Some((required, variable)) = self.version else {
            return Ok("-s -w".to_owned());
        };
        let go_mod = read(&sources.join("go.mod"))?;
        let version = go_mod
            .lines()
            .find_map(|line| line.trim().strip_prefix(required)?.strip_prefix(' '))
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or_else(|| {
                format!(
                    "failed to find the version of {required} in tests/{}/go.mod",
                    self.folder
                )
            })?;
        Ok(format!("-s -w -X {variable}={version}"))
    }
}

/// Changes with every file that the programs are made from.
fn key(sources: &Path) -> Result<String, String> {
    let failed = |error: io::Error| format!("failed to list {}: {error}", sources.display());
    let mut files: Vec<PathBuf> = fs::read_dir(sources)
        .map_err(failed)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|kind| ["mod", "sum", "go"].iter().any(|each| kind == *each))
        })
        .collect();
    files.sort();
    let mut digest = Sha256::new();
    for file in files {
        digest.update(read(&file)?);
    }
    Ok(hex::encode(digest.finalize()))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))
}
