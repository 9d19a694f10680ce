//! What the commands that show have in common: words for results and times. Pure.

use crate::{
    api::{ResultStatus, ResultSummary},
    cli::screen::{Screen, Tone, span},
};

/// What stands where there is nothing to show.
pub(super) const NOTHING: &str = "-";

/// Whether a result is what was wanted.
pub(super) fn result_tone(status: ResultStatus, partial_is_success: bool) -> Tone {
    match status {
        ResultStatus::Success => Tone::Good,
        ResultStatus::PartialSuccess if partial_is_success => Tone::Good,
        ResultStatus::Failed | ResultStatus::NoBackup => Tone::Bad,
        ResultStatus::PartialSuccess
        | ResultStatus::Canceled
        | ResultStatus::Incomplete
        | ResultStatus::Unknown => Tone::Warn,
    }
}

/// How long a finished run took.
pub(super) fn duration(result: &ResultSummary) -> Option<String> {
    let (start, end) = (result.start_time.as_ref()?, result.end_time.as_ref()?);
    Some(span(end.0.duration_since(start.0)))
}

/// Which columns somebody asked for in vain.
pub(super) fn no_room(screen: Screen, heads: &[&str]) -> String {
    let mut named: Vec<&str> = Vec::new();
    for head in heads {
        if !named.contains(head) {
            named.push(head);
        }
    }
    if named.is_empty() {
        return String::new();
    }
    let text = format!("no room for: {}", named.join(", "));
    screen.paint(Tone::Faint, screen.prose(&text).trim_end()) + "\n"
}
