//! Values that are OTLP logs.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::{
    pipeline::records::{Codec, Lines, ValueFraming},
    records::log_records,
};

/// A value with a resource attribute, and log records in two arrays.
fn value(resource: &str, first: &[&str], second: &[&str]) -> String {
    let (first, second) = (first.join(" ,\n "), second.join(","));
    format!(
        "{{\n\t\"resourceLogs\" : [{{\"resource\":{{\"attributes\":[{{\"key\":\"host\",\
         \"value\":{{\"stringValue\":\"{resource}\"}}}}]}},\r\n\"scopeLogs\":[\
         {{\"scope\":{{\"name\":\"s\"}},\"logRecords\":[ {first} ]}},\
         {{\"logRecords\":[{second}]}}]}}]}}\n"
    )
}

fn log(body: &str, key: &str, value: &str) -> String {
    format!(
        "{{ \"body\":{{\"stringValue\":\"{body}\"}},\n\"attributes\":[{{\"key\":\"{key}\",\
         \"value\":{{\"stringValue\":\"{value}\"}}}}]}}"
    )
}

fn bench(values: &[&str], settings: Settings) -> Bench {
    let place = Place { id: 1, topic: "logs.app".into(), partition: 0 };
    let mut block = Block::default();
    for value in values {
        let (value, framing) = (Some(value.as_bytes()), ValueFraming::Whole);
        block.push(&place, &Incoming { value, framing, ..Incoming::default() }, 1 << 20);
    }
    Bench::judged(block, None, settings)
}

impl Bench {
    fn logs(&self, at: usize) -> &Lines {
        let Fate::Lines(lines) = &self.verdict(at).fate else { panic!("{at}") };
        lines
    }

