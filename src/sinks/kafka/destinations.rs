//! The topic of a record, and its maximum record size.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use rdkafka::ClientConfig;

use crate::{
    kafka::{Routes, Written},
    pipeline::{
        Reason,
        records::{Outgoing, Refusal},
    },
};

/// The overhead of a header at most: two lengths.
const HEADER_BYTES: usize = 10;
/// librdkafka's default for the size of a batch.
const BATCH_BYTES: usize = 1_000_000;

/// The topics that are written for each topic that is read.
pub(super) struct Destinations {
    routes: Routes,
    limits: BTreeMap<String, usize>,
    /// All destinations so far.
    known: Vec<Destination>,
    /// Their indexes, by source topic and `[[route]]`.
    places: HashMap<String, Vec<(Option<String>, usize)>>,
    /// The index of the last record's destination, because the next record usually has the same.
    last: usize,
}

/// The destinations of a source topic's records that take a `[[route]]`.
struct Destination {
    read: String,
    route: Option<String>,
    /// The topics for forwarded records and for dead letters, or why nothing may be written.
    written: Result<[To; 2], String>,
}

/// A topic, and its maximum record size if it is known.
struct To(String, Option<usize>);

impl Destinations {
    pub(super) fn new(routes: Routes, limits: BTreeMap<String, usize>) -> Self {
        Self { routes, limits, known: Vec::new(), places: HashMap::new(), last: 0 }
    }

    /// Returns the topic for a record.
    pub(super) fn destination(&mut self, record: &Outgoing<'_>) -> Result<&str, Refusal> {
        let is = |to: &Destination| to.read == record.topic && to.route.as_deref() == record.route;
        if self.known.get(self.last).is_none_or(|destination| !is(destination)) {
            let places = self.places.get(record.topic).map_or(&[][..], Vec::as_slice);
            let place = places.iter().find(|(route, _)| route.as_deref() == record.route);
            self.last = match place {
                Some((_, place)) => *place,
                None => self.learn(record.topic, record.route),
            };
        }
        let To(topic, limit) = match &self.known[self.last].written {
            Ok(written) => &written[usize::from(record.dead)],
            Err(fault) => return Err(Refusal::Sink(io::Error::other(fault.clone()))),
        };
        match limit {
            Some(limit) if size(record) > *limit => Err(Refusal::Record(Reason::TooLarge)),
            _ => Ok(topic),
        }
    }

    /// Checks a topic that did not exist at the start like those that did.
    fn learn(&mut self, topic: &str, route: Option<&str>) -> usize {
        let written = match self.routes.fault(topic) {
            None => {
                let Written { sink, dead_letter } = self.routes.of(topic, route);
                let dead_letter = dead_letter.unwrap_or_else(|| sink.clone());
                Ok([sink, dead_letter].map(|topic| {
                    let limit = self.limits.get(&topic).copied();
                    To(topic, limit)
                }))
            }
            Some(fault) => Err(fault),
        };
        let (at, route) = (self.known.len(), route.map(str::to_owned));
        self.known.push(Destination { read: topic.to_owned(), route: route.clone(), written });
        self.places.entry(topic.to_owned()).or_default().push((route, at));
        at
    }
}

/// Returns the approximate size of a record, as librdkafka counts it.
fn size(record: &Outgoing<'_>) -> usize {
    let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    let header = |(name, value): &(&str, Option<&[u8]>)| HEADER_BYTES + name.len() + length(*value);
    length(record.key) + length(record.value) + record.headers.iter().map(header).sum::<usize>()
}

/// Sets the producer's record limit to that of the topic with the highest limit, and the batch size
/// to that of the topic with the lowest.
pub(super) fn limit(limits: &BTreeMap<String, usize>, buffer: usize, config: &mut ClientConfig) {
    let (Some(most), Some(least)) = (limits.values().max(), limits.values().min()) else { return };
    // librdkafka's minimum is 1000, and a record that is larger than its buffer would wait forever.
    let most = (*most).clamp(1000, buffer);
    config.set("message.max.bytes", most.to_string());
    let batch = (*least).clamp(1, BATCH_BYTES);
    if config.get("batch.size").is_none() && batch < BATCH_BYTES {
        config.set("batch.size", batch.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record<'a>(topic: &'a str, dead: bool, value: &'a [u8]) -> Outgoing<'a> {
        let headers = &[];
        let (partition, key, timestamp) = (0, None, None);
        let route = None;
        Outgoing { dead, topic, route, partition, key, value: Some(value), timestamp, headers }
    }

    #[test]
    fn each_topic_has_its_way_and_its_limit() {
        let read = ["^logs\\.[a-z.]+$"].into_iter();
        let routes = [("logs.app", "app")].into_iter();
        let routes = Routes::new(read, routes, "{topic}-clean", Some("dead")).unwrap();
        let limits = [("app".to_owned(), 10), ("dead".to_owned(), 5)].into();
        let mut destinations = Destinations::new(routes, limits);
        let mut destination = |topic: &str, dead, value: &[u8]| match destinations
            .destination(&record(topic, dead, value))
        {
            Ok(topic) => topic.to_owned(),
            Err(Refusal::Record(reason)) => reason.word().to_owned(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(destination("logs.app", false, b"ten bytes."), "app");
        assert_eq!(destination("logs.app", false, b"and eleven."), "too_large");
        assert_eq!(destination("logs.app", true, b"ten bytes."), "too_large");
        assert_eq!(destination("logs.b", true, b"five."), "dead");
        assert_eq!(destination("logs.b", false, &[b'x'; 99]), "logs.b-clean");
        assert_eq!(destination("logs.app", true, b"five."), "dead");
    }

    #[test]
    fn a_topic_that_comes_later_goes_in_no_circle() {
        let read = ["^logs\\..*"].into_iter();
        let routes = Routes::new(read, [].into_iter(), "{topic}.clean", None).unwrap();
        let mut destinations = Destinations::new(routes, BTreeMap::new());
        for _ in 0..2 {
            let refusal = destinations.destination(&record("logs.new", false, b"x")).unwrap_err();
            let Refusal::Sink(error) = refusal else { panic!("{refusal:?}") };
            assert!(error.to_string().contains("`logs.new.clean` would be read again"), "{error}");
        }
    }
}
