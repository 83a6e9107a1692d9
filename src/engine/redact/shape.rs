//! The shape of what could not be parsed: enough to see what is wrong with it, nothing to read.

/// The longest shape, in bytes of input.
pub(crate) const MAX: usize = 1024;

/// Appends the shape of the first [`MAX`] bytes of `line`: letters and all beyond ASCII → `x`,
/// digits → `0`, control characters → a space, the rest kept.
pub(crate) fn append(line: &[u8], out: &mut Vec<u8>) {
    out.extend(line.iter().take(MAX).map(|&b| match b {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' | b'A'..=b'Z' | 0x80.. => b'x',
        0..=0x1f | 0x7f => b' ',
        _ => b,
    }));
}

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_to_read_is_left() {
        let mut out = vec![];
        super::append("{\"pw\": \"hunter2é\t\"".as_bytes(), &mut out);
        assert_eq!(out, br#"{"xx": "xxxxxx0xx ""#);
    }
}
