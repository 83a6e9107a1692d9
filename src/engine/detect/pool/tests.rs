//! The pool holds what its limit says, and no verdict depends on what other events left in it.

use std::sync::Arc;

use super::*;
use crate::engine::detect::Pack;
use crate::engine::{Chunk, Engine, Output, Plan, Settings};

/// A plan with `count` detectors, each with its own prefix before `tail`.
fn plan(count: usize, tail: &str) -> Arc<Plan> {
    let detector = |n: usize| {
        format!(
            "[[detector]]\nid = \"d{n}\"\ncategory = \"custom\"\ndescription = \"d\"\n\
             literals = [\"k{n:03}_\"]\nregex = 'k{n:03}_{tail}'\n"
        )
    };
    let detectors: String = (0..count).map(detector).collect();
    let pack = format!("pack = \"many\"\nversion = 1\n{detectors}");
    let packs = vec![Pack::parse("many.toml", &pack).unwrap()];
    Arc::new(Plan::compile(Settings { packs, ..Settings::default() }).unwrap())
}

/// What becomes of `event`, and what it costs.
fn judged(engine: &mut Engine, event: &str) -> (String, usize) {
    let mut out = Output::default();
    engine.process(&Chunk::from_bytes(event.as_bytes()), &mut out);
    (String::from_utf8(out.clean).unwrap(), engine.units())
}

/// What no detector that is written as most are needs more than.
#[test]
fn an_event_with_a_token_of_each_of_three_hundred_detectors_is_redacted() {
    let plan = plan(300, "[A-Za-z0-9]{20,64}");
    let tokens: Vec<_> = (0..300).map(|n| format!("k{n:03}_{}", "0aZ".repeat(9))).collect();
    let (clean, _) =
        judged(&mut Engine::new(plan), &format!("{{\"m\":\"{}\"}}\n", tokens.join(" ")));
    let wanted: Vec<_> = (0..300).map(|n| format!("[REDACTED:d{n}]")).collect();
    assert_eq!(clean, format!("{{\"m\":\"{}\"}}\n", wanted.join(" ")));
}

/// An event with a token of each of these detectors.
fn event(detectors: impl Iterator<Item = usize>) -> String {
    let tokens: Vec<_> = detectors.map(|n| format!("k{n:03}_{}", "ab".repeat(280))).collect();
    format!("{{\"m\":\"{}\"}}\n", tokens.join(" "))
}

#[test]
fn three_hundred_detectors_share_one_pool() {
    let plan = plan(300, "[a-z]{2,600}");
    let mut engine = Engine::new(plan.clone());
    for n in (0..300).chain((0..300).rev()) {
        let one = event(std::iter::once(n));
        let (clean, units) = judged(&mut engine, &one);
        assert_eq!(clean, format!("{{\"m\":\"[REDACTED:d{n}]\"}}\n"));
        assert!(engine.pool_held() <= MOST, "{} bytes", engine.pool_held());
        assert_eq!(judged(&mut Engine::new(plan.clone()), &one), (clean, units), "a new worker");
    }
    assert!(engine.pool_held() > LIMIT / 2, "the pool was full");
}

/// An event that needs more than the pool holds ends alike, whatever came before it.
#[test]
fn an_event_that_needs_all_of_the_pool_is_judged_by_itself() {
    let plan = plan(300, "[a-z]{2,600}");
    let (small, large) = (event(0..4), event(0..300));
    let wanted = [&small, &large].map(|event| judged(&mut Engine::new(plan.clone()), event));
    let mut engine = Engine::new(plan);
    for round in 0..3 {
        for (event, wanted) in [&small, &large].into_iter().zip(&wanted) {
            assert_eq!(&judged(&mut engine, event), wanted, "round {round}");
            assert!(engine.pool_held() <= MOST);
        }
        for n in 0..60 * round {
            judged(&mut engine, &event(std::iter::once(n)));
        }
    }
    assert!(wanted[1].1 > wanted[0].1);
}
