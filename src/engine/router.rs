//! Routes: which events take which ruleset, by what they come from and by their own fields.
//!
//! The first route whose conditions all hold wins; what matches none takes the default. A field that
//! is missing, that occurs twice with different values, or whose value cannot be compared, leaves a
//! condition open. An event with an open condition is never judged by less than what would hold if the
//! condition held: see [`Router::decide`].

mod condition;

use std::borrow::Cow;
use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::decode;
use super::detect::Selection;
use super::outcome::Reason;
use super::policy::Rule;
use super::schema::Schema;
use super::walk::Kind;
use super::walk::asked::{MORE, Occurrence};
pub use condition::{FieldCondition, Pattern};

/// A route: its conditions, and what is applied to the events that take it.
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// The name: unique.
    pub name: String,
    /// It is only for some sources: see [`Plan::way`](super::Plan::way).
    pub of_sources: bool,
    /// What the event's own fields must be. All of these must hold.
    pub fields: Vec<FieldCondition>,
    /// Which detectors are enabled.
    pub select: Selection,
    /// The schema that every event must have.
    pub schema: Option<Arc<Schema>>,
    /// Rules before those of the policy.
    pub rules: Vec<Rule>,
}

/// The routes that the events of one source can take, in their order. The last one asks for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    routes: Arc<[u16]>,
    /// What lines are judged by that take the last one, where that is not its own.
    ruleset: Option<u16>,
}

impl Way {
    /// The way of lines that take this route and are judged by this ruleset, whatever they are.
    pub(crate) fn only(route: u16, ruleset: u16) -> Self {
        Self { routes: [route].into(), ruleset: Some(ruleset) }
    }

    /// The route of what has no fields.
    #[inline(always)]
    pub fn plain(&self) -> u16 {
        self.routes.last().copied().unwrap_or_default()
    }

    /// Whether fields decide nothing.
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        self.routes.len() < 2
    }
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It takes this route, and is judged by this ruleset.
    Take { route: u16, ruleset: u16 },
    /// No ruleset is strict enough: it is refused for this field.
    Refuse { route: u16, reason: Reason, field: u8 },
}

/// The names of the fields that `routes` ask for; nothing if there are more than 255.
pub(crate) fn asked(routes: &[Route]) -> Option<Arc<[Box<[u8]>]>> {
    let mut all: Vec<Box<[u8]>> = Vec::new();
    for condition in routes.iter().flat_map(|route| &route.fields) {
        let name = condition.name.as_bytes();
        if all.iter().all(|known| **known != *name) {
            all.push(name.into());
        }
    }
    (all.len() <= usize::from(u8::MAX)).then(|| all.into())
}

/// The routes, compiled. The first one is the default.
pub(crate) struct Router {
    /// The names of fields that routes ask for.
    pub(crate) asked: Arc<[Box<[u8]>]>,
    routes: Vec<Compiled>,
    /// By ruleset, a bit for each ruleset that it is at least as strict as.
    stricter: Vec<Vec<u64>>,
}

struct Compiled {
    of_sources: bool,
    fields: Vec<(u8, Vec<Pattern>)>,
    ruleset: u16,
}

/// What a field of an event is.
enum Field<'a> {
    Text(Cow<'a, [u8]>, bool),
    /// It cannot be compared, for this reason.
    Open(Reason),
}

/// What a route says of an event.
enum Said {
    Yes,
    No,
    /// It depends on this field, which cannot be compared for this reason.
    Open(u8, Reason),
}

impl Router {
    /// The routes of `routes`, whose rulesets are `rulesets`, the default's first; `asked` are the fields
    /// that they ask for. `at_least` says whether one ruleset is at least as strict as another.
    pub(crate) fn new(
        routes: &[Route],
        rulesets: &[u16],
        asked: Arc<[Box<[u8]>]>,
        at_least: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let mut all = vec![Compiled { of_sources: false, fields: Vec::new(), ruleset: 0 }];
        for (route, ruleset) in routes.iter().zip(rulesets.iter().skip(1)) {
            let mut fields = Vec::new();
            for FieldCondition { name, values } in &route.fields {
                let known = asked.iter().position(|known| **known == *name.as_bytes());
                fields.push((known.unwrap_or_default() as u8, values.clone()));
            }
            all.push(Compiled { of_sources: route.of_sources, fields, ruleset: *ruleset });
        }
        let count = rulesets.iter().max().map_or(1, |most| usize::from(*most) + 1);
        let row = |a| {
            let mut row = vec![0; count.div_ceil(64)];
            (0..count).filter(|b| at_least(a, *b)).for_each(|b| row[b / 64] |= 1 << (b % 64));
            row
        };
        Self { asked, routes: all, stricter: (0..count).map(row).collect() }
    }

    /// Whether there are routes beside the default.
    #[inline(always)]
    pub(crate) fn has_routes(&self) -> bool {
        self.routes.len() > 1
    }

    /// The way of a source for which these routes are, of those that are only for some sources.
    pub(crate) fn way(&self, takes: impl Fn(usize) -> bool) -> Way {
        let mut way = Vec::new();
        for (number, route) in (0u16..).zip(&self.routes).skip(1) {
            if route.of_sources && !takes(usize::from(number)) {
                continue;
            }
            way.push(number);
            if route.fields.is_empty() {
                return Way { routes: way.into(), ruleset: None };
            }
        }
        way.push(0);
        Way { routes: way.into(), ruleset: None }
    }

