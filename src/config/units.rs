//! Parses sizes and times.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Parses a size: `262144`, `256KiB`, `256k`, `1MiB`, `2GB`. `k` and `KiB` are 1024, `kB` is 1000.
pub fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let invalid = || format!("`{text}` is not a size: write 1048576, 1024KiB or 1MiB");
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err(invalid()),
    };
    let number: u64 = number.parse().map_err(|_| invalid())?;
    match number.checked_mul(factor) {
        Some(0) => Err("must be more than 0".into()),
        Some(bytes) => Ok(bytes),
        None => Err(invalid()),
    }
}

const TIMES: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Parses a time: `500ms`, `30s`, `15m`, `1h`, `1d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let invalid = || format!("`{text}` is not a duration: write 500ms, 30s, 15m, 1h or 1d");
    let unit = unit.trim_start().to_ascii_lowercase();
    let (_, factor) = TIMES.iter().find(|(name, _)| *name == unit).ok_or_else(invalid)?;
    let number: u64 = number.parse().map_err(|_| invalid())?;
    match number.checked_mul(*factor) {
        Some(0) => Err("must be more than 0".into()),
        Some(ms) => Ok(Duration::from_millis(ms)),
        None => Err(invalid()),
    }
}

/// Parses an address and a port, or a local port: `9600`, `0.0.0.0:9600`, `[::]:9600`.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok((IpAddr::V4(Ipv4Addr::LOCALHOST), port).into());
    }
    text.parse().map_err(|_| format!("`{text}` is not an address: write 9600 or 0.0.0.0:9600"))
}

/// Formats a time in the largest unit in which it is a whole number.
pub fn shown(time: Duration) -> String {
    let ms = time.as_millis();
    let whole = TIMES.iter().find(|(_, factor)| ms.is_multiple_of(u128::from(*factor)));
    whole.map_or_else(String::new, |(unit, factor)| format!("{}{unit}", ms / u128::from(*factor)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{address, bytes, duration, shown};

    #[test]
    fn addresses() {
        assert_eq!(address("9600").unwrap().to_string(), "127.0.0.1:9600");
        assert_eq!(address("0.0.0.0:1").unwrap().to_string(), "0.0.0.0:1");
        assert_eq!(address("[::]:9600").unwrap().to_string(), "[::]:9600");
        for invalid in ["", "localhost", "1.2.3.4", "70000", ":9600"] {
            assert!(address(invalid).unwrap_err().contains("is not an address"), "{invalid}");
        }
    }

    #[test]
    fn times() {
        for (text, ms) in [("500ms", 500), ("90s", 90_000), ("15 m", 900_000), ("1d", 86_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)));
            assert_eq!(shown(Duration::from_millis(ms)), text.replace(' ', ""));
        }
        for invalid in ["", "1", "0s", "h", "1.5h", "1w", "-1s", "99999999999999999d"] {
            assert!(duration(invalid).is_err(), "{invalid}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("17"), Ok(17));
        assert_eq!(bytes("256MiB"), Ok(256 << 20));
        assert_eq!(bytes("1 kB"), Ok(1_000));
        assert_eq!(bytes("2g"), Ok(2 << 30));
        for invalid in ["", "MiB", "-1", "1.5MiB", "1XB", "0", "99999999999GiB"] {
            assert!(bytes(invalid).is_err(), "{invalid}");
        }
    }
}
