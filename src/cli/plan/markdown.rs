//! A plan for the comment of a pull request.

use std::fmt::Write as _;

use super::words::{destroyed, name, said, summary, why};
use crate::{
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
    let removed = plan.tasks.iter().filter(|task| task.action == PlannedAct::Remove);
    for task in removed {
        let destroyed = task.removal_plan.as_ref().map(destroyed).unwrap_or_default();
        let _ = write!(
            text,
            "\n> [!CAUTION]\n> **{} would be removed from the NAS with {destroyed}. Nothing brings them back.** (`{}` on `{}`)\n",
            cell(task.task.as_deref().unwrap_or("")),
            cell(&name(plan, &task.namespace, &task.name)),
            cell(&task.server),
        );
    }
    if !offline && !plan.tasks.is_empty() {
        text.push_str("\n| | BackupTask | server | NAS task | change | why |\n|---|---|---|---|---|---|\n");
        for task in &plan.tasks {
            let action = match task.action {
                PlannedAct::Remove => "🟥 **remove**",
                PlannedAct::Cancel => "🟨 cancel",
                PlannedAct::Backup => "🟩 backup",
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
                "| {action} | `{}` | {} | {} | {change} | {} |",
                cell(&name(plan, &task.namespace, &task.name)),
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
            .map(|place| format!("`{place}`: "))
            .unwrap_or_default();
        let (reason, message) = (server.reason.as_deref(), server.message.as_deref());
        lines.push(format!(
            "- ❌ {place}BackupServer `{}`: {}: {}",
            cell(&server.name),
            reason.unwrap_or(""),
            cell(message.unwrap_or(""))
        ));
    }
    for task in plan.tasks.iter().filter(|task| task.stalled) {
        let place = task
            .place
            .as_ref()
            .map(|place| format!("`{place}`: "))
            .unwrap_or_default();
        lines.push(format!(
            "- ❌ {place}BackupTask `{}`: {}",
            cell(&task.name),
            cell(&said(task))
        ));
    }
    for advice in &plan.advice {
        lines.push(format!(
            "- ⚠️ `{}`: {}: {}",
            advice.place,
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
            "- `{}`: {}{}{}",
            fault.place,
            cell(&fault.object),
            if fault.field.is_empty() {
                ": ".to_owned()
            } else {
                format!(": `{}`: ", cell(&fault.field))
            },
            cell(&fault.message)
        );
    }
    text
}

/// Text of a NAS or a manifest inside a table: one line, no cell of its own, no markup.
fn cell(text: &str) -> String {
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
