//! Regexes as the engine reads them all, wherever they are declared.

use regex_syntax::hir::{Hir, HirKind};

/// The most states of an automaton whose repetitions are written out.
const MOST_STATES: usize = 50_000;

/// Parses a regex as the engine reads them all: bytes, ASCII classes, no Unicode.
pub(crate) fn parse(regex: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(regex).map_err(
        |e| match e {
            regex_syntax::Error::Parse(e) => e.kind().to_string(),
            regex_syntax::Error::Translate(e) => e.kind().to_string(),
            _ => e.to_string(),
        },
    )
}

/// What is wrong with a regex whose automaton would be too large to be built.
pub(crate) fn check_size(hir: &Hir) -> Result<(), String> {
    let size = size(hir);
    if size <= MOST_STATES {
        return Ok(());
    }
    Err(format!(
        "{size} states when its repetitions are written out, at most {MOST_STATES}: use smaller \
         bounds, or `*` and `+`"
    ))
}

/// About how many states the automaton of `hir` has: one for each byte that it can be at, with its
/// repetitions written out.
pub(crate) fn size(hir: &Hir) -> usize {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => 1,
        HirKind::Literal(l) => l.0.len(),
        HirKind::Capture(c) => size(&c.sub),
        HirKind::Concat(list) | HirKind::Alternation(list) => {
            list.iter().map(size).fold(0, usize::saturating_add)
        }
        HirKind::Repetition(r) => {
            let times = r.max.unwrap_or(r.min).max(1) as usize;
            size(&r.sub).saturating_add(1).saturating_mul(times)
        }
    }
}
