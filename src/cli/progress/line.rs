//! What one line of the board says: what a task is doing, what it waits for, or what came of it. Pure.

use console::{measure_text_width, pad_str, truncate_str};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::Ended;
use crate::{
    api::{BackupTask, ConditionType, Reason, State, condition},
    cli::screen::{Screen, Tone, age, bytes, span},
};

/// Between the parts of a line.
const GAP: &str = "  ";
/// The longest state; a longer word moves what follows.
const WORD: usize = 9;
/// A bar that is shorter shows nothing.
const SHORTEST_BAR: usize = 10;
const LONGEST_BAR: usize = 40;

/// What is to be shown of a task.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum View {
    /// No run.
    Waits {
        /// The reason, or the state.
        word: String,
        /// Why.
        message: String,
    },
    /// A run is in flight, of whomever.
    Runs {
        /// The state, or what is asked for waits for this run to end.
        word: String,
        /// How far it is.
        percent: Option<i32>,
        /// Bytes moved.
        bytes: Option<i64>,
        /// When it started.
        since: Option<Timestamp>,
    },
    /// It is over.
    Ended(Ended),
}

/// What lines have in common.
pub(super) struct Place {
    /// Columns.
    pub width: usize,
    /// Columns of the longest name.
    pub name: usize,
    /// Now.
    pub now: Timestamp,
}

impl View {
    /// Before anything is known.
    pub fn nothing() -> Self {
        Self::Waits {
            word: String::new(),
            message: String::new(),
        }
    }

    /// What is to be shown of a task.
    pub fn of(task: &BackupTask) -> Self {
        let status = task.status.as_ref();
        let waits = waits_for(task);
        let state = status.and_then(|status| status.state);
        let Some(run) = status.and_then(|status| status.run.as_ref()) else {
            let (word, message) = match waits {
                Some(said) => (said.reason.as_str(), said.message.as_str()),
                None => (state.map_or("", State::as_str), ""),
            };
            return Self::Waits {
                word: word.to_owned(),
                message: one_line(message),
            };
        };
        let word = match (waits, state) {
            (Some(said), _) if said.reason == Reason::WaitingForRun.as_str() => &said.reason,
            (_, Some(state @ (State::Waiting | State::Running | State::Canceling))) => state.as_str(),
            (Some(said), _) => &said.reason,
            _ => State::Running.as_str(),
        };
        let progress = run.progress.as_ref();
        Self::Runs {
            word: word.to_owned(),
            percent: progress.and_then(|progress| progress.percent),
            bytes: progress.and_then(|progress| progress.transferred_bytes),
            since: run
                .started_at
                .as_ref()
                .or(run.requested_at.as_ref())
                .map(|time| time.0),
        }
    }

    /// Bytes that a run has moved.
    pub fn bytes(&self) -> Option<i64> {
        match self {
            Self::Runs { bytes, .. } => *bytes,
            Self::Waits { .. } | Self::Ended(_) => None,
        }
    }

    /// Whether a run is in flight.
    pub fn is_run(&self) -> bool {
        matches!(self, Self::Runs { .. })
    }

    /// Which is looked at first where there is no room for all: the higher.
    pub fn interest(&self) -> u8 {
        match self {
            Self::Ended(_) => 0,
            Self::Waits { .. } => 1,
            Self::Runs { .. } => 2,
        }
    }
}

/// What keeps a task from a run, as its conditions have it; `None` where they speak of nothing but what has been.
pub(in crate::cli) fn waits_for(task: &BackupTask) -> Option<&Condition> {
    const SAY_NOTHING: [Reason; 9] = [
        Reason::Reconciled,
        Reason::BackupSucceeded,
        Reason::BackupPartiallySucceeded,
        Reason::BackupFailed,
        Reason::BackupCanceled,
        Reason::ResultUnknown,
        Reason::NoResult,
        Reason::WithinMaxAge,
        Reason::MaxAgeExceeded,
    ];
    let conditions = &task.status.as_ref()?.conditions;
    [
        ConditionType::Stalled,
        ConditionType::Reconciling,
        ConditionType::Ready,
    ]
    .into_iter()
    .filter_map(|kind| condition(conditions, kind))
    .find(|said| !SAY_NOTHING.iter().any(|reason| reason.as_str() == said.reason))
}

