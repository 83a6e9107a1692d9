//! Files of container runtimes, followed: pieces that are joined wait for each other across turns,
//! restarts and kills, and what was given up stays given up.

use std::{
    collections::HashMap,
    fs,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread::{scope, sleep},
    time::Duration,
};

use serde_json::Value;

use super::{
    agent::Yard,
    chance::{Random, Stopped, setting},
    promise::nothing_leaked,
};
use crate::containers::{cri, docker};

const KEEP: &[&str] = &["--data-dir", "data", "-o", "clean", "--dead-letter", "dead"];
const HASTY: &[&str] =
    &["--data-dir", "data", "-o", "clean", "--dead-letter", "dead", "--line-timeout", "1"];

/// The applications' lines in what was forwarded, joined; others as they are. Where a killed process
/// left the first pieces of an event, it begins again.
fn spoken(text: &str) -> Vec<String> {
    let (mut lines, mut begun) = (Vec::new(), HashMap::<String, String>::new());
    for line in text.lines() {
        let docker: Option<Value> = serde_json::from_str(line).ok();
        let docker = docker.filter(|value| value["stream"].is_string());
        let words: Vec<_> = line.splitn(4, ' ').collect();
        let (whose, piece, more) = match (docker, &words[..]) {
            (Some(value), _) => {
                let log = value["log"].as_str().unwrap();
                let (log, more) =
                    log.strip_suffix('\n').map_or((log, true), |whole| (whole, false));
                (format!("docker {}", value["stream"]), log.to_owned(), more)
            }
            (None, [_, stream @ ("stdout" | "stderr"), tag @ ("P" | "F"), text]) => {
                (format!("cri {stream}"), text.to_string(), *tag == "P")
            }
            _ => {
                lines.push(line.to_owned());
                continue;
            }
        };
        let so_far = begun.entry(whose).or_default();
        if piece.starts_with("{\"id\":") {
            so_far.clear();
        }
        so_far.push_str(&piece);
        if !more {
            lines.push(std::mem::take(so_far));
        }
    }
    lines
}

/// The ids of what was forwarded, in order.
fn ids(yard: &Yard) -> Vec<u64> {
    super::agent::ids(&spoken(&yard.read("clean")).join("\n"))
}

fn until_ids(yard: &Yard, wanted: impl IntoIterator<Item = u64>) {
    let wanted: Vec<_> = wanted.into_iter().collect();
    yard.until(&format!("{wanted:?}"), || ids(yard).len() >= wanted.len());
    assert_eq!(ids(yard), wanted, "{}", yard.read("clean"));
}

/// A line of a runtime's file; `more`: the application's goes on in the next.
fn piece(cri_file: bool, stream: &str, text: &str, more: bool) -> String {
    match (cri_file, more) {
        (true, true) => cri(stream, "P", text),
        (true, false) => cri(stream, "F", text),
        (false, true) => docker(stream, text),
        (false, false) => docker(stream, &format!("{text}\n")),
    }
}

/// Padding, so that a file can be told from another by its start.
fn long(id: u64) -> String {
    format!("{{\"id\":{id},\"message\":\"{}\"}}", "nothing to see in this one ".repeat(12))
}

