//! Follows runs to their results: which result row belongs to the run in flight, what a finished run means for
//! receipts, history and counts. Only backups count; a restore or a version deletion never overwrites them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Act, Draft, EVIDENCE_LIMIT, NO_RESULT, freshness::ended, nas_time};
use crate::{
    api::{
        BackupType, HistoryEntry, IntentAction, JobAction, Origin, Progress, Reason, ReceiptOutcome,
        ResultDevice, ResultStatus, ResultSummary, Run, StopReason, TriggerKind, TriggerRef, status_time,
    },
    nas::{ResultRow, status},
    observe::{Doing, is_unfinished},
};

impl<'a> Draft<'a> {
    /// The newest backup row that is in view, finished or not.
    pub(super) fn newest_backup_row(&self) -> Option<&'a ResultRow> {
        self.backup_rows().into_iter().next()
    }

    /// Backup rows in view, newest first: the task's last result, and its history where that was read.
    fn backup_rows(&self) -> Vec<&'a ResultRow> {
        let history = self.observed.results.unwrap_or(&[]);
        let last = self.task().and_then(|task| task.last_result.as_ref());
        // The last result first: of the same row it says more than the history (bytes moved).
        let seen = last.into_iter().chain(history);
        let mut rows: Vec<&ResultRow> = seen.filter(|row| row.is_backup()).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.result_id, !is_unfinished(row))));
        rows.dedup_by_key(|row| row.result_id);
        rows
    }

    /// Takes up runs and results that the NAS shows.
    pub(super) fn follow_results(&mut self) {
        if self.is_latched() || self.observed.inventory.is_none() {
            return;
        }
        if self.task().is_none() {
            return self.lose_run();
        }
        self.ask_for_history();
        self.follow_run();
        self.record_other_results();
        self.judge_success_anew();
        // After the others: one may have followed the run that has just ended.
        if self.notice_external_run() {
            self.follow_run();
        }
        self.status.history.truncate(self.history_limit());
    }

    /// A task that is gone for certain takes its run along; what became of it nobody will tell.
    fn lose_run(&mut self) {
        if self.status.run.is_some()
            && self.is_gone()
            && let Some(run) = self.status.run.clone()
        {
            self.complete(&run, None);
        }
    }

    /// Whether every backup row that could matter is in view: `last_result` is the latest job of any kind, and
    /// behind one that is no backup only the history has the answer.
    pub(super) fn is_history_seen(&self) -> bool {
        let last = self.task().and_then(|task| task.last_result.as_ref());
        self.observed.results.is_some()
            || last.is_none_or(|last| last.is_backup() || self.is_read_behind(last))
    }

    /// Whether the newest good run may stand behind the rows we have ever seen.
    pub(super) fn is_success_hidden(&self) -> bool {
        let last = self.task().and_then(|task| task.last_result.as_ref());
        self.status.last_success.is_none()
            && self.observed.results.is_none()
            && last.is_some_and(|last| !self.is_success(last.status) && !self.is_read_behind(last))
    }

    fn is_read_behind(&self, last: &ResultRow) -> bool {
        self.observed.knowledge.history_read_behind == Some(last.result_id)
    }

    /// Asks for the history, unless it was read or refuses to be read.
    pub(super) fn need_history(&mut self) -> bool {
        let missing = self.observed.results.is_none() && !self.observed.knowledge.history_unreadable;
        self.needs.results |= missing;
        missing
    }

    fn ask_for_history(&mut self) {
        let Some(last) = self.task().and_then(|task| task.last_result.as_ref()) else {
            return;
        };
        let hidden = !self.is_history_seen();
        // The row of the run in flight may be behind a newer one.
        let passed = self
            .status
            .run
            .as_ref()
            .and_then(|run| run.result_id)
            .is_some_and(|id| last.result_id.0 > id && last.is_backup());
        if hidden || passed || self.is_success_hidden() {
            self.need_history();
        }
    }

    /// A run in flight that nobody here asked for.
    fn notice_external_run(&mut self) -> bool {
        let ours = self
            .status
            .intent
            .as_ref()
            .is_some_and(|i| i.action == IntentAction::Backup);
        if self.status.run.is_some() || ours || !self.doing().is_run() {
            return false;
        }
        let finished = self.backup_rows().into_iter().find(|row| !is_unfinished(row));
        let newest = finished.map_or(NO_RESULT.0, |row| row.result_id.0);
        let known = newest.max(self.last_known_result());
        self.status.run = Some(Run {
            origin: Origin::External,
            triggers: Vec::new(),
            result_id: None,
            baseline_result_id: Some(known),
            requested_at: None,
            started_at: None,
            clock_skew_seconds: self.skew(),
            stopping: None,
            progress: None,
        });
        true
    }

    fn follow_run(&mut self) {
        let Some(mut run) = self.status.run.clone() else {
            return;
        };
        let rows = self.backup_rows();
        let above = run.baseline_result_id.unwrap_or(NO_RESULT.0);
        let row = match run.result_id {
            Some(id) => rows.iter().find(|row| row.result_id.0 == id),
            // The first row above the baseline: a later one is somebody else's next run.
            None => rows.iter().rfind(|row| row.result_id.0 > above),
        };
        if let Some(row) = row {
            run.clock_skew_seconds = self.skew_of(&run, row);
        }
        // Behind a row met only at its end an earlier one may stand: ours, and this one the next run's.
        let met_at_end = run.result_id.is_none() && row.is_some_and(|row| !is_unfinished(row));
        let behind = met_at_end && self.need_history();
        let doing = self.doing();
        match row {
            _ if behind => {}
            Some(row) if !is_unfinished(row) => return self.complete(&run, Some(row)),
            Some(row) => {
                run.result_id = Some(row.result_id.0);
                // A clock that nobody told says nothing of how long the run has been going on.
                let is_told = self
                    .observed
                    .inventory
                    .is_some_and(|read| read.nas_time.is_some());
                let is_true = is_told && run.clock_skew_seconds.is_none();
                let said = nas_time(row.time_start).filter(|_| is_true);
                let said = said.map(|time| Time(time.0.min(self.now)));
                run.started_at = run.started_at.or(said).map(|time| status_time(time.0));
                if !doing.is_run() && self.is_quiet() {
                    return self.complete(&run, Some(row));
                }
            }
            None if !doing.is_run() && self.is_quiet() => {
                if self.observed.results.is_some() || self.is_quiet_for(EVIDENCE_LIMIT) {
                    return self.complete(&run, None);
                }
                self.need_history();
            }
            None => {}
        }
        if doing == Doing::Running && run.started_at.is_none() {
            run.started_at = Some(status_time(self.now));
        }
        run.progress = self.progress().or(run.progress);
        self.status.run = Some(run);
    }

    fn progress(&self) -> Option<Progress> {
        let seen = self.task()?.progress.as_ref()?;
        #[allow(clippy::cast_possible_truncation, reason = "clamped to 0..=100 before")]
        let percent = seen
            .percentage
            .map(|part| (part * 100.0).clamp(0.0, 100.0) as i32);
        Some(Progress {
            percent,
            transferred_bytes: seen.transferred_bytes.map(u64::cast_signed),
        })
    }

    /// The run is over: receipts, result and history in the write that removes it.
    fn complete(&mut self, run: &Run, row: Option<&ResultRow>) {
        self.status.run = None;
        self.status.last_run_end_time = Some(status_time(self.now));
        if run.stopping.is_some() || self.said_before(&[Reason::CancelRefused]).is_some() {
            // A refused cancel puts off no further run.
            self.status.refusals = None;
            self.status.next_attempt_time = None;
        }
        let outcome = self.outcome_of_run(run, row);
        let is_cancel = self
            .status
            .intent
            .as_ref()
            .is_some_and(|intent| intent.action == IntentAction::Cancel);
        let is_hit = matches!(
            outcome,
            ReceiptOutcome::Canceled | ReceiptOutcome::DeadlineExceeded
        );
        if is_cancel && (is_hit || self.may_still_cancel_until().is_none()) {
            // Settled by the run's end; a run that follows was not the one to cancel.
            self.status.intent = None;
            self.act = Act::Nothing;
        }
        let id = row.map(|row| row.result_id.0);
        self.answer(&run.triggers, outcome, id);
        let ended_by_us = matches!(
            outcome,
            ReceiptOutcome::Canceled | ReceiptOutcome::DeadlineExceeded
        );
        let canceled = if ended_by_us {
            ReceiptOutcome::Canceled
        } else {
            ReceiptOutcome::NothingToCancel
        };
        self.answer_cancel(canceled, id);
        self.plan_retry(run, outcome);
        if let Some(row) = row {
            let is_seen = self
                .object
                .status
                .as_ref()
                .is_some_and(|status| status.run.is_some());
            let mut result = summary(row, run.origin, run.clock_skew_seconds);
            // Of a run that was given up on nobody saw the end.
            result.seen_in_flight = is_seen && !is_unfinished(row);
            let answered = (!run.triggers.is_empty()).then_some(outcome);
            self.record(result, run.triggers.clone(), outcome, answered);
        }
    }

    fn outcome_of_run(&self, run: &Run, row: Option<&ResultRow>) -> ReceiptOutcome {
        let outcome = match (row, run.stopping) {
            // A run leaves a row unless it was cancelled before it began.
            (None, Some(_)) if self.observed.results.is_some() => ReceiptOutcome::Canceled,
            (row, _) => self.outcome(row.map(|row| row.status)),
        };
        match (outcome, run.stopping) {
            (ReceiptOutcome::Canceled, Some(StopReason::Deadline)) => ReceiptOutcome::DeadlineExceeded,
            (outcome, _) => outcome,
        }
    }

    /// After a failed run that was asked for here another attempt follows, as often as `retries` says. One for
    /// `maxAge` alone needs none: what has lapsed stays lapsed.
    fn plan_retry(&mut self, run: &Run, outcome: ReceiptOutcome) {
        let has = |kind| run.triggers.iter().any(|trigger| trigger.kind == kind);
        let counts = run
            .triggers
            .iter()
            .any(|trigger| trigger.kind != TriggerKind::MaxAge);
        // A trigger that joins a pending attempt has all of its own before it.
        let is_new =
            has(TriggerKind::Request) || has(TriggerKind::RequestAnnotation) || has(TriggerKind::Schedule);
        let done = self
            .status
            .retry_attempt
            .filter(|_| has(TriggerKind::Retry) && !is_new)
            .unwrap_or(0);
        match outcome {
            ReceiptOutcome::Failed | ReceiptOutcome::DeadlineExceeded if counts => {
                self.status.retry_attempt = (done < self.object.spec.retries).then(|| done.saturating_add(1));
            }
            ReceiptOutcome::Failed | ReceiptOutcome::DeadlineExceeded if run.triggers.is_empty() => {}
            _ => self.status.retry_attempt = None,
        }
    }

    /// From the result: contract, "Receipt `outcome`".
    fn outcome(&self, code: Option<i64>) -> ReceiptOutcome {
        match code {
            Some(status::SUCCESS) => ReceiptOutcome::Succeeded,
            Some(status::PARTIAL) if self.object.spec.partial_is_success => ReceiptOutcome::Succeeded,
            Some(status::PARTIAL | status::FAILED | status::NO_BACKUP) => ReceiptOutcome::Failed,
            Some(status::CANCELED) => ReceiptOutcome::Canceled,
            _ => ReceiptOutcome::ResultUnknown,
        }
    }

    /// Finished results of runs we did not follow, oldest first; at first sight only the newest and the newest
    /// good one.
    fn record_other_results(&mut self) {
        let known = self.last_known_result();
        let rows = self.rows_of_others();
        let is_news = |row: &&ResultRow| row.result_id.0 > known || self.is_given_up(row.result_id.0);
        let mut news: Vec<&ResultRow> = rows.into_iter().filter(is_news).collect();
        if self.status.last_result.is_none() {
            news.truncate(1);
        }
        for row in news.into_iter().rev() {
            let skew = self.skew_shown(row, None, self.skew());
            let result = summary(row, Origin::External, skew);
            let outcome = self.outcome(Some(row.status));
            if outcome == ReceiptOutcome::Succeeded {
                self.status.retry_attempt = self.status.retry_attempt.filter(|_| self.status.run.is_some());
            }
            self.record(result, Vec::new(), outcome, None);
        }
    }

    /// Finished rows but that of the run in flight, newest first.
    fn rows_of_others(&self) -> Vec<&'a ResultRow> {
        let ours = self.status.run.as_ref().and_then(|run| run.result_id);
        let mut rows = self.backup_rows();
        rows.retain(|row| !is_unfinished(row) && Some(row.result_id.0) != ours);
        rows
    }

    /// Whether a result is that of a run that was given up on, so that its end is news.
    pub(super) fn is_given_up(&self, result_id: i64) -> bool {
        let last = self.status.last_result.as_ref();
        last.is_some_and(|last| last.result_id == result_id && last.status_code == status::INCOMPLETE)
    }

    /// The newest good run, as `partialIsSuccess` says now: an edit counts for what lies behind, too.
    fn judge_success_anew(&mut self) {
        let counts = |result: &&ResultSummary| self.is_success(result.status_code);
        let status = &self.status;
        let kept = status.last_result.iter().chain(&status.last_success);
        let history = status.history.iter().map(|entry| &entry.result);
        // Of the same result the last one counts: the history has no devices.
        let newest = history
            .chain(kept)
            .filter(counts)
            .max_by_key(|result| result.result_id);
        let newest = newest.cloned().or_else(|| {
            let rows = self.rows_of_others();
            let good = rows.into_iter().find(|row| self.is_success(row.status))?;
            let skew = self.skew_shown(good, None, self.skew());
            Some(summary(good, Origin::External, skew))
        });
        let id = |result: &Option<ResultSummary>| result.as_ref().map(|result| result.result_id);
        if id(&newest) == id(&self.status.last_success) {
            return;
        }
        if newest.is_none() {
            self.need_history();
        }
        let end = newest
            .as_ref()
            .map(|good| ended(good).unwrap_or(self.now).min(self.now));
        self.status.last_success_time = end.map(status_time);
        let last = self.status.last_result.as_ref().map(|last| last.result_id);
        if last == id(&newest) {
            self.status.consecutive_failures = Some(0);
            self.status.retry_attempt = None;
        }
        self.status.last_success = newest;
    }

    /// Number of the newest backup that was ever recorded; 0 when there was none.
    pub(super) fn last_known_result(&self) -> i64 {
        let last = self.status.last_result.as_ref();
        last.map_or(NO_RESULT.0, |result| result.result_id)
    }

    fn history_limit(&self) -> usize {
        usize::try_from(self.object.spec.history_limit).unwrap_or(0)
    }

    pub(super) fn is_success(&self, code: i64) -> bool {
        self.outcome(Some(code)) == ReceiptOutcome::Succeeded
    }

    /// Keeps a result; `outcome` is what it means, `answered` how it answered its triggers.
    fn record(
        &mut self,
        result: ResultSummary,
        triggers: Vec<TriggerRef>,
        outcome: ReceiptOutcome,
        answered: Option<ReceiptOutcome>,
    ) {
        let mut result = result;
        let is_end = self.is_given_up(result.result_id);
        if let Some(last) = self.status.last_result.as_ref().filter(|_| is_end) {
            result.origin = last.origin;
        }
        let mut kept = result.clone();
        kept.devices.clear();
        let is_known = |entry: &&mut HistoryEntry| entry.result.result_id == kept.result_id;
        match self.status.history.iter_mut().find(is_known) {
            Some(entry) if entry.result.status_code == status::INCOMPLETE => entry.result = kept,
            Some(_) => return,
            None => self.status.history.push(HistoryEntry {
                result: kept,
                triggers,
                outcome: answered,
            }),
        }
        self.status
            .history
            .sort_by_key(|entry| std::cmp::Reverse(entry.result.result_id));
        self.status.history.truncate(self.history_limit());
        if result.result_id <= self.last_known_result() && !is_end {
            return;
        }
        self.count(&result, outcome);
        self.status.last_result = Some(result);
    }

    /// What the newest result means for the counts and for the newest success.
    fn count(&mut self, result: &ResultSummary, outcome: ReceiptOutcome) {
        // A NAS clock that was set back or forth must not put the end of a run into our future.
        let end = Some(status_time(ended(result).unwrap_or(self.now).min(self.now)));
        self.status.last_run_end_time.clone_from(&end);
        match outcome {
            ReceiptOutcome::Succeeded => {
                self.status.consecutive_failures = Some(0);
                self.status.last_success_time = end;
                self.status.last_success = Some(result.clone());
            }
            ReceiptOutcome::Failed | ReceiptOutcome::DeadlineExceeded => {
                let before = self.status.consecutive_failures.unwrap_or(0);
                self.status.consecutive_failures = Some(before.saturating_add(1));
                self.status.last_failure_time = end;
            }
            _ => {}
        }
    }
}

/// A row of the NAS as the status shows it.
fn summary(row: &ResultRow, origin: Origin, skew: Option<i64>) -> ResultSummary {
    let device = |device: &crate::nas::ResultDevice| ResultDevice {
        id: device.id,
        host_name: device.host_name.clone(),
    };
    ResultSummary {
        result_id: row.result_id.0,
        status: ResultStatus::from_code(row.status),
        status_code: row.status,
        action: JobAction::from_code(row.job_action),
        action_code: row.job_action,
        activity_uuid: row.activity_uuid.clone(),
        backup_type: row.backup_type.map(BackupType::from_code),
        backup_type_code: row.backup_type,
        clock_skew_seconds: skew,
        seen_in_flight: false,
        start_time: nas_time(row.time_start),
        end_time: nas_time(row.time_end),
        transferred_bytes: row.transferred_bytes.map(u64::cast_signed),
        success_count: row.success_count,
        warning_count: row.warning_count,
        error_count: row.error_count,
        none_count: row.none_count,
        devices: row.devices.iter().map(device).collect(),
        origin,
    }
}
