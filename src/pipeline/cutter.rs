//! Cuts bytes into whole lines.
//!
//! A batch takes bytes until it is full. It is cut after its last line end, and the partial line is
//! carried over into the next batch. A line over the limit gets a batch of its own, which keeps
//! only as much of it as the engine needs to recognise that. The rest is counted and discarded, so
//! no line can increase the memory.

use std::sync::Arc;

use memchr::{memchr, memrchr};

use super::{
    batch::{BOM, Batch},
    budget::{STEP, Sizes},
    frames::Frames,
    growing::{Position, Reached},
    ports::Framing,
};

/// The cutter's state within an input. The caller owns the batch that is being filled.
pub(super) struct Cutter {
    sizes: Sizes,
    carry: Vec<u8>,
    /// How much of the batch is whole lines.
    whole: usize,
    /// The batch's only line is over the limit, and has not ended.
    discarding: bool,
    /// The batch's only line was over the limit, and has ended.
    discarded: bool,
    /// The last byte that was discarded is a `\r`, which belongs to the line or to its end.
    carriage_return: bool,
    /// The first bytes of the input, which may be a byte order mark, are incomplete.
    at_start: bool,
    /// The offset of the next batch in the input.
    offset: u64,
    frames: Frames,
    /// Whole lines were left for the next batch.
    waits: bool,
}

impl Cutter {
    pub(super) fn new(sizes: Sizes, framing: Option<Arc<dyn Framing>>) -> Self {
        Self {
            frames: Frames::new(framing),
            waits: false,
            sizes,
            carry: Vec::with_capacity(sizes.usual()),
            whole: 0,
            discarding: false,
            discarded: false,
            carriage_return: false,
            at_start: true,
            offset: 0,
        }
    }

    pub(super) fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Starts another input. The batch of the last one must be finished.
    pub(super) fn start_input(&mut self) {
        self.start_at(0, 0);
    }

    fn start_at(&mut self, offset: u64, left: u16) {
        self.carry.clear();
        (self.whole, self.discarding, self.discarded) = (0, false, false);
        (self.at_start, self.offset) = (offset == 0, offset);
        self.frames.start(left);
    }

    /// Continues at a position of an input. Data that was read beyond it is forgotten.
    pub(super) fn resume(&mut self, position: &Position) {
        self.start_at(position.offset, position.frame);
    }

    /// Returns the position after the last batch; `inside_line`: its last line is settled and has
    /// no end yet.
    pub(super) fn reached(&self, inside_line: bool) -> Reached {
        let (offset, frame, waits) = (self.offset, self.frames.begun, self.waits);
        let settles = offset + self.sizes.kept() as u64;
        Reached { offset, inside_line, frame, waits, settles }
    }

    /// Returns whether the rest of an input without a further line end is judged as it is: a line
    /// over the limit, or any line if `take_partial`.
    pub(super) fn settled(&self, batch: &Batch, take_partial: bool) -> bool {
        self.discarding || take_partial && batch.chunk.data().len() > self.whole
    }

    /// Starts an empty batch with what was carried over.
    pub(super) fn begin(&mut self, batch: &mut Batch) {
        batch.offset = self.offset;
        if self.carry.len() >= self.sizes.usual() {
            batch.grow(self.sizes.most());
        }
        batch.chunk.extend(&self.carry);
        self.carry.clear();
        self.carry.shrink_to(self.sizes.usual());
        self.absorb(batch, 0);
    }

    /// Returns whether anything was carried over.
    pub(super) fn carries(&self) -> bool {
        !self.carry.is_empty()
    }

    /// Returns whether the batch contains a whole line.
    pub(super) fn has_lines(&self) -> bool {
        self.whole > 0
    }

    /// The same, including lines that wait for another.
    pub(super) fn has_any_lines(&self) -> bool {
        self.whole.max(self.frames.seen) > 0
    }

