//! Names and descriptions of engine values, used wherever they are shown.

use std::fmt::Debug;

use crate::{
    engine::detect::Step,
    pipeline::{Stay, Stays},
};

/// Returns a variant's name as in the pack format: `AllowList` is `allow_list`.
pub(crate) fn word(variant: &impl Debug) -> String {
    let mut word = String::new();
    for (i, c) in format!("{variant:?}").char_indices() {
        if i > 0 && c.is_ascii_uppercase() {
            word.push('_');
        }
        word.push(c.to_ascii_lowercase());
    }
    word
}

/// Describes why a step refused a candidate.
pub(crate) fn meaning(step: Step) -> &'static str {
    match step {
        Step::Gate => "the text contains nothing that its gate looks for",
        Step::Shape => "does not match the detector's shape",
        Step::Regex => "does not match the regex, `not_before` or `not_after`",
        Step::Validator => "rejected by the validator (check digits, ranges, registries)",
        Step::Context => "needs a context key or word nearby, and there is none",
        Step::Veto => "a veto key or word is nearby",
        Step::AllowList => "allow-listed, or already a placeholder",
        Step::Rule => "a rule keeps it, or only counts it",
        Step::Overlap => "covered by a longer or more certain finding",
    }
}

/// Describes why dead letters are not replayed, after their count.
fn not_replayed(why: Stays) -> &'static str {
    match why {
        Stays::Tried => "at the limit of --attempts",
        Stays::Shut => "not decrypted by --identity",
        Stays::InPart => "without a whole event",
        Stays::NoLetter => "not dead letters",
        Stays::Elsewhere => "from topics that are not in [source]",
        Stays::Skipped => "skipped by an operator, or quarantined after repeated crashes",
    }
}

/// Describes how many dead letters are not replayed, and why.
pub(crate) fn stay(stay: &Stay) -> String {
    let counts = Stays::ALL.iter().map(|why| (stay[why.index()], not_replayed(*why)));
    let all: Vec<_> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    format!("{} not replayed: {};", stay.iter().sum::<u64>(), all.join(", "))
}
