//! Routes through the engine as a whole: which one events take, and that none of them is judged by less
//! than what may be meant.

use std::sync::Arc;

use super::{FieldCondition, Pattern, Route};
use crate::engine::detect::Selection;
use crate::engine::policy::{Action, Policy, Rule};
use crate::engine::schema::Schema;
use crate::engine::tests::packs;
use crate::engine::{Chunk, Engine, Fate, Output, Payload, Plan, Reason, Settings};

fn fields(conditions: &[(&str, &[&str])]) -> Vec<FieldCondition> {
    let pattern = |value: &&str| Pattern::parse(value).unwrap();
    let one = |(name, values): &(&str, &[&str])| FieldCondition {
        name: (*name).to_owned(),
        values: values.iter().map(pattern).collect(),
    };
    conditions.iter().map(one).collect()
}

fn route(name: &str, conditions: &[(&str, &[&str])], without: &[&str]) -> Route {
    let without = without.iter().map(|name| (*name).to_owned()).collect();
    let select = Selection { without, ..Selection::default() };
    Route { name: name.to_owned(), fields: fields(conditions), select, ..Route::default() }
}

fn schema(text: &str) -> Option<Arc<Schema>> {
    Some(Arc::new(Schema::parse("test.json", text).unwrap()))
}

fn plan(routes: Vec<Route>, select: Selection) -> Arc<Plan> {
    let settings = Settings { packs: packs(), bodies: true, routes, select, ..Settings::default() };
    Arc::new(Plan::compile(settings).unwrap_or_else(|e| panic!("{e}")))
}

fn run(plan: &Arc<Plan>, input: &str) -> Output {
    let mut out = Output::default();
    Engine::new(Arc::clone(plan)).process(&Chunk::from_bytes(input.as_bytes()), &mut out);
    assert_eq!(out.tally.unaccounted(), 0);
    out
}

/// The route that each line took.
fn taken(out: &Output) -> Vec<&str> {
    let mut taken = Vec::new();
    for number in 0..out.tally.read as u32 {
        let run = out.runs.iter().rev().find(|run| run.first <= number).unwrap();
        taken.push(&*out.routes[usize::from(run.route)].name);
    }
    taken
}

