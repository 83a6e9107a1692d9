//! Converts dead letters to their original records, up to the end offsets of their topics at the
//! start.

use std::{collections::BTreeMap, sync::Arc};

use rdkafka::{Message as _, message::BorrowedMessage};

use super::arrival::{Arrival, Came};
use crate::{
    compression::{Encoder, Format},
    dead_letter::{Original, Part, RecordLetter, ReplayTerms},
    kafka::{Routes, headers},
    pipeline::{
        Reason, Stays,
        records::{Block, Codec, Incoming, Place, ValueFraming, prefix},
    },
};

/// Reduces a value that does not consist of lines to the parts for which the function returns true,
/// by number from 1. Returns `None` if there are none.
pub type Narrow = Arc<dyn Fn(&[u8], &dyn Fn(u32) -> bool) -> Option<Vec<u8>> + Send + Sync>;

/// The settings of a replay.
pub struct DeadLetters {
    /// Decides whether a dead letter is replayed.
    pub terms: ReplayTerms,
    /// Decides of which topics records are replayed.
    pub routes: Routes,
    /// Selects log records in a value.
    pub narrow: Narrow,
    /// The end offsets of partitions at the start; later dead letters are left for the next replay.
    pub ends: BTreeMap<(String, i32), i64>,
}

impl DeadLetters {
    /// Returns the end offset of a partition.
    pub(super) fn end(&self, place: &Place) -> i64 {
        // A partition that appears later is left for the next replay.
        self.ends.get(&(place.topic.to_string(), place.partition)).copied().unwrap_or_default()
    }

    /// Adds the original of a dead letter to a block, or records why it is not replayed.
    pub(super) fn push(
        &self,
        arrival: &mut Arrival,
        block: &mut Block,
        place: &Place,
        message: &BorrowedMessage<'_>,
        skips: &[(i64, Reason)],
    ) {
        let offset = message.offset();
        if skips.iter().any(|(skipped, _)| *skipped == offset) {
            return block.stays(place, offset, Stays::Skipped);
        }
        let mut all = Vec::new();
        headers(message, &mut all);
        let letter = RecordLetter { key: message.key(), value: message.payload(), headers: &all };
        let original = self.terms.record(&letter, &|topic| self.routes.covers(topic));
        let pushed =
            original.and_then(|original| self.take(arrival, block, place, offset, original));
        if let Err(why) = pushed {
            block.stays(place, offset, why);
        }
    }

    /// Adds an original to a block, as if it were read from its topic.
    fn take(
        &self,
        arrival: &mut Arrival,
        block: &mut Block,
        place: &Place,
        offset: i64,
        original: Original,
    ) -> Result<(), Stays> {
        let Original { origin, timestamp, key, headers, value, part } = original;
        let (most, framing) = (arrival.most, arrival.framing);
        let mut came = arrival.came(value.as_deref());
        let narrowed;
        if part != Part::Whole {
            narrowed = self.narrowed(&came, framing, &part).ok_or(Stays::InPart)?;
            came = narrowed.came();
        }
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect();
        let Came { value, packed, refused } = came;
        let record = Incoming {
            offset,
            origin: Some(&Arc::new(origin)),
            timestamp,
            key: key.as_deref(),
            headers: &headers,
            lost: false,
            value,
            packed,
            framing,
            refused,
        };
        block.push(place, &record, most);
        Ok(())
    }

    /// Reduces a value to the parts that a dead letter is about. A compressed value is compressed
    /// again.
    fn narrowed(&self, came: &Came<'_>, framing: ValueFraming, part: &Part) -> Option<Narrowed> {
        let value = came.value.filter(|_| came.refused.is_none())?;
        let head = prefix(value).ok()?;
        let (head, text) = value.split_at(head);
        let keeps = |number| part.has(number);
        let kept = match framing {
            ValueFraming::Whole => (self.narrow)(text, &keeps).or_else(|| only(text, &keeps)),
            ValueFraming::Lines => lines(text, &keeps),
            // The framing was different when the dead letter was written.
            ValueFraming::Event => (self.narrow)(text, &keeps).or_else(|| lines(text, &keeps)),
        };
        let text = [head, &kept?].concat();
        let packed = match came.packed {
            Some((codec, _)) => Some((codec, compressed(codec, &text)?)),
            None => None,
        };
        Some(Narrowed { text, packed })
    }
}

