//! The commands as a user starts them.

use std::process::Stdio;

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::Command,
};

use crate::harness::{cluster, eventually};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_abb-operator"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn the_demo_ends_with_a_result_from_the_nas() {
    let output = command(&["demo"])
        .env_remove("KUBECONFIG")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let progress = String::from_utf8_lossy(&output.stderr);
    assert!(progress.contains("Running"), "{progress}");
    for part in [
        "Succeeded",
        "7545",
        "4.43 GiB",
        "peterm-Default",
        "1 task: 1 fine",
        "1 backup for the one token",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn the_demo_works_in_a_cluster() {
    let namespace = cluster().await.namespace("demo").await;
    let mut demo = command(&["demo", "--cluster"])
        .env("KUBECONFIG", namespace.kubeconfig_path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let mut shown = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        shown.push_str(&line);
        if line.contains("kubectl delete") {
            break;
        }
    }
    assert!(shown.contains("kubectl get backuptasks"), "{shown}");
    eventually("the demo's run succeeds", async || {
        let status = namespace.get("bt", "laptop").await["status"].take();
        (status["receipts"]["request"]["outcome"] == "Succeeded").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_simulator_says_where_it_is_and_how_to_log_in() {
    let mut simulator = command(&[
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--time-scale",
        "60",
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    let mut lines = BufReader::new(simulator.stdout.take().unwrap()).lines();
    for part in ["url:", "fingerprint:", "username:", "password:", "admin:"] {
        let line = lines.next_line().await.unwrap().unwrap_or_default();
        assert!(line.starts_with(part), "{part}: {line}");
    }
}

#[tokio::test]
async fn bad_usage_ends_with_3_and_a_missing_file_with_1() {
    for (arguments, code, part) in [
        (&["simulate", "--time-scale", "0"][..], 3, "above 0"),
        (&["run", "--lease-duration", "1s"], 3, "at least 3s"),
        (&["conquer"], 3, "unrecognized"),
        (&["ready", "--url", "ftp://nas"], 3, "http://"),
        (&["simulate", "--scenario", "missing.yaml"], 1, "missing.yaml"),
    ] {
        let output = command(arguments).output().await.unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn ready_says_whether_an_operator_is_and_why_not() {
    let namespace = cluster().await.namespace("ready").await;
    let operator = namespace.operator(&[]);
    let address = eventually("it listens", async || operator.address()).await;
    let waiting = answering("503 Service Unavailable", "waiting for the API server\n").await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    for (address, wait, code, part) in [
        (address.as_str(), "60s", 0, "is ready"),
        (
            &waiting,
            "0s",
            1,
            "is not ready: 503 Service Unavailable: waiting for the API server",
        ),
        (&unused, "0s", 1, "does the operator run"),
        ("[", "0s", 3, "write it as http://127.0.0.1:8080/readyz"),
    ] {
        let url = format!("--url=http://{address}/readyz");
        let output = command(&["ready", &url, "--wait", wait]).output().await.unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{address}: {text}\n{}",
            operator.log()
        );
        assert!(text.contains(part), "{text}");
    }
}

/// A server that answers everything with the same; its address.
async fn answering(status: &str, body: &str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The request fits into one read; what it says does not matter.
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}
