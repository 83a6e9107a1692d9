//! Resolves `[[route]]`: names of packs and detectors, and the sources that a route applies to.

use std::{fmt, sync::Arc};

use globset::{GlobBuilder, GlobMatcher};

use super::{packs, resolved::RouteRules};
use crate::{
    cli::RuleArgs,
    config::{Said, Spot, route::RouteEntry},
    engine::{
        FieldCondition, Pattern, Plan, Way,
        detect::{Pack, Selection},
    },
    kafka::TopicPattern,
};

/// The sources that a route applies to.
#[derive(Debug, Clone, Default)]
pub(crate) struct SourceCondition {
    topics: Vec<TopicPattern>,
    files: Vec<FileGlob>,
}

/// A glob for the path of a file, or, without a `/`, for its name.
#[derive(Debug, Clone)]
struct FileGlob {
    matcher: GlobMatcher,
    is_name: bool,
}

impl FileGlob {
    fn new(text: &str) -> Result<Self, globset::Error> {
        let glob = GlobBuilder::new(text).literal_separator(true).build()?;
        Ok(Self { matcher: glob.compile_matcher(), is_name: !text.contains('/') })
    }

    fn covers(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().filter(|_| self.is_name);
        self.matcher.is_match(name.unwrap_or(path))
    }
}

impl SourceCondition {
    /// Returns whether it applies to all sources.
    pub(crate) fn is_any(&self) -> bool {
        self.topics.is_empty() && self.files.is_empty()
    }

    /// Returns whether the route applies to the source `name`.
    fn covers(&self, name: &str) -> bool {
        (self.topics.is_empty() || self.topics.iter().any(|topic| topic.covers(name)))
            && (self.files.is_empty() || self.files.iter().any(|file| file.covers(name)))
    }
}

/// A plan, and the ways of its sources.
#[derive(Clone)]
pub(crate) struct Routed {
    pub(crate) plan: Arc<Plan>,
    /// By route, without the default route.
    sources: Arc<[SourceCondition]>,
}

impl Routed {
    pub(crate) fn new(plan: Plan, sources: Arc<[SourceCondition]>) -> Self {
        Self { plan: Arc::new(plan), sources }
    }

    /// Returns whether the routes that events can take depend on the source.
    pub(crate) fn asks_sources(&self) -> bool {
        self.sources.iter().any(|source| !source.is_any())
    }

    /// Returns the way of the source `name`, which is a topic or the path of a file.
    pub(crate) fn way(&self, name: &str) -> Way {
        let takes = |source: &SourceCondition| source.covers(name);
        self.plan.way(|route| self.sources.get(route.wrapping_sub(1)).is_some_and(takes))
    }
}

impl fmt::Debug for Routed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routed").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// The resolved routes, and all their packs in addition to those of the top level.
#[derive(Default)]
pub(crate) struct Resolved {
    pub(crate) routes: Vec<RouteRules>,
    pub(crate) default_packs: Vec<String>,
}

/// Resolves the routes of `args`, except for their rules. Packs that only routes use are added to
/// `all`. The errors have one line per problem.
pub(crate) fn resolve(args: &RuleArgs, all: &mut Vec<Pack>) -> Result<Resolved, Vec<String>> {
    let entries = &args.policy;
    let base: Vec<String> = all.iter().map(|pack| pack.pack.clone()).collect();
    // Parsing the built-in packs takes time: once, and only if a route names packs.
    let named = entries.routes.iter().any(|entry| entry.names_packs());
    let shipped = if named { packs::shipped().unwrap_or_default() } else { Vec::new() };
    let (file, wrong) = (&entries.file, Vec::new());
    let mut judge = Judge { file, args, base: &base, shipped, all, wrong };
    let routes: Vec<_> = entries.routes.iter().filter_map(|entry| judge.route(entry)).collect();
    let Judge { wrong, all, .. } = judge;
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let default_packs = if all.len() > base.len() { base.clone() } else { Vec::new() };
    Ok(Resolved { routes, default_packs })
}

struct Judge<'a> {
    file: &'a str,
    args: &'a RuleArgs,
    /// The packs of the top level.
    base: &'a [String],
    /// The built-in packs, if a route names packs.
    shipped: Vec<Pack>,
    all: &'a mut Vec<Pack>,
    wrong: Vec<String>,
}

