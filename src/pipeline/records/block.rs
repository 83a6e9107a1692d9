//! Records as they arrived: their values are the lines of a chunk, and keys and headers are stored
//! next to it.

use std::{ops::Range, sync::Arc};

use super::{
    origin::Origin,
    value::{Codec, Value, ValueFraming, prefix},
};
use crate::{
    engine::Chunk,
    pipeline::{EngineReason, Reason, Stays},
};

/// The most records of a block. Their results need memory, too.
pub(super) const MOST_RECORDS: usize = 2048;
/// The memory of a header, in addition to its bytes.
const HEADER: usize = size_of::<Header>();
/// The most lines of a block. A single record may have more.
pub(super) const MOST_LINES: usize = 64 << 10;
/// For records that are longer than this, memory is reserved exactly.
const LONG: usize = 64 << 10;

/// The partition that records were read from.
#[derive(Debug, Clone)]
pub struct Place {
    /// The id of the partition while it is assigned to this reader. No other has the same id.
    pub id: u64,
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the partition in the topic.
    pub partition: i32,
}

impl Place {
    /// Returns whether it is this partition of this topic.
    pub fn is(&self, topic: &str, partition: i32) -> bool {
        &*self.topic == topic && self.partition == partition
    }
}

/// The name and the value of a header, as ranges of its arena.
#[derive(Debug, Clone)]
pub struct Header {
    /// Its name, which is UTF-8.
    pub name: Range<usize>,
    /// Its value.
    pub value: Option<Range<usize>>,
}

/// A record.
#[derive(Debug, Clone)]
pub struct Record {
    /// An index into [`Block::places`].
    pub place: usize,
    /// An index into [`Block::sources`].
    pub source: u16,
    /// Its offset.
    pub offset: i64,
    /// Its first position, if it is replayed.
    pub origin: Option<Arc<Origin>>,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key, in the arena.
    pub key: Option<Range<usize>>,
    /// The range of its headers among those of the block.
    pub headers: Range<usize>,
    /// It had other headers, which cannot be forwarded.
    pub lost: bool,
    /// What precedes the text of its value and is kept unchanged, in the arena.
    pub prefix: Range<usize>,
    /// Its value as it arrived, in the arena, if that was compressed.
    pub packed: Option<(Codec, Range<usize>)>,
    /// Its value, without the prefix and decompressed.
    pub value: Value,
}

impl Record {
    /// Returns whether it is not judged.
    pub fn is_skipped(&self) -> bool {
        matches!(self.value, Value::Refused(Reason::Skipped | Reason::Poison) | Value::Stays(_))
    }
}

/// A record as a source provides it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Incoming<'a> {
    /// Its offset.
    pub offset: i64,
    /// Its first position, if it is replayed.
    pub origin: Option<&'a Arc<Origin>>,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
    /// It has other headers, which cannot be read.
    pub lost: bool,
    /// Its value, decompressed.
    pub value: Option<&'a [u8]>,
    /// Its value as it arrived, if that was compressed.
    pub packed: Option<(Codec, &'a [u8])>,
    /// The content of its value.
    pub framing: ValueFraming,
    /// The reason why it cannot be judged.
    pub refused: Option<Reason>,
}

/// A block of consecutive records.
#[derive(Default)]
pub struct Block {
    chunk: Chunk,
    arena: Vec<u8>,
    records: Vec<Record>,
    headers: Vec<Header>,
    places: Vec<Place>,
    sources: Vec<Arc<str>>,
    lines: usize,
}

impl Block {
    /// Forgets the records, and keeps the memory.
    pub fn clear(&mut self) {
        self.chunk.clear();
        self.arena.clear();
        self.records.clear();
        self.headers.clear();
        self.places.clear();
        self.sources.clear();
        self.lines = 0;
    }

    fn held(&self) -> usize {
        self.chunk.data().len() + self.arena.len() + HEADER * self.headers.len()
    }

    /// Returns whether it contains more than `usual` bytes, or more lines than a block of records
    /// with one line each.
    pub fn is_long(&self, usual: usize) -> bool {
        self.held() > usual || self.lines > 2 * MOST_RECORDS
    }

    /// Returns whether it contains `bytes`, or the most records allowed.
    pub fn is_full(&self, bytes: usize) -> bool {
        self.held() >= bytes || self.records.len() >= MOST_RECORDS || self.lines >= MOST_RECORDS
    }

