//! Size limits fail closed: of a secret that is longer than its pattern's bound, or than what any
//! scan looks at, nothing stays.

use std::{fs, path::Path, sync::Arc};

use regex_syntax::hir::{Class, Hir, HirKind};
use tamis::engine::detect::pack::{Detector, Extends};
use tamis::engine::{Chunk, Engine, Output, Plan, Settings, detect::Pack};

/// The packs that ship.
pub(crate) fn packs() -> Vec<Pack> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let files = paths.into_iter().filter(|path| path.is_file());
    files.map(|path| Pack::parse("a pack", &fs::read_to_string(path).unwrap()).unwrap()).collect()
}

fn engine() -> Engine {
    let settings = Settings { packs: packs(), ..Settings::default() };
    Engine::new(Arc::new(Plan::compile(settings).unwrap()))
}

fn process(engine: &mut Engine, input: &str) -> Output {
    let mut out = Output::default();
    engine.process(&Chunk::from_bytes(input.as_bytes()), &mut out);
    assert_eq!(out.tally.unaccounted(), 0);
    out
}

/// A text that matches, with one of its repetitions written out `times` times.
struct Sample {
    /// The repetitions still to pass before that one.
    skip: usize,
    times: usize,
    text: Vec<u8>,
}

impl Sample {
    fn append(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(l) => self.text.extend_from_slice(&l.0),
            HirKind::Class(Class::Bytes(c)) => {
                let bytes = c.ranges().iter().flat_map(|r| r.start()..=r.end());
                let plain: Vec<u8> = bytes.clone().filter(u8::is_ascii_alphanumeric).collect();
                let any = bytes.clone().next();
                let at = self.text.len() * 7 % plain.len().max(1);
                self.text.extend(plain.get(at).copied().or(any));
            }
            HirKind::Class(Class::Unicode(_)) => self.text.push(b'x'),
            HirKind::Capture(c) => self.append(&c.sub),
            HirKind::Concat(list) => list.iter().for_each(|h| self.append(h)),
            HirKind::Alternation(list) => self.append(&list[0]),
            HirKind::Repetition(r) => {
                let mut inner = Vec::new();
                repetitions(&r.sub, &mut inner);
                let mut times = if self.skip == 0 { self.times } else { r.min as usize };
                self.skip = self.skip.wrapping_sub(1);
                let skip = self.skip;
                if skip < inner.len() {
                    times = times.max(1);
                }
                for _ in 0..times {
                    self.skip = skip;
                    self.append(&r.sub);
                }
                self.skip = skip.wrapping_sub(inner.len());
            }
        }
    }
}

/// Every alternative of a regex by itself, as far as its first alternation goes.
fn branches(hir: &Hir) -> Vec<Hir> {
    match hir.kind() {
        HirKind::Alternation(list) => list.clone(),
        HirKind::Concat(list) => {
            let is = |h: &Hir| matches!(h.kind(), HirKind::Alternation(_));
            let Some(at) = list.iter().position(is) else { return vec![hir.clone()] };
            let with = |one: Hir| Hir::concat([&list[..at], &[one], &list[at + 1..]].concat());
            branches(&list[at]).into_iter().map(with).collect()
        }
        _ => vec![hir.clone()],
    }
}

/// The bounds of the repetitions of `hir`, in the order of [`Sample::append`].
fn repetitions(hir: &Hir, out: &mut Vec<(u32, Option<u32>)>) {
    match hir.kind() {
        HirKind::Capture(c) => repetitions(&c.sub, out),
        HirKind::Concat(list) => list.iter().for_each(|h| repetitions(h, out)),
        HirKind::Alternation(list) => repetitions(&list[0], out),
        HirKind::Repetition(r) => {
            out.push((r.min, r.max));
            repetitions(&r.sub, out);
        }
        _ => {}
    }
}

fn check(engine: &mut Engine, d: &Detector, sample: &[u8], what: &str) {
    let text = String::from_utf8_lossy(sample);
    let line = serde_json::json!({ "m": format!("see {text} end") }).to_string() + "\n";
    let out = process(engine, &line);
    assert_eq!((out.tally.redacted, out.tally.rejected_total()), (1, 0), "{}: {what}", d.id);
    let clean = String::from_utf8(out.clean).unwrap();
    // The secret is gone: what is left is the text around it.
    assert!(clean.len() < 120, "{}: {what}: {} bytes stay", d.id, clean.len());
}

/// For each repetition of each secret's pattern: twice and ten times as many as its bound, and where
/// it has none, more than any scan of old looked at.
#[test]
fn a_secret_longer_than_its_bound_goes_whole() {
    let (mut engine, mut checked) = (engine(), 0);
    for d in packs().into_iter().flat_map(|pack| pack.detectors) {
        let whole = matches!(d.extends, Extends::Match | Extends::Token);
        if d.category != "secret" || d.regex.is_empty() || !whole {
            continue;
        }
        let parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let hir = { parser }.parse(&d.regex).unwrap();
        for branch in branches(&hir) {
            let mut all = Vec::new();
            repetitions(&branch, &mut all);
            for (skip, &(min, max)) in all.iter().enumerate() {
                let least = if d.not_after.is_some() { 64 } else { 3 };
                let lengths = match max {
                    Some(max) if max == min || max < least => continue,
                    Some(max) => vec![2 * max as usize, 10 * max as usize],
                    None => vec![20_000, 100_000],
                };
                for times in lengths {
                    let mut sample = Sample { skip, times, text: Vec::new() };
                    sample.append(&branch);
                    let what = format!("{times} of repetition {skip}");
                    check(&mut engine, &d, &sample.text, &what);
                    checked += 1;
                }
            }
        }
    }
    assert!(checked > 50, "{checked}");
}

