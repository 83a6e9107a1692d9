//! IP addresses that can point at a person: globally reachable unicast.
//!
//! Ranges: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates),
//! IPv6 documentation ranges of RFC 3849 and RFC 9637, multicast of RFC 5771 and RFC 4291.

use core::net::{Ipv4Addr, Ipv6Addr};

use crate::engine::redact::truncate;

/// An IPv4 address in four decimal parts that is globally reachable. Leading zeros are refused:
/// readers disagree whether they mean octal.
pub(super) fn ipv4_global(text: &[u8]) -> bool {
    truncate::ipv4(text).is_some_and(is_global_v4)
}

/// An IPv6 address (any RFC 4291 spelling, with or without a zone) that is globally reachable.
pub(super) fn ipv6_global(text: &[u8]) -> bool {
    let zone = text.iter().position(|&b| b == b'%').unwrap_or(text.len());
    truncate::ipv6(&text[..zone]).is_some_and(is_global_v6)
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]     // this network, private, loopback, multicast, reserved
            | [100, 64..=127, ..]          // shared address space (CGNAT)
            | [169, 254, ..]               // link-local
            | [172, 16..=31, ..]           // private
            | [192, 0, 0 | 2, _]           // protocol assignments, documentation
            | [192, 88, 99, _]             // 6to4 relay anycast
            | [192, 168, ..]               // private
            | [198, 18 | 19, ..]           // benchmarking
            | [198, 51, 100, _]            // documentation
            | [203, 0, 113, _] // documentation
    )
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // IPv4-mapped, and the well-known NAT64 prefix: the IPv4 address decides.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_global_v4(embedded(high, low))
        }
        // 6to4 carries the site's IPv4 address.
        [0x2002, high, low, ..] => is_global_v4(embedded(high, low)),
        [0x2001, 0x0db8, ..] => false,           // documentation
        [0x2001, 0x0002, 0, ..] => false,        // benchmarking
        [0x2001, 0x0010..=0x002f, ..] => false,  // ORCHID: no addresses
        [0x3fff, 0x0000..=0x0fff, ..] => false,  // documentation
        [first, ..] => first & 0xe000 == 0x2000, // global unicast
    }
}

fn embedded(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn global_ipv4() {
        for good in
            ["8.8.8.8", "1.2.3.4", "126.0.0.0", "172.15.0.1", "100.128.0.1", "223.255.255.1"]
        {
            assert!(ipv4_global(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn special_or_broken_ipv4() {
        for bad in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.9.9",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "256.1.1.1",
            "8.8.8",
            "8.8.8.8.8",
            "08.8.8.8",
            "8.8.8.8-S",
            "",
        ] {
            assert!(!ipv4_global(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn global_ipv6() {
        for good in [
            "2a02:8109:9a80:1c3c::1",
            "2001:4860:4860::8888",
            "2A00:1450:4001:0829:0000:0000:0000:200E",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:0:4136:e378:8000:63bf:3fff:fdd2",
            "2002:808:808::1",
            "2600:1f18::%eth0",
            "3ffe::1",
        ] {
            assert!(ipv6_global(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn special_or_broken_ipv6() {
        for bad in [
            "::",
            "::1",
            "fe80::1%eth0",
            "fd12:3456:789a::1",
            "fc00::1",
            "ff02::1",
            "2001:db8::1",
            "3fff:123::1",
            "2001:2:0:1::5",
            "2001:20::1",
            "::ffff:10.0.0.1",
            "64:ff9b::192.168.0.1",
            "2002:a00:1::1",
            "a::b",
            "100::1",
            "02:42:ac:11:00:02",
            "20:00:00:25:b5:00:00:0a",
            "2001::25de::cade",
            "2a02:1:2",
            "",
        ] {
            assert!(!ipv6_global(bad.as_bytes()), "{bad}");
        }
    }
}
