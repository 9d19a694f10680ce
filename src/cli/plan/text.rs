//! A plan for people at a terminal.

use super::words::{destroyed, name, said, summary, why};
use crate::{
    cli::screen::{Column, Screen, Tone, safe},
    manifest::Place,
    standalone::{Change, Plan, PlannedAct, PlannedTask},
};

const COLUMNS: [Column<'_>; 6] = [
    Column::whole("ACTION"),
    Column::cut("BACKUPTASK", 8),
    Column::cut("SERVER", 4).leaving(2),
    Column::cut("NAS TASK", 8).leaving(1),
    Column::whole("CHANGE").leaving(3),
    Column::cut("WHY", 16),
];

/// The plan as a table, with what needs words below it.
pub(super) fn render(plan: &Plan, offline: bool, screen: Screen) -> String {
    let mut text = String::new();
    if !offline && !plan.tasks.is_empty() {
        let rows: Vec<_> = plan.tasks.iter().map(|task| row(plan, task, screen)).collect();
        text.push_str(&screen.columns(&COLUMNS, &rows).text);
        text.push('\n');
    }
    for task in plan.tasks.iter().filter(|task| task.destroys) {
        let when = if task.action == PlannedAct::Remove {
            "destroys"
        } else {
            "will destroy, as soon as nothing is in the way any more,"
        };
        let line = format!(
            "REMOVE {}: {when} {} of {:?} on {}, and nothing brings them back",
            name(plan, &task.namespace, &task.name),
            task.removal_plan
                .as_ref()
                .map_or_else(|| "every version".to_owned(), destroyed),
            task.task.as_deref().unwrap_or(""),
            task.server
        );
        text.push_str(&screen.paragraph(Tone::Bad, "", &safe(&line)));
    }
    for server in plan.servers.iter().filter(|server| server.ready == Some(false)) {
        let line = format!(
            "{}BackupServer {:?}: {}: {}",
            at(server.place.as_ref()),
            server.name,
            server.reason.as_deref().unwrap_or(""),
            server.message.as_deref().unwrap_or("")
        );
        text.push_str(&screen.paragraph(Tone::Bad, "fail", &safe(&line)));
    }
    for task in plan.tasks.iter().filter(|task| task.stalled) {
        let line = format!(
            "{}BackupTask {:?}: {}",
            at(task.place.as_ref()),
            task.name,
            said(task)
        );
        text.push_str(&screen.paragraph(Tone::Bad, "fail", &safe(&line)));
    }
    for advice in &plan.advice {
        let line = format!("{}: {}: {}", advice.place, advice.object, advice.message);
        text.push_str(&screen.paragraph(Tone::Warn, "note", &safe(&line)));
    }
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push('\n');
    }
    let end = if offline {
        format!(
            "{} and {} are right as far as manifests can tell; no NAS was asked.",
            counted(plan.servers.len(), "BackupServer"),
            counted(plan.tasks.len(), "BackupTask")
        )
    } else {
        format!("Plan: {}. Nothing was sent.", summary(plan))
    };
    text.push_str(&screen.paint(Tone::Strong, &end));
    text.push('\n');
    text
}

fn at(place: Option<&Place>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

fn row(plan: &Plan, task: &PlannedTask, screen: Screen) -> Vec<String> {
    let (tone, action) = match task.action {
        PlannedAct::Remove => (Tone::Bad, "REMOVE"),
        PlannedAct::Cancel => (Tone::Warn, "cancel"),
        PlannedAct::Backup => (Tone::Good, "backup"),
        PlannedAct::Nothing if task.destroys => (Tone::Bad, "REMOVE"),
        PlannedAct::Nothing if task.stalled => (Tone::Bad, "trouble"),
        PlannedAct::Nothing => (Tone::Faint, "-"),
    };
    let change = match task.change {
        Change::Create => screen.paint(Tone::Good, "new"),
        Change::Update => screen.paint(Tone::Warn, "changed"),
        Change::Unchanged => screen.paint(Tone::Faint, "same"),
        Change::Delete => screen.paint(Tone::Bad, "deleted"),
    };
    vec![
        screen.paint(tone, action),
        name(plan, &task.namespace, &task.name),
        task.server.clone(),
        task.task
            .as_deref()
            .map_or_else(|| "-".to_owned(), |name| safe(name).into_owned()),
        change,
        // What is wrong stands below in full.
        if task.stalled {
            task.reason.clone().unwrap_or_default()
        } else {
            safe(&why(task)).into_owned()
        },
    ]
}
