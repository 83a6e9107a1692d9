//! Producers that write single bytes, and lines in pieces with pauses between.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread::{scope, sleep},
    time::Duration,
};

use super::{
    agent::{Yard, event},
    chance::{Random, Stopped, setting},
    promise::{Promise, nothing_leaked},
};

const KEEP: &[&str] = &["--data-dir", "data", "-o", "clean", "--dead-letter", "dead"];

fn dribble(yard: &Yard, name: &str, seed: u64, next: &AtomicU64, stop: &AtomicBool) {
    let mut random = Random(seed);
    while !stop.load(Relaxed) {
        let event = event(next.fetch_add(1, Relaxed));
        let mut rest = event.as_str();
        while !rest.is_empty() {
            let step = 1 + random.below(3) * random.below(30);
            let (piece, behind) = rest.split_at(rest.len().min(step as usize));
            yard.append(name, piece);
            rest = behind;
            // Now and then for longer than a checkpoint takes.
            sleep(match random.below(200) {
                0 => Duration::from_millis(900),
                n if n < 40 => Duration::from_millis(5),
                _ => Duration::from_micros(200),
            });
        }
    }
}

#[test]
fn no_half_line_ever_leaves_as_a_line() {
    let seed = setting("TAMIS_SEED", 1);
    let yard = Yard::new();
    let (next, stop) = (AtomicU64::new(1), AtomicBool::new(false));
    let mut random = Random(seed);
    scope(|threads| {
        let (yard, next, stop) = (&yard, &next, &stop);
        for file in 0..4 {
            let name = format!("{file}.log");
            threads.spawn(move || dribble(yard, &name, seed + file, next, stop));
        }
        let _stopped = Stopped(stop);
        for kill in 0..setting("TAMIS_KILLS", 20) / 3 {
            let before = yard.read("clean").len();
            let agent = yard.start(KEEP);
            sleep(Duration::from_millis(20 + random.below(900)));
            if kill % 2 == 1 {
                // It hears signals by then.
                yard.until("a line", || yard.read("clean").len() > before);
            }
            let promise = if kill % 2 == 0 {
                agent.kill();
                Promise::of(yard, "clean")
            } else {
                agent.stop();
                let promise = Promise::of(yard, "clean");
                let all = yard.file_ids("clean");
                assert!(all.iter().all(|id| promise.ids.contains(id)), "a stop keeps all");
                promise
            };
            let agent = yard.start(KEEP);
            sleep(Duration::from_millis(20 + random.below(300)));
            agent.kill();
            promise.is_kept(&format!("kill {kill} of seed {seed}"));
        }
    });
    let last = next.load(Relaxed);
    let agent = yard.start(KEEP);
    let got = || {
        let mut got = yard.file_ids("clean");
        got.sort_unstable();
        got.dedup();
        got
    };
    yard.until("every event", || got().len() as u64 == last - 1);
    agent.stop();
    assert_eq!(got(), (1..last).collect::<Vec<_>>(), "seed {seed}");
    // Every line is a whole one.
    let clean = yard.read("clean");
    assert_eq!(clean.lines().count(), yard.file_ids("clean").len(), "seed {seed}");
    let whole = clean.lines().all(|line| line.starts_with("{\"id\":") && line.ends_with("\"}"));
    assert!(whole, "seed {seed}");
    assert_eq!(yard.read("dead"), "");
    nothing_leaked(&yard);
}
