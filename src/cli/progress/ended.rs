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
        Self::of(task, outcome, result_id, is_good, &message)
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
        Self::of(task, outcome, result_id, is_good, &message)
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
        message: &str,
    ) -> Self {
        let result = result_id.and_then(|id| result_of(task, id));
        Self {
            task: task.name_any(),
            result: format!("{outcome:?}"),
            is_good,
            duration: result.and_then(duration),
            transferred: result.and_then(|result| result.transferred_bytes),
            result_id,
            message: one_line(message),
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
            let count = |count: Option<i64>, what: &str| match count {
                None | Some(..=0) => None,
                Some(1) => Some(format!("1 {what}")),
                Some(count) => Some(format!("{count} {what}s")),
            };
            let counts = [
                count(result.error_count, "error"),
                count(result.warning_count, "warning"),
            ];
            let counts: Vec<String> = counts.into_iter().flatten().collect();
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn task(status: &Value) -> BackupTask {
        serde_json::from_value(json!({
            "apiVersion": "activebackup.dev/v1alpha1",
            "kind": "BackupTask",
            "metadata": { "name": "laptop" },
            "spec": { "serverRef": { "name": "nas" }, "task": { "id": 1 }, "activeDeadline": "2h" },
            "status": status,
        }))
        .unwrap()
    }

    fn with_result(status: &str, more: &Value) -> BackupTask {
        let mut result = json!({
            "resultId": 7, "status": status, "statusCode": 4, "action": "Backup", "actionCode": 1, "origin": "Request",
            "startTime": "2026-12-01T08:00:00Z", "endTime": "2026-12-01T08:02:10Z", "transferredBytes": 1024,
            "errorCount": 2, "warningCount": 0,
        });
        let mut whole = json!({ "history": [] });
        whole
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        result["origin"] = "Request".into();
        whole["lastResult"] = result;
        task(&whole)
    }

    #[test]
    fn each_outcome_says_why_it_is_no_success() {
        let none = json!({});
        let refused = task(&json!({ "conditions": [{
            "type": "Stalled", "status": "True", "reason": "BackupRefused", "message": "error 1104: outside the window",
            "lastTransitionTime": "2026-12-01T08:00:00Z",
        }] }));
        let retried = json!({ "retryAttempt": 1, "nextAttemptTime": "2026-12-01T08:07:10Z" });
        let rows = vec![
            (with_result("Success", &none), ReceiptOutcome::Succeeded, ""),
            (
                with_result("Success", &none),
                ReceiptOutcome::AlreadySatisfied,
                "",
            ),
            (
                with_result("Failed", &none),
                ReceiptOutcome::Failed,
                "2 errors: the log",
            ),
            (
                with_result("Failed", &retried),
                ReceiptOutcome::Failed,
                "the next attempt comes at 2026-12-01T08:07:10Z",
            ),
            (
                with_result("PartialSuccess", &none),
                ReceiptOutcome::Failed,
                "partialIsSuccess",
            ),
            (
                with_result("NoBackup", &none),
                ReceiptOutcome::Failed,
                "nothing was backed up",
            ),
            (
                with_result("Canceled", &none),
                ReceiptOutcome::DeadlineExceeded,
                "longer than activeDeadline (2h)",
            ),
            (
                with_result("Canceled", &none),
                ReceiptOutcome::Canceled,
                "was cancelled",
            ),
            (
                with_result("Unknown", &none),
                ReceiptOutcome::ResultUnknown,
                "see the log of the NAS",
            ),
        ];
        for (task, outcome, part) in rows {
            let ended = Ended::backup(&task, outcome, Some(7));
            assert_eq!(ended.is_good, part.is_empty(), "{outcome:?}");
            assert_eq!(ended.message.is_empty(), part.is_empty(), "{outcome:?}");
            assert!(ended.message.contains(part), "{outcome:?}: {}", ended.message);
            assert_eq!(
                (ended.duration.map(span).as_deref(), ended.transferred),
                (Some("2m10s"), Some(1024))
            );
        }
        for (task, outcome, part) in [
            (refused, ReceiptOutcome::Failed, "error 1104: outside the window"),
            (
                task(&none),
                ReceiptOutcome::OutcomeUnknown,
                "only a new token asks again",
            ),
        ] {
            let ended = Ended::backup(&task, outcome, None);
            assert!(
                ended.message.contains(part) && !ended.is_good,
                "{}",
                ended.message
            );
        }
        for (outcome, is_good) in [
            (ReceiptOutcome::Canceled, true),
            (ReceiptOutcome::NothingToCancel, true),
            (ReceiptOutcome::OutcomeUnknown, false),
        ] {
            assert_eq!(
                Ended::cancel(&task(&none), outcome, None).is_good,
                is_good,
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn the_table_has_messages_only_where_there_are_some() {
        let screen = Screen {
            width: None,
            colours: false,
            unicode: true,
        };
        let good = Ended::backup(
            &with_result("Success", &json!({})),
            ReceiptOutcome::Succeeded,
            Some(7),
        );
        assert_eq!(
            results(screen, std::slice::from_ref(&good)),
            "TASK     RESULT      DURATION   TRANSFERRED   RESULT ID\n\
             laptop   Succeeded   2m10s      1.00 KiB      7\n"
        );
        let text = results(
            screen,
            &[good, Ended::otherwise("office", "Deleted", "gone\nfor good")],
        );
        assert!(
            text.lines().next().unwrap().ends_with("RESULT ID   MESSAGE"),
            "{text}"
        );
        assert!(
            text.ends_with("office   Deleted     -          -             -           gone for good\n"),
            "{text}"
        );
    }
}
