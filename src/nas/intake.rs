//! Who takes the bytes of an answer: most answers are gathered and parsed as a whole, the long ones piece by piece.

use super::wire::{Fault, TaskListEnd, TaskStream};

/// Takes one answer at a time as it arrives.
pub(super) trait Intake<T>: Send {
    /// Forgets what came before: an answer begins.
    fn begin(&mut self);
    /// Takes the next piece. A fault is final.
    fn take(&mut self, piece: &[u8]) -> Result<(), Fault>;
    /// The verdict on what was taken.
    fn finish(&mut self) -> Result<T, Fault>;
}

/// Gathers an answer.
pub(super) struct Whole<F> {
    body: Vec<u8>,
    parse: F,
}

impl<F> Whole<F> {
    pub(super) fn new(parse: F) -> Self {
        let body = Vec::new();
        Self { body, parse }
    }
}

impl<T, F: Fn(&[u8]) -> Result<T, Fault> + Send> Intake<T> for Whole<F> {
    fn begin(&mut self) {
        self.body.clear();
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.body.extend_from_slice(piece);
        Ok(())
    }

    fn finish(&mut self) -> Result<T, Fault> {
        (self.parse)(&std::mem::take(&mut self.body))
    }
}

impl Intake<TaskListEnd> for TaskStream<'_> {
    fn begin(&mut self) {
        self.restart();
    }

    fn take(&mut self, piece: &[u8]) -> Result<(), Fault> {
        self.push(piece)
    }

    fn finish(&mut self) -> Result<TaskListEnd, Fault> {
        self.end()
    }
}
