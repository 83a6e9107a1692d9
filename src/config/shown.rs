//! Formats a configuration as TOML, for `tamis config show`.

use clap::ValueEnum;

use super::{
    Config, Said,
    kafka::{self, KafkaEntry, SinkEntry, SourceEntry, StartEntry},
    keys::{ActionEntry, KeyEntry, RingEntry},
    policy::{AllowEntry, RuleEntry},
    route::RouteEntry,
    units::shown as time,
};

/// Replaces a value that may be a secret.
const MASK: &str = "\"***\"";

impl Config {
    /// Returns every key that is set, in the order of the documentation, and its value as TOML. A
    /// value that may be a secret is masked.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("inputs", self.inputs.as_ref().map(|all| texts(all))),
            ("recursive", self.recursive.as_ref().map(plain)),
            ("input_format", self.input_format.as_ref().map(choice)),
            ("output", self.output.as_ref().map(text)),
            ("out_dir", self.out_dir.as_ref().map(text)),
            ("force", self.force.as_ref().map(plain)),
            ("append", self.append.as_ref().map(plain)),
            ("keep_partial", self.keep_partial.as_ref().map(plain)),
            ("compress", self.compress.as_ref().map(choice)),
            ("rotate_size", self.rotate_size.as_ref().map(plain)),
            ("rotate_every", self.rotate_every.as_ref().map(|s| s.shown(&quoted(&time(s.value))))),
            ("rotate_keep", self.rotate_keep.as_ref().map(plain)),
            ("fsync", self.fsync.as_ref().map(|s| s.shown(&quoted(&s.value.to_string())))),
            ("follow", self.follow.as_ref().map(plain)),
            ("data_dir", self.data_dir.as_ref().map(text)),
            ("line_timeout", self.line_timeout.as_ref().map(plain)),
            ("poll", self.poll.as_ref().map(plain)),
            ("admin", self.admin.as_ref().map(|s| s.shown(&quoted(&s.value.to_string())))),
            ("admin_token_file", self.admin_token_file.as_ref().map(text)),
            ("admin_hosts", self.admin_hosts.as_ref().map(|all| texts(all))),
            ("metrics_textfile", self.metrics_textfile.as_ref().map(text)),
            (
                "dead_letter",
                self.dead_letter.as_ref().map(text).or_else(|| {
                    let letters = self.streams.dead_letter.as_ref()?;
                    let mut all = vec![("topic", text(&letters.topic))];
                    all.extend(letters.encrypt_to.iter().map(|said| ("encrypt_to", text(said))));
                    Some(inline(all))
                }),
            ),
            ("dead_letter_encrypt_to", self.dead_letter_encrypt_to.as_ref().map(text)),
            ("kafka", self.streams.kafka.as_ref().map(KafkaEntry::shown)),
            ("source", self.streams.source.as_ref().map(SourceEntry::shown)),
            ("sink", self.streams.sink.as_ref().map(SinkEntry::shown)),
            ("delivery", self.streams.delivery.as_ref().map(choice)),
            ("instance", self.streams.instance.as_ref().map(text)),
            ("stats", self.stats.as_ref().map(text)),
            ("schema", self.schema.as_ref().map(text)),
            ("require", self.require.as_ref().map(|all| texts(all))),
            ("text", self.text.as_ref().map(choice)),
            ("ip", self.ip.as_ref().map(choice)),
            ("patterns", self.patterns.as_ref().map(|all| texts(all))),
            ("only", self.only.as_ref().map(|all| texts(all))),
            ("without", self.without.as_ref().map(|all| texts(all))),
            ("numbers", self.policy.numbers.as_ref().map(choice)),
            ("known_placeholders", self.policy.known_placeholders.as_ref().map(|all| texts(all))),
            ("keys", keys(&self.policy.keys)),
            ("max_event_bytes", self.max_event_bytes.as_ref().map(plain)),
            ("max_depth", self.max_depth.as_ref().map(plain)),
            ("memory", self.memory.as_ref().map(plain)),
            ("threads", self.threads.as_ref().map(plain)),
            ("drain_timeout", self.drain_timeout.as_ref().map(plain)),
            ("leave", self.leave.as_ref().map(plain)),
            ("fail_on_drop", self.fail_on_drop.as_ref().map(plain)),
            ("quiet", self.quiet.as_ref().map(plain)),
            ("color", self.color.as_ref().map(choice)),
        ];
        all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
    }

    /// Returns the tables, each with its name, its keys, and their values as TOML.
    pub fn tables(&self) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
        let allow = self.policy.allow.iter().map(|entry| ("allow", entry.settings()));
        let rules = self.policy.rules.iter().map(|entry| ("rule", entry.settings()));
        let routes = self.policy.routes.iter().map(|entry| ("route", entry.settings()));
        allow.chain(rules).chain(routes).collect()
    }
}

