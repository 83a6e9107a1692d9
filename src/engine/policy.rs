//! The policy: what is never a finding, and what becomes of findings; by detector, and by path.
//!
//! The precedence is written here, once, and used by everything that judges: an entry of the
//! allow-list, then a rule by path, then a rule for the detector, then the detector itself. Of
//! several of one kind the first one decides. What is kept or allowed is never a secret, unless the
//! entry or the rule says so.

mod allow;
mod lists;
pub(crate) mod mask;
mod rule;

use std::fmt;
use std::sync::Arc;

use super::path::globs::{self, Globs};
use super::redact::pseudonym::{self, Maker};
pub use super::redact::{Action, KeyError, KeyRing, PseudonymKey};
use allow::AllowList;
pub use allow::{check_network, check_regex};
pub use globs::segments;
pub use rule::Rule;
pub(crate) use rule::{CATEGORY, Known};

/// What decides about findings besides the packs: what is allowed, and rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// What is never a finding.
    pub allow: Vec<Allow>,
    /// What becomes of findings.
    pub rules: Vec<Rule>,
    /// What a number becomes.
    pub numbers: Numbers,
    /// Ids of placeholders that others gave, beside those of the packs and the rules.
    pub known_placeholders: Vec<String>,
    /// The keys that pseudonyms are made with.
    pub keys: Vec<KeyRing>,
}

/// What a number becomes that is redacted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Numbers {
    /// `null`.
    #[default]
    Null,
    /// `0`: a number stays a number.
    Zero,
    /// The placeholder, as a string.
    Placeholder,
}

/// An entry of the allow-list: a finding that has one of these is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    /// How reports call it.
    pub label: String,
    /// Detectors, categories or packs that it is for; none: all that find no secrets.
    pub detectors: Vec<String>,
    /// The finding itself.
    pub exact: Vec<String>,
    /// What it begins with.
    pub prefix: Vec<String>,
    /// What it ends with.
    pub suffix: Vec<String>,
    /// Networks that an address is in: `10.0.0.0/8`.
    pub cidr: Vec<String>,
    /// The domain behind its `@`, or that it is, or one above it; in any case.
    pub domain: Vec<String>,
    /// Regexes over all of it: bytes, ASCII classes.
    pub regex: Vec<String>,
}

/// A policy that cannot be: which part of it, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    label: String,
    what: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.label, self.what)
    }
}

/// The allow-list, compiled, and which of its entries are for which detectors.
#[derive(Default)]
pub(crate) struct Allowed {
    entries: AllowList,
    /// By detector: the entries that are for it, a bit for each, none if there is none.
    by_detector: Vec<Vec<u64>>,
}

/// Rules that go before those of the policy, and where the first of them is counted.
#[derive(Clone, Copy, Default)]
pub(crate) struct Own<'a> {
    pub(crate) rules: &'a [Rule],
    pub(crate) base: usize,
}

/// No entry and no rule decided.
pub(crate) const NONE: u16 = u16::MAX;

/// The policy compiled: entries of the allow-list have the numbers before those of the rules, and
/// rules of its own have others.
#[derive(Default)]
pub(crate) struct Precedence {
    allowed: Arc<Allowed>,
    rules: Vec<Compiled>,
    /// How many of `rules` are its own, and the number of the first.
    own: usize,
    base: usize,
    /// By detector: the rule without a path.
    plain: Vec<Option<u16>>,
    pub(crate) globs: Arc<Globs>,
    pub(crate) numbers: Numbers,
    /// What makes pseudonyms, in the order of [`Policy::keys`].
    pub(crate) keys: Vec<Maker>,
    /// Of what a text line becomes: the row of `message`.
    pub(crate) message: Vec<u64>,
    /// The event's own row, of the rules that change or drop what they hold: JSON in a string or in
    /// a text line obeys them as if it were the event.
    pub(crate) inside: Vec<u64>,
    /// A rule by path changes or drops values, or a rule drops events: JSON that cannot be walked
    /// cannot be shown to obey it.
    pub(crate) strict: bool,
}

struct Compiled {
    action: Action,
    /// By detector, whether it is about its findings.
    about: Vec<bool>,
    /// What its own findings are counted under.
    detector: u16,
}

/// A rule that takes whole values.
#[derive(Clone, Copy)]
pub(crate) struct Whole {
    pub(crate) action: Action,
    pub(crate) detector: u16,
    /// Its number.
    pub(crate) by: u16,
}

