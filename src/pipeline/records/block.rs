//! Records as they came: their values are the lines of a chunk, keys and headers stand beside it.

use std::{ops::Range, sync::Arc};

use memchr::{memchr, memchr_iter};

use crate::engine::{Chunk, Reason};

/// A block has no more records than this: memory is for what they come to.
const MOST_RECORDS: usize = 8192;
/// What a header costs beside its bytes.
const HEADER: usize = size_of::<Header>();
/// What stands for a line end inside a value while that is judged. Both are white space of JSON's,
/// and, as a line end, forbidden inside its strings.
const STAND_INS: [u8; 2] = [b'\t', b'\r'];

/// Where records come from.
#[derive(Debug, Clone)]
pub struct Place {
    /// Of this partition, for as long as it is this reader's; no other has it.
    pub id: u64,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition's number in it.
    pub partition: i32,
}

/// A header's name and value, as ranges of the arena that it is in.
#[derive(Debug, Clone)]
pub struct Header {
    /// Its name, which is UTF-8.
    pub name: Range<usize>,
    /// Its value.
    pub value: Option<Range<usize>>,
}

/// A record's value.
#[derive(Debug, Clone)]
pub enum Value {
    /// There is none.
    Tombstone,
    /// A line of the chunk, its end apart.
    Line {
        /// Where in the chunk's data.
        range: Range<usize>,
        /// Where line ends were.
        breaks: Breaks,
    },
    /// Longer than any may be, with its key and headers; nothing of these is kept.
    Oversize(u64),
    /// It is not to be judged; nothing of it is kept.
    Skipped(Reason),
}

/// How the line ends inside a value are found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Breaks {
    /// There are none.
    None,
    /// They are this byte now, which the value had not.
    As(u8),
    /// They were here, in the value, and are `\r` now, as others are.
    At(Vec<u32>),
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// Which of [`Block::places`].
    pub place: usize,
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key, in the arena.
    pub key: Option<Range<usize>>,
    /// Which of the block's headers.
    pub headers: Range<usize>,
    /// Its value.
    pub value: Value,
}

impl Record {
    /// Whether it is not to be judged.
    pub fn is_skipped(&self) -> bool {
        matches!(self.value, Value::Skipped(_))
    }
}

/// A record as a source has it.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// A run of records.
#[derive(Default)]
pub struct Block {
    chunk: Chunk,
    arena: Vec<u8>,
    records: Vec<Record>,
    headers: Vec<Header>,
    places: Vec<Place>,
}

impl Block {
    /// Forgets the records, keeps the memory.
    pub fn clear(&mut self) {
        self.chunk.clear();
        self.arena.clear();
        self.records.clear();
        self.headers.clear();
        self.places.clear();
    }

    /// Whether it holds `bytes`, or as many records as it may.
    pub fn is_full(&self, bytes: usize) -> bool {
        let held = self.chunk.data().len() + self.arena.len() + HEADER * self.headers.len();
        held >= bytes || self.records.len() >= MOST_RECORDS
    }

    /// Adds a record; of one whose parts are longer than `most`, only where it stood.
    pub fn push(&mut self, place: &Place, record: &Incoming<'_>, most: usize) {
        let at = self.place(place);
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers = record.headers.iter().map(|(name, value)| name.len() + length(*value));
        let headers = headers.map(|bytes| bytes + HEADER).sum::<usize>();
        let size = length(record.value) + length(record.key) + headers;
        let first = self.headers.len();
        let (mut key, mut value) = (None, Value::Oversize(size as u64));
        if size <= most {
            key = record.key.map(|key| self.keep(key));
            for (name, value) in record.headers {
                let name = self.keep(name.as_bytes());
                let value = value.map(|value| self.keep(value));
                self.headers.push(Header { name, value });
            }
            value = record.value.map_or(Value::Tombstone, |value| self.line(value));
        }
        let &Incoming { offset, timestamp, .. } = record;
        let headers = first..self.headers.len();
        self.records.push(Record { place: at, offset, timestamp, key, headers, value });
    }

    /// Adds a record that is not to be judged: only where it stood.
    pub fn skip(&mut self, place: &Place, offset: i64, timestamp: Option<i64>, why: Reason) {
        let place = self.place(place);
        let headers = self.headers.len()..self.headers.len();
        let value = Value::Skipped(why);
        self.records.push(Record { place, offset, timestamp, key: None, headers, value });
    }

    fn place(&mut self, place: &Place) -> usize {
        let at = self.places.iter().position(|known| known.id == place.id);
        at.unwrap_or_else(|| {
            self.places.push(place.clone());
            self.places.len() - 1
        })
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.arena.len();
        self.arena.extend_from_slice(bytes);
        from..self.arena.len()
    }

