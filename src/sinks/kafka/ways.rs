//! Where a record goes, and whether its topic takes one as long.

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

/// What a header costs beside its bytes, at most: two lengths.
const HEADER_BYTES: usize = 10;
/// What librdkafka puts into one request of a topic as a rule.
const BATCH_BYTES: usize = 1_000_000;

/// The topics that are written, by those that are read.
pub(super) struct Ways {
    routes: Routes,
    limits: BTreeMap<String, usize>,
    /// All that were seen so far, and where each is among them.
    known: Vec<Way>,
    /// By topic, and by route of the rules.
    places: HashMap<String, Vec<(Option<String>, usize)>>,
    /// Most records come from the same topic as the one before them.
    last: usize,
}

/// What is written of a topic.
struct Way {
    read: String,
    route: Option<String>,
    /// To which topic what is forwarded goes, and what is not; or why nothing may be written.
    written: Result<[To; 2], String>,
}

/// A topic, and the longest record that it takes, if that is known.
struct To(String, Option<usize>);

impl Ways {
    pub(super) fn new(routes: Routes, limits: BTreeMap<String, usize>) -> Self {
        Self { routes, limits, known: Vec::new(), places: HashMap::new(), last: 0 }
    }

    /// The topic that a record goes to.
    pub(super) fn way(&mut self, record: &Outgoing<'_>) -> Result<&str, Refusal> {
        let is = |way: &Way| way.read == record.topic && way.route.as_deref() == record.route;
        if self.known.get(self.last).is_none_or(|way| !is(way)) {
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

    /// A topic that was not there at the start is judged as those that were.
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
        self.known.push(Way { read: topic.to_owned(), route: route.clone(), written });
        self.places.entry(topic.to_owned()).or_default().push((route, at));
        at
    }
}

/// What a record is about, as librdkafka counts it.
fn size(record: &Outgoing<'_>) -> usize {
    let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
    let header = |(name, value): &(&str, Option<&[u8]>)| HEADER_BYTES + name.len() + length(*value);
    length(record.key) + length(record.value) + record.headers.iter().map(header).sum::<usize>()
}

/// What the producer takes is for the topic that takes the most; what it puts together, for the one
/// that takes the least.
pub(super) fn limit(limits: &BTreeMap<String, usize>, buffer: usize, config: &mut ClientConfig) {
    let (Some(most), Some(least)) = (limits.values().max(), limits.values().min()) else { return };
    // librdkafka knows no less than that, and what is longer than its buffer would wait for ever.
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
        let mut ways = Ways::new(routes, limits);
        let mut way = |topic: &str, dead, value: &[u8]| match ways.way(&record(topic, dead, value))
        {
            Ok(topic) => topic.to_owned(),
            Err(Refusal::Record(reason)) => reason.word().to_owned(),
            Err(other) => format!("{other:?}"),
        };
        assert_eq!(way("logs.app", false, b"ten bytes."), "app");
        assert_eq!(way("logs.app", false, b"and eleven."), "too_large");
        assert_eq!(way("logs.app", true, b"ten bytes."), "too_large");
        assert_eq!(way("logs.b", true, b"five."), "dead");
        assert_eq!(way("logs.b", false, &[b'x'; 99]), "logs.b-clean");
        assert_eq!(way("logs.app", true, b"five."), "dead");
    }

    #[test]
    fn a_topic_that_comes_later_goes_in_no_circle() {
        let read = ["^logs\\..*"].into_iter();
        let routes = Routes::new(read, [].into_iter(), "{topic}.clean", None).unwrap();
        let mut ways = Ways::new(routes, BTreeMap::new());
        for _ in 0..2 {
            let refusal = ways.way(&record("logs.new", false, b"x")).unwrap_err();
            let Refusal::Sink(error) = refusal else { panic!("{refusal:?}") };
            assert!(error.to_string().contains("`logs.new.clean` would be read again"), "{error}");
        }
    }
}
