//! Tables: columns under their heads, as kubectl has them, fitted to the terminal. Of each column its maker says whether it
//! may be cut, and whether it may be left out.

use super::{Screen, Tone, measure};

/// Blanks between columns, as kubectl has them.
const GAP: usize = 3;
/// Blanks between columns where room is short.
const NARROW_GAP: usize = 2;
/// A column that may be cut keeps so many columns of the terminal, where that is possible at all.
const LEAST: usize = 4;
/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
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
pub struct Table<'a> {
    /// Its lines.
    pub text: String,
    /// The heads of the columns for which there was no room.
    pub left_out: Vec<&'a str>,
}

impl Screen {
    /// Columns under their heads as kubectl has them, cut to the width of the terminal where they are wider.
    #[allow(clippy::needless_pass_by_value, reason = "rows are made for one table")]
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
}

/// Which columns stay, how wide each is, and the blanks between them.
fn fit(columns: &[Column<'_>], natural: Vec<usize>, room: Option<usize>) -> (Vec<usize>, Vec<usize>, usize) {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let Some(room) = room else {
        return (kept, natural, GAP);
    };
    let least = |index: usize| {
        let least = columns[index].least;
        least.map_or(natural[index], |least| least.min(natural[index]))
    };
    let gaps = |count: usize, gap: usize| gap * count.saturating_sub(1);
    while kept.iter().map(|&index| least(index)).sum::<usize>() + gaps(kept.len(), NARROW_GAP) > room {
        let leaving = kept.iter().copied().filter(|&index| columns[index].leaves > 0);
        let Some(first) = leaving.max_by_key(|&index| columns[index].leaves) else {
            break;
        };
        kept.retain(|&index| index != first);
    }
    // On a terminal narrower than any the last ones leave, too.
    while kept.len() > 1 && kept.len() + gaps(kept.len(), NARROW_GAP) > room {
        kept.pop();
    }
    let mut widths: Vec<usize> = kept.iter().map(|&index| natural[index]).collect();
    let wanted: usize = widths.iter().sum();
    let is_roomy = wanted + gaps(kept.len(), GAP) <= room;
    let gap = if is_roomy { GAP } else { NARROW_GAP };
    let mut beyond = (wanted + gaps(kept.len(), gap)).saturating_sub(room);
    // First what may be cut, each down to its least; then everything.
    for is_last_resort in [false, true] {
        while beyond > 0 {
            let bound = |place: usize| if is_last_resort { 1 } else { least(kept[place]) };
            let widest = (0..widths.len())
                .filter(|&place| widths[place] > bound(place))
                .max_by_key(|&place| widths[place]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
            beyond -= 1;
        }
    }
    (kept, widths, gap)
}
