//! Formats an explanation for people, aligned and optionally coloured.

use std::{collections::HashSet, fmt::Write as _};

use anstyle::{AnsiColor, Style};

use super::{decoding, kind};
use crate::{
    app::{
        advice::advice,
        visible::visible,
        wording::{meaning, word},
    },
    engine::{
        Explanation,
        detect::Step,
        explain::{Candidate, Outcome},
    },
};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const FOUND: Style = AnsiColor::Cyan.on_default().bold();
const REFUSED: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The maximum length of a shape or pointer that is shown in full, in characters.
const LONGEST: usize = 48;

/// Returns the page with ANSI colours, which the caller strips if they are not wanted.
///
/// A candidate whose gate matched but whose shape did not is shown only for detectors that match by
/// key (`by_key`), because only those judged the value.
pub(super) fn page(e: &Explanation, by_key: &HashSet<String>) -> String {
    let shapeless =
        |c: &&Candidate| c.refused == Some(Step::Shape) && !by_key.contains(&c.detector);
    let (without, shown): (Vec<_>, Vec<_>) = e.candidates.iter().partition(shapeless);
    let mut text = outcome(&e.outcome, &shown);
    if let Some(route) = &e.route {
        let _ = writeln!(text, "route: {}", visible(route));
    }
    candidates(&mut text, &shown);
    if e.outcome != Outcome::Blank {
        gates(&mut text, e, &without, &shown);
    }
    if !matches!(e.outcome, Outcome::Rejected { .. } | Outcome::Blank) {
        let _ = writeln!(text, "\n{}", visible(&String::from_utf8_lossy(&e.line)));
    }
    text
}

fn outcome(outcome: &Outcome, all: &[&Candidate]) -> String {
    let found = all.iter().filter(|c| c.refused.is_none()).count();
    let refused = all.len() - found;
    let counts = match (found, refused) {
        (0, 0) => "no candidate".to_owned(),
        (0, refused) => format!("{refused} refused"),
        (found, 0) => format!("{found} found"),
        (found, refused) => format!("{found} found, {refused} refused"),
    };
    match outcome {
        Outcome::Clean => format!("{GOOD}clean{GOOD:#}: forwarded byte for byte; {counts}\n"),
        Outcome::Redacted => format!("{FOUND}redacted{FOUND:#}: {counts}\n"),
        Outcome::Wrapped => {
            format!(
                "{FOUND}wrapped{FOUND:#}: a text line, forwarded as the message of an event; \
                 {counts}\n"
            )
        }
        Outcome::Blank => format!("{BOLD}blank{BOLD:#}: an empty line, skipped and counted\n"),
        Outcome::Rejected { reason, pointer, at, missing, detail } => {
            let place = match (pointer.as_str(), at) {
                ("", 0) => String::new(),
                ("", at) => format!(" at byte {at}"),
                (pointer, _) => format!(" at {}", visible(pointer)),
            };
            let advice = advice((*reason).into(), missing, *detail);
            let (reason, advice) = (reason.word(), visible(&advice));
            format!("{BAD}would be dropped{BAD:#}: {reason}{place}: {advice}\n")
        }
    }
}

/// Lists each location, followed by the detectors that judged it.
fn candidates(text: &mut String, all: &[&Candidate]) {
    let places: Vec<[String; 4]> = all.iter().map(|c| place(c)).collect();
    let mut widths = [0; 4];
    for place in &places {
        for (width, cell) in widths.iter_mut().zip(place) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let detectors = all.iter().map(|c| c.detector.len()).max().unwrap_or(0);
    let steps = all.iter().map(|c| step(c).len()).max().unwrap_or(0);
    for (i, (c, place)) in all.iter().zip(&places).enumerate() {
        if i == 0 || places[i - 1] != *place {
            let [pointer, what, bytes, shape] = place;
            let [w_pointer, w_what, w_bytes, _] = widths;
            let _ = writeln!(
                text,
                "\n  {BOLD}{pointer:w_pointer$}{BOLD:#}  {what:w_what$}  {bytes:w_bytes$}  {DIM}{shape}{DIM:#}"
            );
        }
        let (style, step, detector) = (style(c), step(c), &c.detector);
        let _ = writeln!(
            text,
            "    {detector:detectors$}  {style}{step:steps$}{style:#}  {}",
            becomes(c)
        );
    }
}

/// Returns the pointer, the kind with its encodings, the byte range and the shape.
fn place(c: &Candidate) -> [String; 4] {
    let mut what = kind(c).to_owned();
    if !c.decoded.is_empty() {
        let decoded: Vec<_> = c.decoded.iter().map(|d| decoding(*d)).collect();
        let _ = write!(what, " in {}", decoded.join(", "));
    }
    let pointer = if c.pointer.is_empty() { "line".into() } else { short(&c.pointer) };
    let bytes = format!("bytes {}..{}", c.range.start, c.range.end);
    let shape = if c.shape.is_empty() { "(empty)".into() } else { short(&c.shape) };
    [pointer, what, bytes, shape]
}

fn step(c: &Candidate) -> String {
    c.refused.map_or_else(|| "found".into(), |step| word(&step))
}

fn style(c: &Candidate) -> Style {
    if c.refused.is_none() { FOUND } else { REFUSED }
}

/// Describes the result for a candidate, and the allow-list entry or rule that decided, if any.
fn becomes(c: &Candidate) -> String {
    let what = outcome_of(c);
    match &c.by {
        Some(by) => format!("{what} (by {})", visible(by)),
        None => what,
    }
}

fn outcome_of(c: &Candidate) -> String {
    match (c.refused, &c.becomes) {
        // Only detectors that match by key are shown without a shape.
        (Some(Step::Shape), _) => "the value is empty, or cannot be a secret".into(),
        (Some(step), _) => meaning(step).into(),
        (None, Some(with)) if with.is_empty() => "→ nothing: the field is removed".into(),
        (None, Some(with)) => format!("→ {}", short(with)),
        (None, None) => "→ replaced together with the text around it".into(),
    }
}

/// Escapes control characters, and shortens a long text in the middle.
fn short(text: &str) -> String {
    let text = visible(text).replace('\t', "\\t");
    let length = text.chars().count();
    if length <= LONGEST {
        return text;
    }
    let half = LONGEST / 2;
    let head: String = text.chars().take(half).collect();
    let tail: String = text.chars().skip(length - (half - 1)).collect();
    format!("{head}…{tail}")
}

/// Lists the detectors that have no candidate with a location.
fn gates(text: &mut String, e: &Explanation, without: &[&Candidate], shown: &[&Candidate]) {
    text.push('\n');
    let mut opened: Vec<&str> = e.unshaped.iter().map(String::as_str).collect();
    for c in without {
        if !opened.contains(&c.detector.as_str())
            && shown.iter().all(|other| other.detector != c.detector)
        {
            opened.push(&c.detector);
        }
    }
    if !opened.is_empty() {
        let _ = writeln!(text, "gate matched, but no shape did: {}", opened.join(", "));
    }
    let rest = if shown.is_empty() && opened.is_empty() { "all" } else { "the other" };
    match e.unopened.as_slice() {
        [] => {}
        [one] => {
            let _ = writeln!(text, "gate never matched: {one}");
        }
        all => {
            let _ = writeln!(text, "gate never matched: {rest} {} detectors", all.len());
        }
    }
}
