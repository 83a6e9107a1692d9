//! The allow-list: what is never a finding.

use core::net::IpAddr;
use core::panic::{RefUnwindSafe, UnwindSafe};

use regex_automata::{
    Input, MatchKind, PatternSet, meta,
    util::{pool::Pool, syntax},
};

use super::{
    super::regex::{check_size, parse},
    Allow,
    lists::{Domains, Networks, Texts},
};

/// All entries, compiled into one table for each kind: a look-up costs the same whether the texts
/// stand in one entry or in thousands.
#[derive(Default)]
pub(super) struct AllowList {
    exact: Texts,
    prefix: Texts,
    suffix: Texts,
    networks: Networks,
    domains: Domains,
    regexes: Option<Regexes>,
    entries: usize,
}

/// The regexes of all entries, and the entry of each.
struct Regexes {
    all: meta::Regex,
    of: Vec<u16>,
    /// Sets of matches, reused: a look-up allocates nothing.
    sets: Pool<PatternSet, NewSet>,
}

type NewSet = Box<dyn Fn() -> PatternSet + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// What is wrong with a network as `cidr` wants it.
pub fn check_network(text: &str) -> Result<(), String> {
    network(text).map(|_| ())
}

/// What is wrong with a regex as `regex` wants it.
pub fn check_regex(text: &str) -> Result<(), String> {
    regex(text).map(|_| ())
}

fn network(text: &str) -> Result<(IpAddr, u32), String> {
    let wrong = || format!("`{text}` is no network: write 10.0.0.0/8 or 2001:db8::/32");
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
    if bits > most {
        return Err(wrong());
    }
    Ok((address, bits))
}

/// `text` as a regex over all of a finding, if it is one.
fn regex(text: &str) -> Result<String, String> {
    // By itself first: `a)(b` is none, though it would be one inside the group.
    let whole = format!("^(?:{text})$");
    for regex in [text, &whole] {
        parse(regex)
            .and_then(|hir| check_size(&hir))
            .map_err(|why| format!("`{text}` is no regex: {why}"))?;
    }
    Ok(whole)
}

fn builder() -> meta::Builder {
    let mut builder = meta::Builder::new();
    builder.syntax(syntax::Config::new().unicode(false).utf8(false));
    builder
}

impl Regexes {
    fn new(regexes: Vec<(u16, String)>) -> Result<Option<Self>, String> {
        if regexes.is_empty() {
            return Ok(None);
        }
        let (of, regexes): (Vec<_>, Vec<_>) = regexes.into_iter().unzip();
        // Each is small enough by itself; how many there are is the user's choice.
        let config = meta::Config::new().nfa_size_limit(None).match_kind(MatchKind::All);
        let all = builder().configure(config).build_many(&regexes).map_err(|e| e.to_string())?;
        let patterns = of.len();
        let sets: Pool<_, NewSet> = Pool::new(Box::new(move || PatternSet::new(patterns)));
        Ok(Some(Self { all, of, sets }))
    }

    fn first(&self, text: &[u8], takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        let mut matched = self.sets.get();
        matched.clear();
        self.all.which_overlapping_matches(&Input::new(text), &mut matched);
        let entries = matched.iter().map(|regex| self.of[regex.as_usize()]);
        entries.filter(|&entry| takes(entry)).min()
    }
}

