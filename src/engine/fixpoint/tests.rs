//! What a first judgement leaves for a second, and that there is nothing left for a third.

use std::sync::Arc;

use crate::engine::tests::packs;
use crate::engine::{Chunk, Engine, Output, Plan, Reason, Settings};

fn run(input: &str) -> Output {
    let settings = Settings { packs: packs(), bodies: true, ..Settings::default() };
    let plan = Plan::compile(settings).unwrap_or_else(|e| panic!("{e}"));
    let mut out = Output::default();
    Engine::new(Arc::new(plan)).process(&Chunk::from_bytes(input.as_bytes()), &mut out);
    assert_eq!(out.tally.unaccounted(), 0, "{input}");
    out
}

#[test]
fn redacting_again_changes_nothing() {
    for (from, to) in [
        // What touches a finding is judged beside its placeholder.
        ("v@i.og+455550132", "[REDACTED:email][REDACTED:phone]"),
        ("219-09-9999/123-45-6789", "[REDACTED:us_ssn]/[REDACTED:us_ssn]"),
        ("r@u.io%31.3.3.2", "[REDACTED:email]1.3.3.0"),
        // A value reads otherwise when a part of it is gone.
        ("%40Authorization:{']}9", "%40Authorization:[REDACTED:secret_assignment]"),
        ("%a0Authorization: {'_': true} {}", "%a0Authorization: [REDACTED:secret_assignment]"),
        ("Bearer:'h'@e.om,", "Bearer:'[REDACTED:secret_assignment]"),
        // A word comes into reach.
        (
            "ssn aaaaaaaaaaaaaa@example.com: 411111111",
            "ssn [REDACTED:email]: [REDACTED:us_ssn_digits]",
        ),
        (
            "curl a a a a a a a a a a a a a a --token 'a b c' -u a:b",
            "curl a a a a a a a a a a a a a a --token '[REDACTED:secret_flag]' -u [REDACTED:curl_user]",
        ),
        // A placeholder's own word is none.
        ("219-09-9999 411111111", "[REDACTED:us_ssn] 411111111"),
    ] {
        let line = format!("{{\"m\":\"{from}\"}}\n");
        let out = run(&line);
        let clean = String::from_utf8(out.clean).unwrap();
        assert_eq!(clean, format!("{{\"m\":\"{to}\"}}\n"));
        assert_eq!(run(&clean).tally.clean, 1, "{from}");
        assert!(out.tally.redactions.iter().sum::<u64>() >= to.matches("[REDACTED").count() as u64);
        let wrapped = String::from_utf8(run(from).clean).unwrap();
        assert_eq!(run(&wrapped).tally.clean, 1, "{from}");
    }
}

#[test]
fn a_word_of_a_placeholder_in_a_key_is_no_context() {
    let line = "{\"[REDACTED:us_ssn]\":\"411111111\"}\n";
    assert_eq!(run(line).tally.clean, 1);
}

#[test]
fn an_edit_ends_between_characters() {
    let text = format!("password 'a{}", "é".repeat(20_000));
    let out = run(&format!("{{\"m\":\"{text}\"}}\n"));
    assert!(String::from_utf8(out.clean).is_ok());
}

#[test]
fn what_does_not_settle_is_not_forwarded() {
    // Each command hides the next from its reach of 16 words until its own value is gone.
    let mut line = String::new();
    for _ in 0..40 {
        line.push_str("curl a a a a a a a a a a a a a -u 'a:b c d e f' ");
    }
    let out = run(&format!("{{\"m\":\"{line}\"}}\n"));
    let refused = out.tally.rejected[Reason::TooCostly.index()];
    assert_eq!(out.tally.redacted + refused, 1);
    assert_eq!(out.clean.is_empty(), refused == 1);
}
