//! Patterns: their size limits, their memory, and that a trail changes nothing.

use regex_automata::hybrid::LazyStateID;

use super::*;
use crate::engine::detect::Catalog;
use crate::engine::detect::Selection;
use crate::engine::tests::packs;

/// The end of the match at `at`, with what a worker keeps.
fn end(p: &Pattern, memory: &mut Memory, text: &str, at: usize) -> (Option<usize>, usize, bool) {
    let mut fresh = Vec::<LazyStateID>::new();
    let s = p.search(memory, text.as_bytes(), (at, text.len()), 1, &mut fresh);
    (s.end, s.looked, s.full)
}

#[test]
fn size_limits_of_secrets_are_lifted() {
    let none = Some(ByteSet::NONE);
    let digits = Some(ByteSet::of(|b| b.is_ascii_digit()));
    for (regex, lift, text, wanted) in [
        ("k-[a-z]{2,8}", none, "k-aaaaaaaaaaaaaaaaaaaa", Some(22)),
        ("k-[a-z]{2,8}", None, "k-aaaaaaaaaaaaaaaaaaaa", Some(10)),
        // An exact count and an optional part stay what they are.
        ("k-[a-z]{8}", none, "k-aaaaaaaaaaaaaaaaaaaa", Some(10)),
        ("k-[a-z]{8}={0,2}", none, "k-aaaaaaaa====", Some(12)),
        ("k-a?b", none, "k-aab", None),
        // Inside, too, and of groups.
        ("k-[a-z]{2,8}\\.[a-z]{2,8}", none, "k-aaaaaaaaaaaaaaa.bbbbbbbbbbbbbbb", Some(33)),
        ("k (?:[a-z] ){0,3}?-u x", none, "k a b c d e f -u x", Some(18)),
        // What may not follow says that a longer one is something else, unless the limit is large.
        ("k-[0-9]{2,8}", digits, "k-00000000000000000000", Some(10)),
        ("k-[0-9]{2,64}", digits, &format!("k-{}", "0".repeat(100)), Some(102)),
    ] {
        let p = Pattern::new(regex, lift).unwrap();
        assert_eq!(end(&p, &mut Memory::default(), text, 0).0, wanted, "{regex} on {text}");
    }
}

#[test]
fn a_regex_that_is_too_large_is_refused() {
    for regex in ["(?:[a-z]{1,1000}){1000}", "a{100001}", "(?:(?:a|b){0,400}){0,400}c"] {
        let what = Pattern::new(regex, None).err().unwrap();
        assert!(what.contains("too large"), "{what}");
    }
}

/// Every state of every pattern that ships, whatever the text: none is ever forgotten, so no text
/// makes a worker build states again and again.
#[test]
fn all_states_of_a_shipped_pattern_fit_its_memory() {
    let known = std::sync::Arc::default();
    let (detectors, _) =
        Catalog::compile(&packs(), &[Selection::default()], false, &known).unwrap();
    for d in &detectors.list {
        let Some(dfa) = d.pattern.build(false) else { continue };
        let mut cache = dfa.create_cache();
        let mut queue: Vec<LazyStateID> = Vec::new();
        for before in [None, Some(b' '), Some(b'a'), Some(b'_'), Some(b'\n'), Some(0xff)] {
            let text: Vec<u8> = before.into_iter().chain(*b"x").collect();
            let input = Input::new(&text).span(text.len() - 1..text.len()).anchored(Anchored::Yes);
            queue.push(dfa.start_state_forward(&mut cache, &input).unwrap());
        }
        let mut seen = std::collections::HashSet::new();
        while let Some(state) = queue.pop() {
            if !seen.insert(format!("{state:?}")) || state.is_dead() {
                continue;
            }
            let nexts = (0..=255u8).map(|b| dfa.next_state(&mut cache, state, b));
            let nexts: Result<Vec<_>, _> = nexts.collect();
            queue.extend(nexts.unwrap_or_else(|_| panic!("{}: its states do not fit", d.id)));
        }
        println!("{} {} states, {} bytes", d.id, seen.len(), cache.memory_usage());
    }
}

/// States that do not fit: the search says so, and says the same with an empty memory.
#[test]
fn a_pattern_whose_states_do_not_fit_gives_up() {
    let p = Pattern::new("(?:a|b)*a(?:a|b){16}c", None).unwrap();
    let mut n = 7u32;
    let text: String = (0..20_000)
        .map(|_| {
            n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if n >> 30 & 1 == 0 { 'a' } else { 'b' }
        })
        .collect();
    let mut memory = Memory::default();
    let (_, looked, full) = end(&p, &mut memory, &text, 0);
    assert!(full);
    assert!(memory.size() <= STATES + MOST_PLACES * 4, "{}", memory.size());
    let mut memory = Memory::default();
    assert_eq!(end(&p, &mut memory, &text, 0), (None, looked, true));
}

/// Each candidate of a flood sees the same with a trail as without, and the trail makes the whole
/// flood cost little more than one look at it.
#[test]
fn a_trail_changes_no_match_and_saves_the_second_look() {
    for (regex, unit, last) in [
        (r"eyJ[A-Za-z0-9_-]{10,}\.[a-z]+", "_eyJAAAAAAAAAAAAAAAAAAAAAAAA", ""),
        (r"eyJ[A-Za-z0-9_-]{10,}\.[a-z]+", "_eyJAAAAAAAAAAAAAAAAAAAAAAAA", ".abc def"),
        (r"c (?:[^\s|]+ +)*?-u [a-z]+", "c ab cd ", "-u xyz"),
        (r"c (?:[^\s|]+ +)*?-u [a-z]+", "c ab cd ", "| -u xyz"),
        (r"[a-z]+(?:!|\b.{1,20}?\?)", "word ", "!"),
        (r"(?s:a.*z)", "a z b ", ""),
    ] {
        let p = Pattern::new(regex, None).unwrap();
        let text = format!("{}{last}", unit.repeat(400));
        let (mut kept, mut looked) = (Memory::default(), 0);
        for at in (0..text.len() - last.len()).step_by(unit.len()) {
            let with = end(&p, &mut kept, &text, at);
            let without = end(&p, &mut Memory::default(), &text, at);
            assert_eq!((with.0, with.2), (without.0, without.2), "{regex} at {at} of {text}");
            looked += with.1;
        }
        assert!(looked < 8 * text.len(), "{regex}: {looked} of {}", text.len());
    }
}
