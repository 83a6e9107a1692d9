//! Gates: fixed mask computations over a block's byte classes, the same whatever the number of
//! detectors. Safe, and one code for every instruction set.

/// Where a candidate may be. Each opens on few places of ordinary logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Gate {
    /// A boundary, a digit, then 6 more of digits and `-./ ` behind a digit. Anchor: the digit.
    Run,
    /// A boundary, 1 to 3 capitals, a digit. Anchor: the first capital.
    Caps,
    /// Hex digits and colons as addresses have them. Anchor: the first hex digit or colon.
    Colon,
    /// An at sign. Anchor: the sign.
    At,
    /// A plus sign before a digit. Anchor: the sign.
    Plus,
    /// Three digits in parentheses. Anchor: the opening one.
    Paren,
    /// An equals sign or a colon behind a name. Anchor: the sign.
    Assign,
    /// A literal's first bytes behind a boundary. Anchor: the first byte.
    Literal,
}

impl Gate {
    pub(crate) const COUNT: usize = Self::ALL.len();
    /// In the order of their numbers.
    pub(crate) const ALL: [Self; 8] = [
        Self::Run,
        Self::Caps,
        Self::Colon,
        Self::At,
        Self::Plus,
        Self::Paren,
        Self::Assign,
        Self::Literal,
    ];

    /// Bytes of the exact table's window that stand before the anchor.
    pub(crate) const fn look_back(self) -> usize {
        match self {
            Gate::Assign => 10,
            Gate::At => 7,
            _ => 1,
        }
    }
}

/// One bit for each of 64 bytes, for each class of bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Masks {
    /// Control characters (newlines too) and bytes of 0x80 and above.
    pub(crate) rare: u64,
    pub(crate) quote: u64,
    pub(crate) backslash: u64,
    pub(crate) digit: u64,
    /// Letters and digits.
    pub(crate) alnum: u64,
    pub(crate) upper: u64,
    /// `-`, `.`, `/` and the space: what may stand between a run's digits.
    pub(crate) between: u64,
    /// Letters, the space and the apostrophe: what may end a name before its sign.
    pub(crate) name_end: u64,
    /// `@`, `%`, `+`, `(` and `)`: see [`Signs`].
    pub(crate) sign: u64,
    pub(crate) colon: u64,
    pub(crate) equals: u64,
}

/// Of a block that has rare bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Rare {
    pub(crate) newline: u64,
    /// Bytes of 0x80 and above.
    pub(crate) high: u64,
}

/// Of a block that has one of these signs.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Signs {
    /// `@` and `%`, which are gates by themselves.
    pub(crate) single: u64,
    pub(crate) plus: u64,
    /// `(` and `)`.
    pub(crate) paren: u64,
}

/// Every gate's hits in a block: those of the two gates that open often (run, assign), and of the
/// others but for [`sign_hits`]. A bit stands at the last byte that the gate needs; [`often`] and
/// [`seldom`] tell the gate and the anchor again from the bytes. `escaped`: bytes behind a
/// backslash, which are letters (`\n`) and yet boundaries.
#[inline(always)]
pub(crate) fn hits<const TEXT: bool>(m: &Masks, escaped: u64) -> (u64, u64) {
    let d = m.digit;
    let boundary = !m.alnum | escaped;

    let body = d | (m.between & (d << 1));
    let two = body & (body << 1);
    let four = two & (two << 2);
    let seven = four & (four << 3);
    let run = seven & ((d & (boundary << 1)) << 6);

    let one_cap = m.upper & (boundary << 1);
    let two_caps = m.upper & (one_cap << 1);
    let caps = d & ((one_cap | two_caps | (m.upper & (two_caps << 1))) << 1);

    let c = m.colon;
    let colon = c & (c << 1 | c << 2 | c << 4 | c << 5 | (c << 3 & c << 6));

    // In raw JSON a quote before a colon ends a key, unless it is escaped.
    let quote = if TEXT { m.quote | d } else { m.quote & escaped };
    let assign = ((m.equals | c) & ((m.name_end | quote) << 1)) | (m.equals & (d << 1));

    (run | assign, caps | colon)
}

/// The length of the colour (`\x1b[1;36m`) that `text` ends with; 0 where it ends with none.
pub(crate) fn colour_at_end(text: &[u8]) -> usize {
    let Some(before) = text.strip_suffix(b"m") else { return 0 };
    let len = before.iter().rev().take(24).take_while(|b| matches!(b, 0x30..=0x3f)).count();
    if before[..before.len() - len].ends_with(b"\x1b[") { len + 3 } else { 0 }
}

/// Where what stands before the control characters, colours and spaces before `at` ends; `at` where
/// only spaces are there, or nothing of the kind. A newline ends a name.
pub(crate) fn before_controls(buf: &[u8], at: usize) -> usize {
    /// No more bytes are looked at.
    const REACH: usize = 32;
    let stop = at.saturating_sub(REACH);
    let (mut end, mut found) = (at, false);
    loop {
        end -= match &buf[stop..end] {
            [.., b'\n' | b'\r'] => break,
            [.., 0xc2, 0x80..=0xa0] => {
                found = true;
                2
            }
            [.., b' '] => 1,
            [.., b] if b.is_ascii_control() => {
                found = true;
                1
            }
            [.., b'm'] => match colour_at_end(&buf[stop..end]) {
                0 => break,
                len => {
                    found = true;
                    len
                }
            },
            _ => break,
        };
    }
    if found { end } else { at }
}

