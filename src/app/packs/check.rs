//! Checks a user's pack before anything is read, and reports each problem with its line and the
//! fix.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::faults::faults;
use crate::{
    config::nearest::meant,
    engine::{
        Plan, Settings,
        detect::{
            Pack, Selection,
            pack::{Detector, Near},
        },
    },
};

/// Parses a pack. Reports everything that the format does not allow, with a suggestion for unknown
/// fields.
pub(super) fn parse(file: &str, text: &str) -> Result<Pack, Vec<String>> {
    Pack::parse(file, text).map_err(|error| {
        let mut faults: Vec<_> = faults(text)
            .into_iter()
            .map(|(at, what)| format!("{}: {}", place(file, text, Some(at..at)), clearer(&what)))
            .collect();
        if faults.is_empty() {
            let (line, column) = (error.line, error.column);
            faults.push(format!("{file}:{line}:{column}: {}", clearer(&error.what)));
        }
        faults
    })
}

/// Rewrites a parser error in the words of the pack format.
fn clearer(what: &str) -> String {
    let names: Vec<_> = what.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((field, known)) if what.starts_with("unknown ") => {
            let kind = if what.starts_with("unknown field") { "field" } else { "value" };
            let all = || format!("expected one of {}", known.join(", "));
            let fix = meant(field, known.iter().copied(), all);
            format!("unknown {kind} `{field}`: {fix}")
        }
        _ => what.replace("expected u32", "expected a whole number"),
    }
}

/// Reports all problems of pack `own` in `packs`: duplicate names, and each detector that does not
/// compile.
pub(super) fn pack(file: &str, text: &str, own: usize, packs: &[Pack]) -> Vec<String> {
    let outline: Outline = toml::from_str(text).unwrap_or_default();
    let pack = &packs[own];
    let mut errors = Vec::new();
    if pack.detectors.is_empty() {
        errors.push(format!("{file}: the pack has no [[detector]]"));
    }
    if packs.iter().enumerate().any(|(i, other)| i != own && other.pack == pack.pack) {
        let at = place(file, text, outline.pack.as_ref().map(Spanned::span));
        errors.push(format!("{at}: another pack has the name `{}`: rename this one", pack.pack));
    }
    // All detectors are compiled at once; only if that fails, each is compiled alone to find the
    // cause.
    let sound = refusal(packs.to_vec(), &pack.pack).is_none();
    for (i, detector) in pack.detectors.iter().enumerate() {
        let (id, at) = (&detector.id, |key| place(file, text, outline.span(i, key)));
        let others = || packs.iter().flat_map(|p| p.detectors.iter().map(move |d| (p, d)));
        let same = |(_, d): &(&Pack, &Detector)| d.id == *id && !std::ptr::eq(*d, detector);
        if !is_name(id) {
            let fix = "use lower-case letters, digits and `_`, with a letter first";
            errors.push(format!("{}: id `{id}`: {fix}", at("id")));
        } else if let Some((other, _)) = others().find(same) {
            let other = &other.pack;
            errors.push(format!(
                "{}: pack `{other}` already has a detector `{id}`: rename this one",
                at("id")
            ));
        } else if !sound {
            let blamed = blamed(packs, own, detector, &outline.detector[i]);
            let reported = blamed
                .into_iter()
                .map(|(key, what)| format!("{}: detector `{id}`: {what}", at(key)));
            errors.extend(reported);
        }
    }
    errors
}

/// Returns why the engine refuses a detector, each reason with the field that causes it.
fn blamed(
    packs: &[Pack],
    own: usize,
    detector: &Detector,
    fields: &Fields,
) -> Vec<(&'static str, String)> {
    let (mut detector, mut found) = (detector.clone(), Vec::new());
    while let Some(what) = refused(packs, own, &detector) {
        let key = blame(packs, own, &detector, &what, fields);
        found.push((key, what));
        // The remaining fields are checked without this one.
        let Some((_, harmless)) = FIELDS.iter().find(|(known, _)| *known == key) else { break };
        let before = detector.clone();
        harmless(&mut detector);
        if detector == before {
            break;
        }
    }
    found
}

/// Returns whether an id can be a placeholder and a metric label.
fn is_name(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    id.starts_with(|c: char| c.is_ascii_lowercase()) && id.chars().all(plain)
}

/// Returns why the engine refuses `detector` of pack `own`, if it does.
fn refused(packs: &[Pack], own: usize, detector: &Detector) -> Option<String> {
    let mut packs = packs.to_vec();
    for other in &mut packs[own].detectors {
        if other.id == detector.id {
            *other = detector.clone();
        }
    }
    let what = refusal(packs, &detector.id)?;
    let named = format!("detector `{}`: ", detector.id);
    Some(what.split_once(&named).map_or(what.clone(), |(_, what)| what.into()))
}

/// Returns why the engine refuses the detectors with this name, if it does.
fn refusal(packs: Vec<Pack>, name: &str) -> Option<String> {
    let select = Selection { only: vec![name.to_owned()], ..Selection::default() };
    Plan::compile(Settings { packs, select, ..Settings::default() }).err().map(|error| error.what)
}

/// A field of a detector, and how to remove its effect.
type Harmless = (&'static str, fn(&mut Detector));

const FIELDS: &[Harmless] = &[
    ("validator", |d| d.validator = None),
    ("shape", |d| d.shape.clear()),
    ("literals", |d| d.literals.clear()),
    ("regex", |d| (d.regex, d.shape, d.literals) = ("x".into(), vec![], vec![])),
    ("lead", |d| d.lead = None),
    ("not_before", |d| d.not_before = None),
    ("not_after", |d| d.not_after = None),
    ("context", |d| d.context = Near::default()),
    ("veto", |d| d.veto = Near::default()),
    ("allow", |d| d.allow.clear()),
    ("assigns", |d| d.assigns = None),
];

/// Returns the field that causes the error.
fn blame(
    packs: &[Pack],
    own: usize,
    detector: &Detector,
    what: &str,
    fields: &Fields,
) -> &'static str {
    let guilty = |(key, harmless): &&Harmless| {
        let mut detector = detector.clone();
        harmless(&mut detector);
        fields.contains_key(*key) && refused(packs, own, &detector).as_deref() != Some(what)
    };
    FIELDS.iter().find(guilty).map_or("id", |(key, _)| key)
}

