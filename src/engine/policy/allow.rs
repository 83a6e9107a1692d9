//! The allow-list: what is never a finding.

use core::net::IpAddr;

use regex_automata::{meta, util::syntax};

use super::Allow;

/// An entry, compiled.
pub(super) struct Entry {
    exact: Vec<Vec<u8>>,
    prefix: Vec<Vec<u8>>,
    suffix: Vec<Vec<u8>>,
    networks: Vec<Network>,
    domains: Vec<String>,
    regexes: Vec<meta::Regex>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

/// What is wrong with a network as `cidr` wants it.
pub fn check_network(text: &str) -> Result<(), String> {
    network(text).map(|_| ())
}

/// What is wrong with a regex as `regex` wants it.
pub fn check_regex(text: &str) -> Result<(), String> {
    regex(text).map(|_| ())
}

fn network(text: &str) -> Result<Network, String> {
    let wrong = || format!("`{text}` is no network: write 10.0.0.0/8 or 2001:db8::/32");
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| wrong()))?;
    if bits > most {
        return Err(wrong());
    }
    Ok(Network { address, bits })
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

impl Network {
    fn has(self, address: IpAddr) -> bool {
        let shared = |differ: u128, width: u32| differ.checked_shr(width - self.bits) == Some(0);
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                self.bits == 0 || shared(u128::from(a.to_bits() ^ b.to_bits()), 32)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                self.bits == 0 || shared(a.to_bits() ^ b.to_bits(), 128)
            }
            (IpAddr::V4(_), IpAddr::V6(b)) => {
                b.to_ipv4_mapped().is_some_and(|b| self.has(IpAddr::V4(b)))
            }
            (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl Entry {
    pub(super) fn new(allow: &Allow) -> Result<Self, String> {
        let bytes = |all: &[String]| all.iter().map(|t| t.as_bytes().to_vec()).collect();
        Ok(Self {
            exact: bytes(&allow.exact),
            prefix: bytes(&allow.prefix),
            suffix: bytes(&allow.suffix),
            networks: allow.cidr.iter().map(|t| network(t)).collect::<Result<_, _>>()?,
            domains: allow.domain.clone(),
            regexes: allow.regex.iter().map(|t| regex(t)).collect::<Result<_, _>>()?,
        })
    }

    /// Whether it has the finding `text`, a part of `matched`.
    pub(super) fn has(&self, matched: &[u8], text: &[u8]) -> bool {
        self.exact.iter().any(|t| t == text)
            || self.prefix.iter().any(|t| text.starts_with(t))
            || self.suffix.iter().any(|t| text.ends_with(t))
            || self.in_network(text)
            || self.in_domain(matched)
            || self.regexes.iter().any(|r| r.is_match(text))
    }

    fn in_network(&self, text: &[u8]) -> bool {
        if self.networks.is_empty() {
            return false;
        }
        let address = std::str::from_utf8(text).ok().and_then(|t| t.parse().ok());
        address.is_some_and(|address| self.networks.iter().any(|n| n.has(address)))
    }

    fn in_domain(&self, matched: &[u8]) -> bool {
        let host = memchr::memrchr(b'@', matched).map_or(matched, |at| &matched[at + 1..]);
        let end = host.iter().position(|b| b":/?#".contains(b)).unwrap_or(host.len());
        let host = &host[..end];
        self.domains.iter().any(|domain| {
            let Some(cut) = host.len().checked_sub(domain.len()) else { return false };
            host[cut..].eq_ignore_ascii_case(domain.as_bytes())
                && (cut == 0 || host[cut - 1] == b'.')
        })
    }
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
