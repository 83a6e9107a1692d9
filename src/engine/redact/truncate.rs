//! IP addresses with their host part zeroed: /24 for IPv4, /48 for IPv6.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::fmt::{self, Write};

/// An address of which only the network is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address {
    network: IpAddr,
    /// There was no host part to zero.
    was_network: bool,
}

/// An IPv4 address in four decimal parts, without leading zeros; the standard library's parser
/// reads any kind of address, and takes five times as long.
pub(crate) fn ipv4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut parts = text.split(|&b| b == b'.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || part.len() > 3 || (part.len() > 1 && part[0] == b'0') {
            return None;
        }
        let mut n = 0u16;
        for &b in part {
            if !b.is_ascii_digit() {
                return None;
            }
            n = n * 10 + u16::from(b - b'0');
        }
        *octet = u8::try_from(n).ok()?;
    }
    parts.next().is_none().then(|| Ipv4Addr::from(octets))
}

/// An IPv6 address in any spelling of RFC 4291, section 2.2, without a zone. The standard library's
/// parser tries an IPv4 address at each group, which took a tenth of the time on a flood of addresses.
pub(crate) fn ipv6(text: &[u8]) -> Option<Ipv6Addr> {
    let (mut groups, mut n, mut gap) = ([0u16; 8], 0, None);
    let mut rest = text;
    if let Some(behind) = rest.strip_prefix(b"::") {
        (rest, gap) = (behind, Some(0));
    }
    while !rest.is_empty() {
        let (mut group, mut digits) = (0u32, 0);
        while let Some(digit) = rest.get(digits).and_then(|&b| char::from(b).to_digit(16)) {
            (group, digits) = (group << 4 | digit, digits + 1);
            if digits > 4 {
                return None;
            }
        }
        if rest.get(digits) == Some(&b'.') {
            let [a, b, c, d] = ipv4(rest)?.octets();
            *groups.get_mut(n)? = u16::from_be_bytes([a, b]);
            *groups.get_mut(n + 1)? = u16::from_be_bytes([c, d]);
            n += 2;
            break;
        }
        if digits == 0 {
            return None;
        }
        *groups.get_mut(n)? = group as u16;
        n += 1;
        rest = &rest[digits..];
        match rest {
            [] => break,
            [b':', b':', behind @ ..] if gap.is_none() => (rest, gap) = (behind, Some(n)),
            [b':', behind @ ..] if !behind.is_empty() => rest = behind,
            _ => return None,
        }
    }
    match gap {
        // A gap stands for one group at least.
        Some(gap) if n < 8 => {
            groups[gap..].rotate_right(8 - n);
            Some(Ipv6Addr::from(groups))
        }
        None if n == 8 => Some(Ipv6Addr::from(groups)),
        _ => None,
    }
}

impl Address {
    /// Whether `text` is the address already.
    pub(crate) fn equals(self, text: &[u8]) -> bool {
        if !self.was_network {
            return false;
        }
        struct Compare<'a>(&'a [u8], bool);
        impl Write for Compare<'_> {
            fn write_str(&mut self, s: &str) -> fmt::Result {
                match self.0.strip_prefix(s.as_bytes()) {
                    Some(rest) => self.0 = rest,
                    None => self.1 = false,
                }
                Ok(())
            }
        }
        let mut c = Compare(text, true);
        // Writing to a `Compare` does not fail.
        let _ = write!(c, "{}", self.network);
        c.1 && c.0.is_empty()
    }

    pub(crate) fn is_v4(self) -> bool {
        self.network.is_ipv4()
    }

    pub(crate) fn append(self, out: &mut Vec<u8>) {
        struct Bytes<'a>(&'a mut Vec<u8>);
        impl Write for Bytes<'_> {
            fn write_str(&mut self, s: &str) -> fmt::Result {
                self.0.extend_from_slice(s.as_bytes());
                Ok(())
            }
        }
        let mut text = Text { bytes: [0; 48], len: 0 };
        if let IpAddr::V4(a) = self.network {
            let [x, y, z, w] = a.octets();
            for (n, end) in [(x, b'.'), (y, b'.'), (z, b'.'), (w, b' ')] {
                text.decimal(n);
                text.push(end);
            }
            return out.extend_from_slice(&text.bytes[..text.len - 1]);
        }
        if let IpAddr::V6(a) = self.network
            && a.to_ipv4_mapped().is_none()
            && a.segments()[0] != 0
        {
            text.network_v6(a.segments());
            return out.extend_from_slice(&text.bytes[..text.len]);
        }
        // Writing to a vector does not fail.
        let _ = write!(Bytes(out), "{}", self.network);
    }
}

