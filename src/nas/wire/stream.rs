//! A list of tasks read while it arrives: each row is cut out of the stream, parsed and passed on, and what is around the
//! rows is kept with a `0` in place of each. At the end that remainder is judged as any answer is.
//!
//! An answer is JSON exactly if its remainder and all its rows are, so the verdict is that of a parser that holds
//! everything; what is held here is one row and the remainder. It is given at the end, and voids rows that were passed on.

use super::rows::TaskRow;
use super::{Fault, Listed, NOT_JSON, TasksData, check_start, data, listed};
use crate::nas::lenient::{Object, Row};
use crate::nas::model::{Task, TaskId};

/// Bytes of one row at most. One with ten thousand versions has a few million.
const MOST_OF_ROW: usize = 8 * 1024 * 1024;
/// Bytes of everything beside the rows at most.
const MOST_BESIDE: usize = 1024 * 1024;

/// Takes the tasks of a list as they arrive.
pub trait TaskSink: Send {
    /// Forgets what came before: the list begins, or begins anew in another session.
    fn begin(&mut self);
    /// Takes one row, with its bytes as they stood in the answer where it was cut out of it. It counts only if the list turns
    /// out to be one.
    fn take(&mut self, task: Task, row: Option<&[u8]>);
    /// Takes a row by its bytes if it is known from an earlier list what they say; else the row is parsed, and comes by
    /// [`TaskSink::take`] if it is readable.
    fn take_again(&mut self, _row: &[u8]) -> Option<TaskId> {
        None
    }
}

impl TaskSink for Vec<Task> {
    fn begin(&mut self) {
        self.clear();
    }

    fn take(&mut self, task: Task, _row: Option<&[u8]>) {
        self.push(task);
    }
}

/// What is known of a list at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskListEnd {
    /// The readable rows: what the sink was given.
    pub rows: usize,
    /// How many tasks the NAS says there are.
    pub total: Option<u64>,
    /// Rows without a usable `task_id`.
    pub unreadable_rows: usize,
}

impl TaskListEnd {
    /// Whether a task that was not given is not on the NAS: every row was read and none is on another page.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        crate::nas::model::is_complete(self.rows, self.total, self.unreadable_rows)
    }
}

/// Reads the answer of `Task.list` piece by piece.
pub struct TaskStream<'a> {
    sink: &'a mut dyn TaskSink,
    cutter: Cutter,
    rows: usize,
    unreadable: usize,
}

impl<'a> TaskStream<'a> {
    /// Begins a list.
    pub fn new(sink: &'a mut dyn TaskSink) -> Self {
        sink.begin();
        Self {
            sink,
            cutter: Cutter::default(),
            rows: 0,
            unreadable: 0,
        }
    }

    /// Begins another list.
    pub(in crate::nas) fn restart(&mut self) {
        self.sink.begin();
        self.cutter = Cutter::default();
        (self.rows, self.unreadable) = (0, 0);
    }

    /// Takes the next piece, of any length.
    ///
    /// # Errors
    /// [`Fault::Unexpected`] where the rest of the answer cannot change that verdict.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        let Self {
            sink,
            cutter,
            rows,
            unreadable,
        } = self;
        cutter.push(piece, &mut |row| {
            if sink.take_again(row).is_some() {
                *rows += 1;
                return Ok(());
            }
            let Ok(Object(read)) = serde_json::from_slice::<Object<TaskRow>>(row) else {
                return Err(NOT_JSON);
            };
            match read.and_then(Row::convert) {
                Some(task) => {
                    *rows += 1;
                    sink.take(task, Some(row));
                }
                None => *unreadable += 1,
            }
            Ok(())
        })
    }

    /// The verdict on the whole. Only [`Ok`] makes the rows count.
    ///
    /// # Errors
    /// As [`super::task_list`].
    pub fn finish(mut self) -> Result<TaskListEnd, Fault> {
        self.end()
    }

    pub(in crate::nas) fn end(&mut self) -> Result<TaskListEnd, Fault> {
        let TasksData::<TaskRow> { tasks, total } = data(&self.cutter.rest)?;
        let Listed {
            values,
            total,
            unreadable,
        } = listed(tasks, &total, "no list of tasks")?;
        // Data that is a text is in the remainder as a whole.
        let rows = self.rows + values.len();
        for task in values {
            self.sink.take(task, None);
        }
        // Each row that was cut out stands there as a number.
        let cut = self.rows + self.unreadable;
        Ok(TaskListEnd {
            rows,
            total,
            unreadable_rows: self.unreadable + unreadable.saturating_sub(cut),
        })
    }
}