/// The hits of the gates that a sign opens.
#[inline(always)]
pub(crate) fn sign_hits(s: &Signs, digit: u64) -> u64 {
    let paren = s.paren & (digit << 1) & (digit << 2) & (digit << 3) & (s.paren << 4);
    s.single | digit & (s.plus << 1) | paren
}

/// The gate and the anchor of a hit of the gates that open often.
#[inline(always)]
pub(crate) fn often(buf: &[u8], at: usize) -> (Gate, usize) {
    // Without a branch: the two take turns without a pattern.
    let assign = matches!(buf[at], b'=' | b':');
    (if assign { Gate::Assign } else { Gate::Run }, at - 6 * usize::from(!assign))
}

/// The gate and the anchor of a hit of the others; `None` at what is no candidate.
#[inline]
pub(crate) fn seldom(buf: &[u8], at: usize) -> Option<(Gate, usize)> {
    Some(match buf[at] {
        b'@' => (Gate::At, at),
        b':' => (Gate::Colon, colon_anchor(buf, at)?),
        b')' => (Gate::Paren, at - 4),
        b'0'..=b'9' if buf[at - 1] == b'+' => (Gate::Plus, at - 1),
        b'0'..=b'9' => {
            let back = buf[at - 4..at].iter().rev().take_while(|b| b.is_ascii_uppercase()).count();
            (Gate::Caps, at - back.min(3))
        }
        _ => return None,
    })
}

/// The start of the hex digits, colons and dots around the colon at `at`, if an address may stand
/// there: at most 40 bytes back. Behind a word and a colon (`src:2a02::1`) it begins behind that
/// colon, whatever of the word is hex.
#[inline]
pub(crate) fn colon_anchor(buf: &[u8], at: usize) -> Option<usize> {
    let mut i = at;
    let stop = at.saturating_sub(40).max(2);
    while i > stop && (buf[i - 1].is_ascii_hexdigit() || buf[i - 1] == b':') {
        i -= 1;
    }
    let before = buf[i - 1];
    if before.is_ascii_hexdigit() || before == b':' {
        // No address is as long.
        return None;
    }
    // The letter of an escape (`\n`) is no word's.
    if before.is_ascii_alphanumeric() && buf[i - 2] != b'\\' {
        i += buf[i..=at].iter().position(|&b| b == b':')? + 1;
        return (i <= at).then_some(i);
    }
    (i < at || buf[at + 1] == b':').then_some(i)
}

/// The first backslash of the block, and the first behind each quote: a string whose content has a
/// backslash has one of them.
#[inline(always)]
pub(crate) fn first_between(backslash: u64, quote: u64) -> u64 {
    let mut kept = 0;
    let mut rest = backslash;
    while rest != 0 {
        let first = rest & rest.wrapping_neg();
        kept |= first;
        let behind = !(first | (first - 1));
        let next_quote = quote & behind;
        if next_quote == 0 {
            break;
        }
        let q = next_quote & next_quote.wrapping_neg();
        rest &= !(q | (q - 1));
    }
    kept
}

/// The bytes that a backslash escapes, of a block's 56 new bits; `carry` is whether the byte before
/// them is an unpaired backslash, and becomes whether the last one is.
#[inline(always)]
pub(crate) fn escaped(mut backslash: u64, carry: &mut bool) -> u64 {
    let mut escaped = u64::from(*carry);
    backslash &= !escaped;
    *carry = false;
    while backslash != 0 {
        let k = backslash.trailing_zeros();
        if k == super::STRIDE as u32 - 1 {
            *carry = true;
            break;
        }
        escaped |= 1 << (k + 1);
        backslash &= !(3 << k);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_pair_up() {
        let mut carry = false;
        // \\" : the second backslash is escaped, the quote is not.
        assert_eq!(escaped(0b011, &mut carry), 0b010);
        assert!(!carry);
        // The last new byte is a backslash: the next block's first byte is escaped.
        assert_eq!(escaped(1 << 55, &mut carry), 0);
        assert!(carry);
        assert_eq!(escaped(0b01, &mut carry), 0b01);
        assert!(!carry);
    }

    #[test]
    fn names_end_before_controls() {
        for (text, wanted) in [
            ("password\0=", 8),
            ("password \x01 \t=", 8),
            ("password\x1b[0m=", 8),
            ("password\x1b[0m\x1b[22;39m =", 8),
            ("password\u{a0}:", 8),
            ("password =", 9),
            ("item=", 4),
            ("0m=", 2),
            ("password\n=", 9),
        ] {
            let at = text.len() - 1;
            let end = before_controls(text.as_bytes(), at);
            assert_eq!(end, wanted, "{text:?}");
        }
        assert_eq!(before_controls(b"=", 0), 0);
    }

    #[test]
    fn one_backslash_is_kept_for_each_string() {
        let (b, q) = (0b0110_0110u64, 0b0001_0000u64);
        assert_eq!(first_between(b, q), 0b0010_0010);
        assert_eq!(first_between(b, 0), 0b0000_0010);
    }
}
