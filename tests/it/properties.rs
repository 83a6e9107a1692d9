//! What must hold for any event and for any bytes at all.

#[path = "../../fuzz/oracle.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets' module, too")]
mod oracle;

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
};

use proptest::{prelude::*, test_runner::RngSeed};
use regex::bytes::Regex;
use tamis::engine::{Chunk, Engine, IpPolicy, Output, Payload, Plan, Reason};

use crate::{
    shipped::{self, adds_up, refusal},
    tokens::{Token, edits, tokens},
};

/// The same 256 cases every time, so that a failure is the change's; `PROPTEST_CASES` and
/// `PROPTEST_RNG_SEED` ask for others. A failure prints its input; the fuzz targets keep a corpus,
/// these do not.
pub(crate) fn config() -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// Every edit leaves a placeholder.
fn placeholders() -> Arc<Plan> {
    static PLAN: LazyLock<Arc<Plan>> =
        LazyLock::new(|| shipped::plan(|settings| settings.ip = IpPolicy::Redact));
    PLAN.clone()
}

/// A worker lives long: what one input leaves behind in it must not matter to the next.
struct Worker(RefCell<Engine>);

impl Worker {
    fn new(plan: Arc<Plan>) -> Self {
        Self(RefCell::new(Engine::new(plan)))
    }

    fn process(&self, data: &[u8]) -> Output {
        let mut out = Output::default();
        self.0.borrow_mut().process(&Chunk::from_bytes(data), &mut out);
        adds_up(data, &out);
        out
    }
}

thread_local! {
    static DEFAULT: Worker = Worker::new(shipped::default_plan());
    static SCHEMA: Worker = Worker::new(shipped::schema_plan());
    static PLACEHOLDERS: Worker = Worker::new(placeholders());
}

fn show(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An event before it is written down.
#[derive(Debug, Clone)]
enum Node {
    /// A number or a literal, as it is written.
    Bare(String),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// Writes a node as no logger would: any white space, any spelling of a character.
struct Writer {
    draws: u64,
    /// Keys, letters and digits are spelt with escapes, too, which no encoder does.
    letters: bool,
    out: String,
}

impl Writer {
    fn write(node: &Node, seed: u64) -> String {
        let mut writer = Self { draws: seed, letters: true, out: String::new() };
        writer.node(node);
        writer.out
    }

    /// As some encoder might.
    fn encode(node: &Node, seed: u64) -> String {
        let mut writer = Self { draws: seed, letters: false, out: String::new() };
        writer.node(node);
        writer.out
    }

    /// 0 mostly.
    fn draw(&mut self, below: u64) -> u64 {
        self.draws = self.draws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let drawn = self.draws >> 33;
        if self.draws & 3 == 0 || drawn.is_multiple_of(4) { drawn / 4 % below } else { 0 }
    }

    fn space(&mut self) {
        let space = ["", " ", "\t", "  ", "\r"][self.draw(5) as usize];
        self.out.push_str(space);
    }

    fn punctuation(&mut self, c: char) {
        self.space();
        self.out.push(c);
        self.space();
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Bare(text) => self.out.push_str(text),
            Node::Text(text) => self.string(text),
            Node::Array(items) => {
                self.punctuation('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        self.punctuation(',');
                    }
                    self.node(item);
                }
                self.space();
                self.out.push(']');
            }
            Node::Object(members) => {
                self.out.push('{');
                self.space();
                for (i, (key, value)) in members.iter().enumerate() {
                    if i > 0 {
                        self.punctuation(',');
                    }
                    self.key(key);
                    self.punctuation(':');
                    self.node(value);
                }
                self.space();
                self.out.push('}');
            }
        }
    }

    fn key(&mut self, key: &str) {
        if self.letters {
            self.string(key);
        } else {
            self.out.push_str(&serde_json::to_string(key).unwrap());
        }
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        let spelt = self.draw(2);
        for c in text.chars() {
            let plain = serde_json::to_string(&c).unwrap();
            let as_it_is = spelt == 0 || c.is_ascii_alphanumeric() && !self.letters;
            match if as_it_is { 0 } else { self.draw(6) } {
                1 => {
                    let units = &mut [0; 2];
                    for unit in c.encode_utf16(units) {
                        self.out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
                2 if c == '/' => self.out.push_str("\\/"),
                _ => self.out.push_str(&plain[1..plain.len() - 1]),
            }
        }
        self.out.push('"');
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        (-1000..1000i64).prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| format!("{f:?}")),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// Words that no detector cares for.
fn plain() -> impl Strategy<Value = String> {
    "(GET|cart|took|ms|résumé|✓|[a-z]{1,9})( (order|closed|with|[a-z]{2,8}|[0-9]{1,3}|\"q\"|\\\\n|/v[12])){0,6}"
}

/// Text in which there may be anything.
fn wild() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => any::<String>(),
        3 => ("[a-z]{0,4}[<&>('\"=/.,:; \n\t]{0,2}", proptest::sample::select(CANARIES), "[<&>)'\"/.,:; \n]{0,2}[a-z]{0,3}")
            .prop_map(|(before, canary, behind)| format!("{before}{}{behind}", canary.text)),
        1 => "[0-9 .@:/=%+\"\\\\{}-]{0,40}",
        1 => "(password|token|secret|Bearer|api_key)[ =:]{1,2}[a-zA-Z0-9\"' ]{0,20}",
        1 => "([a-z]{1,8}@[a-z]{1,8}\\.(com|io)|[0-9]{1,3}(\\.[0-9]{1,3}){3}|%[0-9a-fA-F]{2}| ){1,8}",
    ]
}

fn tree(
    key: BoxedStrategy<String>,
    text: BoxedStrategy<String>,
) -> impl Strategy<Value = Vec<(String, Node)>> {
    let leaf = prop_oneof![
        2 => proptest::sample::select(&["true", "false", "null"]).prop_map(|s| Node::Bare(s.into())),
        3 => number().prop_map(Node::Bare),
        5 => text.prop_map(Node::Text),
    ];
    let members = key.clone();
    let node = leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Node::Array),
            prop::collection::vec((members.clone(), inner), 0..5).prop_map(Node::Object),
        ]
    });
    prop::collection::vec((key, node), 0..6)
}

