//! `[[allow]]` and `[[rule]]`: the policy in the file.

use toml::{Spanned, de::DeValue};

use super::{
    Said, Spot,
    choice::{ActionChoice, NumbersChoice},
    keys::{ActionEntry, RingEntry},
    outside::Listed,
    reader::Reader,
    route::RouteEntry,
};
use crate::engine::policy::{check_network, check_regex, segments};

/// Keys of an entry of the allow-list.
const ALLOW: &[&str] = &[
    "name",
    "exact",
    "prefix",
    "suffix",
    "cidr",
    "domain",
    "regex",
    "exact_file",
    "prefix_file",
    "suffix_file",
    "cidr_file",
    "domain_file",
    "detectors",
];
/// Keys of a rule.
const RULE: &[&str] =
    &["name", "detectors", "path", "action", "keep_first", "keep_last", "secrets"];

/// The policy in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    /// The file, as written.
    pub file: String,
    /// The allow-list.
    pub allow: Vec<AllowEntry>,
    /// The rules.
    pub rules: Vec<RuleEntry>,
    /// What numbers are replaced by.
    pub numbers: Option<Said<NumbersChoice>>,
    /// The ids of placeholders that other tools write.
    pub known_placeholders: Option<Vec<Said<String>>>,
    /// The keys for pseudonyms.
    pub keys: Vec<RingEntry>,
    /// Events that are judged by other rules.
    pub routes: Vec<RouteEntry>,
}

/// `[[allow]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowEntry {
    /// Its position.
    pub spot: Spot,
    /// Its name in reports.
    pub name: Option<Said<String>>,
    /// The kinds, in the order of the documentation, each with its values.
    pub kinds: Vec<(&'static str, Vec<Said<String>>)>,
    /// The values from files.
    pub listed: Vec<Listed>,
    /// The detectors that it applies to.
    pub detectors: Vec<Said<String>>,
}

/// `[[rule]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleEntry {
    /// Its position.
    pub spot: Spot,
    /// The name of the rule and its findings in reports.
    pub name: Option<Said<String>>,
    /// The detectors whose findings it applies to.
    pub detectors: Vec<Said<String>>,
    /// The path that it applies to.
    pub path: Option<Said<String>>,
    /// What happens to the findings.
    pub action: ActionEntry,
    /// The number of characters that a mask keeps at the start.
    pub keep_first: Option<Said<u16>>,
    /// The number of characters that a mask keeps at the end.
    pub keep_last: Option<Said<u16>>,
    /// Whether it may keep characters of secrets.
    pub secrets: Option<Said<bool>>,
}

impl AllowEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut name, mut detectors, mut listed) = (None, Vec::new(), Vec::new());
        let (mut kinds, mut allows) = (Vec::new(), false);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = named(r, value),
                "detectors" => detectors = r.one_or_more(value)?,
                word => match ALLOW.iter().find(|known| **known == word) {
                    None => r.unknown(key, ALLOW),
                    Some(known) => {
                        allows = true;
                        match known.strip_suffix("_file") {
                            Some(kind) => {
                                let check = |text: &str| check_unseen(kind, text);
                                listed.extend(r.listed(known, value, check));
                            }
                            None => kinds.push((*known, texts(r, known, value)?)),
                        }
                    }
                },
            }
        }
        let place = |key: &str| ALLOW.iter().position(|known| *known == key);
        kinds.sort_by_key(|(kind, _)| place(kind));
        listed.sort_by_key(|listed| place(listed.key));
        if !allows {
            let kinds = ALLOW[1..ALLOW.len() - 1].join(", ");
            r.complain(spot, format!("this entry allows nothing: add one or more of {kinds}"));
        }
        Some(Self { spot, name, kinds, listed, detectors })
    }

    /// Returns its values of a kind, both from here and from a file.
    pub fn kind(&self, kind: &str) -> Vec<String> {
        let here = self.kinds.iter().filter(|(known, _)| *known == kind);
        let here = here.flat_map(|(_, texts)| texts).map(|said| &said.value);
        let listed = self.listed.iter().filter(|l| l.key.strip_suffix("_file") == Some(kind));
        here.chain(listed.flat_map(|listed| &listed.values)).cloned().collect()
    }
}

/// Reads the values of a kind in the file itself.
fn texts(
    r: &mut Reader<'_>,
    kind: &str,
    value: &Spanned<DeValue<'_>>,
) -> Option<Vec<Said<String>>> {
    let texts = r.one_or_more(value)?;
    for said in &texts {
        let check = if said.secret { check_unseen } else { check };
        if let Err(what) = check(kind, &said.value) {
            r.complain(said.spot, what);
        }
    }
    Some(texts)
}

