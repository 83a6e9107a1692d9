//! What a verdict comes to: a finding and how it is replaced, or a refusal.

use super::pack::Step;
use crate::engine::policy::mask::Mask;
use crate::engine::redact::{pseudonym, truncate};

/// How a finding is replaced. Where this says placeholder, a finding that has a pseudonym becomes that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum With {
    /// The detector's placeholder.
    Placeholder,
    /// `null`.
    Null,
    /// What a number becomes, where quotes are escaped so often.
    Number(u8),
    /// An address with its host part zeroed.
    Truncated(truncate::Address),
    /// Stars, for most of it.
    Mask(Mask),
    /// The field that holds it is to become `null`; where it is none, the placeholder.
    FieldNull,
    /// The field that holds it is to go; where it is none, the placeholder.
    FieldGone,
    /// Nothing: a member that goes, its comma not yet.
    Member,
    /// Nothing: a member goes with its comma.
    Nothing,
    /// The placeholder in quotes, which are escaped so often, for what is no string.
    Quoted(u8),
    /// The detector's placeholder in a key of the container that opens here: unique in it.
    Key(u32),
}

impl With {
    /// The same in the string in whose content it is.
    pub(crate) fn escaped(self) -> Self {
        match self {
            Self::Number(times) => Self::Number(times + 1),
            Self::Quoted(times) => Self::Quoted(times + 1),
            other => other,
        }
    }

    /// The same in another text, to whose places `back` leads.
    pub(crate) fn mapped(self, back: impl Fn((usize, usize)) -> (usize, usize)) -> Self {
        match self {
            Self::Mask(mask) => {
                let (from, to) = back((mask.from, mask.to));
                Self::Mask(Mask { from, to, ..mask })
            }
            other => other,
        }
    }
}

/// A place that a detector or a rule holds to be personal data or a secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Finding {
    pub(crate) detector: u16,
    /// What matched; it decides between findings that overlap.
    pub(crate) matched: (usize, usize),
    /// What is replaced.
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) with: With,
    /// What it becomes by a rule with `hmac`, in place of the placeholder.
    pub(crate) pseudonym: pseudonym::Number,
    /// The rule that decided about it.
    pub(crate) by: u16,
}

/// A candidate that is no finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) step: Step,
    /// What matched; the candidate's own byte where nothing did.
    pub(crate) matched: (usize, usize),
    /// The entry of the allow-list, or the rule, that decided.
    pub(crate) by: u16,
}
