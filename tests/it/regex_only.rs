//! Detectors that declare nothing but their `id` and `regex`: whatever the regex matches is redacted,
//! wherever it stands and whichever way the engine finds it.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use regex::bytes::{Regex, RegexBuilder};
use tamis::engine::{Plan, Settings, detect::Pack};

use crate::{properties::config, shipped};

/// A detector: its id, its regex, more of its lines, what its context wants before a match, and
/// matches.
type Kind = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const KINDS: &[Kind] = &[
    (
        "uuid",
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        "",
        "",
        &["00112233-4455-6677-8899-aabbccddeeff", "deadbeef-dead-beef-dead-beefdeadbeef"],
    ),
    (
        "pin",
        r"\d{6}",
        "strings = 'context'\nnumbers = 'alone'\nnot_before = '\\d'\nnot_after = '\\d'\n\
         context = { words = ['pin'] }",
        "pin ",
        &["123456", "000000"],
    ),
    ("hex", r"0x[0-9a-fA-F]+", "", "", &["0xdeadBEEF", "0x1"]),
    (
        "host",
        r"[\w.-]+\.corp\.acme\.internal",
        "",
        "",
        &["db-1.corp.acme.internal", "a.b.c.corp.acme.internal"],
    ),
    ("plate", r"[A-Z]{1,3}-[A-Z]{1,2} \d{1,4}", "", "", &["B-AB 1234", "HRO-X 1"]),
    ("employee", r"EMP-\d{6}", "category = 'staff'", "", &["EMP-123456"]),
    (
        "token",
        r"(?i)acme_[0-9a-f]{32}",
        "category = 'secret'",
        "",
        &["ACME_00112233445566778899aAbBcCdDeEfF", "acme_00112233445566778899aabbccddeeff"],
    ),
    ("pair", r"\d{4}-\d{4}", "", "", &["1234-5678"]),
    (
        "bounded_pair",
        r"\d{4}-\d{4}",
        "not_before = 'A-Za-z0-9'\nnot_after = 'A-Za-z0-9'",
        "",
        &["1234-5678"],
    ),
    (
        "alternatives",
        r"(?:sk|pk|rk)_(?:live|test)_\w{4}",
        "",
        "",
        &["sk_live_ab12", "rk_test_9999"],
    ),
    ("case_number", r"[A-Z]{2}\d{6}", "not_before = '0-9A-Za-z'", "", &["AB123456"]),
    ("handle", r"@[a-z]{3,8}", "", "", &["@ada", "@lovelace"]),
    ("phone", r"\+49[ \d]{6,12}\d", "", "", &["+49 30 123456", "+4930123456"]),
    ("area", r"\(\d{3}\) \d{3}", "", "", &["(123) 456"]),
    ("mac", r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}", "", "", &["aa:bb:cc:00:11:22"]),
    ("word", r"\b(?:wolf|raven)\b", "", "", &["wolf", "raven"]),
    ("sign", r"§\d", "", "", &["§1"]),
    ("letters", r"(?:ä|ö|ü)+ß", "", "", &["äöß"]),
];

