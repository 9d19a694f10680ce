//! The stories, by subject: each shows one thing of a NAS that the protocol's last section names, or several of them
//! together. `behaviours` says which shows what.

mod backups;
mod cancels;
mod clocks;
mod factors;
mod identities;
mod lists;
mod logins;
mod removals;
mod replies;
mod results;
mod rows;
mod sessions;
mod shapes;
mod switches;
mod tokens;
mod visible;

use abb_operator::{
    api::{BackupTask, CancelSpec},
    simulator::{self, Behaviour, Control, Fault, FaultKind, Origin, ResultSpec, TaskChange},
};
use serde_json::json;

use super::scenarios::{Do, Scenario, nas, story};
#[allow(unused_imports, reason = "the test's")]
pub use factors::{reseeded, with_seed};

const TASKS: &str = "SYNO.ActiveBackup.Task";
const OVERVIEW: &str = "SYNO.ActiveBackup.Overview";
const LOGS: &str = "SYNO.ActiveBackup.Log";
const INFO: &str = "SYNO.API.Info";
const AUTH: &str = "SYNO.API.Auth";

/// Every story; the first is the plainest one.
pub fn all() -> Vec<Scenario> {
    let token = json!({ "triggers": { "request": "a" } });
    let mut list = vec![story("a token", &token)];
    list.extend(tokens::tokens(&token));
    list.extend(tokens::by_themselves());
    list.extend(tokens::modes());
    list.extend(backups::in_progress(&token));
    list.extend(backups::not_yet(&token));
    list.extend(backups::queued(&token));
    list.extend(backups::races());
    list.extend(cancels::cancels(&token));
    list.extend(cancels::of_nothing(&token));
    list.extend(removals::plain());
    list.extend(removals::obstacles());
    list.extend(removals::held_back());
    list.extend(removals::races());
    list.extend(identities::identities());
    list.extend(identities::unknown());
    list.extend(lists::lists(&token));
    list.extend(results::results());
    list.extend(results::rows(&token));
    list.extend(rows::rows(&token));
    list.extend(replies::to_backup(&token));
    list.extend(replies::to_stops(&token));
    list.extend(replies::to_list(&token));
    list.extend(replies::to_history(&token));
    list.extend(replies::together(&token));
    list.extend(sessions::codes(&token));
    list.extend(sessions::endings(&token));
    list.extend(sessions::package(&token));
    list.extend(clocks::off(&token));
    list.extend(clocks::jumps(&token));
    list.extend(clocks::reboots(&token));
    list.extend(logins::logins(&token));
    list.extend(factors::codes(&token));
    list.extend(factors::seeds(&token));
    list.extend(shapes::refusals(&token));
    list.extend(shapes::rows(&token));
    list.extend(switches::sessions(&token));
    list.extend(switches::rights(&token));
    list.extend(switches::upgrades(&token));
    list.extend(switches::catalogues(&token));
    list.extend(visible::deletions(&token));
    list.extend(visible::late(&token));
    list
}

fn with(change: impl FnOnce(&mut simulator::Scenario)) -> simulator::Scenario {
    let mut nas = nas();
    change(&mut nas);
    nas
}

fn behaving(change: impl FnOnce(&mut Behaviour)) -> simulator::Scenario {
    with(|nas| change(&mut nas.behaviour))
}

fn changed(change: TaskChange) -> Do {
    Do::Nas(Control::ChangeTask {
        id: 1,
        change: Box::new(change),
    })
}

fn started_by_a_person() -> Do {
    Do::Nas(Control::StartTask {
        id: 1,
        origin: Origin::Person,
    })
}

fn cancel(task: &mut BackupTask) {
    task.spec.cancel = Some(CancelSpec {
        request: "x".to_owned(),
    });
}

fn slow(method: &str, api: &str, milliseconds: u64) -> Fault {
    Fault::new(FaultKind::Delay {
        milliseconds,
        before_effect: false,
    })
    .on(api, method)
    .times(0)
}

/// The deletion of a version ends, and stands over the last result.
fn deletes_a_version() -> Do {
    Do::Nas(Control::AddResult {
        id: 1,
        result: ResultSpec {
            job_action: Some(131_072),
            ..ResultSpec::default()
        },
    })
}

fn asks(task: &mut BackupTask) {
    task.spec.triggers.request = Some("a".to_owned());
}
