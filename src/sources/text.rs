//! Checks that another source is text. Archives and other binary files are recognized by their
//! first bytes and refused, because line by line they would be thousands of rejected lines.

use std::{io, time::Duration};

use crate::{
    compression::{Format, Start as Packing},
    pipeline::{Read, Source},
    shutdown::{Phase, Shutdown},
};

/// The size of a block of a tar archive, which begins with a header.
const TAR_BLOCK: usize = 512;
/// How much is held back at most until the format is known.
const MOST_HELD: usize = 2 * TAR_BLOCK;
/// The range of the checksum in a tar header.
const TAR_SUM: std::ops::Range<usize> = 148..156;

/// Magic numbers of formats. No line of a log begins with one, and none contains a line end, so no
/// complete line is ever held back.
const MAGICS: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
    (b"LZIP\x01", "lzip data"),
    (b"\x1f\x9d", "compress(1) data"),
    (b"\x89LZO\0", "lzop data"),
    (b"\xff\x06\0\0sNaPpY", "snappy data"),
    (b"\x5d\0\0", "lzma data"),
    (b"LPKSHHRH", "a systemd journal (`journalctl -o json --file` reads it)"),
    (b"ElfFile\0", "a Windows event log"),
    (b"\x7fELF", "an executable"),
    (b"PAR1\x15", "a Parquet file"),
    (b"Obj\x01", "an Avro file"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"%PDF-1.", "a PDF document"),
];

/// A source whose members must all be text.
pub struct TextSource {
    inner: Box<dyn Source>,
    /// The first bytes of a member while its format is unknown; `None` once it is known.
    start: Option<Start>,
    /// The number of zeros, if the member has contained nothing else so far.
    zeros: Option<usize>,
    /// Whether the last byte is not a line end.
    in_line: bool,
    shutdown: Shutdown,
}

/// The bytes that are held back, and where the member begins in them.
#[derive(Default)]
struct Start {
    bytes: Vec<u8>,
    from: usize,
}

/// What the first bytes show.
enum Kind {
    Text,
    Not(String),
    Unsure,
}

impl TextSource {
    /// Refuses binary data in `inner`, which is decompressed.
    pub fn new(inner: Box<dyn Source>, shutdown: Shutdown) -> Self {
        let start = Some(Start::default());
        Self { inner, start, zeros: Some(0), in_line: false, shutdown }
    }

    /// Returns whether nothing more will be read, so that what waits here must be returned now.
    fn stopped(&self) -> bool {
        matches!(self.shutdown.phase(), Phase::Stopped { .. } | Phase::GivenUp)
    }

    /// Returns what was read; `from` is where a member of unknown format begins in it.
    fn give(
        &mut self,
        bytes: &[u8],
        room: usize,
        more: bool,
        from: Option<usize>,
    ) -> io::Result<Read> {
        if let Some(from) = from {
            let in_line = match from {
                0 => self.in_line,
                from => bytes[from - 1] != b'\n',
            };
            match kind(&bytes[from..], in_line) {
                Kind::Not(what) => return Err(refused(&what)),
                Kind::Unsure if more && bytes.len() < room.min(MOST_HELD) && !self.stopped() => {
                    self.start = Some(Start { bytes: bytes.to_vec(), from });
                    return Ok(Read::Idle);
                }
                Kind::Unsure | Kind::Text => {}
            }
            if from > 0 {
                self.see(&bytes[..from]);
                self.ends()?;
            }
        }
        self.see(&bytes[from.unwrap_or_default()..]);
        Ok(Read::Bytes(bytes.len()))
    }

    /// Counts zeros.
    fn see(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        self.in_line = *last != b'\n';
        if let Some(zeros) = self.zeros {
            let only = bytes.iter().all(|byte| *byte == 0);
            self.zeros = only.then(|| zeros.saturating_add(bytes.len()));
        }
    }

