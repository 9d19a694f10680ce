//! A plan for the comment of a pull request.

use std::fmt::Write as _;

use super::words::{destroyed, name, said, summary, why};
use crate::{
    cli::screen::safe,
    manifest::Fault,
    standalone::{Change, Plan, PlannedAct, Verdict},
};

/// The plan as GitHub and GitLab render it. A removal stands above everything else.
pub(super) fn render(plan: &Plan, offline: bool) -> String {
    let mut text = String::from("## Backups: ");
    if offline {
        text.push_str("the manifests are right as far as they can tell; no NAS was asked\n");
    } else {
        let mark = match plan.verdict {
            Verdict::Nothing => "✅",
            Verdict::Due => "▶️",
            Verdict::Failed => "❌",
        };
        let _ = writeln!(text, "{mark} {}", summary(plan));
    }
    for task in plan.tasks.iter().filter(|task| task.destroys) {
        let what = cell(task.task.as_deref().unwrap_or("a task"));
        let object = format!(
            "{} on {}",
            code(&name(plan, &task.namespace, &task.name)),
            code(&task.server)
        );
        let destroyed = task
            .removal_plan
            .as_ref()
            .map_or_else(|| "every version".to_owned(), destroyed);
        let when = if task.action == PlannedAct::Remove {
            "would be removed from the NAS with"
        } else {
            "would be removed from the NAS as soon as nothing is in the way any more, with"
        };
        let _ = write!(
            text,
            "\n> [!CAUTION]\n> **{what} {when} {destroyed}. Nothing brings them back.** ({object})\n"
        );
    }
    if !offline && !plan.tasks.is_empty() {
        text.push_str("\n| | BackupTask | server | NAS task | change | why |\n|---|---|---|---|---|---|\n");
        for task in &plan.tasks {
            let action = match task.action {
                PlannedAct::Remove => "🟥 **remove**",
                PlannedAct::Cancel => "🟨 cancel",
                PlannedAct::Backup => "🟩 backup",
                PlannedAct::Nothing if task.destroys => "🟥 **remove** later",
                PlannedAct::Nothing if task.stalled => "❌ trouble",
                PlannedAct::Nothing => "",
            };
            let change = match task.change {
                Change::Create => "new",
                Change::Update => "changed",
                Change::Unchanged => "",
                Change::Delete => "**deleted**",
            };
            let _ = writeln!(
                text,
                "| {action} | {} | {} | {} | {change} | {} |",
                code(&name(plan, &task.namespace, &task.name)),
                cell(&task.server),
                cell(task.task.as_deref().unwrap_or("-")),
                cell(&why(task)),
            );
        }
    }
    let mut lines = Vec::new();
    for server in plan.servers.iter().filter(|server| server.ready == Some(false)) {
        let place = server
            .place
            .as_ref()
            .map(|place| format!("{}: ", code(&place.to_string())))
            .unwrap_or_default();
        let (reason, message) = (server.reason.as_deref(), server.message.as_deref());
        lines.push(format!(
            "- ❌ {place}BackupServer {}: {}: {}",
            code(&server.name),
            reason.unwrap_or(""),
            cell(message.unwrap_or(""))
        ));
    }
    for task in plan.tasks.iter().filter(|task| task.stalled) {
        let place = task
            .place
            .as_ref()
            .map(|place| format!("{}: ", code(&place.to_string())))
            .unwrap_or_default();
        lines.push(format!(
            "- ❌ {place}BackupTask {}: {}",
            code(&task.name),
            cell(&said(task))
        ));
    }
    for advice in &plan.advice {
        lines.push(format!(
            "- ⚠️ {}: {}: {}",
            code(&advice.place.to_string()),
            cell(&advice.object),
            cell(&advice.message)
        ));
    }
    if !lines.is_empty() {
        text.push('\n');
        text.push_str(&lines.join("\n"));
        text.push('\n');
    }
    if !offline {
        text.push_str("\nNothing was sent.\n");
    }
    text
}

/// Manifests that are wrong.
pub(super) fn refused(faults: &[Fault]) -> String {
    let s = if faults.len() == 1 { "" } else { "s" };
    let mut text = format!("## Backups: ❌ {} fault{s} in the manifests\n\n", faults.len());
    for fault in faults {
        let _ = writeln!(
            text,
            "- {}: {}{}{}",
            code(&fault.place.to_string()),
            cell(&fault.object),
            if fault.field.is_empty() {
                ": ".to_owned()
            } else {
                format!(": {}: ", code(&fault.field))
            },
            cell(&fault.message)
        );
    }
    text
}

/// Text between backticks, where nothing escapes them.
fn code(text: &str) -> String {
    let safe: String = safe(text)
        .chars()
        .map(|letter| match letter {
            '`' => '\'',
            '|' => '¦',
            letter if letter.is_control() => ' ',
            letter => letter,
        })
        .collect();
    format!("`{safe}`")
}

/// Text of a NAS or a manifest inside a table: one line, no cell of its own, no markup.
fn cell(text: &str) -> String {
    let text = safe(text);
    let mut safe = String::new();
    for letter in text.chars() {
        match letter {
            '|' | '`' | '*' | '_' | '<' | '>' | '[' | ']' | '#' | '\\' | '@' => {
                safe.push('\\');
                safe.push(letter);
            }
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}
