//! Findings → edits.

use super::Judge;
use crate::engine::detect::{Finding, With};
use crate::engine::policy::Numbers;
use crate::engine::redact::Edit;
use crate::engine::ruleset::Ruleset;
use crate::engine::walk::Line;

/// Quotes around placeholders are escaped at most so often: JSON in a string in JSON in a string.
const ESCAPED: u8 = 2;

impl Judge {
    /// Turns a finding in raw bytes into an edit.
    pub(super) fn edit(&mut self, r: &Ruleset, f: &Finding, line: &Line<'_>) {
        let from = self.replacements.len() as u32;
        let placeholder = &r.catalog.list[usize::from(f.detector)].placeholder;
        let pseudonym = self.scratch.pseudonyms.get(f.pseudonym);
        let token = pseudonym.unwrap_or(placeholder.as_bytes());
        let (mut start, mut end) = (f.start, f.end);
        match f.with {
            With::Null => self.replacements.extend_from_slice(b"null"),
            With::Number(times) => match r.precedence.numbers {
                Numbers::Null => self.replacements.extend_from_slice(b"null"),
                Numbers::Zero => self.replacements.push(b'0'),
                Numbers::Placeholder => quoted(token, times, &mut self.replacements),
            },
            // In text that is no field there is no whole of it.
            With::Placeholder | With::FieldNull | With::FieldGone => {
                self.replacements.extend_from_slice(token);
            }
            With::Quoted(times) => quoted(token, times, &mut self.replacements),
            With::Member | With::Nothing => {}
            With::Mask(mask) => {
                (start, end) = (mask.from, mask.to);
                self.replacements.resize(from as usize + mask.stars as usize, b'*');
            }
            With::Truncated(a) => a.append(&mut self.replacements),
            With::Key(container)
                if pseudonym
                    .is_some_and(|p| self.key_names.admit(p, container, (start, end), line)) =>
            {
                self.replacements.extend_from_slice(token);
            }
            With::Key(container) => {
                let n = self.key_number(container, f.detector, placeholder, line);
                let bare = &placeholder.as_bytes()[..placeholder.len() - 1];
                self.replacements.extend_from_slice(bare);
                if n > 1 {
                    self.replacements.push(b'#');
                    append_number(n, &mut self.replacements);
                }
                self.replacements.push(b']');
            }
        }
        let with = (from, self.replacements.len() as u32);
        self.edits.push(Edit { start, end, with });
        self.detectors.push(f.detector);
    }

    /// The number of a placeholder key: unique among those of its object.
    fn key_number(&mut self, container: u32, id: u16, placeholder: &str, line: &Line<'_>) -> u32 {
        if let Some(n) = self.keys.get_mut(&(container, id)) {
            *n += 1;
            return *n;
        }
        let bare = &placeholder.as_bytes()[..placeholder.len() - 1];
        // An event that went through Tamis before may have such keys already: begin after them.
        // Which objects have them is not asked: looking once is enough for all.
        let whole = (WHOLE_EVENT, id);
        let taken = match self.keys.get(&whole) {
            Some(taken) => *taken,
            None => {
                let taken = highest(&line.buf[line.start..line.end], bare);
                self.keys.insert(whole, taken);
                taken
            }
        };
        self.keys.insert((container, id), taken + 1);
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

/// The highest number behind `bare`, a placeholder without its bracket, anywhere in the event and
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
