//! Where kube-apiserver, kube-controller-manager, etcd, kubectl and helm come from: `KUBEBUILDER_ASSETS` if set, else
//! built with Go from the versions pinned in `tests/control-plane/go.mod`.

use std::{
    env,
    path::{Path, PathBuf},
};

use super::go::Module;

const CONTROL_PLANE: Module = Module {
    folder: "control-plane",
    package: "tool",
    what: "kube-apiserver, kube-controller-manager, etcd, kubectl and helm",
    // kubectl and kube-apiserver refuse to work without a version that can be parsed; a plain `go build` sets none.
    version: Some(("k8s.io/kubernetes", "k8s.io/component-base/version.gitVersion")),
    otherwise: ", or set KUBEBUILDER_ASSETS to a directory with kube-apiserver, kube-controller-manager, etcd and kubectl",
};

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
            None => CONTROL_PLANE.built()?,
        };
        let binaries = Self { directory };
        for path in [
            binaries.etcd(),
            binaries.kube_apiserver(),
            binaries.kube_controller_manager(),
            binaries.kubectl(),
        ] {
            if !path.is_file() {
                return Err(format!(
                    "failed to find {}: KUBEBUILDER_ASSETS lacks it",
                    path.display()
                ));
            }
        }
        Ok(binaries)
    }

    /// The store. `go build` names it after its folder.
    pub fn etcd(&self) -> PathBuf {
        let named_by_go = self.directory.join("server");
        if named_by_go.is_file() {
            named_by_go
        } else {
            self.directory.join("etcd")
        }
    }

    pub fn kube_apiserver(&self) -> PathBuf {
        self.directory.join("kube-apiserver")
    }

    pub fn kube_controller_manager(&self) -> PathBuf {
        self.directory.join("kube-controller-manager")
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
            Path::new("helm").to_owned()
        }
    }
}
