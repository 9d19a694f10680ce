//! The judge: pure functions that hold effects, requests and status against each other. The ledger is read after
//! the status, so whatever a status claims must stand in it.

use abb_operator::{
    api::{BackupTaskStatus, ConditionType, Reason, Receipt, ReceiptOutcome, State, condition},
    simulator::{Effect, RequestRecord},
};

use crate::plan::Action;

/// What must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// More effects, or more calls, than were asked for.
    Duplicate,
    /// Not settled in time, or settled without what was asked for.
    Lost,
    /// The status says what the ledger does not.
    Contradiction,
    /// The status says that it cannot know; this NAS can always show.
    OutcomeUnknown,
    /// A process ended by itself, or not cleanly.
    Crash,
}

pub const KINDS: [Kind; 5] = [
    Kind::Duplicate,
    Kind::Lost,
    Kind::Contradiction,
    Kind::OutcomeUnknown,
    Kind::Crash,
];

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub kind: Kind,
    pub text: String,
}

impl Finding {
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { kind, text }
    }
}

/// Holds the effects since the last judgement, and the requests of this run, against what was asked for once.
pub fn effects(action: Action, effects: &[Effect], requests: &[RequestRecord]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for method in ["backup", "cancel", "remove"] {
        let taken = effects.iter().filter(|effect| effect.kind == method).count();
        let sent = calls(method, requests);
        let asked = match (action, method) {
            (Action::Trigger | Action::Cancel, "backup") | (Action::Removal, "remove") => 1,
            _ => 0,
        };
        // A cancel may come too late, and its token allows one call, whatever becomes of it.
        let allowed = asked.max(usize::from(action == Action::Cancel && method == "cancel"));
        if taken > allowed || sent > allowed {
            let text = format!("{method}: {taken} effects of {sent} calls, {allowed} allowed");
            findings.push(Finding::new(Kind::Duplicate, text));
        }
        if taken < asked {
            let text = format!("{method}: {taken} effects, {asked} asked for");
            findings.push(Finding::new(Kind::Lost, text));
        }
    }
    findings
}

/// Calls that the NAS took up or may have taken up. It refuses a call without a session before it looks at it. A
/// call that is lost on the way in may be repeated, but for a cancel: that is sent once per token.
fn calls(method: &str, requests: &[RequestRecord]) -> usize {
    let counts = |outcome: &str| match outcome {
        "105" | "106" | "107" | "119" | "150" => false,
        "lost" => method == "cancel",
        _ => true,
    };
    requests
        .iter()
        .filter(|request| request.method == method && counts(&request.outcome))
        .count()
}

/// Holds one version of a status against the ledger.
pub fn status(status: &BackupTaskStatus, ledger: &[Effect]) -> Vec<Finding> {
    let mut findings = results(status, ledger);
    if let Some(receipts) = &status.receipts {
        findings.extend(receipts.request.iter().filter_map(|it| request(it, ledger)));
        findings.extend(receipts.cancel.iter().filter_map(|it| cancel(it, status, ledger)));
    }
    let key = status.task.as_ref().and_then(|task| task.unique_key.as_ref());
    let removed = |effect: &Effect| effect.kind == "removed" && effect.unique_key.as_ref() == key;
    if status.state == Some(State::Removed) && !ledger.iter().any(removed) {
        findings.push(contradiction(format!("Removed, but {key:?} is there")));
    }
    let ready = condition(&status.conditions, ConditionType::Ready);
    if ready.is_some_and(|ready| ready.reason == Reason::OutcomeUnknown.as_str()) {
        findings.push(Finding::new(Kind::OutcomeUnknown, format!("{ready:?}")));
    }
    findings
}

fn contradiction(text: String) -> Finding {
    Finding::new(Kind::Contradiction, text)
}

/// Every result must be that of a run which ended that way.
fn results(status: &BackupTaskStatus, ledger: &[Effect]) -> Vec<Finding> {
    let history = status.history.iter().map(|entry| &entry.result);
    let newest = [&status.last_result, &status.last_success];
    newest
        .into_iter()
        .flatten()
        .chain(history)
        .filter(|result| ended(result.result_id, ledger) != Some(result.status_code))
        .map(|result| {
            let (id, code) = (result.result_id, result.status_code);
            let truth = ended(id, ledger);
            contradiction(format!("result {id} with status {code}, truly {truth:?}"))
        })
        .collect()
}

