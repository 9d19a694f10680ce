//! The display of a wait: a line per task that moves on a terminal, a line per change elsewhere, and the table of what came
//! of it. It is fed with objects and knows nothing of where they come from, so that a watch, a store in memory and a read
//! every now and then all use it. What is under way goes to standard error, so that standard output holds results alone.

mod ended;
mod line;
mod speed;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use kube::ResourceExt;

pub(super) use ended::{Ended, results};
pub(super) use line::waits_for;
use line::{Place, View};
use speed::Speed;

use super::screen::Screen;
use crate::{api::BackupTask, clock::Clock};

/// Lines of the terminal that are not the board's: the prompt's and that of the command.
const ROWS_OF_OTHERS: usize = 2;
/// Names beyond that are cut.
const LONGEST_NAME: usize = 30;

/// Where progress goes: standard error.
pub(super) fn standard_error() -> Screen {
    let terminal = Term::stderr();
    Screen {
        width: terminal.is_term().then(|| usize::from(terminal.size().1)),
        colours: console::colors_enabled_stderr(),
        ..Screen::stdout()
    }
}

/// What is under way, on standard error.
pub(super) struct Board {
    screen: Screen,
    clock: Clock,
    tasks: Vec<Shown>,
    /// The lines of a terminal; `None` where there is none.
    lines: Option<Lines>,
}

/// One task as it was shown last.
struct Shown {
    name: String,
    view: View,
    speed: Speed,
    told: String,
}

/// The lines that move. Where there are more tasks than rows, the last line counts those without one.
struct Lines {
    all: MultiProgress,
    room: usize,
    /// Each with the task it shows.
    tasks: Vec<(ProgressBar, usize)>,
    rest: Option<ProgressBar>,
}

impl Board {
    /// An empty board. `screen` is that of standard error.
    pub fn new(screen: Screen) -> Self {
        let rows = usize::from(Term::stderr().size().0);
        let lines = screen
            .is_terminal()
            .then(|| Lines::new(ProgressDrawTarget::stderr(), rows.saturating_sub(ROWS_OF_OTHERS)));
        Self {
            screen,
            clock: Clock::system(),
            tasks: Vec::new(),
            lines,
        }
    }

    /// Shows what a task is doing, or what it waits for. One that has ended here is not shown any further.
    pub fn show(&mut self, task: &BackupTask) {
        let name = task.name_any();
        if self
            .find(&name)
            .is_some_and(|index| matches!(self.tasks[index].view, View::Ended(_)))
        {
            return;
        }
        self.put(&name, View::of(task));
    }

    /// Shows what came of a task.
    pub fn end(&mut self, ended: &Ended) {
        self.put(&ended.task, View::Ended(ended.clone()));
    }

    /// Draws anew: time passes where nothing else happens.
    pub fn tick(&mut self) {
        self.draw();
    }

