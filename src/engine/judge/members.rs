//! Fields that become `null` or are removed, for what was found in them.

use crate::engine::detect::{Finding, With};
use crate::engine::memory;
use crate::engine::path::flag;
use crate::engine::redact::members;
use crate::engine::walk::{Kind, Site};

/// Scratch space for the members that are removed.
#[derive(Default)]
pub(super) struct Members {
    members: Vec<(usize, usize)>,
    ends: Vec<usize>,
}

/// What becomes of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fields {
    /// They stay.
    Stay,
    /// One becomes `null`.
    Null,
    /// One is removed, and its comma has to be.
    Gone,
}

/// The findings in the field at `site` that are for the whole of it become so. `key` is the last one
/// above the value: its own, or that of the array that it is in.
#[inline(never)]
pub(super) fn whole_fields(site: &Site, key: Option<(u32, u32)>, found: &mut [Finding]) -> Fields {
    let mut fate = Fields::Stay;
    for f in found.iter_mut().filter(|f| matches!(f.with, With::FieldNull | With::FieldGone)) {
        let quote = usize::from(site.kind == Kind::String);
        let (start, end) = (site.start as usize - quote, site.end as usize + quote);
        // In an array the places of the others stay.
        let own = key.filter(|key| site.container <= key.0);
        (f.start, f.end, f.with) = match (f.with, own) {
            (With::FieldGone, Some((from, _))) => (from as usize - 1, end, With::Member),
            _ => (start, end, With::Null),
        };
        f.matched = (f.start, f.end);
        fate = fate.max(if f.with == With::Member { Fields::Gone } else { Fields::Null });
    }
    fate
}

impl Members {
    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        memory::of(&self.members) + memory::of(&self.ends)
    }

    /// Removes the members among `found` with their commas; `json` is where they are. (Those of JSON
    /// inside a string were removed there.)
    #[cold]
    pub(super) fn remove(&mut self, json: &[u8], found: &mut [Finding]) {
        let Self { members, ends } = self;
        members.clear();
        let gone = |f: &&mut Finding| f.with == With::Member;
        members.extend(found.iter_mut().filter(gone).map(|f| (f.start, f.end)));
        if members.is_empty() {
            return;
        }
        // Several findings may have taken one field.
        members.sort_unstable();
        members.dedup();
        ends.clear();
        ends.extend(members.iter().map(|m| m.1));
        members::deletions(json, members);
        for f in found.iter_mut().filter(gone) {
            if let Ok(at) = ends.binary_search(&f.end) {
                (f.start, f.end) = members[at];
                (f.matched, f.with) = (members[at], With::Nothing);
            }
        }
    }
}

/// Whether what becomes of `found` in the value at `site` may break the schema.
pub(super) fn may_break(site: &Site, found: &[Finding]) -> bool {
    let (start, end) = (site.start as usize, site.end as usize);
    // What reaches beyond a value's content takes its type or its member away.
    let within = found.iter().all(|f| start <= f.start && f.end <= end);
    match site.kind {
        Kind::String if within => site.flags & flag::EXACT != 0,
        Kind::Number if within => site.flags & flag::CHECK != 0,
        _ => true,
    }
}
