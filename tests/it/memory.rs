//! The program's memory stays below the ceiling that it tells, whatever the input.

use std::{
    fs,
    io::{Read as _, Write},
    process::Child,
    thread,
};

use serde_json::Value;

use crate::{
    cli::{folder, sieve, stderr, summary, tamis},
    generator::{Generator, Variant},
};

const MIB: usize = 1 << 20;
/// With a schema in force, too, this line comes out.
const LAST: &[u8] = concat!(
    r#"{"timestamp":"2026-03-14T09:26:31.617Z","level":"info","service":"s","event":"last_line","#,
    r#""trace_id":"4bf92f3577b34da6a3ce92a20ee1ed97","span_id":"00f067acc23f99a2"}"#,
    "\n"
)
.as_bytes();

/// An event, or a text line, of `unit` over and over: 1 MiB, the longest that is judged.
fn flood(head: &str, unit: &str, tail: &str) -> Vec<u8> {
    let times = (MIB - head.len() - tail.len()) / unit.len();
    format!("{head}{}{tail}\n", unit.repeat(times)).into_bytes()
}

/// Each asks for the most of something: places of quotes, candidates, decoded text, maps back to
/// it, findings, sites, output.
fn floods() -> Vec<Vec<u8>> {
    let text = |unit| flood("{\"m\":\"", unit, "\"}");
    let array = |unit| flood("{\"m\":[", unit, "0]}");
    vec![
        flood("{", "\"", ""),
        text("@a"),
        text("a@b.co "),
        text("\\n@a"),
        text("\\na@b.co"),
        text("\\\""),
        text("%40a"),
        text("a%40b.co "),
        text("8.8.4.4 "),
        text("1-"),
        text("4111 1111 1111 1111 "),
        text("token=a "),
        array("\"a@b.co\","),
        array("\"\","),
        flood("{", "\"a@b.co\":0,", "\"z\":0}"),
        flood("{\"m\":\"[", "{\\\"a\\\":\\\"a@b.co\\\"},", "0]\"}"),
        flood("{\"m\":\"[", "\\\"a@b.co\\\\n\\\",", "0]\"}"),
        flood("", "a@b.co ", "."),
        flood("", "a%40b.co ", "."),
        flood("", "\u{1}", ""),
        flood("", "\n", ""),
        flood("", "{}\n", ""),
        flood("", "{\n", ""),
        flood("", "\u{1}\n", ""),
        (0..40_000).flat_map(|n| format!("{{\"key{n}\":0}}\n").into_bytes()).collect(),
        // Values that a rule by path takes.
        array("0,"),
        array("\"x\","),
        array("[],"),
        array("{\"a\":0},"),
        flood("{\"m\":{", "\"a\":0,", "\"b\":0}}"),
        flood("{\"m\":\"[", "0,", "0]\"}"),
        flood("{\"m\":\"{", "\\\"a\\\":0,", "\\\"b\\\":0}\"}"),
        flood("{\"q\":\"[", "0,", "0]\"}"),
        // Over the limit, by much.
        ["x".repeat(6 * MIB).as_bytes(), b"\n"].concat(),
    ]
}

/// What the kernel saw of a program's memory at most, in bytes.
pub(crate) fn peak_of(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// What the kernel saw of the program's memory at most, and the summary.
fn peak(args: &[&str]) -> (u64, Value) {
    let mut child = tamis(args).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    thread::scope(|scope| {
        let feeder = scope.spawn(move || {
            much(&mut stdin);
            stdin.write_all(LAST).unwrap();
            stdin
        });
        let (mut buf, mut end) = (vec![0; MIB], Vec::new());
        while !end.ends_with(LAST) {
            let n = stdout.read(&mut buf).unwrap();
            assert!(n > 0, "the program ended early");
            end.extend_from_slice(&buf[..n]);
            end.drain(..end.len().saturating_sub(LAST.len()));
        }
        // All is read, judged and written, and the program waits for more.
        let peak = peak_of(&child);
        drop(feeder.join().unwrap());
        (peak, summary(&child.wait_with_output().unwrap()))
    })
}

/// What the formula comes to by default.
#[test]
fn the_ceiling_is_low_by_default() {
    for (threads, most) in [(1, 96), (2, 128), (4, 208), (16, 16 * 64)] {
        let output = sieve(&["--threads", &threads.to_string()], LAST);
        let ceiling = summary(&output)["memory_ceiling_bytes"].as_u64().unwrap() >> 20;
        assert!(ceiling <= most, "{threads} threads: {ceiling} of {most} MiB");
        let output = sieve(&["--threads", &threads.to_string(), "--memory", "1MiB"], LAST);
        let said = stderr(&output);
        for part in ["MiB for the program", "MiB to judge", "MiB for batches", "for an event of"] {
            assert!(said.contains(part), "{said}");
        }
    }
}

/// Some 100 MB, generated as it is asked for: logs, and every flood among them.
fn much(stdin: &mut impl Write) {
    let plain = Generator::chunk(Variant::Compact, 1, 4 * MIB);
    for flood in floods() {
        stdin.write_all(&flood).unwrap();
        stdin.write_all(&plain).unwrap();
    }
    for variant in Variant::all() {
        stdin.write_all(&Generator::chunk(variant, 2, MIB / 2)).unwrap();
    }
}

fn stays_below(args: &[&str]) -> u64 {
    let (peak, summary) = peak(args);
    let ceiling = summary["memory_ceiling_bytes"].as_u64().unwrap();
    assert!(summary["bytes_in"].as_u64().unwrap() > 100_000_000, "{summary}");
    assert!(peak <= ceiling, "{args:?}: {} of {} MiB", peak >> 20, ceiling >> 20);
    // The floods do what they are for.
    assert!(peak > 40 << 20, "{args:?}: {} MiB only", peak >> 20);
    ceiling
}

#[test]
fn below_the_ceiling_on_one_thread() {
    stays_below(&["--threads", "1"]);
    let dead = ["--threads", "1", "--schema", "service-log", "--dead-letter", "/dev/null"];
    stays_below(&dead);
}

#[test]
fn below_the_ceiling_with_rules_by_path() {
    for rules in [
        "numbers = 'placeholder'\n[[rule]]\npath = 'm'\naction = 'replace'\nname = 'of_a_name_that_is_long'\n",
        "[[rule]]\npath = 'm.*'\naction = 'remove'\n[[rule]]\npath = '**.a'\naction = 'remove'\n",
        "[[rule]]\npath = 'm'\naction = 'mask'\nkeep_last = 1\n[[rule]]\npath = 'q.*'\naction = 'null'\n",
    ] {
        let dir = folder(&[("t.toml", &format!("version = 1\n{rules}"))]);
        let config = dir.path().join("t.toml");
        let ceiling = stays_below(&["--threads", "1", "--config", config.to_str().unwrap()]);
        assert!(ceiling < 1 << 30, "{} MiB", ceiling >> 20);
    }
}

#[test]
fn below_the_ceiling_on_two_threads_and_within_a_budget() {
    let free = stays_below(&["--threads", "2"]);
    // A part of the budget is for a decoder, so there are fewer batches.
    let held = stays_below(&["--threads", "2", "--memory", &free.to_string()]);
    assert!(held < free, "{held} of {free}");
}
