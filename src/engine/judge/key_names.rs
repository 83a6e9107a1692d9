//! Pseudonyms in keys: two keys of one object that differ never become the same.

use std::collections::{HashMap, HashSet};

use crate::engine::redact::pseudonym::{LETTERS, OPEN, letters};
use crate::engine::walk::Line;

type Letters = [u8; LETTERS];

/// The pseudonyms in keys of the event.
#[derive(Default)]
pub(super) struct KeyNames {
    /// By object and pseudonym, the raw value that it stands for.
    made: HashMap<(u32, Letters), (usize, usize)>,
    /// Those that the event had before it was judged, wherever they are.
    there: HashSet<Letters>,
    looked: bool,
}

impl KeyNames {
    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        let entry = size_of::<((u32, Letters), (usize, usize))>();
        self.made.capacity() * entry + self.there.capacity() * size_of::<Letters>()
    }

    pub(super) fn clear(&mut self) {
        self.made.clear();
        self.there.clear();
        self.looked = false;
    }

    /// Whether `pseudonym` can take the place of `raw` in a key of the object that opens at
    /// `container`. A value that is spelt in another way (`%40` for `@`) has the same pseudonym and
    /// makes another key.
    pub(super) fn admit(
        &mut self,
        pseudonym: &[u8],
        container: u32,
        raw: (usize, usize),
        line: &Line<'_>,
    ) -> bool {
        let Some(letters) = letters(pseudonym) else { return false };
        if !self.looked {
            self.looked = true;
            look(&line.buf[line.start..line.end], &mut self.there);
        }
        let text = |(from, to): (usize, usize)| &line.buf[from..to];
        let first = *self.made.entry((container, letters)).or_insert(raw);
        !self.there.contains(&letters) && text(first) == text(raw)
    }
}

/// Collects the letters of pseudonyms in `event`, however they are spelt.
fn look(event: &[u8], there: &mut HashSet<Letters>) {
    let mut at = 0;
    while let Some(n) = memchr::memchr2(b'[', b'\\', &event[at..]) {
        at += n;
        there.extend(read(event, at));
        at += event[at..].iter().take_while(|b| **b == b'\\').count().max(1);
    }
}

/// The letters of the pseudonym that begins at `at`.
fn read(event: &[u8], at: usize) -> Option<Letters> {
    let mut at = OPEN.iter().try_fold(at, |at, wanted| {
        let (byte, next) = spelt(event, at)?;
        (byte == *wanted).then_some(next)
    })?;
    let mut letters = [0; LETTERS];
    let mut next = || {
        let (byte, next) = spelt(event, at)?;
        at = next;
        Some(byte)
    };
    // Whatever its key.
    for _ in 0..=LETTERS {
        if next()? == b':' {
            break;
        }
    }
    for letter in &mut letters {
        *letter = next()?;
    }
    Some(letters)
}

/// The ASCII character at `at`, as it is or as `\u00XX`, escaped however often; and what follows it.
pub(super) fn spelt(event: &[u8], at: usize) -> Option<(u8, usize)> {
    let first = *event.get(at)?;
    if first != b'\\' {
        return Some((first, at + 1));
    }
    let at = at + event[at..].iter().take_while(|b| **b == b'\\').count();
    let [b'u', b'0', b'0', high, low] = *event.get(at..at + 5)? else { return None };
    let digit = |b: u8| char::from(b).to_digit(16);
    Some(((digit(high)? << 4 | digit(low)?) as u8, at + 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudonyms_are_found_however_they_are_spelt() {
        let letters = b"gaoedbfjbooalghpanikcgkkmlpflhhp";
        for event in [
            "{\"[HMAC:k:gaoedbfjbooalghpanikcgkkmlpflhhp]\":1}",
            r"[[HMAC:2026-11:g\u0061oedbfjbooalghpanikcgkkmlpflhhp",
            r"\\\u005bHMAC\\\u003a2026:gaoedbfjbooalghpanikcgkkmlpflhhp]",
        ] {
            let mut there = HashSet::new();
            look(event.as_bytes(), &mut there);
            assert!(there.contains(letters) && there.len() == 1, "{event}");
        }
        let mut there = HashSet::new();
        look(b"[HMAC:k:gaoedbfjbooalghp [HMAC: [", &mut there);
        assert!(there.iter().all(|found| found != letters));
    }
}
