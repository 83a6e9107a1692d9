//! The catalog: packs → detectors, gates and tables, compiled once for all rulesets.

use std::cmp::Reverse;
use std::sync::Arc;

use super::derive::{self, Way};
use super::detector::Detector;
use super::pack::{self, Action, Pack};
use super::selection::{PlanError, Selection};
use super::{advice, shape};
use crate::engine::index::exact::{ByteSet, Exact, Row, WINDOW};
use crate::engine::index::fingerprint::{Fingerprint, LEN};
use crate::engine::index::{Gate, Gates, SIGNS};
use crate::engine::path::words::Fields;
use crate::engine::placeholder::Placeholders;
use crate::engine::policy::Rule;
use crate::engine::regex;

/// What begins the first line of a private key.
const BEGIN: &str = "-----BEGIN";

/// Every detector that a ruleset can use, compiled once.
pub(crate) struct Catalog {
    pub(crate) list: Vec<Detector>,
    pub(crate) gates: Gates,
    /// The rules by key: each with the names of its fields, the highest priority first.
    pub(crate) by_key: Vec<(u16, Arc<Fields>)>,
    pub(crate) placeholders: Arc<Placeholders>,
    /// A string whose escapes are simple (see `decode::is_simple`) holds no candidate that its raw
    /// bytes do not show: no shape asks for one of these bytes, and assignments are looked for.
    pub(crate) plain_escapes: bool,
    /// The detectors for which every text is searched.
    pub(crate) searched: Vec<u16>,
    /// The regex alone leads to some detector: what is beside an edit may be a match of it.
    pub(crate) derived: bool,
    /// But for slashes, which some literals have: what stands before the first one in them.
    pub(crate) before_slash: ByteSet,
    /// Where each detector's candidates come from, for `explain`.
    pub(crate) gates_of: Vec<Vec<Gate>>,
    /// The first bytes of the literals of each, for `explain`.
    pub(crate) heads: Vec<(u16, [ByteSet; LEN])>,
    /// The detector of private keys, by its literal: what the lines of a key are counted under.
    pub(crate) keys: Option<u16>,
    /// How many of `list` are detectors. After them stand the names that rules by path count under.
    pub(crate) declared: usize,
}

impl Catalog {
    /// Compiles the detectors that one of `selects` takes; where `truncates` is not set, no action truncates.
    /// `placeholders` are those of all packs and of the policy.
    pub(crate) fn compile(
        packs: &[Pack],
        selects: &[Selection],
        truncates: bool,
        placeholders: &Arc<Placeholders>,
    ) -> Result<(Self, Vec<(usize, usize)>), PlanError> {
        selects.iter().try_for_each(|select| select.check(packs))?;
        let mut rows: [Vec<Row>; Gate::COUNT] = Default::default();
        let mut out = Catalog {
            list: vec![],
            gates: Gates {
                exact: Gate::ALL.map(|gate| Exact::new(gate, &[])),
                literals: None,
                loose: 0,
            },
            by_key: vec![],
            placeholders: Arc::clone(placeholders),
            plain_escapes: true,
            searched: vec![],
            derived: false,
            before_slash: ByteSet::NONE,
            gates_of: vec![],
            heads: vec![],
            keys: None,
            declared: 0,
        };
        let mut origins = vec![];
        for (p, pack) in packs.iter().enumerate() {
            for (i, d) in pack.detectors.iter().enumerate() {
                if !selects.iter().any(|select| select.takes(pack, d)) {
                    continue;
                }
                let refuse = |what: String| {
                    PlanError::new(format!("pack `{}`, detector `{}`: {what}", pack.pack, d.id))
                };
                let id = u16::try_from(out.list.len())
                    .ok()
                    .filter(|&n| n < SIGNS)
                    .ok_or_else(|| refuse("too many detectors (65,000 at most)".into()))?;
                if out.list.iter().any(|o| o.id == d.id) {
                    return Err(refuse("another detector has this id: ids are unique".into()));
                }
                let mut compiled = Detector::new(d, placeholders).map_err(refuse)?;
                if !truncates {
                    compiled.action = Action::Replace;
                }
                let gates = out.add_rows(packs, d, &mut compiled, id, &mut rows).map_err(refuse)?;
                if d.literals.iter().any(|literal| literal.starts_with(BEGIN)) && out.keys.is_none()
                {
                    out.keys = Some(id);
                }
                out.gates_of.push(gates);
                out.list.push(compiled);
                origins.push((p, i));
            }
        }
        out.build_gates(&rows);
        out.by_key.sort_by_key(|&(id, _)| Reverse(out.list[usize::from(id)].priority));
        out.declared = out.list.len();
        Ok((out, origins))
    }

