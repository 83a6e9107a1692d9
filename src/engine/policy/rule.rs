//! One rule: which findings it is about, and whether it can be.

use crate::engine::path::globs::Hold;
use crate::engine::redact::{Action, KeyRing};

/// A rule: what becomes of findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// How reports call it.
    pub label: String,
    /// What its findings are called, where it takes values by itself; `path` without one.
    pub name: Option<String>,
    /// Detectors, categories or packs whose findings it is about; none: the value at `path` is the
    /// finding (with [`Action::Keep`]: all detectors that find no secrets).
    pub detectors: Vec<String>,
    /// Where it holds, and below: `user.*.email`, `**.headers.*`.
    pub path: Option<String>,
    /// What becomes of them.
    pub action: Action,
    /// [`Action::Keep`] is for secrets, too.
    pub secrets: bool,
}

/// A detector that may find something: its pack, and itself; of a rule, only an id.
pub(crate) struct Known<'a> {
    pub(crate) pack: &'a str,
    pub(crate) id: &'a str,
    pub(crate) category: &'a str,
    pub(crate) truncates: bool,
    pub(crate) is_enabled: bool,
}

/// The category of what a rule by path finds.
pub(crate) const CATEGORY: &str = "rule";

impl<'a> Known<'a> {
    pub(crate) fn rule(id: &'a str) -> Self {
        Self { pack: "", id, category: CATEGORY, truncates: false, is_enabled: true }
    }

    pub(super) fn is_named(&self, names: &[String]) -> bool {
        names.iter().any(|n| n == self.id || n == self.category || n == self.pack)
    }

    pub(super) fn is_secret(&self) -> bool {
        self.category == "secret"
    }
}

impl Rule {
    /// What it counts the values under that it takes by itself.
    pub fn id(&self) -> Option<&str> {
        let whole = self.path.is_some() && self.detectors.is_empty();
        (whole && self.action != Action::Keep).then(|| self.name.as_deref().unwrap_or("path"))
    }

    /// Whether it drops events.
    pub(crate) fn drops(&self) -> bool {
        self.action == Action::Drop
    }

    pub(super) fn is_about(&self, d: &Known<'_>) -> bool {
        match self.action {
            _ if !d.is_enabled => false,
            _ if !self.detectors.is_empty() => d.is_named(&self.detectors),
            Action::Keep => self.secrets || !d.is_secret(),
            _ => false,
        }
    }

    pub(super) fn hold(&self) -> Hold {
        match self.action {
            _ if !self.detectors.is_empty() => Hold::Findings,
            Action::Keep => Hold::Keep,
            Action::Observe => Hold::Look,
            Action::Null | Action::Remove | Action::Drop => Hold::Take { containers: true },
            _ => Hold::Take { containers: false },
        }
    }

    /// What is wrong with it.
    pub(super) fn check(&self, known: &[Known<'_>], keys: &[KeyRing]) -> Result<(), String> {
        if let Action::Hmac { key } = self.action
            && keys.get(usize::from(key)).is_none()
        {
            return Err("makes pseudonyms with a key that is not there".into());
        }
        if self.detectors.is_empty() && self.path.is_none() {
            return Err("has neither `detectors` nor `path`".into());
        }
        let other = known.iter().find(|d| self.is_about(d) && !d.truncates);
        match (self.action, other) {
            (Action::Truncate, Some(d)) => {
                Err(format!("only IP addresses are truncated, and `{}` finds none", d.id))
            }
            (Action::Truncate, None) if self.detectors.is_empty() => {
                Err("only IP addresses are truncated: name detectors that find them".into())
            }
            _ => Ok(()),
        }
    }
}
