//! Compressed formats: detection, decoding and encoding.
//!
//! | file | does |
//! | --- | --- |
//! | `decode` | decodes in steps, within a memory limit |
//! | `encode` | encodes |

mod decode;
mod encode;

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

pub use decode::{Decode, Fault, Step, Window, decoder};
pub use encode::Encoder;

/// A format. It is recognized by its first bytes, never by a file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Deflate with a header and a checksum; members may follow each other.
    Gzip,
    /// Zstandard frames, skippable ones included.
    Zstd,
    /// LZ4 frames.
    Lz4,
    /// xz streams.
    Xz,
    /// bzip2 streams.
    Bzip2,
}

/// The format of an input, once it is known. The reader sets it for a writer that uses the same
/// format.
pub type Found = Arc<OnceLock<Format>>;

/// What the first bytes of an input show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// None of the formats.
    Plain,
    /// Compressed.
    Packed(Format),
    /// The bytes are the beginning of a magic number, and more are needed. No magic number contains
    /// a line end, so a complete line is never in doubt.
    Unsure,
}

/// A magic number: the lowest and the highest value of each byte.
type Magic = &'static [(u8, u8)];

const fn is(byte: u8) -> (u8, u8) {
    (byte, byte)
}

const MAGICS: &[(Magic, Format)] = &[
    (&[is(0x1f), is(0x8b), is(8)], Format::Gzip),
    (&[is(0x28), is(0xb5), is(0x2f), is(0xfd)], Format::Zstd),
    // A skippable frame. LZ4 has the same, see `Format::of`.
    (&[(0x50, 0x5f), is(0x2a), is(0x4d), is(0x18)], Format::Zstd),
    (&[is(0x04), is(0x22), is(0x4d), is(0x18)], Format::Lz4),
    (&[is(0xfd), is(b'7'), is(b'z'), is(b'X'), is(b'Z'), is(0)], Format::Xz),
    (BZIP2_BLOCK, Format::Bzip2),
    (BZIP2_EMPTY, Format::Bzip2),
];
/// `BZh9` alone could begin a text line, but not with the magic number of a block, or of the end,
/// after it.
const BZIP2_BLOCK: Magic = &[
    is(b'B'),
    is(b'Z'),
    is(b'h'),
    (b'1', b'9'),
    is(0x31),
    is(0x41),
    is(0x59),
    is(0x26),
    is(0x53),
    is(0x59),
];
const BZIP2_EMPTY: Magic = &[
    is(b'B'),
    is(b'Z'),
    is(b'h'),
    (b'1', b'9'),
    is(0x17),
    is(0x72),
    is(0x45),
    is(0x38),
    is(0x50),
    is(0x90),
];

impl Format {
    /// Returns what an input that begins with `bytes` is.
    pub fn of(bytes: &[u8]) -> Start {
        let mut start = Start::Plain;
        for (magic, format) in MAGICS {
            if !magic.iter().zip(bytes).all(|((low, high), byte)| (low..=high).contains(&byte)) {
                continue;
            }
            if bytes.len() < magic.len() {
                start = Start::Unsure;
            } else if skipped(bytes).is_some_and(|rest| Self::of(rest) == Start::Packed(Self::Lz4))
            {
                return Start::Packed(Self::Lz4);
            } else {
                return Start::Packed(*format);
            }
        }
        start
    }
}

/// Returns what follows a skippable frame, as far as it is there.
fn skipped(bytes: &[u8]) -> Option<&[u8]> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    if head[0] & 0xf0 != 0x50 {
        return None;
    }
    let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    rest.get(usize::try_from(size).ok()?..)
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_is_told_by_all_of_its_bytes_and_no_sooner() {
        for (magic, format) in MAGICS {
            let bytes: Vec<u8> = magic.iter().map(|(low, _)| *low).collect();
            assert!(!bytes.contains(&b'\n'), "{format}: a whole line would be in doubt");
            assert_eq!(Format::of(&bytes), Start::Packed(*format));
            for n in 0..bytes.len() {
                assert_eq!(Format::of(&bytes[..n]), Start::Unsure, "{format} {n}");
            }
        }
        for plain in ["{\"n\":1}\n", "\u{feff}{}", "BZh9 is no archive", "Booting\n", "\n"] {
            assert_eq!(Format::of(plain.as_bytes()), Start::Plain, "{plain}");
        }
    }

    #[test]
    fn behind_a_skippable_frame_stands_the_format() {
        let skip = b"\x50\x2a\x4d\x18\x02\0\0\0ab";
        assert_eq!(Format::of(skip), Start::Packed(Format::Zstd));
        let lz4 = [&skip[..], b"\x04\x22\x4d\x18"].concat();
        assert_eq!(Format::of(&lz4), Start::Packed(Format::Lz4));
    }
}
