//! Makes text from events, file names and other sources safe to show.
//!
//! A terminal interprets control characters, and bidirectional ones change the order of text, so a
//! name with such characters could hide or forge a part of a message.

/// Returns `text` on one line, with every character escaped that a terminal would interpret or not
/// show: control characters, line ends, and characters that change the direction of text or have no
/// width. Tabs are kept.
pub fn visible(text: &str) -> String {
    spelt_out(text, |c| c == '\t')
}

/// Like [`visible`], for several lines: line feeds are kept, too.
pub fn visible_lines(text: &str) -> String {
    spelt_out(text, |c| matches!(c, '\t' | '\n'))
}

fn spelt_out(text: &str, stays: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if stays(c) => shown.push(c),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            c if acts(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Returns whether a terminal interprets the character, or does not show it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
                // Characters without width, and directions.
                | '\u{200b}' | '\u{200e}'..='\u{200f}'
                // Line and paragraph separators, and directions.
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_spelt_out() {
        assert_eq!(visible("é\t\u{1b}[2J\n\r\u{9b}\u{7f}"), "é\t\\u{1b}[2J\\n\\r\\u{9b}\\u{7f}");
        assert_eq!(visible("a\u{202e}b\u{2066}c\u{2028}"), "a\\u{202e}b\\u{2066}c\\u{2028}");
        assert_eq!(visible("👩\u{200d}💻 \u{fffd}"), "👩\u{200d}💻 \u{fffd}");
        assert_eq!(visible_lines("a\n\u{1b}b\r\n"), "a\n\\u{1b}b\\r\n");
    }
}
