//! What a sweep consists of: every action with every fault, at moments spread over the time in which something
//! can go wrong. The same seed and number of runs give the same list, in the same order.

use std::{fmt, time::Duration};

/// What is asked of the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Trigger,
    Cancel,
    Removal,
}

/// What happens to the operator's processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL of the leader; another process is started beside the standby.
    KillLeader,
    /// SIGSTOP of the leader for longer than the Lease, then SIGCONT.
    PauseLeader,
    /// SIGKILL of leader and standby; two others are started.
    KillBoth,
    /// SIGTERM of the leader; another process is started once it has ended.
    EndLeader,
}

/// From when the delay before the fault counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The API server has answered the edit of the spec.
    Edit,
    /// The intent stands in the API server.
    Intent,
    /// The call has reached the NAS.
    Call,
    /// The NAS has done what was asked: the run has ended, the task is gone.
    End,
}

/// What the NAS makes of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Prompt,
    /// The answer comes 300 ms after the effect.
    SlowAnswer,
    /// The effect comes 300 ms after the call, then the answer.
    SlowEffect,
    /// The effect takes place, the answer never comes.
    AnswerLost,
    /// Neither effect nor answer.
    CallLost,
    /// The answer never comes, the effect after the call's deadline.
    LateEffect,
}

/// One run of the sweep.
#[derive(Clone, Debug)]
pub struct Plan {
    pub number: usize,
    pub action: Action,
    pub fault: Fault,
    pub anchor: Anchor,
    pub delay: Duration,
    /// Length of a pause.
    pub pause: Duration,
    pub manner: Manner,
    /// Seconds a backup takes.
    pub run_seconds: f64,
    /// Result status it ends with.
    pub result: i64,
    /// Whether its result row comes only at its end.
    pub row_at_end: bool,
    /// Seconds it waits in the NAS's queue.
    pub start_delay: f64,
}

pub const ACTIONS: [Action; 3] = [Action::Trigger, Action::Cancel, Action::Removal];
pub const FAULTS: [Fault; 4] = [
    Fault::KillLeader,
    Fault::PauseLeader,
    Fault::KillBoth,
    Fault::EndLeader,
];

/// Long enough that a standby which takes over finds the run to cancel still in progress.
const CANCELED_RUN_SECONDS: f64 = 14.0;
/// Longer than the Lease of six seconds. A standby takes over four to eight seconds after the pause began, so some
/// leaders come back while the other is settling, some before it leads.
const PAUSES: (f64, f64) = (6.1, 9.5);

/// The runs of a sweep, in their order.
pub fn plans(seed: u64, runs: usize) -> Vec<Plan> {
    let mut dice = Dice(seed);
    let cells = ACTIONS.len() * FAULTS.len();
    let rounds = runs.div_ceil(cells);
    let mut plans: Vec<Plan> = (0..runs)
        .map(|number| plan(number, number % cells, number / cells, rounds, &mut dice))
        .collect();
    for last in (1..plans.len()).rev() {
        plans.swap(last, dice.below(last + 1));
    }
    plans
}

fn plan(number: usize, cell: usize, round: usize, rounds: usize, dice: &mut Dice) -> Plan {
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let part = (round as f64 + dice.fraction()) / rounds as f64;
    let (anchor, milliseconds) = match round % 5 {
        // Denser at the beginning: intent and call follow an edit within some tens of milliseconds.
        0 | 1 => (Anchor::Edit, 1500.0 * part * part),
        2 => (Anchor::Intent, 60.0 * part * part),
        3 => (Anchor::Call, 600.0 * part * part),
        _ => (Anchor::End, 1500.0 * part),
    };
    let action = ACTIONS[cell % ACTIONS.len()];
    Plan {
        number,
        action,
        fault: FAULTS[cell / ACTIONS.len()],
        anchor,
        delay: Duration::from_secs_f64(milliseconds / 1000.0),
        pause: Duration::from_secs_f64(PAUSES.0 + (PAUSES.1 - PAUSES.0) * dice.fraction()),
        manner: dice.one(&[
            Manner::Prompt,
            Manner::Prompt,
            Manner::Prompt,
            Manner::SlowAnswer,
            Manner::SlowEffect,
            Manner::AnswerLost,
            Manner::CallLost,
            Manner::LateEffect,
        ]),
        run_seconds: match action {
            Action::Cancel => CANCELED_RUN_SECONDS,
            Action::Trigger | Action::Removal => dice.one(&[0.3, 1.2, 3.0]),
        },
        result: dice.one(&[2, 2, 2, 3, 4, 6]),
        row_at_end: dice.one(&[false, true]),
        start_delay: dice.one(&[0.0, 0.0, 1.5]),
    }
}

/// A small generator (`SplitMix64`), so that a seed means the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

impl Action {
    pub fn label(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Cancel => "cancel",
            Self::Removal => "removal",
        }
    }

    /// The method that carries it to the NAS, which is also the kind of its effect.
    pub fn method(self) -> &'static str {
        match self {
            Self::Trigger => "backup",
            Self::Cancel => "cancel",
            Self::Removal => "remove",
        }
    }
}

impl Fault {
    pub fn label(self) -> &'static str {
        match self {
            Self::KillLeader => "SIGKILL leader",
            Self::PauseLeader => "SIGSTOP leader",
            Self::KillBoth => "SIGKILL both",
            Self::EndLeader => "SIGTERM leader",
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (action, fault) = (self.action.label(), self.fault.label());
        let (after, from) = (self.delay.as_millis(), self.anchor);
        write!(
            f,
            "run {}: {action}, {fault} {after} ms after {from:?}",
            self.number
        )?;
        if self.fault == Fault::PauseLeader {
            write!(f, " for {} ms", self.pause.as_millis())?;
        }
        write!(
            f,
            ", NAS {:?}, run of {} s after {} s ends with {}, row at {}",
            self.manner,
            self.run_seconds,
            self.start_delay,
            self.result,
            if self.row_at_end { "end" } else { "start" }
        )
    }
}