    /// Handles the end of a member: an empty archive consists of at least two blocks of zeros.
    fn ends(&mut self) -> io::Result<()> {
        match self.zeros.replace(0) {
            Some(zeros) if zeros >= 2 * TAR_BLOCK && zeros % TAR_BLOCK == 0 => {
                Err(refused("an empty tar archive, or nothing but zeros"))
            }
            _ => Ok(()),
        }
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::other(format!("it is not text, but {what}: unpack it first"))
}

impl Source for TextSource {
    fn read(&mut self, buf: &mut [u8], wait: Option<Duration>) -> io::Result<Read> {
        let Some(begun) = self.start.take() else {
            let read = self.inner.read(buf, wait)?;
            match read {
                Read::Bytes(n) if self.inner.begins() => {
                    self.ends()?;
                    return self.give(&buf[..n], buf.len(), true, Some(0));
                }
                Read::Bytes(n) => self.see(&buf[..n]),
                Read::End => self.ends()?,
                Read::Idle => {}
            }
            return Ok(read);
        };
        let had = begun.bytes.len();
        buf[..had].copy_from_slice(&begun.bytes);
        let room = buf.len();
        match self.inner.read(&mut buf[had..], wait) {
            // The bytes that were held back were a member, or the end of one.
            Ok(Read::Bytes(n)) if self.inner.begins() => {
                self.give(&buf[..had + n], room, true, Some(had))
            }
            Ok(Read::Bytes(n)) => self.give(&buf[..had + n], room, true, Some(begun.from)),
            Ok(Read::End) if had > 0 => self.give(&buf[..had], room, false, Some(begun.from)),
            Ok(Read::Idle) if had > 0 && self.stopped() => {
                self.give(&buf[..had], room, false, Some(begun.from))
            }
            Ok(Read::Idle) => {
                self.start = Some(begun);
                Ok(Read::Idle)
            }
            other => other,
        }
    }
}

/// Recognizes the format. In the middle of a line, a magic number of printable characters has no
/// meaning.
fn kind(bytes: &[u8], in_line: bool) -> Kind {
    if let Packing::Packed(format) = Format::of(bytes) {
        return Kind::Not(format!("{format} data, compressed twice"));
    }
    let could_be = |(magic, _): &&(&[u8], &str)| {
        !(in_line && magic.iter().all(|byte| byte.is_ascii_graphic()))
    };
    let mut magics = MAGICS.iter().filter(could_be);
    if let Some((_, what)) = magics.clone().find(|(magic, _)| bytes.starts_with(magic)) {
        return Kind::Not((*what).into());
    }
    if is_tar(bytes) {
        return Kind::Not("a tar archive".into());
    }
    // A header has zeros after the name, and no line end.
    let may_be_tar = bytes.len() < TAR_BLOCK && bytes.contains(&0) && !bytes.contains(&b'\n');
    let begins = magics.any(|(magic, _)| magic.starts_with(bytes));
    match begins || Format::of(bytes) == Packing::Unsure || may_be_tar {
        true => Kind::Unsure,
        false => Kind::Text,
    }
}

/// A header is recognized by its checksum, whatever program wrote it.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<TAR_BLOCK>() else { return false };
    let field = &header[TAR_SUM];
    let digits: Vec<u8> = field.iter().copied().filter(u8::is_ascii_digit).collect();
    let is_number = field.iter().all(|byte| matches!(byte, b'0'..=b'7' | b' ' | 0));
    let parsed =
        std::str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 8).ok());
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    let own: u32 = field.iter().map(|byte| u32::from(*byte)).sum();
    let sum = sum - own + TAR_SUM.len() as u32 * u32::from(b' ');
    header[0] != 0 && is_number && parsed == Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> bool {
        matches!(kind(bytes, false), Kind::Text)
    }

    #[test]
    fn every_format_is_told_and_no_line_is_taken_for_one() {
        for (magic, what) in MAGICS {
            assert!(!magic.contains(&b'\n'), "{what}: a whole line would wait");
            assert!(matches!(kind(magic, false), Kind::Not(_)), "{what}");
            assert!(matches!(kind(&magic[..1], false), Kind::Unsure | Kind::Not(_)), "{what}");
        }
        for line in [
            "{\"n\":1}\n",
            "\0\0\0{\"n\":1}\n",
            "PK is no archive\n",
            "%PDF is a format\n",
            "[1]\n",
            "Object\n",
            "Rare\n",
            "\u{feff}{}\n",
            "BZh9 is no archive\n",
            "\n",
        ] {
            assert!(text(line.as_bytes()), "{line:?}");
        }
        // What copying and truncating leaves: zeros up to the offset of the writer.
        assert!(text(&[&[0; 4096][..], b"{\"n\":1}\n"].concat()));
    }

    #[test]
    fn a_tar_header_is_told_by_its_checksum() {
        let mut header = [0; TAR_BLOCK];
        header[..7].copy_from_slice(b"app.log");
        header[100..107].copy_from_slice(b"0000644");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        let sum = sum + 8 * u32::from(b' ');
        header[TAR_SUM][..8].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        assert!(matches!(kind(&header, false), Kind::Not(_)));
        assert!(matches!(kind(&header[..300], false), Kind::Unsure));
        header[0] = b'b';
        assert!(text(&header));
    }
}
