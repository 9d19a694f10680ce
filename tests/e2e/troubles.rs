//! What goes wrong in real life: each fault shows the contract's reason within a poll, and heals without a restart.

use abb_operator::simulator::{Control, Fault, FaultKind, PackageState, Scenario};
use serde_json::json;

use crate::{
    harness::eventually,
    lab::{Lab, TASK, condition, nas, secret, server, server_at, task},
};

#[tokio::test]
async fn a_missing_secret_and_a_wrong_password_stall_and_heal() {
    let lab = Lab::new("login").await;
    lab.server_reason("Connected").await;
    lab.namespace.kubectl(&["delete", "secret", "nas"]).await.ok();
    let status = lab.server_reason("SecretNotFound").await;
    assert_eq!(condition(&status, "Stalled")["status"], "True");
    lab.nas.control(Control::ResetRequests).unwrap();
    lab.namespace.apply(&secret("wrong")).await.ok();
    let status = lab.server_reason("CredentialsRejected").await;
    assert_eq!(condition(&status, "Stalled")["status"], "True");
    assert!(status["login"]["nextAttemptTime"].is_string(), "{status:#}");
    lab.namespace
        .apply(&format!(
            "{}\n",
            secret("wrong").replace("wrong\"", "wrong\", unused: x")
        ))
        .await
        .ok();
    for _ in 0..3 {
        // A pass over a refused server, several times over: a key nobody uses changes nothing.
        lab.namespace
            .kubectl(&["annotate", "bsrv", "nas", "look=again", "--overwrite"])
            .await
            .ok();
        lab.namespace
            .kubectl(&["annotate", "bsrv", "nas", "look-"])
            .await
            .ok();
    }
    eventually("the Secret was read again", async || {
        let reads = lab.namespace.cluster().operator_requests(lab.namespace.name());
        (reads.iter().filter(|line| line.contains("secrets")).count() > 4).then_some(())
    })
    .await;
    assert_eq!(lab.requests("login"), 1, "one login attempt for one password");
    lab.namespace.apply(&secret(lab.nas.password())).await.ok();
    let status = lab.server_reason("Connected").await;
    assert!(status["login"].is_null() && condition(&status, "Stalled").is_null());
    assert_eq!(lab.requests("login"), 2);
}

#[tokio::test]
async fn an_untrusted_certificate_is_rejected_and_heals() {
    let lab = Lab::new("cert").await;
    lab.server_reason("Connected").await;
    let wrong = "00".repeat(32);
    lab.namespace
        .apply(&server_at(lab.nas.url(), &wrong, ""))
        .await
        .ok();
    let status = lab.server_reason("CertificateRejected").await;
    assert_eq!(condition(&status, "Stalled")["status"], "True");
    lab.namespace.apply(&server(&lab.nas, "")).await.ok();
    lab.server_reason("Connected").await;
}

