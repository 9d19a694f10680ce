//! What came of what was asked: one row per task, from its receipt and the result that belongs to it.

use jiff::SignedDuration;
use kube::ResourceExt;

use super::line::{one_line, waits_for, whole};
use crate::{
    api::{BackupTask, Reason, ReceiptOutcome, ResultStatus, ResultSummary},
    cli::screen::{Screen, Tone, bytes, span},
};

/// What came of a task's token.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) struct Ended {
    /// Name of the BackupTask.
    pub task: String,
    /// One word.
    pub result: String,
    /// Whether it is what was asked for.
    pub is_good: bool,
    /// How long the run took.
    pub duration: Option<SignedDuration>,
    /// Bytes moved.
    pub transferred: Option<i64>,
    /// The NAS's number of the result.
    pub result_id: Option<i64>,
    /// Why it is no success, and what to do.
    pub message: String,
}

impl Ended {
    /// What came of a token that asked for a run.
    pub fn backup(task: &BackupTask, outcome: ReceiptOutcome, result_id: Option<i64>) -> Self {
        let is_good = matches!(
            outcome,
            ReceiptOutcome::Succeeded | ReceiptOutcome::AlreadySatisfied
        );
        let result = result_id.and_then(|id| result_of(task, id));
        let message = if is_good {
            String::new()
        } else {
            why(task, outcome, result)
        };
        Self::of(task, outcome, result_id, is_good, message)
    }

    /// What came of a token that cancels. That there was nothing to cancel is what was wanted, too.
    pub fn cancel(task: &BackupTask, outcome: ReceiptOutcome, result_id: Option<i64>) -> Self {
        let is_good = matches!(
            outcome,
            ReceiptOutcome::Canceled | ReceiptOutcome::NothingToCancel
        );
        let message = if outcome == ReceiptOutcome::Canceled {
            String::new()
        } else {
            why(task, outcome, None)
        };
        Self::of(task, outcome, result_id, is_good, message)
    }

    /// A wait that ended otherwise than by an answer.
    pub fn otherwise(task: &str, result: &str, message: impl Into<String>) -> Self {
        Self {
            task: task.to_owned(),
            result: result.to_owned(),
            is_good: false,
            duration: None,
            transferred: None,
            result_id: None,
            message: one_line(&message.into()),
        }
    }

    fn of(
        task: &BackupTask,
        outcome: ReceiptOutcome,
        result_id: Option<i64>,
        is_good: bool,
        message: String,
    ) -> Self {
        let result = result_id.and_then(|id| result_of(task, id));
        Self {
            task: task.name_any(),
            result: format!("{outcome:?}"),
            is_good,
            duration: result.and_then(duration),
            transferred: result.and_then(|result| result.transferred_bytes),
            result_id,
            message: one_line(&message),
        }
    }
}

/// The result of that number, where the status still has it.
fn result_of(task: &BackupTask, id: i64) -> Option<&ResultSummary> {
    let status = task.status.as_ref()?;
    let history = status.history.iter().map(|entry| &entry.result);
    let newest = status.last_result.iter().chain(&status.last_success);
    newest.chain(history).find(|result| result.result_id == id)
}

fn duration(result: &ResultSummary) -> Option<SignedDuration> {
    let (start, end) = (result.start_time.as_ref()?, result.end_time.as_ref()?);
    Some(whole(end.0.duration_since(start.0)))
}

fn why(task: &BackupTask, outcome: ReceiptOutcome, result: Option<&ResultSummary>) -> String {
    let said = |reason: Reason, otherwise: &str| {
        waits_for(task)
            .filter(|said| said.reason == reason.as_str())
            .map_or_else(|| otherwise.to_owned(), |said| said.message.clone())
    };
    match outcome {
        ReceiptOutcome::Succeeded | ReceiptOutcome::AlreadySatisfied => String::new(),
        ReceiptOutcome::Accepted => "it goes on".to_owned(),
        ReceiptOutcome::Failed => match result {
            Some(result) => failed(task, result),
            None => said(Reason::BackupRefused, "the NAS refuses the backup"),
        },
        ReceiptOutcome::Canceled => "the run was cancelled".to_owned(),
        ReceiptOutcome::DeadlineExceeded => {
            let limit = task.spec.active_deadline.as_ref();
            let limit = limit.map_or(String::new(), |limit| format!(" ({limit})"));
            format!("the run was cancelled: it took longer than activeDeadline{limit}")
        }
        ReceiptOutcome::Expired => "requestNotAfter passed before a run could be started".to_owned(),
        ReceiptOutcome::NothingToCancel => "no run was in flight, or it ended first".to_owned(),
        ReceiptOutcome::ResultUnknown => {
            "a run took place, and what its result means is not known: see the log of the NAS".to_owned()
        }
        ReceiptOutcome::OutcomeUnknown => said(
            Reason::OutcomeUnknown,
            "whether the NAS took the call cannot be found out; only a new token asks again",
        ),
    }
}

fn failed(task: &BackupTask, result: &ResultSummary) -> String {
    let what = match result.status {
        ResultStatus::PartialSuccess => {
            "some devices or files were not backed up, which is a success only with partialIsSuccess"
                .to_owned()
        }
        ResultStatus::NoBackup => "nothing was backed up".to_owned(),
        _ => {
            let count = |count: Option<i64>, what: &str| {
                count
                    .filter(|count| *count > 0)
                    .map(|count| format!("{count} {what}"))
            };
            let counts: Vec<String> = [
                count(result.error_count, "errors"),
                count(result.warning_count, "warnings"),
            ]
            .into_iter()
            .flatten()
            .collect();
            if counts.is_empty() {
                "the log of the NAS says why".to_owned()
            } else {
                format!("{}: the log of the NAS says which", counts.join(", "))
            }
        }
    };
    let status = task.status.as_ref();
    let next = status
        .filter(|status| status.retry_attempt.is_some())
        .and_then(|status| status.next_attempt_time.as_ref());
    match next {
        Some(next) => format!("{what}; the next attempt comes at {}", next.0),
        None => what,
    }
}

/// The table at the end.
pub(in crate::cli) fn results(screen: Screen, rows: &[Ended]) -> String {
    let has_message = rows.iter().any(|row| !row.message.is_empty());
    let mut heads = vec!["TASK", "RESULT", "DURATION", "TRANSFERRED", "RESULT ID"];
    if has_message {
        heads.push("MESSAGE");
    }
    let cells = |row: &Ended| {
        let tone = if row.is_good { Tone::Good } else { Tone::Bad };
        let missing = || "-".to_owned();
        let mut cells = vec![
            row.task.clone(),
            screen.paint(tone, &row.result),
            row.duration.map_or_else(missing, span),
            row.transferred.map_or_else(missing, bytes),
            row.result_id.map_or_else(missing, |id| id.to_string()),
        ];
        if has_message {
            cells.push(row.message.clone());
        }
        cells
    };
    screen.table(&heads, rows.iter().map(cells).collect())
}