#[test]
fn each_file_of_a_folder_has_a_format_of_its_own() {
    let yard = Yard::new();
    let agent = yard.start(KEEP);
    // In turns: what waits in one file must not touch what comes of another.
    yard.append("docker.log", &docker("stdout", "{\"id\":1,\"mail\":\"canary1@exa"));
    yard.append("cri.log", &cri("stderr", "P", "{\"id\":2,\"password\":\"cana"));
    yard.append("plain.log", "{\"id\":3}\n{\"id\":4,\"mail\":\"canary@example.com\"}\n");
    until_ids(&yard, [3, 4]);
    yard.append("docker.log", &docker("stderr", "{\"id\":5}\n"));
    yard.append("cri.log", &cri("stdout", "F", "{\"id\":6}"));
    yard.append("plain.log", "{\"id\":7,\"log\":\"canary@example.com\"}\n");
    until_ids(&yard, [3, 4, 7]);
    yard.append("docker.log", &docker("stdout", "mple.com\"}\n"));
    yard.until("the docker file", || ids(&yard).len() == 5);
    yard.append("cri.log", &cri("stderr", "F", "ry2\"}"));
    yard.until("the cri file", || ids(&yard).len() == 7);
    let summary = agent.stop();
    let mut got = ids(&yard);
    got.sort_unstable();
    assert_eq!(got, [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!((&summary["read"], &summary["joined"]), (&9.into(), &2.into()), "{summary}");
    assert_eq!((&summary["redacted"], &summary["clean"]), (&4.into(), &3.into()), "{summary}");
    nothing_leaked(&yard);
}

#[test]
fn a_position_stands_only_where_no_piece_waits() {
    let yard = Yard::new();
    for cri_file in [false, true] {
        let name = if cri_file { "cri.log" } else { "docker.log" };
        let had = ids(&yard).len();
        let before = piece(cri_file, "stdout", "{\"id\":1}", false);
        yard.append(name, &before);
        let agent = yard.start(KEEP);
        yard.until("the first", || ids(&yard).len() == had + 1);
        yard.until_kept(name);
        // What the other stream says behind a piece waits with it.
        yard.append(name, &piece(cri_file, "stdout", "{\"id\":2,\"mail\":\"canary@exa", true));
        yard.append(name, &piece(cri_file, "stderr", "{\"id\":3}", false));
        yard.append("beside.log", "{\"id\":4}\n");
        yard.until("what is beside", || ids(&yard).len() == had + 2);
        yard.until_kept("beside.log");
        agent.kill();
        assert_eq!(yard.kept(name).unwrap().offset, before.len() as u64, "{name}");
        let agent = yard.start(KEEP);
        yard.append(name, &piece(cri_file, "stdout", "mple.com\"}", false));
        yard.until("all", || ids(&yard).len() >= had + 4);
        agent.stop();
        let mut got = ids(&yard).split_off(had);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3, 4], "{name}");
    }
    nothing_leaked(&yard);
}

#[test]
fn pieces_that_waited_too_long_are_judged_and_the_rest_of_their_line_is_lost() {
    for cri_file in [true, false] {
        let yard = Yard::new();
        let piece = |stream: &str, text: &str, more: bool| piece(cri_file, stream, text, more);
        yard.append("a.log", &piece("stdout", &long(1), false));
        yard.append("a.log", &piece("stdout", "{\"id\":2,\"password\":", true));
        yard.append("a.log", &piece("stderr", "{\"id\":3}", false));
        let agent = yard.start(HASTY);
        // What waited behind the piece is there, too.
        until_ids(&yard, [1, 3]);
        yard.append("a.log", &piece("stderr", "{\"id\":4}", false));
        yard.append("a.log", &piece("stdout", "\"canary of the", true));
        until_ids(&yard, [1, 3, 4]);
        yard.until_kept("a.log");
        agent.kill();
        // Across a kill, and across a stop.
        yard.append("a.log", &piece("stdout", " second canary", true));
        let agent = yard.start(HASTY);
        yard.until_kept("a.log");
        agent.stop();
        yard.append("a.log", &piece("stderr", "{\"id\":5}", false));
        yard.append("a.log", &piece("stdout", " and the third\"}", false));
        yard.append("a.log", &piece("stdout", "{\"id\":6}", false));
        let agent = yard.start(HASTY);
        until_ids(&yard, [1, 3, 4, 5, 6]);
        let summary = agent.stop();
        assert_eq!((&summary["read"], &summary["joined"]), (&3.into(), &1.into()), "{summary}");
        assert!(!yard.read("clean").contains("third"));
        nothing_leaked(&yard);
    }
}

#[test]
fn a_piece_that_stays_alone_holds_back_what_the_other_stream_says_no_longer_than_it_may() {
    for cri_file in [true, false] {
        let (yard, name) = (Yard::new(), "a.log");
        yard.append(name, &piece(cri_file, "stdout", "{\"id\":1}", false));
        yard.append(name, &piece(cri_file, "stdout", "never ended, canary@example.com", true));
        let agent = yard.start(HASTY);
        // The other stream is never quiet for long, and its last line never whole.
        let (mut said, mut next) = (String::new(), 2);
        yard.until("what the other stream says", || {
            said += &piece(cri_file, "stderr", &format!("{{\"id\":{next}}}"), false);
            next += 1;
            let half = said.len() - 10;
            yard.append(name, &said[..half]);
            said.drain(..half);
            sleep(Duration::from_millis(100));
            ids(&yard).len() > 5
        });
        yard.append(name, &said);
        yard.append(name, &piece(cri_file, "stdout", "the rest of it", false));
        yard.append(name, &piece(cri_file, "stdout", &format!("{{\"id\":{next}}}"), false));
        yard.until("the last", || ids(&yard).contains(&next));
        agent.stop();
        assert!(ids(&yard).into_iter().eq(1..=next));
        let clean = yard.read("clean");
        assert!(clean.contains("never ended") && !clean.contains("the rest of it"), "{clean}");
        nothing_leaked(&yard);
    }
}

