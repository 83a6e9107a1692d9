//! What is between a bracket and the first name of JSON that no walk accepts.

use memchr::memchr3;

/// The longest comment that is looked through.
const COMMENT: usize = 256;

/// Whether a name follows what JSON does not allow before one: a comma, a comment, white space that is
/// none to JSON, or characters that show nothing.
pub(super) fn spoiled(mut rest: &[u8]) -> bool {
    loop {
        rest = match rest {
            [b'"', ..] => return true,
            [b',' | b' ' | 0x7f | ..=0x1f, after @ ..] => after,
            [b'/', b'*', after @ ..] => {
                let near = &after[..after.len().min(COMMENT)];
                match memchr::memmem::find(near, b"*/") {
                    Some(end) => &after[end + 2..],
                    None => return near.len() == COMMENT,
                }
            }
            [b'/', b'/', after @ ..] | [b'#', after @ ..] => {
                let near = &after[..after.len().min(COMMENT)];
                // The end of the line may be escaped.
                match memchr3(b'\n', b'\r', b'\\', near) {
                    Some(end) => &after[end..],
                    None => return false,
                }
            }
            [0x80..=0xff, ..] => {
                let Some(len) = unseen(rest) else { return false };
                &rest[len..]
            }
            // The text is a string literal, whose escapes it still has.
            [b'\\', ..] => match escape(rest) {
                Some((b'"', _)) => return true,
                Some((_, after)) => after,
                None => return false,
            },
            _ => return false,
        };
    }
}

/// What the escape that `text` begins with, itself escaped or not, stands for: a quote, or a space
/// for all that shows nothing; and what follows.
fn escape(text: &[u8]) -> Option<(u8, &[u8])> {
    let slashes = text.iter().take_while(|b| **b == b'\\').count();
    match &text[slashes..] {
        // The second is nginx's.
        [b'"', rest @ ..] | [b'x', b'2', b'2', rest @ ..] => Some((b'"', rest)),
        [b'n' | b'r' | b't' | b'f' | b'b', rest @ ..] => Some((b' ', rest)),
        [b'u', code @ ..] => {
            let (code, rest) = code.split_at_checked(4)?;
            let code = u32::from_str_radix(str::from_utf8(code).ok()?, 16).ok()?;
            match char::from_u32(code)? {
                '"' => Some((b'"', rest)),
                c => shows_nothing(c).then_some((b' ', rest)),
            }
        }
        _ => None,
    }
}

/// The length of the character that `text` begins with, if it shows nothing.
fn unseen(text: &[u8]) -> Option<usize> {
    let len = text.len().min(4);
    let c = (2..=len).find_map(|n| str::from_utf8(&text[..n]).ok())?.chars().next()?;
    shows_nothing(c).then(|| c.len_utf8())
}

fn shows_nothing(c: char) -> bool {
    let format =
        matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}');
    format || c.is_whitespace() || c.is_control()
}
