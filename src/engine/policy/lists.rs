//! Lists that may be long: what a look-up costs depends on the finding, not on the list, nor on how
//! many entries of the allow-list it belongs to.

use core::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use std::{borrow::Borrow, collections::HashMap};

/// The longest name that DNS has, and its dots.
const LONGEST_DOMAIN: usize = 256;

/// What entries of the allow-list hold, each with the entries that hold it.
struct Table<K> {
    all: HashMap<K, Holders>,
    /// The further entries of what several hold.
    more: Vec<Vec<u16>>,
}

/// The first entry, and where in [`Table::more`] the others are, from 1; 0: there is no other.
#[derive(Clone, Copy)]
struct Holders {
    first: u16,
    more: u32,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { all: HashMap::new(), more: Vec::new() }
    }
}

impl<K: Hash + Eq> Table<K> {
    /// Adds `key` for `entry`; entries come in their order.
    fn add(&mut self, key: K, entry: u16) {
        let holders = self.all.entry(key).or_insert(Holders { first: entry, more: 0 });
        if holders.first == entry {
            return;
        }
        if holders.more == 0 {
            self.more.push(Vec::new());
            holders.more = self.more.len() as u32;
        }
        self.more[holders.more as usize - 1].push(entry);
    }

    /// The first entry among those that `takes` that holds `key`.
    fn first<Q: Hash + Eq + ?Sized>(&self, key: &Q, takes: &dyn Fn(u16) -> bool) -> Option<u16>
    where
        K: Borrow<Q>,
    {
        let holders = self.all.get(key)?;
        let more = (holders.more as usize).checked_sub(1).map_or(&[][..], |at| &self.more[at]);
        core::iter::once(&holders.first).chain(more).copied().find(|&entry| takes(entry))
    }
}

/// Texts, and how long they are.
#[derive(Default)]
pub(super) struct Texts {
    lengths: Vec<usize>,
    table: Table<Box<[u8]>>,
}

impl Texts {
    /// `texts` with the number of the entry of each, in the order of the entries.
    pub(super) fn new<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = (u16, T)>) -> Self {
        let mut table = Table::<Box<[u8]>>::default();
        for (entry, text) in texts {
            table.add(text.as_ref().into(), entry);
        }
        let mut lengths: Vec<_> = table.all.keys().map(|text| text.len()).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Self { lengths, table }
    }

    /// The first entry that has `text`.
    pub(super) fn has(&self, text: &[u8], takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        if self.lengths.is_empty() { None } else { self.table.first(text, takes) }
    }

    /// The first entry of which a text begins `text`.
    pub(super) fn begins(&self, text: &[u8], takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        let starts = self.lengths.iter().filter_map(|&n| text.get(..n));
        starts.filter_map(|start| self.table.first(start, takes)).min()
    }

    /// The first entry of which a text ends `text`.
    pub(super) fn ends(&self, text: &[u8], takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        let starts = self.lengths.iter().filter_map(|&n| text.len().checked_sub(n));
        starts.filter_map(|at| self.table.first(&text[at..], takes)).min()
    }
}

/// Domains, and with each what is below it.
#[derive(Default)]
pub(super) struct Domains(Texts);

impl Domains {
    pub(super) fn new<'a>(domains: impl IntoIterator<Item = (u16, &'a String)>) -> Self {
        Self(Texts::new(domains.into_iter().map(|(n, domain)| (n, domain.to_ascii_lowercase()))))
    }

    /// The first entry of which `host` is a domain, or below one, in any case.
    pub(super) fn have(&self, host: &[u8], takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        if self.0.lengths.is_empty() {
            return None;
        }
        let mut lower = [0; LONGEST_DOMAIN];
        let end = &host[host.len().saturating_sub(LONGEST_DOMAIN)..];
        let whole = end.len() == host.len();
        let lower = &mut lower[..end.len()];
        lower.copy_from_slice(end);
        lower.make_ascii_lowercase();
        let starts = memchr::memchr_iter(b'.', lower).map(|dot| dot + 1);
        let starts = whole.then_some(0).into_iter().chain(starts);
        starts.filter_map(|at| self.0.has(&lower[at..], takes)).min()
    }
}

/// Networks, by how many bits they share.
#[derive(Default)]
pub(super) struct Networks {
    v4: Vec<u32>,
    v6: Vec<u32>,
    table: Table<(IpAddr, u32)>,
}

impl Networks {
    pub(super) fn new(networks: impl IntoIterator<Item = (u16, (IpAddr, u32))>) -> Self {
        let mut table = Table::default();
        for (entry, (address, bits)) in networks {
            table.add((masked(address, bits), bits), entry);
        }
        let bits = |v4: bool| {
            let mut bits: Vec<_> = table
                .all
                .keys()
                .filter(|(a, _)| a.is_ipv4() == v4)
                .map(|(_, bits)| *bits)
                .collect();
            bits.sort_unstable();
            bits.dedup();
            bits
        };
        Self { v4: bits(true), v6: bits(false), table }
    }

    /// The first entry that has what `text` spells.
    pub(super) fn have(&self, text: &[u8], takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        if self.table.all.is_empty() {
            return None;
        }
        let address = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        self.first(address?, takes)
    }

    fn first(&self, address: IpAddr, takes: &dyn Fn(u16) -> bool) -> Option<u16> {
        let (bits, mapped) = match address {
            IpAddr::V4(_) => (&self.v4, None),
            IpAddr::V6(v6) => (&self.v6, v6.to_ipv4_mapped()),
        };
        let own = bits
            .iter()
            .filter_map(|&bits| self.table.first(&(masked(address, bits), bits), takes))
            .min();
        let mapped = mapped.and_then(|v4| self.first(IpAddr::V4(v4), takes));
        own.into_iter().chain(mapped).min()
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
