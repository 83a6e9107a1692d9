//! Files that are copied and truncated while they are followed, under load and SIGKILL.
//!
//! What is added between the copy and the truncation is lost to every reader, so this producer adds
//! nothing there.

use std::{
    collections::HashSet,
    fs::{self, OpenOptions},
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

/// As logrotate does it: the log keeps its inode.
fn copytruncate(yard: &Yard, copy: &str) {
    fs::copy(yard.log("a.log"), yard.log(copy)).unwrap();
    OpenOptions::new().write(true).truncate(true).open(yard.log("a.log")).unwrap();
}

/// Events that are written, in writes that end anywhere.
struct Producer<'y> {
    yard: &'y Yard,
    random: Random,
    next: &'y AtomicU64,
    text: String,
}

impl<'y> Producer<'y> {
    fn new(yard: &'y Yard, seed: u64, next: &'y AtomicU64) -> Self {
        Self { yard, random: Random(seed), next, text: String::new() }
    }

    fn write(&mut self, writes: u64) {
        for _ in 0..writes {
            for _ in 0..self.random.below(300) {
                self.text.push_str(&event(self.next.fetch_add(1, Relaxed)));
            }
            let end = self.random.below(self.text.len() as u64 + 1) as usize;
            self.yard.append("a.log", &self.text[..end]);
            self.text.drain(..end);
            sleep(Duration::from_millis(3));
        }
    }

    /// Ends the line that was begun.
    fn finish(&mut self) {
        self.yard.append("a.log", &std::mem::take(&mut self.text));
    }
}

fn distinct(yard: &Yard) -> Vec<u64> {
    let mut got = yard.file_ids("clean");
    got.sort_unstable();
    got.dedup();
    got
}

/// A killed process may have been in the middle of a line.
fn nothing_is_lost(yard: &Yard, last: u64) {
    let got: HashSet<_> = distinct(yard).into_iter().collect();
    let missing: Vec<_> = (1..last).filter(|id| !got.contains(id)).take(5).collect();
    assert!(missing.is_empty(), "lost: {missing:?} of {last}");
    nothing_leaked(yard);
}

/// The copy is none of the files that are followed: all is read before it is made.
#[test]
fn what_was_read_before_each_truncation_comes_once() {
    let yard = Yard::new();
    let next = AtomicU64::new(1);
    let mut producer = Producer::new(&yard, setting("TAMIS_SEED", 1), &next);
    let agent = yard.start_on("logs/a.log", KEEP);
    let rounds = 8;
    for round in 0..rounds {
        producer.write(20);
        producer.finish();
        let last = next.load(Relaxed);
        yard.until("all before the copy", || yard.file_ids("clean").len() as u64 == last - 1);
        copytruncate(&yard, &format!("a.log.{round}"));
        if round % 2 == 0 {
            yard.until("the truncation", || {
                yard.read("err").matches("it was truncated").count() == 1 + round / 2 * 2
            });
        } else {
            // Before anybody looks there is more than before.
            let more: String = (last..last + 30_000).map(event).collect();
            next.store(last + 30_000, Relaxed);
            yard.append("a.log", &more);
            yard.until("what is new", || yard.file_ids("clean").len() as u64 == last + 29_999);
        }
    }
    producer.finish();
    let last = next.load(Relaxed);
    yard.until("all", || yard.file_ids("clean").len() as u64 >= last - 1);
    let summary = agent.stop();
    assert_eq!(yard.file_ids("clean"), (1..last).collect::<Vec<_>>());
    assert_eq!(summary["truncated_inputs"], rounds);
    assert_eq!(summary["read"], last - 1);
    nothing_leaked(&yard);
}

/// Whatever was not read yet is in the copy.
#[test]
fn what_was_not_read_before_a_truncation_is_read_from_the_copy() {
    let yard = Yard::new();
    let next = AtomicU64::new(1);
    let agent = yard.start(KEEP);
    let mut producer = Producer::new(&yard, setting("TAMIS_SEED", 1), &next);
    for round in 0..10 {
        producer.write(12);
        // Half a line stays at the end of the copy, its rest begins the log.
        producer.finish();
        copytruncate(&yard, &format!("a.log.{round}"));
    }
    producer.write(10);
    producer.finish();
    let last = next.load(Relaxed);
    yard.until("all", || distinct(&yard).len() as u64 == last - 1);
    let summary = agent.stop();
    nothing_is_lost(&yard, last);
    let got = yard.file_ids("clean").len() as u64;
    assert_eq!(got, last - 1, "given twice");
    assert!(summary["truncated_inputs"].as_u64() <= Some(10), "{summary}");
}

#[test]
fn killed_around_truncations_nothing_is_lost_or_leaked() {
    let seed = setting("TAMIS_SEED", 1);
    let yard = Yard::new();
    let (next, stop) = (AtomicU64::new(1), AtomicBool::new(false));
    let mut random = Random(seed);
    scope(|threads| {
        threads.spawn(|| {
            let mut producer = Producer::new(&yard, seed, &next);
            for round in 0.. {
                if stop.load(Relaxed) {
                    break;
                }
                producer.write(40);
                producer.finish();
                copytruncate(&yard, &format!("a.log.{round:04}"));
            }
        });
        let _stopped = Stopped(&stop);
        for kill in 0..setting("TAMIS_KILLS", 20) / 4 {
            let agent = yard.start(KEEP);
            sleep(Duration::from_millis(20 + random.below(900)));
            agent.kill();
            let promise = Promise::of(&yard, "clean");
            let agent = yard.start(KEEP);
            sleep(Duration::from_millis(20 + random.below(700)));
            agent.kill();
            promise.is_kept(&format!("kill {kill} of seed {seed}"));
        }
    });
    let agent = yard.start(KEEP);
    let last = next.load(Relaxed);
    yard.until("all", || distinct(&yard).len() as u64 == last - 1);
    agent.stop();
    nothing_is_lost(&yard, last);
    let got = yard.file_ids("clean").len() as u64;
    eprintln!("{last} events, {} given again", got - (last - 1));
}
