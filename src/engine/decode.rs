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