#[test]
fn a_first_line_that_came_in_part_does_not_say_what_the_file_is() {
    let yard = Yard::new();
    let first = docker("stdout", &format!("{}\n", long(1)));
    let (one, two) = first.split_at(40);
    yard.append("a.log", one);
    let agent = yard.start(HASTY);
    yard.until("its age", || !yard.read("dead").is_empty() || !yard.read("clean").is_empty());
    yard.append("a.log", two);
    yard.append("a.log", &docker("stdout", "{\"id\":2,\"mail\":\"canary@exa"));
    yard.append("a.log", &docker("stdout", "mple.com\"}\n"));
    yard.append("a.log", &docker("stdout", "{\"id\":3}\n"));
    yard.until("the last", || yard.read("clean").contains("\\\"id\\\":3"));
    agent.stop();
    assert_eq!(ids(&yard), [2, 3], "{}", yard.read("clean"));
    nothing_leaked(&yard);
}

/// As copytruncate does, where the glob covers the copy.
#[test]
fn what_was_given_up_stays_given_up_in_a_copy() {
    for (begun, rest) in [
        (
            cri("stdout", "P", "{\"id\":2,\"password\":"),
            cri("stdout", "F", "\"canary in a copy\"}"),
        ),
        (docker("stdout", "{\"id\":2,\"password\":"), docker("stdout", "\"canary in a copy\"}\n")),
        ("{\"id\":2,\"password\":".into(), "\"canary in a copy\"}\n".into()),
    ] {
        let yard = Yard::new();
        let whole = |id| match (begun.starts_with("{\"id"), begun.starts_with("{\"log")) {
            (true, _) => long(id) + "\n",
            (_, true) => docker("stdout", &(long(id) + "\n")),
            _ => cri("stdout", "F", &long(id)),
        };
        for id in 10..15 {
            yard.append("a.log", &whole(id));
        }
        yard.append("a.log", &begun);
        let agent = yard.start(HASTY);
        until_ids(&yard, 10..15);
        yard.until_kept("a.log");
        // What comes now is seen in the copy only.
        let copy = fs::read_to_string(yard.log("a.log")).unwrap() + &rest + &whole(15);
        fs::write(yard.log("a.log"), "").unwrap();
        yard.until("the truncation", || yard.read("err").contains("it was truncated"));
        fs::write(yard.path("copy"), copy).unwrap();
        fs::rename(yard.path("copy"), yard.log("a.log.1")).unwrap();
        until_ids(&yard, 10..16);
        agent.stop();
        assert!(!yard.read("clean").contains("in a copy"), "{begun}");
        nothing_leaked(&yard);
    }
}

/// Each file's pieces are judged by themselves: no line is joined across files.
#[test]
fn a_file_that_is_renamed_between_pieces_is_read_to_its_end() {
    let yard = Yard::new();
    yard.append("a.log", &cri("stdout", "F", &long(1)));
    yard.append("a.log", &cri("stdout", "P", "{\"id\":2,\"mail\":\"canary@exa"));
    let agent = yard.start_on("logs/a.log", KEEP);
    until_ids(&yard, [1]);
    fs::rename(yard.log("a.log"), yard.log("a.log.1")).unwrap();
    yard.append("a.log", &cri("stdout", "F", "{\"id\":3}"));
    until_ids(&yard, [1, 3]);
    // The runtime has it open still.
    yard.append("a.log.1", &cri("stdout", "F", "mple.com\"}"));
    until_ids(&yard, [1, 3, 2]);
    agent.stop();
    nothing_leaked(&yard);
}

