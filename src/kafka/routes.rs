//! The topics that are written for each topic that is read, and whether they would be read again.

use std::collections::BTreeSet;

use regex::Regex;

/// Stands for the name of the topic that is read.
const TOPIC: &str = "{topic}";

/// The name of a topic, or a regular expression for names, which begins with `^`.
#[derive(Debug, Clone)]
pub enum TopicPattern {
    /// A name.
    Name(String),
    /// A regular expression.
    Regex(Regex),
}

impl TopicPattern {
    /// Reads one.
    ///
    /// # Errors
    /// A regular expression that cannot be read.
    pub fn parse(text: &str) -> Result<Self, String> {
        if !text.starts_with('^') {
            return Ok(Self::Name(text.to_owned()));
        }
        let invalid = |error: regex::Error| {
            let what = error.to_string();
            format!("`{text}` is not a valid regex: {}", what.lines().last().unwrap_or_default())
        };
        Regex::new(text).map(Self::Regex).map_err(invalid)
    }

    /// Whether it is for this topic.
    pub fn covers(&self, topic: &str) -> bool {
        match self {
            Self::Name(name) => name == topic,
            Self::Regex(regex) => regex.is_match(topic),
        }
    }

    /// Returns whether it matches every name that begins with a matching name.
    fn is_open(&self) -> bool {
        let Self::Regex(regex) = self else { return false };
        let looks = regex_syntax::parse(regex.as_str()).map(|hir| hir.properties().look_set());
        looks.is_ok_and(|set| {
            set.iter().all(|look| {
                use regex_syntax::hir::Look;
                matches!(look, Look::Start | Look::StartLF | Look::StartCRLF)
            })
        })
    }
}

/// The topics that are written for a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The topic for forwarded records.
    pub sink: String,
    /// The topic for dead letters.
    pub dead_letter: Option<String>,
}

/// The topics that are read, and the topics that are written for each.
#[derive(Debug, Clone)]
pub struct Routes {
    read: Vec<TopicPattern>,
    routes: Vec<(TopicPattern, String)>,
    sink: String,
    dead_letter: Option<String>,
    /// Where the events of each `[[route]]` go, by its name.
    own: Vec<(String, Option<String>, Option<String>)>,
}

/// Checks a pattern for topic names.
///
/// # Errors
/// The regular expression is invalid.
pub fn check_pattern(text: &str) -> Result<(), String> {
    TopicPattern::parse(text).map(drop)
}

/// Fills a topic name into a template.
pub fn filled(template: &str, topic: &str) -> String {
    template.replace(TOPIC, topic)
}