impl Judge<'_> {
    fn at(&self, spot: Spot, what: &str) -> String {
        format!("{}:{}:{}: {what}", self.file, spot.line, spot.column)
    }

    fn complain(&mut self, spot: Spot, what: &str) {
        let line = self.at(spot, what);
        self.wrong.push(line);
    }

    fn route(&mut self, entry: &RouteEntry) -> Option<RouteRules> {
        let packs = self.packs(entry)?;
        let known: Vec<_> =
            self.all.iter().filter(|pack| packs.contains(&pack.pack)).cloned().collect();
        let lists = entry.only.iter().chain(&entry.without).flatten();
        for said in lists.filter(|said| !packs::knows(&known, &said.value)) {
            let fix = packs::fix(&known, &said.value);
            let what = format!("no detector, category or pack `{}`: {fix}", said.value);
            self.complain(said.spot, &what);
        }
        let texts = |said: &Option<Vec<Said<String>>>, top: &[String]| match said {
            Some(said) => said.iter().map(|one| one.value.clone()).collect(),
            None => top.to_vec(),
        };
        let select = Selection {
            only: texts(&entry.only, &self.args.only),
            without: texts(&entry.without, &self.args.without),
            packs,
        };
        let schema = entry.schema.as_ref();
        Some(RouteRules {
            name: entry.name.value.clone(),
            source: source(entry)?,
            fields: entry.fields.iter().map(condition).collect::<Option<_>>()?,
            select,
            schema: schema.map(|said| (said.value.clone(), self.at(said.spot, "schema"))),
            rules: Vec::new(),
        })
    }

    /// Returns the names of a route's packs, and adds these packs.
    fn packs(&mut self, entry: &RouteEntry) -> Option<Vec<String>> {
        let mut names = if entry.packs.is_some() { Vec::new() } else { self.base.to_vec() };
        let mut pins = Vec::new();
        let before = self.wrong.len();
        for said in entry.packs.iter().flatten().chain(&entry.add_packs) {
            let loaded = match packs::pin(&self.shipped, &said.value, &pins) {
                Ok(Some(pin)) => {
                    pins.push(pin.clone());
                    packs::load(Some(&[pin]), &[])
                }
                Ok(None) => packs::load(Some(&[]), &[said.value.clone().into()]),
                Err(what) => {
                    self.complain(said.spot, &what);
                    continue;
                }
            };
            match loaded {
                Ok(packs) => packs.into_iter().for_each(|pack| self.add(pack, said, &mut names)),
                Err(error) => self.complain(said.spot, &error.to_string()),
            }
        }
        (self.wrong.len() == before).then_some(names)
    }

    fn add(&mut self, pack: Pack, said: &Said<String>, names: &mut Vec<String>) {
        match self.all.iter().find(|known| known.pack == pack.pack) {
            Some(known) if *known != pack => {
                let what = format!(
                    "pack `{}` is already loaded with version {}: all routes must use the same \
                     version of a pack",
                    known.pack, known.version
                );
                return self.complain(said.spot, &what);
            }
            Some(_) => {}
            None => self.all.push(pack.clone()),
        }
        if !names.contains(&pack.pack) {
            names.push(pack.pack);
        }
    }
}

/// Returns the sources of a route. Its patterns were already checked.
fn source(entry: &RouteEntry) -> Option<SourceCondition> {
    let topics = entry.topics.iter().map(|said| TopicPattern::parse(&said.value).ok());
    let files = entry.files.iter().map(|said| FileGlob::new(&said.value).ok());
    Some(SourceCondition {
        topics: topics.collect::<Option<_>>()?,
        files: files.collect::<Option<_>>()?,
    })
}

fn condition((name, values): &(Said<String>, Vec<Said<String>>)) -> Option<FieldCondition> {
    let values = values.iter().map(|said| Pattern::parse(&said.value).ok());
    Some(FieldCondition { name: name.value.clone(), values: values.collect::<Option<_>>()? })
}

#[cfg(test)]
mod tests {
    use super::FileGlob;

    #[test]
    fn a_glob_without_a_slash_is_for_names() {
        for (glob, path, want) in [
            ("*.log", "web/a.log", true),
            ("*.log", "web/a.txt", false),
            ("web/*.log", "web/a.log", true),
            ("web/*.log", "web/b/a.log", false),
            ("web/**/*.log", "web/b/a.log", true),
            ("**/a.log", "/var/log/a.log", true),
            ("a.log", "/var/log/a.log", true),
        ] {
            assert_eq!(FileGlob::new(glob).unwrap().covers(path), want, "{glob} {path}");
        }
    }
}
