//! Encodes text.

use std::{
    io::{self, Write},
    mem::take,
    sync::{Arc, Mutex, PoisonError},
};

use super::Format;

/// Stronger presets of xz need up to 700 MiB; this one needs 17.
const XZ_PRESET: u32 = 2;

/// Encodes one member, frame or stream.
pub struct Encoder {
    inner: Inner,
    out: Shared,
}

enum Inner {
    Gzip(flate2::write::GzEncoder<Shared>),
    Zstd(zstd::stream::write::Encoder<'static, Shared>),
    Lz4(lz4::Encoder<Shared>),
    Xz(liblzma::write::XzEncoder<Shared>),
    Bzip2(bzip2::write::BzEncoder<Shared>),
}

/// The output so far. Some libraries write when they are dropped, which is harmless here.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Encoder {
    /// Starts with the usual level of the format.
    pub fn new(format: Format) -> io::Result<Self> {
        let out = Shared::default();
        let to = out.clone();
        let inner = match format {
            Format::Gzip => {
                Inner::Gzip(flate2::write::GzEncoder::new(to, flate2::Compression::default()))
            }
            Format::Zstd => {
                let mut zstd = zstd::stream::write::Encoder::new(to, 0)?;
                zstd.include_checksum(true)?;
                Inner::Zstd(zstd)
            }
            Format::Lz4 => Inner::Lz4(lz4::EncoderBuilder::new().build(to)?),
            Format::Xz => Inner::Xz(liblzma::write::XzEncoder::new(to, XZ_PRESET)),
            Format::Bzip2 => {
                Inner::Bzip2(bzip2::write::BzEncoder::new(to, bzip2::Compression::best()))
            }
        };
        Ok(Self { inner, out })
    }

    /// Encodes `text`, and returns the output so far.
    pub fn write(&mut self, text: &[u8]) -> io::Result<Vec<u8>> {
        self.writer().write_all(text)?;
        Ok(self.out.take())
    }

    /// Flushes, so that a reader can decode everything so far.
    pub fn flush(&mut self) -> io::Result<Vec<u8>> {
        self.writer().flush()?;
        Ok(self.out.take())
    }

    /// Ends the data, and returns the rest.
    pub fn finish(self) -> io::Result<Vec<u8>> {
        match self.inner {
            Inner::Gzip(gzip) => drop(gzip.finish()?),
            Inner::Zstd(zstd) => drop(zstd.finish()?),
            Inner::Lz4(lz4) => lz4.finish().1?,
            Inner::Xz(xz) => drop(xz.finish()?),
            Inner::Bzip2(bzip2) => drop(bzip2.finish()?),
        }
        Ok(self.out.take())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match &mut self.inner {
            Inner::Gzip(gzip) => gzip,
            Inner::Zstd(zstd) => zstd,
            Inner::Lz4(lz4) => lz4,
            Inner::Xz(xz) => xz,
            Inner::Bzip2(bzip2) => bzip2,
        }
    }
}
