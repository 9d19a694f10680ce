//! The virtual environment of the clients: made once for each set of pinned versions, and kept.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;
use tokio::sync::OnceCell;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Longest time one script may take.
const SCRIPT: Duration = Duration::from_secs(120);

/// A Python that has the clients.
#[derive(Clone)]
pub struct Python {
    folder: PathBuf,
}

/// The Python with the clients, once for all tests; none where the machine has no Python that can make a virtual
/// environment. Where pip fails, the test fails.
pub async fn installed() -> Option<Python> {
    static ONCE: OnceCell<Option<Python>> = OnceCell::const_new();
    ONCE.get_or_init(install).await.clone()
}

async fn install() -> Option<Python> {
    let has_venv = Command::new("python3")
        .args(["-c", "import ensurepip, venv"])
        .output()
        .await;
    if !has_venv.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no python3 that has venv");
        return None;
    }
    let key = hex::encode(Sha256::digest(REQUIREMENTS));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("clients-{}", &key[..12]));
    let complete = folder.join("complete");
    if !complete.exists() {
        std::fs::create_dir_all(&folder).unwrap();
        let venv = ["-m", "venv", "--clear", "."];
        run(Command::new("python3").args(venv).current_dir(&folder)).await;
        let requirements = folder.join("requirements.txt");
        std::fs::write(&requirements, REQUIREMENTS).unwrap();
        let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "install"];
        run(Command::new(folder.join("bin/python"))
            .args(pip)
            .arg("--only-binary=:all:")
            .arg("-r")
            .arg(&requirements))
        .await;
        std::fs::write(&complete, "").unwrap();
    }
    Some(Python { folder })
}

async fn run(command: &mut Command) -> Output {
    let output = command.output().await.unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

impl Python {
    /// A program that one of the packages brings.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Runs a script and reads what it prints as JSON.
    pub async fn run(&self, script: &str, arguments: &[&str]) -> Value {
        let output = self.output(script, arguments).await;
        let printed = String::from_utf8_lossy(&output.stdout);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{script}: {said}");
        let last = printed.lines().last().unwrap_or_default();
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{script}: {error}: {printed}"))
    }

    /// Runs a script that must fail and returns what it says.
    pub async fn fail(&self, script: &str, arguments: &[&str]) -> String {
        let output = self.output(script, arguments).await;
        assert!(!output.status.success(), "{script} succeeded");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    async fn output(&self, script: &str, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/clients")
            .join(script);
        let running = Command::new(self.folder.join("bin/python"))
            .arg(script)
            .args(arguments)
            .kill_on_drop(true)
            .output();
        tokio::time::timeout(SCRIPT, running).await.unwrap().unwrap()
    }
}