/// Checks a value of a kind.
fn check(kind: &str, text: &str) -> Result<(), String> {
    match kind {
        "cidr" => check_network(text),
        "regex" => check_regex(text),
        "domain" => match bare(text) {
            bare if bare.len() == text.len() => Ok(()),
            bare => Err(format!("`{text}`: write `{bare}`, which includes its subdomains")),
        },
        _ => Ok(()),
    }
}

/// Returns a domain without the prefix that includes its subdomains.
fn bare(domain: &str) -> &str {
    domain.trim_start_matches(['*', '.', '@'])
}

/// Checks a value that may be a secret or personal data, and does not quote it.
fn check_unseen(kind: &str, text: &str) -> Result<(), String> {
    let spaced = text.trim().len() != text.len();
    match kind {
        "exact" | "cidr" | "domain" if spaced => {
            Err("the value begins or ends with a space, which no finding does: remove the space"
                .into())
        }
        "cidr" => check_network(text)
            .map_err(|_| "not a valid network: write 10.0.0.0/8 or 2001:db8::/32".into()),
        "regex" => check_regex(text).map_err(|_| "not a valid regex".into()),
        "domain" if bare(text).len() != text.len() => Err(
            "write the domain without `*`, `.` or `@` at its start: its subdomains are included"
                .into(),
        ),
        _ => Ok(()),
    }
}

/// Reads a name that can be used as a placeholder.
fn named(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Said<String>> {
    let said = r.text(value)?;
    if !is_id(&said.value) {
        r.complain(said.spot, format!("name `{}`: {ID}", said.value));
    }
    Some(said)
}

/// Reads `known_placeholders`: each item is an id without brackets.
pub(super) fn placeholders(
    r: &mut Reader<'_>,
    value: &Spanned<DeValue<'_>>,
) -> Option<Vec<Said<String>>> {
    let ids = r.texts(value)?;
    for said in ids.iter().filter(|said| !is_id(&said.value)) {
        r.complain(said.spot, format!("expected an id, as in [REDACTED:id]: {ID}"));
    }
    Some(ids)
}

/// The characters of an id.
const ID: &str = "use lower-case letters, digits and `_`, with a letter first";

fn is_id(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain)
}

