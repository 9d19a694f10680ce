//! The hook for pre-commit, run by pre-commit itself on a repository of manifests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::python;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// git without anything of the user's.
async fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=test", "-c", "user.email=test@example.org"])
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// `PATH` with this crate's programs in front.
fn path() -> std::ffi::OsString {
    let own: PathBuf = Path::new(env!("CARGO_BIN_EXE_abb-operator"))
        .parent()
        .unwrap()
        .to_owned();
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([own].into_iter().chain(std::env::split_paths(&inherited))).unwrap()
}

#[tokio::test]
async fn the_hook_lets_good_manifests_pass_and_names_what_is_wrong() {
    let Some(python) = python::installed().await else {
        return;
    };
    let place = tempfile::tempdir().unwrap();
    let hooks = place.path().join("hooks");
    fs::create_dir(&hooks).unwrap();
    fs::copy(
        Path::new(ROOT).join(".pre-commit-hooks.yaml"),
        hooks.join(".pre-commit-hooks.yaml"),
    )
    .unwrap();
    git(&hooks, &["init", "--quiet"]).await;
    git(&hooks, &["add", "-A"]).await;
    git(&hooks, &["commit", "--quiet", "-m", "hooks"]).await;
    let revision = git(&hooks, &["rev-parse", "HEAD"]).await;

    // The configuration that the documentation shows, at this repository and revision.
    let page = fs::read_to_string(Path::new(ROOT).join("docs/plan.md")).unwrap();
    let start = page
        .find("repos:\n- repo:")
        .expect("docs/plan.md shows a configuration");
    let shown = page[start..].split("```").next().unwrap();
    let configuration: String = shown
        .lines()
        .map(|line| match line.trim_start() {
            line if line.starts_with("- repo:") => format!("- repo: {}\n", hooks.display()),
            line if line.starts_with("rev:") => format!("  rev: {revision}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let repository = place.path().join("repository");
    let backups = repository.join("backups");
    fs::create_dir_all(&backups).unwrap();
    fs::write(repository.join(".pre-commit-config.yaml"), configuration).unwrap();
    let example = fs::read_to_string(Path::new(ROOT).join("docs/examples/first-backup.yaml")).unwrap();
    for (text, ends_well, part) in [
        (example.clone(), true, "Passed"),
        (
            example.replace("serverRef:", "serverReference:"),
            false,
            "backups/nas.yaml:",
        ),
    ] {
        fs::write(backups.join("nas.yaml"), text).unwrap();
        if !repository.join(".git").exists() {
            git(&repository, &["init", "--quiet"]).await;
        }
        git(&repository, &["add", "-A"]).await;
        let output = Command::new(python.program("pre-commit"))
            .args(["run", "--all-files", "--verbose"])
            .current_dir(&repository)
            .env("PATH", path())
            .env("PRE_COMMIT_HOME", place.path().join("cache"))
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .kill_on_drop(true)
            .output()
            .await
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(output.status.success(), ends_well, "{text}");
        assert!(text.contains(part), "{text}");
    }
}
