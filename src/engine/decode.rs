//! Decoding of one string at a time, with a way back to the bytes that were written.
//!
//! Everything here is about spelling, not meaning: JSON escapes ([`escape`]), percent-encoding
//! ([`percent`]), and the map from decoded offsets to source offsets ([`map`]). It allocates
//! nothing but what the caller's buffers need to grow.

mod escape;
mod map;
mod percent;

pub(crate) use escape::{EscapeError, check_escapes, escape_into, is_simple, unescape};
pub(crate) use map::OffsetMap;
pub(crate) use percent::percent;