impl RuleEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut name, mut path, mut action) = (None, None, None);
        let (mut keep_first, mut keep_last, mut secrets) = (None, None, None);
        let (mut detectors, mut chosen) = (Vec::new(), false);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = named(r, value),
                "detectors" => detectors = r.one_or_more(value)?,
                "path" => path = r.text(value),
                "action" => (action, chosen) = (ActionEntry::read(r, value), true),
                "keep_first" => keep_first = r.whole(value, 0..=u16::MAX),
                "keep_last" => keep_last = r.whole(value, 0..=u16::MAX),
                "secrets" => secrets = r.flag(value),
                _ => r.unknown(key, RULE),
            }
        }
        if let Some(said) = &path
            && let Err(what) = segments(&said.value)
        {
            r.complain(said.spot, format!("path `{}`: {what}", said.value));
        }
        if detectors.is_empty() && path.is_none() {
            r.complain(spot, "a rule needs `detectors` or `path`, or both".into());
        }
        if !chosen {
            r.complain(
                spot,
                "`action` is missing: it says what happens to the values that match".into(),
            );
        }
        let action: ActionEntry = action?;
        for (key, said) in [("keep_first", &keep_first), ("keep_last", &keep_last)] {
            if let Some(said) = said.as_ref().filter(|_| !action.is(ActionChoice::Mask)) {
                r.complain(said.spot, format!("`{key}` is only for action = \"mask\""));
            }
        }
        if let Some(said) = secrets.as_ref().filter(|_| !action.is(ActionChoice::Keep)) {
            r.complain(said.spot, "`secrets` is only for action = \"keep\"".into());
        }
        Some(Self { spot, name, detectors, path, action, keep_first, keep_last, secrets })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, outside::Outside};

    fn complaints(text: &str) -> Vec<String> {
        let text = format!("version = 1\n{text}");
        let file = |path: &str| {
            let text: Result<&[u8], _> = match path {
                "addresses" => Ok(b"\xef\xbb\xbfada@b.io\r\n\n \nbob@b.io"),
                "networks" => Ok(b"10.0.0.0/8\n\nsecret/8\n10.0.0.1 \n"),
                "domains" => Ok(b"b.io\n*.secret.io\n"),
                "latin" => Ok(b"a@b.io\n\xe9@b.io\n"),
                _ => Err("no such file or directory".to_owned()),
            };
            (format!("etc/{path}"), text.map(<[u8]>::to_vec))
        };
        let variable = |_: &str| Some("secret".to_owned());
        match Config::parse("t.toml", &text, &Outside { variable: &variable, file: &file }) {
            Ok(_) => vec![],
            Err(all) => all.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_is_sound_is_read() {
        let text = "[[allow]]\nexact = 'a@b.io'\ncidr = ['10.0.0.0/8', '::1']\nname = 'ours'\n\
                    [[rule]]\npath = 'user.*.email'\naction = 'mask'\nkeep_first = 2\n\
                    [[rule]]\ndetectors = 'email'\naction = 'keep'\nsecrets = true\n";
        assert!(complaints(text).is_empty(), "{:?}", complaints(text));
        assert!(complaints("rule = [{ path = 'a', action = 'null' }]").is_empty());
        let text = "[[allow]]\nexact_file = 'addresses'\nexact = 'c@b.io'\n";
        assert!(complaints(text).is_empty(), "{:?}", complaints(text));
    }

    #[test]
    fn what_is_wrong_in_a_list_is_told_with_its_line_and_never_quoted() {
        let text = "[[allow]]\ndomain_file = 'domains'\ncidr_file = 'networks'\n\
                    [[allow]]\nexact_file = 'nowhere'\nprefix_file = 'latin'\n\
                    [[allow]]\ncidr = '${X}'\nnmae = 'x'\n";
        let wanted = [
            "t.toml:6:14: etc/nowhere: no such file or directory",
            "t.toml:9:8: not a valid network: write 10.0.0.0/8 or 2001:db8::/32",
            "t.toml:10:1: unknown key `nmae`: did you mean `name`?",
            "etc/domains:2:1: write the domain without `*`, `.` or `@` at its start: its \
             subdomains are included",
            "etc/latin:2:1: not valid UTF-8: save the file as UTF-8",
            "etc/networks:3:1: not a valid network: write 10.0.0.0/8 or 2001:db8::/32",
            "etc/networks:4:1: the value begins or ends with a space, which no finding does: \
             remove the space",
        ];
        assert_eq!(complaints(text), wanted);
    }

    #[test]
    fn all_errors_are_reported_with_their_place_and_the_fix() {
        for (text, wanted) in [
            (
                "[[allow]]\nexcat = 'x'\nexact = 'x'\n",
                "3:1: unknown key `excat`: did you mean `exact`?",
            ),
            (
                "[[allow]]\ndetectors = 'email'\n",
                "2:1: this entry allows nothing: add one or more of exact,",
            ),
            ("[[allow]]\nprefix = ''\n", "3:10: an empty string would match everything: remove it"),
            ("[[allow]]\nexact = ['a', 7]\n", "3:15: expected a string"),
            ("[[allow]]\nexact = 7\n", "3:9: expected a string or a list of strings"),
            ("[[allow]]\ncidr = ['10.0.0.0/8', '10/8']\n", "3:23: `10/8` is no network: write 10"),
            ("[[allow]]\nregex = '('\n", "3:9: `(` is no regex: unclosed group"),
            (
                "[[allow]]\ndomain = '*.b.io'\n",
                "3:10: `*.b.io`: write `b.io`, which includes its subdomains",
            ),
            ("allow = 'x'\n", "2:9: expected tables: [[allow]]"),
            ("[[rule]]\naction = 'null'\n", "2:1: a rule needs `detectors` or `path`"),
            ("[[rule]]\npath = 'a'\n", "2:1: `action` is missing"),
            (
                "[[rule]]\npath = 'a[*].b'\naction = 'null'\n",
                "3:8: path `a[*].b`: arrays are reached",
            ),
            ("[[rule]]\npath = 'a'\naction = 'hide'\n", "4:10: invalid value `hide`: "),
            (
                "[[rule]]\npath = 'a'\naction = 'nul'\n",
                "4:10: invalid value `nul`: did you mean `null`?",
            ),
            (
                "[[rule]]\npath = 'a'\naction = 'null'\nkeep_last = 4\n",
                "5:13: `keep_last` is only for action = \"mask\"",
            ),
            (
                "[[rule]]\npath = 'a'\naction = 'null'\nsecrets = true\n",
                "5:11: `secrets` is only for action = \"keep\"",
            ),
            (
                "[[rule]]\npath = 'a'\naction = 'null'\nname = 'My rule'\n",
                "5:8: name `My rule`: use lower-case",
            ),
            ("known_placeholders = 'a'\n", "2:22: "),
            (
                "known_placeholders = ['a', '[REDACTED:b]']\n",
                "2:28: expected an id, as in [REDACTED:id]: use lower-case",
            ),
            (
                "[[rule]]\npath = 'a'\naction = 'null'\ndetector = 'email'\n",
                "5:1: unknown key `detector`: did you mean `detectors`?",
            ),
        ] {
            let all = complaints(text);
            assert_eq!(all.len(), 1, "{text}{all:#?}");
            assert!(all[0].starts_with(&format!("t.toml:{wanted}")), "{all:?}\n{wanted}");
        }
    }
}
