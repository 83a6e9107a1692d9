//! A pack of detectors that nothing in the generated logs satisfies: what more detectors cost.

use std::fmt::Write;

/// Forms of public identifiers: fixed widths, letters and digits, usual separators. With each
/// width they make a shape of their own.
const FORMS: &[(&str, [usize; 5])] = &[
    (r"[A-Z]\d{#}", [7, 8, 9, 10, 11]),
    (r"[A-Z]{2}\d{#}", [6, 7, 8, 9, 10]),
    (r"[A-Z]{3}\d{#}", [4, 5, 6, 7, 8]),
    (r"[A-Z]{2}\d{#}[A-Z]", [5, 6, 7, 8, 9]),
    (r"\d{#}-\d{3}-\d{3}", [1, 2, 3, 4, 5]),
    (r"\d{2}\.\d{3}\.\d{#}-\d", [2, 3, 4, 5, 6]),
    (r"\d{#}-\d{4}-\d", [2, 3, 4, 5, 6]),
    (r"\d{#} \d{3} \d{3}", [1, 2, 3, 4, 5]),
    (r"\d{2}/\d{3}/\d{#}", [2, 3, 4, 5, 6]),
    (r"\d{4}\.\d{#}\.\d{2}", [1, 2, 3, 4, 5]),
];

/// 150 literal prefixes of secrets and 50 shapes, each a detector.
pub(crate) fn toml() -> String {
    let mut pack = String::from("pack = \"load\"\nversion = 1\n");
    for n in 0..150 {
        let prefix = prefix(n);
        // Writing to a String does not fail.
        let _ = write!(
            pack,
            "\n[[detector]]\nid = \"load_literal_{n}\"\ncategory = \"secret\"\n\
             description = \"A made-up token\"\nliterals = ['{prefix}']\n\
             regex = '{prefix}[A-Za-z0-9]{{20,40}}'\n"
        );
    }
    let shapes =
        FORMS.iter().flat_map(|(form, widths)| widths.map(|w| form.replace('#', &w.to_string())));
    for (n, shape) in shapes.enumerate() {
        let _ = write!(
            pack,
            "\n[[detector]]\nid = \"load_shape_{n}\"\ncategory = \"government_id\"\n\
             description = \"A made-up number\"\nshape = ['{shape}']\nregex = '{shape}'\n\
             strings = \"context\"\ncontext = {{ words = [\"zqxwv\"] }}\n"
        );
    }
    pack
}

/// Three consonants, a word of the trade, an underscore: as vendors name their tokens.
fn prefix(n: usize) -> String {
    const CONSONANTS: &[u8] = b"bcdfghjklmnpqrstvwxz";
    const WORDS: [&str; 5] = ["live_", "test_", "pat_", "sk-", "key-"];
    let letter = |i: usize| char::from(CONSONANTS[i % CONSONANTS.len()]);
    format!("{}{}q{}", letter(n), letter(n / 20 + n * 7), WORDS[n % 5])
}
