//! The values of the model as the library's types, and back. Plain translation: what a NAS would list, what an object
//! would hold, at times that are counted from a now that stands still.

use abb_operator::{
    api::{
        BackupTask, BackupTaskStatus, CancelSpec, ConditionType, Intent, IntentAction, Mode, ReceiptOutcome,
        condition,
    },
    nas::{Activity, ResultId, ResultRow, Task, TaskId, UniqueKey, job_action, status},
    observe::{self, Answered, Knowledge, Queue, ServerFacts},
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::state::{
    Answer, Call, Inventory, Memory, Object, Phase, QueueRead, Sending, Shown, TASKS, Tick, Token, Verb,
};

/// Seconds of a tick.
const TICK: i64 = 30;

/// The number of a task's result row from before the beginning.
fn first_row(task: usize) -> i64 {
    10 + 100 * i64::try_from(task).unwrap()
}

/// Now is always the same moment: when a tick passes, what has a time grows older.
pub fn at(tick: Tick) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + i64::from(tick) * TICK).unwrap()
}

pub fn tick(time: Timestamp) -> Tick {
    Tick::try_from((time.as_second() - at(0).as_second()).div_euclid(TICK)).unwrap()
}

/// What the model has to know of a status.
#[derive(Debug, Default)]
pub struct Facts {
    /// The open intent, with its attempt.
    pub intent: Option<(Sending, i32)>,
    /// The receipt of the request token.
    pub receipt: Option<(Token, ReceiptOutcome)>,
    /// What is said of results: position among the rows of the model, code.
    pub results: Vec<(i64, i64)>,
}

pub fn server(settle: u8) -> ServerFacts {
    ServerFacts {
        name: "nas".to_owned(),
        uid: "server".to_owned(),
        mode: Mode::Enforce,
        deleting: false,
        serial: Some("S1".to_owned()),
        settle: SignedDuration::from_secs(i64::from(settle) * TICK),
        removals_allowed: false,
        removals_per_day: 5,
        breaker: (None, 0),
    }
}

pub fn task_id(task: usize) -> TaskId {
    TaskId(7 + i64::try_from(task).unwrap())
}

pub fn template(task: usize) -> BackupTask {
    let name = format!("task-{task}");
    let spec = serde_json::json!({
        "serverRef": { "name": "nas" }, "task": { "name": name }, "retryBackoff": format!("{TICK}s"),
    });
    let mut object = BackupTask::new(&name, serde_json::from_value(spec).unwrap());
    object.metadata.uid = Some(format!("u{task}"));
    object.metadata.creation_timestamp = Some(Time(at(0) - SignedDuration::from_hours(24)));
    object
}

/// The object with its spec; its status is the caller's.
pub fn object(template: &BackupTask, object: Object) -> BackupTask {
    let Object {
        token,
        cancel,
        status: _,
    } = object;
    let mut typed = template.clone();
    typed.spec.triggers.request = Some(token.to_string());
    typed.spec.cancel = cancel.then(|| CancelSpec {
        request: "c".to_owned(),
    });
    typed.metadata.generation = Some(i64::from(token) + i64::from(cancel));
    typed
}

/// Levels what nobody decides by: times that are written for people only; the time of an intent, of which only matters
/// that no later read began before it; which call is unsettled. Whatever else differs makes another status.
pub fn level(status: &mut BackupTaskStatus) {
    let level = |time: &mut Option<Time>| *time = time.take().map(|_| Time(at(0)));
    for condition in &mut status.conditions {
        condition.last_transition_time = Time(at(0));
    }
    level(&mut status.state_since);
    status.unsettled = status.unsettled.take().map(|_| String::new());
    if let Some(intent) = &mut status.intent {
        intent.recorded_at = Time(at(0));
        level(&mut intent.nas_time);
    }
    if let Some(run) = &mut status.run {
        level(&mut run.requested_at);
        level(&mut run.started_at);
    }
    if let Some(receipts) = &mut status.receipts {
        for receipt in [&mut receipts.request, &mut receipts.cancel]
            .into_iter()
            .flatten()
        {
            level(&mut receipt.accepted_at);
            level(&mut receipt.finished_at);
        }
    }
}

pub fn sending(intent: &Intent) -> (Sending, i32) {
    let token = intent
        .triggers
        .iter()
        .find_map(|trigger| trigger.token.as_deref());
    let sending = Sending {
        intent: intent.id.parse().unwrap(),
        verb: match intent.action {
            IntentAction::Backup => Verb::Backup,
            IntentAction::Cancel => Verb::Cancel,
            IntentAction::Remove => unreachable!("nothing asks for a removal"),
        },
        token: token.map_or(0, |token| token.parse().unwrap()),
        record_after: None,
    };
    (sending, intent.attempt)
}

pub fn facts(task: usize, status: &BackupTaskStatus) -> Facts {
    let row = |id: i64| id - first_row(task);
    let mut results = Vec::new();
    let receipt = status
        .receipts
        .as_ref()
        .and_then(|receipts| receipts.request.as_ref());
    if let Some(receipt) = receipt {
        let expected = match receipt.outcome {
            ReceiptOutcome::Succeeded => Some(status::SUCCESS),
            ReceiptOutcome::Failed => Some(status::FAILED),
            ReceiptOutcome::Canceled => Some(status::CANCELED),
            _ => None,
        };
        results.extend(expected.map(|code| (receipt.result_id.map_or(-1, row), code)));
    }
    let last = status.last_result.as_ref();
    results.extend(last.map(|result| (row(result.result_id), result.status_code)));
    let success = status.last_success.as_ref();
    results.extend(success.map(|result| (row(result.result_id), status::SUCCESS)));
    let succeeded = condition(&status.conditions, ConditionType::LastBackupSucceeded);
    if succeeded.is_some_and(|condition| condition.status == "True") {
        results.push((last.map_or(-1, |result| row(result.result_id)), status::SUCCESS));
    }
    Facts {
        intent: status.intent.as_ref().map(sending),
        receipt: receipt.map(|receipt| (receipt.token.parse().unwrap(), receipt.outcome)),
        results,
    }
}

