//! What looks like personal data and is none leaves byte for byte: thousands of seeded values of
//! each shape, as a string, inside a sentence, as a bare number, as a key.
//!
//! Excluded by construction, because nothing can tell them apart: runs of digits that a card's
//! issuer could have given out (length, first digits, Luhn), and four-part versions without a word
//! that says so. Numbers that really are something else by their key are tested with that key.

use std::fmt::Write;
use std::sync::Arc;

use tamis::engine::detect::Pack;
use tamis::engine::{Chunk, Engine, Output, Plan, Settings};

const ROUNDS: usize = 2000;

/// SplitMix64.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }
    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.next() as usize % of.len()]
    }
    fn of(&mut self, alphabet: &[u8], n: usize) -> String {
        (0..n).map(|_| char::from(alphabet[self.next() as usize % alphabet.len()])).collect()
    }
    fn hex(&mut self, n: usize) -> String {
        self.of(b"0123456789abcdef", n)
    }
    fn digits(&mut self, n: usize) -> String {
        self.of(b"0123456789", n)
    }
    fn word(&mut self) -> String {
        // Shorter ones may be a secret's name (`pwd`, `cvv`).
        let n = self.within(5, 9) as usize;
        self.of(b"abcdefghijklmnopqrstuvwxyz", n)
    }
}

type Shape = fn(&mut Rng) -> String;

/// Whether a card's issuer could have given out the digits.
fn is_card(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(i, b)| {
            let d = u32::from(b - b'0') << (i % 2);
            if d > 9 { d - 9 } else { d }
        })
        .sum();
    (13..=19).contains(&digits.len()) && sum.is_multiple_of(10)
}

/// The first of `shape`'s values in which no run of digits can be a card's.
fn no_card(rng: &mut Rng, shape: Shape) -> String {
    loop {
        let value = shape(rng);
        if !value.split(|c: char| !c.is_ascii_digit()).any(is_card) {
            return value;
        }
    }
}

/// Numbers: as strings, in sentences, as keys, and bare.
const NUMBERS: &[(&str, Shape)] = &[
    ("epoch in seconds", |r| r.within(1_000_000_000, 2_100_000_000).to_string()),
    ("epoch in ms", |r| r.within(1_000_000_000_000, 2_100_000_000_000).to_string()),
    ("epoch in µs", |r| r.within(1_000_000_000_000_000, 1_999_000_000_000_000).to_string()),
    ("epoch in ns", |r| {
        r.within(1_000_000_000_000_000_000, 1_999_000_000_000_000_000).to_string()
    }),
    ("epoch with a fraction", |r| {
        format!("{}.{:09}", r.within(1_000_000_000, 2_000_000_000), r.within(0, 999_999_999))
    }),
    ("Datadog's decimal ids", |r| no_card(r, |r| r.next().to_string())),
    ("63-bit ids", |r| no_card(r, |r| (r.next() >> 1).to_string())),
    ("double", |r| format!("{:?}", f64::from_bits(r.next() & !(1 << 62) | 1 << 61))),
    ("ratio", |r| format!("0.{}", r.digits(16))),
    ("negative coordinate", |r| format!("-{}.{}", r.within(0, 179), r.digits(7))),
    ("offset", |r| r.within(0, 1 << 40).to_string()),
    ("bytes", |r| r.within(100_000_000, 999_999_999).to_string()),
    ("snowflake", |r| no_card(r, |r| r.within(1 << 58, 1 << 60).to_string())),
];

