//! Records that take routes: keys and headers are judged by what judges the value, and counts by route add
//! up after all.

use std::sync::Arc;

use super::*;
use crate::engine::{FieldCondition, Pattern, Route, detect::Selection};

fn route(name: &str, of_sources: bool, service: Option<&str>, without: &[&str]) -> Route {
    let fields = service.map(|service| FieldCondition {
        name: "service".into(),
        values: vec![Pattern::parse(service).unwrap()],
    });
    let without = without.iter().map(|name| (*name).to_owned()).collect();
    Route {
        name: name.into(),
        of_sources,
        fields: fields.into_iter().collect(),
        select: Selection { without, ..Selection::default() },
        ..Route::default()
    }
}

/// Judges records, each with its topic, its key and its value; all have a header with an address.
fn judged(routes: Vec<Route>, records: &[(&str, &str, Option<&str>)]) -> Bench {
    let plan = Arc::new(plan(Settings { routes, ..Settings::default() }));
    let mut block = Block::default();
    for (offset, (topic, key, value)) in (0..).zip(records) {
        let place = Place { id: topic.len() as u64, topic: (*topic).into(), partition: 0 };
        let headers: [(&str, Option<&[u8]>); 1] = [("mail", Some(b"bob@example.com"))];
        let record = Incoming {
            offset,
            key: Some(key.as_bytes()),
            headers: &headers,
            value: value.map(str::as_bytes),
            ..Incoming::default()
        };
        block.push(&place, &record, 1 << 16);
    }
    block.seal();
    // The first route is for the topic `lax`.
    let ways = plan.clone();
    let judgement = Judgement::new(plan, None, 0)
        .with_ways(Arc::new(move |topic| ways.way(|route| route == 1 && topic == "lax")));
    let mut out = Judged::default();
    RecordJudge::new(judgement).process(&block, &mut out);
    assert_eq!(out.output.tally.unaccounted(), 0);
    Bench { block, out }
}

/// Forwarded and rejected of each route but for the default.
fn counts(bench: &Bench) -> Vec<(u64, u64)> {
    let routes = bench.out.output.tally.routes.iter();
    routes.map(|counts| (counts.forwarded, counts.rejected)).collect()
}

#[test]
fn keys_and_headers_are_judged_by_what_judges_the_value() {
    let routes =
        vec![route("lax", true, None, &["email"]), route("web", false, Some("web"), &["email"])];
    let web = r#"{"service":"web","m":"ada@example.com"}"#;
    let bench = judged(
        routes,
        &[
            ("lax", "ada@example.com", Some(r#"{"m":"ada@example.com"}"#)),
            ("other", "ada@example.com", Some(web)),
            ("other", "ada@example.com", Some(r#"{"service":"x"}"#)),
            ("other", "k", Some(r#"{"service":"x"}"#)),
            ("lax", "ada@example.com", None),
            ("other", "ada@example.com", None),
            // Whether the second route is meant nobody knows.
            ("other", "ada@example.com", Some(r#"{"m":1}"#)),
        ],
    );
    assert_eq!((bench.how(0), bench.how(1)), (How::Clean, How::Clean));
    for at in [0, 1, 4] {
        assert_eq!(bench.key(at), Some(&b"ada@example.com"[..]), "{at}");
        assert!(bench.verdict(at).headers.is_none(), "{at}");
    }
    for at in [2, 5, 6] {
        assert_eq!(bench.reason(at), Reason::Key, "{at}");
    }
    assert_eq!(bench.how(3), How::Redacted);
    assert_eq!(bench.headers(3), [("mail", Some("[REDACTED:email]"))]);
    assert_eq!(bench.how(4), How::Tombstone);
    let taken: Vec<_> = bench.out.verdicts.iter().map(|verdict| verdict.route).collect();
    assert_eq!(taken, [1, 2, 0, 0, 1, 0, 0]);
    assert_eq!(counts(&bench), [(2, 0), (1, 0)]);
}

#[test]
fn nothing_of_a_record_is_shown_for_which_no_ruleset_is_strict_enough() {
    let narrow = |id: &str| Selection { only: vec![id.into()], ..Selection::default() };
    let settings = Settings {
        select: narrow("ipv4"),
        routes: vec![
            Route { select: narrow("email"), ..route("a", false, Some("a"), &[]) },
            Route { select: narrow("phone"), ..route("b", false, Some("b"), &[]) },
        ],
        ..Settings::default()
    };
    let event: &[u8] = br#"{"service":"a","service":"b"}"#;
    let given: Given<'_> = (Some(b"ada@example.com"), &[("mail", Some(b"x"))], Some(event));
    let bench = Bench::of(&[given], None, settings);
    assert_eq!(bench.reason(0), EngineReason::DuplicateKey);
    assert!(matches!(bench.verdict(0).key, Key::Withheld));
    assert_eq!(bench.headers(0), []);
}

#[test]
fn what_a_key_refuses_is_counted_for_the_route() {
    let routes = vec![route("lax", true, None, &["phone"]), route("web", false, Some("web"), &[])];
    let bench = judged(
        routes,
        &[
            ("lax", "ada@example.com", Some("{}")),
            ("lax", "k", Some("{}")),
            ("other", "ada@example.com", Some(r#"{"service":"web"}"#)),
            ("other", "k", Some(r#"{"service":"web"}"#)),
        ],
    );
    assert_eq!((bench.reason(0), bench.reason(2)), (Reason::Key, Reason::Key));
    assert_eq!(counts(&bench), [(1, 1), (1, 1)]);
}
