//! Another sink, whose bytes are compressed.

use std::io;

use crate::{
    compression::{Encoder, Format},
    pipeline::Sink,
};

/// Compresses what goes to `inner`.
pub struct CompressSink {
    inner: Box<dyn Sink>,
    encoder: Option<Encoder>,
    /// Whether what was written must be out when `write` returns.
    prompt: bool,
}

impl CompressSink {
    /// `prompt`: somebody may be waiting, so each piece can be decoded when it is written. A file
    /// that appears at its end needs none of that, and is a little smaller.
    pub fn new(inner: Box<dyn Sink>, format: Format, prompt: bool) -> io::Result<Self> {
        Ok(Self { inner, encoder: Some(Encoder::new(format)?), prompt })
    }
}

impl Sink for CompressSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(encoder) = &mut self.encoder else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let mut out = encoder.write(bytes)?;
        if self.prompt {
            out.extend(encoder.flush()?);
        }
        self.inner.write(&out)
    }

    fn sync(&mut self) -> io::Result<()> {
        if let Some(encoder) = &mut self.encoder {
            self.inner.write(&encoder.flush()?)?;
        }
        self.inner.sync()
    }

    fn finish(&mut self) -> io::Result<()> {
        if let Some(encoder) = self.encoder.take() {
            self.inner.write(&encoder.finish()?)?;
        }
        self.inner.finish()
    }

    fn abort(&mut self) {
        if let Some(encoder) = self.encoder.take().filter(|_| self.inner.keeps_partial()) {
            // So that what is kept can be decoded; where that fails, up to there.
            let _ = encoder.finish().and_then(|end| self.inner.write(&end));
        }
        self.inner.abort();
    }

    fn keeps_partial(&self) -> bool {
        self.inner.keeps_partial()
    }
}
