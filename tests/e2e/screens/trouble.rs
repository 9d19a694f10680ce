//! What a person reads where there is nothing to show, or where what is asked for does not work: what, where, remedy; and
//! what programs read.

use abb_operator::simulator::{Control, Fault, FaultKind, PackageState, Scenario};
use serde_json::{Value, json};

use super::picture::{compare, plugin, print_in, terminal};
use crate::{
    harness::{Namespace, cluster, eventually, own_cluster},
    lab::{Lab, TASK, server_at, task},
};

async fn failure(namespace: &Namespace, arguments: &[&str]) -> (i32, String) {
    let (code, text, err) = plugin(namespace, arguments, &[]).await;
    assert_ne!(code, 0, "{arguments:?}: {text}");
    (code, err)
}

#[tokio::test]
async fn where_there_is_nothing_it_says_what_to_do() {
    let namespace = cluster().await.namespace("empty").await;
    let name = namespace.name();
    let (code, text, _) = plugin(&namespace, &["status"], &[]).await;
    assert_eq!(code, 0);
    assert_eq!(
        text,
        format!(
            "no BackupServer and no BackupTask in namespace \"{name}\": declare a NAS first, as in \
             docs/examples/first-backup.yaml; elsewhere: kubectl abb status -A\n"
        )
    );
    let (code, text, _) = plugin(&namespace, &["status", "-o", "json"], &[]).await;
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (code, &list["kind"], &list["items"]),
        (0, &json!("List"), &json!([]))
    );

    for (arguments, code, parts) in [
        (
            &["status", "nightly"][..],
            1,
            &["no BackupTask \"nightly\"", "see kubectl get backuptasks"][..],
        ),
        (
            &["history", "bt/nightly"],
            1,
            &["no BackupTask \"nightly\"", name],
        ),
        (&["tasks", "nas"], 1, &["no BackupServer \"nas\"", name]),
        (
            &["status", "-l", "tier in gold"],
            3,
            &["the selector \"tier in gold\"", "write it as tier=gold"],
        ),
        (
            &["status", "--watch", "-o", "json"],
            3,
            &["--watch draws a screen", "kubectl get backuptasks --watch"],
        ),
        (
            &["status", "--watch", "nightly"],
            1,
            &["no BackupTask \"nightly\""],
        ),
        (&["status", "nightly", "-l", "a=b"], 3, &["cannot be used with"]),
    ] {
        let (seen, err) = failure(&namespace, arguments).await;
        assert_eq!(seen, code, "{arguments:?}: {err}");
        for part in parts {
            assert!(err.contains(part), "{part} in {err}");
        }
    }
}

#[tokio::test]
async fn programs_get_the_objects_as_kubectl_gives_them() {
    let lab = Lab::new("objects").await;
    lab.task("").await;
    lab.namespace.apply(&task("another", "other", "")).await.ok();
    lab.server_reason("Connected").await;
    lab.until("bound", |status| status["task"]["name"] == TASK).await;
    let kubectl = lab
        .namespace
        .kubectl(&["get", "bsrv,bt", "-o", "json"])
        .await
        .ok();
    let mut theirs: Value = serde_json::from_str(&kubectl).unwrap();
    for item in theirs["items"].as_array_mut().unwrap() {
        item["metadata"].as_object_mut().unwrap().remove("managedFields");
    }
    // The status moves on with each poll of the NAS only where something changed; nothing does here.
    eventually("both tools show the same objects", async || {
        let (_, text, _) = plugin(&lab.namespace, &["status", "-o", "json"], &[]).await;
        let ours: Value = serde_json::from_str(&text).unwrap();
        if ours == theirs {
            Ok(())
        } else {
            Err(format!("{ours:#}\n{theirs:#}"))
        }
    })
    .await;
    let kinds: Vec<_> = theirs["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["kind"].clone())
        .collect();
    assert_eq!(kinds, ["BackupServer", "BackupTask", "BackupTask"]);
    let (_, yaml, _) = plugin(&lab.namespace, &["status", "-o", "yaml"], &[]).await;
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).unwrap(), theirs);

    let (_, runs, _) = plugin(&lab.namespace, &["history", "laptop", "-o", "json"], &[]).await;
    let runs: Value = serde_json::from_str(&runs).unwrap();
    assert_eq!(runs, lab.status().await["history"]);
    assert_eq!(runs[0]["resultId"], 7544);
    let (_, tasks, _) = plugin(&lab.namespace, &["tasks", "nas", "-o", "yaml"], &[]).await;
    let tasks: Value = serde_saphyr::from_str(&tasks).unwrap();
    assert_eq!(tasks["complete"], true);
    assert_eq!(tasks["tasks"][0]["managedBy"], json!(["laptop"]));
    assert!(!tasks.to_string().contains("canary"));
}