/// Strings: as strings, in sentences, and as keys.
const STRINGS: &[(&str, Shape)] = &[
    ("span id", |r| no_card(r, |r| r.hex(16))),
    ("trace id", |r| no_card(r, |r| r.hex(32))),
    ("traceparent", |r| no_card(r, |r| format!("00-{}-{}-01", r.hex(32), r.hex(16)))),
    ("UUID", uuid),
    ("UUID in capitals", |r| uuid(r).to_uppercase()),
    ("MD5", |r| no_card(r, |r| r.hex(32))),
    ("SHA-1", |r| r.hex(40)),
    ("SHA-256", |r| format!("sha256:{}", r.hex(64))),
    ("SHA-256 in capitals", |r| r.hex(64).to_uppercase()),
    ("short commit", |r| no_card(r, |r| { let n = r.within(7, 12) as usize; r.hex(n) })),
    ("ULID", |r| format!("01{}", r.of(b"0123456789ABCDEFGHJKMNPQRSTVWXYZ", 24))),
    ("fingerprint", |r| {
        (0..20).map(|_| r.hex(2).to_uppercase()).collect::<Vec<_>>().join(":")
    }),
    ("MAC address", |r| (0..6).map(|_| r.hex(2)).collect::<Vec<_>>().join(":")),
    ("version", |r| {
        format!("{}{}.{}.{}", r.pick(&["v", ""]), r.within(0, 40), r.within(0, 99), r.within(0, 999))
    }),
    ("pre-release", |r| {
        format!("{}.{}.{}-rc.{}+{}", r.within(0, 40), r.within(0, 99), r.within(0, 99),
            r.within(0, 9), r.digits(14))
    }),
    ("four-part version", |r| format!("version {}.0.{}.{}", r.within(1, 200), r.within(0, 200), r.within(0, 200))),
    ("user agent", |r| {
        format!("Mozilla/5.0 Chrome/{}.0.{}.{} Safari/537.36", r.within(60, 140), r.within(0, 200),
            r.within(0, 200))
    }),
    ("OID", |r| {
        let more: Vec<_> = (0..r.within(2, 8)).map(|_| r.within(0, 99999).to_string()).collect();
        format!("{}.{}", r.pick(&["1.3.6.1.4.1", "2.16.840.1.113883", "1.2.840.10008"]), more.join("."))
    }),
    ("order number", |r| {
        format!("{}{}", r.pick(&["ORD-", "#", "order-", "PO", "INV-2025-"]), r.digits(8))
    }),
    ("shop's order number", |r| format!("{}-{}-{}", r.digits(3), r.digits(7), r.digits(7))),
    ("ISBN with hyphens", |r| format!("ISBN 978-{}-{}-{}-{}", r.digits(1), r.digits(2), r.digits(6), r.digits(1))),
    ("ISBN", |r| format!("978{}", r.digits(10))),
    ("date", |r| format!("20{:02}-{:02}-{:02}", r.within(0, 99), r.within(1, 12), r.within(1, 28))),
    ("compact date", |r| format!("20{:02}{:02}{:02}T{}Z", r.within(0, 99), r.within(1, 12), r.within(1, 28), r.digits(6))),
    ("RFC 3339", |r| {
        format!("2025-{:02}-{:02}T{:02}:{:02}:{:02}.{}+02:00", r.within(1, 12), r.within(1, 28),
            r.within(0, 23), r.within(0, 59), r.within(0, 59), r.digits(9))
    }),
    ("access log's date", |r| {
        format!("[{:02}/Jan/2025:10:{:02}:00 +0{}00]", r.within(1, 28), r.within(0, 59), r.within(0, 9))
    }),
    ("duration", |r| format!("{}h{}m{}.{}s", r.within(0, 99), r.within(0, 59), r.within(0, 59), r.digits(9))),
    ("clock", |r| format!("{:02}:{:02}:{:02}.{}", r.within(0, 23), r.within(0, 59), r.within(0, 59), r.digits(6))),
    ("monotonic clock", |r| format!("m=+{}.{}", r.within(0, 99_999_999), r.digits(9))),
    ("whole monotonic clock", |r| format!("m=+1{}", r.digits(7))),
    ("ARN", |r| {
        format!("arn:aws:{}:eu-west-1:{}:{}/{}", r.pick(&["iam", "sqs", "lambda", "ecs"]), r.digits(12), r.word(), r.word())
    }),
    ("npm package", |r| {
        format!("{}@{}.{}.{}", r.word(), r.within(0, 40), r.within(0, 40), r.within(0, 40))
    }),
    ("Java object", |r| format!("com.example.{}.Foo@{}", r.word(), r.hex(8))),
    ("retina image", |r| format!("/img/{}@{}x.png", r.word(), r.within(2, 4))),
    ("repository", |r| format!("git@{}.com:{}/{}.git", r.pick(&["github", "gitlab"]), r.word(), r.word())),
    ("systemd unit", |r| format!("{}@{}.{}", r.word(), r.within(0, 9999), r.pick(&["service", "socket", "slice", "timer"]))),
    ("private address", |r| {
        let net = r.pick(&["10.1", "192.168", "172.16", "127.0", "169.254", "100.64"]);
        format!("{net}.{}.{}:{}", r.within(0, 255), r.within(0, 255), r.within(1, 65535))
    }),
    ("private IPv6 address", |r| format!("[fd{}:{}:{}::{}]:443", r.hex(2), r.hex(4), r.hex(4), r.hex(1))),
    ("pod", |r| format!("{}-{}-{}", r.word(), r.hex(10), r.of(b"bcdfghjklmnpqrstvwxz2456789", 5))),
    ("image", |r| format!("registry.example.com/{}:{}.{}@sha256:{}", r.word(), r.within(0, 9), r.within(0, 99), r.hex(64))),
    ("file position", |r| format!("src/{}.rs:{}:{}", r.word(), r.within(1, 9999), r.within(1, 99))),
    ("path in Rust", |r| format!("{}::{}::{}", r.word(), r.word(), r.word())),
    ("access log", |r| format!("GET /{} 200 {} {}", r.word(), r.within(0, 999_999), r.within(0, 9999))),
    ("counters", |r| format!("prompt_tokens={} completion_tokens={} total_tokens: {}", r.within(1, 9999), r.within(1, 9999), r.within(1, 9999))),
    ("complaint", |r| format!("Unexpected token }} in JSON at position {}", r.within(1, 9999))),
    ("event", |r| format!("event=password_{}_requested", r.word())),
    ("paging", |r| format!("next_token={} page_token={}", r.hex(12), r.hex(8))),
    ("environment", |r| format!("PWD=/home/{} OLDPWD=/{}", r.word(), r.word())),
];