/// The same where the value is a part of what matches, or no regex finds it.
#[test]
fn a_long_value_goes_whole() {
    let mut engine = engine();
    for n in [100, 300, 3_000, 20_000, 70_000, 200_000] {
        let secret = "Zq7x".repeat(n / 4);
        let lines = format!("{}\\n", "Zq7xZq7x".repeat(8)).repeat(n / 64 + 1);
        let headers = "-H 'X-A: b c' ".repeat(n / 14);
        for text in [
            format!("password={secret} end"),
            format!("password='{secret} {secret}' end"),
            format!("password=\\\"{secret}\\\" end"),
            format!("password={{a: {secret}}} end"),
            format!("Authorization: Bearer {secret}"),
            format!("Cookie: a={secret}; b={secret}"),
            format!("https://{secret}:{secret}@example.com/x"),
            format!("https://app:{secret}@example.com/x"),
            format!("redis://:{secret}@example.com/x"),
            format!("open root:{secret}@tcp(db:3306)/x"),
            format!("curl -u app:{secret} https://example.com"),
            format!("curl -u 'app:{secret} {secret}' https://example.com"),
            format!("curl --user \\\"app:{secret}\\\" https://example.com"),
            format!("curl {headers}-u app:{secret} https://example.com"),
            format!("redis-cli {}-a {secret} ping", "-n 1 ".repeat(n / 5)),
            format!("mysql -p{secret} app"),
            format!("run --password {secret} now"),
            format!("run --token '{secret} {secret}' now"),
            format!("IDENTIFIED BY '{secret}'"),
            format!("sent Bearer {secret} ok"),
            format!("-----BEGIN RSA PRIVATE KEY-----\\n{lines}-----END RSA PRIVATE KEY-----"),
            format!("-----BEGIN PGP PRIVATE KEY BLOCK-----\\n\\n{lines}"),
            format!("x eyJ{secret}.{secret}.{secret} end"),
            format!("x ya29.{secret} end"),
        ] {
            let head: String = text.chars().take(40).collect();
            let out = process(&mut engine, &format!("{{\"m\":\"{text}\"}}\n"));
            assert_eq!((out.tally.redacted, out.tally.rejected_total()), (1, 0), "{head} {n}");
            let clean = String::from_utf8(out.clean).unwrap();
            assert!(!clean.contains("Zq7x"), "{head} {n}: {} bytes", clean.len());
        }
    }
}

/// A private key whose lines are text lines of their own.
#[test]
fn the_lines_of_a_private_key_go() {
    let mut engine = engine();
    let body = |n: usize| format!("{}\n", "Zq7x".repeat(n));
    let key = |before: &str, kind: &str, end: &str| {
        let lines: String = [16, 16, 19, 16, 5].map(|n| format!("{before}{}", body(n))).concat();
        format!("{before}-----BEGIN {kind}-----\n{lines}{before}{end}\nthen it started\n")
    };
    for (text, keys) in [
        (key("", "RSA PRIVATE KEY", "-----END RSA PRIVATE KEY-----"), 6),
        (key("", "PGP PRIVATE KEY BLOCK", "-----END PGP PRIVATE KEY BLOCK-----"), 6),
        (key("  ", "PRIVATE KEY", "-----END PRIVATE KEY-----"), 6),
        (key("2026-01-15 app | ", "EC PRIVATE KEY", "-----END EC PRIVATE KEY-----"), 6),
        // Cut, and with lines of others between.
        (key("", "PRIVATE KEY", "stopped"), 6),
        (
            format!(
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{}{{\"a\":1}}\nhello you\n{}",
                body(16),
                body(16)
            ),
            3,
        ),
    ] {
        let out = process(&mut engine, &text);
        let clean = String::from_utf8(out.clean).unwrap();
        assert!(!clean.contains("Zq7x"), "{text}{clean}");
        assert_eq!(clean.matches("[REDACTED:private_key]").count(), keys, "{text}{clean}");
    }
    // No key: what looks like a line of one stays.
    let text = format!("-----BEGIN CERTIFICATE-----\n{}-----END CERTIFICATE-----\n", body(16));
    let out = process(&mut engine, &(text.clone() + &body(16)));
    assert_eq!(String::from_utf8(out.clean).unwrap().matches("Zq7xZq7x").count(), 16);
    // Behind its end, too.
    let text = key("", "PRIVATE KEY", "-----END PRIVATE KEY-----") + &body(16);
    let out = process(&mut engine, &text);
    assert_eq!(String::from_utf8(out.clean).unwrap().matches("Zq7xZq7x").count(), 8);
}