    fn left(&self, at: usize) -> Option<String> {
        let bytes = match self.logs(at).value.as_ref()? {
            Body::Kept(range) => self.block.bytes(range),
            Body::Arena(range) => &self.out.arena[range.clone()],
            Body::Clean(_) | Body::Chunk(_) => panic!("{at}"),
        };
        Some(String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn refused(&self, at: usize) -> Vec<(u32, Reason, &str)> {
        let body = |range: &std::ops::Range<usize>| &self.out.output.bodies[range.clone()];
        let all = self.out.output.rejects[self.logs(at).rejects.clone()].iter();
        all.map(|r| (r.line, r.reason, str::from_utf8(body(&r.body)).unwrap())).collect()
    }
}

#[test]
fn logs_that_are_clean_leave_as_they_came() {
    let clean = log("started", "user.id", "u-17");
    let clean = [clean.as_str(), "{}"];
    let all = value("h", &clean, &clean[..1]);
    let bench = bench(&[&all, "{\"n\":1}", "{\"resourceLogs\":[]}\n"], Settings::default());
    assert_eq!(bench.left(0).as_ref(), Some(&all));
    assert_eq!(bench.left(1).as_deref(), Some("{\"n\":1}"));
    assert_eq!(bench.left(2).as_deref(), Some("{\"resourceLogs\":[]}\n"));
    let tally = &bench.out.output.tally;
    assert_eq!((tally.read, tally.clean), (5, 5));
}

#[test]
fn attributes_obey_rules_by_key() {
    let clean = log("started", "n", "1");
    let given = |body: &str, secret: &str| [clean.clone(), log(body, "password", secret)];
    let text = |host: &str, [first, second]: &[String; 2]| value(host, &[first, second], &[first]);
    let before = text("h", &given("for ada@example.com", "hunter2"));
    let after = text("h", &given("for [REDACTED:email]", "[REDACTED:secret_field]"));
    let host = text("ada@example.com", &given("x", "[REDACTED:secret_field]"));
    let bench = bench(&[&before, &host], Settings::default());
    assert_eq!(bench.left(0).as_ref(), Some(&after));
    assert_eq!(bench.left(1), Some(host.replace("ada@example.com", "[REDACTED:email]")));
    let tally = &bench.out.output.tally;
    // What is found around the log records applies to all of them.
    assert_eq!((tally.read, tally.clean, tally.redacted), (6, 2, 4));
    assert_eq!(tally.redactions.iter().sum::<u64>(), 3);
}

#[test]
fn log_records_that_are_refused_go_and_the_others_stay() {
    let schema = Some(Arc::new(Schema::require(&["body"]).unwrap()));
    let good = log("x", "n", "1");
    let bad = "{\"mail\":\"ada@example.com\"}";
    let all = [
        (value("h", &[bad, &good, &good], &[bad]), value("h", &[&good, &good], &[])),
        (value("h", &[&good, bad, &good], &[&good]), value("h", &[&good, &good], &[&good])),
        (value("h", &[&good, &good, bad], &[bad, &good]), value("h", &[&good, &good], &[&good])),
        (value("h", &[bad], &[bad, bad]), String::new()),
    ];
    let given: Vec<_> = all.iter().map(|(given, _)| given.as_str()).collect();
    let bench = bench(&given, Settings { schema, ..Settings::default() });
    for (at, (_, wanted)) in all.iter().enumerate() {
        assert_eq!(bench.left(at).unwrap_or_default(), *wanted, "{at}");
    }
    let body = "{\"mail\":\"[REDACTED:email]\"}";
    let refused = |lines: &[u32]| -> Vec<_> {
        lines.iter().map(|line| (*line, Reason::Judged(EngineReason::Required), body)).collect()
    };
    assert_eq!(bench.refused(0), refused(&[1, 4]));
    assert_eq!(bench.refused(2), refused(&[3, 4]));
    assert_eq!(bench.refused(3), refused(&[1, 2, 3]));
    assert_eq!(bench.out.output.tally.rejected_total(), 8);
}

#[test]
fn what_a_rule_drops_takes_its_log_record_with_it() {
    let rule = Rule {
        label: "drop".into(),
        name: None,
        detectors: vec!["secret_field".into()],
        path: None,
        action: Action::Drop,
        secrets: false,
    };
    let policy = Policy { rules: vec![rule], ..Policy::default() };
    // The schema refuses the last one, too. Its text must not be shown because of that.
    let schema = Some(Arc::new(Schema::require(&["body"]).unwrap()));
    let (good, bad) = (log("x", "n", "1"), log("x", "password", "hunter2"));
    let worse = bad.replace("\"body\"", "\"b\"");
    let given = value("h", &[&bad, &good], &[&worse]);
    let around = value("h", &[&good], &[&good]).replace("\"host\"", "\"password\"");
    let bench = bench(&[&given, &around], Settings { policy, schema, ..Settings::default() });
    assert_eq!(bench.left(0), Some(value("h", &[&good], &[])));
    assert_eq!(
        bench.refused(0),
        [(1, Reason::Judged(EngineReason::Rule), ""), (3, Reason::Judged(EngineReason::Rule), "")]
    );
    assert!(!String::from_utf8_lossy(&bench.out.arena).contains("hunter2"));
    assert_eq!(bench.left(1), None);
    assert_eq!(
        bench.refused(1),
        [(1, Reason::Judged(EngineReason::Rule), ""), (2, Reason::Judged(EngineReason::Rule), "")]
    );
}

#[test]
fn what_is_no_log_is_one_event_and_what_is_too_much_is_not_judged() {
    let leaf = "{\"stringValue\":\"\"},".repeat(2000);
    let long = format!(
        "{{\"key\":\"{}\",\"value\":{{\"arrayValue\":{{\"values\":[{}]}}}}}}",
        "k".repeat(2000),
        leaf.trim_end_matches(',')
    );
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(127), "]".repeat(127));
    let given = [
        "{\"key\":\"password\",\"value\":\"hunter2\"}",
        "a text",
        "{\"broken\":",
        "",
        long.as_str(),
        deep.as_str(),
    ];
    let bench = bench(&given, Settings::default());
    let redacted = "{\"key\":\"password\",\"value\":\"[REDACTED:secret_field]\"}";
    assert_eq!(bench.left(0).as_deref(), Some(redacted));
    assert_eq!(bench.left(1).as_deref(), Some("{\"message\":\"a text\"}"));
    assert_eq!(
        (bench.left(2), bench.refused(2)[0].1),
        (None, Reason::Judged(EngineReason::Unterminated))
    );
    assert!(matches!(bench.verdict(3).fate, Fate::Blank));
    let reason = |at: usize| {
        let Fate::Rejected(reject) = bench.verdict(at).fate else { panic!("{at}") };
        bench.out.output.rejects[reject].reason
    };
    assert_eq!(
        (reason(4), reason(5)),
        (Reason::Judged(EngineReason::TooCostly), Reason::Judged(EngineReason::TooDeep))
    );
    assert_eq!(bench.out.output.tally.read, 6);
}

#[test]
fn logs_may_come_compressed() {
    let text = value("h", &[&log("x", "password", "hunter2")], &[]);
    let place = Place { id: 1, topic: "logs.app".into(), partition: 0 };
    let mut block = Block::default();
    let (value, framing) = (Some(text.as_bytes()), ValueFraming::Whole);
    let packed = Some((Codec::Gzip, &b"as it came"[..]));
    block.push(&place, &Incoming { value, framing, packed, ..Incoming::default() }, 1 << 20);
    let bench = Bench::judged(block, None, Settings::default());
    let Some(Body::Arena(range)) = &bench.logs(0).value else { panic!() };
    assert!(bench.out.arena[range.clone()].starts_with(b"\x1f\x8b"));
}

/// Log records, and the result for each. The first one is clean.
fn kinds() -> Vec<(String, Option<String>)> {
    let same = |log: String| (log.clone(), Some(log));
    vec![
        same(log("started", "n", "1")),
        same("{}".into()),
        same("{ \"n\" : [ ] ,\t\"attributes\":[ ] }".into()),
        (log("x", "password", "hunter2"), Some(log("x", "password", "[REDACTED:secret_field]"))),
        (log("to ada@example.com", "n", "1"), Some(log("to [REDACTED:email]", "n", "1"))),
        (log("x", "mail", "card 4111 1111 1111 1111"), None),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever arrays contain which log records, each has its own result, and nothing else
    /// changes.
    #[test]
    fn each_log_record_has_its_own_end(
        first in vec(0..6_usize, 0..5),
        second in vec(0..6_usize, 0..5),
        host in prop::sample::select(vec!["h", "ada@example.com"]),
    ) {
        let rule = Rule {
            label: "drop".into(),
            name: None,
            detectors: vec!["payment_card".into()],
            path: None,
            action: Action::Drop,
            secrets: false,
        };
        let policy = Policy { rules: vec![rule], ..Policy::default() };
        let kinds = kinds();
        let given = |all: &[usize]| -> Vec<_> { all.iter().map(|k| kinds[*k].0.as_str()).collect() };
        let wanted = |all: &[usize]| -> Vec<_> {
            all.iter().filter_map(|k| kinds[*k].1.as_deref()).collect()
        };
        let text = value(host, &given(&first), &given(&second));
        let bench = bench(&[&text], Settings { policy, ..Settings::default() });
        let (kept, others) = (wanted(&first), wanted(&second));
        let logs = first.len() + second.len();
        let left = match logs > 0 && kept.is_empty() && others.is_empty() {
            true => None,
            false => Some(value(&host.replace("ada@example.com", "[REDACTED:email]"), &kept, &others)),
        };
        prop_assert_eq!(bench.left(0), left);
        let all = first.iter().chain(&second);
        let gone: Vec<_> = (1..).zip(all).filter(|(_, k)| kinds[**k].1.is_none()).collect();
        let refused = bench.refused(0);
        prop_assert_eq!(gone.len(), refused.len());
        for ((number, _), (line, reason, body)) in gone.iter().zip(refused) {
            prop_assert_eq!((*number, Reason::Judged(EngineReason::Rule)), (line, reason));
            prop_assert!(!body.contains("4111"));
        }
        prop_assert_eq!(bench.out.output.tally.read, logs.max(1) as u64);
    }
}

#[test]
fn some_of_the_log_records_come_alone() {
    let all = ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"];
    let text = value("h", &all[..2], &all[2..]);
    let of = |numbers: &[u32]| {
        let narrowed = log_records(text.as_bytes(), &|number| numbers.contains(&number));
        narrowed.map(|text| String::from_utf8(text).unwrap())
    };
    assert_eq!(of(&[1, 2, 3]), Some(text.clone()));
    assert_eq!(of(&[2]), Some(value("h", &all[1..2], &[])));
    assert_eq!(of(&[1, 3]), Some(value("h", &all[..1], &all[2..])));
    assert_eq!((of(&[]), of(&[4])), (None, None));
    for text in ["{}", "{\"n\":1}\n{\"n\":2}", "[", ""] {
        assert_eq!(log_records(text.as_bytes(), &|_| true), None, "{text}");
    }
}
