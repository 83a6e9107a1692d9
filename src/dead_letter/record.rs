//! A dead letter in a topic: a record whose headers describe the original record.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{ReplayTerms, longest};
use crate::pipeline::{
    Stays,
    records::{HOP, Origin, names},
};

/// A header's name and value.
type Header<'a> = (&'a str, Option<&'a [u8]>);

/// A dead letter as it was read.
#[derive(Clone, Copy)]
pub struct RecordLetter<'a> {
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: &'a [Header<'a>],
}

/// The original record, as far as it is available.
#[derive(Debug, PartialEq, Eq)]
pub struct Original {
    /// Its topic, partition and offset.
    pub origin: Origin,
    /// Its timestamp.
    pub timestamp: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Its value.
    pub value: Option<Vec<u8>>,
    /// The part of the value that the dead letter is about.
    pub part: Part,
}

/// The part of a value that a dead letter is about: lines or log records, by number from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Only this one.
    Only(u32),
    /// All except these, which have dead letters of their own.
    Without(Vec<u32>),
}

impl Part {
    /// Returns whether the part includes this number.
    pub fn has(&self, number: u32) -> bool {
        match self {
            Self::Whole => true,
            Self::Only(only) => *only == number,
            Self::Without(others) => !others.contains(&number),
        }
    }
}

/// The content of the encrypted original.
#[derive(Deserialize)]
struct Sealed {
    topic: String,
    partition: i32,
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Bytes>,
    headers: Vec<SealedHeader>,
    value: Option<Bytes>,
    /// Set if the value is only this line of the record.
    line: Option<u32>,
}

#[derive(Deserialize)]
struct SealedHeader {
    name: String,
    value: Option<Bytes>,
}

/// Bytes, as text if they are UTF-8.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Text(String),
    Other { base64: String },
}

impl Bytes {
    fn take(self) -> Result<Vec<u8>, Stays> {
        match self {
            Self::Text(text) => Ok(text.into_bytes()),
            Self::Other { base64 } => STANDARD.decode(base64).map_err(|_| Stays::NoLetter),
        }
    }
}

impl RecordLetter<'_> {
    fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(known, _)| *known == name)?.1
    }

    fn text(&self, name: &str) -> Option<&str> {
        str::from_utf8(self.bytes(name)?).ok()
    }

    /// Returns a number, or `None` if the header is missing.
    ///
    /// # Errors
    /// The header is not a number.
    fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Stays> {
        if !self.headers.iter().any(|(known, _)| *known == name) {
            return Ok(None);
        }
        let number = self.text(name).and_then(|text| text.parse().ok());
        number.map(Some).ok_or(Stays::NoLetter)
    }

    /// Returns the location of the original record.
    fn origin(&self, is_whole: bool) -> Result<Origin, Stays> {
        let topic = self.text(names::TOPIC).ok_or(Stays::NoLetter)?;
        Ok(Origin {
            topic: topic.into(),
            partition: self.number(names::PARTITION)?.ok_or(Stays::NoLetter)?,
            offset: self.number(names::OFFSET)?.ok_or(Stays::NoLetter)?,
            line: self.number(names::LINE)?,
            attempts: self.number(names::ATTEMPTS)?.unwrap_or_default(),
            is_whole,
        })
    }
}

impl ReplayTerms {
    /// Returns the original record, or why it is not available. `reads` returns whether a topic's
    /// records are to be replayed at all.
    ///
    /// # Errors
    /// It is not replayed.
    pub fn record(
        &self,
        letter: &RecordLetter<'_>,
        reads: &dyn Fn(&str) -> bool,
    ) -> Result<Original, Stays> {
        letter.text(names::REASON).ok_or(Stays::NoLetter)?;
        let sealed = letter.bytes(names::SEALED);
        let origin = letter.origin(sealed.is_some())?;
        if !reads(&origin.topic) {
            return Err(Stays::Elsewhere);
        }
        if origin.attempts >= self.attempts {
            return Err(Stays::Tried);
        }
        match sealed {
            Some(sealed) => self.sealed(sealed, letter, origin),
            None => event(letter, origin),
        }
    }