fn wild_members() -> impl Strategy<Value = Vec<(String, Node)>> {
    let key = prop_oneof![
        5 => "[a-z_]{1,12}",
        1 => wild(),
        1 => proptest::sample::select(&["password", "apiKey", "name", "value", "headers", "email"])
            .prop_map(str::to_owned),
    ];
    tree(key.boxed(), wild().boxed())
}

pub(crate) fn wild_event() -> impl Strategy<Value = String> {
    (wild_members(), any::<u64>())
        .prop_map(|(members, seed)| Writer::write(&Node::Object(members), seed))
}

/// What an event says, however it is spelt.
fn meaning(line: &[u8]) -> Vec<String> {
    let tokens = tokens(line).into_iter();
    tokens
        .filter_map(|token| match token {
            Token::Space(_) => None,
            Token::Punctuation(b) => Some(char::from(b).to_string()),
            Token::String(raw) => Some(serde_json::from_slice(raw).unwrap()),
            Token::Bare(raw) => Some(show(raw)),
        })
        .collect()
}

/// A secret that must not survive, and the part of it that tells.
#[derive(Debug, Clone, Copy)]
struct Canary {
    text: &'static str,
    tells: &'static str,
}

const fn whole(text: &'static str) -> Canary {
    Canary { text, tells: text }
}

const CANARIES: &[Canary] = &[
    Canary { text: "ada.canary@corp-example.com", tells: "ada.canary" },
    whole("4111111111111111"),
    whole("4111 1111 1111 1111"),
    whole("219-09-9999"),
    whole("DE89370400440532013000"),
    whole("+14155550132"),
    whole("AKIAIOSFODNN7EXAMPLE"),
    whole("ghp_abcdefghijABCDEFGHIJ0123456789abcdef"),
    Canary {
        text: "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.AAAAAAAAAAAAAAAAAAAAAA",
        tells: "eyJzdWIiOiJjYW5hcnki",
    },
    Canary { text: "password=hunter2canary", tells: "hunter2canary" },
    Canary { text: "Authorization: Bearer hunter2canary9", tells: "hunter2canary9" },
    Canary { text: "postgres://shop:hunter2canary@db.internal:5432/shop", tells: "hunter2canary" },
];

