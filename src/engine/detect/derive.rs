//! Derives from a regex where to look for its matches, for detectors that declare neither literals
//! nor a shape.
//!
//! Invariant: a gate is chosen only if it opens at every place where the regex can match. If no gate
//! fits, every string, key and number is searched.

use regex_syntax::hir::{Hir, HirKind, Repetition};

use super::pack::{self, Fires};
use super::pattern::Pattern;
use super::shape::{self, Form};
use crate::engine::index::Gate;
use crate::engine::index::exact::{ByteSet, Row, WINDOW};
use crate::engine::index::fingerprint::weight;

/// How many bytes of an opening count. The first depth that results in few forms is chosen.
const DEPTHS: [usize; 4] = [WINDOW - 1, 7, 4, 3];
/// The most forms that one detector adds to a gate.
const MOST_FORMS: usize = 32;
/// The minimum length of a literal, and the most different bytes at each of its positions.
const FEWEST: usize = 3;
const WIDEST: u32 = 4;
/// The most frequent literal that is worth a gate: about once in 10,000 bytes of ordinary text.
const RARE: f64 = 1e-4;

const ALNUM: ByteSet =
    ByteSet::range(b'a', b'z', b"").union(&ByteSet::range(b'A', b'Z', b"0123456789"));
const DIGIT: ByteSet = ByteSet::range(b'0', b'9', b"");

/// Literals, and how often one of them occurs per byte of ordinary text, estimated.
type Literals = (Vec<Form>, f64);

/// Where to look for the matches of a regex.
#[derive(Debug, Clone)]
pub(super) enum Way {
    /// Each match begins with one of these rows.
    Opening(Vec<(Gate, Row)>),
    /// Each match contains one of these literals. A text that has one is searched.
    Inside(Vec<(Gate, Row)>),
    /// Every text is searched.
    Search,
}

/// Returns whether the gates of `d` follow from its regex.
pub fn is_derived(d: &pack::Detector) -> bool {
    d.literals.is_empty() && d.shape.is_empty() && d.fields.is_empty() && d.assigns.is_none()
}

/// Returns whether every string, key and number is searched for `d`, because its regex fits no gate.
pub fn is_searched(d: &pack::Detector) -> bool {
    let class = |c: &Option<String>| c.as_deref().map_or(Ok(ByteSet::NONE), shape::class);
    let (Ok(not_before), Ok(not_after)) = (class(&d.not_before), class(&d.not_after)) else {
        return false;
    };
    let hir = Pattern::of(d, not_after).and_then(|pattern| pattern.hir());
    let searched = |hir: Hir| matches!(way(&hir, &before(&not_before, d.numbers), 0), Way::Search);
    is_derived(d) && !d.regex.is_empty() && hir.is_ok_and(searched)
}

/// Returns which bytes before a match a row refuses: `not_before`, without the signs of numbers, on
/// which the verdict decides.
pub(super) fn before(not_before: &ByteSet, numbers: Fires) -> ByteSet {
    match numbers {
        Fires::Never => *not_before,
        _ => not_before.both(&ByteSet::of(|b| !b"-+".contains(&b))),
    }
}

/// Returns where to look for the matches of `hir`. `not_before` may not stand before a match.
pub(super) fn way(hir: &Hir, not_before: &ByteSet, id: u16) -> Way {
    let hir = bare(hir);
    if let Some(rows) = opening(&hir, not_before, id) {
        return Way::Opening(rows);
    }
    match inside(&hir) {
        Some((forms, _)) => {
            let row = |f| (Gate::Literal, literal_row(f, ByteSet::ANY, id));
            Way::Inside(forms.iter().map(row).collect())
        }
        None => Way::Search,
    }
}

/// Returns whether the literal of `row` may follow a letter or digit.
pub(super) fn is_loose(gate: Gate, row: &Row) -> bool {
    let [before, first, ..] = &row.window;
    gate == Gate::Literal
        && before.both(&ALNUM) != ByteSet::NONE
        && first.both(&ALNUM) != ByteSet::NONE
}

/// Returns `hir` without groups and word boundaries. It matches at least what `hir` matches.
fn bare(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Look(_) => Hir::empty(),
        HirKind::Capture(c) => bare(&c.sub),
        HirKind::Concat(all) => Hir::concat(all.iter().map(bare).collect()),
        HirKind::Alternation(all) => Hir::alternation(all.iter().map(bare).collect()),
        HirKind::Repetition(r) => Hir::repetition(Repetition { sub: Box::new(bare(&r.sub)), ..*r }),
        HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
    }
}

/// Returns the forms of the opening of `hir`, if they are few.
fn forms(hir: &Hir) -> Option<Vec<Form>> {
    let forms = |depth| shape::expand_to(hir, depth).ok();
    DEPTHS.into_iter().filter_map(forms).find(|forms| forms.len() <= MOST_FORMS)
}

/// Returns the rows of the openings of `hir`, if each fits a gate that misses no match.
fn opening(hir: &Hir, not_before: &ByteSet, id: u16) -> Option<Vec<(Gate, Row)>> {
    // A run of digits needs all bytes; the first few are enough for the others.
    let of_gates = shape::expand_to(hir, WINDOW - 1).ok().filter(|all| all.len() <= MOST_FORMS);
    let all = of_gates.and_then(|all| all.iter().map(|f| fit(f, not_before, id)).collect());
    all.or_else(|| forms(hir)?.iter().map(|f| fit(f, not_before, id)).collect())
}