    fn sealed(
        &self,
        sealed: &[u8],
        letter: &RecordLetter<'_>,
        origin: Origin,
    ) -> Result<Original, Stays> {
        let identities = self.identities.as_ref().ok_or(Stays::Shut)?;
        if sealed.len() > longest(self.max_event_bytes) {
            return Err(Stays::InPart);
        }
        // The encrypted text is never shorter than the decrypted one.
        let text = identities.open(sealed, sealed.len()).map_err(|_| Stays::Shut)?;
        let whole: Sealed = serde_json::from_slice(&text).map_err(|_| Stays::NoLetter)?;
        let same = *whole.topic == *origin.topic
            && (whole.partition, whole.offset) == (origin.partition, origin.offset);
        // A modified header must not redirect it.
        if !same || whole.line.is_some() && whole.line != origin.line {
            return Err(Stays::NoLetter);
        }
        let part = match (origin.line, letter.text(names::OTHERS)) {
            (Some(_), _) if whole.line.is_some() => Part::Whole,
            (Some(line), _) => Part::Only(line),
            (None, None) => Part::Whole,
            (None, Some(others)) => {
                let numbers = others.split(',').map(str::parse);
                Part::Without(numbers.collect::<Result<_, _>>().map_err(|_| Stays::NoLetter)?)
            }
        };
        let headers = whole.headers.into_iter();
        let header = |SealedHeader { name, value }| Ok((name, value.map(Bytes::take).transpose()?));
        Ok(Original {
            origin,
            timestamp: whole.timestamp,
            key: whole.key.map(Bytes::take).transpose()?,
            headers: headers.map(header).collect::<Result<_, Stays>>()?,
            value: whole.value.map(Bytes::take).transpose()?,
            part,
        })
    }
}

