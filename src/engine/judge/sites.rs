//! The sites of a walk: which of them a rule takes, and which the detectors judge.

use super::whole::checked;
use super::{Judge, Stop};
use crate::engine::detect::budget::NAME;
use crate::engine::detect::{Finding, Keys, Place, Scratch, is_secret};
use crate::engine::index::{ESCAPE, Mark};
use crate::engine::path::flag;
use crate::engine::path::words::Fields;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::{Kind, Site, Walk, is_other_spelling};

impl Judge {
    /// Judges every site of one walk; findings are places of `buf`.
    #[expect(clippy::too_many_arguments, reason = "an event, or one inside a string of another")]
    pub(super) fn sites(
        &mut self,
        r: &Ruleset,
        buf: &[u8],
        walk: &Walk,
        marks: &[Mark],
        above: Option<&Keys<'_>>,
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<(), Stop> {
        // Up to here everything goes, or becomes `null`.
        let (first, mut gone, mut members) = (out.len(), 0, false);
        for (i, site) in walk.sites.iter().enumerate() {
            let (start, end) = (site.start as usize, site.end as usize);
            let own = &walk.keys[site.path.start as usize..site.path.end as usize];
            let row = walk.row(&r.precedence.globs, site);
            let place = Place {
                text: buf,
                start,
                end,
                number: site.kind == Kind::Number,
                key_of: (site.kind == Kind::Key).then_some(site.container),
                keys: Keys { buf, keys: own, above, row },
            };
            let marks = &marks[site.marks.start as usize..site.marks.end as usize];
            if start < gone {
                checked(&place, marks)?;
                continue;
            }
            if above.is_none() {
                self.at = start;
            }
            let before = out.len();
            self.site(r, &place, walk, i, marks, level, out)?;
            if out.len() == before {
                continue;
            }
            members |= self.whole_fields(site, own.last().copied(), &mut out[before..]);
            if matches!(site.kind, Kind::Object | Kind::Array) {
                gone = end;
            }
            if self.schema && above.is_none() {
                self.unchecked |= self.compares || may_break(site, &out[before..]);
            }
            // What a key says is context for others, what a name says tells of the value beside it.
            let tells = site.kind == Kind::Key || site.flags & (flag::NAME | flag::HEADERS) != 0;
            self.unsettled |= tells;
        }
        if members {
            self.commas(buf, &mut out[first..]);
        }
        Ok(())
    }

    /// Judges one site: by the rules by path, by those by key, by the detectors.
    #[expect(clippy::too_many_arguments, reason = "a site, and where it stands")]
    fn site(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        walk: &Walk,
        i: usize,
        marks: &[Mark],
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<(), Stop> {
        let site = &walk.sites[i];
        // In an array `null` is all that can become of it.
        let element = || p.keys.keys.last().is_none_or(|key| site.container > key.0);
        if site.kind == Kind::Null && element() {
            return Ok(());
        }
        let spoken_of = site.flags & (flag::WHOLE | flag::LOOK) != 0 && site.kind != Kind::Key;
        if spoken_of && self.by_path(r, p, site.kind, marks, level, out)? {
            return Ok(());
        }
        if !matches!(site.kind, Kind::String | Kind::Number | Kind::Key) {
            return Ok(());
        }
        if site.kind != Kind::Key && self.by_keys(r, p, &walk.sites, i, marks, level, out)? {
            return Ok(());
        }
        // An array of numbers needs no escapes to stand in a string.
        let plain = || marks.iter().all(|m| m.id() != ESCAPE);
        let array = site.flags & flag::ELEMENTS != 0
            && site.kind == Kind::String
            && plain()
            && memchr::memchr(b'[', &p.text[p.start..p.end]).is_some();
        if array {
            return self.escaped(r, p, level, out).map_err(|reason| Stop { reason, at: p.start });
        }
        let other = match site.kind {
            Kind::Number => site.flags & flag::OTHER != 0,
            Kind::String => is_other_spelling(p.text, p.start, p.end) && plain(),
            _ => false,
        };
        let judged = match other {
            true => self.number(r, p, marks, level, out),
            false => self.string(r, p, marks, level, true, out),
        };
        judged.map_err(|reason| Stop { reason, at: p.start })
    }

    /// Judges one site by the rules by key that hold its value to be secret. Whether one of them
    /// takes it.
    #[expect(clippy::too_many_arguments, reason = "a site, and where it stands")]
    #[inline]
    fn by_keys(
        &mut self,
        r: &Ruleset,
        p: &Place<'_>,
        sites: &[Site],
        i: usize,
        marks: &[Mark],
        level: usize,
        out: &mut Vec<Finding>,
    ) -> Result<bool, Stop> {
        let flags = sites[i].flags;
        if flags & (flag::SECRET | flag::VALUE | flag::HEADERS) == 0 {
            return Ok(false);
        }
        let sole = r.by_key.len() == 1;
        for (detector, fields) in &r.by_key {
            let Scratch { words, budget, .. } = &mut self.scratch;
            // Where there is one rule by key, the path says that it is about this.
            let secret = flags & flag::SECRET != 0 && (sole || p.keys.name(fields, words, budget))
                || named(fields, p.text, sites, i, &mut self.scratch);
            if secret && self.by_key(r, *detector, p, marks, level, out)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether what becomes of `found` in the value at `site` may break the schema.
fn may_break(site: &Site, found: &[Finding]) -> bool {
    let (start, end) = (site.start as usize, site.end as usize);
    // What reaches beyond a value's content takes its type or its member away.
    let within = found.iter().all(|f| start <= f.start && f.end <= end);
    match site.kind {
        Kind::String if within => site.flags & flag::EXACT != 0,
        Kind::Number if within => site.flags & flag::CHECK != 0,
        _ => true,
    }
}

/// Whether the site's name, of a pair or in an array of headers, is of `fields`: it is the `value`
/// beside a secret's `name`, or stands behind a secret's name among headers.
fn named(fields: &Fields, buf: &[u8], sites: &[Site], i: usize, scratch: &mut Scratch) -> bool {
    let Scratch { words, budget, .. } = scratch;
    let site = &sites[i];
    let mut names = |o: &Site| {
        let raw = &buf[o.start as usize..o.end as usize];
        budget.spend(NAME + raw.len());
        o.kind == Kind::String && is_secret(fields, raw, words)
    };
    if site.flags & flag::VALUE != 0 {
        let near = i.saturating_sub(8)..(i + 9).min(sites.len());
        return sites[near]
            .iter()
            .any(|o| o.container == site.container && o.flags & flag::NAME != 0 && names(o));
    }
    site.flags & flag::HEADERS != 0
        && i > 0
        && sites[i - 1].container == site.container
        && sites[i - 1].flags & flag::HEADERS != 0
        && names(&sites[i - 1])
}
