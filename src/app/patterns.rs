//! `tamis patterns`: lists and shows detectors, and runs their tests.

mod cases;

use std::fmt::Write as _;

use anyhow::{Result, anyhow};

use super::{exit::Exit, packs, wording::word};
use crate::{
    cli::patterns::{PatternsArgs, PatternsCommand},
    engine::detect::{
        Pack, is_searched,
        pack::{Case, Detector, Near},
    },
};

/// Returns the output of the subcommand and its exit code.
pub(crate) fn run(args: PatternsArgs) -> Result<(String, Exit)> {
    Ok(match args.command {
        PatternsCommand::List { patterns } => (list(&packs::load(None, &patterns)?), Exit::Done),
        PatternsCommand::Show { id, patterns } => {
            (show(&packs::load(None, &patterns)?, &id)?, Exit::Done)
        }
        PatternsCommand::Test { paths } => cases::test(&packs::load(None, &paths)?),
    })
}

fn list(packs: &[Pack]) -> String {
    let all = || packs.iter().flat_map(|pack| pack.detectors.iter().map(move |d| (pack, d)));
    let ids = all().map(|(_, d)| d.id.len()).max().unwrap_or(0);
    let categories = all().map(|(_, d)| d.category.len()).max().unwrap_or(0);
    let names = all().map(|(pack, _)| pack.pack.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (pack, d) in all() {
        let (id, category, name, description) = (&d.id, &d.category, &pack.pack, &d.description);
        let line = format!("{id:ids$}  {category:categories$}  {name:names$}  {description}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if let Some(line) = searched(all().map(|(_, d)| d)) {
        let _ = writeln!(text, "{line}");
    }
    text
}

/// Returns a warning that names the `detectors` for which every string is searched, if there are
/// any.
pub(crate) fn searched<'a>(detectors: impl Iterator<Item = &'a Detector>) -> Option<String> {
    let ids: Vec<_> = detectors.filter(|d| is_searched(d)).map(|d| d.id.as_str()).collect();
    let what = "slower, because the regex contains no literal and every string is searched";
    (!ids.is_empty()).then(|| format!("{what}: {}", ids.join(", ")))
}

fn show(packs: &[Pack], id: &str) -> Result<String> {
    let mut all = packs.iter().flat_map(|pack| pack.detectors.iter().map(move |d| (pack, d)));
    let (pack, detector) = all
        .find(|(_, detector)| detector.id == id)
        .ok_or_else(|| anyhow!("no detector `{id}`: {}", packs::fix(packs, id)))?;
    let title = format!("{}: {}", detector.id, detector.description);
    let mut text = format!("{}\n", title.trim_end_matches(": "));
    line(&mut text, "pack", &format!("{} (version {})", pack.pack, pack.version));
    line(&mut text, "category", &detector.category);
    lines(&mut text, "reference", &detector.references);
    pattern(&mut text, detector);
    decision(&mut text, detector);
    tests(&mut text, &detector.tests);
    Ok(text)
}

fn pattern(text: &mut String, d: &Detector) {
    lines(text, "literal", &d.literals);
    lines(text, "shape", &d.shape);
    line(text, "found by", if is_searched(d) { "a search of every string" } else { "" });
    line(text, "regex", &d.regex);
    line(text, "not before", d.not_before.as_deref().unwrap_or_default());
    line(text, "not after", d.not_after.as_deref().unwrap_or_default());
    lines(text, "field", &d.fields);
    lines(text, "not field", &d.not_fields);
    line(text, "assigns", d.assigns.as_deref().unwrap_or_default());
}

fn decision(text: &mut String, d: &Detector) {
    line(text, "validator", d.validator.as_deref().unwrap_or_default());
    near(text, "context", &d.context);
    near(text, "veto", &d.veto);
    if d.fields.is_empty() && d.assigns.is_none() {
        line(text, "in strings", &word(&d.strings));
        line(text, "as a number", &word(&d.numbers));
    }
    line(text, "redacts", &word(&d.extends));
    line(text, "action", &word(&d.action));
    line(text, "priority", &d.priority.to_string());
    lines(text, "allowed", &d.allow);
}

fn near(text: &mut String, label: &str, near: &Near) {
    line(text, &format!("{label} keys"), &near.keys.join(", "));
    line(text, &format!("{label} words"), &near.words.join(", "));
}

fn tests(text: &mut String, cases: &[Case]) {
    for case in cases {
        let given = case.text.as_deref().or(case.event.as_deref()).unwrap_or_default();
        match (&case.becomes, case.unchanged_by) {
            (Some(becomes), _) => line(text, "example", &format!("{given:?} -> {becomes:?}")),
            (_, Some(step)) => {
                line(text, "counter-example", &format!("{given:?} (refused by {})", word(&step)));
            }
            _ => line(text, "example", &format!("{given:?}")),
        }
    }
}

fn lines(text: &mut String, label: &str, values: &[String]) {
    for value in values {
        line(text, label, value);
    }
}

fn line(text: &mut String, label: &str, value: &str) {
    if !value.is_empty() {
        let _ = writeln!(text, "  {label:16} {value}");
    }
}

#[cfg(test)]
mod shown {
    use super::*;

    const PACK: &str = r#"
pack = "mine"
version = 3
[[detector]]
id = "badge"
category = "contact"
description = "a badge number"
literals = ["BDG-"]
regex = 'BDG-\d{6}'
veto = { keys = ["badge colour"] }
[[detector.test]]
text = "BDG-123456"
becomes = "[REDACTED:badge]"
[[detector.test]]
text = "BDG-12"
unchanged_by = "regex"
"#;

    #[test]
    fn list_and_show() {
        let packs = [Pack::parse("mine.toml", PACK).unwrap()];
        assert_eq!(list(&packs), "badge  contact  mine  a badge number\n");
        let own = "pack = 'own'\n[[detector]]\nid = 'pin'\nregex = '\\d{6}'\n";
        let own = [Pack::parse("own.toml", own).unwrap()];
        let listed = list(&own);
        assert!(listed.starts_with("pin  custom  own\nslower, because the regex"), "{listed}");
        assert!(
            show(&own, "pin").unwrap().contains("  found by         a search of every string\n")
        );
        let shown = show(&packs, "badge").unwrap();
        for part in [
            "badge: a badge number\n",
            "  pack             mine (version 3)\n",
            "  regex            BDG-\\d{6}\n",
            "  veto keys        badge colour\n",
            "  example          \"BDG-123456\" -> \"[REDACTED:badge]\"\n",
            "  counter-example  \"BDG-12\" (refused by regex)\n",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
        assert!(show(&packs, "nothing").unwrap_err().to_string().contains("patterns list"));
    }
}
