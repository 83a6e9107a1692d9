//! No allocation per event in the steady state, held by an allocator that counts.
//!
//! A binary of its own, for the allocator is the whole program's.

// Only the allocator below: it hands every call to the system's own, unchanged.
#![allow(unsafe_code)]
// The lint's own exception covers #[test] functions, not what they share.
#![allow(clippy::unwrap_used)]

#[path = "../benches/support/generator.rs"]
mod generator;

#[path = "allocations/formula.rs"]
mod formula;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
};

use generator::{Generator, Variant};
use tamis::engine::{
    Chunk, Engine, FieldCondition, Output, Pattern, Plan, Route, Settings,
    detect::{Pack, Selection},
    policy::{Action, Allow, KeyRing, Policy, PseudonymKey, Rule},
    schema::Schema,
};

thread_local! {
    /// Each test's own: the harness runs them side by side.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// The bytes that this thread has allocated and not freed, and the most that it ever had.
    static HELD: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

struct Counting;

fn count() {
    // A thread that ends has no counter any more, and nobody to read it.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: every method passes its arguments on to `System`, whose contract is the same, and counts
// without allocating: the counter is a constant-initialised `Cell` without a destructor.
/// Notes that `bytes` more are held.
fn hold(bytes: i64) {
    let _ = HELD.try_with(|held| {
        let now = held.get().0 + bytes;
        held.set((now, held.get().1.max(now)));
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size() as i64);
        // SAFETY: the caller keeps the contract that is also `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        hold(layout.size() as i64);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        hold(size as i64 - layout.size() as i64);
        // SAFETY: as above; `at` came from `System`.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        hold(-(layout.size() as i64));
        // SAFETY: as above; `at` came from `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A chunk of the size that the pipeline cuts.
const CHUNK: usize = 256 << 10;
/// New text may show a regex or a path for the first time in any chunk, and lengthen a buffer.
/// A chunk holds some 400 events; one allocation for every tenth would be over this.
const PER_CHUNK: u64 = 24;

fn plan(schema: bool, bodies: bool) -> Arc<Plan> {
    with_policy(schema, bodies, Policy::default())
}

fn with_policy(schema: bool, bodies: bool, policy: Policy) -> Arc<Plan> {
    let packs = [
        ("core.toml", include_str!("../patterns/core.toml")),
        ("secrets.toml", include_str!("../patterns/secrets.toml")),
    ];
    let packs = packs.iter().map(|(name, text)| Pack::parse(name, text).unwrap()).collect();
    let schema = schema.then(|| Arc::new(Schema::builtin("service-log").unwrap().unwrap()));
    let settings = Settings { packs, schema, bodies, policy, ..Settings::default() };
    Arc::new(Plan::compile(settings).unwrap())
}

/// How often `engine` allocates on `chunk`.
fn allocations(engine: &mut Engine, chunk: &Chunk, out: &mut Output) -> u64 {
    out.clear();
    let before = ALLOCATIONS.get();
    engine.process(chunk, out);
    let allocations = ALLOCATIONS.get() - before;
    assert_eq!(out.tally.unaccounted(), 0);
    allocations
}

fn chunk(variant: Variant, seed: u64) -> Chunk {
    Chunk::from_bytes(&Generator::chunk(variant, seed, CHUNK))
}

/// Warm-up, then new text, then the same text once more.
fn steady(plan: &Arc<Plan>, variant: Variant, chunk: impl Fn(u64) -> Chunk) {
    let (mut engine, mut out) = (Engine::new(plan.clone()), Output::default());
    for seed in 0..6 {
        allocations(&mut engine, &chunk(seed), &mut out);
    }
    let name = variant.name();
    let last = chunk(9);
    for fresh in [&chunk(7), &chunk(8), &last] {
        let n = allocations(&mut engine, fresh, &mut out);
        assert!(n <= PER_CHUNK, "{name}: {n} allocations in a chunk of {} lines", out.tally.read);
    }
    let again = allocations(&mut engine, &last, &mut out);
    assert_eq!(again, 0, "{name}: a chunk that is known, {} lines", out.tally.read);
}

#[test]
fn the_counter_counts() {
    let before = ALLOCATIONS.get();
    let mut grown = vec![1u8];
    grown.reserve(1 << 12);
    assert_eq!(ALLOCATIONS.get() - before, 2);
}

#[test]
fn service_logs() {
    for schema in [false, true] {
        let plan = plan(schema, false);
        for &variant in Variant::LOGS {
            steady(&plan, variant, |seed| chunk(variant, seed));
        }
    }
}

/// Events of several services by turns, each with a route and a ruleset of its own.
#[test]
fn routes() {
    let by = |(service, without): (&&str, &&str)| Route {
        name: (*service).to_owned(),
        fields: vec![FieldCondition {
            name: "service".into(),
            values: vec![Pattern::parse(service).unwrap()],
        }],
        select: Selection { without: vec![(*without).to_owned()], ..Selection::default() },
        ..Route::default()
    };
    let without = ["email", "phone", "ipv4", "ipv6"];
    let routes = generator::SERVICES.iter().zip(&without).map(by).collect();
    let settings = plan(false, false).settings().clone();
    let plan = Arc::new(Plan::compile(Settings { routes, ..settings }).unwrap());
    for &variant in Variant::LOGS {
        steady(&plan, variant, |seed| chunk(variant, seed));
    }
}

#[test]
fn floods() {
    let plan = plan(true, false);
    for &variant in Variant::FLOODS {
        steady(&plan, variant, |seed| chunk(variant, seed));
    }
}

/// Every kind of rule, by path and by detector, on known paths and on ever new ones.
#[test]
fn a_policy() {
    let rule = |path: &str, detectors: &[&str], action| Rule {
        label: path.into(),
        name: None,
        detectors: detectors.iter().map(|d| (*d).to_owned()).collect(),
        path: (!path.is_empty()).then(|| path.into()),
        action,
        secrets: false,
    };
    let rules = vec![
        rule("**.user_agent", &[], Action::Remove),
        rule("**.path", &[], Action::Null),
        rule("**.request.*", &[], Action::Mask { first: 1, last: 1 }),
        rule("user.**", &["contact"], Action::Remove),
        rule("**.msg", &[], Action::Observe),
        rule("", &["contact"], Action::Mask { first: 2, last: 0 }),
        rule("", &["network"], Action::Observe),
        rule("", &["financial"], Action::Drop),
    ];
    let allow =
        Allow { suffix: vec![".org".into()], regex: vec!["a.*".into()], ..Allow::default() };
    let plan = with_policy(false, false, Policy { allow: vec![allow], rules, ..Policy::default() });
    for &variant in Variant::LOGS {
        steady(&plan, variant, |seed| chunk(variant, seed));
    }
}

/// Pseudonyms of everything that is found, and of values by path.
#[test]
fn pseudonyms() {
    let rule = |path: Option<&str>, detectors: &[&str]| Rule {
        label: "hmac".into(),
        name: None,
        detectors: detectors.iter().map(|d| (*d).to_owned()).collect(),
        path: path.map(str::to_owned),
        action: Action::Hmac { key: 0 },
        secrets: false,
    };
    let rules = vec![
        rule(Some("**.user_agent"), &[]),
        rule(None, &["contact", "network", "financial", "government_id", "secret"]),
    ];
    let active = PseudonymKey::new("2026-11", b"0123456789abcdef").unwrap();
    let keys = vec![KeyRing { name: "person".into(), active, previous: vec![] }];
    let plan = with_policy(false, false, Policy { rules, keys, ..Policy::default() });
    for &variant in Variant::LOGS {
        steady(&plan, variant, |seed| chunk(variant, seed));
    }
}

/// Text lines, malformed lines and blank lines: what is not forwarded needs no memory either.
#[test]
fn lines_that_are_no_events() {
    let plan = plan(false, false);
    steady(&plan, Variant::Compact, |seed| {
        let log = Generator::chunk(Variant::Compact, seed, CHUNK);
        let odd: Vec<u8> = log
            .split_inclusive(|&b| b == b'\n')
            .enumerate()
            .flat_map(|(n, line)| match n % 4 {
                0 => line.to_vec(),
                1 => [b"text ", line].concat(),
                2 => [&line[..line.len() / 2], b"\n"].concat(),
                _ => b"\n".to_vec(),
            })
            .collect();
        Chunk::from_bytes(&odd)
    });
}