    /// Says something above the lines that move.
    pub fn say(&self, text: &str) {
        match &self.lines {
            Some(lines) => lines.all.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Leaves the lines as they stand.
    pub fn finish(&mut self) {
        self.draw();
        let Some(lines) = &self.lines else { return };
        for bar in lines.tasks.iter().map(|(bar, _)| bar).chain(&lines.rest) {
            bar.abandon();
        }
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.tasks.iter().position(|shown| shown.name == name)
    }

    fn put(&mut self, name: &str, view: View) {
        let index = self.find(name).unwrap_or_else(|| {
            self.tasks.push(Shown {
                name: name.to_owned(),
                view: View::nothing(),
                speed: Speed::default(),
                told: String::new(),
            });
            self.tasks.len() - 1
        });
        let now = self.clock.now();
        let shown = &mut self.tasks[index];
        shown.speed.note(now, view.bytes());
        shown.view = view;
        if self.lines.is_some() {
            return self.draw();
        }
        let told = line::told(&shown.name, &shown.view);
        if told != shown.told {
            eprintln!("{told}");
            shown.told = told;
        }
    }

    fn draw(&mut self) {
        let Some(lines) = &mut self.lines else { return };
        lines.make_room(&self.tasks);
        let names = self
            .tasks
            .iter()
            .map(|shown| console::measure_text_width(&shown.name));
        let now = self.clock.now();
        let place = Place {
            // The terminal may have another width than it had.
            width: usize::from(Term::stderr().size().1).saturating_sub(1),
            name: names.max().unwrap_or(0).min(LONGEST_NAME),
            now,
        };
        for (bar, index) in &lines.tasks {
            let shown = &self.tasks[*index];
            bar.set_message(line::drawn(
                self.screen,
                &place,
                &shown.name,
                &shown.view,
                shown.speed.per_second(now),
            ));
        }
        if let Some(rest) = &lines.rest {
            let others = (0..self.tasks.len()).filter(|index| !lines.shows(*index));
            let views: Vec<&View> = others.map(|index| &self.tasks[index].view).collect();
            rest.set_message(line::counted(self.screen, &views));
        }
    }
}

impl Lines {
    fn new(target: ProgressDrawTarget, room: usize) -> Self {
        Self {
            all: MultiProgress::with_draw_target(target),
            room: room.max(2),
            tasks: Vec::new(),
            rest: None,
        }
    }

    fn shows(&self, index: usize) -> bool {
        self.tasks.iter().any(|(_, shown)| *shown == index)
    }

    /// Gives each task a line, or as many as there are rows; a run comes before what waits, and that before what ended.
    fn make_room(&mut self, tasks: &[Shown]) {
        let is_crowded = tasks.len() > self.room;
        let wanted = if is_crowded { self.room - 1 } else { tasks.len() };
        while self.tasks.len() > wanted
            && let Some((bar, _)) = self.tasks.pop()
        {
            self.all.remove(&bar);
        }
        while self.tasks.len() < wanted
            && let Some(next) = (0..tasks.len()).find(|index| !self.shows(*index))
        {
            self.tasks.push((self.all.add(line()), next));
        }
        if is_crowded && self.rest.is_none() {
            self.rest = Some(self.all.add(line()));
        }
        while let Some(hidden) =
            (0..tasks.len()).find(|index| tasks[*index].view.is_run() && !self.shows(*index))
        {
            let least = self
                .tasks
                .iter_mut()
                .min_by_key(|(_, index)| tasks[*index].view.interest());
            match least {
                Some((_, index)) if !tasks[*index].view.is_run() => *index = hidden,
                _ => break,
            }
        }
    }
}

fn line() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, view: View) -> Shown {
        Shown {
            name: name.to_owned(),
            view,
            speed: Speed::default(),
            told: String::new(),
        }
    }

    fn run() -> View {
        View::Runs {
            word: "Running".to_owned(),
            percent: None,
            bytes: None,
            since: None,
        }
    }

    fn ended() -> View {
        View::Ended(Ended::otherwise("x", "Deleted", "gone"))
    }

    #[test]
    fn where_there_are_more_tasks_than_rows_runs_come_first_and_the_rest_is_counted() {
        let mut lines = Lines::new(ProgressDrawTarget::hidden(), 4);
        let mut tasks: Vec<Shown> = ["a", "b", "c", "d"]
            .into_iter()
            .map(|name| shown(name, View::nothing()))
            .collect();
        let of = |lines: &Lines| lines.tasks.iter().map(|(_, index)| *index).collect::<Vec<_>>();
        lines.make_room(&tasks);
        assert_eq!((of(&lines), lines.rest.is_some()), (vec![0, 1, 2, 3], false));
        tasks.push(shown("e", View::nothing()));
        lines.make_room(&tasks);
        assert_eq!((of(&lines), lines.rest.is_some()), (vec![0, 1, 2], true));
        // What ended gives way first, then what waits; a run stays where it is.
        tasks[0].view = run();
        tasks[2].view = ended();
        tasks[4].view = run();
        lines.make_room(&tasks);
        assert_eq!(of(&lines), [0, 1, 4]);
        tasks[3].view = run();
        lines.make_room(&tasks);
        assert_eq!(of(&lines), [0, 3, 4]);
        tasks[1].view = run();
        lines.make_room(&tasks);
        assert_eq!(of(&lines), [0, 3, 4], "no room for a fourth");
    }
}