/// Where a canary sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nest {
    Text,
    Key,
    SecretField,
    /// JSON inside a string.
    Json,
    /// Two deep, among other members.
    Deep,
}

const NESTS: &[Nest] = &[Nest::Text, Nest::Key, Nest::SecretField, Nest::Json, Nest::Deep];

fn text(s: &str) -> Node {
    Node::Text(s.into())
}

fn plant(canary: Canary, nest: Nest, seed: u64) -> Vec<(String, Node)> {
    let around = ["{}", "saw {} there", "first\n{}\nlast", "<{}>", "a, {}, b", "({})"];
    let words = around[seed as usize % around.len()].replace("{}", canary.text);
    let value = match nest {
        Nest::Text => text(&words),
        Nest::Key => Node::Object(vec![(words, text("opened"))]),
        Nest::SecretField => Node::Object(vec![("password".into(), text(canary.tells))]),
        Nest::Json => {
            let inner = vec![("n".to_owned(), Node::Bare("1".into())), ("m".into(), text(&words))];
            Node::Text(Writer::write(&Node::Object(inner), seed / 7))
        }
        Nest::Deep => Node::Array(vec![
            Node::Object(vec![("detail".into(), Node::Array(vec![text("x"), text(&words)]))]),
            Node::Bare("1.5".into()),
        ]),
    };
    vec![("detail".into(), value)]
}

/// Everything that a line's reader can see: the line, and the text of its strings and keys, those
/// of JSON inside strings too.
fn visible(line: &[u8]) -> Vec<String> {
    fn strings(value: &serde_json::Value, all: &mut Vec<String>) {
        match value {
            serde_json::Value::String(s) => {
                all.push(s.clone());
                if let Ok(inner @ serde_json::Value::Object(_)) = serde_json::from_str(s) {
                    strings(&inner, all);
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, all)),
            serde_json::Value::Object(members) => members.iter().for_each(|(key, value)| {
                all.push(key.clone());
                strings(value, all);
            }),
            _ => {}
        }
    }
    let mut all = vec![show(line)];
    if let Ok(value) = serde_json::from_slice(line) {
        strings(&value, &mut all);
    }
    all
}

fn assert_gone(canary: Canary, out: &Output, input: &str) {
    let bodies = out.rejects.iter().map(|r| &out.bodies[r.body.clone()]);
    let pointers = out.rejects.iter().map(|r| r.pointer.as_bytes());
    let clean = out.clean.split(|&b| b == b'\n');
    for place in clean.chain(bodies).chain(pointers).flat_map(visible) {
        assert!(!place.contains(canary.tells), "{canary:?} in {place} from {input}");
    }
}

/// What of a malformed line is kept has no word in it.
fn assert_shapes(out: &Output) {
    for reject in &out.rejects {
        let body = &out.bodies[reject.body.clone()];
        match reject.payload {
            Payload::None => assert!(body.is_empty(), "{reject:?}"),
            Payload::Shape => {
                let word = |b: &u8| b.is_ascii_alphanumeric() && !b"x0".contains(b);
                assert!(body.is_ascii() && !body.iter().any(word), "{}", show(body));
            }
            Payload::Redacted => {}
        }
    }
}

/// serde_json's verdict. It reads numbers into doubles, and refuses the ones that do not fit:
/// those are asked about with a zero in their place.
fn is_object(line: &[u8]) -> bool {
    static PIECE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?-u)("(?:[^"\\]|\\.)*")|[-+.0-9eE]+"#).unwrap());
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$").unwrap()
    });
    if oracle::is_object(line) {
        return true;
    }
    let small = PIECE.replace_all(line, |found: &regex::bytes::Captures<'_>| {
        if NUMBER.is_match(&found[0]) { b"0".to_vec() } else { found[0].to_vec() }
    });
    oracle::is_object(&small)
}