/// Returns the gate that opens wherever `form` occurs without `not_before` before it, and the row.
fn fit(form: &Form, not_before: &ByteSet, id: u16) -> Option<(Gate, Row)> {
    let bounded = ALNUM.is_subset(not_before);
    let found = shape::place(form, (None, 0), not_before, id).filter(|(gate, _)| match gate {
        Gate::At | Gate::Plus | Gate::Paren => true,
        // The gate of runs allows one separator between two digits.
        Gate::Run => bounded && form.windows(2).all(|w| w.iter().any(|s| s.is_subset(&DIGIT))),
        Gate::Caps => bounded,
        _ => false,
    });
    let literal = || {
        let sign = form.first()?.both(&ALNUM) == ByteSet::NONE;
        let before = if bounded && !sign { ALNUM.not() } else { ByteSet::ANY };
        let before = before.both(&not_before.not().union(&shape::SECOND_LOOK));
        is_literal(form).then(|| (Gate::Literal, literal_row(form, before, id)))
    };
    found.or_else(literal)
}

/// Returns whether `form` begins with a literal that is rare in ordinary text.
fn is_literal(form: &Form) -> bool {
    let head = &form[..form.len().min(FEWEST)];
    head.len() == FEWEST && head.iter().all(|s| s.len() <= WIDEST) && frequency(form) < RARE
}

/// Estimates how often `form` occurs per byte of ordinary text.
fn frequency(form: &Form) -> f64 {
    form.iter().take(FEWEST + 1).map(weight).product()
}

fn literal_row(form: &Form, before: ByteSet, id: u16) -> Row {
    let mut window = [ByteSet::ANY; WINDOW];
    window[0] = before;
    for (w, s) in window[1..].iter_mut().zip(form) {
        *w = *s;
    }
    Row { window, id }
}

/// Returns the rarest literals of which each match of `hir` contains one.
fn inside(hir: &Hir) -> Option<Literals> {
    match hir.kind() {
        HirKind::Concat(parts) => {
            let tails = (0..parts.len()).map(|i| literals(&Hir::concat(parts[i..].to_vec())));
            rarest(tails.chain(parts.iter().map(inside)).flatten())
        }
        HirKind::Alternation(all) => {
            let each: Vec<_> = all.iter().map(inside).collect::<Option<_>>()?;
            let often = each.iter().map(|e| e.1).sum();
            let forms: Vec<_> = each.into_iter().flat_map(|e| e.0).collect();
            (forms.len() <= MOST_FORMS).then_some((forms, often))
        }
        HirKind::Repetition(r) if r.min > 0 => {
            rarest([literals(hir), inside(&r.sub)].into_iter().flatten())
        }
        _ => literals(hir),
    }
}

fn rarest(all: impl Iterator<Item = Literals>) -> Option<Literals> {
    all.min_by(|a, b| a.1.total_cmp(&b.1))
}

/// Returns the literals with which the matches of `hir` begin, if each begins with one.
fn literals(hir: &Hir) -> Option<Literals> {
    let all = forms(hir).filter(|all| all.iter().all(is_literal))?;
    let often = all.iter().map(frequency).sum();
    Some((all, often))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::regex;

    /// How a regex is found, in a word.
    fn found(regex: &str, not_before: &str) -> String {
        let not_before = match not_before {
            "" => ByteSet::NONE,
            inside => shape::class(inside).unwrap(),
        };
        match way(&regex::parse(regex).unwrap(), &not_before, 0) {
            Way::Opening(rows) => {
                let mut gates: Vec<_> = rows.iter().map(|(gate, _)| format!("{gate:?}")).collect();
                gates.dedup();
                gates.join(" ").to_lowercase()
            }
            Way::Inside(_) => "inside".into(),
            Way::Search => "search".into(),
        }
    }

    #[test]
    fn each_regex_has_its_way() {
        for (regex, not_before, wanted) in [
            (r"EMP-\d{6}", "", "literal"),
            (r"(?i)acme_[0-9a-f]{32}", "", "literal"),
            (r"(?:sk|pk)_live_\w+", "", "literal"),
            (r"@[a-z]+", "", "at"),
            (r"\+49\d+", "", "plus"),
            (r"\(\d{3}\) \d{4}", "", "paren"),
            (r"\d{4}-\d{4}", "", "search"),
            (r"\d{4}-\d{4}", "A-Za-z0-9", "run"),
            (r"\d{3}--\d{4}", "A-Za-z0-9", "search"),
            (r"[A-Z]{2}\d{6}", "A-Za-z0-9", "caps"),
            (r"[A-Z]{2}\d{6}", "0-9", "search"),
            (r"[\w.-]+\.corp\.acme\.internal", "", "inside"),
            (r"\b(\w+)-(?:prod|test)-\d+\b", "", "inside"),
            (r"\w+(?:secret|hidden)|[a-z]+private", "", "inside"),
            (r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", "search"),
            (r"\d{6}", "A-Za-z0-9", "search"),
            (r"0x[0-9a-f]+", "", "search"),
            (r"[A-Z]{1,3}-[A-Z]{1,2} \d{1,4}", "", "search"),
            (r"(?:abc)?\d", "", "search"),
        ] {
            assert_eq!(found(regex, not_before), wanted, "{regex}");
        }
    }
}