/// No line is joined across files; no part of it is lost either.
#[test]
fn pieces_that_a_rotation_parted_are_judged_apart() {
    for cri_file in [true, false] {
        let yard = Yard::new();
        yard.append("a.log", &piece(cri_file, "stdout", &long(1), false));
        yard.append(
            "a.log",
            &piece(cri_file, "stdout", "the first part, canary1@example.com", true),
        );
        let agent = yard.start_on("logs/a.log", HASTY);
        until_ids(&yard, [1]);
        fs::rename(yard.log("a.log"), yard.log("a.log.1")).unwrap();
        yard.append(
            "a.log",
            &piece(cri_file, "stdout", "the second part, canary2@example.com", false),
        );
        yard.append("a.log", &piece(cri_file, "stdout", "{\"id\":2}", false));
        yard.until("the second", || ids(&yard).contains(&2));
        yard.until("the first part", || yard.read("clean").contains("the first part"));
        assert!(spoken(&yard.read("clean")).iter().any(|line| line.contains("the second part")));
        let summary = agent.stop();
        assert_eq!((&summary["read"], &summary["joined"]), (&4.into(), &0.into()), "{summary}");
        nothing_leaked(&yard);
    }
}

/// An event of the application in pieces, among those of the other stream.
fn in_pieces(random: &mut Random, cri_file: bool, id: u64) -> String {
    let event = match id % 3 {
        0 => format!("{{\"id\":{id},\"mail\":\"canary{id}@example.com\"}}"),
        _ => format!("{{\"id\":{id},\"message\":\"nothing to see in this one\"}}"),
    };
    let (mut rest, mut text) = (event.as_str(), String::new());
    loop {
        let cut = 1 + random.below(30) as usize;
        let (part, behind) = rest.split_at(cut.min(rest.len()));
        let last = behind.is_empty();
        text += &piece(cri_file, "stdout", part, !last);
        if last {
            return text;
        }
        if random.below(3) == 0 {
            text += &piece(cri_file, "stderr", "beside", false);
        }
        rest = behind;
    }
}

fn produce(yard: &Yard, seed: u64, next: &AtomicU64, stop: &AtomicBool) {
    let (mut random, mut texts) = (Random(seed), [String::new(), String::new()]);
    let (mut writes, mut rotated) = (0, 0);
    while !stop.load(Relaxed) {
        for (file, text) in texts.iter_mut().enumerate() {
            for _ in 0..random.below(30) {
                *text += &in_pieces(&mut random, file == 0, next.fetch_add(1, Relaxed));
            }
            let end = random.below(text.len() as u64 + 1) as usize;
            yard.append(["cri.log", "docker.log"][file], &text[..end]);
            text.drain(..end);
        }
        writes += 1;
        if writes % 40 == 0 {
            // Behind a whole line.
            yard.append("cri.log", &std::mem::take(&mut texts[0]));
            fs::rename(yard.log("cri.log"), yard.log(&format!("cri.log.{rotated:04}"))).unwrap();
            rotated += 1;
        }
        sleep(Duration::from_millis(3));
    }
    yard.append("cri.log", &texts[0]);
    yard.append("docker.log", &texts[1]);
}

#[test]
fn killed_at_any_moment_pieces_stay_together() {
    let seed = setting("TAMIS_SEED", 1);
    let yard = Yard::new();
    let (next, stop) = (AtomicU64::new(1), AtomicBool::new(false));
    let mut random = Random(seed);
    scope(|threads| {
        threads.spawn(|| produce(&yard, seed, &next, &stop));
        let _stopped = Stopped(&stop);
        for _ in 0..setting("TAMIS_KILLS", 20) / 3 {
            let agent = yard.start(KEEP);
            sleep(Duration::from_millis(20 + random.below(1000)));
            agent.kill();
        }
    });
    let agent = yard.start(KEEP);
    let last = next.load(Relaxed);
    let got = || {
        let mut got = ids(&yard);
        got.sort_unstable();
        got.dedup();
        got
    };
    yard.until("every event", || got().len() as u64 >= last - 1);
    agent.stop();
    assert_eq!(got(), (1..last).collect::<Vec<_>>(), "seed {seed}");
    let spoken = spoken(&yard.read("clean"));
    assert!(spoken.iter().all(|line| !line.contains("canary")));
    let odd = spoken.iter().find(|line| *line != "beside" && !line.starts_with("{\"id\":"));
    assert_eq!(odd, None, "seed {seed}: half a line");
    nothing_leaked(&yard);
}