type Fields = HashMap<String, Spanned<toml::Value>>;

/// The positions of a pack's fields in its text.
#[derive(Default, Deserialize)]
struct Outline {
    pack: Option<Spanned<String>>,
    #[serde(default)]
    detector: Vec<Fields>,
}

impl Outline {
    fn span(&self, detector: usize, key: &str) -> Option<std::ops::Range<usize>> {
        self.detector.get(detector)?.get(key).map(Spanned::span)
    }
}

/// Returns `file:line:column`, or only the file.
fn place(file: &str, text: &str, span: Option<std::ops::Range<usize>>) -> String {
    let Some(before) = span.and_then(|span| text.get(..span.start)) else { return file.into() };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    format!("{file}:{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the errors for a detector with these lines.
    fn said(lines: &str) -> String {
        let text = format!(
            "pack = \"mine\"\nversion = 1\n[[detector]]\ncategory = \"secret\"\ndescription = \
             \"x\"\n{lines}"
        );
        let mut packs = super::super::load(None, &[]).unwrap();
        let errors = match parse("mine.toml", &text) {
            Err(errors) => errors,
            Ok(own) => {
                packs.push(own);
                pack("mine.toml", &text, packs.len() - 1, &packs)
            }
        };
        errors.join("\n")
    }

    #[test]
    fn several_errors_are_told_at_once() {
        let all = said(
            "id = 'acme'\nliterals = ['acme_']\nregex = 'acme_[a-z'\nvalidator = 'lunh'\n\
             [[detector]]\nid = 'email'\ncategory = 'x'\ndescription = 'x'\n\
             [[detector]]\nid = 'other'\n",
        );
        let wanted = [
            "mine.toml:9:13: detector `acme`: no validator `lunh`",
            "mine.toml:8:9: detector `acme`: unclosed character class",
            "mine.toml:11:6: pack `core` already has a detector `email`: rename this one",
            "mine.toml:15:6: detector `other`: declares no `regex`",
        ];
        let mut lines: Vec<_> = all.lines().collect();
        lines.retain(|line| line.starts_with("mine.toml"));
        assert_eq!(lines.len(), wanted.len(), "{all}");
        for wanted in wanted {
            assert!(lines.iter().any(|line| line.starts_with(wanted)), "{all}\n{wanted}");
        }
        let all = said(
            "id = 4\nregexp = 'x'\nextends = 'tokn'\ntest = [{ txt = 'x' }]\n\
             [[detector]]\nregex = 'x'\n",
        );
        let wanted = [
            "mine.toml:6:6: invalid type: integer `4`, expected a string",
            "mine.toml:7:1: unknown field `regexp`: did you mean `regex`?",
            "mine.toml:8:11: unknown value `tokn`: did you mean `token`?",
            "mine.toml:9:11: unknown field `txt`: did you mean `text`?",
            "mine.toml:10:1: missing field `id`",
        ];
        assert_eq!(all.lines().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn each_error_has_its_place_and_fix() {
        let plain = "literals = ['acme_']\nregex = 'acme_[a-z]{9}'\n";
        for (lines, wanted) in [
            (format!("id = 'acme'\n{plain}"), ""),
            (
                format!("id = 'acme'\nregexp = 'x'\n{plain}"),
                "mine.toml:7:1: unknown field `regexp`: did you mean `regex`?",
            ),
            (
                format!("id = 'acme'\nextends = 'tokn'\n{plain}"),
                "mine.toml:7:11: unknown value `tokn`: did you mean `token`?",
            ),
            (
                format!("id = 'Acme!'\n{plain}"),
                "mine.toml:6:6: id `Acme!`: use lower-case letters, digits and `_`, with a letter \
                 first",
            ),
            (
                format!("id = 'email'\n{plain}"),
                "mine.toml:6:6: pack `core` already has a detector `email`: rename this one",
            ),
            (
                format!("id = 'acme'\nvalidator = 'lunh'\n{plain}"),
                "mine.toml:7:13: detector `acme`: no validator `lunh`",
            ),
            (
                "id = 'acme'\nliterals = ['acme_']\nregex = 'acme_[a-z'\n".into(),
                "mine.toml:8:9: detector `acme`: unclosed character class",
            ),
            (
                "id = 'acme'\nregex = '[a-z]{9}'\nshape = ['[a-z]{9}']\n".into(),
                "mine.toml:8:9: detector `acme`: a form fits no gate",
            ),
            ("id = 'acme'\nregex = 'x'\n".into(), ""),
            (
                "id = 'acme'\nregex = '^x'\n".into(),
                "mine.toml:7:9: detector `acme`: a detector's regex has no anchors",
            ),
            (
                "id = 'acme'\nregex = 'ACME-\\d+'\nliterals = ['acme_']\n".into(),
                "mine.toml:8:12: detector `acme`: no match of the regex begins with `acme_`",
            ),
            ("id = 'acme'\n".into(), "mine.toml:6:6: detector `acme`: declares no `regex`"),
        ] {
            let text = said(&lines);
            assert!(
                text.starts_with(wanted) && text.is_empty() == wanted.is_empty(),
                "{lines}\n{text}"
            );
        }
    }
}
