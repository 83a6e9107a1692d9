//! Floods: texts that are made of what opens a detector's gate, or begins its match, again and
//! again. They are made by walking the packs, so a new detector is covered without a new test.

use regex_syntax::hir::{Class, Hir, HirKind};
use tamis::engine::detect::{Pack, pack::Detector};

/// A text that is repeated.
pub(crate) struct Flood {
    pub(crate) name: String,
    pub(crate) unit: String,
}

/// What stands between two of a kind.
const BETWEEN: [&str; 12] = ["", " ", ",", "_", "-", "/", ":", "=", "@", "\n", "\"", "%40"];

/// Floods that were slow once, or that no single detector's text makes.
const KNOWN: [&str; 34] = [
    "_eyJAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "ghs_1_eyJ",
    "password: ",
    "--password x",
    "--password x ",
    "a:b@tcp(",
    "redis-cli -",
    "curl -u ",
    "curl a b c d ",
    "mysql - ",
    "-----BEGIN ",
    "-----BEGIN A B C ",
    "password={{",
    "cookie: expired ",
    "password=\"",
    "password='a",
    "a@",
    "a@b.co ",
    "://a:b@c",
    "%40%",
    "\\\"",
    "\\\\",
    "sig=%2B",
    "ssn_",
    "http://a:b@",
    "c://a:b@",
    "]@",
    "a]@h",
    "[REDACTED:email]@",
    "http://u:[REDACTED:x]@h",
    "[REDACTED:x]@tcp(",
    "\u{1b}[m4111111",
    "\u{1b}[0mghp_",
    "password\0=",
];

/// Every flood of these packs.
pub(crate) fn all(packs: &[Pack]) -> Vec<Flood> {
    let mut floods: Vec<_> =
        KNOWN.iter().map(|unit| Flood { name: "known".into(), unit: (*unit).into() }).collect();
    let detectors = packs.iter().flat_map(|pack| &pack.detectors);
    for (i, d) in detectors.enumerate() {
        for (j, piece) in pieces(d).into_iter().enumerate() {
            // Each piece with some of what may stand between, every detector with all of it.
            for k in 0..3 {
                let between = BETWEEN[(i + j + 5 * k) % BETWEEN.len()];
                floods.push(Flood { name: d.id.clone(), unit: format!("{piece}{between}") });
            }
        }
    }
    // Two at a time.
    let singles = floods.len();
    for i in (0..singles).step_by(3) {
        let (a, b) = (&floods[i], &floods[(i * 7 + 11) % singles]);
        let name = format!("{}+{}", a.name, b.name);
        floods.push(Flood { name, unit: format!("{}{}", a.unit, b.unit) });
    }
    floods.retain(|f| !f.unit.is_empty());
    floods
}

impl Flood {
    /// About `len` bytes of it.
    fn text(&self, len: usize) -> String {
        self.unit.repeat(len / self.unit.len() + 1)
    }

    /// A line that holds `len` bytes of it in a string.
    pub(crate) fn event(&self, len: usize) -> Vec<u8> {
        let mut line = serde_json::json!({ "m": self.text(len) }).to_string().into_bytes();
        line.push(b'\n');
        line
    }

    /// The same as a text line.
    pub(crate) fn line(&self, len: usize) -> Vec<u8> {
        let mut line = self.text(len).replace(['\n', '{'], " ").into_bytes();
        line.push(b'\n');
        line
    }
}

/// What opens a detector's gate, what it matches, and what it nearly matches.
fn pieces(d: &Detector) -> Vec<String> {
    let mut pieces: Vec<String> = d.literals.clone();
    pieces.extend(d.fields.iter().flat_map(|f| {
        let name = f.replace(' ', "_");
        [format!("{name}=x"), format!("{name}: "), format!("{name}=\"")]
    }));
    pieces.truncate(24);
    for regex in d.shape.iter().chain([&d.regex]).filter(|r| !r.is_empty()) {
        let parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        let Ok(hir) = { parser }.parse(regex) else { continue };
        for seed in 0..6 {
            let mut match_ = Vec::new();
            append(&hir, seed, &mut match_);
            let match_ = String::from_utf8_lossy(&match_).into_owned();
            let cut = |n: usize| match_.chars().take(n).collect::<String>();
            let len = match_.chars().count();
            pieces.push(cut(len.saturating_sub(1)));
            if seed < 3 {
                pieces.push(cut(len / 2));
            }
            pieces.push(match_);
        }
    }
    pieces.sort();
    pieces.dedup();
    pieces
}

/// Appends a text that `hir` matches: another one for each seed.
fn append(hir: &Hir, seed: usize, out: &mut Vec<u8>) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(l) => out.extend_from_slice(&l.0),
        HirKind::Class(Class::Bytes(c)) => {
            let bytes: Vec<u8> = c.ranges().iter().flat_map(|r| r.start()..=r.end()).collect();
            let plain: Vec<u8> = bytes.iter().copied().filter(u8::is_ascii_alphanumeric).collect();
            let from = if plain.is_empty() { &bytes } else { &plain };
            out.extend(from.get((seed * 13 + out.len() * (seed / 2)) % from.len().max(1)));
        }
        HirKind::Class(Class::Unicode(_)) => out.push(b'x'),
        HirKind::Capture(c) => append(&c.sub, seed, out),
        HirKind::Concat(list) => list.iter().for_each(|h| append(h, seed, out)),
        HirKind::Alternation(list) => append(&list[seed % list.len()], seed / list.len(), out),
        HirKind::Repetition(r) => {
            let most = r.max.unwrap_or(r.min + 70).min(r.min + 70);
            let times = [r.min, r.min + 1, r.min + 3, most, r.min + 9, r.min][seed % 6].min(most);
            (0..times).for_each(|_| append(&r.sub, seed, out));
        }
    }
}
