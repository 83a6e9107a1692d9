//! Any bytes: nothing panics, every line is accounted for, and what is forwarded are JSON objects,
//! and judging the output again changes nothing.
#![no_main]

#[path = "../oracle.rs"]
mod oracle;
#[path = "../plan.rs"]
mod plan;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use tamis::engine::{Chunk, Engine, Output, Payload, Tally};

thread_local! {
    // One engine for all inputs, as a worker has for all chunks: what an input leaves behind in its
    // scratch space must not matter to the next.
    static WORKER: RefCell<Engine> = RefCell::new(Engine::new(plan::plan()));
}

fn process(data: &[u8]) -> Output {
    let mut out = Output::default();
    WORKER.with_borrow_mut(|engine| engine.process(&Chunk::from_bytes(data), &mut out));
    out
}

fn show(data: &[u8]) -> String {
    String::from_utf8_lossy(data).into_owned()
}

/// Counts and output agree with the input's lines.
fn adds_up(data: &[u8], out: &Output) {
    let lines = data.split_inclusive(|&b| b == b'\n').count() as u64;
    let Tally { read, bytes_out, .. } = out.tally;
    assert_eq!(read, lines, "lines read");
    assert_eq!(out.tally.unaccounted(), 0, "unaccounted: {:?}", out.tally);
    assert_eq!(bytes_out, out.clean.len() as u64, "bytes out");
    assert_eq!(out.tally.rejected_total(), out.rejects.len() as u64, "rejects");
    let forwarded = out.clean.split_inclusive(|&b| b == b'\n').count() as u64;
    assert_eq!(out.tally.forwarded(), forwarded, "lines out: {}", show(&out.clean));
}

fn objects(clean: &[u8]) {
    assert!(clean.last().is_none_or(|&b| b == b'\n'), "the last line is whole");
    for line in clean.split(|&b| b == b'\n').filter(|l| !l.is_empty()) {
        let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
        assert!(oracle::is_object(line), "forwarded: {}", show(line));
    }
}

fn bodies(out: &Output) {
    for reject in &out.rejects {
        let body = &out.bodies[reject.body.clone()];
        if reject.payload == Payload::None {
            assert!(body.is_empty());
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let out = process(data);
    adds_up(data, &out);
    objects(&out.clean);
    bodies(&out);
    let again = process(&out.clean);
    let lines = |out: &Output| show(&out.clean).lines().map(str::to_string).collect::<Vec<_>>();
    objects(&again.clean);
    adds_up(&out.clean, &again);
    for (first, second) in lines(&out).iter().zip(&lines(&again)) {
        assert_eq!(second, first, "a second pass changed the output");
    }
    assert_eq!(again.tally.rejected_total(), 0, "a second pass refused: {:?}", again.rejects);
});