/// A value that was reduced to some of its parts.
struct Narrowed {
    text: Vec<u8>,
    packed: Option<(Codec, Vec<u8>)>,
}

impl Narrowed {
    fn came(&self) -> Came<'_> {
        let packed = self.packed.as_ref().map(|(codec, bytes)| (*codec, bytes.as_slice()));
        Came { value: Some(&self.text), packed, refused: None }
    }
}

/// Returns a value that is a single event, if part 1 is selected.
fn only(text: &[u8], keeps: &dyn Fn(u32) -> bool) -> Option<Vec<u8>> {
    keeps(1).then(|| text.to_vec())
}

/// Returns the selected lines of a value. The last one has a line end if the last line of the value
/// has one.
fn lines(text: &[u8], keeps: &dyn Fn(u32) -> bool) -> Option<Vec<u8>> {
    let ended = text.last() == Some(&b'\n');
    let all = text[..text.len() - usize::from(ended)].split(|byte| *byte == b'\n');
    let kept: Vec<_> =
        (1..).zip(all).filter(|(number, _)| keeps(*number)).map(|(_, l)| l).collect();
    if kept.is_empty() {
        return None;
    }
    let mut kept = kept.join(&b'\n');
    if ended {
        kept.push(b'\n');
    }
    Some(kept)
}

