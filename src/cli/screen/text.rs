//! Texts on a terminal: how wide they are, where lines break, and what of others' texts may reach it.

use std::{borrow::Cow, fmt::Write as _};

use console::AnsiCodeIterator;

/// Lines of at most so many columns, broken between words, and inside of one that is longer than a line. Colours take no
/// room.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![Line::default()];
    let mut word = Line::default();
    for (part, is_colour) in AnsiCodeIterator::new(text) {
        if is_colour {
            word.text.push_str(part);
            continue;
        }
        for letter in part.chars() {
            if letter == ' ' {
                end(&mut lines, &mut word, room);
                continue;
            }
            // A number stays with its unit.
            let letter = if letter == '\u{a0}' { ' ' } else { letter };
            let size = measure_char(letter);
            if word.width + size > room && word.width > 0 {
                end(&mut lines, &mut word, room);
                lines.push(Line::default());
            }
            word.text.push(letter);
            word.width += size;
        }
    }
    end(&mut lines, &mut word, room);
    lines.into_iter().map(|line| line.text).collect()
}

/// A text, and the columns it takes.
#[derive(Default)]
struct Line {
    text: String,
    width: usize,
}

/// Puts a word on the last line, or on one of its own where it has no room.
fn end(lines: &mut Vec<Line>, word: &mut Line, room: usize) {
    let word = std::mem::take(word);
    let mut last = lines.pop().unwrap_or_default();
    if last.width > 0 && word.width > 0 {
        if last.width + 1 + word.width > room {
            lines.push(std::mem::take(&mut last));
        } else {
            last.text.push(' ');
            last.width += 1;
        }
    }
    last.text.push_str(&word.text);
    last.width += word.width;
    lines.push(last);
}

/// Columns that a text takes, its colours aside.
pub fn measure(text: &str) -> usize {
    let plain = console::strip_ansi_codes(text);
    // Letter by letter: terminals differ in what they join, and none takes more room than this.
    plain.chars().map(measure_char).sum()
}

pub fn measure_char(letter: char) -> usize {
    if letter.is_ascii() {
        1
    } else {
        console::measure_text_width(letter.encode_utf8(&mut [0; 4]))
    }
}

/// A text that others have written, without what would move the cursor, colour the screen, turn the direction of
/// writing or hide: such characters stand escaped. What only joins pictures is left out, as terminals differ in its width.
pub fn safe(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|letter| is_unsafe(letter) || is_joiner(letter)) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars().filter(|letter| !is_joiner(*letter)) {
        match letter {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            letter if is_unsafe(letter) => {
                // A text takes whatever is written into it.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
            }
            letter => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character steers a terminal, or hides or turns what stands around it.
pub fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_joiner(letter: char) -> bool {
    matches!(letter, '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}
