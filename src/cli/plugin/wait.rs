//! The wait for what was asked: a watch of the objects, shown on the board until each token has its end. Whatever ends the
//! wait sooner leaves the runs alone. A silent API server is waited for; a silent operator is told of.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::StreamExt;
use jiff::SignedDuration;
use kube::{ResourceExt, runtime::watcher};

use super::{
    Place,
    answer::{Answer, Ask, answer, hopeless, is_in_flight},
    chosen::mode_of,
    watch::{self, Event, Trouble, Watch},
};
use crate::{
    api::{BackupTask, BackupTaskStatus, Mode, Reason},
    cli::{
        Failure,
        call::print,
        progress::{Board, Ended, results, standard_error, waits_for},
        screen::{Screen, span},
    },
};

/// How long an annotation may stand without any sign of an operator before that is told.
const SILENCE: Duration = Duration::from_secs(30);
/// A watch that shows nothing for so long is opened anew: of a broken connection nobody may tell.
const QUIET: Duration = Duration::from_secs(60);
/// How often times and speeds are drawn.
const TICK: Duration = Duration::from_millis(500);

/// One task that is waited for.
struct Waiting {
    name: String,
    uid: Option<String>,
    /// The object as it was seen last.
    seen: BackupTask,
    /// Its status when the token was set: another one is a sign of an operator.
    status_then: Option<BackupTaskStatus>,
    was_accepted: bool,
    ended: Option<Ended>,
}

/// Why a wait is over.
enum Over {
    /// Every token has its end.
    Answered,
    /// `--timeout`.
    TimeOut(Duration),
    /// ^C.
    Interrupted,
}

struct Wait<'a> {
    place: &'a Place,
    ask: Ask,
    token: &'a str,
    tasks: Vec<Waiting>,
    board: Board,
    begun: Instant,
    is_silence_told: bool,
    trouble: Trouble,
    /// Identities that a list under way has shown.
    listed: BTreeSet<String>,
    /// Whether the watch has shown a whole list.
    is_listed: bool,
}

/// Waits until each token has its end, and tells what came of it. The objects are those whose annotation was just set.
pub(super) async fn wait(
    place: &Place,
    ask: Ask,
    token: &str,
    tasks: Vec<BackupTask>,
    timeout: Option<Duration>,
) -> Result<(), Failure> {
    let mut wait = Wait {
        place,
        ask,
        token,
        tasks: Vec::new(),
        board: Board::new(standard_error()),
        begun: Instant::now(),
        is_silence_told: false,
        trouble: Trouble::default(),
        listed: BTreeSet::new(),
        is_listed: false,
    };
    for task in tasks {
        wait.tasks.push(Waiting {
            name: task.name_any(),
            uid: task.uid(),
            status_then: task.status.clone(),
            seen: task.clone(),
            was_accepted: false,
            ended: None,
        });
        wait.look(&task).await;
    }
    let over = Box::pin(wait.until_answered(timeout)).await;
    wait.board.finish();
    let over = over?;
    print(&results(Screen::stdout(), &wait.rows()));
    wait.verdict(&over)
}

