//! What a terminal can show, and the forms that all commands share: tables, ages, sizes, bars, colours. Colours come only
//! to a terminal and never with `NO_COLOR` or `CLICOLOR=0`; lines are fitted to the terminal's width and to no width
//! elsewhere. What a NAS calls its things passes [`safe`] before it is shown.

mod table;
mod text;

use console::{AnsiCodeIterator, Style, Term};
use indicatif::BinaryBytes;
use jiff::{SignedDuration, Timestamp};

pub(super) use table::Column;
pub(super) use text::{is_unsafe, measure, safe};
use text::{measure_char, wrap};

/// Blanks before the second line of a paragraph.
const INDENT: usize = 6;

/// Where a command's output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Screen {
    /// Columns, where it is a terminal.
    pub width: Option<usize>,
    /// Whether words may be coloured.
    pub colours: bool,
    /// Whether characters beyond ASCII may be drawn.
    pub unicode: bool,
}

/// What a word means.
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
        let features = terminal.features();
        Self {
            width: features.is_attended().then(|| usize::from(terminal.size().1)),
            colours: features.colors_supported() && console::colors_enabled(),
            unicode: is_utf8(),
        }
    }

    /// Standard output, and its lines where it is a terminal.
    pub fn with_height() -> (Self, usize) {
        (Self::stdout(), usize::from(Term::stdout().size().0))
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

    /// A text of at most so many columns; where something is missing a sign says so. Colours end where they ended.
    pub fn cut(self, text: &str, width: usize) -> String {
        if measure(text) <= width {
            return text.to_owned();
        }
        let sign = if self.unicode { '…' } else { '~' };
        let mut room = width.saturating_sub(1);
        let mut is_full = false;
        let mut kept = String::new();
        for (part, is_colour) in AnsiCodeIterator::new(text) {
            if is_colour {
                kept.push_str(part);
                continue;
            }
            for letter in part.chars() {
                let size = measure_char(letter);
                if is_full || size > room {
                    if !is_full && width > 0 {
                        kept.push(sign);
                    }
                    is_full = true;
                    break;
                }
                room -= size;
                kept.push(letter);
            }
        }
        kept
    }

    /// A paragraph behind a mark of at most five columns: lines as long as the terminal is wide, from the second one on
    /// under the first one's text. The mark has the colour; without a mark the text has it.
    pub fn paragraph(self, tone: Tone, mark: &str, text: &str) -> String {
        let room = self
            .width
            .map_or(usize::MAX, |width| width.saturating_sub(INDENT).max(1));
        let mut written = String::new();
        for (number, line) in wrap(text, room).into_iter().enumerate() {
            let lead = if number == 0 { mark } else { "" };
            let blanks = INDENT.saturating_sub(measure(lead));
            written.push_str(&self.paint(tone, lead));
            written.extend(std::iter::repeat_n(' ', blanks));
            written.push_str(&if mark.is_empty() {
                self.paint(tone, &line)
            } else {
                line
            });
            written.push('\n');
        }
        written
    }

    /// Sentences on lines as long as the terminal is wide.
    pub fn prose(self, text: &str) -> String {
        let lines = wrap(text, self.width.unwrap_or(usize::MAX));
        lines.into_iter().map(|line| line + "\n").collect()
    }

    /// A bar for a value, as long as its share of the largest one; something that is not nothing shows.
    pub fn bar(self, value: i64, largest: i64, cells: usize) -> String {
        const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        if value <= 0 || largest <= 0 || cells == 0 {
            return String::new();
        }
        let steps = if self.unicode { 8 } else { 1 };
        let whole = i128::from(value.min(largest)) * i128::try_from(cells * steps).unwrap_or(i128::MAX);
        let drawn = usize::try_from(whole / i128::from(largest)).unwrap_or(0).max(1);
        if !self.unicode {
            return "#".repeat(drawn);
        }
        let mut bar = "█".repeat(drawn / 8);
        bar.extend((drawn % 8).checked_sub(1).map(|index| EIGHTHS[index]));
        bar
    }
}

/// Whether standard output is a terminal whose cursor can be moved.
pub(super) fn can_redraw() -> bool {
    Term::stdout().features().is_attended() && std::env::var("TERM").is_ok_and(|name| name != "dumb")
}

/// Whether the locale is one of UTF-8, by the variables that say so, in their order.
fn is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    named.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// How long ago, as kubectl prints ages: two units at most.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    span(now.duration_since(since))
}