    /// The route of what has no fields, and what it is judged by.
    #[inline(always)]
    pub(crate) fn plain(&self, way: &Way) -> (u16, u16) {
        let route = way.plain();
        (route, way.ruleset.unwrap_or_else(|| self.ruleset(route)))
    }

    /// The ruleset of a route.
    #[inline(always)]
    pub(crate) fn ruleset(&self, route: u16) -> u16 {
        self.routes[usize::from(route)].ruleset
    }

    fn is_at_least(&self, a: u16, b: u16) -> bool {
        let b = usize::from(b);
        self.stricter[usize::from(a)][b / 64] >> (b % 64) & 1 != 0
    }

    /// Decides about an event with these fields.
    ///
    /// It takes the first route of `way` whose conditions hold. Where conditions of routes before that
    /// one are open, the event is judged by the one ruleset that is at least as strict as the others
    /// that come into question; if there is none, it is refused.
    pub(crate) fn decide(&self, way: &Way, buf: &[u8], occurrences: &[Occurrence]) -> Decision {
        let fields = self.fields(buf, occurrences);
        let mut route = way.plain();
        // The ruleset that may be the strictest, and the first field that leaves a route open.
        let (mut strictest, mut open) = (None, None);
        for &number in &*way.routes {
            match self.says(number, way, &fields) {
                Said::Yes => {
                    route = number;
                    break;
                }
                Said::No => {}
                Said::Open(field, reason) => {
                    let ruleset = self.ruleset(number);
                    open = open.or(Some((field, reason)));
                    if strictest.is_none_or(|all| !self.is_at_least(all, ruleset)) {
                        strictest = Some(ruleset);
                    }
                }
            }
        }
        let own = self.ruleset(route);
        let (Some(strictest), Some((field, reason))) = (strictest, open) else {
            return Decision::Take { route, ruleset: own };
        };
        let ruleset = if self.is_at_least(own, strictest) { own } else { strictest };
        let others = way.routes.iter().take_while(|number| **number != route);
        let all = others
            .filter(|number| matches!(self.says(**number, way, &fields), Said::Open(..)))
            .chain([&route])
            .all(|number| self.is_at_least(ruleset, self.ruleset(*number)));
        match all {
            true => Decision::Take { route, ruleset },
            false => Decision::Refuse { route, reason, field },
        }
    }

    fn says(&self, route: u16, way: &Way, fields: &[Field<'_>]) -> Said {
        let mut said = Said::Yes;
        if route == way.plain() {
            return said;
        }
        for (number, patterns) in &self.routes[usize::from(route)].fields {
            match &fields[usize::from(*number)] {
                Field::Text(text, string) => {
                    if !patterns.iter().any(|pattern| pattern.matches(text, *string)) {
                        return Said::No;
                    }
                }
                Field::Open(reason) if matches!(said, Said::Yes) => {
                    said = Said::Open(*number, *reason);
                }
                Field::Open(_) => {}
            }
        }
        said
    }

    /// What each field that is asked for is.
    fn fields<'a>(&self, buf: &'a [u8], occurrences: &[Occurrence]) -> SmallVec<[Field<'a>; 4]> {
        let mut fields: SmallVec<[Field<'_>; 4]> = smallvec![];
        fields.extend(self.asked.iter().map(|_| Field::Open(Reason::Required)));
        for occurrence in occurrences {
            if occurrence.field == MORE {
                let all = fields.iter_mut();
                all.for_each(|field| *field = Field::Open(Reason::DuplicateKey));
                break;
            }
            let field = &mut fields[usize::from(occurrence.field)];
            let new = value(buf, occurrence);
            *field = match (&*field, new) {
                (Field::Open(Reason::Required), new) => new,
                // Whichever of two equal values is taken, it is the same.
                (Field::Text(a, is), Field::Text(b, string)) if *a == b && *is == string => {
                    Field::Text(b, string)
                }
                _ => Field::Open(Reason::DuplicateKey),
            };
        }
        fields
    }
}

/// The value of a field, decoded.
fn value<'a>(buf: &'a [u8], occurrence: &Occurrence) -> Field<'a> {
    let raw = &buf[occurrence.start as usize..occurrence.end as usize];
    match occurrence.kind {
        Kind::String if raw.contains(&b'\\') => {
            let mut text = Vec::new();
            match decode::unescape(raw, &mut text, &mut decode::OffsetMap::default()) {
                Ok(()) => Field::Text(text.into(), true),
                // The event is malformed.
                Err(_) => Field::Open(Reason::Type),
            }
        }
        Kind::String => Field::Text(raw.into(), true),
        Kind::True | Kind::False => Field::Text(raw.into(), false),
        // Other numbers can be written in several ways.
        Kind::Number if raw != b"-0" && !raw.iter().any(|b| b".eE".contains(b)) => {
            Field::Text(raw.into(), false)
        }
        _ => Field::Open(Reason::Type),
    }
}

#[cfg(test)]
mod tests;
