//! `[kafka]`, `[source]`, `[sink]` and `[dead_letter]`: topics instead of files.

mod cluster;
mod sasl;
mod sink;
mod source;
mod start;

use clap::ValueEnum;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Said, Spot, reader::Reader};
use crate::kafka::{Routes, filled};
pub use cluster::{KafkaEntry, TlsEntry};
pub use sasl::{Proof, SaslChoice, SaslEntry, SecretEntry, TokenUrl};
pub use sink::{LetterEntry, PartitionChoice, RouteEntry, SinkEntry};
pub(super) use source::pattern;
pub use source::{FramingChoice, SourceEntry};
pub use start::{StartChoice, StartEntry};

/// Kafka's limit for the length of names.
const LONGEST_NAME: usize = 249;

/// All settings for topics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Streams {
    /// `[kafka]`
    pub kafka: Option<KafkaEntry>,
    /// `[source]`
    pub source: Option<SourceEntry>,
    /// `[sink]`
    pub sink: Option<SinkEntry>,
    /// `[dead_letter]`
    pub dead_letter: Option<LetterEntry>,
    /// How often a record is delivered.
    pub delivery: Option<Said<DeliveryChoice>>,
    /// The name of this process. It stays the same after a restart, and no other process has it.
    pub instance: Option<Said<String>>,
}

/// `delivery`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DeliveryChoice {
    /// At least once
    #[default]
    #[value(name = "at_least_once")]
    AtLeastOnce,
    /// Once, for consumers that only read committed records
    #[value(name = "exactly_once")]
    ExactlyOnce,
}

type Table<'v, 'd> = &'v DeTable<'d>;

/// Reports required keys that are missing.
fn complete(r: &mut Reader<'_>, spot: Spot, table: Table<'_, '_>, wanted: &[&str]) -> bool {
    let there = |name: &&&str| table.iter().any(|(key, _)| key.get_ref().as_ref() == **name);
    let missing: Vec<_> = wanted.iter().filter(|name| !there(name)).collect();
    for name in &missing {
        r.complain(spot, format!("`{name}` is missing"));
    }
    missing.is_empty()
}

/// A topic to write to. `{topic}` is replaced by the name of the topic that is read.
pub(super) fn template(r: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) -> Option<Said<String>> {
    let said = r.text(value)?;
    if !is_name(&filled(&said.value, "t")) {
        let fix = "use letters, digits, `.`, `_`, `-`, and `{topic}` for the topic that is read";
        r.complain(said.spot, format!("`{}` is not a valid topic name: {fix}", said.value));
    }
    Some(said)
}

fn named(r: &mut Reader<'_>, said: &Said<String>) {
    if !is_name(&said.value) {
        let fix = "use letters, digits, `.`, `_` and `-`";
        r.complain(said.spot, format!("`{}` is not a valid topic name: {fix}", said.value));
    }
}

fn is_name(name: &str) -> bool {
    is_plain(name) && name.len() <= LONGEST_NAME && !matches!(name, "." | "..")
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.chars().all(plain)
}

impl Streams {
    /// Returns whether no topics are configured.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reports keys that require each other, and topics that would be read again after they were
    /// written.
    pub(super) fn check(&self, own: &[super::route::RouteEntry], r: &mut Reader<'_>) {
        let Self { kafka, source, sink, dead_letter, delivery, instance } = self;
        let spots = [
            kafka.as_ref().map(|entry| entry.spot),
            source.as_ref().map(|entry| entry.spot),
            sink.as_ref().map(|entry| entry.spot),
        ];
        let there = spots.iter().flatten().next();
        let there = there.or(dead_letter.as_ref().map(|entry| &entry.spot));
        let there = there.or(delivery.as_ref().map(|said| &said.spot));
        let there = there.or(instance.as_ref().map(|said| &said.spot));
        if let (Some(spot), true) = (there, spots.iter().any(Option::is_none)) {
            let missing = spots.iter().zip(["[kafka]", "[source]", "[sink]"]);
            let missing: Vec<_> =
                missing.filter(|(spot, _)| spot.is_none()).map(|(_, name)| name).collect();
            if r.is_content() {
                r.complain(*spot, format!("to read topics, add {}", missing.join(" and ")));
            }
        }
        let exactly_once =
            delivery.as_ref().filter(|said| said.value == DeliveryChoice::ExactlyOnce);
        match (exactly_once, instance) {
            // A regular expression that cannot be parsed was already reported.
            (Some(said), None) if r.is_content() => r.complain(
                said.spot,
                "exactly once needs a name of this process that is unique and the same after a \
                 restart: add instance = \"${POD_NAME}\""
                    .into(),
            ),
            // It is also the name of a group member, to which Kafka applies the rules for topic
            // names.
            (_, Some(said)) if !is_name(&said.value) => {
                let what = "use letters, digits, `.`, `_` and `-`, at most 249 of them";
                r.complain(said.spot, what.into());
            }
            _ => {}
        }
        let (Some(source), Some(sink)) = (source, sink) else { return };
        let own_letters = own.iter().filter_map(|route| route.dead_letter.as_ref());
        let letters: Vec<_> =
            dead_letter.iter().map(|entry| &entry.topic).chain(own_letters).collect();
        // Parse errors were already reported.
        let Ok(routes) = Routes::resolve(source, sink, dead_letter.as_ref(), own) else { return };
        let routed = sink.routes.iter().map(|route| &route.topic);
        let own_sinks = own.iter().filter_map(|route| route.sink.as_ref());
        let sinks: Vec<_> = routed.chain([&sink.topic]).chain(own_sinks).collect();
        // Routes may send all topics elsewhere that the template would send back.
        let known = |said: &&&Said<String>| sink.routes.is_empty() || !said.value.contains('{');
        for said in sinks.iter().filter(known).copied().chain(letters.iter().copied()) {
            if let Some(again) = routes.circle(&said.value) {
                let mut what =
                    "what is written there would be read again, because [source] includes this \
                     topic"
                        .to_owned();
                if again != said.value {
                    what = format!(
                        "what is written there would be read again, because [source] includes \
                         `{again}`"
                    );
                }
                if again.starts_with('^') && again != said.value {
                    what += ", which matches any ending: end it with `$`";
                }
                r.complain(said.spot, format!("`{}`: {what}", said.value));
            }
        }
        for letters in letters {
            if sinks.iter().all(|said| said.value != letters.value) {
                continue;
            }
            r.complain(letters.spot, "dead letters need a topic of their own".into());
        }
    }
}

impl Routes {
    /// Resolves the routes of these entries.
    ///
    /// # Errors
    /// A regular expression cannot be parsed.
    pub fn resolve(
        source: &SourceEntry,
        sink: &SinkEntry,
        dead_letter: Option<&LetterEntry>,
        own: &[super::route::RouteEntry],
    ) -> Result<Self, String> {
        let read = source.topics.iter().map(|said| said.value.as_str());
        let routes = sink.routes.iter();
        let routes = routes.map(|route| (route.from.value.as_str(), route.topic.value.as_str()));
        let letters = dead_letter.map(|entry| entry.topic.value.as_str());
        let topic = |said: &Option<Said<String>>| said.as_ref().map(|said| said.value.clone());
        let own = own.iter().map(|r| (r.name.value.clone(), topic(&r.sink), topic(&r.dead_letter)));
        Ok(Self::new(read, routes, &sink.topic.value, letters)?.with_own(own))
    }
}
