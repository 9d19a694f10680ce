//! A plan for people at a terminal.

use std::fmt::Write as _;

use super::words::{destroyed, name, said, summary, why};
use crate::{
    cli::screen::{Screen, Tone},
    standalone::{Change, Plan, PlannedAct, PlannedTask},
};

/// The plan as a table, with what needs words below it.
pub(super) fn render(plan: &Plan, offline: bool, screen: Screen) -> String {
    let mut text = String::new();
    if !offline && !plan.tasks.is_empty() {
        let rows = plan.tasks.iter().map(|task| row(plan, task, screen)).collect();
        text.push_str(&screen.table(
            &["ACTION", "BACKUPTASK", "SERVER", "NAS TASK", "CHANGE", "WHY"],
            rows,
        ));
        text.push('\n');
    }
    for task in &plan.tasks {
        if let Some(removal) = task
            .removal_plan
            .as_ref()
            .filter(|_| task.action == PlannedAct::Remove)
        {
            let line = format!(
                "REMOVE {}: destroys {} of {:?} on {}, and nothing brings them back",
                name(plan, &task.namespace, &task.name),
                destroyed(removal),
                task.task.as_deref().unwrap_or(""),
                task.server
            );
            text.push_str(&screen.paint(Tone::Bad, &line));
            text.push('\n');
        }
    }
    for server in plan.servers.iter().filter(|server| server.ready == Some(false)) {
        let reason = server.reason.as_deref().unwrap_or("");
        let message = server.message.as_deref().unwrap_or("");
        let place = server
            .place
            .as_ref()
            .map(|place| format!("{place}: "))
            .unwrap_or_default();
        let head = screen.paint(Tone::Bad, "unreadable");
        let _ = writeln!(
            text,
            "{head}  {place}BackupServer {:?}: {reason}: {message}",
            server.name
        );
    }
    for task in plan.tasks.iter().filter(|task| task.stalled) {
        let place = task
            .place
            .as_ref()
            .map(|place| format!("{place}: "))
            .unwrap_or_default();
        let head = screen.paint(Tone::Bad, "in trouble");
        let _ = writeln!(text, "{head}  {place}BackupTask {:?}: {}", task.name, said(task));
    }
    for advice in &plan.advice {
        let head = screen.paint(Tone::Warn, "look at");
        let _ = writeln!(
            text,
            "{head}     {}: {}: {}",
            advice.place, advice.object, advice.message
        );
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

fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

fn row(plan: &Plan, task: &PlannedTask, screen: Screen) -> Vec<String> {
    let (tone, action) = match task.action {
        PlannedAct::Remove => (Tone::Bad, "REMOVE"),
        PlannedAct::Cancel => (Tone::Warn, "cancel"),
        PlannedAct::Backup => (Tone::Good, "backup"),
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
        task.task.clone().unwrap_or_else(|| "-".to_owned()),
        change,
        why(task),
    ]
}