fn pack(kinds: &[Kind]) -> Pack {
    let mut text = "pack = 'own'\n".to_owned();
    for (id, regex, more, ..) in kinds {
        text += &format!("[[detector]]\nid = '{id}'\nregex = '{regex}'\n{more}\n");
    }
    Pack::parse("own.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn plan(pack: Pack) -> Arc<Plan> {
    let settings = Settings { packs: vec![pack], bodies: true, ..Settings::default() };
    Arc::new(Plan::compile(settings).unwrap_or_else(|error| panic!("{error}")))
}

fn clean(plan: &Arc<Plan>, line: &str) -> String {
    let out = shipped::process(plan, line.as_bytes());
    assert!(out.rejects.is_empty(), "{line}: {:?}", out.rejects);
    String::from_utf8(out.clean).unwrap().trim_end().to_owned()
}

/// A match in everything that a text may be, and what it becomes.
fn places(id: &str, before: &str, text: &str) -> Vec<(String, String)> {
    let gone = format!("{before}[REDACTED:{id}]");
    let whole = format!("{before}{text}");
    let escaped: String = whole.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let percent: String = text.bytes().map(|b| format!("%{b:02x}")).collect();
    vec![
        (format!(r#"{{"m":"{whole}"}}"#), format!(r#"{{"m":"{gone}"}}"#)),
        (format!(r#"{{"m":["a, {whole}; z"]}}"#), format!(r#"{{"m":["a, {gone}; z"]}}"#)),
        (format!(r#"{{"a":{{"{whole}":1}}}}"#), format!(r#"{{"a":{{"{gone}":1}}}}"#)),
        (format!(r#"{{"{whole}":{{"b":[]}}}}"#), format!(r#"{{"{gone}":{{"b":[]}}}}"#)),
        (format!("a, {whole}; z"), format!(r#"{{"message":"a, {gone}; z"}}"#)),
        (format!(r#"{{"m":"\n{whole}\t"}}"#), format!(r#"{{"m":"\n{gone}\t"}}"#)),
        (format!(r#"{{"m":"\"{whole}\" \\ ok"}}"#), format!(r#"{{"m":"\"{gone}\" \\ ok"}}"#)),
        (
            format!(r#"{{"m":"got {{\"x\":\"{whole}\"}}"}}"#),
            format!(r#"{{"m":"got {{\"x\":\"{gone}\"}}"}}"#),
        ),
        (
            format!(r#"{{"m":"{{\"x\":{{\"{whole}\":1}}}}"}}"#),
            format!(r#"{{"m":"{{\"x\":{{\"{gone}\":1}}}}"}}"#),
        ),
        (
            format!(r#"say {{"x":"{whole}"}}"#),
            format!(r#"{{"message":"say {{\"x\":\"{gone}\"}}"}}"#),
        ),
        (
            format!(r#"{{"m":"{before}{percent};"}}"#),
            format!(r#"{{"m":"{before}[REDACTED:{id}];"}}"#),
        ),
        (
            format!(r#"{{"m":"a, {escaped}; z"}}"#),
            format!(r#"{{"m":"a, {}[REDACTED:{id}]; z"}}"#, &escaped[..6 * before.len()]),
        ),
    ]
}

#[test]
fn each_kind_is_found_wherever_it_stands() {
    let together = plan(pack(KINDS));
    for kind in KINDS {
        let (id, _, _, before, examples) = kind;
        let alone = plan(pack(&[*kind]));
        for example in *examples {
            for (line, wanted) in places(id, before, example) {
                assert_eq!(clean(&alone, &line), wanted, "{id}: {line}");
                let all = clean(&together, &line);
                assert!(!all.contains(example), "{id}: {line} became {all}");
                assert_eq!(clean(&together, &all), all, "{id}: again");
            }
        }
    }
}

#[test]
fn each_kind_is_found_at_every_offset_of_a_block() {
    for kind in KINDS {
        let (id, _, _, before, examples) = kind;
        let plan = plan(pack(&[*kind]));
        for pad in 0..130 {
            let pad = " ".repeat(pad);
            let line = format!(r#"{{"m":"{pad}{before}{} "}}"#, examples[0]);
            let wanted = format!(r#"{{"m":"{pad}{before}[REDACTED:{id}] "}}"#);
            assert_eq!(clean(&plan, &line), wanted, "{id}: {}", pad.len());
            let wanted = format!(r#"{{"message":"{pad}{before}[REDACTED:{id}] "}}"#);
            assert_eq!(clean(&plan, &format!("{pad}{before}{} ", examples[0])), wanted, "{id}");
        }
    }
}

#[test]
fn numbers_are_found_where_they_may_be() {
    let plan = plan(pack(KINDS));
    for (line, wanted) in [
        (
            r#"{"a":123456,"b":[123456,1234567],"c":12345}"#,
            r#"{"a":null,"b":[null,1234567],"c":12345}"#,
        ),
        (r#"{"a":-123456,"b":"pin -123456"}"#, r#"{"a":null,"b":"pin [REDACTED:pin]"}"#),
        (r#"{"a":"pin none 1","b":"123456"}"#, r#"{"a":"pin none 1","b":"123456"}"#),
    ] {
        assert_eq!(clean(&plan, line), wanted);
    }
}

/// Searches are paid for beside what an event may cost.
#[test]
fn many_searches_refuse_no_event() {
    let regex = |i: usize| format!("[[detector]]\nid = 'd{i}'\nregex = '[x0-9]{i}[0-9a-f]+z'\n");
    let text = (10..50).fold("pack = 'own'\n".to_owned(), |text, i| text + &regex(i));
    let plan = plan(Pack::parse("own.toml", &text).unwrap());
    let words = "GET /api/v1/orders/7f3a?page=2 took 12 ms, 0xfe ".repeat(400);
    for line in [
        format!(r#"{{"m":"{words}","n":1}}"#),
        format!(r#"{{"m":"\t{words} {{\"a\":\"{words}\"}}"}}"#),
        words.clone(),
    ] {
        clean(&plan, line.trim_end());
    }
}

/// What the regex by itself would make of a text: each match that has nothing beside it that must not
/// be there, and again until nothing is found.
fn redacted(regex: &Regex, (before, after): (&Regex, &Regex), text: &str) -> String {
    let placeholder = b"[REDACTED:x]";
    let mut text = text.as_bytes().to_vec();
    for _ in 0..12 {
        let (mut out, mut done, mut from) = (vec![], 0, 0);
        while let Some(m) = regex.find_at(&text, from) {
            let low = m.start().saturating_sub(placeholder.len() - 1);
            let inside = (low..=m.start()).find(|&at| text[at..].starts_with(placeholder));
            if let Some(at) = inside {
                from = at + placeholder.len();
                continue;
            }
            let joined = m.start() > 0 && before.is_match(&text[m.start() - 1..m.start()])
                || m.end() < text.len() && after.is_match(&text[m.end()..=m.end()]);
            if joined {
                from = m.start() + 1;
                continue;
            }
            out.extend_from_slice(&text[done..m.start()]);
            out.extend_from_slice(placeholder);
            (done, from) = (m.end(), m.end());
        }
        if done == 0 {
            break;
        }
        out.extend_from_slice(&text[done..]);
        text = out;
    }
    String::from_utf8(text).unwrap()
}

fn bytes(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().unwrap()
}

/// Regexes of every way of being found, what may not stand beside a match, and pieces of texts.
const WAYS: &[(&str, &str, &str, &[&str])] = &[
    (r"EMP-\d{6}", "", "", &["EMP-123456", "EMP-", "EMP-12345"]),
    (r"EMP-\d{3,6}", "A-Za-z", "0-9", &["EMP-123456", "EMP-123", "EMP"]),
    (r"(?i)ab_[0-9a-f]{4}", "", "", &["AB_01ef", "ab_", "Ab_0"]),
    (r"(?:one|two)-\d+", "0-9", "", &["one-1", "two-22", "one-"]),
    (r"\d{4}-\d{4}", "", "", &["1234-5678", "1234-"]),
    (r"\d{4}-\d{4}", "A-Za-z0-9", "A-Za-z0-9", &["1234-5678", "1234-"]),
    (r"\d{3}[ -]?\d{4}", "A-Za-z0-9", "0-9", &["123-4567", "1234567", "123"]),
    (r"[A-Z]{1,3}\d{4}", "A-Za-z0-9", "", &["A1234", "ABC1234", "AB12"]),
    (r"@[a-z]{2,4}", "", "", &["@ab", "@abcd"]),
    (r"\+\d{2,5}", "0-9", "", &["+12", "+12345", "+1"]),
    (r"\(\d{3}\)x?", "", "", &["(123)", "(123)x", "(12)"]),
    (r"[\w.]+\.acme\.io", "", "", &["a.acme.io", ".acme.io", "x.y"]),
    (r"[a-z]+-prod-\d+|[a-z]+_test_\d", "", "0-9", &["db-prod-12", "db_test_1", "-prod-"]),
    (r"0x[0-9a-f]+", "0-9", "", &["0xfe", "0x", "00xa"]),
    (r"\b\d{3}\b", "", "", &["123", "1234"]),
    (r"[0-9a-f]{2}(?::[0-9a-f]{2}){2}", "", "", &["aa:bb:cc", "aa:", "0:1"]),
    (r"a+?b|ab?", "", "c", &["aaab", "ab", "abc"]),
];

/// One of [`WAYS`], and a text of its pieces and of noise.
fn texts() -> impl Strategy<Value = (usize, String)> {
    (0..WAYS.len()).prop_flat_map(|way| {
        let pieces = WAYS[way].3.to_vec();
        let noise: Vec<_> = " -._:x0A1ab@+()".chars().map(String::from).collect();
        let piece = prop_oneof![
            2 => prop::sample::select(pieces).prop_map(str::to_owned),
            3 => prop::sample::select(noise),
            1 => Just(" ".repeat(20)),
        ];
        // What is no number as a whole.
        (
            Just(way),
            prop::collection::vec(piece, 0..24).prop_map(|all| "t ".to_owned() + &all.concat()),
        )
    })
}

/// The plan of each of [`WAYS`].
static PLANS: LazyLock<Vec<Arc<Plan>>> = LazyLock::new(|| {
    let plan_of = |(regex, before, after, _): &(&str, &str, &str, &[&str])| {
        let mut lines = format!("pack = 'own'\n[[detector]]\nid = 'x'\nregex = '{regex}'\n");
        for (key, inside) in [("not_before", before), ("not_after", after)] {
            if !inside.is_empty() {
                lines += &format!("{key} = '{inside}'\n");
            }
        }
        plan(Pack::parse("own.toml", &lines).unwrap())
    };
    WAYS.iter().map(plan_of).collect()
});

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..config() })]
    #[test]
    fn what_is_found_is_what_the_regex_finds((way, text) in texts()) {
        let (regex, before, after, _) = WAYS[way];
        // A class that has nothing.
        let class = |inside: &str| match inside {
            "" => bytes(r"[^\x00-\xff]"),
            _ => bytes(&format!("[{inside}]")),
        };
        let beside = (class(before), class(after));
        let wanted = redacted(&bytes(regex), (&beside.0, &beside.1), &text);
        let line = format!(r#"{{"m":"{text}"}}"#);
        prop_assert_eq!(clean(&PLANS[way], &line), format!(r#"{{"m":"{wanted}"}}"#), "{}", regex);
    }
}