/// A line without a terminal. It changes when something is to be told.
pub(super) fn told(name: &str, view: &View) -> String {
    match view {
        View::Waits { word, message } if word.is_empty() && message.is_empty() => format!("{name}: asked"),
        View::Waits { word, message } if message.is_empty() => format!("{name}: {word}"),
        View::Waits { word, message } => format!("{name}: {word}: {message}"),
        View::Runs {
            word,
            percent,
            bytes: moved,
            since: _,
        } => {
            let percent = percent.map_or(String::new(), |percent| format!(" {percent} %"));
            let moved = moved.map_or(String::new(), |moved| format!(", {}", bytes(moved)));
            format!("{name}: {word}{percent}{moved}")
        }
        View::Ended(ended) => {
            let after = ended
                .duration
                .map_or(String::new(), |duration| format!(" after {}", span(duration)));
            let moved = ended
                .transferred
                .map_or(String::new(), |moved| format!(", {}", bytes(moved)));
            let why = if ended.message.is_empty() {
                String::new()
            } else {
                format!(": {}", ended.message)
            };
            format!("{name}: {}{after}{moved}{why}", ended.result)
        }
    }
}

/// A line of a terminal, as wide as there is room for.
pub(super) fn drawn(screen: Screen, place: &Place, name: &str, view: &View, speed: Option<i64>) -> String {
    let name = truncate_str(name, place.name, "…");
    let name = pad_str(&name, place.name, console::Alignment::Left, None).into_owned();
    let (tone, word, rest) = match view {
        View::Waits { word, message } => {
            let left = place
                .width
                .saturating_sub(place.name + WORD.max(measure_text_width(word)) + 2 * GAP.len());
            (
                Tone::Warn,
                word,
                screen.paint(Tone::Faint, &truncate_str(message, left, "…")),
            )
        }
        View::Runs {
            word,
            percent,
            bytes: moved,
            since,
        } => {
            let left = place
                .width
                .saturating_sub(place.name + WORD.max(measure_text_width(word)) + 2 * GAP.len());
            let elapsed = since.map(|since| age(since, place.now));
            (
                Tone::Busy,
                word,
                run(screen, left, *percent, *moved, speed, elapsed),
            )
        }
        View::Ended(ended) => {
            let tone = if ended.is_good { Tone::Good } else { Tone::Bad };
            let left = place
                .width
                .saturating_sub(place.name + WORD.max(measure_text_width(&ended.result)) + 2 * GAP.len());
            (tone, &ended.result, outcome(screen, left, ended))
        }
    };
    let word = screen.paint(tone, word);
    let word = pad_str(&word, WORD, console::Alignment::Left, None);
    format!("{name}{GAP}{word}{GAP}{rest}").trim_end().to_owned()
}

/// Bar, percent, bytes, time and speed of a run; what has no room is left out, the last first. What is not known yet keeps
/// its room, so that the bar does not jump.
fn run(
    screen: Screen,
    width: usize,
    percent: Option<i32>,
    moved: Option<i64>,
    speed: Option<i64>,
    elapsed: Option<String>,
) -> String {
    let percent = percent.map(|percent| percent.clamp(0, 100));
    let number = percent.map_or(String::new(), |percent| format!("{percent:>3} %"));
    let moved = moved.map_or(String::new(), bytes);
    let speed = speed.map_or(String::new(), |speed| format!("{}/s", bytes(speed)));
    let mut parts = vec![
        format!("{number:5}"),
        format!("{moved:>10}"),
        format!("{:>5}", elapsed.unwrap_or_default()),
        format!("{speed:>12}"),
    ];
    let taken = |parts: &[String]| {
        parts
            .iter()
            .map(|part| measure_text_width(part) + GAP.len())
            .sum::<usize>()
    };
    while taken(&parts) + SHORTEST_BAR > width && parts.len() > 1 {
        parts.pop();
    }
    let room = width.saturating_sub(taken(&parts)).min(LONGEST_BAR);
    if room < SHORTEST_BAR {
        return truncate_str(parts.join(GAP).trim(), width, "…").into_owned();
    }
    parts.insert(0, bar(screen, room, percent.unwrap_or(0)));
    parts.join(GAP)
}

fn bar(screen: Screen, width: usize, percent: i32) -> String {
    let part = usize::try_from(percent).unwrap_or(0);
    let full = width * part / 100;
    format!(
        "{}{}",
        screen.paint(Tone::Busy, &"━".repeat(full)),
        screen.paint(Tone::Faint, &"─".repeat(width - full))
    )
}

fn outcome(screen: Screen, width: usize, ended: &Ended) -> String {
    let duration = ended.duration.map(span);
    let moved = ended.transferred.map(bytes);
    let mut parts: Vec<String> = [duration, moved].into_iter().flatten().collect();
    if !ended.message.is_empty() {
        parts.push(ended.message.clone());
    }
    screen.paint(Tone::Faint, &truncate_str(&parts.join(GAP), width, "…"))
}

