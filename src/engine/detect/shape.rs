//! Shapes: what a detector declares of its first bytes, compiled into a gate and rows of its table.

use std::collections::BTreeMap;

use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};
use regex_syntax::utf8::Utf8Sequences;

use crate::engine::index::Gate;
use crate::engine::index::exact::{ByteSet, Row, WINDOW};
use crate::engine::path::words::Words;
use crate::engine::regex::parse;

/// The most forms that one shape may expand into.
const MAX_FORMS: usize = 160;
/// The bytes of a shape that count: the window less the place before it.
const DEPTH: usize = WINDOW - 1;

/// A fixed-width opening.
pub(super) type Form = Vec<ByteSet>;

/// The bytes of a class, written as its inside: `A-Za-z0-9._`.
pub(super) fn class(inside: &str) -> Result<ByteSet, String> {
    let hir = parse(&format!("[{inside}]"))?;
    let forms = expand(&hir)?;
    match &forms[..] {
        [one] if one.len() == 1 => Ok(one[0]),
        _ => Err(format!("[{inside}] is not one class of bytes")),
    }
}

/// The forms of a literal.
pub(super) fn literal(text: &str, ignore_case: bool) -> Form {
    text.bytes()
        .take(DEPTH)
        .map(|b| ByteSet::of(|c| c == b || (ignore_case && c.eq_ignore_ascii_case(&b))))
        .collect()
}

/// The forms of a shape's regex, cut to the bytes that count.
pub(super) fn expand(hir: &Hir) -> Result<Vec<Form>, String> {
    expand_to(hir, DEPTH)
}

/// The forms of a regex, cut to `depth` bytes.
pub(super) fn expand_to(hir: &Hir, depth: usize) -> Result<Vec<Form>, String> {
    let mut forms = grow(hir, vec![vec![]], depth)?;
    forms.sort();
    forms.dedup();
    Ok(forms)
}

fn grow(hir: &Hir, from: Vec<Form>, depth: usize) -> Result<Vec<Form>, String> {
    let append = |set: ByteSet| {
        let mut grown = from.clone();
        for f in grown.iter_mut().filter(|f| f.len() < depth) {
            f.push(set);
        }
        grown
    };
    let mut grown = match hir.kind() {
        HirKind::Empty => from,
        HirKind::Look(_) => return Err("a shape has no look-around".into()),
        HirKind::Literal(l) => {
            let mut grown = from;
            for &b in l.0.iter() {
                for f in grown.iter_mut().filter(|f| f.len() < depth) {
                    f.push(ByteSet::of(|c| c == b));
                }
            }
            grown
        }
        HirKind::Class(Class::Bytes(c)) => {
            append(ByteSet::of(|b| c.ranges().iter().any(|r| r.start() <= b && b <= r.end())))
        }
        HirKind::Class(Class::Unicode(c)) => letters(c, &from, depth)?,
        HirKind::Capture(c) => grow(&c.sub, from, depth)?,
        HirKind::Concat(l) => l.iter().try_fold(from, |f, h| grow(h, f, depth))?,
        HirKind::Alternation(l) => {
            let mut all = vec![];
            for h in l {
                all.extend(grow(h, from.clone(), depth)?);
            }
            all
        }
        HirKind::Repetition(r) => {
            let most = r.max.unwrap_or(u32::MAX).min(r.min.max(1).saturating_add(depth as u32));
            let mut now = from;
            let mut all = vec![];
            for n in 0..=most {
                if n >= r.min {
                    all.extend(now.iter().cloned());
                }
                if n < most {
                    now = grow(&r.sub, now, depth)?;
                    now.sort();
                    now.dedup();
                }
                if n > r.min && now.iter().all(|f| f.len() == depth) {
                    all.extend(now.iter().cloned());
                    break;
                }
            }
            all
        }
    };
    grown.sort();
    grown.dedup();
    if grown.len() > MAX_FORMS { Err(too_many()) } else { Ok(grown) }
}

fn too_many() -> String {
    format!("expands into more than {MAX_FORMS} forms: declare a wider class, as in `[\\d -]`")
}

/// Adds letters of any alphabet, which the alternatives of a regex may be: their bytes one after
/// another.
fn letters(class: &ClassUnicode, from: &[Form], depth: usize) -> Result<Vec<Form>, String> {
    let ranges = class.ranges().iter().flat_map(|r| Utf8Sequences::new(r.start(), r.end()));
    let mut all = vec![];
    for letters in ranges {
        let bytes = letters.as_slice().iter().map(|r| ByteSet::range(r.start, r.end, b""));
        let mut grown = from.to_vec();
        for set in bytes {
            for f in grown.iter_mut().filter(|f| f.len() < depth) {
                f.push(set);
            }
        }
        all.extend(grown);
        if all.len() > MAX_FORMS * MAX_FORMS {
            return Err(too_many());
        }
    }
    Ok(all)
}

