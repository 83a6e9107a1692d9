//! `[[route]]`: events that are judged by rules of their own, and where they are sent.

use globset::Glob;
use toml::{Spanned, de::DeValue};

use super::{
    Config, Said, Spot,
    kafka::{FramingChoice, pattern as topic_pattern, template as topic_template},
    policy::RuleEntry,
    reader::Reader,
};
use crate::engine::{Pattern, plan::DEFAULT_ROUTE};

type Value<'t> = Spanned<DeValue<'t>>;

/// Keys of a route.
const ROUTE: &[&str] = &[
    "name",
    "match",
    "schema",
    "packs",
    "add_packs",
    "only",
    "without",
    "rule",
    "sink",
    "dead_letter",
];
/// Keys of its `match`.
const MATCH: &[&str] = &["topic", "file", "field"];
/// Keys of its `sink` and `dead_letter`.
const TOPIC: &[&str] = &["topic"];

/// Names of fields, and the patterns of each.
pub type Fields = Vec<(Said<String>, Vec<Said<String>>)>;

/// `[[route]]`. For everything that it does not set, the top level applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteEntry {
    /// Its position.
    pub spot: Spot,
    /// Its name in reports.
    pub name: Said<String>,
    /// Topics, or regular expressions that begin with `^`. One of them must match the event's
    /// topic; if empty, any topic does.
    pub topics: Vec<Said<String>>,
    /// Globs. One of them must match the event's file; if empty, any file does.
    pub files: Vec<Said<String>>,
    /// Fields of the event, and patterns for their values.
    pub fields: Fields,
    /// The name or path of a schema.
    pub schema: Option<Said<String>>,
    /// The packs to use instead of those of the top level.
    pub packs: Option<Vec<Said<String>>>,
    /// Additional packs.
    pub add_packs: Vec<Said<String>>,
    /// The only detectors, categories or packs to use.
    pub only: Option<Vec<Said<String>>>,
    /// Detectors, categories or packs not to use.
    pub without: Option<Vec<Said<String>>>,
    /// Rules that precede those of the top level.
    pub rules: Vec<RuleEntry>,
    /// The topic that its events are sent to.
    pub sink: Option<Said<String>>,
    /// The topic that its dead letters are sent to.
    pub dead_letter: Option<Said<String>>,
}

/// The content of a `match`.
#[derive(Default)]
struct Match {
    topics: Vec<Said<String>>,
    files: Vec<Said<String>>,
    fields: Fields,
}

impl RouteEntry {
    pub(super) fn read(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let (mut name, mut matches, mut schema) = (None, None, None);
        let (mut packs, mut add_packs) = (None, Vec::new());
        let (mut only, mut without, mut rules) = (None, None, Vec::new());
        let (mut sink, mut dead_letter) = (None, None);
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "name" => name = Some(named(r, value)?),
                "match" => matches = Some(Match::read(r, value)?),
                "schema" => schema = r.text(value),
                "packs" => packs = r.texts(value),
                "add_packs" => add_packs = r.texts(value)?,
                "only" => only = r.texts(value),
                "without" => without = r.texts(value),
                "rule" => rules = r.tables("route.rule", value, RuleEntry::read),
                "sink" => sink = topic(r, value),
                "dead_letter" => dead_letter = topic(r, value),
                _ => r.unknown(key, ROUTE),
            }
        }
        if name.is_none() {
            r.complain(
                spot,
                "`name` is missing: reports and metrics need a name for the route".into(),
            );
        }
        if matches.is_none() {
            let what = "`match` is missing: it selects the events that take the route, as in \
                        match = { field = { service = \"web-*\" } }";
            r.complain(spot, what.into());
        }
        let Match { topics, files, fields } = matches?;
        Some(Self {
            spot,
            name: name?,
            topics,
            files,
            fields,
            schema,
            packs,
            add_packs,
            only,
            without,
            rules,
            sink,
            dead_letter,
        })
    }

    /// Returns whether it names packs of its own.
    pub(crate) fn names_packs(&self) -> bool {
        self.packs.is_some() || !self.add_packs.is_empty()
    }

    /// Returns whether it matches every event that `other` matches, as far as that is known.
    fn has_all_of(&self, other: &Self) -> bool {
        let within = |own: &[Said<String>], other: &[Said<String>]| {
            let has = |said: &Said<String>| own.iter().any(|own| own.value == said.value);
            own.is_empty() || !other.is_empty() && other.iter().all(has)
        };
        let field = |(name, own): &(Said<String>, Vec<Said<String>>)| {
            let other = other.fields.iter().find(|(other, _)| other.value == name.value);
            let takes = |said: &Said<String>| own.iter().any(|own| covers(&own.value, &said.value));
            other.is_some_and(|(_, values)| values.iter().all(takes))
        };
        within(&self.topics, &other.topics)
            && within(&self.files, &other.files)
            && self.fields.iter().all(field)
    }
}

