//! The operator is killed, or an answer lost, at the worst moments: the ledger shows one effect per token and the
//! status is right in the end.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use abb_operator::simulator::{Control, Fault, FaultKind, Options, Scenario, Simulator, start};

use crate::{
    harness::{Namespace, cluster, eventually},
    lab::{Lab, TASK, condition, secret, server_at, task},
    proxy::{Proxy, Rule, Verdict},
};

/// Where the kill falls.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The API server has the intent; the operator does not know yet.
    IntentWritten,
    /// The NAS has carried the call out; the operator does not know yet.
    CallSent,
    /// The operator has the NAS's answer.
    AnswerCame,
}

async fn plain_nas() -> Simulator {
    let options = Options {
        plaintext: true,
        time_scale: 300.0,
        scenario: Scenario::seed(),
        ..Options::default()
    };
    start(options).await.unwrap()
}

fn effects(nas: &Simulator, kind: &str) -> usize {
    nas.ledger().iter().filter(|effect| effect.kind == kind).count()
}

fn is_call(method: &str) -> impl Fn(&str, &str, &str) -> bool + Send + Sync + use<> {
    let wanted = format!("method={method}");
    move |verb: &str, _: &str, body: &str| verb == "POST" && body.split('&').any(|field| field == wanted)
}

/// Points the namespace's kubeconfig of the operator at another address; returns what stood in it.
fn redirect(namespace: &Namespace, url: &str) -> String {
    let path = namespace.operator_kubeconfig_path();
    let before = fs::read_to_string(path).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&before).unwrap();
    config["clusters"][0]["cluster"] = serde_json::json!({ "server": url });
    fs::write(path, config.to_string()).unwrap();
    before
}

async fn killed_at(moment: Moment, action: &str, spec_before: &str, spec: &str, done: &str) {
    let nas = plain_nas().await;
    let namespace = cluster().await.namespace("kill").await;
    let withheld = |method: &str| -> Box<Rule> {
        let is_call = is_call(method);
        let verdict = if matches!(moment, Moment::CallSent) {
            Verdict::Withhold
        } else {
            Verdict::Tell
        };
        Box::new(move |verb, path, body| {
            if is_call(verb, path, body) {
                verdict
            } else {
                Verdict::Pass
            }
        })
    };
    let wanted = format!("\"action\":\"{}{}\"", action[..1].to_uppercase(), &action[1..]);
    let at_intent = matches!(moment, Moment::IntentWritten);
    let intent: Box<Rule> = Box::new(move |verb, path, body| {
        let is_status = path
            .split('?')
            .next()
            .is_some_and(|path| path.ends_with("/status"));
        let written = verb == "PATCH" && is_status && body.contains(&wanted);
        if at_intent && written {
            Verdict::Withhold
        } else {
            Verdict::Pass
        }
    });
    let mut to_nas = Proxy::start(nas.url(), withheld(action)).await;
    let mut to_cluster = Proxy::start(namespace.cluster().url(), intent).await;
    namespace.apply(&secret(nas.password())).await.ok();
    namespace
        .apply(&server_at(&to_nas.url, "", "removals: {allowed: true}"))
        .await
        .ok();
    let direct = redirect(&namespace, &to_cluster.url);
    let mut operator = namespace.operator(&[]);
    operator.wait_ready().await;
    namespace.apply(&task("laptop", TASK, spec_before)).await.ok();
    eventually("the task is bound", async || {
        let status = namespace.get("bt", "laptop").await["status"].take();
        status["task"]["uniqueKey"].as_str().map(str::to_owned)
    })
    .await;
    if action == "cancel" {
        eventually("a run is in flight", async || {
            let status = namespace.get("bt", "laptop").await["status"].take();
            (status["state"] == "Running").then_some(())
        })
        .await;
    }
    namespace.apply(&task("laptop", TASK, spec)).await.ok();
    if at_intent {
        to_cluster.reached().await;
    } else {
        to_nas.reached().await;
    }
    operator.kill().await;

    fs::write(namespace.operator_kubeconfig_path(), direct).unwrap();
    namespace
        .apply(&server_at(nas.url(), "", "removals: {allowed: true}"))
        .await
        .ok();
    let again = namespace.operator(&[]);
    eventually(&format!("{moment:?}: {done}"), async || {
        let status = namespace.get("bt", "laptop").await["status"].take();
        let seen = format!("{} {}", status["receipts"], status["state"]);
        if seen.contains(done) && status["intent"].is_null() {
            Ok(())
        } else {
            Err(format!("{status:#}\n{}\n{}", operator.log(), again.log()))
        }
    })
    .await;
    let effects = effects(&nas, action);
    assert_eq!(effects, 1, "{moment:?}: {:#?}", nas.ledger());
}