    /// Returns whether the batch must be cut before more is read.
    pub(super) fn full(&self, batch: &Batch) -> bool {
        let len = batch.chunk.data().len();
        let oversize = len - self.whole >= self.sizes.kept();
        let lines = self.whole > 0 || self.torn(len);
        self.discarded || lines && (len >= self.sizes.chunk_bytes || oversize)
    }

    /// Returns where to read to.
    pub(super) fn room<'b>(&self, batch: &'b mut Batch) -> &'b mut [u8] {
        let len = batch.chunk.data().len();
        let want = self.sizes.chunk_bytes.saturating_sub(len).max(STEP);
        if len + want >= self.sizes.usual() && batch.chunk.memory() <= self.usual_memory() {
            batch.grow(self.sizes.most());
        }
        batch.chunk.spare(want)
    }

    /// Takes the first `n` bytes of what [`room`](Self::room) returned.
    pub(super) fn commit(&mut self, batch: &mut Batch, n: usize) {
        if self.discarding {
            return self.discard(batch, n);
        }
        let from = batch.chunk.data().len();
        batch.chunk.commit(n);
        self.absorb(batch, from);
    }

    /// Cuts the batch after its last whole line.
    pub(super) fn cut(&mut self, batch: &mut Batch) {
        let len = batch.chunk.data().len();
        if !self.discarded && self.torn(len) {
            self.frames.give_up(&mut self.whole);
        }
        let end = if self.discarded { len } else { self.whole };
        self.cut_at(batch, end);
    }

    /// Cuts the batch after all available data of an input that may continue. Data that would
    /// complete the last line is not judged with it. Returns `true` if that line has no end yet.
    pub(super) fn settle(&mut self, batch: &mut Batch) -> bool {
        let inside_line = self.discarding || batch.chunk.data().last() != Some(&b'\n');
        let before = self.frames.now;
        self.finish(batch);
        self.frames.wait_no_longer();
        if inside_line && before != self.frames.begun && !self.frames.spans {
            // If the beginning of a line is not part of something that spans lines, this says
            // nothing about the next line.
            self.frames.begun = before;
        }
        inside_line
    }

    /// Cuts the batch after its last line, although that, or one before it, waits for another. Later
    /// data is not judged together with them.
    pub(super) fn part(&mut self, batch: &mut Batch) {
        if self.frames.seen > self.whole {
            (self.whole, self.frames.whole) = (self.frames.seen, self.frames.now);
        }
        self.cut(batch);
        self.frames.wait_no_longer();
    }

    /// Cuts the batch at the end of the input. The last line may have no line end.
    pub(super) fn finish(&mut self, batch: &mut Batch) {
        let len = batch.chunk.data().len();
        if self.frames.spans && self.frames.seen < len && !self.discarding {
            self.frames.look(&batch.chunk.data()[self.frames.seen..]);
        }
        self.frames.whole = self.frames.now;
        self.cut_at(batch, len);
    }

    /// Cuts the batch after its first line and the lines that belong to it.
    pub(super) fn cut_first(&mut self, batch: &mut Batch) {
        let (end, state) = self.frames.first(&batch.chunk.data()[..self.whole]);
        (self.whole, self.frames.whole) = (end, state);
        self.cut(batch);
    }

    /// Cuts the batch after its last line that waits for no other, and forgets the rest: the input
    /// is not read further.
    pub(super) fn abandon(&mut self, batch: &mut Batch) {
        self.discarding = false;
        batch.discarded = batch.discarded.filter(|_| self.discarded);
        self.cut(batch);
        self.carry.clear();
    }

    /// Returns whether the batch contains the beginning of a line that may be judged.
    pub(super) fn has_begun(&self, batch: &Batch) -> bool {
        let lines = self.whole.max(self.frames.seen);
        !self.discarding && !self.discarded && batch.chunk.data().len() > lines
    }

    fn cut_at(&mut self, batch: &mut Batch, end: usize) {
        if end < batch.chunk.data().len() {
            self.carry.extend_from_slice(&batch.chunk.data()[end..]);
            batch.chunk.truncate(end);
        }
        let line_end = u64::from(self.discarded);
        let covers = end as u64 + batch.discarded.unwrap_or(0) + line_end;
        batch.discarded = match batch.discarded {
            Some(n) if self.carriage_return => Some(n - 1),
            // The line was complete after all, except for its end.
            Some(0) => None,
            other => other,
        };
        batch.source_bytes += covers;
        self.offset = batch.offset + covers;
        batch.end = self.offset;
        (self.whole, self.discarding, self.discarded, self.at_start) = (0, false, false, false);
        batch.chunk.set_note(self.frames.begun, self.frames.whole);
        self.waits = self.frames.spans && self.frames.seen > end;
        self.frames.next();
        batch.chunk.seal();
        batch.measure();
    }

    /// Examines the data from `from` on: byte order mark, line ends, the limit.
    fn absorb(&mut self, batch: &mut Batch, mut from: usize) {
        if self.at_start && batch.chunk.data().len() >= BOM.len() {
            self.at_start = false;
            from = 0;
            batch.skip_bom();
        }
        let data = batch.chunk.data();
        if self.frames.spans {
            self.frames.look_at_lines(data, from, self.sizes.max_event_bytes, &mut self.whole);
        } else if let Some(at) = memrchr(b'\n', &data[from..]) {
            self.whole = from + at + 1;
        }
        let (len, kept) = (data.len(), self.sizes.kept());
        if self.whole == 0 && len >= kept && !self.torn(len) {
            batch.discarded = Some((len - kept) as u64);
            self.carriage_return = len > kept && data[len - 1] == b'\r';
            batch.chunk.truncate(kept);
            self.discarding = true;
        }
    }

    /// The waiting lines, and the part of the next line, are too long to belong together.
    fn torn(&self, len: usize) -> bool {
        self.frames.spans && self.whole == 0 && self.frames.seen > 0 && len >= self.sizes.kept()
    }

    fn discard(&mut self, batch: &mut Batch, n: usize) {
        let fresh = &batch.chunk.spare(n)[..n];
        let line_end = memchr(b'\n', fresh);
        let rest = &fresh[..line_end.unwrap_or(n)];
        if let Some(last) = rest.last() {
            self.carriage_return = *last == b'\r';
        }
        let so_far = batch.discarded.unwrap_or(0);
        batch.discarded = Some(so_far + rest.len() as u64);
        if let Some(at) = line_end {
            self.carry.extend_from_slice(&fresh[at + 1..]);
            (self.discarding, self.discarded) = (false, true);
        }
    }

    fn usual_memory(&self) -> usize {
        Sizes::memory(self.sizes.usual())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Feeds `input` in steps of `step` and returns each batch's data, offset, source bytes and
    /// discarded bytes.
    fn cut_all(
        input: &[u8],
        step: usize,
        chunk_bytes: usize,
        max_event_bytes: usize,
    ) -> Vec<(Vec<u8>, u64, u64, Option<u64>)> {
        let sizes = Sizes { chunk_bytes, hold: Duration::ZERO, ..Sizes::new(max_event_bytes) };
        let mut cutter = Cutter::new(sizes, None);
        cutter.start_input();
        let (mut rest, mut cuts) = (input, Vec::new());
        loop {
            let mut batch = Batch::new(&sizes);
            cutter.begin(&mut batch);
            while !cutter.full(&batch) && !rest.is_empty() {
                let room = cutter.room(&mut batch);
                let n = step.min(room.len()).min(rest.len());
                room[..n].copy_from_slice(&rest[..n]);
                cutter.commit(&mut batch, n);
                rest = &rest[n..];
            }
            let end = !cutter.full(&batch);
            if end {
                cutter.finish(&mut batch)
            } else {
                cutter.cut(&mut batch)
            }
            assert!(batch.chunk.memory() <= Sizes::memory(sizes.most()));
            let data = batch.chunk.data().to_vec();
            cuts.push((data, batch.offset, batch.source_bytes, batch.discarded));
            if end {
                return cuts;
            }
        }
    }

    #[test]
    fn lines_survive_any_steps() {
        let input = b"one\ntwo\n\nthree is longer\nfour\nlast";
        for step in 1..=input.len() {
            for chunk_bytes in 1..=input.len() + 1 {
                let cuts = cut_all(input, step, chunk_bytes, 100);
                let data: Vec<u8> = cuts.iter().flat_map(|c| c.0.clone()).collect();
                assert_eq!(data, b"one\ntwo\n\nthree is longer\nfour\nlast\n");
                let mut offset = 0;
                for cut in &cuts {
                    assert_eq!(cut.1, offset);
                    offset += cut.2;
                }
                assert_eq!(offset, input.len() as u64);
            }
        }
    }

    #[test]
    fn a_line_over_the_limit_is_cut_and_the_next_is_found() {
        let input = [b"short\n", &[b'x'; 50][..], b"\nnext\n"].concat();
        for step in 1..=input.len() {
            let cuts = cut_all(&input, step, 8, 10);
            let whole: u64 = cuts.iter().map(|c| c.2).sum();
            assert_eq!(whole, input.len() as u64);
            // With large steps the whole line is read at once, and the engine refuses it.
            let long = cuts.iter().find(|c| c.3.is_some());
            assert!(long.is_some() || step > 38, "step {step}");
            if let Some((data, offset, _, discarded)) = long {
                assert_eq!((data.len(), *offset, *discarded), (13, 6, Some(38)), "step {step}");
            }
            let last = cuts.iter().find(|c| c.0.starts_with(b"next")).map(|c| c.1);
            assert!(last.is_none_or(|offset| offset == 57), "step {step}");
        }
    }

    #[test]
    fn a_kept_carriage_return_is_no_line_end() {
        let cuts = cut_all(b"0123456789\rmore and more\n", 1, 8, 10);
        assert_eq!(cuts[0].0, b"0123456789\rm\n");
        let cuts = cut_all(b"0123456789\r\n", 1, 8, 10);
        assert_eq!((cuts[0].0.as_slice(), cuts[0].3), (&b"0123456789\r\n"[..], None));
    }

    #[test]
    fn a_discarded_carriage_return_before_the_line_end_belongs_to_it() {
        for (line, discarded) in [
            (&b"0123456789ab"[..], None),
            (b"0123456789ab\n", None),
            (b"0123456789a\r\n", None),
            (b"0123456789ab\r\n", Some(0)),
            (b"0123456789a\r\r\n", Some(0)),
            (b"0123456789ab\r", Some(0)),
            (b"0123456789ab\r\r\n", Some(1)),
            (b"0123456789ab\rc\n", Some(2)),
            (b"0123456789a\rc\n", Some(1)),
        ] {
            for step in 1..4 {
                let cuts = cut_all(line, step, 8, 10);
                let text = String::from_utf8_lossy(line);
                assert_eq!(cuts[0].3, discarded, "{text:?} in steps of {step}");
                assert_eq!(cuts[0].2, line.len() as u64, "{text:?}");
            }
        }
    }

    #[test]
    fn one_byte_order_mark_is_skipped() {
        for step in 1..8 {
            let cuts = cut_all(b"\xef\xbb\xbf{}\n\xef\xbb\xbf{}\n", step, 100, 100);
            assert_eq!(cuts[0].0, b"{}\n\xef\xbb\xbf{}\n", "step {step}");
            assert_eq!((cuts[0].1, cuts[0].2), (3, 12));
        }
        assert_eq!(cut_all(b"\xef\xbb", 1, 100, 100)[0].0, b"\xef\xbb\n");
    }
}