/// Returns whether the pattern `all` matches everything that `one` matches.
fn covers(all: &str, one: &str) -> bool {
    match (Pattern::parse(all), Pattern::parse(one)) {
        (Ok(all), Ok(one)) if all == one => true,
        (Ok(Pattern::Prefix(all)), Ok(Pattern::Prefix(one) | Pattern::Exact(one))) => {
            one.starts_with(&all)
        }
        (Ok(Pattern::Suffix(all)), Ok(Pattern::Suffix(one) | Pattern::Exact(one))) => {
            one.ends_with(&all)
        }
        _ => false,
    }
}

impl Match {
    fn read(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Self> {
        let (spot, table) = r.entry(value)?;
        let mut all = Self::default();
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "topic" => {
                    all.topics = r.one_or_more(value)?;
                    all.topics.iter().for_each(|said| topic_pattern(r, said));
                }
                "file" => {
                    all.files = r.one_or_more(value)?;
                    for said in &all.files {
                        if let Err(error) = Glob::new(&said.value) {
                            let what =
                                format!("`{}` is not a valid glob: {}", said.value, error.kind());
                            r.complain(said.spot, what);
                        }
                    }
                }
                "field" => all.fields = fields(r, value)?,
                _ => r.unknown(key, MATCH),
            }
        }
        if all.topics.is_empty() && all.files.is_empty() && all.fields.is_empty() {
            let what = "`match` is empty, so every event would take this route: add `topic`, `file` \
                        or `field`, or move the settings to the top level";
            r.complain(spot, what.into());
            return None;
        }
        Some(all)
    }
}

/// Reads fields, each with a value or a list of values.
fn fields(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Fields> {
    let (_, table) = r.entry(value)?;
    let mut all = Vec::new();
    for (key, value) in table {
        let spot = r.spot(key.span().start);
        let name = Said { value: key.get_ref().to_string(), spot, secret: false };
        let values = match value.get_ref() {
            DeValue::Array(list) => list.iter().map(|one| pattern(r, one)).collect(),
            _ => pattern(r, value).map(|one| vec![one]),
        };
        let values: Vec<_> = values?;
        if values.is_empty() {
            r.complain(
                spot,
                format!(
                    "`{}`: the list is empty, so no event would match: add a value",
                    name.value
                ),
            );
        }
        all.push((name, values));
    }
    Some(all)
}

/// Reads a pattern for a value. Numbers and booleans match as JSON writes them.
fn pattern(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Said<String>> {
    let spot = r.spot(value.span().start);
    let plain = |value: String| Some(Said { value, spot, secret: false });
    match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => {
            plain(number.as_str().trim_start_matches('+').to_owned())
        }
        DeValue::Boolean(value) => plain(value.to_string()),
        DeValue::String(_) => {
            let said = r.text(value)?;
            if let Err(what) = Pattern::parse(&said.value) {
                r.complain(spot, format!("`{}`: {what}", said.value));
            }
            Some(said)
        }
        _ => {
            let what = "expected a string, a whole number, a boolean, or a list of these";
            r.complain(spot, what.into());
            None
        }
    }
}

/// Reads a name that can be a label of metrics.
fn named(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Said<String>> {
    let said = r.text(value)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    let name = &said.value;
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        let what = "use 1 to 64 letters, digits, `_`, `-` and `.`";
        r.complain(said.spot, format!("route `{name}`: {what}"));
    } else if name == DEFAULT_ROUTE {
        let what = "this name is reserved for events that match no route: choose another name";
        r.complain(said.spot, format!("route `{name}`: {what}"));
    }
    Some(said)
}

/// Reads `{ topic = "…" }`.
fn topic(r: &mut Reader<'_>, value: &Value<'_>) -> Option<Said<String>> {
    let (spot, table) = r.entry(value)?;
    let mut topic = None;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "topic" => topic = Some(topic_template(r, value)?),
            _ => r.unknown(key, TOPIC),
        }
    }
    if topic.is_none() {
        r.complain(spot, "`topic` is missing".into());
    }
    topic
}

/// Reports conflicts with the rest of the file, and with other routes.
pub(super) fn check(config: &Config, r: &mut Reader<'_>) {
    let routes = &config.policy.routes;
    for (at, route) in routes.iter().enumerate() {
        let before = &routes[..at];
        if before.iter().any(|other| other.name.value == route.name.value) {
            let what = format!(
                "route `{}`: another route has this name: choose another one",
                route.name.value
            );
            r.complain(route.name.spot, what);
        }
        if let Some(other) = before.iter().find(|other| other.has_all_of(route)) {
            let what = format!(
                "route `{}`: no event can take it, because the earlier route `{}` matches all of its \
                 events: put it before that one",
                route.name.value, other.name.value
            );
            r.complain(route.spot, what);
        }
        sources(config, route, r);
    }
}

