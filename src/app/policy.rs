//! Resolves the policy of a configuration file: checks names against the packs, and converts
//! actions.

use std::collections::HashSet;

use anyhow::{Result, anyhow};

use super::packs;
use crate::{
    config::{
        Said, Spot,
        choice::{ActionChoice, NumbersChoice},
        keys::{ActionEntry, RingEntry},
        nearest::meant,
        policy::{AllowEntry, Entries, RuleEntry},
    },
    engine::{
        detect::Pack,
        policy::{Action, Allow, KeyRing, Numbers, Policy, Rule},
    },
};

/// Resolves the entries, and the rules of each route. The error has one line per problem.
pub(crate) fn resolve(entries: &Entries, packs: &[Pack]) -> Result<(Policy, Vec<Vec<Rule>>)> {
    let own = entries.routes.iter().flat_map(|route| &route.rules);
    let named = entries.rules.iter().chain(own).filter_map(|rule| rule.name.as_ref());
    let rules = named.map(|said| said.value.clone()).collect();
    let mut judge = Judge { entries, packs, rules, errors: Vec::new() };
    let policy = Policy {
        allow: entries.allow.iter().map(|entry| judge.allow(entry)).collect(),
        rules: entries.rules.iter().map(|entry| judge.rule(entry)).collect(),
        numbers: match entries.numbers.as_ref().map(|said| said.value).unwrap_or_default() {
            NumbersChoice::Null => Numbers::Null,
            NumbersChoice::Zero => Numbers::Zero,
            NumbersChoice::Placeholder => Numbers::Placeholder,
        },
        known_placeholders: known_placeholders(entries)?,
        keys: entries.keys.iter().map(ring).collect(),
    };
    let own = entries.routes.iter();
    let own =
        own.map(|route| route.rules.iter().map(|entry| judge.rule(entry)).collect()).collect();
    judge.twice();
    let mut errors = judge.errors;
    errors.sort_by_key(|(spot, _)| (spot.line, spot.column));
    if errors.is_empty() {
        return Ok((policy, own));
    }
    let line = |(spot, what): &(Spot, String)| {
        format!("{}:{}:{}: {what}", entries.file, spot.line, spot.column)
    };
    Err(anyhow!(errors.iter().map(line).collect::<Vec<_>>().join("\n")))
}

/// Returns the ids of all built-in detectors, whether their packs are enabled or not, and those
/// that the configuration lists.
fn known_placeholders(entries: &Entries) -> Result<Vec<String>> {
    let shipped = packs::shipped()?.into_iter().flat_map(|pack| pack.detectors).map(|d| d.id);
    let listed = entries.known_placeholders.iter().flatten().map(|said| said.value.clone());
    Ok(shipped.chain(listed).collect())
}

fn ring(entry: &RingEntry) -> KeyRing {
    KeyRing {
        name: entry.name.clone(),
        active: entry.active.key.clone(),
        previous: entry.previous.iter().map(|previous| previous.key.clone()).collect(),
    }
}

struct Judge<'a> {
    entries: &'a Entries,
    packs: &'a [Pack],
    /// The names under which rules count their findings.
    rules: HashSet<String>,
    errors: Vec<(Spot, String)>,
}