pub fn knowledge(task: usize, memory: &Memory) -> Knowledge {
    let Memory {
        call,
        quiet_since,
        unfinished,
        read_behind,
    } = *memory;
    let call = call.map(|call| observe::Call {
        intent: call.intent.to_string(),
        answered: call.answered.map(|answer| match answer {
            Answer::Applied => Answered::Applied,
            Answer::NotDispatched => Answered::NotDispatched,
            // A refusal that passes: the destination is not there at the moment.
            Answer::Refused => Answered::Refused(1104),
            Answer::Unknown => Answered::Unknown,
            Answer::Withheld => Answered::Withheld,
        }),
        sent: at(call.settles_from),
        settles_from: at(call.settles_from),
        first_absence: call.first_absence.map(at),
        unreadable_since: call.unreadable_since.map(at),
    });
    Knowledge {
        call,
        quiet_since: quiet_since.map(at),
        unfinished: unfinished.map(|row| ResultId(first_row(task) + i64::from(row))),
        history_read_behind: read_behind.map(|row| ResultId(first_row(task) + i64::from(row))),
        ..Knowledge::default()
    }
}

pub fn memory(task: usize, knowledge: &Knowledge) -> Memory {
    let Knowledge {
        call,
        quiet_since,
        unfinished,
        absent_since,
        history_read_behind,
        history_unreadable,
        versions_unreadable: _,
        withheld: _,
    } = knowledge;
    assert!(
        absent_since.is_none() && !history_unreadable,
        "every task is listed and readable"
    );
    let call = call.as_ref().map(|call| Call {
        intent: call.intent.parse().unwrap(),
        answered: call.answered.map(|answered| match answered {
            Answered::Applied => Answer::Applied,
            Answered::NotDispatched => Answer::NotDispatched,
            Answered::Refused(_) => Answer::Refused,
            Answered::Unknown => Answer::Unknown,
            Answered::Withheld => Answer::Withheld,
        }),
        settles_from: tick(call.settles_from),
        first_absence: call.first_absence.map(tick),
        unreadable_since: call.unreadable_since.map(tick),
    });
    Memory {
        call,
        quiet_since: quiet_since.map(tick),
        unfinished: unfinished.map(|row| u8::try_from(row.0 - first_row(task)).unwrap()),
        read_behind: history_read_behind.map(|row| u8::try_from(row.0 - first_row(task)).unwrap()),
    }
}

pub fn inventory(seen: &Inventory, begun: Timestamp) -> observe::Inventory {
    let jobs = || {
        TASKS
            .into_iter()
            .filter_map(|task| job(task, seen.shown[task].phase))
            .collect()
    };
    observe::Inventory {
        begun,
        nas_time: Some(begun),
        complete: true,
        tasks: TASKS.map(|task| listed(task, seen.shown[task])).into(),
        queue: match seen.queue {
            QueueRead::NotAsked => Queue::NotAsked,
            QueueRead::Unreadable => Queue::Unreadable,
            QueueRead::Read => Queue::Read(jobs()),
        },
    }
}

fn job(task: usize, phase: Phase) -> Option<Activity> {
    let code = match phase {
        Phase::Idle => return None,
        Phase::Waiting => 1,
        Phase::Running => 3,
    };
    Some(Activity {
        task_id: Some(task_id(task)),
        action: Some(job_action::BACKUP),
        status: Some(code),
        stage: None,
        job_id: None,
        user_name: None,
    })
}

/// The second task's list row says nothing of what it is doing, and its result row comes at the end only; the
/// first one's row says so, and its result row stands from the start. A NAS may do either.
fn listed(task: usize, shown: Shown) -> Task {
    let text = match shown.phase {
        Phase::Running if task == 0 => Some("backingup"),
        Phase::Waiting if task == 0 => Some("waiting"),
        _ => None,
    };
    Task {
        id: task_id(task),
        name: format!("task-{task}"),
        unique_key: UniqueKey::new(format!("k{task}")),
        backup_type: Some(2),
        source_type: Some(1),
        device_count: Some(1),
        devices: Vec::new(),
        share_name: None,
        version_count: None,
        versions: None,
        next_trigger_time: None,
        allow_manual_backup: Some(true),
        status: text.map(str::to_owned),
        target_status: None,
        progress: None,
        last_result: rows(task, shown).pop(),
    }
}

/// Result rows, oldest first.
pub fn rows(task: usize, shown: Shown) -> Vec<ResultRow> {
    let mut codes: Vec<i64> = vec![status::SUCCESS];
    codes.extend(
        shown
            .rows
            .iter()
            .filter(|code| **code != 0)
            .map(|code| i64::from(*code)),
    );
    if task == 0 && shown.phase == Phase::Running {
        codes.push(status::INCOMPLETE);
    }
    let row = |(number, code): (i64, i64)| ResultRow {
        result_id: ResultId(first_row(task) + number),
        activity_uuid: None,
        task_id: Some(task_id(task)),
        task_name: None,
        backup_type: Some(2),
        job_action: job_action::BACKUP,
        status: code,
        time_start: None,
        time_end: (code != status::INCOMPLETE).then(|| at(0).as_second() - 950 + number * 100),
        success_count: None,
        warning_count: None,
        error_count: None,
        none_count: None,
        transferred_bytes: None,
        devices: Vec::new(),
    };
    (0..).zip(codes).map(row).collect()
}
