//! Decodes in steps. No step waits for input, and none holds text back, so everything is decoded
//! while an input is idle.

use std::{
    io::{self, Read},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use liblzma::stream::{Action, Error as XzError, Status as XzStatus, Stream};
use zstd::stream::raw::{DParameter, Decoder as RawZstd, InBuffer, Operation as _, OutBuffer};

use super::Format;

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The number of input bytes that were processed.
    pub consumed: usize,
    /// The number of bytes of text.
    pub produced: usize,
    /// Whether the data may end here, or continue with another member or frame.
    pub whole: bool,
    /// Whether the text begins a member or frame.
    pub begins: bool,
}

impl Step {
    /// Returns a step that processed input without text.
    fn without_text(consumed: usize, whole: bool) -> Self {
        Self { consumed, produced: 0, whole, begins: false }
    }
}

/// Why data cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is damaged, or followed by something else.
    Corrupt,
    /// It needs more memory than allowed.
    TooLarge,
}

/// Decodes data of one format, member after member.
pub trait Decode: Send {
    /// Decodes some of `input` into `output`; `end` means that no more input follows.
    fn step(&mut self, input: &[u8], end: bool, output: &mut [u8]) -> Result<Step, Fault>;
}

/// The maximum window of decoders, and whether any decoder was made.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Its size, as a power of two.
    log: u32,
    used: Arc<AtomicBool>,
}

impl Window {
    /// A window of `1 << log` bytes.
    pub fn new(log: u32) -> Self {
        Self { log, ..Self::default() }
    }

    /// Returns its size.
    pub fn bytes(&self) -> u64 {
        1 << self.log
    }

    /// Returns whether a decoder was made.
    pub fn is_used(&self) -> bool {
        self.used.load(Relaxed)
    }

    /// Returns a decoder for `format` with at most this window.
    pub fn decoder(&self, format: Format) -> io::Result<Box<dyn Decode>> {
        self.used.store(true, Relaxed);
        decoder(format, self.log)
    }
}

/// What xz needs in addition to its window.
const XZ_TABLES: u64 = 1 << 20;

/// Returns a decoder whose window is at most `1 << window_log` bytes.
pub fn decoder(format: Format, window_log: u32) -> io::Result<Box<dyn Decode>> {
    Ok(match format {
        Format::Gzip => Box::new(Gzip(None)),
        Format::Zstd => {
            let mut raw = RawZstd::new()?;
            raw.set_parameter(DParameter::WindowLogMax(window_log))?;
            Box::new(Zstd { raw, whole: true, begins: false })
        }
        Format::Lz4 => Box::new(Lz4 { frame: None, begins: false, slot: Slot::default() }),
        Format::Xz => {
            let most = (1 << window_log) + XZ_TABLES;
            Box::new(Xz { most, stream: None })
        }
        Format::Bzip2 => Box::new(Bzip2(None)),
    })
}

/// Returns the length of the padding that tapes and block devices leave after a member.
fn padding(input: &[u8]) -> usize {
    input.iter().position(|byte| *byte != 0).unwrap_or(input.len())
}

/// The member that is being decoded; `None` between two.
struct Gzip(Option<flate2::Decompress>);

impl Decode for Gzip {
    fn step(&mut self, input: &[u8], _: bool, output: &mut [u8]) -> Result<Step, Fault> {
        let skipped = if self.0.is_none() { padding(input) } else { 0 };
        let input = &input[skipped..];
        if self.0.is_none() && input.is_empty() {
            return Ok(Step::without_text(skipped, true));
        }
        let member = self.0.get_or_insert_with(|| flate2::Decompress::new_gzip(15));
        let before = (member.total_in(), member.total_out());
        let status = member
            .decompress(input, output, flate2::FlushDecompress::None)
            .map_err(|_| Fault::Corrupt)?;
        let consumed = skipped + (member.total_in() - before.0) as usize;
        let produced = (member.total_out() - before.1) as usize;
        if status == flate2::Status::StreamEnd {
            self.0 = None;
        }
        let begins = produced > 0 && before.1 == 0;
        Ok(Step { consumed, produced, whole: self.0.is_none(), begins })
    }
}

/// The member that is being decoded; `None` between two.
struct Bzip2(Option<bzip2::Decompress>);

impl Decode for Bzip2 {
    fn step(&mut self, input: &[u8], _: bool, output: &mut [u8]) -> Result<Step, Fault> {
        let skipped = if self.0.is_none() { padding(input) } else { 0 };
        let input = &input[skipped..];
        if self.0.is_none() && input.is_empty() {
            return Ok(Step::without_text(skipped, true));
        }
        let member = self.0.get_or_insert_with(|| bzip2::Decompress::new(false));
        let before = (member.total_in(), member.total_out());
        let status = member.decompress(input, output).map_err(|_| Fault::Corrupt)?;
        let consumed = skipped + (member.total_in() - before.0) as usize;
        let produced = (member.total_out() - before.1) as usize;
        if status == bzip2::Status::StreamEnd {
            self.0 = None;
        }
        let begins = produced > 0 && before.1 == 0;
        Ok(Step { consumed, produced, whole: self.0.is_none(), begins })
    }
}

struct Zstd {
    raw: RawZstd<'static>,
    whole: bool,
    /// Whether a frame began that has no text so far.
    begins: bool,
}

