//! Records whose parts are clean, personal or unreadable.

use std::sync::Arc;

use super::{Judgement, Pseudonyms, RecordJudge};
use crate::{
    engine::{
        Plan, Settings,
        detect::Pack,
        policy::{Action, KeyRing, Policy, PseudonymKey, Rule},
        schema::Schema,
    },
    pipeline::{
        EngineReason, Reason,
        records::{
            Block, Body, Fate, HOP, How, Incoming, Judged, Key, Place, RecordWorker as _, Verdict,
        },
    },
};

mod logs;
mod routes;
mod values;

type Headers<'a> = &'a [(&'a str, Option<&'a [u8]>)];
type Given<'a> = (Option<&'a [u8]>, Headers<'a>, Option<&'a [u8]>);

/// The most times that a record is forwarded.
const HOPS: u32 = 3;

struct Bench {
    block: Block,
    out: Judged,
}

impl Bench {
    fn of(records: &[Given<'_>], secret: Option<&[u8]>, settings: Settings) -> Self {
        let place = Place { id: 1, topic: "logs.app".into(), partition: 0 };
        let mut block = Block::default();
        for (offset, &(key, headers, value)) in (0..).zip(records) {
            let lost = headers.iter().any(|(name, _)| *name == "lost");
            let headers = if lost { &headers[1..] } else { headers };
            let record = Incoming {
                offset,
                timestamp: Some(5),
                key,
                headers,
                lost,
                value,
                ..Incoming::default()
            };
            block.push(&place, &record, 1 << 16);
        }
        let bench = Self::judged(block, secret, settings);
        assert_eq!(bench.out.output.tally.read, records.len() as u64);
        bench
    }

    fn judged(mut block: Block, secret: Option<&[u8]>, settings: Settings) -> Self {
        let plan = plan(settings);
        let secret = secret.map(|secret| Pseudonyms::new(secret).unwrap());
        let mut worker = RecordJudge::new(Judgement::new(Arc::new(plan), secret, HOPS));
        block.seal();
        let mut out = Judged::default();
        worker.process(&block, &mut out);
        assert_eq!(out.output.tally.unaccounted(), 0);
        assert_eq!(out.verdicts.len(), block.records().len());
        Self { block, out }
    }

    fn verdict(&self, at: usize) -> &Verdict {
        &self.out.verdicts[at]
    }

    fn how(&self, at: usize) -> How {
        let Fate::Forwarded(how, _) = self.verdict(at).fate else {
            panic!("{at} is not forwarded")
        };
        how
    }

    fn reason(&self, at: usize) -> Reason {
        let Fate::Rejected(reject) = self.verdict(at).fate else { panic!("{at} is not rejected") };
        let reject = &self.out.output.rejects[reject];
        assert_eq!(reject.line as usize, at);
        reject.reason
    }

    fn value(&self, at: usize) -> &str {
        let Fate::Forwarded(_, Some(Body::Clean(range))) = &self.verdict(at).fate else {
            panic!("{at}")
        };
        str::from_utf8(&self.out.output.clean[range.clone()]).unwrap()
    }

    fn key(&self, at: usize) -> Option<&[u8]> {
        match &self.verdict(at).key {
            Key::Same => self.block.records()[at].key.as_ref().map(|range| self.block.bytes(range)),
            Key::Changed(range) => Some(&self.out.arena[range.clone()]),
            Key::Withheld => None,
        }
    }

    fn headers(&self, at: usize) -> Vec<(&str, Option<&str>)> {
        let range = self.verdict(at).headers.clone().expect("other headers");
        let text = |range: &std::ops::Range<usize>| {
            str::from_utf8(&self.out.arena[range.clone()]).unwrap()
        };
        let all = &self.out.headers[range];
        all.iter().map(|h| (text(&h.name), h.value.as_ref().map(text))).collect()
    }
}

fn plan(settings: Settings) -> Plan {
    let pack = |name: &str, text: &str| Pack::parse(name, text).unwrap();
    let packs = vec![
        pack("core.toml", include_str!("../../patterns/core.toml")),
        pack("secrets.toml", include_str!("../../patterns/secrets.toml")),
    ];
    Plan::compile(Settings { packs, bodies: true, ..settings }).unwrap()
}

#[test]
fn what_is_clean_stays_byte_for_byte() {
    let pretty = b"{\n  \"a\": 1,\n  \"b\": \"x\"\n}\n".as_slice();
    let tabs = b"{\r\n\t\"a\":\t1\r\n}".as_slice();
    let headers: Headers<'_> = &[
        ("traceparent", Some(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
        ("kind", Some(b"order")),
        ("none", None),
    ];
    let bench = Bench::of(
        &[
            (Some(b"order\n17"), headers, Some(pretty)),
            (None, &[], Some(tabs)),
            (Some(b""), &[], Some(b"{\"a\":1}")),
            (Some(b"order-17"), &[], None),
            (None, &[], Some(b"")),
        ],
        None,
        Settings::default(),
    );
    for (at, value) in [(0, pretty), (1, tabs), (2, b"{\"a\":1}")] {
        assert_eq!((bench.how(at), bench.value(at).as_bytes()), (How::Clean, value));
        assert!(bench.verdict(at).headers.is_none());
    }
    assert_eq!(bench.key(0), Some(&b"order\n17"[..]));
    assert_eq!((bench.key(1), bench.key(2)), (None, Some(&b""[..])));
    assert_eq!(bench.how(3), How::Tombstone);
    assert!(matches!(bench.verdict(4).fate, Fate::Blank));
    let tally = &bench.out.output.tally;
    assert_eq!((tally.clean, tally.tombstones, tally.blank), (3, 1, 1));
}

#[test]
fn findings_in_values_keep_the_rest() {
    let value = b"{\n  \"mail\": \"ada@example.com\",\n\t\"b\": 1\n}";
    let trace = b"panic: ada@example.com\n\tat main.go:7";
    let bench =
        Bench::of(&[(None, &[], Some(value)), (None, &[], Some(trace))], None, Settings::default());
    assert_eq!(bench.value(0), "{\n  \"mail\": \"[REDACTED:email]\",\n\t\"b\": 1\n}");
    assert_eq!(bench.value(1), r#"{"message":"panic: [REDACTED:email]\n\tat main.go:7"}"#);
    assert_eq!((bench.how(0), bench.how(1)), (How::Redacted, How::Wrapped));
}

#[test]
fn a_key_that_may_not_be_seen_becomes_a_pseudonym_or_stops_its_record() {
    let personal: &[Given<'_>] = &[
        (Some(b"ada@example.com"), &[], Some(b"{\"a\":1}")),
        (Some(b"\xff\xfe\xfd"), &[], Some(b"{\"a\":1}")),
        (Some(b"ada@example.com"), &[], None),
        (Some(b"ada@example.com"), &[], Some(b"{\"a\":")),
    ];
    let bench = Bench::of(personal, Some(b"0123456789abcdef"), Settings::default());
    for at in 0..3 {
        assert_eq!(bench.key(at).map(<[u8]>::len), Some(64));
    }
    assert_eq!(bench.key(0), bench.key(2));
    assert_ne!(bench.key(0), bench.key(1));
    assert_eq!((bench.how(0), bench.how(2)), (How::Redacted, How::Tombstone));
    assert_eq!(bench.reason(3), Reason::Judged(EngineReason::Unterminated));
    let bench = Bench::of(personal, None, Settings::default());
    for (at, reason) in
        [Reason::Key, Reason::Key, Reason::Key, Reason::Judged(EngineReason::Unterminated)]
            .into_iter()
            .enumerate()
    {
        assert_eq!((bench.reason(at), bench.key(at)), (reason, None));
    }
    assert!(bench.out.output.rejects[..3].iter().all(|reject| reject.body.is_empty()));
}

#[test]
fn headers_are_judged_with_their_names() {
    let headers: Headers<'_> = &[
        ("from", Some(b"ada@example.com")),
        ("password", Some(b"hunter2")),
        ("raw", Some(b"\xff\x00")),
        ("traceparent", Some(b"ada@example.com")),
        ("kind", Some(b"order")),
        ("bob@example.com", None),
    ];
    let given: &[Given<'_>] =
        &[(None, headers, Some(b"{\"a\":1}")), (None, &headers[4..5], Some(b"{\"a\":1}"))];
    let bench = Bench::of(given, None, Settings::default());
    assert_eq!(
        bench.headers(0),
        [
            ("from", Some("[REDACTED:email]")),
            ("password", Some("[REDACTED:secret_field]")),
            ("raw", Some("[REDACTED:unreadable]")),
            ("traceparent", Some("[REDACTED:email]")),
            ("kind", Some("order")),
            ("[REDACTED:email]", None),
        ]
    );
    assert_eq!((bench.how(0), bench.how(1)), (How::Redacted, How::Clean));
    assert!(bench.verdict(1).headers.is_none());
    let raw = Bench::of(&[(None, &headers[2..3], None)], None, Settings::default());
    assert_eq!(raw.headers(0), [("raw", Some("[REDACTED:unreadable]"))]);
}

#[test]
fn a_record_that_was_forwarded_too_often_goes_nowhere() {
    let hops = |hops: &'static [u8]| [("kind", Some(&b"order"[..])), (HOP, Some(hops))];
    let (two, three, wrong) = (hops(b"2"), hops(b"3"), hops(b"ada@example.com"));
    let good = Some(&b"{\"a\":1}"[..]);
    let given: &[Given<'_>] = &[
        (None, &[], good),
        (None, &two, good),
        (None, &three, good),
        (None, &three, Some(b"{\"a\":")),
        (None, &three, None),
        (None, &wrong, good),
    ];
    let bench = Bench::of(given, None, Settings::default());
    for (at, hop) in [(0, 1), (1, 3), (5, 1)] {
        assert_eq!((bench.how(at), bench.verdict(at).hop), (How::Clean, Some(hop)));
        assert!(bench.verdict(at).headers.is_none());
    }
    for at in 2..5 {
        assert_eq!(bench.reason(at), Reason::Loop);
    }
    assert_eq!(bench.out.output.tally.rejected_total(), 3);
}

#[test]
fn a_record_that_lost_a_header_is_not_clean() {
    let headers: Headers<'_> = &[("lost", None), ("kind", Some(b"order"))];
    let given: &[Given<'_>] =
        &[(None, headers, Some(b"{\"a\":1}")), (None, &headers[1..], Some(b"{\"a\":1}"))];
    let bench = Bench::of(given, None, Settings::default());
    assert_eq!((bench.how(0), bench.how(1)), (How::Redacted, How::Clean));
    assert_eq!(bench.value(0), "{\"a\":1}");
    assert!(bench.verdict(0).headers.is_none(), "those that are left stay as they are");
}

#[test]
fn what_a_rule_drops_shows_in_no_dead_letter() {
    let rule = Rule {
        label: "drop".into(),
        name: None,
        detectors: vec!["email".into()],
        path: None,
        action: Action::Drop,
        secrets: false,
    };
    let policy = Policy { rules: vec![rule], ..Policy::default() };
    let headers: Headers<'_> = &[("from", Some(b"ada@example.com"))];
    let given: &[Given<'_>] = &[
        (Some(b"ada@example.com"), &[], Some(b"{\"a\":1}")),
        (Some(b"k"), headers, Some(b"{\"a\":1}")),
        (Some(b"k"), headers, None),
        (Some(b"k"), &[], Some(b"{\"a\":\"ada@example.com\"}")),
    ];
    let bench = Bench::of(given, None, Settings { policy, ..Settings::default() });
    for at in 0..4 {
        assert_eq!(bench.reason(at), Reason::Judged(EngineReason::Rule));
    }
    assert_eq!((bench.key(0), bench.key(1)), (None, Some(&b"k"[..])));
    assert!(!String::from_utf8_lossy(&bench.out.output.bodies).contains("ada@"));
}

#[test]
fn a_rule_with_hmac_makes_pseudonyms_of_whole_keys_and_of_headers() {
    let key = || PseudonymKey::new("k", b"0123456789abcdef").unwrap();
    let rule = Rule {
        label: "hmac".into(),
        name: None,
        detectors: vec!["email".into()],
        path: None,
        action: Action::Hmac { key: 0 },
        secrets: false,
    };
    let keys = vec![KeyRing { name: "person".into(), active: key(), previous: vec![] }];
    let policy = Policy { rules: vec![rule], keys, ..Policy::default() };
    let headers: Headers<'_> = &[("from", Some(b"ada@example.com"))];
    let given: &[Given<'_>] = &[
        (Some(b"ada@example.com"), headers, Some(b"{\"a\":1}")),
        (Some(b"ada@example.com"), &[], None),
        // Another header that would become the same is not forwarded under that name.
        (Some(b"ada%40example.com"), &[], Some(b"{\"a\":1}")),
        (Some(b"user ada@example.com"), &[], Some(b"{\"a\":1}")),
        (Some(b" ada@example.com"), &[], Some(b"{\"a\":1}")),
    ];
    let wanted = key().pseudonym(b"ada@example.com");
    let bench = Bench::of(given, None, Settings { policy, ..Settings::default() });
    assert_eq!((bench.key(0), bench.key(1)), (Some(wanted.as_bytes()), Some(wanted.as_bytes())));
    assert_eq!((bench.how(0), bench.how(1)), (How::Redacted, How::Tombstone));
    let headers = bench.verdict(0).headers.clone().unwrap();
    let value = bench.out.headers[headers][0].value.clone().unwrap();
    assert_eq!(&bench.out.arena[value], wanted.as_bytes());
    for at in 2..5 {
        assert_eq!((bench.reason(at), bench.key(at)), (Reason::Key, None));
    }
}

#[test]
fn a_schema_is_for_values_alone() {
    let schema = Some(Arc::new(Schema::require(&["a"]).unwrap()));
    let headers: Headers<'_> = &[("kind", Some(b"order"))];
    let given: &[Given<'_>] = &[
        (Some(b"order"), headers, Some(b"{\"a\":1}")),
        (Some(b"ada@example.com"), headers, Some(b"{\"a\":1}")),
        (Some(b"order"), headers, Some(b"{\"b\":\"ada@example.com\"}")),
    ];
    let bench = Bench::of(given, None, Settings { schema, ..Settings::default() });
    assert_eq!(bench.how(0), How::Clean);
    assert!(bench.verdict(0).headers.is_none());
    assert_eq!(
        (bench.reason(1), bench.reason(2)),
        (Reason::Key, Reason::Judged(EngineReason::Required))
    );
    let reject = &bench.out.output.rejects[1];
    let body = &bench.out.output.bodies[reject.body.clone()];
    assert_eq!(body, b"{\"b\":\"[REDACTED:email]\"}");
}
