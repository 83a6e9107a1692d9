//! Compresses the bytes for another sink.

use std::io;

use crate::{
    compression::{Encoder, Format},
    pipeline::Sink,
};

/// Compresses what is written to `inner`.
pub struct CompressSink {
    inner: Box<dyn Sink>,
    encoder: Option<Encoder>,
    /// Whether written bytes must be decodable when `write` returns.
    prompt: bool,
}

impl CompressSink {
    /// With `prompt`, each piece can be decoded when it is written, because a reader may be
    /// waiting. A file that only appears at its end does not need this, and is a little smaller
    /// without.
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
            // A partial output must be decodable as far as possible.
            let _ = encoder.finish().and_then(|end| self.inner.write(&end));
        }
        self.inner.abort();
    }

    fn keeps_partial(&self) -> bool {
        self.inner.keeps_partial()
    }
}
