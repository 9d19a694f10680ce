//! What a terminal can show, and the forms that all commands share: tables, ages, sizes, colours. Colours come only to a
//! terminal and never with `NO_COLOR`; a table is cut to the terminal's width and to no width elsewhere.

use console::{Style, Term};
use indicatif::BinaryBytes;
use jiff::{SignedDuration, Timestamp};
use tabled::{
    builder::Builder,
    settings::{Padding, Style as Frame, Width, peaker::PriorityMax},
};

/// Where a command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns, where it is a terminal.
    pub width: Option<usize>,
    /// Whether words may be coloured.
    pub colours: bool,
}

/// What a word means.
#[allow(dead_code, reason = "taken up by the commands that follow")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Good,
    /// Somebody must act.
    Bad,
    /// Somebody should look.
    Warn,
    /// Under way.
    Busy,
    /// Of less interest.
    Faint,
    /// A head.
    Strong,
}

impl Screen {
    /// Standard output.
    pub fn stdout() -> Self {
        let terminal = Term::stdout();
        Self {
            width: terminal.is_term().then(|| usize::from(terminal.size().1)),
            colours: console::colors_enabled(),
        }
    }

    /// Whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        self.width.is_some()
    }

    /// A text in the colour of what it means.
    pub fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colours || text.is_empty() {
            return text.to_owned();
        }
        let style = Style::new().force_styling(true);
        let style = match tone {
            Tone::Good => style.green(),
            Tone::Bad => style.red().bold(),
            Tone::Warn => style.yellow(),
            Tone::Busy => style.cyan(),
            Tone::Faint => style.dim(),
            Tone::Strong => style.bold(),
        };
        style.apply_to(text).to_string()
    }

    /// Columns under their heads as kubectl has them, cut to the width of the terminal where they are wider.
    pub fn table(self, heads: &[&str], rows: Vec<Vec<String>>) -> String {
        let mut builder = Builder::default();
        builder.push_record(heads.iter().map(|head| self.paint(Tone::Strong, head)));
        for row in rows {
            builder.push_record(row);
        }
        let mut table = builder.build();
        table.with(Frame::empty()).with(Padding::new(0, 3, 0, 0));
        if let Some(width) = self.width {
            table.with(
                Width::truncate(width)
                    .suffix("…")
                    .priority(PriorityMax::default()),
            );
        }
        let mut text = String::new();
        for line in table.to_string().lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// How long ago, as kubectl prints ages: two units at most.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since))
}

/// A span in at most two units, as kubectl prints ages.
pub(super) fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let two = |big: i64, unit: char, small: i64, part: char| {
        if small == 0 {
            format!("{big}{unit}")
        } else {
            format!("{big}{unit}{small}{part}")
        }
    };
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => two(minutes, 'm', seconds % 60, 's'),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, 'h', minutes % 60, 'm'),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, 'd', hours % 24, 'h'),
        _ => format!("{days}d"),
    }
}

/// A number of bytes in binary units.
pub(super) fn bytes(count: i64) -> String {
    BinaryBytes(u64::try_from(count).unwrap_or(0)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Screen = Screen {
        width: None,
        colours: false,
    };

    fn rows() -> Vec<Vec<String>> {
        vec![vec![
            "laptop".to_owned(),
            "a rather long reason".to_owned(),
            "5m".to_owned(),
        ]]
    }

    #[test]
    fn a_table_has_kubectls_form_and_fits_the_terminal() {
        let heads = ["NAME", "WHY", "AGE"];
        assert_eq!(
            PLAIN.table(&heads, rows()),
            "NAME     WHY                    AGE\nlaptop   a rather long reason   5m\n"
        );
        let narrow = Screen {
            width: Some(28),
            ..PLAIN
        };
        for line in narrow.table(&heads, rows()).lines() {
            assert!(console::measure_text_width(line) <= 28, "{line}");
        }
        let coloured = Screen {
            colours: true,
            ..narrow
        };
        let text = coloured.table(&heads, rows());
        assert_eq!(console::strip_ansi_codes(&text), narrow.table(&heads, rows()));
        assert!(text.contains("\u{1b}[1m"));
    }

    #[test]
    fn ages_are_those_of_kubectl() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (130, "2m10s"),
            (3600, "60m"),
            (11_000, "3h3m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (900_000, "10d"),
        ] {
            assert_eq!(span(SignedDuration::from_secs(seconds)), text);
        }
    }
}