impl KafkaEntry {
    fn shown(&self) -> String {
        let mut all = vec![("brokers", texts(&self.brokers))];
        if let Some(tls) = &self.tls {
            let files = tls.files().into_iter();
            let said = files.filter_map(|(key, said)| Some((key, text(said.as_ref()?))));
            all.push(("tls", inline(said.collect())));
        }
        if let Some(sasl) = &self.sasl {
            let mut pairs = vec![("mechanism", choice(&sasl.mechanism))];
            pairs.extend(sasl.settings().into_iter().map(|(key, said)| (key, text(said))));
            all.push(("sasl", inline(pairs)));
        }
        all.extend(self.data_dir.iter().map(|said| ("data_dir", text(said))));
        if !self.properties.is_empty() {
            let all_said = self.properties.iter().map(|(key, said)| (quoted(key), text(said)));
            let pairs: Vec<_> = all_said.map(|(key, said)| format!("{key} = {said}")).collect();
            all.push(("properties", format!("{{ {} }}", pairs.join(", "))));
        }
        inline(all)
    }
}

impl SourceEntry {
    fn shown(&self) -> String {
        let mut all = vec![("topics", texts(&self.topics)), ("group", text(&self.group))];
        all.extend(self.framing.iter().map(|said| ("framing", choice(said))));
        let StartEntry { no_offset, new_partition, out_of_range } = &self.start;
        all.extend(no_offset.iter().map(|said| ("no_offset", choice(said))));
        all.extend(new_partition.iter().map(|said| ("new_partition", choice(said))));
        all.extend(out_of_range.iter().map(|said| ("out_of_range", choice(said))));
        inline(all)
    }
}

impl SinkEntry {
    fn shown(&self) -> String {
        let mut all = vec![("topic", text(&self.topic))];
        if !self.routes.is_empty() {
            let route = |route: &kafka::RouteEntry| {
                inline(vec![("from", text(&route.from)), ("topic", text(&route.topic))])
            };
            let routes: Vec<_> = self.routes.iter().map(route).collect();
            all.push(("routes", format!("[{}]", routes.join(", "))));
        }
        all.extend(self.partition.iter().map(|said| ("partition", choice(said))));
        all.extend(self.hops.iter().map(|said| ("hops", plain(said))));
        let file = self.pseudonym_key_file.iter();
        all.extend(file.map(|said| ("pseudonym_key_file", text(said))));
        inline(all)
    }
}

/// Formats an inline table.
fn inline(all: Vec<(&'static str, String)>) -> String {
    let pairs: Vec<_> = all.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    format!("{{ {} }}", pairs.join(", "))
}

impl AllowEntry {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = self.name.iter().map(|said| ("name", text(said))).collect();
        all.extend(self.kinds.iter().map(|(kind, said)| (*kind, texts(said))));
        all.extend(self.listed.iter().map(|listed| (listed.key, text(&listed.path))));
        all.extend(detectors(&self.detectors));
        all
    }
}

