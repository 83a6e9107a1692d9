//! The delivery contract, with real files, a real program and SIGKILL.
//!
//! SIGKILL proves what a process that ends at any moment leaves behind. It proves nothing about a
//! machine that loses its power: there the page cache is lost, too, and what counts is what was
//! synced.
//!
//! `TAMIS_KILLS=200 cargo test --release --test it -- follow` is the longer run, `TAMIS_SEED` another
//! one.

use std::{
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread::{scope, sleep},
    time::Duration,
};

use super::{
    agent::{Yard, event, gzip, ids},
    chance::{Random, Stopped, setting},
    promise::{Promise, nothing_leaked},
};

/// What rotates the log while it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rotation {
    Rename,
    /// By rename, and the one before is compressed.
    Compress,
    None,
}

/// Writes events until it is told to stop, in writes that end anywhere, and rotates.
fn produce(yard: &Yard, rotation: Rotation, seed: u64, next: &AtomicU64, stop: &AtomicBool) {
    let mut random = Random(seed);
    let (mut text, mut rotated) = (String::new(), 0);
    let mut since = 0;
    while !stop.load(Relaxed) {
        for _ in 0..random.below(400) {
            text.push_str(&event(next.fetch_add(1, Relaxed)));
        }
        // ASCII: any byte is a boundary.
        let end = random.below(text.len() as u64 + 1) as usize;
        yard.append("a.log", &text[..end]);
        text.drain(..end);
        since += 1;
        if since > 60 && rotation != Rotation::None {
            yard.append("a.log", &text);
            text.clear();
            rotate(yard, rotation, rotated);
            (rotated, since) = (rotated + 1, 0);
        }
        sleep(Duration::from_millis(4));
    }
    yard.append("a.log", &text);
}

/// Old files stay, so that the test can tell what they had.
fn rotate(yard: &Yard, rotation: Rotation, n: u64) {
    let old = yard.log(&format!("a.log.{n:04}"));
    fs::rename(yard.log("a.log"), &old).unwrap();
    if rotation == Rotation::Compress && n > 0 {
        gzip(&yard.log(&format!("a.log.{:04}", n - 1)));
    }
}

fn contract(rotation: Rotation, kills: u64) {
    let seed = setting("TAMIS_SEED", 1);
    let yard = Yard::new();
    let (next, stop) = (AtomicU64::new(1), AtomicBool::new(false));
    let args: &[&str] = &["--data-dir", "data", "-o", "clean", "--dead-letter", "dead"];
    let (mut random, mut kept) = (Random(seed), 0);
    scope(|threads| {
        threads.spawn(|| produce(&yard, rotation, seed, &next, &stop));
        // A failure must end the producer, too.
        let _stopped = Stopped(&stop);
        for kill in 0..kills {
            let agent = yard.start(args);
            if kill == 0 {
                // However slow the machine is: without a promise there is none to break.
                let kept = || !Promise::of(&yard, "clean").ids.is_empty();
                yard.until("a checkpoint", kept);
            }
            sleep(Duration::from_millis(20 + random.below(1500)));
            agent.kill();
            let promise = Promise::of(&yard, "clean");
            kept += promise.ids.len();
            let agent = yard.start(args);
            sleep(Duration::from_millis(20 + random.below(900)));
            agent.kill();
            promise.is_kept(&format!("kill {kill} of seed {seed}, {rotation:?}"));
        }
    });
    let agent = yard.start(args);
    let last = next.load(Relaxed);
    // Archives are looked into when they have not grown for a while.
    let got = || {
        let mut got = ids(&yard.read("clean"));
        let all = got.len();
        got.sort_unstable();
        got.dedup();
        (got, all)
    };
    for _ in 0..30 {
        if got().0.len() as u64 == last - 1 {
            break;
        }
        sleep(Duration::from_secs(1));
    }
    let summary = agent.stop();
    assert_eq!(summary["unaccounted"], 0);

    assert!(kept > 0, "no checkpoint was ever written");
    let (got, all) = got();
    let missing: Vec<_> = (1..last).filter(|id| got.binary_search(id).is_err()).take(5).collect();
    assert!(missing.is_empty(), "lost, of seed {seed}, {rotation:?}: {missing:?} of {last}");
    eprintln!("{rotation:?}: {} events, {} given again", got.len(), all - got.len());
    nothing_leaked(&yard);
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_leaked() {
    contract(Rotation::None, setting("TAMIS_KILLS", 20) / 4);
}

#[test]
fn killed_while_files_are_renamed_nothing_is_lost_or_leaked() {
    contract(Rotation::Rename, setting("TAMIS_KILLS", 20) / 4);
}

#[test]
fn killed_while_files_are_compressed_nothing_is_lost_or_leaked() {
    contract(Rotation::Compress, setting("TAMIS_KILLS", 20) / 4);
}