/// Only simd-json minds numbers beyond 64 bits.
fn has_long_number(line: &[u8]) -> bool {
    static LONG: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?-u)[0-9][eE]|[0-9.]{18,}").unwrap());
    LONG.is_match(line)
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

/// Bytes of which much is JSON, or nearly.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..8),
        6 => proptest::sample::select(PIECES).prop_map(|s| s.as_bytes().to_vec()),
        2 => wild_event().prop_map(String::into_bytes),
        2 => wild().prop_map(String::into_bytes),
        1 => (0..300usize, any::<u8>()).prop_map(|(n, b)| vec![b; n]),
    ];
    prop::collection::vec(pieces, 0..24).prop_map(|pieces| pieces.concat())
}

const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\n",
    "\r\n",
    " ",
    "null",
    "true",
    "-0",
    "1e9",
    "{\"a\":",
    "\"a\":\"",
    "\\u00e9",
    "\\ud83d",
    "\\ude00",
    "\\\"",
    "@",
    "%40",
    "://",
    "password=",
    "\"password\":",
    "é",
    "😀",
    "\u{feff}",
    "\0",
    "\t",
    "123-45-6789",
    "[REDACTED:email]",
    "{\\\"a\\\":\\\"",
    "eyJ",
    "-----BEGIN RSA PRIVATE KEY-----",
    "Authorization: ",
];

/// An event with a few bytes changed, put in or taken out; on one line, behind a brace.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let change = (
        any::<prop::sample::Index>(),
        0..3u8,
        prop_oneof![any::<u8>(), proptest::sample::select(&b"\"\\{}[]:,.-+eE0u \t\r\x7f\x1f"[..]),],
    );
    (wild_event(), prop::collection::vec(change, 0..4)).prop_map(|(event, changes)| {
        let mut line = event.into_bytes();
        for (place, how, byte) in changes {
            let at = 1 + place.index(line.len().max(2) - 1);
            match how {
                0 if at < line.len() => line[at] = byte,
                1 if at < line.len() => drop(line.remove(at)),
                _ => line.insert(at.min(line.len()), byte),
            }
        }
        line.iter_mut().filter(|b| **b == b'\n').for_each(|b| *b = b' ');
        line
    })
}