    /// Builds the tables of all gates from the detectors' rows.
    fn build_gates(&mut self, rows: &[Vec<Row>; Gate::COUNT]) {
        self.heads = rows[Gate::Literal as usize]
            .iter()
            .map(|r| (r.id, std::array::from_fn(|i| r.window[i + 1])))
            .collect();
        let heads: Vec<_> = self.heads.iter().map(|h| h.1).collect();
        self.gates.literals = Fingerprint::new(&heads);
        let loose = |row| derive::is_loose(Gate::Literal, row);
        self.gates.loose = if rows[Gate::Literal as usize].iter().any(loose) { !0 } else { 0 };
        let mut asked = ByteSet::NONE;
        for gate in Gate::ALL.into_iter().filter(|gate| *gate != Gate::Assign) {
            for row in &rows[gate as usize] {
                let sets = asked_in(row, gate.look_back());
                asked = sets.iter().fold(asked, |all, set| all.union(set));
                if let Some(slash) = (1..WINDOW).find(|&place| sets[place].has(b'/')) {
                    self.before_slash = self.before_slash.union(&row.window[slash - 1]);
                }
            }
        }
        self.plain_escapes = self.searched.is_empty()
            && !b"\"\n\r\t\\&<>".iter().any(|&b| asked.has(b))
            && (self.by_key.is_empty() || !rows[Gate::Assign as usize].is_empty());
        self.gates.exact = Gate::ALL.map(|gate| Exact::new(gate, &rows[gate as usize]));
    }

    /// Whether a token that some shape knows may start with these bytes.
    pub(crate) fn may_start(&self, bytes: &[u8]) -> bool {
        let Some(&first) = bytes.first() else { return false };
        let literal = self.gates.literals.as_ref().is_some_and(|f| {
            bytes.first_chunk().map_or(first.is_ascii_alphanumeric(), |head| f.admits(head))
        });
        // Only literals and addresses begin with a lower-case letter, nothing with these signs.
        let hex = first.is_ascii_hexdigit() && bytes.iter().take(5).any(|&b| b == b':');
        let innocent = first.is_ascii_lowercase() || b" ,.;!?/\\<>&_".contains(&first);
        literal || hex || !innocent
    }

    /// Whether a slash behind these bytes may belong to the opening of a token that some shape
    /// knows.
    pub(crate) fn slash_may_matter(&self, before: &[u8]) -> bool {
        if !before.last().is_some_and(|b| self.before_slash.has(*b)) {
            return false;
        }
        if self.gates.loose != 0 {
            return true;
        }
        // Openings begin at a boundary: behind `v2` no shape of digits and slashes begins.
        let mut token = before.iter().rev().take_while(|b| b.is_ascii_alphanumeric());
        !token.any(|b| b.is_ascii_alphabetic())
            || (b'A'..=b'z').any(|b| b.is_ascii_alphabetic() && self.before_slash.has(b))
    }

