//! Decompresses another source. The format is recognized by the first bytes, not by the name.

use std::{
    io,
    time::{Duration, Instant},
};

use crate::{
    compression::{Decode, Fault, Format, Found, Start, Step, Window},
    pipeline::{Read, Source},
    shutdown::{Phase, Shutdown},
};

/// How many compressed bytes are read at a time.
const FEED: usize = 64 << 10;

/// A source that may be compressed. Uncompressed data passes through without a copy.
pub struct DecompressSource {
    inner: Box<dyn Source>,
    state: State,
    found: Found,
    /// The maximum window of a decoder.
    window: Window,
    shutdown: Shutdown,
}

enum State {
    /// Everything so far is the beginning of a magic number: a few bytes without a line end.
    Start(Vec<u8>),
    Plain,
    Packed(Box<Packed>),
}

struct Packed {
    format: Format,
    decoder: Box<dyn Decode>,
    feed: Vec<u8>,
    /// How many bytes of `feed` are decoded.
    done: usize,
    ended: bool,
    whole: bool,
    /// Whether the text of the last step begins a member.
    begins: bool,
    /// The number of bytes of text so far.
    text: u64,
}

impl DecompressSource {
    /// Decompresses `inner`; its format is stored in `found` before the first byte of text is
    /// returned.
    pub fn new(inner: Box<dyn Source>, window: &Window, found: Found, shutdown: Shutdown) -> Self {
        let window = window.clone();
        Self { inner, state: State::Start(Vec::new()), found, window, shutdown }
    }

    /// Reads into `buf` until the format is known.
    fn start(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        let State::Start(begun) = &mut self.state else { return self.inner.read(buf, wait) };
        let (had, most) = (begun.len(), buf.len().min(FEED));
        buf[..had].copy_from_slice(begun);
        let len = match self.inner.read(&mut buf[had..most], wait)? {
            Read::Bytes(n) => had + n,
            Read::End if had > 0 => had,
            Read::Idle if had > 0 && self.stopped() => had,
            other => return Ok(other),
        };
        match Format::of(&buf[..len]) {
            // Only more data can tell. Nobody waits for this part of a line.
            Start::Unsure if len > had => {
                self.state = State::Start(buf[..len].to_vec());
                Ok(Read::Idle)
            }
            Start::Plain | Start::Unsure => {
                self.state = State::Plain;
                Ok(Read::Bytes(len))
            }
            Start::Packed(format) => {
                let _ = self.found.set(format);
                let packed = Packed {
                    format,
                    decoder: self.window.decoder(format)?,
                    feed: buf[..len].to_vec(),
                    done: 0,
                    ended: false,
                    whole: false,
                    begins: false,
                    text: 0,
                };
                self.state = State::Packed(Box::new(packed));
                Ok(Read::Idle)
            }
        }
    }

    /// Returns whether nothing more will be read, so that what waits here must be returned now.
    fn stopped(&self) -> bool {
        matches!(self.shutdown.phase(), Phase::Stopped { .. } | Phase::GivenUp)
    }
}

impl Source for DecompressSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        match &mut self.state {
            State::Plain => self.inner.read(buf, wait),
            State::Start(_) => self.start(buf, wait),
            State::Packed(packed) => packed
                .read(&mut *self.inner, buf, wait)
                .map_err(|refused| refused.into_error(packed, &self.window)),
        }
    }

    fn begins(&self) -> bool {
        matches!(&self.state, State::Packed(packed) if packed.begins)
    }
}

/// Why there is no more text.
enum Refused {
    /// The source failed.
    Source(io::Error),
    Fault(Fault),
    EndsEarly,
}

impl Packed {
    /// Returns the next text. It returns after each piece of input, because a shutdown must be
    /// noticed even if endless input produces no text.
    fn read(
        &mut self,
        inner: &mut dyn Source,
        buf: &mut [u8],
        wait: Option<Duration>,
    ) -> Result<Read, Refused> {
        let until = wait.map(|wait| Instant::now() + wait);
        loop {
            let feed = &self.feed[self.done..];
            let step = self.decoder.step(feed, self.ended, buf).map_err(Refused::Fault)?;
            let Step { consumed, produced, whole, begins } = step;
            self.done += consumed;
            (self.whole, self.begins) = (whole, begins);
            if produced > 0 {
                self.text += produced as u64;
                return Ok(Read::Bytes(produced));
            }
            match self.done < self.feed.len() {
                true if consumed == 0 => return Err(Refused::Fault(Fault::Corrupt)),
                true => continue,
                false if self.ended && self.whole => return Ok(Read::End),
                false if self.ended && consumed == 0 => return Err(Refused::EndsEarly),
                false if self.ended => continue,
                false => {}
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            self.feed.resize(FEED, 0);
            self.done = 0;
            let read = inner.read(&mut self.feed, left);
            self.feed.truncate(match read {
                Ok(Read::Bytes(n)) => n,
                _ => 0,
            });
            match read.map_err(Refused::Source)? {
                Read::Bytes(_) => {}
                Read::Idle => return Ok(Read::Idle),
                Read::End => self.ended = true,
            }
        }
    }
}

impl Refused {
    fn into_error(self, packed: &Packed, window: &Window) -> io::Error {
        let Packed { format, text, .. } = packed;
        io::Error::other(match self {
            Self::Source(error) => return error,
            Self::EndsEarly => format!("the {format} data ends early, after {text} bytes of text"),
            Self::Fault(Fault::Corrupt) => {
                format!("the {format} data is corrupt, after {text} bytes of text")
            }
            Self::Fault(Fault::TooLarge) => format!(
                "the {format} data needs too large a window, more than {} MiB, after {text} bytes \
                 of text: compress it again without `--long` or `--ultra`, or raise --memory",
                window.bytes() >> 20
            ),
        })
    }
}