fn compressed(codec: Codec, text: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(match codec {
        Codec::Gzip => Format::Gzip,
        Codec::Zstd => Format::Zstd,
    })
    .ok()?;
    Some([encoder.write(text).ok()?, encoder.finish().ok()?].concat())
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::pipeline::records::{Origin, Value};

    fn letters() -> DeadLetters {
        let routes = Routes::new(["logs"].into_iter(), [].into_iter(), "clean", Some("dead"));
        // A format like OTLP: the bytes after `#` are the parts.
        let narrow: Narrow = Arc::new(|text, keeps| {
            let rest = text.strip_prefix(b"#")?;
            let kept = (1..).zip(rest).filter(|(number, _)| keeps(*number));
            let kept: Vec<u8> = kept.map(|(_, byte)| *byte).collect();
            (!kept.is_empty()).then(|| [b"#", &kept[..]].concat())
        });
        let terms = ReplayTerms { identities: None, attempts: 3, max_event_bytes: 1 << 10 };
        let ends = [(("dead".to_owned(), 1), 9)].into();
        DeadLetters { terms, routes: routes.unwrap(), narrow, ends }
    }

    /// Returns the compressed bytes and the text that a block has for this original.
    fn taken(framing: ValueFraming, value: &[u8], part: Part) -> Result<(Vec<u8>, Vec<u8>), Stays> {
        let mut arrival = Arrival::new(1 << 10, framing);
        let (mut block, place) =
            (Block::default(), Place { id: 1, topic: "dead".into(), partition: 1 });
        let origin = Origin {
            topic: "logs".into(),
            partition: 3,
            offset: 41,
            line: None,
            attempts: 1,
            is_whole: true,
        };
        let original = Original {
            origin: origin.clone(),
            timestamp: Some(5),
            key: Some(b"k".to_vec()),
            headers: vec![("a".into(), None)],
            value: Some(value.to_vec()),
            part,
        };
        letters().take(&mut arrival, &mut block, &place, 7, original)?;
        let record = &block.records()[0];
        assert_eq!((record.origin.as_deref(), record.offset), (Some(&origin), 7));
        assert_eq!((record.timestamp, block.headers(record).len()), (Some(5), 1));
        assert_eq!(block.bytes(record.key.as_ref().unwrap()), b"k");
        let text = match &record.value {
            Value::Line { range, .. } | Value::Lines { range, .. } => {
                &block.chunk().data()[range.clone()]
            }
            Value::Whole(range) => block.bytes(range),
            other => panic!("{other:?}"),
        };
        let packed = record.packed.as_ref().map(|(_, range)| block.bytes(range).to_vec());
        Ok((packed.unwrap_or_default(), [block.bytes(&record.prefix), text].concat()))
    }

    #[test]
    fn of_lines_only_those_come_that_a_letter_is_about() {
        let of = |value: &[u8], part| {
            let (packed, text) = taken(ValueFraming::Lines, value, part).ok()?;
            assert!(packed.is_empty());
            Some(String::from_utf8_lossy(&text).into_owned())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(b"a\nb\nc", Part::Only(2)), some("b"));
        assert_eq!(of(b"a\n\nc\n", Part::Only(3)), some("c\n"));
        assert_eq!(of(b"a\n\nc\n", Part::Only(4)), None);
        assert_eq!(of(b"a\nb\nc\n", Part::Only(0)), None);
        assert_eq!(of(b"a\nb\nc\n", Part::Without(vec![2])), some("a\nc\n"));
        assert_eq!(of(b"a\nb\nc\n", Part::Whole), some("a\nb\nc\n"));
        assert_eq!(of(b"\0\0\0\0\x07{}\n{\"n\":2}", Part::Only(2)), some("\0\0\0\0\x07{\"n\":2}"));
        assert_eq!(of(b"\0\0\0\0\x07\x08", Part::Only(1)), None);
    }

    proptest! {
        /// Each line is replayed exactly once by the dead letters of lines and the one for the
        /// rest.
        #[test]
        fn no_line_is_lost_or_comes_twice(
            mut all in vec(("[a-z ]{0,3}", any::<bool>()), 0..20),
            last in ("[a-z]", any::<bool>()),
            ended in any::<bool>(),
        ) {
            all.push(last);
            let texts: Vec<_> = all.iter().map(|(text, _)| text.as_str()).collect();
            let value = texts.join("\n") + if ended { "\n" } else { "" };
            let refused = (1..).zip(&all).filter(|(_, (_, refused))| *refused);
            let others: Vec<u32> = refused.map(|(number, _)| number).collect();
            let parts = others.iter().map(|number| Part::Only(*number));
            let mut came = vec![String::new(); texts.len()];
            for part in parts.chain([Part::Without(others.clone())]) {
                let Ok((_, text)) = taken(ValueFraming::Lines, value.as_bytes(), part.clone()) else {
                    prop_assert_eq!(others.len(), texts.len());
                    continue;
                };
                let text = String::from_utf8(text).unwrap();
                prop_assert!(!ended || text.ends_with('\n'));
                let lines = text.strip_suffix('\n').filter(|_| ended).unwrap_or(&text).split('\n');
                let numbers = (1..=texts.len() as u32).filter(|number| part.has(*number));
                for (number, line) in numbers.zip(lines) {
                    came[number as usize - 1] += &format!("<{line}>");
                }
            }
            let wanted: Vec<_> = texts.iter().map(|text| format!("<{text}>")).collect();
            prop_assert_eq!(came, wanted);
        }
    }

    #[test]
    fn of_log_records_and_of_what_has_another_form_now_as_well() {
        let of = |framing, value: &[u8], part| {
            let (_, text) = taken(framing, value, part).ok()?;
            Some(String::from_utf8(text).unwrap())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(of(ValueFraming::Whole, b"#abc", Part::Only(2)), some("#b"));
        assert_eq!(of(ValueFraming::Whole, b"#abc", Part::Without(vec![2])), some("#ac"));
        assert_eq!(of(ValueFraming::Whole, b"{}", Part::Only(1)), some("{}"));
        assert_eq!(of(ValueFraming::Whole, b"{}", Part::Only(2)), None);
        assert_eq!(of(ValueFraming::Event, b"#abc", Part::Only(3)), some("#c"));
        assert_eq!(of(ValueFraming::Event, b"a\nb", Part::Only(2)), some("b"));
        // If the framing was lines, log records are treated as lines.
        assert_eq!(of(ValueFraming::Lines, b"#abc", Part::Only(1)), some("#abc"));
    }

    #[test]
    fn what_came_compressed_is_so_again() {
        for codec in [Codec::Gzip, Codec::Zstd] {
            let pack = |text: &[u8]| compressed(codec, text).unwrap();
            let whole = pack(b"a\nb\n");
            let as_it_came = taken(ValueFraming::Lines, &whole, Part::Whole).unwrap();
            assert_eq!(as_it_came, (whole.clone(), b"a\nb\n".to_vec()));
            let second = taken(ValueFraming::Lines, &whole, Part::Only(2)).unwrap();
            assert_eq!(second, (pack(b"b\n"), b"b\n".to_vec()));
            let damaged = taken(ValueFraming::Lines, &whole[..whole.len() - 3], Part::Only(2));
            assert_eq!(damaged, Err(Stays::InPart));
        }
    }

    #[test]
    fn what_came_later_is_for_the_next_time() {
        let place = |partition| Place { id: 1, topic: "dead".into(), partition };
        assert_eq!([1, 2].map(|partition| letters().end(&place(partition))), [9, 0]);
    }
}
