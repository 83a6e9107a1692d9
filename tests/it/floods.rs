//! What judging may cost: every flood of every detector ends within its event's budget. Units are
//! counted, never time; `cargo bench --bench engine -- floods` compares the two.

#[path = "../../benches/support/floods.rs"]
mod generated;

use std::{fs, path::Path, sync::Arc};

use generated::{Flood, all};
use tamis::engine::{Chunk, Engine, Output, Plan, Reason, Settings, detect::Pack};

/// Every pack in the repository.
fn packs() -> Vec<Pack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().filter(|path| path.is_file());
    files.map(|path| Pack::parse("a pack", &fs::read_to_string(path).unwrap()).unwrap()).collect()
}

fn plan(packs: Vec<Pack>) -> Arc<Plan> {
    Arc::new(Plan::compile(Settings { packs, ..Settings::default() }).unwrap())
}

/// What a worker made of a line, and what that cost.
struct Judged {
    out: Output,
    units: usize,
}

fn judge(engine: &mut Engine, line: &[u8]) -> Judged {
    let mut out = Output::default();
    engine.process(&Chunk::from_bytes(line), &mut out);
    Judged { units: engine.units(), out }
}

fn too_costly(out: &Output) -> bool {
    out.tally.rejected[Reason::TooCostly.index()] > 0
}

/// Judges the line by a worker that has seen much, and by one that has seen nothing.
fn check(plan: &Arc<Plan>, used: &mut Engine, flood: &Flood, line: &[u8]) -> (usize, bool) {
    let what = || format!("{}: {:?}", flood.name, &flood.unit);
    let a = judge(used, line);
    assert_eq!((a.out.tally.read, a.out.tally.unaccounted()), (1, 0), "{}", what());
    // The last step may go over the limit: a round is paid for by the length that placeholders gave
    // the event.
    let limit = Engine::units_allowed(line.len()) + 24 * line.len() + 1024;
    assert!(a.units <= limit, "{}: {} units of {limit}", what(), a.units);
    assert!(!too_costly(&a.out) || a.out.clean.is_empty(), "{}", what());
    let b = judge(&mut Engine::new(plan.clone()), line);
    assert_eq!(a.units, b.units, "{}", what());
    assert!(a.out.clean == b.out.clean, "{}", what());
    (a.units, too_costly(&a.out))
}

#[test]
fn every_flood_ends_within_its_budget_whoever_judges_it() {
    let packs = packs();
    let plan = plan(packs.clone());
    let mut used = Engine::new(plan.clone());
    let floods = all(&packs);
    assert!(floods.len() > 1000, "{}", floods.len());
    let (mut judged, mut costly) = (0, 0);
    for (i, flood) in floods.iter().enumerate() {
        let line = if i % 4 == 3 { flood.line(4 << 10) } else { flood.event(4 << 10) };
        let (_, refused) = check(&plan, &mut used, flood, &line);
        (judged, costly) = (judged + 1, costly + usize::from(refused));
    }
    println!("{costly} of {judged} too costly");
    // What is refused is made for it; most floods cost little, as their causes are mended.
    assert!(costly * 4 < judged, "{costly} of {judged} floods of 4 KiB are too costly");
}

/// The longest events, of the floods that were slow once and of some others.
#[test]
fn long_floods_end_within_their_budget() {
    let packs = packs();
    let plan = plan(packs.clone());
    let mut used = Engine::new(plan.clone());
    let floods = all(&packs);
    let known = floods.iter().take_while(|f| f.name == "known");
    for flood in known.chain(floods.iter().step_by(97)) {
        check(&plan, &mut used, flood, &flood.event(500_000));
    }
}

/// Patterns of a user's that need more states than there is memory for: what becomes of an event
/// depends on the event alone, whatever the worker has judged before.
#[test]
fn a_users_pattern_has_the_same_budget() {
    let pack = r#"
pack = "user"
version = 1

[[detector]]
id = "counts"
category = "customer"
description = "Counts"
literals = ["zzz-"]
regex = '(?:zzz-)(?:a|aa)*(?:[a-z ]*){0,100}[\w\W]{0,2000}zzz'

[[detector]]
id = "remembers"
category = "customer"
description = "Remembers the last bytes"
literals = ["key-"]
regex = 'key-(?:a|b)*a(?:a|b){14}c'
"#;
    let plan = plan(vec![Pack::parse("user.toml", pack).unwrap()]);
    let mut used = Engine::new(plan.clone());
    let mut n = 1u32;
    let mut letters = |count: usize| -> String {
        let next = |_| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if n >> 30 & 1 == 0 { 'a' } else { 'b' }
        };
        (0..count).map(next).collect()
    };
    let flood = |unit: String| Flood { name: "user".into(), unit };
    // A memory that fills up over many events is emptied, and none of them is refused.
    for _ in 0..60 {
        let flood = flood(format!("key-{}c ", letters(300)));
        let (_, refused) = check(&plan, &mut used, &flood, &flood.event(300));
        assert!(!refused);
    }
    // One that needs too much by itself is refused by every worker.
    for unit in [format!("key-{}", letters(40_000)), "zzz-aaaa b zz".into()] {
        let flood = flood(unit);
        let (_, refused) = check(&plan, &mut used, &flood, &flood.event(140_000));
        assert!(refused, "{}", flood.unit.len());
    }
}

/// A regex that alone fills the memory of a worker is refused before an event comes.
#[test]
fn a_pattern_that_cannot_fit_is_refused_at_the_start() {
    let pack = r#"
pack = "user"

[[detector]]
id = "counts"
literals = ["zzz-"]
regex = '(?:zzz-)(?:a|aa)*(?:[a-z ]*){0,400}[\w\W]{0,5000}zzz'
"#;
    let packs = vec![Pack::parse("user.toml", pack).unwrap()];
    let refused = Plan::compile(Settings { packs, ..Settings::default() }).err().unwrap();
    assert!(refused.to_string().contains("use smaller bounds"), "{refused}");
}
