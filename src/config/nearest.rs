//! Suggests words for typing errors.

/// Returns the most similar word, if at most a third of its letters differ.
pub fn nearest<'a>(word: &str, all: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let near = all.into_iter().map(|known| (distance(word, known), known));
    let (letters, known) = near.min_by_key(|(letters, _)| *letters)?;
    (letters <= known.len().div_ceil(3)).then_some(known)
}

/// Returns advice about an unknown word: the most similar word, or else `otherwise`.
pub fn meant<'a>(
    word: &str,
    all: impl IntoIterator<Item = &'a str>,
    otherwise: impl FnOnce() -> String,
) -> String {
    match nearest(word, all) {
        Some(known) => format!("did you mean `{known}`?"),
        None => otherwise(),
    }
}

/// The number of letters to add, remove, replace or swap with a neighbour, ignoring case.
fn distance(a: &str, b: &str) -> usize {
    let letters = |word: &str| word.to_lowercase().chars().collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let ids = ["email", "iban", "explain", "patterns"];
        for (word, meant) in [
            ("emial", Some("email")),
            ("e-mail", Some("email")),
            ("IBAN", Some("iban")),
            ("explian", Some("explain")),
            ("pattern", Some("patterns")),
            ("app", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ids), meant, "{word}");
        }
    }

    #[test]
    fn distances() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("Type", "type"), 0);
    }
}