impl Allowed {
    /// Compiles the entries `all` for `known`, the detectors in the tally's order.
    pub(crate) fn new(all: &[Allow], known: &[Known<'_>]) -> Result<Self, Refusal> {
        let entries = AllowList::new(all);
        let entries = entries.map_err(|(label, what)| Refusal { label, what })?;
        let mut by_detector = vec![vec![]; known.len()];
        for (number, allow) in all.iter().enumerate() {
            let every = allow.detectors.is_empty();
            for (d, allowed) in known.iter().zip(&mut by_detector) {
                if if every { !d.is_secret() } else { d.is_named(&allow.detectors) } {
                    allowed.resize(all.len().div_ceil(64), 0u64);
                    allowed[number / 64] |= 1 << (number % 64);
                }
            }
        }
        Ok(Self { entries, by_detector })
    }
}

impl Precedence {
    /// Compiles `policy`, with rules before its own, for `known`, the detectors in the tally's order.
    pub(crate) fn new(
        policy: &Policy,
        own: Own<'_>,
        known: &[Known<'_>],
        allowed: Arc<Allowed>,
    ) -> Result<Self, Refusal> {
        let refuse = |label: &str| {
            let label = label.to_owned();
            move |what| Refusal { label, what }
        };
        let Own { rules: own, base } = own;
        let all: Vec<&Rule> = own.iter().chain(&policy.rules).collect();
        if base + policy.allow.len() + all.len() >= usize::from(NONE) {
            return Err(refuse("policy")("has more than 65,000 entries and rules".into()));
        }
        let mut plain = vec![None; known.len()];
        let mut rules = Vec::new();
        for (number, rule) in (0..).zip(all.iter().copied()) {
            rule.check(known, &policy.keys).map_err(refuse(&rule.label))?;
            let about: Vec<_> = known.iter().map(|d| rule.is_about(d)).collect();
            if rule.path.is_none() {
                let free = plain.iter_mut().zip(&about).filter(|(p, about)| **about && p.is_none());
                free.for_each(|(plain, _)| *plain = Some(number));
            }
            let id = rule.id();
            let detector = id.and_then(|id| known.iter().position(|d| d.id == id));
            let detector = detector.map_or(NONE, |at| at as u16);
            rules.push(Compiled { action: rule.action, about, detector });
        }
        let holds: Vec<_> = all.iter().map(|r| (r.path.as_deref(), r.hold())).collect();
        let globs = Globs::new(&holds).map_err(refuse("rule"))?;
        let mut message = vec![0; globs.words()];
        globs.member(globs.start(), b"message", &mut message, &mut Vec::new());
        let changes = |rule: &Rule| !matches!(rule.action, Action::Keep | Action::Observe);
        let inside = globs.start_of(|number| changes(all[number]));
        let strict = all.iter().any(|rule| rule.drops() || rule.path.is_some() && changes(rule));
        let (globs, numbers) = (Arc::new(globs), policy.numbers);
        let keys = policy.keys.iter().map_while(|ring| Maker::new(&ring.active)).collect();
        let own = own.len();
        Ok(Self { allowed, rules, own, base, plain, globs, numbers, keys, message, inside, strict })
    }

    /// The number of a rule, by its place.
    fn number(&self, rule: usize) -> u16 {
        let entries = self.allowed.entries.len();
        let number = if rule < self.own { self.base + rule } else { entries + rule - self.own };
        number as u16
    }

    /// The entry of the allow-list by which the finding `text`, a part of `matched`, is none.
    #[inline]
    pub(crate) fn allows(&self, detector: u16, matched: &[u8], text: &[u8]) -> Option<u16> {
        let Allowed { entries, by_detector } = &*self.allowed;
        let allowed = by_detector.get(usize::from(detector)).filter(|bits| !bits.is_empty())?;
        let takes = |entry: u16| allowed[usize::from(entry / 64)] >> (entry % 64) & 1 != 0;
        entries.first(matched, text, &takes)
    }

    /// What a rule makes of a finding of `detector` where the row is `row`, and its number.
    #[inline]
    pub(crate) fn action(&self, detector: u16, row: &[u64]) -> Option<(Action, u16)> {
        if self.rules.is_empty() {
            return None;
        }
        let detector = usize::from(detector);
        let about = |&rule: &usize| self.rules[rule].about[detector];
        let by_path = self.globs.holding(row).find(about);
        let rule = by_path.or_else(|| self.plain[detector].map(usize::from))?;
        Some((self.rules[rule].action, self.number(rule)))
    }

    /// Whether `text` is the pseudonym of `value` by one of the active keys.
    pub(crate) fn is_pseudonym(&self, text: &[u8], value: &[u8]) -> bool {
        let mut made = Vec::new();
        text.starts_with(pseudonym::OPEN)
            && self.keys.iter().any(|maker| {
                made.clear();
                maker.append(value, &mut made);
                made == text
            })
    }

    /// The rule that takes or counts the whole value where the row is `row`.
    pub(crate) fn whole(&self, row: &[u64]) -> Option<Whole> {
        let rule = self.globs.whole(row)?;
        let Compiled { action, detector, .. } = self.rules[rule];
        let by = self.number(rule);
        (action != Action::Keep).then_some(Whole { action, detector, by })
    }

    /// What the rule with this number does; nothing where an entry decided.
    pub(crate) fn action_of(&self, by: u16) -> Option<Action> {
        let by = usize::from(by);
        let rule = match by.checked_sub(self.base).filter(|_| self.own > 0) {
            Some(own) => own,
            None => by.checked_sub(self.allowed.entries.len())? + self.own,
        };
        self.rules.get(rule).map(|rule| rule.action)
    }
}

#[cfg(test)]
mod tests;
