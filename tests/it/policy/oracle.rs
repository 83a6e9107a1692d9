//! Rules by path against a slow twin that knows trees only; and what must hold whatever the rules.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use tamis::engine::{
    Chunk, Engine, Output, Plan, Reason,
    policy::{Action, KeyRing, Policy, PseudonymKey, Rule},
};

use crate::{
    properties::{config, wild_event},
    shipped::{self, process, refusal},
    tokens::{Token, tokens},
};

#[derive(Debug, Clone)]
enum Node {
    Bare(&'static str),
    Text(&'static str),
    Array(Vec<Node>),
    Object(Vec<(&'static str, Node)>),
    /// JSON inside a string, and what stands around it there.
    Inside(&'static str, Box<Node>, &'static str),
}

/// A step of a path; `None` is an element.
type Step = Option<String>;

const KEYS: &[&str] = &["a", "b", "c", "a.b", "b.c.a", "\u{e9}"];
const GLOBS: &[&str] = &[
    "a",
    "b",
    "a.b",
    "*",
    "a.*",
    "*.c",
    "**.c",
    "a.**.b",
    "**.a.*",
    "a.*.c",
    "**.b.**",
    "*.*.*",
    "\u{e9}",
    "**.\u{e9}.a",
];
const AROUND: &[(&str, &str)] = &[
    ("", ""),
    ("", ""),
    ("INFO ", ""),
    ("", " x"),
    ("", ";"),
    ("\u{feff}", "{}"),
    ("\u{1b}[1m", "\u{1b}[0m"),
    ("a {} \u{a0}", "\0"),
];
const ACTIONS: &[Action] =
    &[Action::Replace, Action::Null, Action::Remove, Action::Keep, Action::Observe];

fn node(inside: bool) -> BoxedStrategy<Node> {
    let leaf = prop_oneof![
        proptest::sample::select(&["1", "-2.5e3", "true", "false", "null"][..])
            .prop_map(Node::Bare),
        proptest::sample::select(&["x", "", "q\"uo\\te", "\u{65e5}\n"][..]).prop_map(Node::Text),
    ];
    let tree = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Node::Array),
            members(inner).prop_map(Node::Object),
        ]
    });
    if !inside {
        return tree.boxed();
    }
    let json = prop_oneof![
        members(tree.clone().boxed()).prop_map(Node::Object),
        prop::collection::vec(tree.clone(), 0..3).prop_map(Node::Array),
    ];
    let inside = (proptest::sample::select(AROUND), json)
        .prop_map(|((before, after), inner)| Node::Inside(before, Box::new(inner), after));
    prop_oneof![4 => tree, 1 => inside].boxed()
}

fn members(value: BoxedStrategy<Node>) -> impl Strategy<Value = Vec<(&'static str, Node)>> {
    prop::collection::vec((proptest::sample::select(KEYS), value), 0..4)
}

fn rules() -> impl Strategy<Value = Vec<(&'static str, Action)>> {
    prop::collection::vec(
        (proptest::sample::select(GLOBS), proptest::sample::select(ACTIONS)),
        1..4,
    )
}

fn plan(rules: &[(&str, Action)]) -> Arc<Plan> {
    let rules = rules.iter().map(|(path, action)| Rule {
        label: (*path).to_owned(),
        name: None,
        detectors: vec![],
        path: Some((*path).to_owned()),
        action: *action,
        secrets: false,
    });
    let policy = Policy { rules: rules.collect(), ..Policy::default() };
    shipped::plan(|settings| settings.policy = policy)
}

/// Writes as an encoder does, or with spaces and escapes.
fn write(node: &Node, odd: bool, out: &mut String) {
    let space = if odd { " \t" } else { "" };
    match node {
        Node::Bare(text) => out.push_str(text),
        Node::Text(text) => string(text, odd, out),
        Node::Inside(before, inner, after) => {
            let mut text = String::from(*before);
            write(inner, odd, &mut text);
            text.push_str(after);
            out.push_str(&serde_json::to_string(&text).unwrap());
        }
        Node::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { "," } else { space });
                write(item, odd, out);
                out.push_str(space);
            }
            out.push(']');
        }
        Node::Object(members) => {
            out.push('{');
            out.push_str(space);
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                    out.push_str(space);
                }
                string(key, odd, out);
                out.push_str(space);
                out.push(':');
                write(value, odd, out);
                out.push_str(space);
            }
            out.push('}');
        }
    }
}