/// The write of an intent is committed and its answer lost: the operator reads the object back, finds its own intent, and
/// sends it once.
pub async fn an_answer_is_lost() {
    let nas = plain_nas().await;
    let namespace = cluster().await.namespace("unsure").await;
    let is_lost = AtomicBool::new(false);
    let intent: Box<Rule> = Box::new(move |verb, _, body| {
        let is_intent = verb == "PATCH" && body.contains("\"action\":\"Backup\"");
        if is_intent && !is_lost.swap(true, Ordering::Relaxed) {
            Verdict::Withhold
        } else {
            Verdict::Pass
        }
    });
    let mut to_cluster = Proxy::start(namespace.cluster().url(), intent).await;
    namespace.apply(&secret(nas.password())).await.ok();
    namespace.apply(&server_at(nas.url(), "", "")).await.ok();
    redirect(&namespace, &to_cluster.url);
    let operator = namespace.operator(&[]);
    namespace
        .apply(&task("laptop", TASK, "triggers: {request: a}"))
        .await
        .ok();
    to_cluster.reached().await;
    eventually("the run is over", async || {
        let status = namespace.get("bt", "laptop").await["status"].take();
        if status["receipts"]["request"]["outcome"] == "Succeeded" {
            Ok(())
        } else {
            Err(format!("{status:#}\n{}", operator.log()))
        }
    })
    .await;
    assert_eq!(effects(&nas, "backup"), 1, "{:#?}", nas.ledger());
}

#[tokio::test]
async fn an_intent_whose_answer_is_lost_is_read_back_and_sent_once() {
    an_answer_is_lost().await;
}

#[tokio::test]
async fn killed_after_the_intent_was_written() {
    killed_at(
        Moment::IntentWritten,
        "backup",
        "",
        "triggers: {request: a}",
        "\"Succeeded\"",
    )
    .await;
}

#[tokio::test]
async fn killed_after_the_call_was_sent() {
    killed_at(
        Moment::CallSent,
        "backup",
        "",
        "triggers: {request: a}",
        "\"Succeeded\"",
    )
    .await;
}

#[tokio::test]
async fn killed_after_the_answer_came() {
    killed_at(
        Moment::AnswerCame,
        "backup",
        "",
        "triggers: {request: a}",
        "\"Succeeded\"",
    )
    .await;
}

const REMOVAL: &str =
    "removal: {when: Now, confirm: 75711daf-8ee1-4bcb-bd84-2b04e9983f6d, notAfter: \"2099-01-01T00:00:00Z\"}";

#[tokio::test]
async fn killed_around_a_removal() {
    for moment in [Moment::IntentWritten, Moment::CallSent] {
        killed_at(moment, "remove", "", REMOVAL, "\"Removed\"").await;
    }
}

/// A reply that is lost, late or unreadable, with the operator alive.
async fn one_backup_despite(fault: FaultKind) {
    let lab = Lab::new("lost").await;
    lab.server_reason("Connected").await;
    let name = format!("{fault:?}");
    let fault = Fault::new(fault).on("SYNO.ActiveBackup.Task", "backup");
    lab.nas.control(Control::AddFault(fault)).unwrap();
    lab.task("triggers: {request: a}").await;
    let status = lab
        .until(&name, |status| {
            status["receipts"]["request"]["outcome"] == "Succeeded" && status["intent"].is_null()
        })
        .await;
    assert_eq!(status["lastResult"]["status"], "Success");
    assert_eq!(lab.effects("backup").len(), 1, "{name}");
}

#[tokio::test]
async fn the_reply_is_lost_after_the_effect() {
    one_backup_despite(FaultKind::LoseReplyAfter).await;
}

#[tokio::test]
async fn the_reply_is_lost_before_the_effect() {
    one_backup_despite(FaultKind::LoseReplyBefore).await;
}

#[tokio::test]
async fn the_effect_comes_late_but_within_the_settling_time() {
    one_backup_despite(FaultKind::LateEffect { milliseconds: 2_500 }).await;
}

#[tokio::test]
async fn the_session_has_expired_or_the_answer_is_no_answer() {
    for fault in [
        FaultKind::ExpireSession,
        FaultKind::CutBody,
        FaultKind::ErrorCodeAfter { code: 1202 },
        FaultKind::Html,
        FaultKind::ErrorCode { code: 117 },
    ] {
        one_backup_despite(fault).await;
    }
}

#[tokio::test]
async fn an_api_server_that_does_not_answer_for_the_secret_ends_no_session() {
    let nas = plain_nas().await;
    let namespace = cluster().await.namespace("blip").await;
    namespace.apply(&secret(nas.password())).await.ok();
    namespace.apply(&server_at(nas.url(), "", "")).await.ok();
    let armed = Arc::new(AtomicBool::new(false));
    let silent = Arc::clone(&armed);
    let rule = move |verb: &str, path: &str, _: &str| {
        if silent.load(Ordering::SeqCst) && verb == "GET" && path.contains("/secrets/") {
            Verdict::Withhold
        } else {
            Verdict::Pass
        }
    };
    let mut proxy = Proxy::start(namespace.cluster().url(), Box::new(rule)).await;
    redirect(&namespace, &proxy.url);
    let operator = namespace.operator(&[]);
    let ready = async || condition(&namespace.get("bsrv", "nas").await["status"], "Ready").clone();
    let requests = |method: &str| nas.requests().iter().filter(|r| r.method == method).count();
    eventually("it is connected", async || {
        (ready().await["reason"] == "Connected").then_some(())
    })
    .await;
    let before = ready().await;
    armed.store(true, Ordering::SeqCst);
    proxy.reached().await;
    let lists = requests("list");
    eventually("the NAS is read on", async || {
        if requests("list") > lists + 1 {
            Ok(())
        } else {
            Err(operator.log())
        }
    })
    .await;
    assert_eq!(ready().await, before);
    assert_eq!((requests("login"), requests("logout")), (1, 0));
}
