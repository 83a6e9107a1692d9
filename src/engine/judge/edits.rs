//! Findings → edits.

use super::Judge;
use crate::engine::detect::{Detectors, Finding, With};
use crate::engine::policy::Numbers;
use crate::engine::redact::Edit;
use crate::engine::walk::Line;

impl Judge {
    /// Turns a finding in raw bytes into an edit.
    pub(super) fn edit(&mut self, d: &Detectors, f: &Finding, line: &Line<'_>) {
        let from = self.replacements.len() as u32;
        let placeholder = &d.list[usize::from(f.detector)].placeholder;
        let (mut start, mut end) = (f.start, f.end);
        match f.with {
            With::Null => self.replacements.extend_from_slice(b"null"),
            With::Number => match d.precedence.numbers {
                Numbers::Null => self.replacements.extend_from_slice(b"null"),
                Numbers::Zero => self.replacements.push(b'0'),
                Numbers::Placeholder => self.quoted(placeholder),
            },
            // In text that is no field there is no whole of it.
            With::Placeholder | With::FieldNull | With::FieldGone => {
                self.replacements.extend_from_slice(placeholder.as_bytes());
            }
            With::Quoted => self.quoted(placeholder),
            With::Member | With::Nothing => {}
            With::Mask(mask) => {
                (start, end) = (mask.from, mask.to);
                self.replacements.resize(from as usize + mask.stars as usize, b'*');
            }
            With::Truncated(a) => a.append(&mut self.replacements),
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

    fn quoted(&mut self, placeholder: &str) {
        self.replacements.push(b'"');
        self.replacements.extend_from_slice(placeholder.as_bytes());
        self.replacements.push(b'"');
    }

    /// The number of a placeholder key: unique among those of its object.
    fn key_number(&mut self, container: u32, id: u16, placeholder: &str, line: &Line<'_>) -> u32 {
        if let Some(n) = self.keys.get_mut(&(container, id)) {
            *n += 1;
            return *n;
        }
        // An event that went through Tamis before may have such keys already: begin behind them.
        // Which objects have them is not asked: looking once is enough for all.
        let whole = (WHOLE_EVENT, id);
        let taken = match self.keys.get(&whole) {
            Some(taken) => *taken,
            None => {
                let taken = taken(&line.buf[line.start..line.end], placeholder);
                self.keys.insert(whole, taken);
                taken
            }
        };
        self.keys.insert((container, id), taken + 1);
        taken + 1
    }
}

/// No container: where one would open, an event of this size would not be judged.
const WHOLE_EVENT: u32 = u32::MAX;

/// The highest number of a placeholder key in `event`; 0 if there is none.
fn taken(event: &[u8], placeholder: &str) -> u32 {
    let bare = &placeholder.as_bytes()[..placeholder.len() - 1];
    memchr::memmem::find_iter(event, bare)
        .map(|at| {
            let rest = &event[at + bare.len()..];
            let digits = rest.strip_prefix(b"#").unwrap_or(&[]);
            let len = digits.iter().take_while(|b| b.is_ascii_digit()).count().min(9);
            std::str::from_utf8(&digits[..len]).ok().and_then(|n| n.parse().ok()).unwrap_or(1)
        })
        .max()
        .unwrap_or(0)
}

fn append_number(n: u32, out: &mut Vec<u8>) {
    if n > 9 {
        append_number(n / 10, out);
    }
    out.push(b'0' + (n % 10) as u8);
}