impl RuleEntry {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all: Vec<_> = self.name.iter().map(|said| ("name", text(said))).collect();
        all.extend(detectors(&self.detectors));
        all.extend(self.path.iter().map(|said| ("path", text(said))));
        all.push(("action", self.action.shown()));
        all.extend(self.keep_first.iter().map(|said| ("keep_first", plain(said))));
        all.extend(self.keep_last.iter().map(|said| ("keep_last", plain(said))));
        all.extend(self.secrets.iter().map(|said| ("secrets", plain(said))));
        all
    }
}

impl RouteEntry {
    fn settings(&self) -> Vec<(&'static str, String)> {
        let mut all = vec![("name", text(&self.name)), ("match", self.condition())];
        all.extend(self.schema.iter().map(|said| ("schema", text(said))));
        all.extend(self.packs.iter().map(|said| ("packs", texts(said))));
        if !self.add_packs.is_empty() {
            all.push(("add_packs", texts(&self.add_packs)));
        }
        all.extend(self.only.iter().map(|said| ("only", texts(said))));
        all.extend(self.without.iter().map(|said| ("without", texts(said))));
        if !self.rules.is_empty() {
            let rules: Vec<_> = self.rules.iter().map(|rule| inline(rule.settings())).collect();
            all.push(("rule", format!("[{}]", rules.join(", "))));
        }
        for (key, said) in [("sink", &self.sink), ("dead_letter", &self.dead_letter)] {
            all.extend(said.iter().map(|said| (key, inline(vec![("topic", text(said))]))));
        }
        all
    }

    fn condition(&self) -> String {
        let mut all = Vec::new();
        for (key, said) in [("topic", &self.topics), ("file", &self.files)] {
            if !said.is_empty() {
                all.push((key, texts(said)));
            }
        }
        if !self.fields.is_empty() {
            let field = |(name, values): &(Said<String>, Vec<Said<String>>)| {
                format!("{} = {}", quoted(&name.value), texts(values))
            };
            let fields: Vec<_> = self.fields.iter().map(field).collect();
            all.push(("field", format!("{{ {} }}", fields.join(", "))));
        }
        inline(all)
    }
}

impl ActionEntry {
    fn shown(&self) -> String {
        match self {
            Self::Word(said) => choice(said),
            Self::Hmac { keys, .. } => inline(vec![("hmac", text(keys))]),
        }
    }
}

impl RingEntry {
    fn shown(&self) -> String {
        let mut all = vec![("active", self.active.shown())];
        if !self.previous.is_empty() {
            let previous: Vec<_> = self.previous.iter().map(KeyEntry::shown).collect();
            all.push(("previous", format!("[{}]", previous.join(", "))));
        }
        format!("{} = {}", self.name, inline(all))
    }
}

impl KeyEntry {
    fn shown(&self) -> String {
        inline(vec![("id", text(&self.id)), ("file", text(&self.file))])
    }
}

/// Formats the tables of keys as one table, without the content of the keys.
fn keys(rings: &[RingEntry]) -> Option<String> {
    let all: Vec<_> = rings.iter().map(RingEntry::shown).collect();
    (!all.is_empty()).then(|| format!("{{ {} }}", all.join(", ")))
}

fn detectors(said: &[Said<String>]) -> Option<(&'static str, String)> {
    (!said.is_empty()).then(|| ("detectors", texts(said)))
}

fn text(said: &Said<String>) -> String {
    said.shown(&quoted(&said.value))
}

fn texts(said: &[Said<String>]) -> String {
    let all: Vec<_> = said.iter().map(text).collect();
    format!("[{}]", all.join(", "))
}

impl<T> Said<T> {
    fn shown(&self, value: &str) -> String {
        if self.secret { MASK.to_owned() } else { value.to_owned() }
    }
}

fn plain<T: ToString>(said: &Said<T>) -> String {
    said.shown(&said.value.to_string())
}

fn choice<T: ValueEnum>(said: &Said<T>) -> String {
    let name = said.value.to_possible_value();
    said.shown(&quoted(name.as_ref().map_or("", |name| name.get_name())))
}

/// Formats a TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