fn string(text: &str, odd: bool, out: &mut String) {
    let plain = serde_json::to_string(text).unwrap();
    match text.chars().next() {
        Some(first @ 'a'..='c') if odd => {
            out.push_str(&format!("\"\\u{:04x}{}", first as u32, &plain[2..]));
        }
        _ => out.push_str(&plain),
    }
}

/// Whether a glob holds at a path, or above it.
fn holds(glob: &[&str], path: &[Step]) -> bool {
    let Some((segment, others)) = glob.split_first() else { return true };
    if *segment == "**" && holds(others, path) {
        return true;
    }
    let Some((step, rest)) = path.split_first() else { return false };
    if *segment == "**" && holds(glob, rest) {
        return true;
    }
    match step {
        None => holds(glob, rest) || *segment == "*" && holds(others, rest),
        Some(key) => {
            if (key == segment || *segment == "*") && holds(others, rest) {
                return true;
            }
            let parts: Vec<Step> = key.split('.').map(|part| Some(part.to_owned())).collect();
            parts.len() > 1 && holds(glob, &[&parts[..], rest].concat())
        }
    }
}

/// Where a value is.
#[derive(Default)]
struct At {
    path: Vec<Step>,
    /// Where in the path the JSON begins that stands in a string, if it does.
    inside: Option<usize>,
}

impl At {
    /// Whether a rule holds here: inside of a string, those that change something also as if that
    /// were the event.
    fn holds(&self, glob: &str, action: Action) -> bool {
        let segments: Vec<_> = glob.split('.').collect();
        let from = self.inside.filter(|_| !matches!(action, Action::Keep | Action::Observe));
        let held = |path: &[Step]| !path.is_empty() && holds(&segments, path);
        held(&self.path) || from.is_some_and(|from| held(&self.path[from..]))
    }
}

/// What the value at `at` becomes; `None`: it goes.
fn judged(node: &Node, at: &mut At, rules: &[(&str, Action)]) -> Option<Node> {
    let first = rules.iter().find(|(glob, action)| at.holds(glob, *action));
    let nothing = matches!(node, Node::Bare("null"));
    match first.map(|(_, action)| action) {
        Some(Action::Remove) if at.path.last() == Some(&None) => return Some(Node::Bare("null")),
        Some(Action::Remove) => return None,
        Some(Action::Null) => return Some(Node::Bare("null")),
        Some(Action::Replace) => match node {
            Node::Bare(_) if !nothing => return Some(Node::Bare("null")),
            Node::Text("") => {}
            Node::Text(_) | Node::Inside(..) => return Some(Node::Text("[REDACTED:path]")),
            _ => {}
        },
        _ => {}
    }
    Some(match node {
        // The string was judged already.
        Node::Inside(before, inner, after) => {
            at.inside = Some(at.path.len());
            let inner = within(inner, at, rules);
            at.inside = None;
            Node::Inside(before, Box::new(inner), after)
        }
        other => within(other, at, rules),
    })
}

/// What is in the array or object at `at`, judged.
fn within(node: &Node, at: &mut At, rules: &[(&str, Action)]) -> Node {
    match node {
        Node::Array(items) => {
            at.path.push(None);
            let items = items.iter().filter_map(|item| judged(item, at, rules)).collect();
            at.path.pop();
            Node::Array(items)
        }
        Node::Object(members) => {
            let mut kept = Vec::new();
            for (key, value) in members {
                at.path.push(Some((*key).to_owned()));
                kept.extend(judged(value, at, rules).map(|value| (*key, value)));
                at.path.pop();
            }
            Node::Object(kept)
        }
        other => other.clone(),
    }
}

