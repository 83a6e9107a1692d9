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

/// The most occurrences of an event that are noted, and the most places that are remembered.
const MOST: usize = 16;
const PLACES: usize = 4;
/// The field of an occurrence that stands for more than are noted: nothing is known of any field.
pub(crate) const MORE: u8 = u8::MAX;

/// The occurrences in the last event, and where they stood, if all were strings.
#[derive(Default)]
pub(crate) struct Asked {
    pub(crate) all: Vec<Occurrence>,
    /// The first `known` of these count; the others keep their memory.
    places: Vec<Place>,
    known: usize,
    guessed: Vec<Occurrence>,
}

/// Where a field stood in the event before: before this quote, with this key.
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
    pub(super) fn add(&mut self, mut occurrence: Occurrence) {
        match self.all.len() {
            MOST.. => {}
            len => {
                if len + 1 == MOST {
                    occurrence.field = MORE;
                }
                self.all.push(occurrence);
            }
        }
    }

    /// Remembers where the occurrences in `line` stand.
    #[inline]
    pub(crate) fn remember(&mut self, line: &Line<'_>) {
        let same = self.known == self.all.len()
            && self.places.iter().zip(&self.all).all(|(place, now)| {
                (place.quote, place.field, Kind::String) == (now.quote, now.field, now.kind)
            });
        if !same {
            self.learn(line);
        }
    }

    #[inline(never)]
    fn learn(&mut self, line: &Line<'_>) {
        let strings = self.all.iter().all(|occurrence| occurrence.kind == Kind::String);
        self.known = if strings && self.all.len() <= PLACES { self.all.len() } else { 0 };
        let all = self.all[..self.known].iter().enumerate();
        for (at, Occurrence { field, key, quote, .. }) in all {
            if at == self.places.len() {
                self.places.push(Place { quote: 0, field: 0, key: Vec::new() });
            }
            let place = &mut self.places[at];
            (place.quote, place.field) = (*quote, *field);
            place.key.clear();
            place.key.extend_from_slice(&line.buf[key.0 as usize..key.1 as usize]);
        }
    }

    /// What the occurrences in `line` will be, if the event looks like the one before. Perhaps there are
    /// others: the walk tells.
    #[inline]
    pub(crate) fn guess(&mut self, line: &Line<'_>) -> Option<&[Occurrence]> {
        self.guessed.clear();
        for place in &self.places[..self.known] {
            let from = (place.quote as usize).checked_sub(4)?;
            let &[a, b, start, end] = line.quotes.get(from..from + 4)? else { return None };
            let key = &line.buf[a as usize + 1..b as usize];
            if *key != *place.key || start != b + 2 {
                return None;
            }
            self.guessed.push(Occurrence {
                field: place.field,
                kind: Kind::String,
                start: start + 1,
                end,
                key: (a + 1, b),
                quote: place.quote,
            });
        }
        (!self.guessed.is_empty()).then_some(&self.guessed)
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
