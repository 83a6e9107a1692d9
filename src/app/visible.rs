//! Text that a terminal may be shown.

/// With control characters spelt out: none of them reaches the terminal.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push(c),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// A file's name, or another's word, on one line and harmless to a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.replace(|c: char| c.is_control(), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn controls_are_spelt_out() {
        assert_eq!(super::visible("é\t\u{1b}[2J\n\u{9b}"), "é\t\\u{1b}[2J\\n\\u{9b}");
    }
}
