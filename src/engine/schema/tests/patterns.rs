//! `pattern`: ECMA-262's meaning, and what is refused.

use super::super::Schema;
use super::super::node::StringCheck;
use super::super::pattern::compile;

fn matches(pattern: &str, text: &str) -> bool {
    match compile(pattern).unwrap() {
        StringCheck::Shape(shape) => shape.matches(text.as_bytes()),
        StringCheck::Regex(regex) => regex.is_match(text.as_bytes()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn means_what_ecma_262_says() {
    for (pattern, yes, no) in [
        ("b+", &["abbc", "b"][..], &["", "ac"][..]),
        ("^ab$", &["ab"], &["ab\n", "\nab", "abab"]),
        ("^$", &[""], &["\n", "a"]),
        ("", &["", "x"], &[]),
        (r"^\d$", &["0", "9"], &["৪", "a", ""]),
        (r"^\D$", &["৪", "a"], &["0"]),
        (r"^\w$", &["a", "_", "0"], &["é", "-"]),
        (r"^\W$", &["é", "-"], &["a"]),
        (
            r"^\s$",
            &[" ", "\t", "\x0b", "\u{a0}", "\u{feff}", "\u{2029}", "\u{3000}"],
            &["a", "\u{85}", "\u{200b}"],
        ),
        (r"^\S$", &["\u{200b}", "a"], &[" ", "\u{feff}"]),
        (r"^[\w\s-]+$", &["a b-c"], &["a.b"]),
        (r"^[^\s\d]$", &["a", "é"], &[" ", "1"]),
        (r"^[\S]$", &["a"], &[" "]),
        ("^.$", &["a", "é", "😀", "\u{85}"], &["\n", "\r", "\u{2028}", "\u{2029}", ""]),
        (r"^a\/b$", &["a/b"], &["a\\/b"]),
        (r"^\cJ\cj\x41\u0042\u{43}\t\n\v\f\r\0$", &["\n\nABC\t\n\x0b\x0c\r\0"], &["ABC"]),
        (r"^\ud83d\ude00+$", &["😀😀"], &["😀x"]),
        ("^😀?$", &["", "😀"], &["😀😀"]),
        (r"^[\u{1f600}-\u{1f64f}]$", &["😀"], &["a"]),
        (r"^(?<year>\d{4})-(?:\d{2})$", &["2026-01"], &["2026-1"]),
        (r"^(a|b)*?c$", &["abac", "c"], &["abad"]),
        ("^[]$", &[], &["", "a"]),
        ("^[^]$", &["a", "\n", "é"], &["", "ab"]),
        ("^[a-]$", &["a", "-"], &["b"]),
        ("^[-a]$", &["a", "-"], &["b"]),
        (r"^[\]\-\\^]$", &["]", "-", "\\", "^"], &["a"]),
        ("^[[&&~~]$", &["[", "&", "~"], &["a"]),
        (r"^[\b]$", &["\x08"], &["b"]),
        (r"\bé", &["aé"], &["é", " é"]),
        (r"a\B", &["ab"], &["a", "a b", "aé"]),
        (r"^\p{Letter}+$", &["aéλ"], &["1"]),
        (r"^[\p{Lu}\P{L}]$", &["A", "1"], &["a"]),
        (r"^\p{Script=Greek}$", &["λ"], &["a"]),
        (r"^\$\{a\}\.\@\-\_$", &["${a}.@-_"], &["a"]),
        ("^{a}{,2}$", &["{a}{,2}"], &["a"]),
        ("^a{2}$", &["aa"], &["a", "aaa"]),
        ("^a{2,}?$", &["aa", "aaa"], &["a"]),
        ("^#a b &$", &["#a b &"], &["ab"]),
        ("^x-", &["x-a"], &["ax-"]),
        ("(?:)", &["", "a"], &[]),
    ] {
        for text in yes {
            assert!(matches(pattern, text), "{pattern} on {text:?}");
        }
        for text in no {
            assert!(!matches(pattern, text), "{pattern} on {text:?}");
        }
    }
}

#[test]
fn refused_by_name() {
    for (pattern, says) in [
        ("a(?=b)", "look-around"),
        ("a(?!b)", "look-around"),
        ("(?<=a)b", "look-around"),
        ("(?<!a)b", "look-around"),
        (r"(a)\1", "back references"),
        (r"(?<n>a)\k<n>", "back references"),
        ("(?i)a", "`(?i`"),
        ("(?P<n>a)", "`(?P`"),
        (r"^\S(|(.|\n)*\S)\Z", r"`\Z` is no escape"),
        (r"\a", r"`\a` is no escape"),
        (r"\x4", "hex digits"),
        (r"\ud83d", "hex digits"),
        (r"\u{110000}", "hex digits"),
        (r"\c1", "wants a letter"),
        ("a\\", "backslash"),
        ("*a", "nothing to repeat"),
        ("a**", "nothing to repeat"),
        ("a*+", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        ("(?:+a)", "nothing to repeat"),
        ("[b-a]", "out of order"),
        (r"[\d-z]", "class escape"),
        ("[a", "no `]`"),
        ("(a", "unclosed group"),
        ("a)", "unopened group"),
        ("a{3,2}", "invalid repetition"),
        (r"\p{Nonsense}", "Unicode property"),
        (r"\pL", "in braces"),
        (r"(?<1 >a)", "group name"),
        ("(.{500}){500}", "too large"),
    ] {
        let what = compile(pattern).expect_err(pattern);
        assert!(what.contains(says), "{pattern}: {what}");
    }
}

#[test]
fn plain_ones_become_shapes() {
    for pattern in [
        "^[0-9a-f]{32}$",
        r"^\d{3}-\d{4}$",
        "^[a-z][a-z0-9_]*$",
        "^([A-Z]+)$",
        r"^\w+$",
        "^(?:[a-f0-9]{8})$",
    ] {
        assert!(matches!(compile(pattern), Ok(StringCheck::Shape(_))), "{pattern}");
    }
    let s = Schema::builtin_text("service-log").unwrap();
    assert!(Schema::parse("x", s).is_ok());
}
