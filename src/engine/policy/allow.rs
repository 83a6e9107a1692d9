//! The allow-list: what is never a finding.

use core::net::IpAddr;

use regex_automata::{meta, util::syntax};

use super::{
    Allow,
    lists::{Domains, Networks, Texts},
};

/// An entry, compiled.
pub(super) struct Entry {
    exact: Texts,
    prefix: Texts,
    suffix: Texts,
    networks: Networks,
    domains: Domains,
    regexes: Vec<meta::Regex>,
}

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

fn regex(text: &str) -> Result<meta::Regex, String> {
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    // By itself first: `a)(b` is none, though it would be one inside the group.
    for whole in [text.to_owned(), format!("^(?:{text})$")] {
        let built = meta::Builder::new().syntax(syntax).build(&whole);
        match built {
            Ok(built) if whole != text => return Ok(built),
            Ok(_) => {}
            Err(error) => {
                let why = error.syntax_error().map_or_else(|| error.to_string(), |e| e.to_string());
                let why = why.lines().last().unwrap_or_default().trim_start_matches("error: ");
                return Err(format!("`{text}` is no regex: {why}"));
            }
        }
    }
    Err(format!("`{text}` is no regex"))
}

impl Entry {
    pub(super) fn new(allow: &Allow) -> Result<Self, String> {
        let networks: Vec<_> = allow.cidr.iter().map(|t| network(t)).collect::<Result<_, _>>()?;
        Ok(Self {
            exact: Texts::new(&allow.exact),
            prefix: Texts::new(&allow.prefix),
            suffix: Texts::new(&allow.suffix),
            networks: Networks::new(networks),
            domains: Domains::new(&allow.domain),
            regexes: allow.regex.iter().map(|t| regex(t)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it has the finding `text`, a part of `matched`.
    pub(super) fn has(&self, matched: &[u8], text: &[u8]) -> bool {
        self.exact.has(text)
            || self.prefix.begins(text)
            || self.suffix.ends(text)
            || self.networks.have(text)
            || self.domains.have(host(matched))
            || self.regexes.iter().any(|r| r.is_match(text))
    }
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
        Entry::new(allow).unwrap().has(text.as_bytes(), text.as_bytes())
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
