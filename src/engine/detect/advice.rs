//! What is wrong with a detector's regex: where, and what to write instead.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{self, AssertionKind, Ast, RepetitionKind, RepetitionRange, Span};

use super::pack::{self, Extends};
use super::pattern::Pattern;
use super::shape::{self, Form};

/// Refuses a regex that cannot do what its author wants.
pub(super) fn check(d: &pack::Detector, derived: bool) -> Result<(), String> {
    let regex = d.regex.as_str();
    let ast = Parser::new().parse(regex).map_err(|e| {
        let fix = match e.kind() {
            ast::ErrorKind::UnsupportedLookAround => {
                "write `not_before` and `not_after`: the bytes that may not stand beside a match"
            }
            ast::ErrorKind::UnsupportedBackreference => {
                "write out what is repeated, or use a `validator`"
            }
            ast::ErrorKind::ClassUnclosed => "close it with `]`, or write `\\[` for the character",
            ast::ErrorKind::GroupUnclosed => "close it with `)`, or write `\\(` for the character",
            ast::ErrorKind::GroupUnopened => "write `\\)` for the character",
            ast::ErrorKind::RepetitionMissing => "write `\\` before it for the character",
            _ => "",
        };
        shown(regex, e.span(), &e.kind().to_string(), fix)
    })?;
    if let Some(span) = anchor(&ast) {
        let fix = "leave it out: a match may stand anywhere in a text; `not_before` and `not_after` \
                   say what may not stand beside it";
        return Err(shown(regex, &span, "a detector's regex has no anchors", fix));
    }
    let built = regex_syntax::hir::translate::TranslatorBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .translate(regex, &ast)
        .map_err(|e| {
            let fix = "a class is of bytes: write letters beyond ASCII as alternatives, `(?:é|è)`";
            shown(regex, e.span(), &e.kind().to_string(), fix)
        })?;
    let whole = Span::splat(ast.span().start);
    match built.properties().minimum_len() {
        Some(0) => {
            let fix = "ask for one byte at least: `+` in place of `*`, `{1,8}` in place of `{0,8}`";
            return Err(shown(regex, &whole, "the regex matches the empty string", fix));
        }
        None => return Err(shown(regex, &whole, "the regex can match nothing", "")),
        Some(_) => {}
    }
    match swallows(&ast).filter(|_| derived && d.extends != Extends::End) {
        None => Ok(()),
        Some(span) => {
            let fix = "name the bytes that belong to it (`[^\\s\"]+`), or leave this out and write \
                       extends = \"end\"";
            Err(shown(regex, &span, "this takes all that follows to the end of the line", fix))
        }
    }
}

/// Refuses a declared opening that no match of the regex has: the detector would find nothing there.
pub(super) fn check_openings(
    d: &pack::Detector,
    pattern: &Pattern,
    openings: &[(&str, Vec<Form>)],
) -> Result<(), String> {
    // Behind a lead the regex begins elsewhere.
    if d.lead.is_some() {
        return Ok(());
    }
    let Ok(matches) = shape::expand(&pattern.hir()?) else { return Ok(()) };
    let agrees = |a: &Form, b: &Form| a.iter().zip(b).all(|(a, b)| a.both(b).len() > 0);
    let never = |(_, forms): &&(&str, Vec<Form>)| {
        !forms.iter().any(|form| matches.iter().any(|m| agrees(form, m)))
    };
    match openings.iter().find(never) {
        None => Ok(()),
        Some((opening, _)) => Err(format!(
            "no match of the regex begins with `{opening}`: correct one of the two, or leave out what \
             is declared, and the regex alone decides"
        )),
    }
}

/// A message with the line of the regex that is meant, and a caret below the place.
fn shown(regex: &str, span: &Span, what: &str, fix: &str) -> String {
    let line = regex.lines().nth(span.start.line - 1).unwrap_or_default();
    let column = span.start.column - 1;
    let rest = line.chars().count().saturating_sub(column).max(1);
    let width = if span.is_one_line() { span.end.column - span.start.column } else { rest };
    let (blank, caret) = (" ".repeat(column), "^".repeat(width.clamp(1, rest)));
    let end = if fix.is_empty() { "" } else { ": " };
    format!("{what}{end}{fix}\n    {line}\n    {blank}{caret}")
}

/// The first anchor.
fn anchor(ast: &Ast) -> Option<Span> {
    match ast {
        Ast::Assertion(a) => matches!(
            a.kind,
            AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText
        )
        .then_some(a.span),
        Ast::Repetition(r) => anchor(&r.ast),
        Ast::Group(g) => anchor(&g.ast),
        Ast::Alternation(all) => all.asts.iter().find_map(anchor),
        Ast::Concat(all) => all.asts.iter().find_map(anchor),
        _ => None,
    }
}

/// The `.*` that a match may end with.
fn swallows(ast: &Ast) -> Option<Span> {
    match ast {
        Ast::Repetition(r) => {
            let unbounded = match &r.op.kind {
                RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => true,
                RepetitionKind::Range(r) => matches!(r, RepetitionRange::AtLeast(_)),
                RepetitionKind::ZeroOrOne => false,
            };
            (unbounded && r.greedy && matches!(*r.ast, Ast::Dot(_))).then_some(r.span)
        }
        Ast::Group(g) => swallows(&g.ast),
        Ast::Alternation(all) => all.asts.iter().find_map(swallows),
        Ast::Concat(all) => all.asts.last().and_then(swallows),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::detect::Pack;

    fn said(regex: &str, more: &str) -> String {
        let text = format!("pack = 'x'\n[[detector]]\nid = 'x'\nregex = '{regex}'\n{more}");
        let pack = Pack::parse("x.toml", &text).unwrap();
        check(&pack.detectors[0], more.is_empty()).err().unwrap_or_default()
    }

    #[test]
    fn each_fault_has_its_place_and_fix() {
        for (regex, what, caret) in [
            (r"(?<=id )\d+", "not_before", "    ^^^^"),
            (r"(?!0)\d{6}", "not_after", "    ^^^"),
            (r"(\d)\1", "validator", "        ^^"),
            (r"^EMP-\d+", "leave it out", "    ^"),
            (r"EMP-\d+$", "leave it out", "           ^"),
            (r"\d*", "`+` in place of `*`", "    ^"),
            (r"[^\x00-\xff]", "can match nothing", "    ^"),
            (r"id=.*", "extends = \"end\"", "       ^^"),
            (r"id=(?:.+)", "extends = \"end\"", "          ^^"),
            (r"acme_[a-z", "unclosed character class", "         ^"),
            (r"a\bb(c", "unclosed group", "        ^"),
            ("[a-zé]", "as alternatives", "        ^"),
        ] {
            let said = said(regex, "");
            let mut lines = said.lines();
            assert!(lines.next().is_some_and(|l| l.contains(what)), "{said}");
            assert_eq!(lines.next(), Some(format!("    {regex}").as_str()), "{said}");
            assert_eq!(lines.next(), Some(caret), "{said}");
        }
        for regex in [r"EMP-\d{6}", r"\bEMP\b", r"id=.*?;", r"é+x"] {
            assert_eq!(said(regex, ""), "", "{regex}");
        }
        assert_eq!(said("id=.*", "extends = 'end'"), "");
    }
}