/// The status a run ended with.
fn ended(result_id: i64, ledger: &[Effect]) -> Option<i64> {
    let end = |effect: &&Effect| effect.kind == "run-ended" && effect.result_id == Some(result_id);
    ledger.iter().find(end)?.status
}

fn request(receipt: &Receipt, ledger: &[Effect]) -> Option<Finding> {
    let truth = receipt.result_id.and_then(|id| ended(id, ledger));
    let expected = match truth {
        Some(2) => Some(ReceiptOutcome::Succeeded),
        Some(3 | 4 | 6) => Some(ReceiptOutcome::Failed),
        Some(5) => Some(ReceiptOutcome::Canceled),
        _ => None,
    };
    match receipt.outcome {
        ReceiptOutcome::Accepted => None,
        ReceiptOutcome::OutcomeUnknown => Some(Finding::new(Kind::OutcomeUnknown, format!("{receipt:?}"))),
        outcome if Some(outcome) == expected => None,
        _ => Some(contradiction(format!("{receipt:?}, truly {truth:?}"))),
    }
}

/// `Canceled` iff the run ended as cancelled; nothing to cancel only if no run is left.
fn cancel(receipt: &Receipt, status: &BackupTaskStatus, ledger: &[Effect]) -> Option<Finding> {
    let truth = receipt.result_id.and_then(|id| ended(id, ledger));
    let wrong = || contradiction(format!("cancel: {receipt:?}, truly {truth:?}"));
    match receipt.outcome {
        ReceiptOutcome::OutcomeUnknown => Some(Finding::new(Kind::OutcomeUnknown, format!("{receipt:?}"))),
        ReceiptOutcome::Canceled => (truth != Some(5)).then(wrong),
        ReceiptOutcome::NothingToCancel if receipt.result_id.is_some() => {
            (truth.is_none() || truth == Some(5)).then(wrong)
        }
        // An old receipt speaks of its own time: the run that a later request started is none of its business.
        ReceiptOutcome::NothingToCancel if is_newest(receipt, status) => is_running(ledger).then(wrong),
        ReceiptOutcome::Accepted | ReceiptOutcome::NothingToCancel => None,
        _ => Some(wrong()),
    }
}

fn is_newest(receipt: &Receipt, status: &BackupTaskStatus) -> bool {
    let requested = status.receipts.as_ref().and_then(|it| it.request.as_ref());
    requested.is_some_and(|request| request.token == receipt.token)
}

/// Whether a run has started that has not ended.
fn is_running(ledger: &[Effect]) -> bool {
    let count = |kind| ledger.iter().filter(|effect| effect.kind == kind).count();
    count("run-started") > count("run-ended")
}

/// Holds the settled status against what happened in the run: its tokens were answered with its result.
pub fn answers(action: Action, status: &BackupTaskStatus, effects: &[Effect]) -> Vec<Finding> {
    if action == Action::Removal {
        return Vec::new();
    }
    let end = effects.iter().rfind(|effect| effect.kind == "run-ended");
    let Some(end) = end else {
        return vec![Finding::new(Kind::Lost, "no run has ended")];
    };
    let receipts = status.receipts.clone().unwrap_or_default();
    let mut findings = Vec::new();
    if receipts.request.as_ref().and_then(|receipt| receipt.result_id) != end.result_id {
        findings.push(contradiction(format!("{:?}, truly {end:?}", receipts.request)));
    }
    let last = status.last_result.as_ref().map(|last| last.result_id);
    if last != end.result_id {
        findings.push(contradiction(format!("lastResult {last:?}, truly {end:?}")));
    }
    let canceled = receipts
        .cancel
        .is_some_and(|receipt| receipt.outcome == ReceiptOutcome::Canceled);
    if action == Action::Cancel && canceled != (end.status == Some(5)) {
        findings.push(contradiction(format!("Canceled: {canceled}, truly {end:?}")));
    }
    findings
}
