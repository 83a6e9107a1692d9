//! Text of events, of files' names, and of others, as it may be shown.
//!
//! A terminal obeys control characters, and shows text in another order where a bidirectional one
//! says so: a name with such characters could hide, or forge, what a message says.

/// `text` on one line, with every character spelt out that a terminal would obey or not show: control
/// characters, line ends among them, and what changes the direction of text or has no width. Tabs
/// stay.
pub fn visible(text: &str) -> String {
    spelt_out(text, |c| c == '\t')
}

/// The same of text that has several lines: line feeds stay, too.
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

/// Whether a terminal, or who reads, does not see the character itself.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
                // Of no width, and directions.
                | '\u{200b}' | '\u{200e}'..='\u{200f}'
                // Ends of lines and paragraphs, and directions.
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