impl AllowList {
    /// Compiles the entries; the one that cannot be, and why.
    pub(super) fn new(entries: &[Allow]) -> Result<Self, (String, String)> {
        let (mut networks, mut regexes) = (Vec::new(), Vec::new());
        for (number, allow) in (0..).zip(entries) {
            let wrong = |what| (allow.label.clone(), what);
            for text in &allow.cidr {
                networks.push((number, network(text).map_err(wrong)?));
            }
            for text in &allow.regex {
                regexes.push((number, regex(text).map_err(wrong)?));
            }
        }
        let label = || entries.first().map_or_else(String::new, |allow| allow.label.clone());
        Ok(Self {
            exact: Texts::new(numbered(entries, |allow| &allow.exact)),
            prefix: Texts::new(numbered(entries, |allow| &allow.prefix)),
            suffix: Texts::new(numbered(entries, |allow| &allow.suffix)),
            networks: Networks::new(networks),
            domains: Domains::new(numbered(entries, |allow| &allow.domain)),
            regexes: Regexes::new(regexes).map_err(|what| (label(), what))?,
            entries: entries.len(),
        })
    }

    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries
    }

    /// The first entry, among those that `takes`, that has the finding `text`, a part of `matched`.
    pub(super) fn first(
        &self,
        matched: &[u8],
        text: &[u8],
        takes: &dyn Fn(u16) -> bool,
    ) -> Option<u16> {
        [
            self.exact.has(text, takes),
            self.prefix.begins(text, takes),
            self.suffix.ends(text, takes),
            self.networks.have(text, takes),
            self.domains.have(host(matched), takes),
            self.regexes.as_ref().and_then(|regexes| regexes.first(text, takes)),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

/// The texts of a kind, each with the number of its entry.
fn numbered<'a>(
    entries: &'a [Allow],
    kind: impl Fn(&'a Allow) -> &'a Vec<String>,
) -> impl Iterator<Item = (u16, &'a String)> {
    let all = (0..).zip(entries);
    all.flat_map(move |(number, allow)| kind(allow).iter().map(move |text| (number, text)))
}

/// What stands behind the last `@`, without a port or a path.
fn host(matched: &[u8]) -> &[u8] {
    let host = memchr::memrchr(b'@', matched).map_or(matched, |at| &matched[at + 1..]);
    let end = host.iter().position(|b| b":/?#".contains(b)).unwrap_or(host.len());
    &host[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(allow: &Allow, text: &str) -> bool {
        let list = AllowList::new(std::slice::from_ref(allow)).unwrap();
        list.first(text.as_bytes(), text.as_bytes(), &|_| true).is_some()
    }

    #[test]
    fn each_kind_has_what_it_says() {
        let one = |text: &str| vec![text.to_owned()];
        for (allow, inside, outside) in [
            (Allow { exact: one("a@b.io"), ..Allow::default() }, "a@b.io", "aa@b.io"),
            (Allow { prefix: one("test-"), ..Allow::default() }, "test-x", "a test-x"),
            (Allow { suffix: one("@b.io"), ..Allow::default() }, "a@b.io", "a@b.io.org"),
            (Allow { cidr: one("8.8.0.0/16"), ..Allow::default() }, "8.8.4.4", "8.9.0.1"),
            (Allow { cidr: one("8.8.4.4"), ..Allow::default() }, "8.8.4.4", "8.8.4.5"),
            (Allow { cidr: one("0.0.0.0/0"), ..Allow::default() }, "8.8.4.4", "2001:db8::1"),
            (
                Allow { cidr: one("2001:db8::/32"), ..Allow::default() },
                "2001:db8:1::",
                "2001:db9::",
            ),
            (Allow { cidr: one("8.8.0.0/16"), ..Allow::default() }, "::ffff:8.8.4.4", "::1"),
            (Allow { domain: one("b.io"), ..Allow::default() }, "a@B.io", "a@xb.io"),
            (Allow { domain: one("b.io"), ..Allow::default() }, "a@mail.b.io", "b.io@c.io"),
            (Allow { domain: one("b.io"), ..Allow::default() }, "pg://u:p@b.io:5432/x", "b.io.org"),
            (Allow { cidr: one("::/0"), ..Allow::default() }, "2001:db8::1", "8.8.4.4"),
            (Allow { domain: one("B.io"), ..Allow::default() }, "a@b.io", "a@b.i"),
            (Allow { regex: one("a|b"), ..Allow::default() }, "b", "ab"),
        ] {
            assert!(has(&allow, inside) && !has(&allow, outside), "{allow:?}");
        }
    }

    /// Several entries hold a text in several ways: the first one that is for the detector decides.
    #[test]
    fn the_first_entry_that_is_asked_decides() {
        let one = |text: &str| vec![text.to_owned()];
        let list = AllowList::new(&[
            Allow { domain: one("b.io"), ..Allow::default() },
            Allow { regex: vec!["x".into(), "a@.*".into()], ..Allow::default() },
            Allow { exact: one("a@b.io"), ..Allow::default() },
            Allow { exact: one("a@b.io"), prefix: one("a@"), ..Allow::default() },
            Allow { suffix: one(".io"), exact: one("a@b.io"), ..Allow::default() },
        ])
        .unwrap();
        let first = |from: u16| list.first(b"a@b.io", b"a@b.io", &|entry| entry >= from);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(first),
            [Some(0), Some(1), Some(2), Some(3), Some(4), None]
        );
    }

    /// Thousands of entries, each with a regex and a text.
    #[test]
    fn many_entries_are_one_table() {
        let entry = |i: usize| Allow {
            exact: vec![format!("user{i}@b.io")],
            regex: vec![format!("job-{i}-[0-9]+")],
            ..Allow::default()
        };
        let entries: Vec<_> = (0..2000).map(entry).collect();
        let list = AllowList::new(&entries).unwrap();
        let first = |text: &[u8]| list.first(text, text, &|_| true);
        assert_eq!(first(b"user1999@b.io"), Some(1999));
        assert_eq!(first(b"job-77-5"), Some(77));
        assert_eq!(first(b"job-2000-5"), None);
    }

    #[test]
    fn what_is_wrong_is_told() {
        for text in ["10.0.0.0/33", "10.0.0/8", "x", "::/129", "10.0.0.0/", ""] {
            assert!(check_network(text).unwrap_err().contains("write 10.0.0.0/8"), "{text}");
        }
        for text in ["(", "a)(b", "[z-a]"] {
            let what = check_regex(text).unwrap_err();
            assert!(what.contains("is no regex: ") && !what.contains('\n'), "{what}");
        }
    }
}
