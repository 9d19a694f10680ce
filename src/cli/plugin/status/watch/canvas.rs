//! The live screen of a terminal: the other page of it, so that nothing is scrolled away, redrawn in one piece and only
//! where something changed. However the command ends, the cursor and the first page come back, with the last picture.

use std::io::{self, Write as _};

use jiff::Timestamp;

use super::{
    super::render::{Look, Scene, render},
    Lost,
};
use crate::cli::screen::{Screen, Tone, age};

/// To the other page, without a cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
/// Back.
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// To the first line.
const HOME: &str = "\u{1b}[H";
/// Blanks everything; terminals keep what stood beyond a smaller size.
const CLEAR: &str = "\u{1b}[2J";
/// Blanks the line the cursor is in. Before its text: after a text as wide as the terminal the cursor is on its last letter.
const CLEAR_LINE: &str = "\u{1b}[2K";

/// A page of the terminal that is ours.
pub(super) struct Canvas {
    /// What is on it, and how large it was.
    drawn: (Vec<String>, (usize, usize)),
    /// The whole picture, also what found no room.
    picture: String,
}

impl Canvas {
    pub fn open() -> Self {
        // Where it fails nothing can be drawn either, and that is noticed.
        let _ = write(ENTER);
        Self {
            drawn: (Vec::new(), (0, 0)),
            picture: String::new(),
        }
    }

    pub fn show(
        &mut self,
        scene: &Scene,
        look: &Look,
        lost: Option<&Lost>,
        now: Timestamp,
    ) -> io::Result<()> {
        let (screen, height) = Screen::with_height();
        self.picture = render(scene, look, screen, now);
        let size = (screen.width.unwrap_or_default(), height);
        let lines = frame(&self.picture, lost, screen, height, now);
        let next = (lines, size);
        if next == self.drawn {
            return Ok(());
        }
        let mut text = HOME.to_owned();
        if self.drawn.1 != size {
            text.push_str(CLEAR);
        }
        for number in 0..height {
            if number > 0 {
                text.push_str("\r\n");
            }
            text.push_str(CLEAR_LINE);
            text.push_str(next.0.get(number).map_or("", String::as_str));
        }
        self.drawn = next;
        write(&text)
    }
}

impl Drop for Canvas {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that has gone.
        let _ = write(&format!("{LEAVE}{}", self.picture));
    }
}

/// The lines that a terminal of that height has room for; the last one says how the picture stands.
fn frame(picture: &str, lost: Option<&Lost>, screen: Screen, height: usize, now: Timestamp) -> Vec<String> {
    let width = screen.width.unwrap_or(usize::MAX);
    let footer = match lost {
        Some(Lost { since, why }) => {
            let text = format!("disconnected since {since} ({}): {why}", age(*since, now));
            screen.paint(Tone::Bad, &screen.cut(&text, width))
        }
        None => screen.paint(Tone::Faint, &screen.cut("live; ^C ends", width)),
    };
    let mut lines: Vec<String> = picture.lines().map(str::to_owned).collect();
    let room = height.saturating_sub(2);
    if lines.len() > room {
        let hidden = lines.len() - room.saturating_sub(1);
        lines.truncate(room.saturating_sub(1));
        let text = format!("and {hidden} more lines: enlarge the terminal, or name the BackupTasks");
        lines.push(screen.paint(Tone::Warn, &screen.cut(&text, width)));
    }
    lines.push(String::new());
    lines.push(footer);
    lines
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(picture: &str, height: usize, lost: Option<&Lost>) -> Vec<String> {
        let screen = Screen {
            width: Some(40),
            colours: false,
            unicode: true,
        };
        frame(
            picture,
            lost,
            screen,
            height,
            Timestamp::from_second(100).unwrap(),
        )
    }

    #[test]
    fn a_picture_has_room_or_says_what_has_not() {
        let picture = "a\nb\nc\nd\n";
        assert_eq!(lines(picture, 6, None), ["a", "b", "c", "d", "", "live; ^C ends"]);
        let cut = lines(picture, 5, None);
        assert_eq!(cut[..2], ["a", "b"]);
        assert!(cut[2].starts_with("and 2 more lines: enlarge"), "{cut:?}");
        for height in 1..8 {
            assert!(lines(picture, height, None).len() <= height.max(3), "{height}");
        }
        let lost = Lost {
            since: Timestamp::from_second(58).unwrap(),
            why: "connection refused".to_owned(),
        };
        let said = lines(picture, 6, Some(&lost));
        assert_eq!(said.last().unwrap(), "disconnected since 1970-01-01T00:00:58Z…");
    }
}