/// Returns the content of an unencrypted dead letter, if it is the whole event, or a tombstone,
/// which has none.
fn event(letter: &RecordLetter<'_>, origin: Origin) -> Result<Original, Stays> {
    let value = letter.value.filter(|value| !value.is_empty());
    let value = match (letter.text(names::PAYLOAD), value) {
        _ if letter.bytes(names::LACKS).is_some() => return Err(Stays::InPart),
        (Some("event"), Some(value)) => Some(value.to_vec()),
        (Some(names::TOMBSTONE), None) => None,
        _ => return Err(Stays::InPart),
    };
    // The dead letter already counts the hop to the sink.
    let hop = letter.number::<u32>(HOP)?.map(|hop| hop.saturating_sub(1)).filter(|hop| *hop > 0);
    let hop = hop.map(|hop| (HOP.to_owned(), Some(hop.to_string().into_bytes())));
    let own = letter.headers.iter().filter(|(name, _)| !name.starts_with(names::OURS));
    let own = own.map(|(name, value)| ((*name).to_owned(), value.map(<[u8]>::to_vec)));
    Ok(Original {
        origin,
        timestamp: letter.number(names::TIMESTAMP)?,
        key: letter.key.map(<[u8]>::to_vec),
        headers: own.chain(hop).collect(),
        value,
        part: Part::Whole,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use age::secrecy::ExposeSecret as _;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::seal::{Identities, Seal};

    fn identity() -> (Identities, Seal) {
        let identity = age::x25519::Identity::generate();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        writeln!(file, "{}", identity.to_string().expose_secret()).unwrap();
        let seal = identity.to_public().to_string().parse().unwrap();
        (Identities::read(file.path()).unwrap(), seal)
    }

    fn terms(identities: Option<Identities>) -> ReplayTerms {
        ReplayTerms { identities, attempts: 3, max_event_bytes: 1 << 10 }
    }

    const WHERE: [Header<'static>; 4] = [
        ("__tamis.errors.reason", Some(b"rule")),
        ("__tamis.errors.topic", Some(b"logs")),
        ("__tamis.errors.partition", Some(b"3")),
        ("__tamis.errors.offset", Some(b"41")),
    ];

    /// Returns the result for a dead letter with these headers in addition to the usual ones.
    fn of(terms: &ReplayTerms, value: &[u8], more: &[Header<'_>]) -> Result<Original, Stays> {
        let headers = [&WHERE[..], more].concat();
        let letter = RecordLetter { key: Some(b"k"), value: Some(value), headers: &headers };
        terms.record(&letter, &|topic| topic == "logs")
    }

    fn origin(line: Option<u32>, attempts: u32, is_whole: bool) -> Origin {
        Origin { topic: "logs".into(), partition: 3, offset: 41, line, attempts, is_whole }
    }

    proptest! {
        /// Whatever a header contains, a dead letter is either replayed or stays.
        #[test]
        fn no_header_harms(
            values in vec((0..10_usize, vec(any::<u8>(), 0..8)), 0..6),
            text in "[0-9,-]{0,12}",
        ) {
            let names = [
                "__tamis.errors.topic", "__tamis.errors.partition", "__tamis.errors.offset",
                "__tamis.errors.line", "__tamis.errors.others", "__tamis.errors.timestamp",
                "__tamis.errors.payload", "__tamis.attempts", "__tamis.hop", "__tamis.sealed",
            ];
            let all = values.iter().map(|(name, value)| (names[*name], Some(value.as_slice())));
            let mut headers: Vec<_> = all.collect();
            headers.push((names[text.len() % 10], Some(text.as_bytes())));
            headers.extend(WHERE);
            headers.push(EVENT);
            let letter = RecordLetter { key: None, value: Some(b"{}"), headers: &headers };
            if let Ok(original) = terms(Some(identity().0)).record(&letter, &|_| true) {
                prop_assert_eq!(original.value.as_deref(), Some(&b"{}"[..]));
            }
        }
    }

    const EVENT: Header<'static> = ("__tamis.errors.payload", Some(b"event"));

    #[test]
    fn a_whole_event_is_replayed_byte_for_byte() {
        let (text, terms) = (b"{ \"n\":1e400}".as_slice(), terms(None));
        let more = [
            EVENT,
            ("__tamis.errors.timestamp", Some(&b"77"[..])),
            ("__tamis.attempts", Some(b"2")),
            ("__tamis.hop", Some(b"3")),
        ];
        let wanted = Original {
            origin: origin(None, 2, false),
            timestamp: Some(77),
            key: Some(b"k".to_vec()),
            headers: vec![("__tamis.hop".into(), Some(b"2".to_vec()))],
            value: Some(text.to_vec()),
            part: Part::Whole,
        };
        assert_eq!(of(&terms, text, &more), Ok(wanted));
        assert_eq!(of(&terms, text, &[EVENT, ("__tamis.hop", Some(b"1"))]).unwrap().headers, []);
        // The record's own headers are kept.
        let own = [("kind", Some(&b"order"[..])), ("none", None)];
        let came = of(&terms, text, &[&own[..], &[EVENT]].concat()).unwrap().headers;
        assert_eq!(came, own.map(|(name, value)| (name.to_owned(), value.map(<[u8]>::to_vec))));
    }

    #[test]
    fn a_tombstone_is_one_again_where_its_letter_says_that_it_is_whole() {
        const TOMBSTONE: Header<'static> = ("__tamis.errors.payload", Some(b"tombstone"));
        let terms = terms(None);
        let came = of(&terms, b"", &[TOMBSTONE]).unwrap();
        assert_eq!((came.value, came.key), (None, Some(b"k".to_vec())));
        for (value, headers) in [
            (&b"{}"[..], &[TOMBSTONE][..]),
            (b"", &[TOMBSTONE, ("__tamis.errors.lacks", Some(b"key"))]),
            (b"", &[]),
        ] {
            assert_eq!(of(&terms, value, headers), Err(Stays::InPart));
        }
    }

    #[test]
    fn what_is_not_whole_or_no_letter_stays() {
        let terms = terms(None);
        let text = b"{\"n\":1}".as_slice();
        let stays = |more: &[Header<'_>], why| {
            assert_eq!(of(&terms, text, more).err(), Some(why), "{more:?}");
        };
        stays(&[], Stays::InPart);
        stays(&[("__tamis.errors.payload", Some(b"shape"))], Stays::InPart);
        stays(&[("__tamis.errors.payload", Some(b"text"))], Stays::InPart);
        stays(&[EVENT, ("__tamis.errors.lacks", Some(b"key"))], Stays::InPart);
        stays(&[EVENT, ("__tamis.attempts", Some(b"3"))], Stays::Tried);
        stays(&[EVENT, ("__tamis.attempts", Some(b"-1"))], Stays::NoLetter);
        stays(&[EVENT, ("__tamis.sealed", Some(b"age"))], Stays::Shut);
        assert_eq!(of(&terms, b"", &[EVENT]).err(), Some(Stays::InPart));
        for left in 0..WHERE.len() {
            let mut headers = WHERE.to_vec();
            headers.remove(left);
            let letter = RecordLetter { key: None, value: Some(text), headers: &headers };
            assert_eq!(terms.record(&letter, &|_| true).err(), Some(Stays::NoLetter), "{left}");
        }
        let letter = RecordLetter { key: None, value: Some(text), headers: &WHERE };
        assert_eq!(terms.record(&letter, &|_| false).err(), Some(Stays::Elsewhere));
    }

    #[test]
    fn a_sealed_original_is_opened_for_the_place_that_it_was_sealed_for() {
        let ((own, seal), (other, _)) = (identity(), identity());
        let (terms, others) = (terms(Some(own)), terms(Some(other)));
        let sealed = |text: &str| seal.seal(text.as_bytes()).unwrap();
        let whole = concat!(
            r#"{"topic":"logs","partition":3,"offset":41,"timestamp":5,"key":{"base64":"/w=="},"#,
            r#""headers":[{"name":"a","value":"x"},{"name":"b","value":null}],"#,
            r#""value":"{\n\t\"a\": 1\r\n}"}"#
        );
        let bytes = sealed(whole);
        let wanted = |line, part| Original {
            origin: origin(line, 0, true),
            timestamp: Some(5),
            key: Some(b"\xff".to_vec()),
            headers: vec![("a".into(), Some(b"x".to_vec())), ("b".into(), None)],
            value: Some(b"{\n\t\"a\": 1\r\n}".to_vec()),
            part,
        };
        let header = ("__tamis.sealed", Some(&bytes[..]));
        assert_eq!(of(&terms, b"", &[header]), Ok(wanted(None, Part::Whole)));
        assert_eq!(of(&others, b"", &[header]).err(), Some(Stays::Shut));
        let second = ("__tamis.errors.line", Some(&b"2"[..]));
        assert_eq!(of(&terms, b"", &[header, second]), Ok(wanted(Some(2), Part::Only(2))));
        let without = ("__tamis.errors.others", Some(&b"1,4"[..]));
        let part = Part::Without(vec![1, 4]);
        assert_eq!(of(&terms, b"", &[header, without]), Ok(wanted(None, part.clone())));
        assert_eq!([1, 2, 4].map(|number| part.has(number)), [false, true, false]);
        // An original that is only that line.
        let alone = sealed(&whole.replace("\"value\":\"{", "\"line\":2,\"value\":\"{"));
        let header = ("__tamis.sealed", Some(&alone[..]));
        assert_eq!(of(&terms, b"", &[header, second]), Ok(wanted(Some(2), Part::Whole)));
        assert_eq!(of(&terms, b"", &[header]).err(), Some(Stays::NoLetter));
        for (from, to) in [("\"logs\"", "\"other\""), (":41", ":42"), ("/w==", "?"), ("{", "[")] {
            let bytes = sealed(&whole.replacen(from, to, 1));
            let stays = of(&terms, b"", &[("__tamis.sealed", Some(&bytes[..]))]);
            assert_eq!(stays.err(), Some(Stays::NoLetter), "{from}");
        }
        let cut = ("__tamis.sealed", Some(&bytes[..bytes.len() - 1]));
        assert_eq!(of(&terms, b"", &[cut]).err(), Some(Stays::Shut));
    }
}