/// Reports conditions and topics that do not fit the source.
fn sources(config: &Config, route: &RouteEntry, r: &mut Reader<'_>) {
    let Some(source) = &config.streams.source else {
        let topics = [("match.topic", route.topics.first())];
        let written = [("sink", route.sink.as_ref()), ("dead_letter", route.dead_letter.as_ref())];
        for (key, said) in topics.into_iter().chain(written) {
            if let Some(said) = said {
                let what = "requires topics, but [source] is missing";
                r.complain(said.spot, format!("`{key}` {what}"));
            }
        }
        return;
    };
    if let Some(said) = route.files.first() {
        let what = "`match.file` cannot match records of topics: use `match.topic`";
        r.complain(said.spot, what.into());
    }
    let framing = source.framing.as_ref().map(|said| said.value).unwrap_or_default();
    if let Some((said, _)) = route.fields.first().filter(|_| framing != FramingChoice::Event) {
        let what = "`match.field` requires source.framing = \"event\": with another framing, a record \
                    can have several events, but it is sent to one topic";
        r.complain(said.spot, what.into());
    }
    if let (Some(said), None) = (&route.dead_letter, &config.streams.dead_letter) {
        let what = "`dead_letter` of a route requires [dead_letter], which is for all other events";
        r.complain(said.spot, what.into());
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, outside::Outside};

    fn complaints(text: &str) -> Vec<String> {
        match Config::parse("t.toml", &format!("version = 1\n{text}"), &Outside::NOTHING) {
            Ok(_) => vec![],
            Err(all) => all.iter().map(ToString::to_string).collect(),
        }
    }

    const TOPICS: &str = "kafka.brokers = ['a']\nsource = { topics = ['^l\\.'], group = 'g' }\n\
                          sink.topic = 'c.{topic}'\ndead_letter.topic = 'd'\n";

    #[test]
    fn what_is_sound_is_read() {
        let text = "[[route]]\nname = 'web'\nmatch = { file = ['web/*.log', 'w?'], field = { service = \
                    ['web-*', '*-x', 7, true], env = 'prod' } }\nschema = 'service-log'\n\
                    packs = ['core@1']\nadd_packs = ['p.toml']\nonly = ['email']\nwithout = ['ipv4']\n\
                    [[route.rule]]\npath = 'a'\naction = 'drop'\n";
        assert_eq!(complaints(text), Vec::<String>::new());
        let text = format!(
            "{TOPICS}[[route]]\nname = 'web'\nmatch.topic = ['l.web', '^l\\.w']\n\
             sink.topic = 'x.{{topic}}'\ndead_letter.topic = 'y'\n"
        );
        assert_eq!(complaints(&text), Vec::<String>::new());
    }

    #[test]
    fn all_errors_are_reported_with_their_place_and_the_fix() {
        let by = "[[route]]\nname = 'a'\nmatch.field.s = 'web-*'\n";
        for (text, wanted) in [
            ("[[route]]\nmatch.field.s = 'a'\n", "2:1: `name` is missing"),
            ("[[route]]\nname = 'a'\n", "2:1: `match` is missing: it selects"),
            ("[[route]]\nname = 'a'\nmatch = {}\n", "4:9: `match` is empty, so every event"),
            (
                "[[route]]\nname = 'default'\nmatch.field.s = 'a'\n",
                "3:8: route `default`: this name is",
            ),
            ("[[route]]\nname = 'a b'\nmatch.field.s = 'a'\n", "3:8: route `a b`: use 1 to 64"),
            ("[[route]]\nname = 'a'\nmatch.field.s = 'a*b'\n", "4:17: `a*b`: one `*` can stand"),
            ("[[route]]\nname = 'a'\nmatch.field.s = 1.5\n", "4:17: expected a string, a whole"),
            ("[[route]]\nname = 'a'\nmatch.field.s = []\n", "4:13: `s`: the list is empty"),
            ("[[route]]\nname = 'a'\nmatch.file = 'a['\n", "4:14: `a[` is not a valid glob: "),
            ("[[route]]\nname = 'a'\nmatch.topics = 'a'\n", "4:7: unknown key `topics`: did you"),
            ("[[route]]\nname = 'a'\nmatch.topic = 'a'\n", "4:15: `match.topic` requires topics"),
            (
                "[[route]]\nname = 'a'\nmatch.field.s = 'a'\nsink.topic = 'b'\n",
                "5:14: `sink` requires topics, but [source]",
            ),
            (&format!("{by}{by}"), "5:1: route `a`: no event can take it"),
            (
                &format!("{by}[[route]]\nname = 'b'\nmatch.field = {{ s = 'web-1', t = 'x' }}\n"),
                "5:1: route `b`: no event can take it, because the earlier route `a` matches",
            ),
            (
                &format!("{TOPICS}[[route]]\nname = 'b'\nmatch.file = 'x'\n"),
                "8:14: `match.file` cannot match records",
            ),
        ] {
            let all = complaints(text);
            assert!(!all.is_empty(), "{text}");
            let said = all.iter().any(|said| said.starts_with(&format!("t.toml:{wanted}")));
            assert!(said, "{all:?}\n{wanted}");
        }
        let other = "[[route]]\nname = 'b'\nmatch.field = { s = 'web' }\n";
        assert_eq!(complaints(&format!("{by}{other}")), Vec::<String>::new());
    }
}
