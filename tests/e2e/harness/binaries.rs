//! Where kube-apiserver, etcd and kubectl come from: `KUBEBUILDER_ASSETS` if set, else built with Go from the
//! versions pinned in `tests/control-plane/go.mod`, once per content of that file. Nothing is downloaded but
//! Go modules, whose sums stand in `go.sum`.

use std::{
    env,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

/// kubectl and kube-apiserver refuse to work without a version that can be parsed; a plain `go build` sets none.
const VERSION_VARIABLE: &str = "k8s.io/component-base/version.gitVersion";

/// A directory with the programs.
#[derive(Debug)]
pub struct Binaries {
    directory: PathBuf,
}

impl Binaries {
    /// Finds the programs, building them if need be.
    pub fn find() -> Result<Self, String> {
        let directory = match env::var_os("KUBEBUILDER_ASSETS") {
            Some(directory) => PathBuf::from(directory),
            None => built()?,
        };
        for name in ["etcd", "kube-apiserver", "kubectl"] {
            if !directory.join(name).is_file() {
                return Err(format!(
                    "failed to find {name} in {} (KUBEBUILDER_ASSETS)",
                    directory.display()
                ));
            }
        }
        Ok(Self { directory })
    }

    pub fn etcd(&self) -> PathBuf {
        self.directory.join("etcd")
    }

    pub fn kube_apiserver(&self) -> PathBuf {
        self.directory.join("kube-apiserver")
    }

    pub fn kubectl(&self) -> PathBuf {
        self.directory.join("kubectl")
    }

    /// Helm is built with the others; `KUBEBUILDER_ASSETS` usually has none, then the one in `PATH` is meant.
    pub fn helm(&self) -> PathBuf {
        let beside = self.directory.join("helm");
        if beside.is_file() {
            beside
        } else {
            PathBuf::from("helm")
        }
    }
}

/// The directory of the pinned versions, built on the first call of all processes that share a target directory.
fn built() -> Result<PathBuf, String> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/control-plane");
    // CARGO_TARGET_TMPDIR is `tmp` in the target directory.
    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("control-plane");
    let go_mod = read(&sources.join("go.mod"))?;
    let key = hex::encode(Sha256::digest(
        [go_mod.as_str(), &read(&sources.join("go.sum"))?].concat(),
    ));
    let finished = store.join(&key[..16]);

    let failed = |error: io::Error| format!("failed to prepare {}: {error}", store.display());
    fs::create_dir_all(&store).map_err(failed)?;
    let lock = File::create(store.join("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    if !finished.is_dir() {
        let partial = store.join("partial");
        let _absent = fs::remove_dir_all(&partial);
        fs::create_dir_all(&partial).map_err(failed)?;
        build(&sources, &version(&go_mod)?, &partial)?;
        fs::rename(partial.join("server"), partial.join("etcd")).map_err(failed)?;
        // Only a finished build gets the name that is looked for.
        fs::rename(&partial, &finished).map_err(failed)?;
    }
    Ok(finished)
}

fn build(sources: &Path, version: &str, into: &Path) -> Result<(), String> {
    // Not `eprintln!`: the test runner would keep it until the end.
    let _unseen = writeln!(
        io::stderr(),
        "building kube-apiserver {version}, etcd, kubectl and helm from source (tests/control-plane/go.mod): \
         this takes some minutes, once; set KUBEBUILDER_ASSETS to use others"
    );
    let status = Command::new("go")
        .args([
            "build",
            "-ldflags",
            &format!("-s -w -X {VERSION_VARIABLE}={version}"),
            "-o",
        ])
        .arg(format!("{}/", into.display()))
        .arg("tool")
        .current_dir(sources)
        .env("GOFLAGS", "-mod=readonly")
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed to build the control plane: `go build tool` in tests/control-plane: {status}")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(
            "failed to find `go`: these tests run against a real kube-apiserver and etcd, built once from source. \
             Install Go (https://go.dev/dl/), or set KUBEBUILDER_ASSETS to a directory with kube-apiserver, etcd \
             and kubectl (`setup-envtest use -p path` prints one)"
                .to_owned(),
        ),
        Err(error) => Err(format!("failed to run `go`: {error}")),
    }
}

/// The version of Kubernetes that go.mod requires.
fn version(go_mod: &str) -> Result<String, String> {
    go_mod
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes "))
        .and_then(|rest| rest.split_whitespace().next())
        .map(str::to_owned)
        .ok_or_else(|| {
            "failed to find the version of k8s.io/kubernetes in tests/control-plane/go.mod".to_owned()
        })
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("failed to read {}: {error}", path.display()))
}