/// Cuts the elements of `data.tasks` out of an object that comes in pieces.
#[derive(Default)]
struct Cutter {
    /// The answer with a `0` in place of each element.
    rest: Vec<u8>,
    /// An element that began in an earlier piece.
    row: Vec<u8>,
    place: Place,
    text: Text,
    /// Brackets that are open, without those of an element.
    depth: usize,
    /// Brackets of the element that are open.
    row_depth: usize,
    /// Where the newest text of `rest` begins: the name of a field, where a colon follows.
    text_begin: usize,
    /// The open object is `data`.
    in_data: bool,
    /// The value that comes next is `data`, or in it `tasks`.
    is_named: bool,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum Place {
    /// Around the list.
    #[default]
    Around,
    /// In the list, where an element may begin.
    Between,
    /// In an element.
    Element,
}

/// Whether the next byte is part of a text.
#[derive(Default, Clone, Copy, PartialEq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl Text {
    /// Follows a text over its next bytes; how many of them belong to it.
    fn follow(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while let Some(byte) = bytes.get(taken) {
            match (*self, byte) {
                (Self::Outside, _) => break,
                (Self::Escaped, _) => *self = Self::Inside,
                (Self::Inside, b'\\') => *self = Self::Escaped,
                (Self::Inside, b'"') => *self = Self::Outside,
                (Self::Inside, _) => {
                    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\');
                    let plain = bytes[taken..].iter().position(is_special);
                    taken = plain.map_or(bytes.len(), |plain| taken + plain);
                    continue;
                }
            }
            taken += 1;
        }
        taken
    }
}

type Each<'a> = dyn FnMut(&[u8]) -> Result<(), Fault> + 'a;

impl Cutter {
    fn push(&mut self, mut piece: &[u8], each: &mut Each<'_>) -> Result<(), Fault> {
        while !piece.is_empty() {
            let taken = match self.place {
                Place::Around => Ok(self.around(piece)),
                Place::Between => Ok(self.between(piece)),
                Place::Element => self.element(piece, each),
            };
            let taken = taken.and_then(|taken| {
                let fits = self.rest.len() <= MOST_BESIDE;
                fits.then_some(taken)
                    .ok_or(Fault::Unexpected("more than 1 MiB beside its rows"))
            });
            // A page of HTML is called by its name, whatever else is wrong with it.
            piece =
                &piece[taken.or_else(|fault| check_start(self.rest.trim_ascii_start()).and(Err(fault)))?..];
        }
        Ok(())
    }

    /// One byte around the list, or all of a text.
    fn around(&mut self, piece: &[u8]) -> usize {
        if self.text != Text::Outside {
            let taken = self.text.follow(piece);
            self.rest.extend_from_slice(&piece[..taken]);
            return taken;
        }
        let byte = piece[0];
        match byte {
            // One is as good as many.
            byte if is_space(byte) && self.rest.last().is_some_and(|last| is_space(*last)) => return 1,
            b'"' => {
                self.text = Text::Inside;
                self.text_begin = self.rest.len();
            }
            b':' => {
                self.is_named = match self.depth {
                    1 => self.named("data"),
                    2 => self.in_data && self.named("tasks"),
                    _ => false,
                };
            }
            b'{' | b'[' => {
                self.depth += 1;
                if byte == b'[' && self.depth == 3 && self.is_named {
                    self.place = Place::Between;
                }
                if self.depth == 2 {
                    self.in_data = byte == b'{' && self.is_named;
                }
                self.is_named = false;
            }
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            b',' => self.is_named = false,
            _ => {}
        }
        self.rest.push(byte);
        1
    }

    /// Whether the text before a colon is this one, however it is spelt.
    fn named(&self, name: &str) -> bool {
        let text = self.rest[self.text_begin..].trim_ascii_end();
        serde_json::from_slice::<&str>(text).is_ok_and(|text| text == name)
            || text.contains(&b'\\') && serde_json::from_slice::<String>(text).is_ok_and(|text| text == name)
    }

    /// One byte between two elements.
    fn between(&mut self, piece: &[u8]) -> usize {
        match piece[0] {
            byte if is_space(byte) => 1,
            b',' => {
                self.rest.push(b',');
                1
            }
            byte @ (b']' | b'}') => {
                self.rest.push(byte);
                self.place = Place::Around;
                self.depth -= 1;
                1
            }
            _ => {
                self.place = Place::Element;
                0
            }
        }
    }

    /// An element up to its end, or as much of it as there is.
    fn element(&mut self, piece: &[u8], each: &mut Each<'_>) -> Result<usize, Fault> {
        let end = self.end_of_element(piece);
        let known = &piece[..end.unwrap_or(piece.len())];
        if self.row.len() + known.len() > MOST_OF_ROW {
            return Err(Fault::Unexpected("a row of more than 8 MiB"));
        }
        if end.is_none() || !self.row.is_empty() {
            self.row.extend_from_slice(known);
        }
        if end.is_some() {
            each(if self.row.is_empty() { known } else { &self.row })?;
            self.row.clear();
            self.rest.push(b'0');
            self.place = Place::Between;
        }
        Ok(known.len())
    }

    /// Where the comma or the bracket behind the element is.
    fn end_of_element(&mut self, piece: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < piece.len() {
            if self.text != Text::Outside {
                at += self.text.follow(&piece[at..]);
                continue;
            }
            match piece[at] {
                b'"' => self.text = Text::Inside,
                b'{' | b'[' => self.row_depth += 1,
                b',' | b'}' | b']' if self.row_depth == 0 => return Some(at),
                b'}' | b']' => self.row_depth -= 1,
                _ => {}
            }
            at += 1;
        }
        None
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