/// What a match has before the first `@` that the whole regex spells out: the fewest bytes, and
/// whether a colon is always among them. Nothing, if it spells none.
pub(super) fn before_at(hir: &Hir) -> (usize, bool) {
    let HirKind::Concat(parts) = hir.kind() else { return (0, false) };
    let (mut least, mut colon) = (0, false);
    for part in parts {
        if let HirKind::Literal(l) = part.kind() {
            if let Some(at) = l.0.iter().position(|&b| b == b'@') {
                return (least + at, colon || l.0[..at].contains(&b':'));
            }
            colon |= l.0.contains(&b':');
        }
        least += part.properties().minimum_len().unwrap_or(0);
    }
    (0, false)
}

const DIGIT: ByteSet = ByteSet::range(b'0', b'9', b"");
const UPPER: ByteSet = ByteSet::range(b'A', b'Z', b"");
/// What a run of the gate holds.
const BODY: ByteSet = ByteSet::range(b'0', b'9', b"-./ ");
const HEX: ByteSet = ByteSet::range(b'0', b'9', b"abcdefABCDEF:");
const BOUNDARY: ByteSet = ByteSet::range(b'a', b'z', b"").union(&UPPER).union(&DIGIT).not();
/// What escapes are spelt with.
const SPELLING: ByteSet = ByteSet::range(b'0', b'9', b"\\uabcdefABCDEF");
/// Where the table takes a second look.
pub(super) const SECOND_LOOK: ByteSet = ByteSet::range(b'/', b'/', b"\"\n");

/// The gate that a form fits, and its row. `not_before` may not stand before it: the table refuses
/// that early, but where it takes a second look (a slash may begin an authority, a quote or a
/// newline the string).
pub(super) fn place(
    form: &Form,
    (lead, least): (Option<&ByteSet>, usize),
    not_before: &ByteSet,
    id: u16,
) -> Option<(Gate, Row)> {
    let only = |i: usize, b: u8| form.get(i).is_some_and(|s| s.len() == 1 && s.has(b));
    let within = |i: usize, set: &ByteSet| form.get(i).is_some_and(|s| s.is_subset(set));

    let (gate, before) = if only(0, b'@') {
        (Gate::At, lead.copied().unwrap_or(ByteSet::ANY))
    } else if only(0, b'+') && within(1, &DIGIT) {
        (Gate::Plus, ByteSet::ANY)
    } else if only(0, b'(') && (1..4).all(|i| within(i, &DIGIT)) && only(4, b')') {
        (Gate::Paren, ByteSet::ANY)
    } else if within(0, &DIGIT) && (1..7).all(|i| within(i, &BODY)) {
        (Gate::Run, BOUNDARY)
    } else if (1..=3).any(|n| (0..n).all(|i| within(i, &UPPER)) && within(n, &DIGIT)) {
        (Gate::Caps, BOUNDARY)
    } else if form.iter().take(5).all(|s| s.is_subset(&HEX))
        && form.iter().take(5).any(|s| s.has(b':'))
    {
        (Gate::Colon, BOUNDARY)
    } else if form.len() >= 3 && form.iter().take(3).all(|s| s.len() <= 4) {
        // `-----BEGIN` begins a token by itself, whatever stands before it.
        let sign = form[0].iter().all(|b| !b.is_ascii_alphanumeric());
        (Gate::Literal, if sign { ByteSet::ANY } else { BOUNDARY })
    } else {
        return None;
    };
    let mut window = [ByteSet::ANY; WINDOW];
    let at = gate.look_back();
    window[at - 1] = match gate {
        Gate::At => before,
        _ => before.both(&not_before.not().union(&SECOND_LOOK)),
    };
    // As many bytes as a match has before its sign at least, in any spelling.
    for w in window[..at - 1].iter_mut().rev().take(least.saturating_sub(1)) {
        *w = before.union(&SPELLING);
    }
    for (w, s) in window[at..].iter_mut().zip(form) {
        *w = *s;
    }
    Some((gate, Row { window, id }))
}

/// The rows that open an assignment: the ends of the names, then what may stand between them and
/// the sign. A row stands for all names that end in one letter: the verdict tells.
pub(super) fn assignment_rows(names: &[String], id: u16) -> Vec<Row> {
    let between = ByteSet::of(|b| b" \"'`]\\".contains(&b));
    let sign = ByteSet::of(|b| b == b'=' || b == b':');
    let at = Gate::Assign.look_back();
    // Names of one last letter and one length of tail share a row.
    let mut groups: BTreeMap<(ByteSet, usize, Option<usize>), Form> = BTreeMap::new();
    for (tail, gap) in names.iter().flat_map(|n| tails(n)) {
        let Some(&last) = tail.first() else { continue };
        let group = groups.entry((last, tail.len(), gap)).or_insert_with(|| tail.clone());
        for (all, one) in group.iter_mut().zip(&tail) {
            *all = all.union(one);
        }
    }
    let mut rows = vec![];
    for tail in groups.values() {
        for gap in 0..=3 {
            let mut window = [ByteSet::ANY; WINDOW];
            window[at] = sign;
            window[at - gap..at].fill(between);
            for (i, set) in tail.iter().enumerate() {
                window[at - gap - 1 - i] = *set;
            }
            rows.push(Row { window, id });
        }
    }
    rows.extend(numbered(groups.values(), id));
    rows
}