#[test]
fn the_first_route_that_matches_is_taken() {
    let routes = vec![
        route("web", &[("service", &["web-*", "*-front"])], &[]),
        route("prod", &[("env", &["prod"]), ("service", &["pay", "5", "true"])], &[]),
        route("pay", &[("service", &["pay"])], &[]),
    ];
    let plan = plan(routes, Selection::default());
    for (event, want) in [
        (r#"{"service":"web-1"}"#, "web"),
        (r#"{"service":"shop-front","env":"prod"}"#, "web"),
        (r#"{"env":"prod","service":"pay"}"#, "prod"),
        (r#"{ "env" : "prod" , "x":{"service":"web-1"}, "service" : 5 }"#, "prod"),
        (r#"{"env":"prod","service":true}"#, "prod"),
        (r#"{"env":"test","service":"pay"}"#, "pay"),
        (r#"{"env":"prod","\u0073ervice":"\u0070ay"}"#, "prod"),
        (r#"{"service":"other","env":"prod"}"#, "default"),
        (r#"{"Service":"web-1"}"#, "default"),
        (r#"{"x":[{"service":"web-1"}],"y":{"service":"web-1"},"service":""}"#, "default"),
        (r#"{"service":"pay-web-1"}"#, "default"),
        ("service=web-1", "default"),
        (r#"{"service":"web-1""#, "default"),
        ("", "default"),
    ] {
        // Twice, so that what the event before tells is used, too.
        assert_eq!(taken(&run(&plan, &format!("{event}\n{event}\n"))), [want; 2], "{event}");
    }
}

#[test]
fn an_event_with_an_open_condition_is_judged_by_the_strictest() {
    let lax: &[&str] = &["email"];
    let pay: &[(&str, &[&str])] = &[("service", &["pay"])];
    let mail = r#""m":"a@acme-corp.com""#;
    let many = r#""service":"pay","#.repeat(40);
    // The default lets addresses through; the route does not.
    let strict_route = plan(
        vec![route("pay", pay, &[])],
        Selection { without: vec!["email".into()], ..Selection::default() },
    );
    // The other way round.
    let strict_default = plan(vec![route("pay", pay, lax)], Selection::default());
    for (fields, by_route, by_default) in [
        (r#""service":"pay""#, false, true),
        (r#""service":"other""#, true, false),
        // Open.
        (r#""x":1"#, false, false),
        (r#""service":"pay","service":"other""#, false, false),
        (r#""service":"other","\u0073ervice":"pay""#, false, false),
        (r#""service":null"#, false, false),
        (r#""service":["pay"]"#, false, false),
        (r#""service":{"service":"other"}"#, false, false),
        (r#""service":1.0"#, false, false),
        // More often than anybody looks.
        (many.trim_end_matches(','), false, false),
        // Twice the same.
        (r#""service":"other","service":"\u006fther""#, true, false),
        (r#""service":"pay","service":"pay""#, false, true),
    ] {
        for (plan, passes) in [(&strict_route, by_route), (&strict_default, by_default)] {
            for event in [format!("{{{fields},{mail}}}"), format!("{{{mail},{fields}}}")] {
                let out = run(plan, &event);
                let text = String::from_utf8_lossy(&out.clean).into_owned();
                assert_eq!(text.contains("acme-corp"), passes, "{event}: {text}");
            }
        }
    }
}

#[test]
fn an_event_for_which_no_ruleset_is_strict_enough_is_refused() {
    let by = |name: &str, text| Route {
        schema: schema(text),
        ..route(name, &[("service", &[name])], &[])
    };
    let routes = vec![
        by("pay", r#"{"type":"object","required":["amount"]}"#),
        by("web", r#"{"type":"object","required":["path"]}"#),
    ];
    let plan = plan(routes, Selection::default());
    for (event, reason, said) in [
        (r#"{"m":"a@acme-corp.com"}"#, Reason::Required, ("", "service")),
        (r#"{"service":"pay","amount":1,"service":"web"}"#, Reason::DuplicateKey, ("/service", "")),
        (r#"{"service":null,"amount":1}"#, Reason::Type, ("/service", "")),
    ] {
        let out = run(&plan, event);
        let reject = &out.rejects[0];
        assert_eq!((reject.reason, &*reject.pointer, &*reject.missing), (reason, said.0, said.1));
        assert_eq!((reject.payload, out.clean.len()), (Payload::Shape, 0), "{event}");
    }
    let out = run(
        &plan,
        "{\"service\":\"pay\",\"amount\":1}\n{\"service\":\"web\"}\n{\"service\":\"x\"}\n",
    );
    assert_eq!(out.clean, b"{\"service\":\"pay\",\"amount\":1}\n{\"service\":\"x\"}\n");
    let schemas: Vec<_> = out.routes.iter().map(|route| route.schema.as_deref()).collect();
    assert_eq!(schemas, [None, Some("test"), Some("test")]);
    assert_eq!((out.rejects[0].route, out.rejects[0].reason), (2, Reason::Required));
}

#[test]
fn a_pattern_has_one_star_at_an_end() {
    assert_eq!(Pattern::parse("*"), Ok(Pattern::Prefix(String::new())));
    for wrong in ["a*b", "*a*", "**", "*a*b"] {
        assert!(Pattern::parse(wrong).is_err(), "{wrong}");
    }
}

/// A small generator of numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len())]
    }

    /// An event whose routing fields may be missing, double, escaped, or no text.
    fn event(&mut self) -> String {
        let keys = ["service", "service", r"\u0073ervice", "env", r"e\u006ev", "other"];
        let values = [
            r#""a""#,
            r#""b""#,
            r#""\u0061""#,
            r#""b-1""#,
            "1",
            "1.0",
            "null",
            "[]",
            r#"{"env":"a"}"#,
        ];
        let mails = [r#""mail":"ada@acme-corp.com""#, r#""card":"4111 1111 1111 1111""#];
        let mut members: Vec<String> = Vec::new();
        for _ in 0..self.roll(4) {
            members.push(format!(r#""{}":{}"#, self.pick(&keys), self.pick(&values)));
        }
        members.push(self.pick(&mails).to_owned());
        members.push(format!(r#""n":{}"#, self.roll(3)));
        let at = self.roll(members.len());
        members.rotate_left(at);
        let space = self.pick(&["", " "]);
        format!("{{{space}{}{space}}}", members.join(&format!("{space},{space}")))
    }
}

/// What each route applies, the default first, as the settings of a plan of its own.
fn alone(routes: &[Route], base: &Settings) -> Vec<Arc<Plan>> {
    let mut all = vec![base.clone()];
    for route in routes {
        let mut settings = base.clone();
        (settings.select, settings.schema) = (route.select.clone(), route.schema.clone());
        settings.policy.rules.splice(0..0, route.rules.iter().cloned());
        all.push(settings);
    }
    all.into_iter().map(|settings| Arc::new(Plan::compile(settings).unwrap())).collect()
}

fn mixed(dice: &mut Dice) -> (Vec<Route>, Settings) {
    let small = schema(r#"{"type":"object","properties":{"n":{"maximum":1}}}"#);
    let keep = Rule {
        label: "keep".into(),
        name: None,
        detectors: vec!["email".into()],
        path: None,
        action: Action::Keep,
        secrets: false,
    };
    let mut one = |number: usize| {
        let conditions = [
            ("service", vec![dice.pick(&["a", "b", "b-*", "1"])]),
            ("env", vec![dice.pick(&["a", "b", "*-1"])]),
        ];
        let from = dice.roll(2);
        let to = (from + 1 + dice.roll(2)).min(2);
        let wanted: Vec<_> = conditions[from..to].iter().map(|(n, v)| (*n, &v[..])).collect();
        let mut made = route(&format!("r{number}"), &wanted, &[]);
        let without = [&[][..], &["email"], &["payment_card"], &["email", "payment_card"]];
        made.select.without = without[dice.roll(4)].iter().map(|s| (*s).to_owned()).collect();
        // To compile others takes long.
        made.select.only = vec!["email".into(), "payment_card".into()];
        made.schema = small.clone().filter(|_| dice.roll(3) == 0);
        if dice.roll(4) == 0 {
            made.rules.push(keep.clone());
        }
        made
    };
    let routes = (0..3).map(&mut one).collect();
    let select = one(9).select;
    let base = Settings { packs: packs(), bodies: true, select, ..Settings::default() };
    (routes, base)
}

/// What became of each line: what is forwarded of it, if it is.
fn became(plan: &Arc<Plan>, chunk: &Chunk) -> (Output, Vec<Option<String>>) {
    let mut out = Output::default();
    Engine::new(Arc::clone(plan)).process(chunk, &mut out);
    let text = |fate| match fate {
        Fate::Forwarded(range) => Some(String::from_utf8_lossy(&out.clean[range]).into_owned()),
        Fate::Blank | Fate::Rejected(_) => None,
    };
    let texts = Fate::of_lines(chunk, &out).into_iter().map(text).collect();
    (out, texts)
}

/// Whether a route's conditions could hold, by serde's reading of the event: each field that is there
/// once, as a string or an integer, must match; of others nothing is known.
fn may_match(route: &Route, event: &str) -> bool {
    let members: Members = serde_json::from_str(event).unwrap();
    route.fields.iter().all(|condition| {
        let all: Vec<_> = members.0.iter().filter(|(key, _)| *key == condition.name).collect();
        let text = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => Some((text.clone(), true)),
            serde_json::Value::Number(n) if n.is_u64() => Some((n.to_string(), false)),
            _ => None,
        };
        let [(_, first), rest @ ..] = &all[..] else { return true };
        let Some((wanted, string)) = text(first) else { return true };
        if rest.iter().any(|(_, other)| text(other) != Some((wanted.clone(), string))) {
            return true;
        }
        condition.values.iter().any(|pattern| pattern.matches(wanted.as_bytes(), string))
    })
}

/// The members of an object, all of them.
struct Members(Vec<(String, serde_json::Value)>);

impl<'de> serde::Deserialize<'de> for Members {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> serde::de::Visitor<'de> for All {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members, A::Error> {
                let mut all = Vec::new();
                while let Some(member) = map.next_entry()? {
                    all.push(member);
                }
                Ok(Members(all))
            }
        }
        from.deserialize_map(All)
    }
}

#[test]
fn no_event_is_judged_by_less_than_what_may_be_meant_and_counts_add_up() {
    let mut dice = Dice(7);
    for _ in 0..60 {
        let (routes, base) = mixed(&mut dice);
        let alone = alone(&routes, &base);
        let plan = Plan::compile(Settings { routes: routes.clone(), ..base }).unwrap();
        let plan = Arc::new(plan);
        let events: Vec<_> = (0..40).map(|_| dice.event()).collect();
        let chunk = Chunk::from_bytes(events.join("\n").as_bytes());
        let (out, all) = became(&plan, &chunk);
        let by_plan: Vec<_> = alone.iter().map(|plan| became(plan, &chunk).1).collect();
        for (at, event) in events.iter().enumerate() {
            let run = out.runs.iter().rev().find(|run| run.first as usize <= at).unwrap();
            // As a plan of that ruleset alone judges it.
            match run.ruleset {
                Some(ruleset) => {
                    let same = |route: &usize| plan.ruleset_of(*route as u16) == ruleset;
                    let like = (0..alone.len()).find(same).unwrap();
                    assert_eq!(all[at], by_plan[like][at], "{event}");
                }
                None => assert_eq!(all[at], None, "{event}"),
            }
            // The routes that may be meant, up to the one that is certain.
            let certain = usize::from(run.route);
            let last = if certain == 0 { routes.len() } else { certain };
            let open = (1..=last).filter(|r| may_match(&routes[r - 1], event));
            for route in open.chain([certain]) {
                let (is, other) = (&all[at], &by_plan[route][at]);
                assert!(is.is_none() || other.is_some(), "{event} is refused by {route}");
                for raw in ["ada@", "1111 1111"] {
                    let shows =
                        |text: &Option<String>| text.as_ref().is_some_and(|t| t.contains(raw));
                    assert!(!shows(is) || shows(other), "{event}: {route} hides {raw}: {is:?}");
                }
            }
        }
        add_up(&out, &all);
    }
}

fn add_up(out: &Output, all: &[Option<String>]) {
    let mut forwarded = vec![0; out.routes.len()];
    let mut rejected = forwarded.clone();
    for (at, text) in all.iter().enumerate() {
        let run = out.runs.iter().rev().find(|run| run.first as usize <= at).unwrap();
        let counts = if text.is_some() { &mut forwarded } else { &mut rejected };
        counts[usize::from(run.route)] += 1;
    }
    let tally = &out.tally;
    for (number, counts) in (1..).zip(&tally.routes) {
        assert_eq!((counts.forwarded, counts.rejected), (forwarded[number], rejected[number]));
        let violations: u64 = counts.violations.iter().map(|(_, count)| count).sum();
        assert!(violations <= counts.rejected);
    }
    let of_routes: u64 = tally.routes.iter().flat_map(|counts| &counts.redactions).sum();
    assert!(of_routes <= tally.redactions.iter().sum());
    assert_eq!(forwarded.iter().sum::<u64>(), tally.forwarded());
}

#[test]
fn sources_decide_where_routes_are_for_some() {
    let of = |name: &str, conditions: &[(&str, &[&str])]| Route {
        of_sources: true,
        ..route(name, conditions, &[])
    };
    let routes = vec![
        of("a", &[("service", &["web"])]),
        of("b", &[]),
        route("web", &[("service", &["web"])], &[]),
    ];
    let plan = plan(routes, Selection::default());
    let ways = [
        plan.way(|_| false),
        plan.way(|route| route == 1),
        plan.way(|route| route == 2),
        plan.way(|_| true),
    ];
    let mut chunk = Chunk::default();
    for source in 0..4 {
        chunk.begin_source(source);
        chunk.extend(b"{\"service\":\"web\"}\n{\"service\":\"x\"}\ntext\n");
    }
    chunk.seal();
    let mut engine = Engine::new(Arc::clone(&plan));
    for _ in 0..2 {
        let mut out = Output::default();
        engine.set_sources(&ways);
        engine.process(&chunk, &mut out);
        let want = [
            ["web", "default", "default"],
            ["a", "default", "default"],
            ["b", "b", "b"],
            ["a", "b", "b"],
        ];
        assert_eq!(taken(&out), want.concat());
    }
}

#[test]
fn rules_of_a_route_go_before_the_others_and_are_counted_after_them() {
    let rule = |label: &str, action| Rule {
        label: label.to_owned(),
        name: None,
        detectors: vec!["email".into()],
        path: None,
        action,
        secrets: false,
    };
    let routes = vec![Route {
        rules: vec![rule("own", Action::Keep)],
        ..route("web", &[("service", &["web"])], &[])
    }];
    let policy = Policy { rules: vec![rule("all", Action::Drop)], ..Policy::default() };
    let settings = Settings { packs: packs(), policy, routes, ..Settings::default() };
    let plan = Arc::new(Plan::compile(settings).unwrap());
    let mail = r#""m":"a@acme-corp.com""#;
    let out =
        run(&plan, &format!("{{\"service\":\"web\",{mail}}}\n{{\"service\":\"x\",{mail}}}\n"));
    assert_eq!(out.clean, format!("{{\"service\":\"web\",{mail}}}\n").as_bytes());
    assert_eq!(plan.policy().collect::<Vec<_>>(), ["all", "own"]);
    assert_eq!(out.tally.hits, [1, 1]);
}
