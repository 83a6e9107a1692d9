//! Finds the ends of records that span several lines, in the batch that is being filled.

use std::sync::Arc;

use memchr::{memchr, memrchr};

use super::ports::{Framing, MOST_WAITING};

/// The state of the framing. It is not used if each line is a record.
#[derive(Default)]
pub(super) struct Frames {
    framing: Option<Arc<dyn Framing>>,
    /// Lines may belong together.
    pub(super) spans: bool,
    /// How much of the batch was examined, in whole lines.
    pub(super) seen: usize,
    /// The number of lines examined after the last whole record.
    waiting: usize,
    /// The states before the batch, where it is cut, and after what was examined.
    pub(super) begun: u16,
    pub(super) whole: u16,
    pub(super) now: u16,
}

impl Frames {
    pub(super) fn new(framing: Option<Arc<dyn Framing>>) -> Self {
        Self { framing, ..Self::default() }
    }

    /// Starts another input, or continues one at which an earlier run left the state `left`.
    pub(super) fn start(&mut self, left: u16) {
        let state = self.framing.as_ref().map_or(0, |framing| framing.start(left));
        self.spans = self.framing.as_ref().is_some_and(|framing| framing.spans(state));
        self.begin(state);
    }

    /// The batch was cut, and the next one begins.
    pub(super) fn next(&mut self) {
        self.begin(self.whole);
    }

    fn begin(&mut self, state: u16) {
        (self.seen, self.waiting) = (0, 0);
        (self.begun, self.whole, self.now) = (state, state, state);
    }

    /// Forgets that lines before the batch wait for another.
    pub(super) fn wait_no_longer(&mut self) {
        if let Some(framing) = self.framing.as_ref().filter(|f| f.waits(self.begun)) {
            self.begun = framing.given_up(self.begun);
        }
    }

    /// Returns the length of the first record of `data`, which is whole lines, and the state after
    /// it.
    pub(super) fn first(&self, data: &[u8]) -> (usize, u16) {
        let (mut end, mut state) = (0, self.begun);
        let framing = self.framing.as_ref().filter(|_| self.spans);
        while let Some(at) = memchr(b'\n', &data[end..]) {
            let line = &data[end..end + at];
            end += at + 1;
            state = framing.map_or(self.whole, |framing| framing.behind(state, line));
            if !framing.is_some_and(|framing| framing.waits(state)) {
                break;
            }
        }
        (end, state)
    }

    /// Advances `whole` as far as no line waits for another. Lines that belong together have at
    /// most `most` bytes.
    pub(super) fn look_at_lines(
        &mut self,
        data: &[u8],
        from: usize,
        most: usize,
        whole: &mut usize,
    ) {
        // The older data contains no line end after what was examined.
        let mut from = from.max(self.seen);
        while let Some(at) = memchr(b'\n', &data[from..]) {
            let end = from + at;
            if self.waiting >= MOST_WAITING || end - *whole > most {
                self.give_up(whole);
            }
            let waits = self.look(&data[self.seen..end]);
            (self.seen, from) = (end + 1, end + 1);
            self.waiting += 1;
            if !waits {
                (*whole, self.whole) = (end + 1, self.now);
                self.waiting = 0;
            }
            if !self.spans {
                let last = memrchr(b'\n', data).map_or(0, |at| at + 1);
                (*whole, self.seen) = (last, last);
                return;
            }
        }
    }

    /// With the next line, the lines that belong together would be longer than a line may be. They
    /// are separated, at the same line however the input arrives.
    pub(super) fn give_up(&mut self, whole: &mut usize) {
        if let Some(framing) = self.framing.as_ref().filter(|f| f.waits(self.now)) {
            self.now = framing.given_up(self.now);
            (*whole, self.whole) = (self.seen, self.now);
            self.waiting = 0;
        }
    }

    /// Returns whether this line, or one before it, waits for another.
    pub(super) fn look(&mut self, line: &[u8]) -> bool {
        let Some(framing) = &self.framing else { return false };
        self.now = framing.behind(self.now, line);
        self.spans = framing.spans(self.now);
        framing.waits(self.now)
    }
}
