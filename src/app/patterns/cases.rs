//! `tamis patterns test`: runs the examples and counter-examples of the packs.

use std::{collections::HashSet, fmt::Write as _};

use crate::{
    app::{
        exit::Exit,
        visible::visible,
        wording::{meaning, word},
    },
    engine::{
        check::{CaseResult, check},
        detect::Pack,
    },
};

/// Runs every test of `packs`.
pub(super) fn test(packs: &[Pack]) -> (String, Exit) {
    let results = check(packs);
    let failed: Vec<_> = results.iter().filter(|r| !r.passed).collect();
    let mut text: String = failed.iter().map(|r| failure(r)).collect();
    let detectors = packs.iter().map(|pack| pack.detectors.len()).sum();
    let (detectors, cases) = (count(detectors, "detector"), count(results.len(), "case"));
    let verdict = match failed.len() {
        0 => "all pass".to_owned(),
        n => format!("{n} failed"),
    };
    let untested = untested(packs, &results);
    let _ = writeln!(text, "{detectors}, {cases}: {verdict}{untested}");
    (text, if failed.is_empty() { Exit::Done } else { Exit::Unfit })
}

/// Names the detectors without tests, because they pass whatever they do.
fn untested(packs: &[Pack], results: &[CaseResult]) -> String {
    let tested: HashSet<_> = results.iter().map(|r| (&r.pack, &r.detector)).collect();
    let all = packs.iter().flat_map(|p| p.detectors.iter().map(move |d| (&p.pack, &d.id)));
    let without: Vec<_> = all.filter(|d| !tested.contains(d)).map(|(_, id)| id.as_str()).collect();
    match without.len() {
        0 => String::new(),
        _ => format!("; without a case: {}", without.join(", ")),
    }
}

fn failure(r: &CaseResult) -> String {
    let case = &r.case;
    let (kind, given) = match (&case.text, &case.event) {
        (Some(text), _) => ("text", text.as_str()),
        (None, event) => ("event", event.as_deref().unwrap_or_default()),
    };
    let wanted = match (&case.becomes, case.unchanged_by) {
        (Some(becomes), _) => visible(becomes),
        (None, Some(step)) => format!("unchanged, refused by {}", word(&step)),
        (None, None) => "unchanged".into(),
    };
    let mut text = format!("FAILED {} of pack {}\n", r.detector, r.pack);
    line(&mut text, kind, &visible(given));
    line(&mut text, "expected", &wanted);
    if let Some(error) = &r.error {
        line(&mut text, "actual", &format!("the detector does not compile: {}", error.what));
        return text;
    }
    let came = if r.came == given { "unchanged".into() } else { visible(&r.came) };
    line(&mut text, "actual", &came);
    match r.step {
        Some(step) => {
            let clause = meaning(step);
            line(&mut text, "refused by", &format!("{}: {clause}", word(&step)));
        }
        None => line(&mut text, "refused by", "no step"),
    }
    text
}

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "  {label:10}  {value}");
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}
