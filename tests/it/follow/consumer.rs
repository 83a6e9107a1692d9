//! A reader behind a pipe that stops reading, goes on, or goes away.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, Read as _},
    process::{ChildStdout, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{
    agent::{Agent, Yard, ids},
    chance::{Random, setting},
    promise::{Promise, nothing_leaked},
};

const KEEP: &[&str] = &["--data-dir", "data", "--dead-letter", "dead"];
/// What a pipe holds that nobody has read: no writer knows whether somebody will.
const PIPE: usize = 64 << 10;

/// The reader's end, and the lines that it got.
struct Reader {
    pipe: BufReader<ChildStdout>,
    got: String,
}

impl Reader {
    /// Starts the program with its output to a pipe.
    fn start(yard: &Yard) -> (Agent<'_>, Self) {
        let mut agent = yard.start_with("logs/*.log*", KEEP, Stdio::piped());
        let pipe = BufReader::new(agent.stdout());
        (agent, Self { pipe, got: String::new() })
    }

    /// Reads on until `last` came.
    fn until(&mut self, last: u64) {
        let wanted = format!("{{\"id\":{last},");
        loop {
            let from = self.got.len();
            assert!(self.pipe.read_line(&mut self.got).unwrap() > 0, "it ended before {last}");
            if self.got[from..].starts_with(&wanted) {
                return;
            }
        }
    }

    /// All that is left, once nobody writes any more.
    fn rest(mut self) -> String {
        self.pipe.read_to_string(&mut self.got).unwrap();
        self.got
    }
}

/// Which of the events that checkpoints promise the reader has not got.
fn ahead(yard: &Yard, got: &str) -> usize {
    let got: HashSet<_> = ids(got).into_iter().collect();
    Promise::of(yard, "clean").ids.difference(&got).map(|id| super::agent::event(*id).len()).sum()
}

/// Waits until the program stands still: its positions move no more.
fn until_it_stands(yard: &Yard) {
    let mut last = None;
    for _ in 0..200 {
        let kept = yard.kept("a.log").map(|kept| kept.offset);
        if kept.is_some() && kept == last {
            return;
        }
        last = kept;
        sleep(Duration::from_millis(1200));
    }
    panic!("it does not stand still");
}

#[cfg(target_os = "linux")]
#[test]
fn a_reader_that_stops_holds_the_files_back_and_gets_all_when_it_goes_on() {
    let yard = Yard::new();
    yard.events("a.log", 1..10);
    let (agent, mut reader) = Reader::start(&yard);
    reader.until(9);
    yard.until_kept("a.log");
    // More than all buffers together hold.
    for from in 0..30 {
        yard.events("a.log", 10 + from * 20_000..10 + (from + 1) * 20_000);
    }
    until_it_stands(&yard);
    let peak = agent.peak();
    let ahead = ahead(&yard, &reader.got);
    assert!(ahead <= PIPE, "{ahead} bytes were acknowledged that nobody read");
    let size = std::fs::metadata(yard.log("a.log")).unwrap().len();
    assert!(yard.kept("a.log").unwrap().offset < size / 2, "nothing was held back");
    reader.until(600_009);
    yard.until_kept("a.log");
    let summary = agent.stop();
    let got = reader.rest();
    assert!(ids(&got).into_iter().eq(1..600_010));
    assert!(!got.contains("canary"));
    let ceiling = summary["memory_ceiling_bytes"].as_u64().unwrap();
    assert!(peak < ceiling, "{peak} of {ceiling}");
    nothing_leaked(&yard);
}

#[test]
fn a_reader_that_goes_away_loses_no_more_than_the_pipe_held() {
    let yard = Yard::new();
    yard.events("a.log", 1..10);
    let (agent, mut reader) = Reader::start(&yard);
    reader.until(9);
    yard.events("a.log", 10..60_000);
    reader.until(20_000);
    let mut got = reader.got;
    drop(reader.pipe);
    // It has nobody to write to.
    assert_eq!(agent.ends(), 0);
    assert!(ahead(&yard, &got) <= PIPE);
    let (agent, mut reader) = Reader::start(&yard);
    reader.until(59_999);
    agent.stop();
    got += &reader.rest();
    let got_ids: HashSet<_> = ids(&got).into_iter().collect();
    let missing = (1..60_000).filter(|id| !got_ids.contains(id));
    let missing: usize = missing.map(|id| super::agent::event(id).len()).sum();
    assert!(missing <= PIPE, "{missing} bytes are missing");
    assert!(!got.contains("canary"));
    nothing_leaked(&yard);
}

#[test]
fn killed_behind_a_slow_reader_nothing_is_lost_that_the_pipe_did_not_hold() {
    let seed = setting("TAMIS_SEED", 1);
    let yard = Yard::new();
    let (mut random, mut got, mut next) = (Random(seed), String::new(), 1);
    for _ in 0..4 {
        yard.events("a.log", next..next + 20_000);
        let (agent, mut reader) = Reader::start(&yard);
        reader.until(next + random.below(15_000));
        sleep(Duration::from_millis(random.below(800)));
        agent.kill();
        // What is in the pipe outlives who wrote it, and may end anywhere.
        let rest = reader.rest();
        got += &rest[..rest.rfind('\n').map_or(0, |at| at + 1)];
        assert_eq!(ahead(&yard, &got), 0, "seed {seed}: acknowledged, and not in the pipe");
        next += 20_000;
    }
    let (agent, mut reader) = Reader::start(&yard);
    reader.until(next - 1);
    agent.stop();
    got += &reader.rest();
    let mut got = ids(&got);
    got.sort_unstable();
    got.dedup();
    assert!(got.into_iter().eq(1..next), "seed {seed}");
    nothing_leaked(&yard);
}
