//! The fields of an event that routes ask for, as the walk came by them: each occurrence, in order.

use super::Line;
use super::report::Kind;

/// One occurrence of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// Which of the names, from 0.
    pub(crate) field: u8,
    pub(crate) kind: Kind,
    /// The value: raw, without quotes; of an object or array, where it opens.
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The key, raw, without quotes.
    key: (u32, u32),
    /// The first quote after the value, in the line's.
    quote: u32,
}

/// The occurrences in the last event, and where the last one of a string stood.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) all: Vec<Occurrence>,
    place: Place,
}

/// Where a field stood in the event before: at this quote, and this is its key.
#[derive(Default)]
struct Place {
    quote: u32,
    field: u8,
    key: Vec<u8>,
}

impl Asked {
    #[inline(always)]
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }

    #[inline(never)]
    pub(super) fn add(&mut self, all: Occurrence) {
        self.all.push(all);
    }

    /// Remembers where the only occurrence in `line` stands.
    #[inline]
    pub(crate) fn remember(&mut self, line: &Line<'_>) {
        let [only] = &*self.all else { return };
        if only.kind != Kind::String
            || (only.quote, only.field) == (self.place.quote, self.place.field)
        {
            return;
        }
        (self.place.quote, self.place.field) = (only.quote, only.field);
        self.place.key.clear();
        self.place.key.extend_from_slice(&line.buf[only.key.0 as usize..only.key.1 as usize]);
    }

    /// What the only occurrence in `line` will be, if the event looks like the one before. It is
    /// perhaps none: the walk tells.
    #[inline]
    pub(crate) fn guess(&self, line: &Line<'_>) -> Option<Occurrence> {
        let place = &self.place;
        let from = (place.quote as usize).checked_sub(4)?;
        let &[a, b, start, end] = line.quotes.get(from..from + 4)? else { return None };
        let (key, value) = (&line.buf[a as usize + 1..b as usize], start + 1);
        let there = *key == *place.key && start == b + 2;
        there.then_some(Occurrence {
            field: place.field,
            kind: Kind::String,
            start: value,
            end,
            key: (a + 1, b),
            quote: place.quote,
        })
    }
}

impl Occurrence {
    pub(super) fn new(
        (field, kind): (u8, Kind),
        (start, end): (usize, usize),
        key: (u32, u32),
        quote: usize,
    ) -> Self {
        Self { field, kind, start: start as u32, end: end as u32, key, quote: quote as u32 }
    }
}
