//! Values that arrived compressed: clean ones are forwarded unchanged, others are compressed again.

use std::io;

use crate::{
    compression::{Encoder, Format},
    pipeline::{
        EngineReason, Reject,
        records::{Body, Codec, Counts, Fate, Judged},
    },
};

/// Compresses the changed value of a record that took this route, with the prefix of its text.
pub(super) fn pack(
    codec: Codec,
    prefix: &[u8],
    (at, route): (u32, u16),
    fate: &mut Fate,
    out: &mut Judged,
) {
    let (body, counts) = match fate {
        Fate::Forwarded(how, Some(body)) => (body, Counts::of(*how)),
        Fate::Lines(lines) => match &mut lines.value {
            Some(body) => (body, lines.counts),
            None => return,
        },
        Fate::Forwarded(_, None) | Fate::Blank | Fate::Stays(_) | Fate::Rejected(_) => return,
    };
    let (text, range) = match body {
        Body::Clean(range) => (&mut out.output.clean[range.clone()], range),
        Body::Arena(range) => (&mut out.arena[range.clone()], range),
        Body::Chunk(_) | Body::Kept(_) => return,
    };
    match compressed(codec, &[prefix, text]) {
        // It fits into the range of the text, unless it is shorter than the format's header.
        Ok(bytes) if bytes.len() <= text.len() => {
            text[..bytes.len()].copy_from_slice(&bytes);
            range.end = range.start + bytes.len();
        }
        Ok(bytes) => {
            let from = out.arena.len();
            out.arena.extend_from_slice(&bytes);
            *body = Body::Arena(from..out.arena.len());
        }
        // A value that cannot be compressed as it arrived is not forwarded.
        Err(_) => {
            let reason = EngineReason::TooCostly;
            let tally = &mut out.output.tally;
            let lines = counts.withdraw(tally, route);
            tally.reject(route, reason.into(), lines);
            let last = out.output.rejects.len();
            let line = match fate {
                // All lines that would have been forwarded.
                Fate::Lines(lines) => {
                    (lines.value, lines.rejects.end) = (None, last + 1);
                    0
                }
                _ => {
                    *fate = Fate::Rejected(last);
                    at
                }
            };
            out.output.rejects.push(Reject { route, ..Reject::of(reason, line) });
        }
    }
}

fn compressed(codec: Codec, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::new(match codec {
        Codec::Gzip => Format::Gzip,
        Codec::Zstd => Format::Zstd,
    })?;
    let mut bytes = Vec::new();
    for part in parts {
        bytes.append(&mut encoder.write(part)?);
    }
    bytes.append(&mut encoder.finish()?);
    Ok(bytes)
}