/// Whole events, whose keys matter.
const EVENTS: &[(&str, Shape)] = &[
    ("counters", |r| format!(r#"{{"prompt_tokens":{},"max_tokens":{},"tokens":{}}}"#, r.within(1, 9999), r.within(1, 9999), r.within(1, 9999))),
    ("password events", |r| format!(r#"{{"event":"password_reset_requested","password_reset_at":"2025-01-15","password_attempts":{}}}"#, r.within(1, 9))),
    ("names of secrets", |r| format!(r#"{{"secretName":"{}","token_type":"bearer","access_key_id":"{}","imagePullSecret":"{}"}}"#, r.word(), r.word(), r.word())),
    ("paging", |r| format!(r#"{{"nextToken":"{}","page_token":"{}","continuation_token":"{}"}}"#, r.hex(12), r.hex(12), r.hex(12))),
    ("cards' twins by key", |r| format!(r#"{{"dd.trace_id":"{}","span_id":"{}","order_id":"{}","offset":{}}}"#, card(r), card(r), card(r), card(r))),
    ("null", |r| format!(r#"{{"password":null,"token":true,"secret":"","n":{}}}"#, r.within(0, 9))),
];

fn uuid(r: &mut Rng) -> String {
    format!("{}-{}-4{}-a{}-{}", r.hex(8), r.hex(4), r.hex(3), r.hex(3), r.hex(12))
}

/// 16 digits that pass for a card's.
fn card(r: &mut Rng) -> String {
    loop {
        let digits = format!("4{}", r.digits(15));
        if is_card(&digits) {
            return digits;
        }
    }
}

fn plan() -> Arc<Plan> {
    let packs = [
        ("core.toml", include_str!("../../patterns/core.toml")),
        ("secrets.toml", include_str!("../../patterns/secrets.toml")),
    ];
    let packs = packs.iter().map(|(file, text)| Pack::parse(file, text).unwrap()).collect();
    Arc::new(Plan::compile(Settings { packs, ..Settings::default() }).unwrap())
}

/// Every line that did not leave as it came, and as what it left.
fn changed(plan: &Arc<Plan>, lines: &str) -> Vec<String> {
    let mut out = Output::default();
    Engine::new(Arc::clone(plan)).process(&Chunk::from_bytes(lines.as_bytes()), &mut out);
    let clean = String::from_utf8(out.clean).unwrap();
    assert_eq!(clean.lines().count(), lines.lines().count(), "lost: {:?}", out.rejects.first());
    let pairs = lines.lines().zip(clean.lines());
    pairs.filter(|(a, b)| a != b).map(|(a, b)| format!("{a} → {b}")).collect()
}

fn check(shapes: &[(&str, Shape)], event: fn(&str) -> String) {
    let plan = plan();
    let mut alarms = String::new();
    for (seed, (name, shape)) in shapes.iter().enumerate() {
        let mut rng = Rng(seed as u64);
        let lines: Vec<_> = (0..ROUNDS).map(|_| event(&shape(&mut rng))).collect();
        let changed = changed(&plan, &lines.join("\n"));
        if let Some(first) = changed.first() {
            let _ = writeln!(alarms, "{name}: {} of {ROUNDS}: {first}", changed.len());
        }
    }
    assert!(alarms.is_empty(), "\n{alarms}");
}

fn all() -> Vec<(&'static str, Shape)> {
    NUMBERS.iter().chain(STRINGS).copied().collect()
}

#[test]
fn as_strings() {
    check(&all(), |value| format!(r#"{{"value":"{value}","n":1}}"#));
}

#[test]
fn in_sentences() {
    check(&all(), |value| format!(r#"{{"message":"done with {value}, took 12 ms ({value})"}}"#));
}

#[test]
fn in_escaped_sentences() {
    check(&all(), |value| format!(r#"{{"message":"\tdone \"{value}\"\n{value}"}}"#));
}

#[test]
fn as_keys() {
    check(&all(), |value| format!(r#"{{"by":{{"{value}":{{"n":1}}}}}}"#));
}

#[test]
fn in_arrays() {
    check(&all(), |value| format!(r#"{{"values":["{value}", "{value}"]}}"#));
}

#[test]
fn as_numbers() {
    // JSON wants a digit before `e`, as Rust writes doubles, and no leading zero.
    let numbers: Vec<_> = NUMBERS.to_vec();
    check(&numbers, |value| format!(r#"{{"value":{value},"values":[{value}, 1]}}"#));
}

#[test]
fn as_whole_events() {
    check(EVENTS, str::to_owned);
}
