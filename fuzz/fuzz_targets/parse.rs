//! One line that begins with `{`: it is forwarded if and only if serde_json takes it for an object;
//! simd-json must agree.
//!
//! Where Tamis is meant to differ: deeper than 128 is refused, and numbers beyond 64 bits or beyond a
//! double's range pass as written (serde_json reads numbers as text here, so it agrees; simd-json
//! does not, and is not asked about them).
#![no_main]

#[path = "../oracle.rs"]
mod oracle;
#[path = "../plan.rs"]
mod plan;

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use tamis::engine::{Chunk, Engine, Output, Reason};

thread_local! {
    static WORKER: RefCell<Engine> = RefCell::new(Engine::new(plan::plan()));
}

/// The verdict on the line: `None` if it was forwarded.
fn verdict(line: &[u8]) -> Option<Reason> {
    let mut out = Output::default();
    WORKER.with_borrow_mut(|engine| engine.process(&Chunk::from_bytes(line), &mut out));
    assert_eq!(out.tally.read, 1);
    assert_eq!(out.tally.wrapped, 0, "an object is no text line");
    let reason = out.rejects.first().map(|r| r.reason);
    assert_eq!(out.tally.forwarded(), u64::from(reason.is_none()), "{:?}", out.tally);
    reason
}

/// simd-json reads numbers into 64 bits and doubles; longer ones are none of its business.
fn has_long_number(line: &[u8]) -> bool {
    let in_number = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+' | b'e' | b'E');
    line.split(|b| !in_number(b)).any(|run| {
        let digits = run.iter().filter(|b| b.is_ascii_digit()).count();
        digits > 17 || (digits > 0 && run.iter().any(|b| b | 32 == b'e'))
    })
}

/// The deepest nesting, by brackets outside strings.
fn depth(line: &[u8]) -> usize {
    let (mut depth, mut deepest, mut string, mut escaped) = (0usize, 0, false, false);
    for &b in line {
        match b {
            _ if escaped => escaped = false,
            b'\\' if string => escaped = true,
            b'"' => string = !string,
            b'{' | b'[' if !string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fuzz_target!(|data: &[u8]| {
    // The fuzzer's bytes follow the brace, so that each input reaches the parser.
    let mut line = vec![b'{'];
    line.extend(data.iter().map(|&b| if b == b'\n' { b' ' } else { b }));
    let reason = verdict(&line);
    let deep = depth(&line) > 128;
    if deep {
        assert!(reason.is_some(), "deeper than 128, and forwarded");
        return;
    }
    assert_ne!(reason, Some(Reason::TooDeep));
    if reason == Some(Reason::TooCostly) {
        return;
    }
    let text = String::from_utf8_lossy(&line);
    let wanted = oracle::is_object(&line);
    assert_eq!(reason.is_none(), wanted, "serde_json: {wanted}, tamis: {reason:?} for {text}");
    if !has_long_number(&line) {
        let simd = simd_json::to_tape(&mut line.clone()).is_ok();
        assert_eq!(reason.is_none(), simd, "simd-json: {simd}, tamis: {reason:?} for {text}");
    }
});
