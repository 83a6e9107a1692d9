//! Values that are several lines, that begin with a schema id, or that arrived compressed.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    compression::{Encoder, Format, Start, decoder},
    engine::{Chunk, Engine, Payload},
    pipeline::{
        Output,
        records::{Codec, Lines, ValueFraming},
    },
};

/// A schema id, as Confluent's serializers write it.
const ID: &[u8] = b"\0\0\x01\x86\xa0";

impl Bench {
    fn values(values: &[&[u8]], framing: ValueFraming) -> Self {
        Self::incoming(values.iter().map(|value| Incoming {
            value: Some(value),
            framing,
            ..Incoming::default()
        }))
    }

    fn incoming<'a>(records: impl Iterator<Item = Incoming<'a>>) -> Self {
        let place = Place { id: 1, topic: "logs.app".into(), partition: 0 };
        let mut block = Block::default();
        for record in records {
            block.push(&place, &record, 1 << 16);
        }
        Self::judged(block, None, Settings::default())
    }

    /// What is sent for a record.
    fn sent(&self, at: usize) -> Option<Vec<u8>> {
        let body = match &self.verdict(at).fate {
            Fate::Forwarded(_, body) => body.as_ref()?,
            Fate::Lines(lines) => lines.value.as_ref()?,
            Fate::Blank | Fate::Stays(_) | Fate::Rejected(_) => return None,
        };
        let bytes = match body {
            Body::Clean(range) => &self.out.output.clean[range.clone()],
            Body::Chunk(range) => &self.block.chunk().data()[range.clone()],
            Body::Kept(range) => self.block.bytes(range),
            Body::Arena(range) => &self.out.arena[range.clone()],
        };
        let record = &self.block.records()[at];
        let prefix = match record.packed {
            None => self.block.bytes(&record.prefix),
            Some(_) => b"",
        };
        Some([prefix, bytes].concat())
    }

    fn lines(&self, at: usize) -> &Lines {
        let Fate::Lines(lines) = &self.verdict(at).fate else { panic!("{at}") };
        lines
    }

    /// The lines that are not forwarded, and the reasons.
    fn rejects(&self, at: usize) -> Vec<(u32, Reason)> {
        let all = &self.out.output.rejects[self.lines(at).rejects.clone()];
        all.iter().map(|reject| (reject.line, reject.reason)).collect()
    }
}

#[test]
fn lines_that_are_clean_leave_as_they_came() {
    let values: [&[u8]; 5] = [
        b"{\"n\":1}\n{\"n\":2}\n",
        b"{\"n\":1}\n{\"n\":2}",
        b"\n{\"n\":1}\r\n  \n{\"n\":2}\n\n",
        b"\xef\xbb\xbf{\"n\":1}\n{\"n\":2}\n",
        b"\0\0\x01\x86\xa0{\"n\":1}\n{\"n\":2}\n",
    ];
    let bench = Bench::values(&values, ValueFraming::Lines);
    for (at, value) in values.iter().enumerate() {
        assert_eq!(bench.sent(at).as_deref(), Some(*value), "{at}");
        assert!(bench.rejects(at).is_empty());
    }
    let tally = &bench.out.output.tally;
    assert_eq!((tally.read, tally.clean, tally.blank), (13, 10, 3));
}