    /// Adds the names that rules by path count under.
    pub(crate) fn add_names<'a>(
        &mut self,
        rules: impl Iterator<Item = &'a Rule>,
    ) -> Result<(), PlanError> {
        let ids = rules.filter_map(|rule| Some((rule.id()?, rule)));
        for (id, rule) in ids {
            if self.list[..self.declared].iter().any(|d| d.id == id) {
                let what = format!("{}: a detector is called `{id}`", rule.label);
                return Err(PlanError::new(what));
            }
            if self.list.iter().all(|d| d.id != id) {
                self.list.push(Detector::named(id, &self.placeholders));
            }
        }
        Ok(())
    }

    fn add_rows(
        &mut self,
        packs: &[Pack],
        d: &pack::Detector,
        compiled: &mut Detector,
        id: u16,
        rows: &mut [Vec<Row>; Gate::COUNT],
    ) -> Result<Vec<Gate>, String> {
        let mut gates = vec![];
        let fields_of = |d: &pack::Detector| {
            Arc::new(Fields::new(&d.fields, &d.not_fields, &self.placeholders))
        };
        alone(d)?;
        if !d.fields.is_empty() {
            self.by_key.push((id, fields_of(d)));
            return Ok(gates);
        }
        if let Some(of) = &d.assigns {
            let fields = packs
                .iter()
                .flat_map(|p| &p.detectors)
                .find(|o| o.id == *of)
                .ok_or_else(|| format!("assigns = \"{of}\": no detector has this id"))?;
            if fields.fields.is_empty() {
                return Err(format!("assigns = \"{of}\": that detector has no `fields`"));
            }
            compiled.assigns = Some(fields_of(fields));
            rows[Gate::Assign as usize].extend(shape::assignment_rows(&fields.fields, id));
            return Ok(vec![Gate::Assign]);
        }
        let not_before = derive::before(&compiled.not_before, compiled.numbers);
        if compiled.derived {
            return self.derive(compiled, &not_before, id, rows);
        }
        let mut openings: Vec<_> =
            d.literals.iter().map(|l| (&**l, vec![shape::literal(l, d.ignore_case)])).collect();
        for s in &d.shape {
            openings.push((s, shape::expand(&regex::parse(s)?)?));
        }
        advice::check_openings(d, &compiled.pattern, &openings)?;
        for f in openings.iter().flat_map(|(_, forms)| forms) {
            let (gate, row) = shape::place(f, (compiled.lead.as_ref(), compiled.pattern.before_at), &not_before, id).ok_or(
                "a form fits no gate: begin it with a literal of 3 bytes, a run of 7 digits and \
                 separators, 1 to 3 capitals and a digit, `@`, `+` and a digit, or `(ddd)`; or make \
                 it a rule by key",
            )?;
            rows[gate as usize].push(row);
            if !gates.contains(&gate) {
                gates.push(gate);
            }
        }
        Ok(gates)
    }
}

impl Catalog {
    /// The gates of a detector that declares none, for its regex.
    fn derive(
        &mut self,
        compiled: &mut Detector,
        not_before: &ByteSet,
        id: u16,
        rows: &mut [Vec<Row>; Gate::COUNT],
    ) -> Result<Vec<Gate>, String> {
        if compiled.pattern.is_empty() {
            return Err("declares no `regex`, `fields` or `assigns`: it would find nothing".into());
        }
        self.derived = true;
        let found = match derive::way(&compiled.pattern.hir()?, not_before, id) {
            Way::Opening(found) => found,
            Way::Inside(found) => {
                compiled.inside = true;
                found
            }
            Way::Search => {
                self.searched.push(id);
                vec![]
            }
        };
        let mut gates: Vec<_> = found.iter().map(|(gate, _)| *gate).collect();
        gates.dedup();
        for (gate, row) in found {
            rows[gate as usize].push(row);
        }
        Ok(gates)
    }
}

/// Refuses a detector that is a rule by key or finds assignments, and looks for something else
/// besides: it would not be looked for.
fn alone(d: &pack::Detector) -> Result<(), String> {
    let (kind, other) = match (d.fields.is_empty(), &d.assigns) {
        (true, None) => return Ok(()),
        (false, Some(_)) => ("fields", Some("assigns")),
        (false, None) => ("fields", None),
        (true, Some(_)) => ("assigns", None),
    };
    let patterns = [
        ("literals", !d.literals.is_empty()),
        ("shape", !d.shape.is_empty()),
        ("regex", !d.regex.is_empty()),
    ];
    let pattern = patterns.iter().find(|(_, there)| *there).map(|(name, _)| *name);
    match other.or(pattern) {
        None => Ok(()),
        Some(other) => {
            Err(format!("has both `{kind}` and `{other}`: make two detectors, one for each"))
        }
    }
}

/// For each place from the anchor on, the bytes that a row would refuse in the escape in which it
/// should see them: the place admits the byte and no backslash, or what follows would stand one byte
/// further.
fn asked_in(row: &Row, anchor: usize) -> [ByteSet; WINDOW] {
    let mut asked = [ByteSet::NONE; WINDOW];
    let mut free = true;
    for place in (anchor..WINDOW).rev() {
        let set = row.window[place];
        if set != ByteSet::ANY && !(set.has(b'\\') && free) {
            asked[place] = set;
        }
        free &= set == ByteSet::ANY;
    }
    asked
}
