//! How what the engine knows is called, wherever it is shown.

use std::fmt::Debug;

use crate::{
    engine::detect::Step,
    pipeline::{Stay, Stays},
};

/// A variant's name in the pack format's spelling: `AllowList` is `allow_list`.
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

/// What a refusal by `step` means.
pub(crate) fn meaning(step: Step) -> &'static str {
    match step {
        Step::Gate => "nothing there looks like it",
        Step::Shape => "what stands there has not its shape",
        Step::Regex => "its pattern, or what stands beside the match, does not fit",
        Step::Validator => "its check refuses it: check digits, ranges, names",
        Step::Context => "no key or word near says so, and alone it does not fire",
        Step::Veto => "a key or word near says that it is something else",
        Step::AllowList => "known to be harmless, or a placeholder already",
        Step::Rule => "a rule keeps it, or only counts it",
        Step::Overlap => "a longer or surer finding covers it",
    }
}

/// How many letters stay, in words.
pub(crate) fn stay(stay: &Stay) -> String {
    let counts = Stays::ALL.iter().map(|why| (stay[why.index()], why.said()));
    let all: Vec<_> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    format!("{} not replayed: {};", stay.iter().sum::<u64>(), all.join(", "))
}
