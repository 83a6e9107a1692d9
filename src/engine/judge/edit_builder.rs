//! The edit builder: findings in raw bytes → edits and what takes their places.

use std::collections::HashMap;

use super::key_names::{KeyNames, spelt};
use crate::engine::detect::{Finding, With};
use crate::engine::memory;
use crate::engine::policy::Numbers;
use crate::engine::redact::pseudonym::Pseudonyms;
use crate::engine::redact::{Edit, Edits};
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::Line;

/// Quotes around placeholders are escaped at most so often: JSON in a string in JSON in a string.
const ESCAPED: u8 = 2;

/// Builds the edits of one event after another.
#[derive(Default)]
pub(crate) struct EditBuilder {
    /// The last event's edits.
    pub(crate) edits: Edits,
    /// The detector of each edit.
    pub(crate) detectors: Vec<u16>,
    /// Placeholder keys in the event, by container and detector: the last number.
    key_numbers: HashMap<(u32, u16), u32>,
    /// Pseudonyms in keys of the event.
    key_names: KeyNames,
}

impl EditBuilder {
    /// The bytes of memory that it holds.
    pub(super) fn memory(&self) -> usize {
        let Self { edits, detectors, key_numbers, key_names } = self;
        let numbers = key_numbers.capacity() * size_of::<((u32, u16), u32)>();
        let lists = memory::of(&edits.list) + memory::of(&edits.replacements);
        lists + memory::of(detectors) + numbers + key_names.memory()
    }

    /// Forgets the event.
    /// Makes room for the edits of so many findings, if they are many.
    pub(super) fn reserve(&mut self, findings: usize) {
        memory::reserve(&mut self.edits.list, findings);
        memory::reserve(&mut self.detectors, findings);
    }

    pub(super) fn clear(&mut self) {
        self.edits.clear();
        self.detectors.clear();
        self.key_numbers.clear();
        self.key_names.clear();
    }

    /// Turns a finding in the raw bytes of `line` into an edit. `pseudonyms` are those of the event.
    pub(super) fn add(
        &mut self,
        r: &Ruleset,
        f: &Finding,
        line: &Line<'_>,
        pseudonyms: &Pseudonyms,
    ) {
        let from = self.edits.replacements.len() as u32;
        let placeholder = &r.catalog.list[usize::from(f.detector)].placeholder;
        let pseudonym = pseudonyms.get(f.pseudonym);
        let token = pseudonym.unwrap_or(placeholder.as_bytes());
        let (mut start, mut end) = (f.start, f.end);
        let out = &mut self.edits.replacements;
        match f.with {
            With::Null => out.extend_from_slice(b"null"),
            With::Number(times) => match r.precedence.numbers {
                Numbers::Null => out.extend_from_slice(b"null"),
                Numbers::Zero => out.push(b'0'),
                Numbers::Placeholder => quoted(token, times, out),
            },
            // In text that is no field there is no whole of it.
            With::Placeholder | With::FieldNull | With::FieldGone => out.extend_from_slice(token),
            With::Quoted(times) => quoted(token, times, out),
            With::Member | With::Nothing => {}
            With::Mask(mask) => {
                (start, end) = (mask.from, mask.to);
                out.resize(from as usize + mask.stars as usize, b'*');
            }
            With::Truncated(a) => a.append(out),
            With::Key(container)
                if pseudonym
                    .is_some_and(|p| self.key_names.admit(p, container, (start, end), line)) =>
            {
                out.extend_from_slice(token);
            }
            With::Key(container) => self.add_key(container, f.detector, placeholder, line),
        }
        let with = (from, self.edits.replacements.len() as u32);
        self.edits.list.push(Edit { start, end, with });
        self.detectors.push(f.detector);
    }