/// The tasks that have no line of their own.
pub(super) fn counted(screen: Screen, views: &[&View]) -> String {
    let count = |interest| views.iter().filter(|view| view.interest() == interest).count();
    let parts: Vec<String> = [(2, "running"), (1, "waiting"), (0, "ended")]
        .into_iter()
        .map(|(interest, what)| (count(interest), what))
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    screen.paint(
        Tone::Faint,
        &format!("and {} more: {}", views.len(), parts.join(", ")),
    )
}

/// A text without line breaks and control characters.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .collect()
}

/// Whole seconds, as people read them.
pub(super) fn whole(duration: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(duration.as_secs().max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen {
        width: Some(80),
        colours: false,
        unicode: true,
    };

    fn place(width: usize) -> Place {
        Place {
            width,
            name: 6,
            now: Timestamp::from_second(68).unwrap(),
        }
    }

    fn run() -> View {
        View::Runs {
            word: "Running".to_owned(),
            percent: Some(57),
            bytes: Some(2_700_000_000),
            since: Timestamp::from_second(60).ok(),
        }
    }

    fn ended(is_good: bool, message: &str) -> View {
        let mut ended = Ended::otherwise("laptop", "Succeeded", message);
        (ended.is_good, ended.duration, ended.transferred) =
            (is_good, Some(SignedDuration::from_secs(8)), Some(4_754_168_380));
        View::Ended(ended)
    }

    fn waits() -> View {
        View::Waits {
            word: "Queued".to_owned(),
            message: "due; number 2 in the queue of the server (1 runs at once)".to_owned(),
        }
    }

    #[test]
    fn a_line_says_all_that_there_is_room_for_and_is_never_wider() {
        let speed = Some(580_000_000);
        for (width, expected) in [
            (
                100,
                "laptop  Running    ━━━━━━━━━━━━━━━━━━━━━━────────────────── 57 %  2.51 GiB  8s  553.13 MiB/s",
            ),
            (
                60,
                "laptop  Running    ━━━━━━━━━━━━──────────   57 %  2.51 GiB  8s",
            ),
            (40, "laptop  Running    ━━━━━─────   57 %"),
            (24, "laptop  Running    …"),
        ] {
            let line = drawn(PLAIN, &place(width), "laptop", &run(), speed);
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(measure_text_width(&line) <= width, "{width}: {line}");
            if width >= 40 {
                let signs = |text: &str| text.replace(['━', '─'], "");
                assert_eq!(squeezed(&signs(&line)), squeezed(&signs(expected)), "{width}");
            }
        }
        for view in [
            run(),
            waits(),
            ended(true, ""),
            ended(false, "a long message that says why it is none"),
        ] {
            for width in 20..200 {
                let plain = drawn(PLAIN, &place(width), "laptop", &view, speed);
                assert!(measure_text_width(&plain) <= width, "{width}: {plain}");
                let coloured = drawn(
                    Screen {
                        colours: true,
                        ..PLAIN
                    },
                    &place(width),
                    "laptop",
                    &view,
                    speed,
                );
                assert_eq!(console::strip_ansi_codes(&coloured).trim_end(), plain);
            }
        }
        assert_eq!(
            drawn(PLAIN, &place(80), "laptop", &waits(), None),
            "laptop  Queued     due; number 2 in the queue of the server (1 runs at once)"
        );
        assert_eq!(
            drawn(PLAIN, &place(80), "laptop", &ended(true, ""), None),
            "laptop  Succeeded  8s  4.43 GiB"
        );
        assert!(drawn(PLAIN, &place(80), "a very long name", &run(), None).starts_with("a ver…  Running"));
    }

    #[test]
    fn without_a_terminal_a_line_is_told_for_each_change() {
        for (view, expected) in [
            (View::nothing(), "laptop: asked"),
            (
                waits(),
                "laptop: Queued: due; number 2 in the queue of the server (1 runs at once)",
            ),
            (run(), "laptop: Running 57 %, 2.51 GiB"),
            (ended(true, ""), "laptop: Succeeded after 8s, 4.43 GiB"),
            (ended(false, "why"), "laptop: Succeeded after 8s, 4.43 GiB: why"),
        ] {
            assert_eq!(told("laptop", &view), expected);
        }
        let many = [&run(), &waits(), &waits(), &ended(true, "")];
        assert_eq!(counted(PLAIN, &many), "and 4 more: 1 running, 2 waiting, 1 ended");
    }
}