#[tokio::test]
async fn an_edited_address_is_followed_at_once_and_a_deleted_server_logs_out() {
    let lab = Lab::new("moved").await;
    let rarely = |text: String| text.replace("{idle: 1s, active: 1s}", "{idle: 1h, active: 1h}");
    lab.namespace.apply(&rarely(server(&lab.nas, ""))).await.ok();
    lab.task("").await;
    lab.until("it is bound", |status| {
        condition(status, "Bound")["status"] == "True"
    })
    .await;
    let empty = Scenario {
        tasks: Vec::new(),
        ..Scenario::default()
    };
    let other = nas(empty, 1.0).await;
    lab.namespace.apply(&secret(other.password())).await.ok();
    lab.namespace.apply(&rarely(server(&other, ""))).await.ok();
    lab.until("the other NAS has no such task", |status| {
        condition(status, "Bound")["reason"] == "TaskNotFound"
    })
    .await;
    eventually("the first session has ended", async || {
        (lab.requests("logout") == 1).then_some(())
    })
    .await;
    lab.namespace.kubectl(&["delete", "bsrv", "nas"]).await.ok();
    eventually("the second session has ended", async || {
        let requests = other.requests();
        requests
            .iter()
            .any(|request| request.method == "logout")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_nas_that_does_not_answer_holds_up_no_other() {
    let lab = Lab::new("hanging").await;
    let never = Fault::new(FaultKind::Hang).on("SYNO.ActiveBackup.Task", "list");
    let silent = Scenario {
        faults: vec![never.times(0)],
        ..Scenario::seed()
    };
    let silent = nas(silent, 1.0).await;
    // Its list is given two minutes.
    let other = server(&silent, "").replace("metadata: {name: nas}", "metadata: {name: silent}");
    lab.namespace.apply(&other).await.ok();
    let waiting = task("waiting", TASK, "triggers: {request: a}").replace("{name: nas}", "{name: silent}");
    lab.namespace.apply(&waiting).await.ok();
    let asked = || silent.requests().iter().any(|request| request.method == "list");
    eventually("the silent one was asked", async || asked().then_some(())).await;
    for token in ["a", "b"] {
        lab.task(&format!("triggers: {{request: {token}}}")).await;
        lab.until("the other runs meanwhile", |status| {
            let receipt = &status["receipts"]["request"];
            receipt["token"] == token && receipt["outcome"] == "Succeeded"
        })
        .await;
    }
    let lists = silent
        .requests()
        .iter()
        .filter(|request| request.method == "list")
        .count();
    assert_eq!(lists, 1, "the first one has not been given up yet");
}

#[tokio::test]
async fn a_list_without_end_is_refused_and_costs_neither_memory_nor_another_server() {
    let lab = Lab::new("endless").await;
    lab.task("").await;
    lab.server_reason("Connected").await;
    let endless = FaultKind::Oversize { bytes: 100_000_000 };
    let endless = Fault::new(endless).on("SYNO.ActiveBackup.Task", "list");
    let scenario = Scenario {
        faults: vec![endless.times(0)],
        ..Scenario::seed()
    };
    let other = nas(scenario, 1.0).await;
    let before = lab.memory_kib("VmHWM:");
    let manifest = server(&other, "").replace("metadata: {name: nas}", "metadata: {name: endless}");
    let manifest = manifest.replace("request: 1s,", "request: 1s, list: 60s,");
    lab.namespace.apply(&manifest).await.ok();
    let message = eventually("the answer is refused", async || {
        let ready = condition(&lab.namespace.get("bsrv", "endless").await["status"], "Ready").clone();
        (ready["status"] == "False" && ready["reason"] == "UnexpectedResponse")
            .then(|| ready["message"].as_str().unwrap_or_default().to_owned())
            .ok_or(format!("{ready:#}"))
    })
    .await;
    assert!(
        message.contains("SYNO.ActiveBackup.Task list: it is larger than 64 MiB"),
        "{message}"
    );
    lab.task("triggers: {request: a}").await;
    lab.until("the other one works", |status| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    let lists = || {
        other
            .requests()
            .iter()
            .filter(|request| request.method == "list")
            .count()
    };
    eventually("it was tried again", async || (lists() > 2).then_some(())).await;
    let grown = lab.memory_kib("VmHWM:") - before;
    assert!(grown < 24 * 1024, "the peak grew by {grown} KiB");
    other.control(Control::ClearFaults).unwrap();
    eventually("it heals", async || {
        let ready = condition(&lab.namespace.get("bsrv", "endless").await["status"], "Ready").clone();
        (ready["status"] == "True")
            .then_some(())
            .ok_or(format!("{ready:#}"))
    })
    .await;
}

#[tokio::test]
async fn a_nas_that_is_down_or_upgrading_is_said_and_heals() {
    let lab = Lab::new("down").await;
    lab.task("").await;
    lab.until("it is bound", |status| {
        condition(status, "Bound")["status"] == "True"
    })
    .await;
    lab.nas.control(Control::Power { on: false }).unwrap();
    let status = lab.server_reason("Unreachable").await;
    assert_eq!(condition(&status, "Ready")["status"], "False");
    lab.until("no verdict without a NAS", |status| {
        let ready = condition(status, "Ready");
        ready["reason"] == "ServerNotReady" && ready["status"] == "Unknown"
    })
    .await;
    lab.task("triggers: {request: a}").await;
    lab.nas.control(Control::Power { on: true }).unwrap();
    lab.server_reason("Connected").await;
    lab.until("what was due meanwhile has run", |status| {
        status["receipts"]["request"]["outcome"] == "Succeeded"
    })
    .await;
    assert_eq!(lab.effects("backup").len(), 1);
    for (state, reason) in [
        (PackageState::Stopped, "PackageNotRunning"),
        (PackageState::Upgrading, "PackageNotRunning"),
    ] {
        lab.nas.control(Control::Package { state }).unwrap();
        lab.server_reason(reason).await;
        lab.nas
            .control(Control::Package {
                state: PackageState::Running,
            })
            .unwrap();
        lab.server_reason("Connected").await;
    }
}

#[tokio::test]
async fn an_unknown_an_ambiguous_and_a_claimed_task_are_said_and_heal() {
    let lab = Lab::new("bind").await;
    lab.namespace
        .apply(&task("laptop", "nobody", "triggers: {request: a}"))
        .await
        .ok();
    let status = lab
        .until("unknown", |status| {
            condition(status, "Ready")["reason"] == "TaskNotFound"
        })
        .await;
    assert_eq!(condition(&status, "Stalled")["status"], "True");
    assert_eq!(status["state"], "Missing");
    for id in [5, 6] {
        let spec = json!({ "id": id, "name": "nobody", "uniqueKey": format!("key-{id}") });
        lab.nas
            .control(Control::AddTask(Box::new(serde_json::from_value(spec).unwrap())))
            .unwrap();
        if id == 5 {
            lab.until("it is bound", |status| {
                condition(status, "Bound")["status"] == "True"
            })
            .await;
            lab.until("and has run", |status| {
                status["receipts"]["request"]["outcome"] == "Succeeded"
            })
            .await;
        }
    }
    eventually("the inventory knows both", async || {
        let server = lab.namespace.get("bsrv", "nas").await;
        (server["status"]["tasks"]["total"] == 3).then_some(())
    })
    .await;
    lab.namespace
        .apply(&task("twin", "nobody", "triggers: {request: a}"))
        .await
        .ok();
    let reason_of = async |name: &str| {
        let status = lab.namespace.get("bt", name).await["status"].take();
        condition(&status, "Ready")["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    eventually("ambiguous", async || {
        (reason_of("twin").await == "TaskAmbiguous").then_some(())
    })
    .await;
    assert_eq!(
        reason_of("laptop").await,
        "Reconciled",
        "the bound one keeps its identity"
    );
    lab.nas.control(Control::VanishTask { id: 6 }).unwrap();
    eventually("claimed", async || {
        (reason_of("twin").await == "TaskClaimed").then_some(())
    })
    .await;
    lab.namespace.kubectl(&["delete", "bt", "laptop"]).await.ok();
    eventually("free again", async || {
        (reason_of("twin").await == "Reconciled").then_some(())
    })
    .await;
    assert_eq!(lab.effects("backup").len(), 2, "{:#?}", lab.nas.ledger());
}

#[tokio::test]
async fn a_server_that_does_not_exist_is_said_and_heals() {
    let lab = Lab::new("orphan").await;
    lab.namespace.kubectl(&["delete", "bsrv", "nas"]).await.ok();
    lab.task("cancel: {request: before}\ntriggers: {maxAge: 24h}")
        .await;
    let status = lab
        .until("not found", |status| {
            condition(status, "Ready")["reason"] == "ServerNotFound"
        })
        .await;
    assert_eq!(status["receipts"]["cancel"]["outcome"], "NothingToCancel");
    assert_eq!(condition(&status, "Fresh")["status"], "Unknown");
    lab.namespace.apply(&server(&lab.nas, "")).await.ok();
    lab.until("found", |status| {
        condition(status, "Ready")["reason"] == "Reconciled"
    })
    .await;
}

#[tokio::test]
async fn a_schedule_that_only_a_calendar_can_refuse_is_said() {
    let lab = Lab::new("calendar").await;
    for (triggers, remedy) in [
        ("{schedule: \"0 0 31 2 *\"}", "never comes"),
        ("{schedule: \"50-10 * * * *\"}", "ranges run upwards"),
        ("{schedule: \"@daily\", timeZone: Mars/Olympus}", "IANA name"),
    ] {
        lab.task(&format!("triggers: {triggers}")).await;
        lab.until(remedy, |status| {
            let stalled = condition(status, "Stalled");
            let message = stalled["message"].as_str().unwrap_or_default();
            stalled["reason"] == "InvalidSchedule" && message.contains(remedy)
        })
        .await;
    }
    lab.task("triggers: {schedule: \"@daily\"}").await;
    lab.until("healed", |status| {
        condition(status, "Ready")["reason"] == "Reconciled" && status["nextRunTime"].is_string()
    })
    .await;
}

#[tokio::test]
async fn every_edit_is_acted_on_at_once_however_rarely_the_nas_is_read() {
    let lab = Lab::new("wake").await;
    lab.namespace
        .apply(&server(&lab.nas, "").replace("{idle: 1s, active: 1s}", "{idle: 1h, active: 1h}"))
        .await
        .ok();
    lab.task("").await;
    // Many edits: a wake that overtakes the object it speaks of is lost only now and then.
    for (edit, reason) in ["suspend: true", "suspend: false"]
        .into_iter()
        .zip(["Suspended", "Reconciled"])
        .cycle()
        .take(60)
    {
        lab.task(edit).await;
        lab.until(reason, |status| condition(status, "Ready")["reason"] == reason)
            .await;
    }
}
