//! What `doctor` says: one line per check, `ok`, `note`, `warn` or `fail`, what was looked at, what was found, and for the
//! last two, after a semicolon, what to do about it; on a terminal that stands in a line of its own. Lines are printed as
//! they are found, since a NAS may take its time.

use crate::cli::{
    call::print,
    screen::{Screen, Tone, safe},
};

/// The lines so far, as far as they count.
pub(super) struct Report {
    screen: Screen,
    failed: usize,
    warned: usize,
}

impl Report {
    /// An empty one for standard output.
    pub fn new() -> Self {
        Self {
            screen: Screen::stdout(),
            failed: 0,
            warned: 0,
        }
    }

    /// Begins a section.
    pub fn section(&self, title: &str) {
        print(&format!("{}\n", self.screen.paint(Tone::Strong, &safe(title))));
    }

    /// As it should be.
    pub fn ok(&mut self, what: &str, found: &str) {
        self.line("ok", Tone::Good, what, found);
    }

    /// Worth knowing; nothing is to be done.
    pub fn note(&mut self, what: &str, found: &str) {
        self.line("note", Tone::Faint, what, found);
    }

    /// Runs are possible, and somebody should look.
    pub fn warn(&mut self, what: &str, found: &str, remedy: &str) {
        self.warn_told(what, &format!("{found}; {remedy}"));
    }

    /// Somebody must act.
    pub fn fail(&mut self, what: &str, found: &str, remedy: &str) {
        self.fail_told(what, &format!("{found}; {remedy}"));
    }

    /// As [`Report::warn`], for a text that has its remedy.
    pub fn warn_told(&mut self, what: &str, text: &str) {
        self.warned += 1;
        self.line("warn", Tone::Warn, what, text);
    }

    /// As [`Report::fail`], for a text that has its remedy.
    pub fn fail_told(&mut self, what: &str, text: &str) {
        self.failed += 1;
        self.line("fail", Tone::Bad, what, text);
    }

    /// As [`Report::fail_told`], or as [`Report::warn_told`] where the fault stops no run.
    pub fn fault_told(&mut self, stops_runs: bool, what: &str, text: &str) {
        if stops_runs {
            self.fail_told(what, text);
        } else {
            self.warn_told(what, text);
        }
    }

    /// The last line. Whether nothing failed.
    pub fn end(&self) -> bool {
        let count = |number: usize, word: &str| match number {
            0 => String::new(),
            1 => format!("1 {word}"),
            _ => format!("{number} {word}s"),
        };
        let parts: Vec<String> = [count(self.failed, "failure"), count(self.warned, "warning")]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let (tone, text) = match (self.failed, self.warned) {
            (0, 0) => (Tone::Good, "nothing is wrong".to_owned()),
            (0, _) => (Tone::Warn, parts.join(", ")),
            _ => (Tone::Bad, parts.join(", ")),
        };
        print(&format!("{}\n", self.screen.paint(tone, &text)));
        self.failed == 0
    }

    fn line(&mut self, word: &str, tone: Tone, what: &str, text: &str) {
        // What others wrote (a status, a NAS) is a part of it.
        let text = format!("{what}: {}", safe(text));
        match text.split_once("; ") {
            // A command that was broken into lines could not be copied: the terminal breaks it where it has to.
            Some((found, remedy)) if self.screen.is_terminal() => {
                print(&self.screen.paragraph(tone, word, found));
                print(&format!("      {remedy}\n"));
            }
            _ => print(&self.screen.paragraph(tone, word, &text)),
        }
    }
}
