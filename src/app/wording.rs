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

/// Why dead letters are not replayed, after their count.
fn not_replayed(why: Stays) -> &'static str {
    match why {
        Stays::Tried => "tried often enough (--attempts)",
        Stays::Shut => "sealed, and not opened by --identity",
        Stays::InPart => "without a whole event",
        Stays::NoLetter => "not dead letters",
        Stays::Elsewhere => "from topics that are not in [source]",
        Stays::Skipped => "skipped by hand, or because the process crashed repeatedly on them",
    }
}

/// How many dead letters are not replayed, in words.
pub(crate) fn stay(stay: &Stay) -> String {
    let counts = Stays::ALL.iter().map(|why| (stay[why.index()], not_replayed(*why)));
    let all: Vec<_> = counts
        .filter(|(count, _)| *count > 0)
        .map(|(count, why)| format!("{count} {why}"))
        .collect();
    format!("{} not replayed: {};", stay.iter().sum::<u64>(), all.join(", "))
}
