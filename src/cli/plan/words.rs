//! Words that all forms of a plan share.

use crate::{
    api::{RemovalPlan, TriggerKind, TriggerRef},
    cli::screen::bytes,
    standalone::{Change, Plan, PlannedAct, PlannedTask},
};

/// What asks for a run.
pub(super) fn trigger(trigger: &TriggerRef) -> String {
    let token = trigger.token.as_deref().unwrap_or("");
    match trigger.kind {
        TriggerKind::Request => format!("request {token:?}"),
        TriggerKind::RequestAnnotation => format!("requested by annotation {token:?}"),
        TriggerKind::Schedule => match &trigger.slot {
            Some(slot) => format!("slot {} of the schedule", slot.0),
            None => "the schedule".to_owned(),
        },
        TriggerKind::MaxAge => "the newest success is older than maxAge".to_owned(),
        TriggerKind::Retry => "another attempt after a failed run".to_owned(),
    }
}

/// Why something is sent, or what is waited for.
pub(super) fn why(task: &PlannedTask) -> String {
    if !task.triggers.is_empty() {
        return task.triggers.iter().map(trigger).collect::<Vec<_>>().join(", ");
    }
    match (task.action, &task.next_run_time) {
        (PlannedAct::Remove, _) => match (&task.removal_plan, task.change) {
            (Some(plan), Change::Delete) => format!("removal.when OnDelete destroys {}", destroyed(plan)),
            (Some(plan), _) => format!("removal.when Now destroys {}", destroyed(plan)),
            (None, _) => said(task),
        },
        (PlannedAct::Nothing, Some(next)) if !task.stalled => format!("next {}", next.0),
        _ => said(task),
    }
}

/// Reason and message.
pub(super) fn said(task: &PlannedTask) -> String {
    match (&task.reason, &task.message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (None, Some(message)) => message.clone(),
        (Some(reason), None) => reason.clone(),
        (None, None) => String::new(),
    }
}

/// What a removal destroys.
pub(super) fn destroyed(plan: &RemovalPlan) -> String {
    let mut text = match plan.versions {
        1 => "1 version".to_owned(),
        count => format!("{count} versions"),
    };
    if let (Some(oldest), Some(newest)) = (&plan.oldest, &plan.newest) {
        text = format!("{text} from {} to {}", oldest.0, newest.0);
    }
    if let Some(used) = plan.used_bytes {
        text = format!("{text}, {}", bytes(used));
    }
    if plan.locked_versions > 0 {
        text = format!("{text}, {} of them locked", plan.locked_versions);
    }
    text
}

/// The sum of a plan in one line.
pub(super) fn summary(plan: &Plan) -> String {
    let count = |act: PlannedAct| plan.tasks.iter().filter(|task| task.action == act).count();
    let stalled = plan.tasks.iter().filter(|task| task.stalled).count();
    let waits = |task: &&PlannedTask| task.destroys && task.action != PlannedAct::Remove;
    let later = plan.tasks.iter().filter(waits).count();
    let unread = plan
        .servers
        .iter()
        .filter(|server| server.ready == Some(false))
        .count();
    let mut parts = Vec::new();
    for (count, one, more) in [
        (count(PlannedAct::Remove), "removal", "removals"),
        (count(PlannedAct::Backup), "backup", "backups"),
        (count(PlannedAct::Cancel), "cancel", "cancels"),
        (later, "removal later", "removals later"),
        (stalled, "task in trouble", "tasks in trouble"),
        (unread, "NAS unreadable", "NAS unreadable"),
    ] {
        match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            _ => parts.push(format!("{count} {more}")),
        }
    }
    if parts.is_empty() {
        "nothing is due".to_owned()
    } else {
        parts.join(", ")
    }
}

/// Namespace and name, the namespace only where there are several.
pub(super) fn name(plan: &Plan, namespace: &str, name: &str) -> String {
    let namespaces = plan.tasks.iter().map(|task| &task.namespace);
    let several = namespaces
        .chain(plan.servers.iter().map(|server| &server.namespace))
        .any(|other| other != namespace);
    if several {
        format!("{namespace}/{name}")
    } else {
        name.to_owned()
    }
}
