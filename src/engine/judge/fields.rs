//! Fields that become `null` or go, for what was found in them.

use super::Judge;
use crate::engine::detect::{Finding, With};
use crate::engine::redact::members;
use crate::engine::walk::{Kind, Site};

impl Judge {
    /// The findings in the field at `site` that are for the whole of it become so. `key` is the
    /// last one above the value: its own, or that of the array it stands in. Whether it goes, and
    /// its comma has to.
    #[inline(never)]
    pub(super) fn whole_fields(
        &mut self,
        site: &Site,
        key: Option<(u32, u32)>,
        found: &mut [Finding],
    ) -> bool {
        let mut goes = false;
        let whole =
            found.iter_mut().filter(|f| matches!(f.with, With::FieldNull | With::FieldGone));
        for f in whole {
            let quote = usize::from(site.kind == Kind::String);
            let (start, end) = (site.start as usize - quote, site.end as usize + quote);
            // In an array the places of the others stay.
            let own = key.filter(|key| site.container <= key.0);
            (f.start, f.end, f.with) = match (f.with, own) {
                (With::FieldGone, Some((from, _))) => (from as usize - 1, end, With::Member),
                _ => (start, end, With::Null),
            };
            f.matched = (f.start, f.end);
            // What stood behind it stands elsewhere now.
            self.unsettled = true;
            goes |= f.with == With::Member;
        }
        goes
    }

    /// The members among `found` that go do so with their commas; `json` is where they stand. (Those
    /// of JSON inside a string have done so there.)
    #[cold]
    pub(super) fn commas(&mut self, json: &[u8], found: &mut [Finding]) {
        let mut members = std::mem::take(&mut self.members);
        members.clear();
        let gone = |f: &&mut Finding| f.with == With::Member;
        members.extend(found.iter_mut().filter(gone).map(|f| (f.start, f.end)));
        if !members.is_empty() {
            // Several findings may have taken one field.
            members.sort_unstable();
            members.dedup();
            self.ends.clear();
            self.ends.extend(members.iter().map(|m| m.1));
            members::deletions(json, &mut members);
            for f in found.iter_mut().filter(gone) {
                if let Ok(at) = self.ends.binary_search(&f.end) {
                    (f.start, f.end) = members[at];
                    (f.matched, f.with) = (members[at], With::Nothing);
                }
            }
        }
        self.members = members;
    }
}