impl Judge<'_> {
    fn allow(&mut self, entry: &AllowEntry) -> Allow {
        Allow {
            label: self.label(entry.name.as_ref(), entry.spot),
            detectors: self.names(&entry.detectors, true),
            exact: entry.kind("exact"),
            prefix: entry.kind("prefix"),
            suffix: entry.kind("suffix"),
            cidr: entry.kind("cidr"),
            domain: entry.kind("domain"),
            regex: entry.kind("regex"),
        }
    }

    fn rule(&mut self, entry: &RuleEntry) -> Rule {
        let detectors = self.names(&entry.detectors, false);
        if entry.action.is(ActionChoice::Truncate) {
            self.truncates(entry, &detectors);
        }
        Rule {
            label: self.label(entry.name.as_ref(), entry.spot),
            name: entry.name.as_ref().map(|said| said.value.clone()),
            detectors,
            path: entry.path.as_ref().map(|said| said.value.clone()),
            action: self.action(entry),
            secrets: entry.secrets.as_ref().is_some_and(|said| said.value),
        }
    }

    fn action(&mut self, entry: &RuleEntry) -> Action {
        let kept = |said: &Option<Said<u16>>| said.as_ref().map_or(0, |said| said.value);
        let choice = match &entry.action {
            ActionEntry::Word(said) => said.value,
            ActionEntry::Hmac { keys, .. } => return Action::Hmac { key: self.key(keys) },
        };
        match choice {
            ActionChoice::Replace => Action::Replace,
            ActionChoice::Truncate => Action::Truncate,
            ActionChoice::Mask => {
                Action::Mask { first: kept(&entry.keep_first), last: kept(&entry.keep_last) }
            }
            ActionChoice::Null => Action::Null,
            ActionChoice::Remove => Action::Remove,
            ActionChoice::Drop => Action::Drop,
            ActionChoice::Observe => Action::Observe,
            ActionChoice::Keep => Action::Keep,
        }
    }

    /// Returns the index of the keys with this name.
    fn key(&mut self, said: &Said<String>) -> u16 {
        let rings = &self.entries.keys;
        let at = rings.iter().position(|ring| ring.name == said.value);
        if at.is_none() {
            let name = &said.value;
            let names = rings.iter().map(|ring| ring.name.as_str());
            let fix = meant(name, names, || format!("add [keys.{name}] with an `active` key"));
            self.errors.push((said.spot, format!("no keys `{name}`: {fix}")));
        }
        at.and_then(|at| u16::try_from(at).ok()).unwrap_or(u16::MAX)
    }

    /// Returns the label of an entry in reports: its name, or its line.
    fn label(&self, name: Option<&Said<String>>, spot: Spot) -> String {
        match name {
            Some(said) => said.value.clone(),
            None => format!("{}:{}", self.entries.file, spot.line),
        }
    }

    /// Checks names of detectors, categories and packs; with `rules`, also names of rules.
    fn names(&mut self, said: &[Said<String>], rules: bool) -> Vec<String> {
        for Said { value, spot, .. } in said {
            let known = packs::knows(self.packs, value) || rules && self.rules.contains(value);
            if !known {
                let fix = packs::fix(self.packs, value);
                let what = format!("no detector, category or pack `{value}`: {fix}");
                self.errors.push((*spot, what));
            }
        }
        said.iter().map(|said| said.value.clone()).collect()
    }

    /// Checks that all detectors of a rule can truncate.
    fn truncates(&mut self, entry: &RuleEntry, names: &[String]) {
        let all = self.packs.iter().flat_map(|p| p.detectors.iter().map(move |d| (p, d)));
        let named = all
            .filter(|(p, d)| names.iter().any(|n| *n == d.id || *n == d.category || *n == p.pack));
        let other = named.map(|(_, d)| d).find(|d| d.action != Action::Truncate);
        let fix = "only IP addresses can be truncated: use detectors = [\"ipv4\", \"ipv6\"]";
        match other {
            Some(d) => {
                let what = format!("`{}` does not detect IP addresses; {fix}", d.id);
                self.errors.push((entry.action.spot(), what));
            }
            None if names.is_empty() => self.errors.push((entry.action.spot(), fix.into())),
            None => {}
        }
    }

    /// Checks that each name is used once, and is not the name of a detector.
    fn twice(&mut self) {
        let allow = self.entries.allow.iter().filter_map(|entry| entry.name.as_ref());
        let rules = self.entries.rules.iter().filter_map(|entry| entry.name.as_ref());
        let mut seen: HashSet<&str> = HashSet::new();
        // Routes may count what they find under one name.
        let own = self.entries.routes.iter().flat_map(|route| &route.rules);
        let own = own.filter_map(|entry| entry.name.as_ref()).map(|said| (said, false));
        for (said, alone) in allow.chain(rules).map(|said| (said, true)).chain(own) {
            let name = said.value.as_str();
            if alone && seen.contains(name) {
                self.errors
                    .push((said.spot, format!("the name `{name}` is used twice: choose another")));
            } else if packs::knows(self.packs, name) || name == "path" {
                let what = format!("`{name}` is the name of a detector or a group: choose another");
                self.errors.push((said.spot, what));
            }
            seen.insert(name);
        }
    }
}