impl Wait<'_> {
    async fn until_answered(&mut self, timeout: Option<Duration>) -> Result<Over, Failure> {
        let mut watch = self.watch();
        let mut last = Instant::now();
        let mut ticks = tokio::time::interval(TICK);
        let mut interrupted = std::pin::pin!(crate::cli::operate::ended());
        while self.tasks.iter().any(|waiting| waiting.ended.is_none()) {
            tokio::select! {
                () = &mut interrupted => return Ok(Over::Interrupted),
                Some(event) = watch.next() => {
                    last = Instant::now();
                    Box::pin(self.take(event)).await?;
                }
                _ = ticks.tick() => {
                    if let Some(limit) = timeout.filter(|limit| self.begun.elapsed() >= *limit) {
                        return Ok(Over::TimeOut(limit));
                    }
                    self.tell_silence();
                    self.board.tick();
                    if last.elapsed() > QUIET {
                        self.note_silence();
                        (watch, last) = (self.watch(), Instant::now());
                    }
                }
            }
        }
        Ok(Over::Answered)
    }

    fn watch(&mut self) -> Watch {
        self.is_listed = false;
        let only = match self.tasks.as_slice() {
            [only] => Some(only.name.as_str()),
            _ => None,
        };
        watch::open(self.place, only)
    }

    async fn take(&mut self, event: watcher::Result<Event>) -> Result<(), Failure> {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                let told = self.trouble.failed(&error);
                let told = told.map_err(|failure| Failure::new(format!("{failure}; {}", self.goes_on())))?;
                if let Some(told) = told {
                    self.board.say(&told);
                }
                return Ok(());
            }
        };
        if let Some(told) = self.trouble.is_over() {
            self.board.say(told);
        }
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.extend(object.uid());
                if let Ok(task) = object.0 {
                    self.look(&task).await;
                }
            }
            Event::InitDone => {
                self.is_listed = true;
                let listed = std::mem::take(&mut self.listed);
                for index in 0..self.tasks.len() {
                    let uid = self.tasks[index].uid.as_ref();
                    if uid.is_none_or(|uid| !listed.contains(uid)) {
                        self.lose(index);
                    }
                }
            }
            Event::Apply(object) => {
                if let Ok(task) = object.0 {
                    self.look(&task).await;
                }
            }
            Event::Delete(object) => {
                let uid = object.uid();
                if let Ok(task) = object.0 {
                    // The last it said may be the answer.
                    self.look(&task).await;
                }
                if let Some(index) = self.tasks.iter().position(|waiting| waiting.uid == uid) {
                    self.lose(index);
                }
            }
        }
        Ok(())
    }

    /// Takes an object up.
    async fn look(&mut self, task: &BackupTask) {
        let uid = task.uid();
        let Some(index) = self
            .tasks
            .iter()
            .position(|waiting| waiting.uid == uid && waiting.ended.is_none())
        else {
            return;
        };
        self.board.show(task);
        self.tasks[index].seen = task.clone();
        let found = answer(task, self.ask, self.token);
        self.tasks[index].was_accepted |= matches!(found, Answer::OnItsWay);
        let name = task.name_any();
        let ended = match found {
            Answer::Final(outcome, result) => Some(match self.ask {
                Ask::Backup => Ended::backup(task, outcome, result),
                Ask::Cancel => Ended::cancel(task, outcome, result),
            }),
            Answer::Unknown if self.tasks[index].was_accepted => Some(Ended::otherwise(
                &name,
                "Unknown",
                "another token was accepted since, and the status keeps no result of this one: see kubectl abb history",
            )),
            Answer::Unknown => Some(Ended::otherwise(
                &name,
                "Replaced",
                format!(
                    "somebody changed the annotation {} before the token was accepted: it was never asked for",
                    self.ask.annotation()
                ),
            )),
            Answer::OnItsWay if is_in_flight(task, self.token) || self.ask == Ask::Cancel => None,
            Answer::OnItsWay | Answer::NotAccepted => {
                let mode = self.mode_of(task).await;
                hopeless(task, self.ask, mode).map(|(word, message)| Ended::otherwise(&name, word, message))
            }
        };
        if let Some(ended) = ended {
            self.conclude(index, ended);
        }
    }

    /// The mode of a task's server, where the operator says that the mode holds the task back.
    async fn mode_of(&self, task: &BackupTask) -> Option<Mode> {
        let held = [Reason::Planned.as_str(), Reason::Observing.as_str()];
        let is_held = waits_for(task).is_some_and(|said| held.contains(&said.reason.as_str()));
        // What it says may be of a moment ago, before the mode was changed.
        if is_held {
            mode_of(self.place, &task.spec.server_ref.name).await
        } else {
            None
        }
    }

    fn lose(&mut self, index: usize) {
        let waiting = &self.tasks[index];
        if waiting.ended.is_some() {
            return;
        }
        let run = if waiting.was_accepted {
            "; a run that was started goes on"
        } else {
            ""
        };
        let message = format!("the BackupTask was deleted before it was answered{run}");
        let ended = Ended::otherwise(&waiting.name, "Deleted", message);
        self.conclude(index, ended);
    }

    fn conclude(&mut self, index: usize, ended: Ended) {
        self.board.end(&ended);
        self.tasks[index].ended = Some(ended);
    }

    /// A watch that has shown nothing at all got no answer.
    fn note_silence(&mut self) {
        if !self.is_listed
            && let Some(told) = self.trouble.is_silent()
        {
            self.board.say(told);
        }
    }

    /// Says once for which tasks there was no sign of an operator.
    fn tell_silence(&mut self) {
        if self.is_silence_told || self.trouble.lasts() || self.begun.elapsed() < SILENCE {
            return;
        }
        self.is_silence_told = true;
        let is_silent = |waiting: &&Waiting| {
            waiting.ended.is_none() && !waiting.was_accepted && waiting.seen.status == waiting.status_then
        };
        let silent: Vec<&str> = self
            .tasks
            .iter()
            .filter(is_silent)
            .map(|waiting| waiting.name.as_str())
            .collect();
        let which = match silent.as_slice() {
            [] => return,
            few if few.len() <= 3 => few.join(", "),
            many => format!("{} of {} tasks", many.len(), self.tasks.len()),
        };
        self.board.say(&format!(
            "warning: {which}: no operator has accepted it yet, after {SILENCE:?}: see kubectl abb doctor"
        ));
    }

    fn goes_on(&self) -> &'static str {
        match self.ask {
            Ask::Backup => "the runs go on; see kubectl abb status",
            Ask::Cancel => "what was asked stays asked; see kubectl abb status",
        }
    }

    /// What came of each, also of those that are still waited for.
    fn rows(&self) -> Vec<Ended> {
        let row = |waiting: &Waiting| {
            waiting.ended.clone().unwrap_or_else(|| {
                let is_run = waiting
                    .seen
                    .status
                    .as_ref()
                    .is_some_and(|status| status.run.is_some());
                let said = waits_for(&waiting.seen);
                let message = said.map_or("not accepted yet", |said| said.message.as_str());
                Ended::otherwise(&waiting.name, if is_run { "Running" } else { "Waiting" }, message)
            })
        };
        self.tasks.iter().map(row).collect()
    }

    fn verdict(&self, over: &Over) -> Result<(), Failure> {
        let open = self
            .tasks
            .iter()
            .filter(|waiting| waiting.ended.is_none())
            .count();
        let bad = self
            .tasks
            .iter()
            .filter(|waiting| waiting.ended.as_ref().is_some_and(|ended| !ended.is_good))
            .count();
        let all = self.tasks.len();
        match over {
            Over::Interrupted => Err(Failure::new(format!("interrupted: {}", self.goes_on()))),
            Over::TimeOut(limit) => Err(Failure::new(format!(
                "{open} of {all} not ended within {}: {}",
                span(SignedDuration::try_from(*limit).unwrap_or(SignedDuration::MAX)),
                self.goes_on()
            ))),
            Over::Answered if bad > 0 => {
                let what = match self.ask {
                    Ask::Backup => "backed up",
                    Ask::Cancel => "cancelled",
                };
                Err(Failure::new(format!("{bad} of {all} not {what}")))
            }
            Over::Answered => Ok(()),
        }
    }
}
