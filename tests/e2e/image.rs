//! The image's binary as a Pod runs it: with the image's files alone, as its user, with a service account's token, against
//! the real API server. Shown by a schedule in a time zone, which needs the zones that the binary brings.

use std::{fs::File, process::Stdio};

use abb_operator::simulator::Scenario;
use tokio::process::Command;

use crate::{
    harness::{cluster, eventually},
    lab,
};

#[path = "../packaging/rootfs.rs"]
mod rootfs;

const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

#[tokio::test]
async fn the_image_s_binary_runs_as_in_a_pod_and_finds_time_zones() {
    let Some(image) = rootfs::image() else { return };
    let Some(root) = rootfs::Root::of(&image) else {
        return;
    };
    let nas = lab::nas(Scenario::seed(), 1.0).await;
    let namespace = cluster().await.namespace("image").await;
    namespace.apply(&lab::secret(nas.password())).await.ok();
    namespace.apply(&lab::server(&nas, "")).await.ok();
    // Five hours and forty-five minutes ahead of UTC all year: no other zone and no default gives the same time.
    let triggers = "triggers: {schedule: \"30 2 * * *\", timeZone: Asia/Kathmandu}";
    namespace
        .apply(&lab::task("laptop", lab::TASK, triggers))
        .await
        .ok();

    let kubeconfig = std::fs::read_to_string(namespace.operator_kubeconfig_path()).unwrap();
    let kubeconfig: serde_json::Value = serde_json::from_str(&kubeconfig).unwrap();
    let authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority"]
        .as_str()
        .unwrap();
    let user = &kubeconfig["users"][0];
    root.write(&format!("{ACCOUNT}/ca.crt"), &std::fs::read(authority).unwrap());
    root.write(
        &format!("{ACCOUNT}/token"),
        user["user"]["token"].as_str().unwrap().as_bytes(),
    );
    root.write(&format!("{ACCOUNT}/namespace"), namespace.name().as_bytes());

    let log = root.file("/log");
    let (host, port) = cluster()
        .await
        .url()
        .trim_start_matches("https://")
        .rsplit_once(':')
        .unwrap();
    let mut command = root.command();
    command
        .args([
            "run",
            "--listen",
            "127.0.0.1:0",
            "--watch-namespace",
            namespace.name(),
        ])
        .args(["--log-format", "json"])
        .env("KUBERNETES_SERVICE_HOST", host)
        .env("KUBERNETES_SERVICE_PORT", port)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap());
    let mut operator = Command::from(command).kill_on_drop(true).spawn().unwrap();

    let slot = eventually("the next slot is known", async || {
        assert_eq!(
            operator.try_wait().unwrap(),
            None,
            "{}",
            std::fs::read_to_string(&log).unwrap()
        );
        let status = namespace.get("bt", "laptop").await["status"].take();
        let slot = status["receipts"]["schedule"]["nextSlot"]
            .as_str()
            .map(str::to_owned);
        slot.ok_or_else(|| format!("{status:#}\n{}", std::fs::read_to_string(&log).unwrap()))
    })
    .await;
    assert!(slot.ends_with("T20:45:00Z"), "02:30 in Kathmandu is not {slot}");
}
