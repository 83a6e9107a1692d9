//! Packs of a user beside those that ship: whatever kind of detector they add, what ships finds what
//! it found without them.

use std::sync::Arc;

use tamis::engine::{Plan, detect::Pack, detect::pack::Case};

use crate::shipped;

/// A detector of each kind: its lines, and a line of input with what it becomes.
const KINDS: &[(&str, &str, &str, &str)] = &[
    (
        "fields",
        "fields = ['employee number']",
        r#"{"employeeNumber":"E-77","password":"hunter2","m":"password=hunter3"}"#,
        r#"{"employeeNumber":"[REDACTED:user_fields]","password":"[REDACTED:secret_field]","m":"password=[REDACTED:secret_assignment]"}"#,
    ),
    (
        "fields_with_exceptions",
        "fields = ['badge token']\nnot_fields = ['old badge token', 'password']",
        r#"{"badge_token":"E-77","password":"hunter2"}"#,
        r#"{"badge_token":"[REDACTED:user_fields_with_exceptions]","password":"[REDACTED:secret_field]"}"#,
    ),
    (
        "fields_of_numbers",
        "fields = ['locker']\ncategory = 'customer'",
        r#"{"locker":17,"items":[{"name":"locker","value":"x1"}],"headers":["Locker","9"]}"#,
        r#"{"locker":null,"items":[{"name":"locker","value":"[REDACTED:user_fields_of_numbers]"}],"headers":["Locker","[REDACTED:user_fields_of_numbers]"]}"#,
    ),
    (
        "assignment",
        "assigns = 'user_fields'",
        r#"{"m":"employee_number=E-77 password=hunter2"}"#,
        r#"{"m":"employee_number=[REDACTED:user_assignment] password=[REDACTED:secret_assignment]"}"#,
    ),
    (
        "assignment_of_shipped",
        "assigns = 'secret_field'\npriority = 1",
        r#"{"m":"password=hunter2"}"#,
        r#"{"m":"password=[REDACTED:secret_assignment]"}"#,
    ),
    (
        "literal",
        "literals = ['zzkey_']\nregex = 'zzkey_[a-z0-9]{8}'",
        r#"{"m":"zzkey_abcd1234 ada@example.com"}"#,
        r#"{"m":"[REDACTED:user_literal] [REDACTED:email]"}"#,
    ),
    (
        "literal_in_any_case",
        "literals = ['zzcode ']\nignore_case = true\nregex = '(?i)zzcode [a-z0-9]{8}'\nextends = 'value'",
        r#"{"m":"ZZcode abcd1234"}"#,
        r#"{"m":"ZZcode [REDACTED:user_literal_in_any_case]"}"#,
    ),
    (
        "flag",
        "literals = ['--zzflag ', '--zzflag=']\nregex = '--zzflag[ =][a-z0-9]+'\nextends = 'value'",
        r#"{"m":"tool --zzflag abc --password hunter2"}"#,
        r#"{"m":"tool --zzflag [REDACTED:user_flag] --password [REDACTED:secret_flag]"}"#,
    ),
    (
        "digits",
        "shape = ['77\\d{9}[^\\d]']\nregex = '77\\d{9}'\nnot_before = '\\d'\nnot_after = '\\d'\nnumbers = 'context'\ncontext = { keys = ['zzticket'] }",
        r#"{"m":"77123456789 ","zzticket":77123456789}"#,
        r#"{"m":"[REDACTED:user_digits] ","zzticket":null}"#,
    ),
    (
        "words_and_digits",
        "shape = ['\\d{10}[^\\d]']\nregex = '\\d{10}'\nnot_before = '\\d'\nnot_after = '\\d'\nstrings = 'context'\ncontext = { words = ['zzmember'] }\nveto = { words = ['zzno'] }",
        r#"{"m":"zzmember 1234567890 ok"}"#,
        r#"{"m":"zzmember [REDACTED:user_words_and_digits] ok"}"#,
    ),
    (
        "capitals",
        "shape = ['ZQ\\d{6}']\nregex = 'ZQ\\d{6}'\nnot_after = 'A-Za-z0-9'",
        r#"{"m":"ZQ123456"}"#,
        r#"{"m":"[REDACTED:user_capitals]"}"#,
    ),
    (
        "at_sign",
        "shape = ['@zz[a-z]']\nlead = 'a-z'\nregex = '[a-z]+@zz[a-z]+'\npriority = 90",
        r#"{"m":"kim@zzoffice"}"#,
        r#"{"m":"[REDACTED:user_at_sign]"}"#,
    ),
    (
        "plus_and_digits",
        "shape = ['\\+999\\d']\nregex = '\\+999\\d{8}'\nnot_after = '\\d'",
        r#"{"m":"+99912345678"}"#,
        r#"{"m":"[REDACTED:user_plus_and_digits]"}"#,
    ),
    (
        "brackets",
        "shape = ['\\(999\\)']\nregex = '\\(999\\) [a-z]{4}'",
        r#"{"m":"(999) abcd"}"#,
        r#"{"m":"[REDACTED:user_brackets]"}"#,
    ),
    (
        "hex_groups",
        "shape = ['ee:ee:[0-9a-f]{2}:']\nregex = 'ee:ee(:[0-9a-f]{2}){4}'",
        r#"{"m":"ee:ee:01:02:03:04"}"#,
        r#"{"m":"[REDACTED:user_hex_groups]"}"#,
    ),
    (
        "validated",
        "literals = ['zzcard ']\nregex = 'zzcard \\d{16}'\nnormalise = 'digits'\nvalidator = 'payment_card'\nallow = ['zzcard 0{16}']",
        r#"{"m":"zzcard 4111111111111111"}"#,
        "",
    ),
];