    /// A value as a line. A byte order mark says nothing that is not known.
    fn line(&mut self, value: &[u8]) -> Value {
        let value = value.strip_prefix(b"\xef\xbb\xbf").unwrap_or(value);
        let start = self.chunk.data().len();
        let breaks = if memchr(b'\n', value).is_none() {
            self.chunk.extend(value);
            Breaks::None
        } else {
            let unused = STAND_INS.into_iter().find(|byte| memchr(*byte, value).is_none());
            let stand_in = unused.unwrap_or(b'\r');
            let room = self.chunk.spare(value.len());
            room.copy_from_slice(value);
            room.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = stand_in);
            self.chunk.commit(value.len());
            match unused {
                Some(byte) => Breaks::As(byte),
                None => Breaks::At(memchr_iter(b'\n', value).map(|at| at as u32).collect()),
            }
        };
        let range = start..self.chunk.data().len();
        self.chunk.extend(b"\n");
        Value::Line { range, breaks }
    }

    /// No record comes any more.
    pub fn seal(&mut self) {
        self.chunk.seal();
    }

    /// Values, a line each, in the records' order.
    pub fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// The records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Where they come from.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Bytes of a key, or of a header.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.arena[range.clone()]
    }

    /// A record's headers.
    pub fn headers(&self, record: &Record) -> &[Header] {
        &self.headers[record.headers.clone()]
    }

    /// How far each of its partitions is read with it.
    pub fn reaches(&self) -> Vec<super::Reached> {
        let mut reached: Vec<_> =
            self.places.iter().map(|place| super::Reached { id: place.id, offset: 0 }).collect();
        for record in &self.records {
            let reached = &mut reached[record.place];
            reached.offset = reached.offset.max(record.offset + 1);
        }
        reached
    }
}

impl Breaks {
    /// Puts line ends back into what became of a value: as it was (`same`), redacted, or, as text that
    /// is `wrapped` into an event, written as an escape.
    pub fn restore(&self, bytes: &mut [u8], same: bool, wrapped: bool) {
        match self {
            Self::None => {}
            // Others that were `\r` all along cannot be told apart any more.
            Self::At(places) if same => {
                places.iter().for_each(|at| bytes[*at as usize] = b'\n');
            }
            Self::At(_) => {}
            Self::As(byte) if wrapped => {
                let letter = if *byte == b'\t' { b't' } else { b'r' };
                let mut at = 0;
                while let Some(slash) = memchr(b'\\', &bytes[at..]) {
                    let escaped = at + slash + 1;
                    if bytes.get(escaped) == Some(&letter) {
                        bytes[escaped] = b'n';
                    }
                    at = (escaped + 1).min(bytes.len());
                }
            }
            Self::As(stand_in) => {
                bytes.iter_mut().filter(|byte| *byte == stand_in).for_each(|byte| *byte = b'\n');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(value: &[u8]) -> (Block, Range<usize>, Breaks) {
        let mut block = Block::default();
        let place = Place { id: 7, topic: "t".into(), partition: 0 };
        let record =
            Incoming { offset: 4, timestamp: None, key: None, headers: &[], value: Some(value) };
        block.push(&place, &record, 1 << 10);
        block.seal();
        let Value::Line { range, breaks } = block.records()[0].value.clone() else { panic!() };
        (block, range, breaks)
    }

    #[test]
    fn line_ends_inside_a_value_come_back() {
        for value in ["{\n  \"a\": 1\n}\n", "{\n\t\"a\": 1\n}", "{\r\n\t\"a\": 1\r\n}"] {
            let (block, range, breaks) = only(value.as_bytes());
            let mut line = block.chunk().data()[range].to_vec();
            assert!(!line.contains(&b'\n'), "{value:?}");
            assert_eq!(block.chunk().data().len(), value.len() + 1);
            breaks.restore(&mut line, true, false);
            assert_eq!(line, value.as_bytes());
        }
        let (_, _, breaks) = only(b"a\nb");
        let mut wrapped = br#"{"message":"a\tb\\t"}"#.to_vec();
        breaks.restore(&mut wrapped, false, true);
        assert_eq!(wrapped, br#"{"message":"a\nb\\t"}"#);
    }

    #[test]
    fn what_is_too_long_costs_nothing() {
        let mut block = Block::default();
        let place = Place { id: 7, topic: "t".into(), partition: 0 };
        let long = [b'x'; 60];
        let headers: [(&str, Option<&[u8]>); 1] = [("name", Some(&long))];
        let record = Incoming {
            offset: 41,
            timestamp: None,
            key: Some(&long),
            headers: &headers,
            value: Some(&long),
        };
        block.push(&place, &record, 100);
        block.seal();
        assert!(matches!(block.records()[0].value, Value::Oversize(_)));
        assert_eq!((block.arena.len(), block.chunk.data().len()), (0, 0));
        assert_eq!(block.reaches(), [super::super::Reached { id: 7, offset: 42 }]);
    }
}