proptest! {
    #![proptest_config(config())]

    /// Clean events leave byte for byte, however they are written.
    #[test]
    fn events_without_findings_are_untouched(
        members in tree("[a-f]{1,6}".boxed(), plain().boxed()),
        seed: u64,
    ) {
        let event = Writer::write(&Node::Object(members), seed) + "\n";
        let out = DEFAULT.with(|worker| worker.process(event.as_bytes()));
        prop_assert_eq!(show(&out.clean), event);
        prop_assert_eq!(out.tally.clean, 1);
    }

    /// The output is the input outside the edits, and an edit keeps the type.
    #[test]
    fn only_findings_change(event in wild_event()) {
        let out = PLACEHOLDERS.with(|worker| worker.process(event.as_bytes()));
        if refusal(&out).is_none() {
            let line = out.clean.strip_suffix(b"\n").unwrap();
            prop_assert!(is_object(line), "{} from {}", show(line), event);
            let edited = edits(event.as_bytes(), line);
            let redactions: u64 = out.tally.redactions.iter().sum();
            prop_assert_eq!(edited > 0, out.tally.redacted == 1, "{}", event);
            prop_assert!(edited as u64 <= redactions, "{} edits, {} redactions", edited, redactions);
        } else {
            prop_assert_eq!(refusal(&out), Some(Reason::TooCostly), "{}", event);
        }
    }

    /// What is found does not depend on how the event is spelt: white space, escapes.
    #[test]
    fn spelling_does_not_matter(members in wild_members(), seeds: [u64; 2]) {
        let node = Node::Object(members);
        let events = seeds.map(|seed| Writer::encode(&node, seed));
        let [a, b] =
            events.clone().map(|e| PLACEHOLDERS.with(|worker| worker.process(e.as_bytes())));
        if refusal(&a).is_none() && refusal(&b).is_none() {
            let [one, other] = [&a, &b].map(|out| meaning(&out.clean));
            for (one, other) in one.iter().zip(&other) {
                prop_assert_eq!(one, other, "{}\n{}", &events[0], &events[1]);
            }
            prop_assert_eq!(one.len(), other.len());
        }
    }

    /// Any bytes: no panic, counts that add up, objects on lines, and a second pass changes nothing.
    #[test]
    fn any_bytes_at_all(data in any_bytes()) {
        for worker in [&DEFAULT, &SCHEMA] {
            let out = worker.with(|worker| worker.process(&data));
            assert_shapes(&out);
            for line in out.clean.split_inclusive(|&b| b == b'\n') {
                prop_assert!(is_object(line), "{}", show(line));
            }
            let again = worker.with(|worker| worker.process(&out.clean));
            let lines = |out: &Output| show(&out.clean).lines().map(str::to_owned).collect::<Vec<_>>();
            for (first, second) in lines(&out).iter().zip(&lines(&again)) {
                prop_assert_eq!(second, first, "a second pass; the input was {}", show(&data));
            }
            prop_assert!(again.clean == out.clean);
            let tally = &again.tally;
            prop_assert_eq!(tally.clean, tally.read, "all clean: {:?}", tally);
        }
    }

    /// The walk's verdict is serde_json's and simd-json's.
    #[test]
    fn forwarded_if_and_only_if_it_is_an_object(line in nearly_json()) {
        let out = DEFAULT.with(|worker| worker.process(&line));
        let refused = refusal(&out);
        prop_assert!(depth(&line) <= 128 && refused != Some(Reason::TooDeep));
        if refused != Some(Reason::TooCostly) {
            let object = is_object(&line);
            prop_assert_eq!(refused.is_none(), object, "{:?}: {}", refused, show(&line));
            if !has_long_number(&line) {
                let simd = simd_json::to_tape(&mut line.clone()).is_ok();
                prop_assert_eq!(refused.is_none(), simd, "{:?}: {}", refused, show(&line));
            }
        }
    }

    /// A planted secret is gone from everything that leaves.
    #[test]
    fn canaries_do_not_survive(
        canary in proptest::sample::select(CANARIES),
        nest in proptest::sample::select(NESTS),
        before in tree("[a-f]{1,6}".boxed(), plain().boxed()),
        after in tree("[a-f]{1,6}".boxed(), plain().boxed()),
        cut in any::<prop::sample::Index>(),
        seed: u64,
    ) {
        let members = [before, plant(canary, nest, seed), after].concat();
        let event = Writer::write(&Node::Object(members), seed);
        let cut = &event.as_bytes()[..cut.index(event.len())];
        let broken = [event.as_bytes(), b"}"].concat();
        for worker in [&DEFAULT, &SCHEMA] {
            let out = worker.with(|worker| worker.process(event.as_bytes()));
            prop_assert!(out.tally.redacted == 1 || !out.rejects.is_empty(), "{}", event);
            assert_gone(canary, &out, &event);
            // What is not whole is not text that could be judged.
            for malformed in [cut, &broken] {
                let out = worker.with(|worker| worker.process(malformed));
                assert_gone(canary, &out, &event);
                assert_shapes(&out);
                prop_assert_eq!(out.tally.forwarded(), 0);
            }
        }
    }

    /// The same in text lines.
    #[test]
    fn canaries_do_not_survive_in_text(
        canary in proptest::sample::select(CANARIES),
        before in plain(),
        after in plain(),
    ) {
        let line = format!("{before}, {} {after}", canary.text);
        for worker in [&DEFAULT, &SCHEMA] {
            let out = worker.with(|worker| worker.process(line.as_bytes()));
            prop_assert_eq!(out.tally.wrapped + out.tally.rejected_total(), 1);
            assert_gone(canary, &out, &line);
        }
    }
}