    /// Adds a record. If a part of it is longer than `most`, or if it cannot be judged, only its
    /// position is added.
    pub fn push(&mut self, place: &Place, record: &Incoming<'_>, most: usize) {
        let at = self.place(place);
        let source = self.source(record.origin.map_or(&place.topic, |origin| &origin.topic));
        self.chunk.begin_source(source);
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let headers = record.headers.iter().map(|(name, value)| name.len() + length(*value));
        let headers = headers.map(|bytes| bytes + HEADER).sum::<usize>();
        let raw = record.packed.map_or(0, |(_, raw)| raw.len());
        let size = length(record.value).max(raw) + length(record.key) + headers;
        let first = self.headers.len();
        let long = (size > most).then_some(Reason::from(EngineReason::Oversize));
        let head = prefix(record.value.unwrap_or_default());
        let mut value = match long.or(record.refused).or(head.err()) {
            Some(reason) => Value::Refused(reason),
            None => Value::Tombstone,
        };
        let (mut key, mut prefix, mut packed) = (None, 0..0, None);
        if let (Value::Tombstone, Ok(head)) = (&value, head) {
            if size > LONG {
                self.make_room(record);
            }
            key = record.key.map(|key| self.keep(key));
            for (name, value) in record.headers {
                let name = self.keep(name.as_bytes());
                let value = value.map(|value| self.keep(value));
                self.headers.push(Header { name, value });
            }
            if let Some(whole) = record.value {
                prefix = self.keep(&whole[..head]);
                packed = record.packed.map(|(codec, bytes)| (codec, self.keep(bytes)));
                value = match record.framing {
                    ValueFraming::Event => Value::line(&mut self.chunk, &whole[head..]),
                    ValueFraming::Whole => Value::Whole(self.keep(&whole[head..])),
                    ValueFraming::Lines => {
                        Value::lines(&mut self.chunk, &whole[head..], MOST_LINES)
                    }
                };
            }
        }
        self.lines += value.count();
        let &Incoming { offset, timestamp, lost, .. } = record;
        let headers = first..self.headers.len();
        self.records.push(Record {
            place: at,
            source,
            offset,
            origin: record.origin.cloned(),
            timestamp,
            key,
            headers,
            lost,
            prefix,
            packed,
            value,
        });
    }

    /// Adds the position of a record that is not judged.
    pub fn skip(&mut self, place: &Place, offset: i64, timestamp: Option<i64>, why: Reason) {
        self.bare(place, offset, timestamp, Value::Refused(why));
    }

    /// Adds the position of a dead letter that is not replayed.
    pub fn stays(&mut self, place: &Place, offset: i64, why: Stays) {
        self.bare(place, offset, None, Value::Stays(why));
    }

    fn bare(&mut self, place: &Place, offset: i64, timestamp: Option<i64>, value: Value) {
        let source = self.source(&place.topic);
        let place = self.place(place);
        let (none, headers) = (self.arena.len(), self.headers.len());
        self.records.push(Record {
            place,
            source,
            offset,
            origin: None,
            timestamp,
            key: None,
            headers: headers..headers,
            lost: false,
            prefix: none..none,
            packed: None,
            value,
        });
    }

    /// Reserves memory for a long record.
    fn make_room(&mut self, record: &Incoming<'_>) {
        let value = record.value.map_or(0, <[u8]>::len);
        let raw = record.packed.map_or(0, |(_, raw)| raw.len());
        let key = record.key.map_or(0, <[u8]>::len);
        let kept = if record.framing == ValueFraming::Whole { value } else { 0 };
        self.arena.reserve_exact(raw + key + kept);
        self.chunk.reserve(value - kept);
    }

    fn place(&mut self, place: &Place) -> usize {
        let at = self.places.iter().position(|known| known.id == place.id);
        at.unwrap_or_else(|| {
            self.places.push(place.clone());
            self.places.len() - 1
        })
    }

    fn source(&mut self, topic: &Arc<str>) -> u16 {
        let at = self.sources.iter().position(|known| known == topic);
        at.unwrap_or_else(|| {
            self.sources.push(topic.clone());
            self.sources.len() - 1
        }) as u16
    }

    fn keep(&mut self, bytes: &[u8]) -> Range<usize> {
        let from = self.arena.len();
        self.arena.extend_from_slice(bytes);
        from..self.arena.len()
    }

    /// Completes the block.
    pub fn seal(&mut self) {
        self.chunk.seal();
    }

    /// The values, one line each, in the order of the records.
    pub fn chunk(&self) -> &Chunk {
        &self.chunk
    }

    /// The records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The partitions that they were read from.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// The topics of the records; for a replay, the original ones.
    pub fn sources(&self) -> &[Arc<str>] {
        &self.sources
    }

    /// The bytes of a key or of a header.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.arena[range.clone()]
    }

    /// A record's headers.
    pub fn headers(&self, record: &Record) -> &[Header] {
        &self.headers[record.headers.clone()]
    }

    /// Returns how far each of its partitions is read with it.
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

#[cfg(test)]
mod tests {
    use super::{super::value::Breaks, *};

    fn only(value: &[u8]) -> (Block, Range<usize>, Breaks) {
        let mut block = Block::default();
        let place = Place { id: 7, topic: "t".into(), partition: 0 };
        let record = Incoming { offset: 4, value: Some(value), ..Incoming::default() };
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
            key: Some(&long),
            headers: &headers,
            value: Some(&long),
            ..Incoming::default()
        };
        block.push(&place, &record, 100);
        block.seal();
        assert!(matches!(
            block.records()[0].value,
            Value::Refused(Reason::Judged(EngineReason::Oversize))
        ));
        assert_eq!((block.arena.len(), block.chunk.data().len()), (0, 0));
        assert_eq!(block.reaches(), [super::super::Reached { id: 7, offset: 42 }]);
    }
}