impl Routes {
    /// Records of the topics in `read` (names, or regular expressions that begin with `^`) go to
    /// the topic of the first matching route, or else to `sink`. All topics that are written are
    /// templates.
    ///
    /// # Errors
    /// A regular expression is invalid.
    pub fn new<'a>(
        read: impl Iterator<Item = &'a str>,
        routes: impl Iterator<Item = (&'a str, &'a str)>,
        sink: &str,
        dead_letter: Option<&str>,
    ) -> Result<Self, String> {
        let route = |(from, to): (&str, &str)| Ok((TopicPattern::parse(from)?, to.to_owned()));
        Ok(Self {
            read: read.map(TopicPattern::parse).collect::<Result<_, _>>()?,
            routes: routes.map(route).collect::<Result<_, String>>()?,
            sink: sink.to_owned(),
            dead_letter: dead_letter.map(str::to_owned),
            own: Vec::new(),
        })
    }

    /// Sets where the events of each `[[route]]` go: its name, and the templates for forwarded events and
    /// for dead letters. They take precedence over all others.
    pub fn with_own(
        self,
        own: impl Iterator<Item = (String, Option<String>, Option<String>)>,
    ) -> Self {
        let own = own.filter(|(_, sink, dead_letter)| sink.is_some() || dead_letter.is_some());
        Self { own: own.collect(), ..self }
    }

    /// Returns whether a topic is read.
    pub fn covers(&self, topic: &str) -> bool {
        self.read.iter().any(|pattern| pattern.covers(topic))
    }

    /// Returns the topics that are written for a topic's events that take this `[[route]]`.
    pub fn of(&self, topic: &str, own: Option<&str>) -> Written {
        let own = self.own.iter().find(|(name, ..)| Some(&**name) == own);
        let (own_sink, own_letter) =
            own.map_or((None, None), |(_, sink, letter)| (sink.as_ref(), letter.as_ref()));
        let route = self.routes.iter().find(|(from, _)| from.covers(topic));
        let sink = own_sink.unwrap_or_else(|| route.map_or(&self.sink, |(_, to)| to));
        let dead_letter = own_letter.or(self.dead_letter.as_ref());
        let dead_letter = dead_letter.map(|template| filled(template, topic));
        Written { sink: filled(sink, topic), dead_letter }
    }

    /// Returns all topics that may be written for a topic.
    pub fn all_of(&self, topic: &str) -> impl Iterator<Item = Written> {
        let own = self.own.iter().map(|(name, ..)| Some(name.as_str()));
        [None].into_iter().chain(own).map(move |own| self.of(topic, own))
    }

    /// Returns the topics that are read by name.
    pub fn named(&self) -> impl Iterator<Item = &str> {
        self.read.iter().filter_map(|pattern| match pattern {
            TopicPattern::Name(name) => Some(name.as_str()),
            TopicPattern::Regex(_) => None,
        })
    }

    /// Returns the sink topics that do not depend on the topic that is read.
    pub fn fixed_sinks(&self) -> impl Iterator<Item = &str> {
        let own = self.own.iter().filter_map(|(_, sink, _)| sink.as_ref());
        let sinks = self.routes.iter().map(|(_, to)| to).chain([&self.sink]).chain(own);
        sinks.map(String::as_str).filter(|topic| !topic.contains(TOPIC))
    }

    /// Returns the dead letter topics that do not depend on the topic that is read.
    pub fn fixed_letters(&self) -> impl Iterator<Item = &str> {
        self.letter_templates().filter(|topic| !topic.contains(TOPIC))
    }

    /// Returns the dead letter topics for the topics that are read, given that the cluster has the
    /// topics `all`. They may not exist.
    pub fn letters<'a>(&'a self, all: impl Iterator<Item = &'a str>) -> Vec<String> {
        let all: Vec<&str> = all.collect();
        let letters: BTreeSet<_> =
            self.letter_templates().flat_map(|template| self.letters_of(template, &all)).collect();
        letters.into_iter().collect()
    }

    /// Returns the templates for dead letter topics.
    fn letter_templates(&self) -> impl Iterator<Item = &str> {
        let own = self.own.iter().filter_map(|(_, _, letter)| letter.as_deref());
        self.dead_letter.as_deref().into_iter().chain(own)
    }

    fn letters_of(&self, template: &str, all: &[&str]) -> Vec<String> {
        let Some((before, behind)) = template.split_once(TOPIC) else {
            return vec![template.to_owned()];
        };
        // A source topic may be deleted while its dead letters remain.
        let read = all.iter().flat_map(|topic| {
            let was = topic.strip_prefix(before).and_then(|rest| rest.strip_suffix(behind));
            [Some(*topic), was.filter(|was| filled(template, was) == *topic)]
        });
        let read = read.flatten().chain(self.named()).filter(|topic| self.covers(topic));
        read.map(|topic| filled(template, topic)).collect()
    }

    /// Returns what would be read again of the topics that `template` writes, as far as it is known
    /// without a cluster: a topic, or a regular expression that matches a name with any ending.
    pub fn circle(&self, template: &str) -> Option<String> {
        if !template.contains(TOPIC) {
            return self.covers(template).then(|| template.to_owned());
        }
        let named = self.named().map(|name| filled(template, name));
        let open = self.read.iter().filter(|pattern| pattern.is_open());
        let open = open.filter(|_| template.starts_with(TOPIC));
        named.into_iter().find(|topic| self.covers(topic)).or_else(|| {
            open.into_iter().find_map(|pattern| match pattern {
                TopicPattern::Regex(regex) => Some(regex.as_str().to_owned()),
                TopicPattern::Name(_) => None,
            })
        })
    }

    /// Returns why the topics for `topic` may not be written, if they may not.
    pub fn fault(&self, topic: &str) -> Option<String> {
        let written: Vec<_> = self.all_of(topic).collect();
        let again = written.iter().flat_map(|all| [Some(&all.sink), all.dead_letter.as_ref()]);
        if let Some(again) = again.flatten().find(|topic| self.covers(topic)) {
            let what = "would be read again, because [source] includes that topic";
            return Some(format!("what is written from `{topic}` to `{again}` {what}"));
        }
        let letters =
            |sink: &&String| written.iter().any(|w| w.dead_letter.as_ref() == Some(*sink));
        let sink = written.iter().map(|written| &written.sink).find(letters)?;
        Some(format!("`{topic}` and its dead letters both go to `{sink}`: use separate topics"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(read: &[&str], routes: &[(&str, &str)], sink: &str) -> Routes {
        let (read, routes) = (read.iter().copied(), routes.iter().copied());
        Routes::new(read, routes, sink, Some("{topic}.dead")).unwrap()
    }

    #[test]
    fn the_first_route_that_has_a_topic_wins() {
        let given = [("logs.app", "app"), ("^logs\\.", "{topic}.x"), ("^logs\\.b", "never")];
        let routes = routes(&["^logs\\.[a-z]+$", "other"], &given, "{topic}.clean");
        let sink = |topic| routes.of(topic, None).sink;
        assert_eq!(["logs.app", "logs.b", "other"].map(sink), ["app", "logs.b.x", "other.clean"]);
        assert_eq!(routes.of("other", None).dead_letter.as_deref(), Some("other.dead"));
        assert_eq!(routes.named().collect::<Vec<_>>(), ["other"]);
        assert_eq!(routes.fixed_sinks().collect::<Vec<_>>(), ["app", "never"]);
        assert_eq!(routes.fault("logs.app"), None);
    }

    #[test]
    fn letters_are_found_of_what_is_read_or_was() {
        let all = routes(&["^logs\\.[a-z]+$", "other"], &[], "clean");
        let there = ["logs.a", "logs.b.dead", "metrics", "metrics.dead", "logs.c.clean"];
        let letters = all.letters(there.into_iter());
        assert_eq!(letters, ["logs.a.dead", "logs.b.dead", "other.dead"]);
        let fixed = Routes::new(["a"].into_iter(), [].into_iter(), "b", Some("dead")).unwrap();
        assert_eq!(fixed.letters([].into_iter()), ["dead"]);
    }

    #[test]
    fn circles_are_found() {
        let all = routes(&["^logs\\..*"], &[], "{topic}.clean");
        assert_eq!(all.circle("{topic}.clean").as_deref(), Some("^logs\\..*"));
        assert_eq!(all.circle("clean.{topic}"), None);
        assert_eq!(all.circle("logs.clean").as_deref(), Some("logs.clean"));
        assert!(all.fault("logs.app").is_some_and(|what| what.contains("`logs.app.clean`")));
        let ended = routes(&["^logs\\.[a-z]+$"], &[], "{topic}.clean");
        assert_eq!((ended.circle("{topic}.clean"), ended.fault("logs.app")), (None, None));
        let named = routes(&["a", "a.clean"], &[], "{topic}.clean");
        assert_eq!(named.circle("{topic}.clean").as_deref(), Some("a.clean"));
        let same = routes(&["a"], &[], "{topic}.dead");
        assert!(same.fault("a").is_some_and(|what| what.contains("dead letters")));
        assert!(Routes::new(["^("].into_iter(), [].into_iter(), "b", None).is_err());
    }
}