/// The user's pack with the detectors `kinds`.
fn pack(kinds: &[(&str, &str, &str, &str)]) -> Pack {
    let mut text = "pack = 'user'\nversion = 1\n".to_owned();
    for (kind, lines, ..) in kinds {
        text += &format!("[[detector]]\nid = 'user_{kind}'\ndescription = 'x'\n{lines}\n");
        if !lines.contains("category") {
            text += "category = 'customer'\n";
        }
    }
    Pack::parse("user.toml", &text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The packs that ship with a user's; before them, or behind.
fn plan(user: Pack, first: bool) -> Arc<Plan> {
    shipped::plan(|settings| {
        let at = if first { 0 } else { settings.packs.len() };
        settings.packs.insert(at, user);
    })
}

fn clean(plan: &Arc<Plan>, line: &str) -> String {
    let out = shipped::process(plan, line.as_bytes());
    String::from_utf8(out.clean).unwrap().trim_end().to_owned()
}

/// Each example and counter-example of the packs that ship, as a line.
fn examples() -> Vec<String> {
    let plan = shipped::default_plan();
    let packs = &plan.settings().packs;
    let cases = packs.iter().flat_map(|pack| &pack.detectors).flat_map(|d| &d.tests);
    let line = |case: &Case| match (&case.text, &case.event) {
        (Some(text), _) => serde_json::json!({ "message": text }).to_string(),
        (None, event) => event.clone().unwrap(),
    };
    cases.map(line).collect()
}

/// What is wrong with the shipped examples beside `user`.
fn changed(user: &[(&str, &str, &str, &str)], first: bool, examples: &[String]) -> Vec<String> {
    let (alone, beside) = (shipped::default_plan(), plan(pack(user), first));
    let lines = examples.join("\n");
    let of = |plan| String::from_utf8(shipped::process(plan, lines.as_bytes()).clean).unwrap();
    let (alone, beside) = (of(&alone), of(&beside));
    assert_eq!(alone.lines().count(), beside.lines().count());
    let pairs = alone.lines().zip(beside.lines());
    pairs.filter(|(a, b)| a != b).map(|(a, b)| format!("{a}\n  {b}")).collect()
}

#[test]
fn every_kind_finds_its_own_and_leaves_what_ships_as_it_was() {
    let examples = examples();
    assert!(examples.len() > 300);
    for (i, kind) in KINDS.iter().enumerate() {
        let mut user = vec![*kind];
        if kind.0 == "assignment" {
            user.push(KINDS[0]);
        }
        for first in [true, false] {
            if kind.0 != "assignment_of_shipped" {
                let changed = changed(&user, first, &examples);
                assert!(changed.is_empty(), "{}:\n{}", kind.0, changed.join("\n"));
            }
            let (plan, wanted) = (plan(pack(&user), first), KINDS[i].3);
            let out = clean(&plan, kind.2);
            assert!(out == wanted || wanted.is_empty() && out != kind.2, "{}: {out}", kind.0);
            assert_eq!(clean(&plan, &out), out, "{}: again", kind.0);
        }
    }
}

#[test]
fn all_kinds_at_once_find_their_own_and_leave_what_ships_as_it_was() {
    let user: Vec<_> =
        KINDS.iter().copied().filter(|kind| kind.0 != "assignment_of_shipped").collect();
    let examples = examples();
    for first in [true, false] {
        let changed = changed(&user, first, &examples);
        assert!(changed.is_empty(), "{}", changed.join("\n"));
        let plan = plan(pack(&user), first);
        for (kind, _, line, wanted) in &user {
            let out = clean(&plan, line);
            assert!(out == *wanted || wanted.is_empty() && out != *line, "{kind}: {out}");
        }
    }
}

#[test]
fn names_of_several_rules_by_key_are_counted_under_their_own() {
    let other = ("other", "fields = ['locker', 'password']", "", "");
    let user = pack(&[KINDS[0], other]);
    let plan = plan(user, false);
    for (line, wanted) in [
        // The higher priority has a name that two rules have.
        (r#"{"password":"x"}"#, r#"{"password":"[REDACTED:user_other]"}"#),
        (r#"{"db_token":"x"}"#, r#"{"db_token":"[REDACTED:secret_field]"}"#),
        (
            r#"{"locker":{"id":"x","employee number":["y",{"token":"z"}]}}"#,
            r#"{"locker":{"id":"[REDACTED:user_other]","employee number":["[REDACTED:user_fields]",{"token":"[REDACTED:user_fields]"}]}}"#,
        ),
        (r#"{"l\u006fcker":"x"}"#, r#"{"l\u006fcker":"[REDACTED:user_other]"}"#),
        (
            r#"{"m":"{\"locker\":\"x\",\"token\":\"y\"}"}"#,
            r#"{"m":"{\"locker\":\"[REDACTED:user_other]\",\"token\":\"[REDACTED:secret_field]\"}"}"#,
        ),
    ] {
        assert_eq!(clean(&plan, line), wanted);
    }
}

#[test]
fn a_detector_that_would_be_half_looked_for_is_refused() {
    for (lines, wanted) in [
        (
            "fields = ['a']\nliterals = ['zzkey_']\nregex = 'zzkey_x'",
            "has both `fields` and `literals`",
        ),
        ("fields = ['a']\nregex = 'x'", "has both `fields` and `regex`"),
        ("fields = ['a']\nassigns = 'secret_field'", "has both `fields` and `assigns`"),
        ("assigns = 'secret_field'\nshape = ['\\d{9}']", "has both `assigns` and `shape`"),
        ("assigns = 'email'", "assigns = \"email\": that detector has no `fields`"),
    ] {
        let mut settings = shipped::default_plan().settings().clone();
        settings.packs.push(pack(&[("half", lines, "", "")]));
        let error = Plan::compile(settings).err().map(|error| error.to_string());
        assert!(error.as_deref().is_some_and(|e| e.contains(wanted)), "{lines}: {error:?}");
    }
}
