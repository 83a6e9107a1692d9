//! IP addresses with their host part zeroed: /24 for IPv4, /48 for IPv6.

use std::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address of which only the network is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(IpAddr);

impl Address {
    /// Whether `text` is the address already.
    pub(crate) fn equals(self, text: &[u8]) -> bool {
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
        let _ = write!(c, "{}", self.0);
        c.1 && c.0.is_empty()
    }

    pub(crate) fn append(self, out: &mut Vec<u8>) {
        struct Bytes<'a>(&'a mut Vec<u8>);
        impl Write for Bytes<'_> {
            fn write_str(&mut self, s: &str) -> fmt::Result {
                self.0.extend_from_slice(s.as_bytes());
                Ok(())
            }
        }
        // Writing to a vector does not fail.
        let _ = write!(Bytes(out), "{}", self.0);
    }
}

/// The network of the address in `text`; `None` if it is none (a zone id, say).
pub(crate) fn address(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?;
    Some(Address(match text.parse().ok()? {
        IpAddr::V4(a) => {
            let [x, y, z, _] = a.octets();
            IpAddr::V4(Ipv4Addr::new(x, y, z, 0))
        }
        IpAddr::V6(a) => match a.to_ipv4_mapped() {
            Some(v4) => {
                let [x, y, z, _] = v4.octets();
                IpAddr::V6(Ipv4Addr::new(x, y, z, 0).to_ipv6_mapped())
            }
            None => {
                let s = a.segments();
                IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], 0, 0, 0, 0, 0))
            }
        },
    }))
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
}
