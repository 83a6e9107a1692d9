//! The value in a match that ends with one, and the user and password in one that ends with them.

/// The value in a match that ends with one: what the quotes that end it enclose (the closing one
/// may be missing), else what follows its last space, less a long flag's name and `=`; where there is
/// no space, less any name and `=`.
pub(super) fn value(matched: &[u8]) -> (usize, usize) {
    let end = matched.len();
    let quote = |b: u8| b"\"'`".contains(&b);
    if let Some((&q, inside)) = matched.split_last()
        && quote(q)
        && let Some(from) = opening(inside, q)
    {
        return cut_before(matched, from, q).map_or((from + 1, end - 1), |cut| (cut + 1, end));
    }
    let (mut opened, mut i) = (None, 0);
    while let Some(&b) = matched.get(i) {
        match opened {
            None if quote(b) => opened = Some((i + 1, b)),
            Some(_) if b == b'\\' => i += 1,
            Some((_, q)) if b == q && matched.get(i + 1) == Some(&q) => i += 1,
            Some((_, q)) if b == q => opened = None,
            _ => {}
        }
        i += 1;
    }
    if let Some((from, _)) = opened {
        return (from, end);
    }
    let from = matched.iter().rposition(|&b| b == b' ').map_or(0, |s| s + 1);
    let word = &matched[from..];
    let name = word.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b)).count();
    let value = word.get(name..).and_then(|v| v.strip_prefix(b"=")).unwrap_or_default();
    // `=` alone pads what stands before it.
    // A word behind a space is all value, unless it is a long flag.
    let named = value.iter().any(|&b| b != b'=') && (from == 0 || word.starts_with(b"--"));
    (if named { matched.len() - value.len() } else { from }, matched.len())
}

/// The other quote, where it opens before `from` and never closes: a cut value that holds the pair
/// of `q` that opens at `from` (`PASSWORD 'a "b"`).
fn cut_before(matched: &[u8], from: usize, q: u8) -> Option<usize> {
    let other = if q == b'"' { b'\'' } else { b'"' };
    let at = memchr::memrchr(other, matched).filter(|&at| at < from)?;
    matched[..at].last().is_some_and(|b| b" =(".contains(b)).then_some(at)
}

/// The last `q` that opens: not escaped, and not one of two, which are one inside such quotes.
fn opening(text: &[u8], q: u8) -> Option<usize> {
    let mut end = text.len();
    while let Some(at) = memchr::memrchr(q, &text[..end]) {
        let doubled = at > 0 && text[at - 1] == q;
        let slashes = text[..at].iter().rev().take_while(|&&b| b == b'\\').count();
        if !doubled && slashes % 2 == 0 {
            return Some(at);
        }
        end = at - usize::from(doubled);
    }
    None
}

/// Where the user and password begin that `text` ends with: those of a URL behind `://`, those of a
/// data source name with the user before the first colon.
pub(super) fn userinfo(text: &[u8]) -> usize {
    let slash = memchr::memrchr(b'/', text).map_or(0, |s| s + 1);
    if text[..slash].ends_with(b"://") {
        return slash;
    }
    let mut colons = memchr::memchr_iter(b':', text);
    let colon = colons.find(|&c| !text[c + 1..].starts_with(b"//")).unwrap_or(0);
    // A placeholder has one, too, and a pseudonym has two.
    let opening = [&b"[REDACTED"[..], b"[HMAC"].into_iter().find(|o| text[..colon].ends_with(o));
    let end = colon - opening.map_or(0, <[u8]>::len);
    let of_user = |b: &&u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    end - text[..end].iter().rev().take_while(of_user).count()
}

/// What is replaced of `text[low..high]`, in whole characters: regexes go by bytes, and a value is
/// looked through so far and no further.
pub(super) fn whole(
    text: &[u8],
    (low, high): (usize, usize),
    (mut start, mut end): (usize, usize),
) -> (usize, usize) {
    let inside = |at: usize| text[at] & 0xC0 == 0x80;
    while start > low && inside(start) {
        start -= 1;
    }
    while end < high && inside(end) {
        end += 1;
    }
    (start, end)
}

#[cfg(test)]
mod tests {
    use super::{userinfo, value};

    #[test]
    fn users_and_passwords_end_a_match() {
        for (matched, want) in [
            ("http://u:p", "u:p"),
            ("http://a,http://u:p", "u:p"),
            ("http://[REDACTED:x]", "[REDACTED:x]"),
            ("app:p:w", "app:p:w"),
            ("dsn=app:pw", "app:pw"),
            ("mysql://app:p/w", "app:p/w"),
            ("dsn=[REDACTED:x]", "[REDACTED:x]"),
            ("dsn=a[REDACTED:x]:pw", "a[REDACTED:x]:pw"),
            ("dsn=[HMAC:x:abc]", "[HMAC:x:abc]"),
            ("http://[HMAC:x:abc]", "[HMAC:x:abc]"),
            ("", ""),
        ] {
            assert_eq!(&matched[userinfo(matched.as_bytes())..], want, "{matched}");
        }
    }

    #[test]
    fn values_end_a_match() {
        for (matched, want) in [
            ("Bearer abc==", "abc=="),
            ("IDENTIFIED BY 'a b:c=d'", "a b:c=d"),
            ("IDENTIFIED WITH 'x' BY 'it''s'", "it''s"),
            (r"PASSWORD('a\'b", r"a\'b"),
            ("curl -u a:b", "a:b"),
            ("curl -H 'X: y' --user=a:b=c", "a:b=c"),
            ("curl -u 'a:b", "a:b"),
            ("PASSWORD 'it''s", "it''s"),
            ("curl -d it's -u 'a:b'", "a:b"),
            ("curl -d it's -u \"a:b\"", "a:b"),
            ("curl -H 'X: y' -u \"a:b\"", "a:b"),
            ("PASSWORD 'a \"b\"", "a \"b\""),
            ("api_key=abc==", "abc=="),
            ("tool --password a=b", "a=b"),
            ("mysql -pa=b", "-pa=b"),
            ("abc==", "abc=="),
            ("", ""),
        ] {
            let (from, to) = value(matched.as_bytes());
            assert_eq!(&matched[from..to], want, "{matched}");
        }
    }
}
