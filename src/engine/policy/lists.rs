//! Lists that may be long: what a look-up costs depends on the finding, not on the list.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::HashSet;

/// The longest name that DNS has, and its dots.
const LONGEST_DOMAIN: usize = 256;

/// Texts, and how long they are.
#[derive(Default)]
pub(super) struct Texts {
    lengths: Vec<usize>,
    all: HashSet<Box<[u8]>>,
}

impl Texts {
    pub(super) fn new<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Self {
        let all: HashSet<Box<[u8]>> = texts.into_iter().map(|text| text.as_ref().into()).collect();
        let mut lengths: Vec<_> = all.iter().map(|text| text.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { lengths, all }
    }

    pub(super) fn has(&self, text: &[u8]) -> bool {
        !self.all.is_empty() && self.all.contains(text)
    }

    /// Whether one of them begins `text`.
    pub(super) fn begins(&self, text: &[u8]) -> bool {
        self.lengths.iter().filter_map(|&n| text.get(..n)).any(|start| self.all.contains(start))
    }

    /// Whether one of them ends `text`.
    pub(super) fn ends(&self, text: &[u8]) -> bool {
        let starts = self.lengths.iter().filter_map(|&n| text.len().checked_sub(n));
        starts.map(|at| &text[at..]).any(|end| self.all.contains(end))
    }
}

/// Domains, and with each what is below it.
#[derive(Default)]
pub(super) struct Domains(Texts);

impl Domains {
    pub(super) fn new(domains: &[String]) -> Self {
        Self(Texts::new(domains.iter().map(|domain| domain.to_ascii_lowercase())))
    }

    /// Whether `host` is one of them, or below one, in any case.
    pub(super) fn have(&self, host: &[u8]) -> bool {
        if self.0.all.is_empty() {
            return false;
        }
        let mut lower = [0; LONGEST_DOMAIN];
        let end = &host[host.len().saturating_sub(LONGEST_DOMAIN)..];
        let whole = end.len() == host.len();
        let lower = &mut lower[..end.len()];
        lower.copy_from_slice(end);
        lower.make_ascii_lowercase();
        let starts = memchr::memchr_iter(b'.', lower).map(|dot| dot + 1);
        (whole.then_some(0).into_iter().chain(starts)).any(|at| self.0.has(&lower[at..]))
    }
}

/// Networks, by how many bits they share.
#[derive(Default)]
pub(super) struct Networks {
    v4: Vec<u32>,
    v6: Vec<u32>,
    all: HashSet<(IpAddr, u32)>,
}

impl Networks {
    pub(super) fn new(networks: impl IntoIterator<Item = (IpAddr, u32)>) -> Self {
        let all: HashSet<_> =
            networks.into_iter().map(|(address, bits)| (masked(address, bits), bits)).collect();
        let bits = |v4: bool| {
            let mut bits: Vec<_> =
                all.iter().filter(|(a, _)| a.is_ipv4() == v4).map(|(_, bits)| *bits).collect();
            bits.sort_unstable();
            bits.dedup();
            bits
        };
        Self { v4: bits(true), v6: bits(false), all }
    }

    /// Whether one has what `text` spells.
    pub(super) fn have(&self, text: &[u8]) -> bool {
        if self.all.is_empty() {
            return false;
        }
        let address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        address.is_some_and(|address| self.has(address))
    }

    fn has(&self, address: IpAddr) -> bool {
        let (bits, mapped) = match address {
            IpAddr::V4(_) => (&self.v4, None),
            IpAddr::V6(v6) => (&self.v6, v6.to_ipv4_mapped()),
        };
        bits.iter().any(|&bits| self.all.contains(&(masked(address, bits), bits)))
            || mapped.is_some_and(|v4| self.has(IpAddr::V4(v4)))
    }
}

/// An address with only its first bits.
fn masked(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}
