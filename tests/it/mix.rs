//! A seeded mix of everything that a log can hold: sound events of every variant, the examples,
//! malformed lines, text, blank lines, both line ends, lines around the limit.

use crate::generator::{Generator, Variant};

/// The limit that [`mixed`] writes lines around.
pub(crate) const MAX_EVENT_BYTES: usize = 4096;

const EXAMPLES: &[&str] = &[
    include_str!("../../examples/mixed.log"),
    include_str!("../../examples/web-shop.ndjson"),
];

const ODD: &[&[u8]] = &[
    b"{\"timestamp\":\"2026-03-14T09:26:35.000Z\",\"message\":\"cut off in the mid",
    b"{'single': 'quotes'}",
    b"{\"a\":1}{\"b\":2}",
    b"{\"a\":1} trailing",
    b"{\"a\":01}",
    b"{\"a\":\"\\ud800\"}",
    b"{\"a\":\"\\x41\"}",
    b"{\"a\":\"raw\tcontrol\"}",
    b"{\"a\":\"\x80\xff\"}",
    b"{\"a\":NaN}",
    b"{\"a\":\"quote\\\"}",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[1,2,\"j.doe@example.com\"]",
    b"panic: token=abcdef123456 for j.doe@example.com",
    "Ошибка: почта ada@example.com не доставлена".as_bytes(),
    b"\xff\xfe{\0\"\0a\0\"\0:\x001\0}\0",
    b"\x80\x81 not utf-8 ada@example.com",
    b"\xef\xbb\xbf{\"a\":1}",
    b"{\"password\":\"hunter2\",\"password\":\"hunter3\"}",
    b"{\"ada@example.com\":1,\"bob@example.com\":{\"4111 1111 1111 1111\":2}}",
    b"{\"body\":\"{\\\"password\\\":\\\"x\\\",\\\"a\\\":[1]}\"}",
    b"{\"url\":\"/x?email=john%40example.com&y=1\"}",
    b"{\"m\":\"\\n219-09-9999 ada\\u0040example.com\"}",
    b"  {\"indented\" : true}  ",
    b"\x0b",
    b"{\"\":{\"\":[[],{},\"\",0]}}",
];

const BLANK: &[&[u8]] = &[b"", b" ", b"\t\t", b"   \t "];

/// Draws from a seed; the generator's own is its own.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn pick<'a>(&mut self, of: &[&'a [u8]]) -> &'a [u8] {
        of[self.below(of.len())]
    }
}

/// Some `lines` of a mix; the last one has no end.
pub(crate) fn mixed(seed: u64, lines: usize) -> Vec<u8> {
    let mut draw = Draw(seed);
    let mut logs: Vec<_> = Variant::all().map(|v| Generator::new(v, seed)).collect();
    let examples: Vec<&[u8]> =
        EXAMPLES.iter().flat_map(|text| text.lines()).map(str::as_bytes).collect();
    let mut out = Vec::new();
    for _ in 0..lines {
        match draw.below(20) {
            0..8 => {
                let which = draw.below(logs.len());
                logs[which].event(&mut out);
                out.pop();
            }
            8..12 => out.extend_from_slice(draw.pick(&examples)),
            12..17 => out.extend_from_slice(draw.pick(ODD)),
            17 => out.extend_from_slice(draw.pick(BLANK)),
            _ => {
                let kind = draw.below(4);
                let length = MAX_EVENT_BYTES + [0, 1, 2, 3, 500, 9000][draw.below(6)] - 1;
                out.extend(long(kind, length));
            }
        }
        out.extend_from_slice(if draw.below(6) == 0 { b"\r\n" } else { b"\n" });
    }
    out.extend_from_slice(b"{\"last\":\"eve@example.com\"}");
    out
}

/// A line of exactly `length` bytes.
pub(crate) fn long(kind: usize, length: usize) -> Vec<u8> {
    let (head, fill, tail): (&[u8], &[u8], &[u8]) = match kind {
        0 => (b"{\"pad\":\"", b"x", b" ada@example.com\"}"),
        1 => (b"{\"pad\":\"", "é".as_bytes(), b"\"}"),
        2 => (b"plain ", b"word ada@example.com ", b"."),
        _ => (b"{\"pad\":[0", b",1", b"]}"),
    };
    let mut line = head.to_vec();
    while line.len() + fill.len() + tail.len() <= length {
        line.extend_from_slice(fill);
    }
    // What the filling leaves over goes where any kind has room for a space.
    let short = length - line.len() - tail.len();
    let at = if kind == 3 { line.len() } else { head.len() };
    line.splice(at..at, std::iter::repeat_n(b' ', short));
    line.extend_from_slice(tail);
    line
}

#[test]
fn long_lines_are_as_long_as_asked_for() {
    for kind in 0..4 {
        for length in 1000..1040 {
            assert_eq!(long(kind, length).len(), length, "{kind}");
        }
    }
}