#[test]
fn each_line_has_its_own_end() {
    let values: [&[u8]; 4] = [
        b"{\"mail\":\"ada@example.com\"}\n\n{\"n\":2}\n{\"broken\n{\"n\":4}",
        b"{\"broken\n{\"n\":2}\n[",
        b"{\"broken\n{\"too\n",
        b"\n \n",
    ];
    let bench = Bench::values(&values, ValueFraming::Lines);
    let sent = |at| bench.sent(at).map(|bytes| String::from_utf8(bytes).unwrap());
    let first = "{\"mail\":\"[REDACTED:email]\"}\n{\"n\":2}\n{\"n\":4}";
    assert_eq!(sent(0).as_deref(), Some(first));
    assert_eq!(bench.rejects(0), [(4, Reason::Judged(EngineReason::Unterminated))]);
    assert_eq!(sent(1).as_deref(), Some("{\"n\":2}\n{\"message\":\"[\"}"));
    assert_eq!(bench.rejects(1), [(1, Reason::Judged(EngineReason::Unterminated))]);
    assert_eq!(sent(2), None);
    assert_eq!(bench.rejects(2).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
    assert!(matches!(bench.verdict(3).fate, Fate::Blank));
    let tally = &bench.out.output.tally;
    assert_eq!((tally.read, tally.clean, tally.redacted, tally.wrapped), (12, 3, 1, 1));
    assert_eq!((tally.blank, tally.rejected_total()), (3, 4));
    let mut after = tally.clone();
    assert_eq!(bench.lines(0).counts.withdraw(&mut after, 0), 3);
    assert_eq!((after.clean, after.redacted, after.wrapped), (1, 0, 1));
}

#[test]
fn what_a_key_says_holds_for_all_lines() {
    let value = Some(&b"{\"n\":1}\n{\"broken\n{\"n\":3}\n"[..]);
    let record = Incoming { value, framing: ValueFraming::Lines, ..Incoming::default() };
    let headers: Headers<'_> = &[("mail", Some(b"ada@example.com"))];
    let all = [
        Incoming { key: Some(b"ada@example.com"), ..record },
        Incoming { headers, ..record },
        Incoming { headers: &[(HOP, Some(b"3"))], ..record },
    ];
    let bench = Bench::incoming(all.into_iter());
    let wanted =
        [(1, Reason::Key), (2, Reason::Judged(EngineReason::Unterminated)), (3, Reason::Key)];
    assert_eq!((bench.sent(0), &bench.rejects(0)[..]), (None, &wanted[..]));
    assert_eq!(bench.sent(1).as_deref(), Some(&b"{\"n\":1}\n{\"n\":3}\n"[..]));
    assert_eq!(bench.rejects(1), [(2, Reason::Judged(EngineReason::Unterminated))]);
    assert_eq!(bench.rejects(2), [1, 2, 3].map(|line| (line, Reason::Loop)));
    let tally = &bench.out.output.tally;
    assert_eq!((tally.read, tally.clean, tally.redacted), (9, 0, 2));
}

#[test]
fn too_many_lines_are_not_judged() {
    let value = b"\n".repeat(65_537);
    let record = Incoming { value: Some(&value), ..Incoming::default() };
    let place = Place { id: 1, topic: "logs.app".into(), partition: 0 };
    let mut block = Block::default();
    let framing = ValueFraming::Lines;
    block.push(&place, &Incoming { framing, value: Some(&value[1..]), ..record }, 1 << 20);
    assert!(block.is_full(usize::MAX));
    block.push(&place, &Incoming { framing, ..record }, 1 << 20);
    let bench = Bench::judged(block, None, Settings::default());
    let Fate::Rejected(reject) = bench.verdict(1).fate else { panic!() };
    assert_eq!(bench.out.output.rejects[reject].reason, Reason::Judged(EngineReason::TooCostly));
    assert_eq!((bench.out.output.tally.read, bench.out.output.tally.blank), (65_537, 65_536));
}

#[test]
fn a_schemas_number_stays_and_the_rest_is_judged() {
    let with = |text: &[u8]| [ID, text].concat();
    let values = [
        with(b"{\n\"n\":1}"),
        with(b"{\"mail\":\"ada@example.com\"}"),
        with(b"{\"mail\":\"ada@example.com\""),
        with(b"\x02\x1eada@example.com"),
        with(b"\0\x0a\x0fada@example.com"),
        with(b"{\x02ada@example.com"),
    ];
    let values: Vec<_> = values.iter().map(Vec::as_slice).collect();
    let bench = Bench::values(&values, ValueFraming::Event);
    assert_eq!((bench.how(0), bench.sent(0).as_deref()), (How::Clean, Some(values[0])));
    let redacted = with(b"{\"mail\":\"[REDACTED:email]\"}");
    assert_eq!((bench.how(1), bench.sent(1)), (How::Redacted, Some(redacted)));
    assert_eq!(bench.reason(2), Reason::Judged(EngineReason::Unterminated));
    for at in 3..6 {
        assert_eq!(bench.reason(at), Reason::Binary);
    }
    // Nothing of them is shown, not even a shape.
    assert!(bench.out.output.rejects.iter().all(|reject| reject.payload == Payload::None));
}

fn packed(format: Format, text: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::new(format).unwrap();
    [encoder.write(text).unwrap(), encoder.finish().unwrap()].concat()
}

fn unpacked(format: Format, bytes: &[u8]) -> Vec<u8> {
    assert_eq!(Format::of(bytes), Start::Packed(format));
    let mut text = vec![0; 1 << 16];
    let step = decoder(format, 23).unwrap().step(bytes, true, &mut text).unwrap();
    assert!(step.whole && step.consumed == bytes.len());
    text.truncate(step.produced);
    text
}

const CODECS: [(Format, Codec); 2] = [(Format::Gzip, Codec::Gzip), (Format::Zstd, Codec::Zstd)];

#[test]
fn what_came_compressed_leaves_so() {
    let long =
        |mail: &str| format!("{{\"mail\":\"{mail}\",\"b\":\"{}\"}}", "x".repeat(500)).into_bytes();
    let short = |mail: &str| format!("{{\"m\":\"{mail}\"}}").into_bytes();
    let with_id = |mail: &str| [ID, &short(mail)].concat();
    let (ada, redacted) = ("ada@example.com", "[REDACTED:email]");
    for (format, codec) in CODECS {
        let texts = [short("none"), short(ada), long(ada), with_id(ada), b"{\"".into(), b"".into()];
        let raw = texts.each_ref().map(|text| packed(format, text));
        let records = texts.iter().zip(&raw).map(|(text, raw)| Incoming {
            value: Some(text),
            packed: Some((codec, raw)),
            ..Incoming::default()
        });
        let bench = Bench::incoming(records);
        assert_eq!((bench.how(0), bench.sent(0).as_ref()), (How::Clean, Some(&raw[0])));
        for (at, wanted) in (1..).zip([short(redacted), long(redacted), with_id(redacted)]) {
            assert_eq!(bench.how(at), How::Redacted);
            assert_eq!(unpacked(format, &bench.sent(at).unwrap()), wanted);
        }
        assert_eq!(bench.reason(4), Reason::Judged(EngineReason::Unterminated));
        assert!(matches!(bench.verdict(5).fate, Fate::Blank));
    }
}

#[test]
fn compressed_lines_leave_as_they_came_or_are_compressed_again() {
    let clean: &[u8] = b"{\"n\":1}\n\n{\"n\":2}\n";
    let other = [clean, b"{\"m\":\"ada@example.com\"}\n"].concat();
    let headers: Headers<'_> = &[("mail", Some(b"ada@example.com"))];
    for (format, codec) in CODECS {
        let raw = [packed(format, clean), packed(format, &other)];
        let record = |value, raw| Incoming {
            value: Some(value),
            packed: Some((codec, raw)),
            framing: ValueFraming::Lines,
            ..Incoming::default()
        };
        // A finding in a header does not change the value.
        let touched = Incoming { headers, ..record(clean, &raw[0]) };
        let all = [record(clean, &raw[0]), record(&other, &raw[1]), touched];
        let bench = Bench::incoming(all.into_iter());
        assert_eq!(
            (bench.sent(0).as_ref(), bench.sent(2).as_ref()),
            (Some(&raw[0]), Some(&raw[0]))
        );
        let came = unpacked(format, &bench.sent(1).unwrap());
        assert_eq!(came, b"{\"n\":1}\n{\"n\":2}\n{\"m\":\"[REDACTED:email]\"}\n");
        let tally = &bench.out.output.tally;
        assert_eq!((tally.clean, tally.redacted, tally.blank), (4, 3, 3));
    }
}

const LINES: &[&str] = &[
    "{\"n\":1}",
    "{\"n\":2}\r",
    "{\"mail\":\"ada@example.com\"}",
    "a text line",
    "a text for ada@example.com\r",
    "{\"broken\":",
    "{\"a\":1} trailing",
    "",
    " \t\r",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the bytes, every line has a result, and redacted data does not get out.
    #[test]
    fn no_bytes_are_lost_or_leak(
        values in vec((0..4_usize, 0..LINES.len(), vec(any::<u8>(), 0..40), 0..LINES.len()), 1..5),
        lines in any::<bool>(),
        packed in any::<bool>(),
    ) {
        let heads: [&[u8]; 4] = [b"", ID, b"\xef\xbb\xbf", b"\0"];
        let value = |(head, first, noise, last): &(usize, usize, Vec<u8>, usize)| {
            let lines = [LINES[*first].as_bytes(), noise, LINES[*last].as_bytes()];
            [heads[*head], &lines.join(&b'\n')].concat()
        };
        let values: Vec<_> = values.iter().map(value).collect();
        let bench = Bench::incoming(values.iter().map(|value| Incoming {
            value: Some(value),
            framing: if lines { ValueFraming::Lines } else { ValueFraming::Event },
            packed: packed.then_some((Codec::Gzip, b"as it came")),
            ..Incoming::default()
        }));
        for (at, value) in values.iter().enumerate() {
            let Some(mut sent) = bench.sent(at) else { continue };
            if packed && sent == b"as it came" {
                continue;
            }
            if packed {
                sent = unpacked(Format::Gzip, &sent);
            }
            prop_assert!(!sent.windows(4).any(|bytes| bytes == b"ada@"));
            if matches!(bench.verdict(at).fate, Fate::Forwarded(How::Clean, _)) {
                prop_assert_eq!(&sent, value);
            }
        }
        let bodies = String::from_utf8_lossy(&bench.out.output.bodies);
        prop_assert!(!bodies.contains("ada@"));
    }

    /// The lines of values have the same results as the lines of files.
    #[test]
    fn lines_of_values_are_as_lines_of_files(
        records in vec((vec(0..LINES.len(), 1..6), any::<bool>()), 1..5),
    ) {
        let value = |(lines, ended): &(Vec<usize>, bool)| {
            let lines: Vec<_> = lines.iter().map(|line| LINES[*line]).collect();
            lines.join("\n") + if *ended { "\n" } else { "" }
        };
        let values: Vec<_> = records.iter().map(value).collect();
        let bytes: Vec<_> = values.iter().map(|value| value.as_bytes()).collect();
        let bench = Bench::values(&bytes, ValueFraming::Lines);
        let mut engine = Engine::new(Arc::new(plan(Settings::default())));
        let mut all = Output::default();
        for (at, value) in values.iter().enumerate() {
            let mut out = Output::default();
            // An empty value is one empty line.
            let text = if value.is_empty() { "\n" } else { value };
            out.judge(|out| engine.process(&Chunk::from_bytes(text.as_bytes()), out));
            let tally = &out.tally;
            let mut wanted = String::from_utf8(out.clean.clone()).unwrap();
            if tally.clean > 0 && tally.clean + tally.blank == tally.read {
                wanted.clone_from(value);
            } else if !value.ends_with('\n') {
                wanted.truncate(wanted.strip_suffix('\n').unwrap_or_default().len());
            }
            let wanted = (!out.clean.is_empty()).then_some(wanted.into_bytes());
            prop_assert_eq!(bench.sent(at), wanted);
            let rejects: Vec<_> = out.rejects.iter().map(|r| (r.line + 1, r.reason)).collect();
            match &bench.verdict(at).fate {
                Fate::Lines(_) => prop_assert_eq!(bench.rejects(at), rejects),
                _ => prop_assert!(tally.blank == tally.read),
            }
            all.tally += tally;
        }
        let tally = &bench.out.output.tally;
        prop_assert_eq!((tally.read, tally.clean, tally.redacted), (all.tally.read, all.tally.clean, all.tally.redacted));
        prop_assert_eq!((tally.wrapped, tally.blank, tally.rejected), (all.tally.wrapped, all.tally.blank, all.tally.rejected));
    }
}
