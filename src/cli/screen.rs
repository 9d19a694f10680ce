//! What a terminal can show, and the forms that all commands share: tables, ages, sizes, bars, colours. Colours come only
//! to a terminal and never with `NO_COLOR` or `CLICOLOR=0`; lines are fitted to the terminal's width and to no width
//! elsewhere. What a NAS calls its things passes [`safe`] before it is shown.

mod text;

use console::{AnsiCodeIterator, Style, Term};
use indicatif::BinaryBytes;
use jiff::{SignedDuration, Timestamp};

pub(super) use text::{measure, safe};
use text::{measure_char, wrap};

/// Blanks between columns, as kubectl has them.
const GAP: usize = 3;
/// Blanks between columns where room is short.
const NARROW_GAP: usize = 2;
/// A column that may be cut keeps so many columns of the terminal, where that is possible at all.
const LEAST: usize = 4;
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

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column<'a> {
    head: &'a str,
    /// So much of it stays when it is cut; `None`: it is never cut.
    least: Option<usize>,
    /// Where room is short the column with the highest number is left out first; one with 0 stays.
    leaves: u8,
}

impl<'a> Column<'a> {
    /// A column that is shown as it is.
    pub const fn whole(head: &'a str) -> Self {
        Self {
            head,
            least: None,
            leaves: 0,
        }
    }

    /// A column that may be cut, if need be down to so many columns of the terminal.
    pub const fn cut(head: &'a str, least: usize) -> Self {
        Self {
            head,
            least: Some(least),
            leaves: 0,
        }
    }

    /// The same, but left out where room is short: the highest number first.
    pub const fn leaving(self, leaves: u8) -> Self {
        Self { leaves, ..self }
    }
}

/// A table, and what it lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Table<'a> {
    /// Its lines.
    pub text: String,
    /// The heads of the columns for which there was no room.
    pub left_out: Vec<&'a str>,
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

    /// Columns under their heads as kubectl has them, cut to the width of the terminal where they are wider.
    pub fn table(self, heads: &[&str], rows: Vec<Vec<String>>) -> String {
        let columns: Vec<Column<'_>> = heads.iter().map(|&head| Column::cut(head, LEAST)).collect();
        self.columns(&columns, &rows).text
    }

    /// The same, with columns of which each says what becomes of it where room is short.
    pub fn columns<'a>(self, columns: &[Column<'a>], rows: &[Vec<String>]) -> Table<'a> {
        let natural = |index: usize| {
            let cells = rows
                .iter()
                .map(|row| row.get(index).map_or(0, |cell| measure(cell)));
            cells.max().unwrap_or(0).max(measure(columns[index].head))
        };
        let widths: Vec<usize> = (0..columns.len()).map(natural).collect();
        let (kept, widths, gap) = fit(columns, widths, self.width);
        let mut text = String::new();
        let heads: Vec<String> = columns
            .iter()
            .map(|column| self.paint(Tone::Strong, column.head))
            .collect();
        for row in std::iter::once(&heads).chain(rows) {
            let mut line = String::new();
            for (&index, &width) in kept.iter().zip(&widths) {
                let cell = self.cut(row.get(index).map_or("", String::as_str), width);
                let blanks = (width + gap).saturating_sub(measure(&cell));
                line.push_str(&cell);
                line.extend(std::iter::repeat_n(' ', blanks));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        let left_out = (0..columns.len()).filter(|index| !kept.contains(index));
        Table {
            text,
            left_out: left_out.map(|index| columns[index].head).collect(),
        }
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

/// Which columns stay, how wide each is, and the blanks between them.
fn fit(columns: &[Column<'_>], natural: Vec<usize>, room: Option<usize>) -> (Vec<usize>, Vec<usize>, usize) {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let Some(room) = room else {
        return (kept, natural, GAP);
    };
    let least = |index: usize| {
        columns[index]
            .least
            .map_or(natural[index], |least| least.min(natural[index]))
    };
    let total = |kept: &[usize], of: &dyn Fn(usize) -> usize, gap: usize| {
        kept.iter().map(|&index| of(index)).sum::<usize>() + gap * kept.len().saturating_sub(1)
    };
    while total(&kept, &least, NARROW_GAP) > room {
        let leaving = kept.iter().copied().filter(|&index| columns[index].leaves > 0);
        let Some(first) = leaving.max_by_key(|&index| columns[index].leaves) else {
            break;
        };
        kept.retain(|&index| index != first);
    }
    let gap = if total(&kept, &|index| natural[index], GAP) > room {
        NARROW_GAP
    } else {
        GAP
    };
    let mut widths: Vec<usize> = kept.iter().map(|&index| natural[index]).collect();
    let gaps = gap * kept.len().saturating_sub(1);
    // First what may be cut, each to its least; then, on a terminal narrower than any, everything.
    for is_last_resort in [false, true] {
        while widths.iter().sum::<usize>() + gaps > room {
            let bound = |place: usize| if is_last_resort { 1 } else { least(kept[place]) };
            let widest = (0..widths.len())
                .filter(|&place| widths[place] > bound(place))
                .max_by_key(|&place| widths[place]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
    }
    (kept, widths, gap)
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
