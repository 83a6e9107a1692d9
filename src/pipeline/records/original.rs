//! The original record as JSON, which is sealed into its dead letter.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use super::{
    block::{Block, Record},
    value::Value,
};

/// Returns the original value, or `None` if its bytes were not kept.
pub(super) fn value(block: &Block, record: &Record) -> Option<Vec<u8>> {
    let prefix = block.bytes(&record.prefix);
    Some(match (&record.packed, &record.value) {
        (_, Value::Refused(_) | Value::Stays(_)) => return None,
        (_, Value::Tombstone) => Vec::new(),
        (Some((_, range)), _) => block.bytes(range).to_vec(),
        (None, Value::Line { range, breaks }) => {
            let mut value = block.chunk().data()[range.clone()].to_vec();
            breaks.restore(&mut value, true, false);
            [prefix, &value].concat()
        }
        (None, Value::Whole(range)) => [prefix, block.bytes(range)].concat(),
        (None, Value::Lines { range, .. }) => {
            [prefix, &block.chunk().data()[range.clone()]].concat()
        }
    })
}

/// Returns the whole record, or `None` if it was too long for its bytes to be kept.
pub(super) fn original(block: &Block, record: &Record) -> Option<Vec<u8>> {
    let value = value(block, record)?;
    let value = match record.value {
        Value::Tombstone => Json::Null,
        _ => readable(&value),
    };
    let place = &block.places()[record.place];
    let part = |part: &Option<std::ops::Range<usize>>| match part {
        Some(range) => readable(block.bytes(range)),
        None => Json::Null,
    };
    let headers = block.headers(record).iter().map(|header| {
        let name = String::from_utf8_lossy(block.bytes(&header.name));
        json!({ "name": name, "value": part(&header.value) })
    });
    let origin = record.origin.as_deref();
    // A record that was rebuilt from its letter is not the original.
    if origin.is_some_and(|origin| !origin.is_whole) {
        return None;
    }
    let (topic, partition, offset) = match origin {
        None => (&place.topic, place.partition, record.offset),
        Some(origin) => (&origin.topic, origin.partition, origin.offset),
    };
    let mut whole = json!({
        "topic": &**topic,
        "partition": partition,
        "offset": offset,
        "timestamp": record.timestamp,
        "key": part(&record.key),
        "headers": headers.collect::<Vec<_>>(),
        "value": value,
    });
    if let Some(line) = origin.and_then(|origin| origin.line) {
        // The value is one line of the record's value.
        whole["line"] = line.into();
    }
    Some(whole.to_string().into_bytes())
}

/// Formats bytes as text if they are text.
fn readable(bytes: &[u8]) -> Json {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({ "base64": STANDARD.encode(bytes) }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::{
            block::{Incoming, Place},
            origin::Origin,
        },
        *,
    };

    #[test]
    fn what_is_replayed_is_sealed_for_where_it_stood_at_first() {
        let mut block = Block::default();
        let place = Place { id: 7, topic: "dead".into(), partition: 0 };
        for (line, is_whole) in [(None, true), (Some(2), true), (None, false)] {
            let (topic, attempts) = ("logs".into(), 1);
            let origin = Origin { topic, partition: 3, offset: 41, line, attempts, is_whole };
            let (origin, value) = (Some(&Arc::new(origin)), Some(&b"{}"[..]));
            block.push(&place, &Incoming { origin, value, ..Incoming::default() }, 1 << 10);
        }
        block.seal();
        let whole = |at: usize| original(&block, &block.records()[at]);
        let json = |at: usize| serde_json::from_slice::<Json>(&whole(at).unwrap()).unwrap();
        let parts = |at: usize| {
            ["topic", "partition", "offset", "line"].map(|key| json(at)[key].to_string())
        };
        assert_eq!(parts(0), ["\"logs\"", "3", "41", "null"]);
        assert_eq!(parts(1), ["\"logs\"", "3", "41", "2"]);
        // The content of a letter is not the original.
        assert_eq!(whole(2), None);
    }

    #[test]
    fn every_part_comes_back() {
        let mut block = Block::default();
        let place = Place { id: 7, topic: "logs".into(), partition: 3 };
        let headers: [(&str, Option<&[u8]>); 2] = [("a", Some(b"x")), ("b", None)];
        let record = Incoming {
            offset: 41,
            timestamp: Some(5),
            key: Some(b"\xff"),
            headers: &headers,
            value: Some(b"{\n\t\"a\": 1\r\n}"),
            ..Incoming::default()
        };
        block.push(&place, &record, 1 << 10);
        block.push(&place, &Incoming { value: None, key: None, headers: &[], ..record }, 1 << 10);
        block.push(&place, &record, 3);
        block.seal();
        let whole = |at: usize| original(&block, &block.records()[at]);
        let text = String::from_utf8(whole(0).unwrap()).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"topic":"logs","partition":3,"offset":41,"timestamp":5,"key":{"base64":"/w=="},"#,
                r#""headers":[{"name":"a","value":"x"},{"name":"b","value":null}],"#,
                r#""value":"{\n\t\"a\": 1\r\n}"}"#
            )
        );
        let tombstone: Json = serde_json::from_slice(&whole(1).unwrap()).unwrap();
        assert_eq!((&tombstone["value"], &tombstone["key"]), (&Json::Null, &Json::Null));
        assert_eq!(whole(2), None);
    }
}