/// The rows of names with a digit (`token2=`), which a colon does not make: `12:30` has one, too.
fn numbered<'a>(tails: impl Iterator<Item = &'a Form>, id: u16) -> impl Iterator<Item = Row> {
    let at = Gate::Assign.look_back();
    // One row for each last letter, of as many letters as all its names have.
    let mut groups: BTreeMap<ByteSet, Form> = BTreeMap::new();
    for tail in tails.filter(|t| !t[0].is_subset(&DIGIT)) {
        let group = groups.entry(tail[0]).or_insert_with(|| tail.clone());
        group.truncate(tail.len());
        for (all, one) in group.iter_mut().zip(tail) {
            *all = all.union(one);
        }
    }
    groups.into_values().map(move |tail| {
        let mut window = [ByteSet::ANY; WINDOW];
        window[at] = ByteSet::of(|b| b == b'=');
        window[at - 1] = DIGIT;
        for (i, set) in tail.iter().enumerate() {
            window[at - 2 - i] = *set;
        }
        Row { window, id }
    })
}

/// The ends of a name, last byte first: of its last word, or of more words where that is short
/// (`id`), written together and apart; and where they are apart.
fn tails(name: &str) -> Vec<(Form, Option<usize>)> {
    const TAIL: usize = 6;
    const SHORT: usize = 3;
    let words = Words::of(name.as_bytes());
    let letters = words.joined.as_bytes();
    let Some(&last) = words.starts.last() else { return vec![] };
    let set = |b: &u8| ByteSet::of(|c| c.eq_ignore_ascii_case(b));
    let tail = |from: usize| letters[from..].iter().rev().take(TAIL).map(set).collect::<Form>();
    let len = letters.len() - last;
    if len >= SHORT || last == 0 {
        return vec![(tail(last), None)];
    }
    let mut apart = tail(0);
    apart.insert(len, ByteSet::of(|b| b"_-.".contains(&b)));
    apart.truncate(TAIL);
    vec![(tail(0), None), (apart, Some(len))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(shape: &str) -> Option<Gate> {
        let forms = expand(&parse(shape).unwrap()).unwrap();
        let gates: Vec<_> =
            forms.iter().map(|f| place(f, (None, 0), &ByteSet::NONE, 0).map(|p| p.0)).collect();
        gates[0]
    }

    #[test]
    fn shapes_find_their_gates() {
        assert_eq!(gate(r"\d{3}-\d{2}-\d{4}"), Some(Gate::Run));
        assert_eq!(gate(r"[A-Z]{2}\d{2}[A-Z0-9]{4}"), Some(Gate::Caps));
        assert_eq!(gate(r"@[a-z]"), Some(Gate::At));
        assert_eq!(gate(r"\+\d"), Some(Gate::Plus));
        assert_eq!(gate(r"\(\d{3}\)"), Some(Gate::Paren));
        assert_eq!(gate(r"eyJ"), Some(Gate::Literal));
        assert_eq!(gate(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f:]"), Some(Gate::Colon));
        assert_eq!(gate(r"[a-z]{8}"), None);
        assert_eq!(gate(r"\d{4}"), None);
    }

    #[test]
    fn what_stands_before_the_sign() {
        for (regex, wanted) in [
            (r"[a-z]+://[a-z]*:[^@]+@[a-z]", (6, true)),
            (r"[a-z]{2}@[a-z]", (2, false)),
            (r"[a-z]+(?::[a-z])?@x", (1, false)),
            (r"[a-z]+", (0, false)),
            (r"[a-z]a@:b", (2, false)),
        ] {
            assert_eq!(before_at(&parse(regex).unwrap()), wanted, "{regex}");
        }
    }

    #[test]
    fn repetitions_expand_and_are_cut() {
        let forms = expand(&parse(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d").unwrap()).unwrap();
        assert!(forms.len() >= 27 && forms.iter().all(|f| f.len() <= 11));
        assert_eq!(expand(&parse(r"a{3,}").unwrap()).unwrap().last().unwrap().len(), 11);
        assert!(expand(&parse(r"(?:[a-z]?[0-9]?[_-]?){5}").unwrap()).is_err());
    }
}