/// A cluster of its own, in which no operator is: first without the definitions, then with looser ones, under which objects
/// stand that this program cannot read, as after an upgrade that brought a rule.
#[tokio::test]
async fn without_definitions_without_operator_and_with_objects_of_another_time() {
    let cluster = own_cluster().await;
    let namespace = cluster.namespace("bare").await;
    let (code, err) = failure(&namespace, &["status"]).await;
    assert_eq!(code, 1);
    assert!(
        err.contains("the cluster does not know BackupTasks")
            && err.contains("abb-operator crd | kubectl apply"),
        "{err}"
    );
    for definition in abb_operator::api::definitions() {
        let mut definition = serde_json::to_value(&definition).unwrap();
        let schema =
            &mut definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        *schema = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        namespace.apply(&definition.to_string()).await.ok();
    }
    cluster.wait_until_served().await.unwrap();
    let nas = server_at("https://nas.example.org:5001", &"ab".repeat(32), "");
    let objects = [
        nas,
        task("young", "any", ""),
        task("younger", "any", ""),
        task("old", "any", "historyLimit: many"),
    ];
    namespace.apply(&objects.join("---\n")).await.ok();
    let other = cluster.namespace("other").await;
    other.apply(&task("stray", "any", "")).await.ok();
    for width in super::WIDTHS {
        compare(
            &format!("unseen-{width}"),
            &print_in(&namespace, &["status"], width).await,
        );
        let all = print_in(&namespace, &["status", "-A"], width).await;
        compare(&format!("unseen-all-{width}"), &all);
    }
    let (_, text, _) = plugin(&namespace, &["status", "old", "-o", "json"], &[]).await;
    let list: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(list["items"][0]["kind"], "BackupServer");
    assert_eq!(list["items"][1]["spec"]["historyLimit"], "many");
    let (code, err) = failure(&namespace, &["history", "old"]).await;
    assert!(
        code == 1 && err.contains("historyLimit") || err.contains("\"many\""),
        "{err}"
    );
}

#[tokio::test]
async fn colours_are_for_terminals_that_want_them() {
    let lab = Lab::new("colours").await;
    lab.task("").await;
    lab.until("bound", |status| status["task"]["name"] == TASK).await;
    for (environment, coloured) in [
        (&[][..], true),
        (&[("NO_COLOR", "1")], false),
        (&[("CLICOLOR", "0")], false),
        (&[("TERM", "dumb")], false),
    ] {
        let mut terminal = terminal(&lab.namespace, &["status"], environment, (80, 40));
        let (code, screen) = terminal.ended().await;
        assert_eq!(code, 0, "{screen}");
        assert_eq!(
            terminal.written().contains('\u{1b}'),
            coloured,
            "{environment:?}: {:?}",
            terminal.written()
        );
        assert!(screen.contains("1 task: 1 fine"), "{screen}");
    }
    let forced = [("CLICOLOR_FORCE", "1")];
    let (_, text, _) = plugin(&lab.namespace, &["status"], &forced).await;
    assert!(!text.contains('\u{1b}'), "{text}");
}

/// Where the locale has no letters beyond ASCII, ours are none.
#[tokio::test]
async fn a_terminal_of_ascii_gets_ascii() {
    let lab = Lab::new("ascii").await;
    lab.task("").await;
    lab.until("a run", |status| status["history"].is_array()).await;
    let mut terminal = terminal(&lab.namespace, &["history", "laptop"], &[("LANG", "C")], (80, 40));
    let (_, screen) = terminal.ended().await;
    assert!(screen.is_ascii() && screen.contains("######"), "{screen}");
}

#[tokio::test]
async fn a_list_in_part_and_a_queue_that_is_kept_from_the_account_are_said() {
    let scenario = Scenario {
        tasks: Vec::new(),
        generate_tasks: 3,
        ..Scenario::seed()
    };
    let lab = Lab::with("part", scenario, 300.0).await;
    lab.server_reason("Connected").await;
    let break_for_good = |api: &str, kind| {
        let fault = Fault {
            api: Some(api.to_owned()),
            times: 0,
            ..Fault::new(kind)
        };
        lab.nas.control(Control::AddFault(fault)).unwrap();
    };
    break_for_good("SYNO.ActiveBackup.Overview", FaultKind::ErrorCode { code: 105 });
    compare(
        "tasks-without-queue",
        &print_in(&lab.namespace, &["tasks", "nas"], 80).await,
    );
    break_for_good("SYNO.ActiveBackup.Task", FaultKind::ShortPage { rows: 0 });
    compare(
        "tasks-in-part",
        &print_in(&lab.namespace, &["tasks", "nas"], 80).await,
    );
    let stopped = Control::Package {
        state: PackageState::Stopped,
    };
    lab.nas.control(stopped).unwrap();
    let (code, err) = failure(&lab.namespace, &["tasks", "nas"]).await;
    assert!(
        code == 1 && err.contains("error 102") && err.contains("Package Center"),
        "{err}"
    );
}
