//! A private key that a program prints line by line: no line of it leaves, however the input is cut,
//! and whatever ends or starts in the middle of it.

use std::sync::Arc;

use tamis::{
    containers::Format,
    engine::{Chunk, Engine, Output, Plan, Settings},
};

use crate::{
    containers::{cri, docker, piped},
    follow::agent::Yard,
    size_limits::packs,
};

/// What every line of the key's body holds.
const SECRET: &str = "Zq7x";

/// A log in which keys are printed between events and text lines: some whole, one without an end.
fn lines() -> Vec<String> {
    let body = |n: usize| SECRET.repeat(n);
    let prefixed = |text: &str| format!("2026-01-15T12:00:00Z app | {text}");
    let mut lines = vec!["it starts".to_owned(), "{\"n\":1}".to_owned()];
    lines.push("-----BEGIN RSA PRIVATE KEY-----".into());
    lines.extend(["Proc-Type: 4,ENCRYPTED".into(), String::new()]);
    lines.extend([16, 16, 16, 5].map(body));
    lines.extend(["{\"n\":2}".into(), body(16), "-----END RSA PRIVATE KEY-----".into()]);
    lines.push("it goes on".into());
    lines.push(prefixed("-----BEGIN OPENSSH PRIVATE KEY-----"));
    lines.extend([17, 17, 9].map(|n| prefixed(&body(n))));
    lines.push(prefixed("-----END OPENSSH PRIVATE KEY-----"));
    lines.push("-----BEGIN PRIVATE KEY-----".into());
    lines.extend([16, 16, 7].map(body));
    lines.push("{\"n\":3}".into());
    lines
}

fn text() -> String {
    lines().iter().map(|line| format!("{line}\n")).collect()
}

fn plan() -> Arc<Plan> {
    Arc::new(Plan::compile(Settings { packs: packs(), ..Settings::default() }).unwrap())
}

#[test]
fn chunks_and_threads_change_nothing() {
    let (plan, text) = (plan(), text());
    let wanted = piped(&plan, Format::Auto, text.as_bytes(), (1 << 16, 1 << 16, 1));
    assert!(!wanted.0.contains(SECRET), "{}", wanted.0);
    assert_eq!(wanted.0.matches("[REDACTED:private_key]").count(), 14, "{}", wanted.0);
    for threads in [1, 3] {
        for chunk_bytes in [1, 40, 100, 250, 700] {
            let cut = piped(&plan, Format::Auto, text.as_bytes(), (97, chunk_bytes, threads));
            assert_eq!(cut, wanted, "{threads} threads, chunks of {chunk_bytes} bytes");
        }
    }
}

#[test]
fn lines_of_containers_are_no_different() {
    let wrap: [fn(&str) -> String; 2] =
        [|line| docker("stdout", &format!("{line}\n")), |line| cri("stdout", "F", line)];
    for (format, wrap) in [Format::Docker, Format::Cri].into_iter().zip(wrap) {
        let text: String = lines().iter().map(|line| wrap(line)).collect();
        let wanted = piped(&plan(), format, text.as_bytes(), (1 << 16, 1 << 16, 1));
        assert!(!wanted.0.contains(SECRET), "{}", wanted.0);
        for chunk_bytes in [1, 150, 400] {
            let cut = piped(&plan(), format, text.as_bytes(), (97, chunk_bytes, 2));
            assert_eq!(cut, wanted, "{format:?}, chunks of {chunk_bytes} bytes");
        }
    }
}

/// What an engine was told of the lines before is all that it needs.
#[test]
fn each_line_alone_is_judged_as_among_others() {
    let mut engine = Engine::new(plan());
    let mut whole = Output::default();
    engine.process(&Chunk::from_bytes(text().as_bytes()), &mut whole);
    let (mut clean, mut key_block) = (Vec::new(), Default::default());
    for line in text().split_inclusive('\n') {
        let (mut chunk, mut output) = (Chunk::from_bytes(line.as_bytes()), Output::default());
        chunk.continue_key_block(key_block);
        engine.process(&chunk, &mut output);
        clean.extend(output.clean);
        key_block = output.key_block;
    }
    assert_eq!(String::from_utf8(clean).unwrap(), String::from_utf8(whole.clean).unwrap());
    assert_eq!(key_block, whole.key_block);
    assert!(key_block.is_open());
}

/// Where no detector of keys is in force, nothing is taken for a key's lines.
#[test]
fn without_the_detector_the_lines_stay() {
    let select = tamis::engine::detect::Selection {
        without: vec!["private_key".into()],
        ..Default::default()
    };
    let settings = Settings { packs: packs(), select, ..Settings::default() };
    let plan = Arc::new(Plan::compile(settings).unwrap());
    let (clean, ..) = piped(&plan, Format::Auto, text().as_bytes(), (97, 100, 2));
    assert!(clean.contains(&SECRET.repeat(16)), "{clean}");
}

#[test]
fn a_restart_in_the_middle_of_a_key_goes_on_in_it() {
    const KEEP: &[&str] = &["--data-dir", "data", "-o", "clean"];
    let lines = lines();
    for cut in [3, 5, 7, 15] {
        let yard = Yard::new();
        let part = |lines: &[String]| lines.iter().map(|l| format!("{l}\n")).collect::<String>();
        yard.append("a.log", &part(&lines[..cut]));
        let agent = yard.start(KEEP);
        yard.until_kept("a.log");
        agent.stop();
        yard.append("a.log", &part(&lines[cut..]));
        let agent = yard.start(KEEP);
        yard.until_kept("a.log");
        agent.stop();
        let clean = yard.read("clean");
        assert!(clean.contains("{\"n\":3}") && !clean.contains(SECRET), "{cut}: {clean}");
    }
}