impl Decode for Zstd {
    fn step(&mut self, input: &[u8], _: bool, output: &mut [u8]) -> Result<Step, Fault> {
        if self.whole && input.is_empty() {
            return Ok(Step::without_text(0, true));
        }
        if self.whole {
            // The library also decodes frames of versions before 1.0, regardless of their window.
            // Only the first bytes of a frame or a skippable frame are accepted.
            if !matches!(input[0], 0x28 | 0x50..=0x5f) {
                return Err(Fault::Corrupt);
            }
            self.raw.reinit().map_err(|error| zstd_fault(&error))?;
            self.begins = true;
        }
        let (mut from, mut into) = (InBuffer::around(input), OutBuffer::around(output));
        let left = self.raw.run(&mut from, &mut into).map_err(|error| zstd_fault(&error))?;
        self.whole = left == 0;
        let produced = into.pos();
        let begins = produced > 0 && std::mem::take(&mut self.begins);
        Ok(Step { consumed: from.pos(), produced, whole: self.whole, begins })
    }
}

/// The library distinguishes its errors only by their text.
fn zstd_fault(error: &io::Error) -> Fault {
    if error.to_string().contains("too much memory") { Fault::TooLarge } else { Fault::Corrupt }
}

struct Xz {
    /// The memory limit.
    most: u64,
    /// The stream that is being decoded; `None` between two.
    stream: Option<Stream>,
}

impl Decode for Xz {
    fn step(&mut self, input: &[u8], end: bool, output: &mut [u8]) -> Result<Step, Fault> {
        let skipped = if self.stream.is_none() { padding(input) } else { 0 };
        let input = &input[skipped..];
        let stream = match &mut self.stream {
            None if input.is_empty() => return Ok(Step::without_text(skipped, true)),
            Some(stream) => stream,
            none => {
                none.insert(Stream::new_stream_decoder(self.most, 0).map_err(|e| xz_fault(&e))?)
            }
        };
        let before = (stream.total_in(), stream.total_out());
        let action = if end { Action::Finish } else { Action::Run };
        let status = stream.process(input, output, action).map_err(|error| xz_fault(&error))?;
        let consumed = skipped + (stream.total_in() - before.0) as usize;
        let produced = (stream.total_out() - before.1) as usize;
        let whole = status == XzStatus::StreamEnd;
        if whole {
            self.stream = None;
        }
        Ok(Step { consumed, produced, whole, begins: produced > 0 && before.1 == 0 })
    }
}

fn xz_fault(error: &XzError) -> Fault {
    match error {
        XzError::MemLimit | XzError::Mem => Fault::TooLarge,
        _ => Fault::Corrupt,
    }
}

/// The library reads from a reader itself, so its input is put into a slot.
struct Lz4 {
    frame: Option<lz4::Decoder<Slot>>,
    /// Whether a frame began that has no text so far.
    begins: bool,
    slot: Slot,
}

#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    bytes: Vec<u8>,
    read: usize,
    /// Whether the reader found the slot empty.
    starved: bool,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }
}

impl Slot {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Read for Slot {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut waiting = self.waiting();
        let from = waiting.read;
        let n = buf.len().min(waiting.bytes.len() - from);
        buf[..n].copy_from_slice(&waiting.bytes[from..from + n]);
        waiting.read += n;
        waiting.starved = n == 0;
        Ok(n)
    }
}

impl Decode for Lz4 {
    fn step(&mut self, input: &[u8], _: bool, output: &mut [u8]) -> Result<Step, Fault> {
        {
            let mut waiting = self.slot.waiting();
            let read = waiting.read;
            waiting.bytes.drain(..read);
            waiting.bytes.extend_from_slice(input);
            (waiting.read, waiting.starved) = (0, false);
        }
        let consumed = input.len();
        loop {
            let Some(frame) = &mut self.frame else {
                if self.slot.waiting().is_empty() {
                    return Ok(Step::without_text(consumed, true));
                }
                let slot = self.slot.clone();
                self.frame = Some(lz4::Decoder::new(slot).map_err(|_| Fault::Corrupt)?);
                self.begins = true;
                continue;
            };
            let produced = frame.read(output).map_err(|_| Fault::Corrupt)?;
            if produced > 0 || self.slot.waiting().starved {
                let begins = produced > 0 && std::mem::take(&mut self.begins);
                return Ok(Step { consumed, produced, whole: false, begins });
            }
            // There was input but no text, so the frame is at its end.
            self.frame = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_versions_of_zstd_before_1_0_are_refused() {
        let frame = zstd::encode_all(&b"text"[..], 0).unwrap();
        let skipped = b"\x50\x2a\x4d\x18\x02\0\0\0ab";
        for version in [0xfd_u8, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27] {
            let magic =
                if version == 0xfd { 0x1eb5_2ffd } else { 0xfd2f_b500 | u32::from(version) };
            // A header that asks for the largest window of these versions: 128 MiB.
            let old = [&magic.to_le_bytes()[..], &[0x04, 0x88]].concat();
            for before in [&frame[..], skipped] {
                let mut decoder = decoder(Format::Zstd, 23).unwrap();
                let mut output = [0; 16];
                let step = decoder.step(before, false, &mut output).unwrap();
                assert_eq!((step.consumed, step.whole), (before.len(), true));
                let step = decoder.step(&old, false, &mut output);
                assert_eq!(step, Err(Fault::Corrupt), "{version:x}");
            }
        }
    }
}
