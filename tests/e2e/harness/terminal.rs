//! A program in a pseudo-terminal of a given size, and what stands on its screen.

use std::{
    io::{Read, Write},
    num::NonZeroU16,
    sync::{Arc, Mutex},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use super::eventually::eventually;

/// Lines that scrolled away and are kept.
const SCROLLBACK: usize = 10_000;

/// A program that draws. It is killed when this is dropped.
pub struct Terminal {
    screen: Arc<Mutex<vt100::Parser>>,
    written: Arc<Mutex<Vec<u8>>>,
    child: Box<dyn Child + Send + Sync>,
    reader: std::thread::JoinHandle<()>,
    keyboard: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    /// Starts a program with nothing in its environment but `PATH`, `TERM` and what is given.
    pub fn start(
        program: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        (columns, rows): (u16, u16),
    ) -> Self {
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let [height, width] = [rows, columns].map(|count| NonZeroU16::new(count).unwrap());
        let screen = Arc::new(Mutex::new(vt100::Parser::new(height, width, SCROLLBACK)));
        let written = Arc::new(Mutex::new(Vec::new()));
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (drawn, kept) = (Arc::clone(&screen), Arc::clone(&written));
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                drawn.lock().unwrap().process(&buffer[..count]);
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        Self {
            screen,
            written,
            child,
            reader,
            keyboard: pair.master.take_writer().unwrap(),
            master: pair.master,
        }
    }

    /// The text on the screen, without the blanks at the ends of lines.
    pub fn screen(&self) -> String {
        let parser = self.screen.lock().unwrap();
        let (_, columns) = parser.screen().size();
        // Row by row: a line that is as wide as the terminal does not belong to the next one.
        let rows = parser.screen().rows(0, columns.get());
        let rows: Vec<String> = rows.map(|row| row.trim_end().to_owned()).collect();
        format!("{}\n", rows.join("\n").trim_end_matches('\n'))
    }

    /// The screen with its colours and weights as SGR sequences, and nothing that moves a cursor.
    pub fn coloured(&self) -> String {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let (rows, columns) = (rows.get(), columns.get());
        let mut text = String::new();
        for row in 0..rows {
            let (mut line, mut style) = (String::new(), String::new());
            for cell in (0..columns).filter_map(|column| screen.cell(row, column)) {
                if cell.is_wide_continuation() {
                    continue;
                }
                let next = sgr(cell);
                if next != style {
                    line.push_str("\u{1b}[0m");
                    line.push_str(&next);
                    style = next;
                }
                line.push_str(if cell.has_contents() { cell.contents() } else { " " });
            }
            text.push_str(line.trim_end());
            text.push_str("\u{1b}[0m\n");
        }
        text
    }

    /// Everything that was written so far, with its control sequences.
    pub fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Waits until the screen satisfies a condition, and returns its text.
    pub async fn until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        eventually(what, async || {
            let screen = self.screen();
            if holds(&screen) { Ok(screen) } else { Err(screen) }
        })
        .await
    }

    /// Types something; `"\x03"` is ^C.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Changes the size of the terminal, as a window manager does: the program is told by a signal.
    pub fn resize(&self, (columns, rows): (u16, u16)) {
        let [height, width] = [rows, columns].map(|count| NonZeroU16::new(count).unwrap());
        // First the screen: what the program draws for the new size must not fall on the old one.
        self.screen.lock().unwrap().set_size(height, width);
        let size = PtySize {
            rows,
            cols: columns,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.master.resize(size).unwrap();
    }

    /// Lines that the terminal broke because they were too long for it.
    pub fn broken_lines(&self) -> Vec<String> {
        let parser = self.screen.lock().unwrap();
        let screen = parser.screen();
        let (_, columns) = screen.size();
        let rows = (0..).zip(screen.rows(0, columns.get()));
        let broken = rows.filter(|(row, _)| screen.row_wrapped(*row));
        broken.map(|(_, text)| text).collect()
    }

    /// Whether the program draws on the other page of the terminal.
    pub fn is_aside(&self) -> bool {
        self.screen.lock().unwrap().screen().alternate_screen()
    }

    /// Whether the cursor can be seen.
    pub fn shows_cursor(&self) -> bool {
        !self.screen.lock().unwrap().screen().hide_cursor()
    }

    /// Waits for the end of the program; its exit code and the text on the screen.
    pub async fn ended(&mut self) -> (u32, String) {
        let child = &mut self.child;
        let code = eventually("the program in the terminal ends", async || {
            child.try_wait().unwrap().map(|status| status.exit_code())
        })
        .await;
        // The last bytes may still be on their way from the terminal.
        let reader = &self.reader;
        eventually("the terminal is read to its end", async || {
            reader.is_finished().then_some(())
        })
        .await;
        (code, self.screen())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }
}

/// What turns a cell's colour and weight on.
fn sgr(cell: &vt100::Cell) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    if let vt100::Color::Idx(index @ 0..8) = cell.fgcolor() {
        let _ = write!(text, "\u{1b}[{}m", 30 + index);
    }
    for (is_on, code) in [(cell.bold(), 1), (cell.dim(), 2), (cell.underline(), 4)] {
        if is_on {
            let _ = write!(text, "\u{1b}[{code}m");
        }
    }
    text
}
