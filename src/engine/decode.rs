//! Decoding of one text at a time, with a way back to the bytes that were written.
//!
//! Everything here is about spelling, not meaning. Each way to spell a text is a [`Decoder`] in a file
//! of its own: JSON escapes ([`escape`]), JSON in a text ([`json`]), percent-encoding ([`percent`]),
//! integers in another spelling ([`number`]). [`map`] leads from decoded offsets to source offsets. It
//! allocates nothing but what the caller's buffers need to grow.

mod decoder;
mod escape;
pub(crate) mod json;
mod map;
mod number;
mod percent;
mod spoiled;

pub use decoder::Decoding;
pub(crate) use decoder::{Content, Decoder, EscapeError, Look};
pub(crate) use escape::{Escapes, check_escapes, escape_into, is_simple, unescape};
pub(crate) use json::Json;
pub(crate) use map::OffsetMap;
pub(crate) use number::{FEWEST_DIGITS, Numbers, plain};
pub(crate) use percent::Percent;

/// All decoders, in the order in which the judge applies them to one text.
pub(crate) static DECODERS: [&dyn Decoder; 4] = [&Escapes, &Numbers, &Json, &Percent];

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 12] = [
        "",
        "plain",
        r"a\u0040b",
        r"\ud83d\ude00 \n",
        r"\x",
        r"\ud800",
        "a%40b%zz",
        "100%",
        "-4.111111111111111e15",
        "4111111111111111",
        "x {\"a\":1}\n[2]",
        "%7B%22a%22%3A1%7D",
    ];

    #[test]
    fn every_decoder_keeps_the_contract() {
        for decoder in DECODERS {
            for text in TEXTS {
                let name = format!("{:?} of {text:?}", decoder.decoding());
                let (mut out, mut map) = (b"before".to_vec(), OffsetMap::default());
                let decoded = decoder.decode(text.as_bytes(), &mut out, &mut map);
                assert!(out.starts_with(b"before"), "{name}");
                let spelt = &out[6..];
                if decoded != Ok(true) {
                    assert!(spelt.is_empty(), "{name}");
                    continue;
                }
                let spotted = decoder.spot(text.as_bytes(), Look::All);
                assert!(spotted || spelt == text.as_bytes(), "{name}");
                if !decoder.is_whole() {
                    assert_eq!(map.source(0..spelt.len()), 0..text.len(), "{name}");
                }
            }
        }
    }

    #[test]
    fn no_two_decoders_have_one_sign_or_one_name() {
        for (i, one) in DECODERS.iter().enumerate() {
            for other in &DECODERS[i + 1..] {
                assert_ne!(one.decoding(), other.decoding());
                assert!(one.sign().is_none() || one.sign() != other.sign());
            }
        }
    }
}