    /// Appends a placeholder for a key.
    fn add_key(&mut self, container: u32, detector: u16, placeholder: &str, line: &Line<'_>) {
        let n = self.key_number(container, detector, placeholder, line);
        let out = &mut self.edits.replacements;
        out.extend_from_slice(&placeholder.as_bytes()[..placeholder.len() - 1]);
        if n > 1 {
            out.push(b'#');
            append_number(n, out);
        }
        out.push(b']');
    }

    /// The number of a placeholder key: unique among those of its object.
    fn key_number(&mut self, container: u32, id: u16, placeholder: &str, line: &Line<'_>) -> u32 {
        if let Some(n) = self.key_numbers.get_mut(&(container, id)) {
            *n += 1;
            return *n;
        }
        let bare = &placeholder.as_bytes()[..placeholder.len() - 1];
        // An event that went through Tamis before may have such keys already: begin after them.
        // Which objects have them is not asked: looking once is enough for all.
        let whole = (WHOLE_EVENT, id);
        let taken = match self.key_numbers.get(&whole) {
            Some(taken) => *taken,
            None => {
                let taken = highest(&line.buf[line.start..line.end], bare);
                self.key_numbers.insert(whole, taken);
                taken
            }
        };
        self.key_numbers.insert((container, id), taken + 1);
        taken + 1
    }
}

/// Appends `token` as a string, in quotes that are escaped so often; `null` where that is more often
/// than the memory formula counts with.
fn quoted(token: &[u8], times: u8, out: &mut Vec<u8>) {
    if times > ESCAPED {
        return out.extend_from_slice(b"null");
    }
    let quote = &br#"\\\""#[4 - (1 << times)..];
    out.extend_from_slice(quote);
    out.extend_from_slice(token);
    out.extend_from_slice(quote);
}

/// No container: where one would open, an event of this size would not be judged.
const WHOLE_EVENT: u32 = u32::MAX;

/// The highest number after `bare`, a placeholder without its bracket, anywhere in the event and
/// however it is spelt; 0 where there is none.
fn highest(event: &[u8], bare: &[u8]) -> u32 {
    let (mut at, mut highest) = (0, 0);
    while let Some(n) = memchr::memchr2(b'[', b'\\', &event[at..]) {
        at += n;
        let spelt = bare.iter().try_fold(at, |at, wanted| {
            let (byte, next) = spelt(event, at)?;
            (byte == *wanted).then_some(next)
        });
        if let Some(end) = spelt {
            highest = highest.max(number(event, end));
        }
        at += event[at..].iter().take_while(|b| **b == b'\\').count().max(1);
    }
    highest
}

/// The number after `#` at `at`; 1 where there is none.
fn number(event: &[u8], at: usize) -> u32 {
    let Some((b'#', mut at)) = spelt(event, at) else { return 1 };
    let mut number = 0;
    while let Some((digit @ b'0'..=b'9', next)) = spelt(event, at)
        && number < 100_000_000
    {
        (number, at) = (10 * number + u32::from(digit - b'0'), next);
    }
    number.max(1)
}

fn append_number(n: u32, out: &mut Vec<u8>) {
    if n > 9 {
        append_number(n / 10, out);
    }
    out.push(b'0' + (n % 10) as u8);
}

#[cfg(test)]
mod tests {
    use super::highest;

    #[test]
    fn numbers_are_found_however_they_are_spelt() {
        for (event, want) in [
            ("{}", 0),
            ("[REDACTED:emai", 0),
            ("[REDACTED:email]", 1),
            ("[REDACTED:email#3] [REDACTED:email#12] [REDACTED:email]", 12),
            (r"\u005bREDACTED:email]", 1),
            (r"\u005BRED\u0041CTED:email\u0023\u0037]", 7),
            (r"\\\u005bREDACTED:\\\u0065mail#2]", 2),
            (r"\n\u005c[REDACTED:email#2]", 2),
            (r"\u005xREDACTED:email", 0),
        ] {
            assert_eq!(highest(event.as_bytes(), b"[REDACTED:email"), want, "{event}");
        }
    }
}
