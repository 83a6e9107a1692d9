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
        if let IpAddr::V4(a) = self.network {
            let [x, y, z, w] = a.octets();
            for (n, end) in [(x, b'.'), (y, b'.'), (z, b'.'), (w, b' ')] {
                decimal(n, out);
                out.push(end);
            }
            out.pop();
            return;
        }
        // Writing to a vector does not fail.
        let _ = write!(Bytes(out), "{}", self.network);
    }
}

/// The network of the address in `text`; `None` if it is none (a zone id, say).
pub(crate) fn address(text: &[u8]) -> Option<Address> {
    let address = match ipv4(text) {
        Some(v4) => IpAddr::V4(v4),
        None => IpAddr::V6(std::str::from_utf8(text).ok()?.parse().ok()?),
    };
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

fn decimal(n: u8, out: &mut Vec<u8>) {
    if n >= 100 {
        out.push(b'0' + n / 100);
    }
    if n >= 10 {
        out.push(b'0' + n / 10 % 10);
    }
    out.push(b'0' + n % 10);
}

fn network_v4(a: Ipv4Addr) -> Ipv4Addr {
    let [x, y, z, _] = a.octets();
    Ipv4Addr::new(x, y, z, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

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