/// The network of the address in `text`; `None` if it is none (a zone id, say).
pub(crate) fn address(text: &[u8]) -> Option<Address> {
    let address =
        if text.contains(&b':') { IpAddr::V6(ipv6(text)?) } else { IpAddr::V4(ipv4(text)?) };
    let network = match address {
        IpAddr::V4(a) => IpAddr::V4(network_v4(a)),
        IpAddr::V6(a) => IpAddr::V6(match a.to_ipv4_mapped() {
            Some(v4) => network_v4(v4).to_ipv6_mapped(),
            None => {
                let s = a.segments();
                Ipv6Addr::new(s[0], s[1], s[2], 0, 0, 0, 0, 0)
            }
        }),
    };
    Some(Address { network, was_network: network == address })
}

/// An address that is being written: byte by byte into a vector took a twentieth of the time on a
/// flood of addresses.
struct Text {
    bytes: [u8; 48],
    len: usize,
}

impl Text {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// A /48 that does not begin with a zero group, as RFC 5952 writes it.
    fn network_v6(&mut self, groups: [u16; 8]) {
        let kept = groups.iter().rposition(|&group| group != 0).map_or(0, |last| last + 1);
        for group in &groups[..kept] {
            let digits = (4 - group.leading_zeros() / 4).max(1);
            for place in (0..digits).rev() {
                let digit = group >> (4 * place) & 15;
                self.push(b"0123456789abcdef"[usize::from(digit)]);
            }
            self.push(b':');
        }
        self.push(b':');
    }

    fn decimal(&mut self, n: u8) {
        if n >= 100 {
            self.push(b'0' + n / 100);
        }
        if n >= 10 {
            self.push(b'0' + n / 10 % 10);
        }
        self.push(b'0' + n % 10);
    }
}

fn network_v4(a: Ipv4Addr) -> Ipv4Addr {
    let [x, y, z, _] = a.octets();
    Ipv4Addr::new(x, y, z, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_written_as_the_standard_library_writes_them() {
        for text in ["2a02:b400:912d::fb97", "2a02::1", "2a02:0:1::2", "1:2:0:4::", "ABCD:0ef:12::"]
        {
            let (address, mut out) = (address(text.as_bytes()).unwrap(), vec![]);
            address.append(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), address.network.to_string());
        }
    }

    #[test]
    fn hosts_are_zeroed_once() {
        for (from, to) in [
            ("8.8.4.4", "8.8.4.0"),
            ("2a00:1450:4001:81b::200e", "2a00:1450:4001::"),
            ("::ffff:8.8.4.4", "::ffff:8.8.4.0"),
        ] {
            let a = address(from.as_bytes()).unwrap();
            let mut out = vec![];
            a.append(&mut out);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), to);
            assert!(!a.equals(from.as_bytes()));
            assert!(address(&out).unwrap().equals(&out));
        }
        assert_eq!(address(b"fe80::1%eth0"), None);
    }

    #[test]
    fn groups_as_the_standard_library_reads_them() {
        let mut texts: Vec<String> = [
            "::",
            "::1",
            "1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7::",
            "::2:3:4:5:6:7:8",
            "1::8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "1::2::3",
            ":1",
            "1:",
            ":",
            "",
            ":::",
            "12345::",
            "g::",
            "::ffff:8.8.4.4",
            "1:2:3:4:5:6:8.8.4.4",
            "1:2:3:4:5:6:7:8.8.4.4",
            "8.8.4.4",
            "::8.8.4",
            "::8.8.4.4:1",
            "::256.1.1.1",
            "2A02:b400:912D::fb97",
            "1:::2",
            "1::2:",
            "::.",
            "1.2.3.4::",
            "::1.2.3.4",
            "1:2:3:4:5:6:7:8::",
            "::1:2:3:4:5:6:7:8",
            "1: :2",
            "::%eth0",
        ]
        .map(str::to_owned)
        .to_vec();
        // Every way to leave out groups.
        for from in 0..=8 {
            for to in from..=8 {
                let part = |range: std::ops::Range<usize>| {
                    range.map(|n| format!("{n:x}{n:x}")).collect::<Vec<_>>().join(":")
                };
                texts.push(format!("{}::{}", part(0..from), part(to..8)));
            }
        }
        for text in texts {
            assert_eq!(ipv6(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn four_decimal_parts_as_the_standard_library_reads_them() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "1.2.3",
            "1.2.3.4.5",
            "256.1.1.1",
            "01.2.3.4",
            "1..2.3",
            "1.2.3.4 ",
            "",
            "1.2.3.1000",
            "10.20.30.40",
            "a.b.c.d",
        ] {
            assert_eq!(ipv4(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }
}
