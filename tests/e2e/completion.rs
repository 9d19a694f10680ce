//! TAB, as users press it: names of objects by the real bash in a pseudo-terminal, and by the real kubectl, which asks the
//! plugin.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::process::Command;

use crate::{
    harness::{Namespace, Terminal, binaries::Binaries, cluster},
    lab::{server_at, task},
};

/// Three tasks and a server; nobody looks after them.
async fn declared(prefix: &str) -> Namespace {
    let namespace = cluster().await.namespace(prefix).await;
    let mut manifests = vec![server_at("https://nas.invalid:5001", &"00".repeat(32), "")];
    for name in ["laptop", "desktop-one", "desktop-two"] {
        manifests.push(task(name, name, ""));
    }
    namespace.apply(&manifests.join("---\n")).await.ok();
    namespace
}

fn folder_of(program: &str) -> PathBuf {
    Path::new(program).parent().unwrap().to_owned()
}

/// `PATH` with these folders in front.
fn path(folders: &[PathBuf]) -> String {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let all = folders.iter().cloned().chain(std::env::split_paths(&inherited));
    std::env::join_paths(all).unwrap().into_string().unwrap()
}

async fn script(shell: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_kubectl-abb"))
        .args(["completion", shell])
        .output()
        .await
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn bash_completes_a_name_after_tab() {
    let namespace = declared("tab").await;
    let kubeconfig = namespace.kubeconfig_path().display().to_string();
    let elsewhere = cluster().await.kubeconfig_path().display().to_string();
    let path = path(&[folder_of(env!("CARGO_BIN_EXE_kubectl-abb"))]);
    let mut bash = Terminal::start(
        "bash",
        &["--norc", "--noprofile", "-i"],
        &[
            ("PATH", path.as_str()),
            ("KUBECONFIG", kubeconfig.as_str()),
            ("PS1", "ready> "),
        ],
        (240, 30),
    );
    bash.until("bash is ready", |screen| screen.contains("ready>"))
        .await;
    bash.press("source <(kubectl-abb completion bash) && echo script-is-there\n");
    bash.until("the script is read", |screen| {
        screen.contains("\nscript-is-there")
    })
    .await;
    let clear = "\x15\x0c";
    for (typed, completed) in [
        ("kubectl-abb bac\t", "kubectl-abb backup "),
        ("kubectl-abb backup lap\t", "kubectl-abb backup laptop "),
        (
            "kubectl-abb backup laptop d\t",
            "kubectl-abb backup laptop desktop-",
        ),
        ("kubectl-abb doctor \t", "kubectl-abb doctor nas"),
        ("kubectl-abb history lap\t", "kubectl-abb history laptop "),
        ("kubectl-abb backup --wa\t", "kubectl-abb backup --wait "),
        (
            "kubectl-abb call nas list_wi\t",
            "kubectl-abb call nas list_with_device ",
        ),
    ] {
        bash.press(clear);
        bash.press(typed);
        bash.until(typed, |screen| {
            screen.contains(&format!("ready> {}", completed.trim_end()))
        })
        .await;
    }
    // Flags that stand there already say where names are looked for.
    bash.press(clear);
    bash.press(&format!(
        "kubectl-abb --kubeconfig {elsewhere} -n {} history lap\t",
        namespace.name()
    ));
    bash.until("the namespace counts", |screen| screen.contains("history laptop"))
        .await;
    bash.press(clear);
    let start = &namespace.name()[..3];
    bash.press(&format!("kubectl-abb history -n {start}\t"));
    bash.until("a namespace is a name", |screen| {
        screen.contains(&format!("-n {start}-"))
    })
    .await;
}

#[tokio::test]
async fn kubectl_asks_the_plugin() {
    let namespace = declared("asked").await;
    let folder = cluster().await.directory().join("completions");
    fs::create_dir_all(&folder).unwrap();
    let program = folder.join("kubectl_complete-abb");
    fs::write(&program, script("kubectl").await).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let kubectl = Binaries::find().unwrap().kubectl();
    let path = path(&[folder, folder_of(env!("CARGO_BIN_EXE_kubectl-abb"))]);
    let ask = async |words: &[&str]| {
        let output = Command::new(&kubectl)
            .args(["__complete", "abb"])
            .args(words)
            .env("PATH", &path)
            .env("KUBECONFIG", namespace.kubeconfig_path())
            .stdin(Stdio::null())
            .output()
            .await
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(
        ask(&["backup", ""]).await,
        "desktop-one\ndesktop-two\nlaptop\n:4\n"
    );
    assert_eq!(ask(&["backup", "laptop", "desktop-t"]).await, "desktop-two\n:4\n");
    assert_eq!(ask(&["doctor", ""]).await, "nas\n:4\n");
    assert_eq!(ask(&["status", "--context", ""]).await, "test\n:4\n");
    assert_eq!(ask(&["-n", "default", "history", "lap"]).await, ":4\n");
    assert_eq!(
        ask(&["history", "--namespace", namespace.name(), "lap"]).await,
        "laptop\n:4\n"
    );
    let commands = ask(&["s"]).await;
    assert!(
        commands.starts_with("status\tShow servers") && commands.contains("\nsuspend\t"),
        "{commands}"
    );
    let folders = ask(&["import", "nas", "--output-dir", "/us"]).await;
    assert_eq!(folders, "/usr/\n:6\n");
}

#[tokio::test]
async fn the_operators_own_commands_are_completed_as_well() {
    let path = path(&[folder_of(env!("CARGO_BIN_EXE_abb-operator"))]);
    let mut bash = Terminal::start(
        "bash",
        &["--norc", "--noprofile", "-i"],
        &[("PATH", path.as_str()), ("PS1", "ready> ")],
        (240, 30),
    );
    bash.until("bash is ready", |screen| screen.contains("ready>"))
        .await;
    bash.press("source <(abb-operator completion bash) && echo script-is-there\n");
    bash.until("the script is read", |screen| {
        screen.contains("\nscript-is-there")
    })
    .await;
    for (typed, completed) in [
        ("abb-operator sim\t", "abb-operator simulate"),
        ("abb-operator call Log.list_l\t", "abb-operator call Log.list_log"),
        ("abb-operator plan -o mark\t", "abb-operator plan -o markdown"),
    ] {
        bash.press("\x15\x0c");
        bash.press(typed);
        bash.until(typed, |screen| screen.contains(&format!("ready> {completed}")))
            .await;
    }
}