/// A time to come as `in 5h`, one that has come as `due 5m`.
pub(super) fn until(at: Timestamp, now: Timestamp) -> String {
    if at > now {
        format!("in {}", span(at.duration_since(now)))
    } else {
        format!("due {}", age(at, now))
    }
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
        unicode: true,
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

    fn on(width: usize) -> Screen {
        Screen {
            width: Some(width),
            ..PLAIN
        }
    }

    #[test]
    fn where_room_is_short_columns_are_cut_and_then_leave() {
        let columns = [
            Column::cut("NAME", 6),
            Column::whole("STATE"),
            Column::cut("TASK", 6).leaving(1),
            Column::whole("WHY").leaving(2),
        ];
        let row = ["a-long-name", "Idle", "写真バックアップ", "Suspended"];
        let rows = [row.map(str::to_owned).to_vec()];
        for (width, line, left_out) in [
            (80, "a-long-name   Idle    写真バックアップ   Suspended", &[][..]),
            (47, "a-long-name  Idle   写真バックアップ  Suspended", &[]),
            (38, "a-long-n…  Idle   写真バッ…  Suspended", &[]),
            (32, "a-lon…  Idle   写真…   Suspended", &[]),
            (31, "a-long-name  Idle   写真バック…", &["WHY"]),
            (19, "a-long-name   Idle", &["TASK", "WHY"]),
            (12, "a-lo…  Idle", &["TASK", "WHY"]),
            (9, "a-l…  Id…", &["TASK", "WHY"]),
            (3, "a-…", &["STATE", "TASK", "WHY"]),
        ] {
            let table = on(width).columns(&columns, &rows);
            assert_eq!(table.text.lines().last().unwrap(), line, "{width}");
            assert_eq!(table.left_out, left_out, "{width}");
        }
        let ascii = Screen {
            unicode: false,
            ..on(8)
        };
        assert_eq!(ascii.cut("写真バックアップ", 8), "写真バ~");
        let red = "\u{1b}[31mFailed\u{1b}[0m";
        assert_eq!(on(8).cut(red, 4), "\u{1b}[31mFai…\u{1b}[0m");
    }

    #[test]
    fn paragraphs_break_between_words_and_under_their_mark() {
        let text = on(20).paragraph(Tone::Bad, "fail", "nas: it is away, look at nas.example.org:5001");
        assert_eq!(
            text,
            "fail  nas: it is\n      away, look at\n      nas.example.or\n      g:5001\n"
        );
        assert_eq!(
            PLAIN.paragraph(Tone::Bad, "", "as long as it is"),
            "      as long as it is\n"
        );
        let red = "3 runs: \u{1b}[31m1 Failed\u{1b}[0m; median 762.94\u{a0}MiB";
        assert_eq!(
            on(22).prose(red),
            "3 runs: \u{1b}[31m1 Failed\u{1b}[0m;\nmedian 762.94 MiB\n"
        );
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        for (text, shown) in [
            ("peterm-Default", "peterm-Default"),
            ("写真 📷 Ünïcödé", "写真 📷 Ünïcödé"),
            ("a\u{1b}[2Jb\r\n\tc\u{7f}", "a\\u{1b}[2Jb\\r\\n\\tc\\u{7f}"),
            (
                "\u{9b}31m \u{202e}gpj.exe\u{2066}",
                "\\u{9b}31m \\u{202e}gpj.exe\\u{2066}",
            ),
            ("👨\u{200d}👩 ❤\u{fe0f}", "👨👩 ❤"),
        ] {
            assert_eq!(safe(text), shown);
            assert!(!safe(text).chars().any(char::is_control));
        }
    }

    #[test]
    fn bars_are_to_one_scale_and_something_always_shows() {
        let ascii = Screen {
            unicode: false,
            ..PLAIN
        };
        for (value, bar, plain) in [
            (0, "", ""),
            (1, "▏", "#"),
            (500, "██", "##"),
            (532, "██▏", "##"),
            (999, "███▉", "###"),
            (1000, "████", "####"),
            (i64::MAX, "████", "####"),
        ] {
            assert_eq!(
                (
                    PLAIN.bar(value, 1000, 4).as_str(),
                    ascii.bar(value, 1000, 4).as_str()
                ),
                (bar, plain)
            );
        }
        assert_eq!(PLAIN.bar(5, 0, 4), "");
    }

    #[test]
    fn times_to_come_and_times_that_came() {
        let now = Timestamp::UNIX_EPOCH;
        let at = |seconds| now + SignedDuration::from_secs(seconds);
        assert_eq!(until(at(7200), now), "in 120m");
        assert_eq!(until(at(0), now), "due 0s");
        assert_eq!(until(at(-300), now), "due 5m");
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
