//! Bytes before an event that belong to no event: a byte order mark in the middle of a stream, as
//! files have that were joined, NUL as preallocated files have, the record separator of RFC 7464.

use super::entry::Entry;
use crate::engine::outcome::Output;

const PREFIXES: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\0", b"\x1e"];

/// Where the event begins in a line that has something before it that belongs to no event.
pub(crate) fn event_start(line: &[u8]) -> Option<usize> {
    let (mut rest, mut start) = (line, None);
    loop {
        rest = rest.trim_ascii_start();
        match PREFIXES.iter().find_map(|prefix| rest.strip_prefix(*prefix)) {
            Some(behind) => {
                rest = behind;
                start = Some(line.len() - rest.len());
            }
            None => return start.filter(|_| rest.first() == Some(&b'{')),
        }
    }
}

/// The line without what stands before its event. What is forwarded begins after it.
#[cold]
#[inline(never)]
pub(super) fn removed<'a>(mut e: Entry<'a>, run: &mut usize, out: &mut Output) -> Entry<'a> {
    let buf = e.line.buf;
    let Some(at) = event_start(&buf[e.start..e.line.end]) else { return e };
    out.clean.extend_from_slice(&buf[*run..e.start]);
    e.from = e.start + at;
    *run = e.from;
    e.line.start = e.from + buf[e.from..].iter().take_while(|b| **b != b'{').count();
    out.tally.prefixes += 1;
    e
}

#[cfg(test)]
mod tests {
    use super::event_start;

    #[test]
    fn what_stands_before_an_event() {
        for (line, want) in [
            (&b"{}"[..], None),
            (b" {}", None),
            (b"\x1e{}", Some(1)),
            (b" \x1e {}", Some(2)),
            (b"\xef\xbb\xbf{}", Some(3)),
            (b"\0\0\xef\xbb\xbf\x1e\0{", Some(7)),
            (b"\x1ex{}", None),
            (b"\x1e[{}]", None),
            (b"\xef\xbb{}", None),
            (b"\x1e", None),
        ] {
            assert_eq!(event_start(line), want, "{line:?}");
        }
    }
}
