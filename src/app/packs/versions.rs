//! Versions of the built-in packs: which one a pin selects, and what a newer one would change.

use crate::engine::detect::{Pack, pack::Detector};

/// Returns the pack as a configuration pins it: `core@1`.
pub(crate) fn name(pack: &Pack) -> String {
    format!("{}@{}", pack.pack, pack.version)
}

/// Returns the newest version of each pack, in the order of `all`.
pub(crate) fn newest(all: &[Pack]) -> Vec<&Pack> {
    let newer = |pack: &Pack, other: &Pack| other.pack == pack.pack && other.version > pack.version;
    all.iter().filter(|pack| !all.iter().any(|other| newer(pack, other))).collect()
}

/// Interprets an entry of `patterns` in a configuration: the pin of one of `all`, which are built
/// in, or `None` for a path. The error contains the fix.
pub(crate) fn pin(all: &[Pack], entry: &str) -> Result<Option<String>, String> {
    let (wanted, version) = entry.split_once('@').map_or((entry, None), |(p, v)| (p, Some(v)));
    let mut known: Vec<_> = all.iter().filter(|pack| pack.pack == wanted).collect();
    known.sort_by_key(|pack| pack.version);
    let Some(last) = known.last() else { return Ok(None) };
    if known.iter().any(|pack| name(pack) == entry) {
        return Ok(Some(entry.to_owned()));
    }
    Err(match version {
        None => format!("`{entry}` names no version: write \"{}\"", name(last)),
        Some(_) => {
            let names: Vec<_> = known.iter().map(|pack| name(pack)).collect();
            format!("this version of Tamis has no {entry}: it has {}", names.join(", "))
        }
    })
}

/// Describes what the newest packs would change for a user who pins `pinned`, one line per pack.
pub(crate) fn news(all: &[Pack], pinned: &[String]) -> Vec<String> {
    let older = all.iter().filter(|pack| pinned.contains(&name(pack)));
    let pairs = older.filter_map(|old| {
        let new = newest(all).into_iter().find(|new| new.pack == old.pack)?;
        (new.version > old.version).then_some((old, new))
    });
    pairs
        .map(|(old, new)| {
            let changes: Vec<_> = changes(old, new)
                .into_iter()
                .filter(|(_, ids)| !ids.is_empty())
                .map(|(what, ids)| format!("{what} {}", ids.join(", ")))
                .collect();
            let changes =
                if changes.is_empty() { "changes no detector".into() } else { changes.join("; ") };
            format!("{} instead of {} {changes}", name(new), name(old))
        })
        .collect()
}

/// Returns the detectors that a newer version adds, changes and drops.
fn changes<'a>(old: &'a Pack, new: &'a Pack) -> [(&'static str, Vec<&'a str>); 3] {
    let find = |pack: &'a Pack, id: &str| pack.detectors.iter().find(|d| d.id == id);
    let ids = |pack: &'a Pack, wanted: &dyn Fn(&Detector) -> bool| {
        pack.detectors.iter().filter(|d| wanted(d)).map(|d| d.id.as_str()).collect()
    };
    [
        ("adds", ids(new, &|d| find(old, &d.id).is_none())),
        ("changes", ids(new, &|d| find(old, &d.id).is_some_and(|o| decides(o) != decides(d)))),
        ("drops", ids(old, &|d| find(new, &d.id).is_none())),
    ]
}

/// Returns a detector without the fields that do not affect detection.
fn decides(d: &Detector) -> Detector {
    let d = d.clone();
    Detector { description: String::new(), references: vec![], tests: vec![], ..d }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(version: u32, detectors: &[(&str, &str)]) -> Pack {
        let mut text = format!("pack = \"core\"\nversion = {version}\n");
        for (id, regex) in detectors {
            text.push_str(&format!(
                "[[detector]]\nid = \"{id}\"\ncategory = \"contact\"\n\
                 description = \"of version {version}\"\nregex = '{regex}'\n"
            ));
        }
        Pack::parse("core.toml", &text).unwrap()
    }

    fn all() -> Vec<Pack> {
        let (first, second) =
            ([("a", "x"), ("b", "x"), ("c", "x")], [("a", "x"), ("b", "y"), ("d", "x")]);
        let mut other = pack(4, &[]);
        other.pack = "other".into();
        vec![pack(1, &first), pack(2, &second), other]
    }

    #[test]
    fn a_pin_means_the_version_that_it_says() {
        let all = all();
        assert_eq!(newest(&all).iter().map(|p| name(p)).collect::<Vec<_>>(), ["core@2", "other@4"]);
        for (entry, wanted) in [
            ("core@1", Ok(Some("core@1".into()))),
            ("core@2", Ok(Some("core@2".into()))),
            ("mine.toml", Ok(None)),
            ("core@3", Err("this version of Tamis has no core@3: it has core@1, core@2".into())),
            ("core", Err("`core` names no version: write \"core@2\"".into())),
        ] {
            assert_eq!(pin(&all, entry), wanted);
        }
    }

    #[test]
    fn what_a_newer_pack_would_change() {
        let all = all();
        let pinned = |pin: &str| news(&all, &[pin.to_owned(), "other@4".to_owned()]);
        assert_eq!(pinned("core@1"), ["core@2 instead of core@1 adds d; changes b; drops c"]);
        assert!(pinned("core@2").is_empty());
        let same = [pack(1, &[("a", "x")]), pack(2, &[("a", "x")])];
        assert_eq!(
            news(&same, &["core@1".into()]),
            ["core@2 instead of core@1 changes no detector"]
        );
    }
}