/// What a line says, with the JSON in its strings, however it is spelt.
fn meaning(line: &[u8]) -> Vec<String> {
    let said = tokens(line).into_iter().filter_map(|token| match token {
        Token::Space(_) => None,
        Token::Punctuation(b) => Some(vec![char::from(b).to_string()]),
        Token::String(raw) => {
            let text: String = serde_json::from_slice(raw).unwrap();
            Some(match serde_json::from_str::<serde_json::Value>(&text) {
                Ok(value) if value.is_object() || value.is_array() => meaning(text.as_bytes()),
                // What goes leaves the white space around it.
                _ => vec![format!("text {}", text.replace([' ', '\t'], ""))],
            })
        }
        Token::Bare(raw) => Some(vec![String::from_utf8_lossy(raw).into_owned()]),
    });
    said.flatten().collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn paths_are_those_of_the_twin(
        members in members(node(true)),
        rules in rules(),
        odd in any::<bool>(),
        by_nodes in any::<bool>(),
    ) {
        let event = Node::Object(members);
        let (mut line, mut wanted) = (String::new(), String::new());
        write(&event, odd, &mut line);
        let judged = judged(&event, &mut At::default(), &rules).unwrap();
        write(&judged, odd, &mut wanted);
        let plan = plan(&rules);
        let out = if by_nodes { after_a_flood(&plan, &line) } else { process(&plan, line.as_bytes()) };
        let clean = String::from_utf8(out.clean.clone()).unwrap();
        prop_assert_eq!(meaning(clean.trim_end().as_bytes()), meaning(wanted.as_bytes()),
            "{:?}\n{}\n{}", rules, line, clean);
        if !odd {
            prop_assert_eq!(clean.trim_end(), &wanted);
        }
        let again = process(&plan, &out.clean);
        prop_assert_eq!(&again.clean, &out.clean);
        prop_assert_eq!(again.tally.redacted, 0);
    }
}

/// What becomes of a line once so many keys went before that no more states and nodes are kept, of
/// JSON inside strings neither.
fn after_a_flood(plan: &Arc<Plan>, line: &str) -> Output {
    static FLOOD: LazyLock<Chunk> = LazyLock::new(|| {
        let event = |n| format!("{{\"k{n}\":{{\"x\":1}},\"z\":\"{{\\\"k{n}\\\":[1]}}\"}}\n");
        Chunk::from_bytes((0..2500).map(event).collect::<String>().as_bytes())
    });
    let (mut engine, mut out) = (Engine::new(plan.clone()), Output::default());
    engine.process(&FLOOD, &mut out);
    out.clear();
    engine.process(&Chunk::from_bytes(line.as_bytes()), &mut out);
    out
}

/// A plan in which every detector's findings become so.
fn everything(action: Action) -> Arc<Plan> {
    let rule = |detectors: &[&str], path: Option<&str>| Rule {
        label: "all".into(),
        name: None,
        detectors: detectors.iter().map(|d| (*d).to_owned()).collect(),
        path: path.map(str::to_owned),
        action,
        secrets: false,
    };
    let all = ["contact", "financial", "government_id", "network", "secret"];
    let rules = vec![rule(&[], Some("**.name")), rule(&all, None)];
    let active = PseudonymKey::new("2026-11", b"0123456789abcdef").unwrap();
    let keys = vec![KeyRing { name: "all".into(), active, previous: vec![] }];
    shipped::plan(|settings| settings.policy = Policy { rules, keys, ..Policy::default() })
}

/// Whether serde_json takes it for an object, with numbers of any size.
fn is_event(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{")
        && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}

fn plans() -> &'static [Arc<Plan>] {
    static PLANS: LazyLock<Vec<Arc<Plan>>> = LazyLock::new(|| {
        let mask = |first, last| Action::Mask { first, last };
        let actions = [Action::Null, Action::Remove, mask(0, 4), mask(3, 3), mask(0, 0)];
        let more = [Action::Drop, Action::Observe, Action::Replace, Action::Hmac { key: 0 }];
        actions.into_iter().chain(more).map(everything).collect()
    });
    &PLANS
}

proptest! {
    #![proptest_config(config())]

    /// Whatever becomes of findings: what leaves is JSON, and leaves so again.
    #[test]
    fn every_action_leaves_json_that_stays(line in wild_event(), which in 0..9usize) {
        let plan = &plans()[which];
        let out = process(plan, line.as_bytes());
        match refusal(&out) {
            None => {}
            Some(Reason::Rule) => {
                let body = &out.bodies[out.rejects[0].body.clone()];
                prop_assert!(body.is_empty() || is_event(body));
                return Ok(());
            }
            Some(Reason::TooCostly | Reason::BrokenJson) => return Ok(()),
            Some(other) => prop_assert!(false, "{other:?} {line}"),
        }
        let clean = String::from_utf8(out.clean.clone()).unwrap();
        prop_assert!(is_event(&out.clean), "{line}\n{clean}");
        let again = process(plan, &out.clean);
        prop_assert_eq!(String::from_utf8_lossy(&again.clean), clean, "{}", line);
        if out.tally.clean == 1 {
            prop_assert_eq!(out.clean.trim_ascii_end(), line.trim_ascii_end().as_bytes());
        }
    }
}
