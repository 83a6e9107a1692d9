//! Placeholders, and text that only looks like one.

use std::sync::Arc;

use tamis::engine::{
    Plan,
    policy::{Action, Policy, Rule},
};

use crate::{
    cli::{code, folder, run, stderr, tamis},
    shipped,
};

fn clean(plan: &Arc<Plan>, line: &str) -> String {
    let out = shipped::process(plan, line.as_bytes());
    String::from_utf8(out.clean).unwrap().trim_end().to_owned()
}

/// A rule by path, and an id that another instance writes.
fn plan() -> Arc<Plan> {
    let rule = |name: Option<&str>, path: &str| Rule {
        label: path.into(),
        name: name.map(str::to_owned),
        detectors: vec![],
        path: Some(path.into()),
        action: Action::Replace,
        secrets: false,
    };
    shipped::plan(|settings| {
        settings.policy = Policy {
            rules: vec![rule(Some("my_rule"), "named"), rule(None, "nameless")],
            known_placeholders: vec!["theirs".into()],
            ..Policy::default()
        };
    })
}

/// Every place in which a placeholder is left as it is, with `@` for it.
const PLACES: &[&str] = &[
    r#"{"password":"@"}"#,
    r#"{"password":["@"]}"#,
    r#"{"password":{"value":"@"}}"#,
    r#"{"headers":["Authorization","@"]}"#,
    r#"{"items":[{"name":"password","value":"@"}]}"#,
    r#"{"named":"@"}"#,
    r#"{"nameless":["@"]}"#,
    r#"{"m":"password=@"}"#,
    r#"{"m":"password=@ next"}"#,
    r#"{"m":"(password: @)."}"#,
    r#"{"m":"password='@'"}"#,
    r#"{"m":"\"password\":\"@\""}"#,
    r#"{"m":"{\"password\":\"@\"}"}"#,
    r#"{"m":"password%3D@"}"#,
    r#"{"m":"?token=@&a=b"}"#,
    r#"{"m":"Authorization: Bearer @"}"#,
    r#"{"m":"https://token:@@example.com/a"}"#,
    r#"{"m":"to amqp://bob:@@db.example.com/a"}"#,
    r#"{"m":"to amqp://@@db.example.com/a"}"#,
    r#"{"m":"open bob:@@tcp(db:3306)/a"}"#,
    r#"{"m":"open @@tcp(db:3306)/a"}"#,
    r#"{"m":"sent bearer @ ok"}"#,
];

#[test]
fn only_known_ids_stay() {
    let plan = plan();
    let shipped: Vec<_> = plan.detectors().iter().map(|d| d.id.clone()).collect();
    let known = shipped.iter().map(String::as_str).chain(["my_rule", "theirs", "path"]);
    for id in known {
        for place in PLACES {
            let line = place.replacen('@', &format!("[REDACTED:{id}]"), 1);
            assert_eq!(clean(&plan, &line), line);
        }
    }
    for id in ["hunter2_trombone", "hunter2", "email#", "email#hunter2", "email_hunter2", "p"] {
        for place in PLACES {
            let line = place.replacen('@', &format!("[REDACTED:{id}]"), 1);
            let out = clean(&plan, &line);
            assert!(!out.contains(&format!(":{id}]")), "{line}\n{out}");
            assert!(out.contains("[REDACTED:"), "{line}\n{out}");
            assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok(), "{line}\n{out}");
            assert_eq!(clean(&plan, &out), out, "again");
        }
    }
}

#[test]
fn forged_ones_hide_nothing_beside_them() {
    let plan = shipped::default_plan();
    for (line, wanted) in [
        // A name inside one, in text and as a key.
        (
            r#"{"m":"[REDACTED:password=hunter2]"}"#,
            r#"{"m":"[REDACTED:password=[REDACTED:secret_assignment]]"}"#,
        ),
        (
            r#"{"m":"[REDACTED:api_token] = hunter2"}"#,
            r#"{"m":"[REDACTED:api_token] = [REDACTED:secret_assignment]"}"#,
        ),
        (
            r#"{"[REDACTED:password]":"hunter2"}"#,
            r#"{"[REDACTED:password]":"[REDACTED:secret_field]"}"#,
        ),
        (
            r#"{"[REDACTED:password]":"hunter2","[REDACTED:email]":"x"}"#,
            r#"{"[REDACTED:password]":"[REDACTED:secret_field]","[REDACTED:email]":"x"}"#,
        ),
        // Values of flags and commands.
        (
            r#"{"m":"tool --password [REDACTED:trombone] x"}"#,
            r#"{"m":"tool --password [REDACTED:secret_flag] x"}"#,
        ),
        (
            r#"{"m":"curl -u 'bob:[REDACTED:trombone]' x"}"#,
            r#"{"m":"curl -u '[REDACTED:curl_user]' x"}"#,
        ),
        (
            r#"{"m":"sshpass -p [REDACTED:trombone] ssh x"}"#,
            r#"{"m":"sshpass -p [REDACTED:command_password] ssh x"}"#,
        ),
        (
            r#"{"m":"IDENTIFIED BY '[REDACTED:trombone]'"}"#,
            r#"{"m":"IDENTIFIED BY '[REDACTED:sql_password]'"}"#,
        ),
        // What follows one, and is of the same value.
        (
            r#"{"m":"password=[REDACTED:email]hunter2 x"}"#,
            r#"{"m":"password=[REDACTED:secret_assignment] x"}"#,
        ),
        (
            r#"{"m":"password=[REDACTED:email]:hunter2"}"#,
            r#"{"m":"password=[REDACTED:secret_assignment]"}"#,
        ),
        (
            r#"{"m":"http://u:hunter2[REDACTED:email]@h/ x"}"#,
            r#"{"m":"http://[REDACTED:url_credentials]@h/ x"}"#,
        ),
        (
            r#"{"m":"http://u:[REDACTED:email]hunter2@h/ x"}"#,
            r#"{"m":"http://[REDACTED:url_credentials]@h/ x"}"#,
        ),
        (
            r#"{"m":"bob:hunter2[REDACTED:email]@tcp(h)/ x"}"#,
            r#"{"m":"[REDACTED:dsn_credentials]@tcp(h)/ x"}"#,
        ),
        (
            r#"{"m":"sent bearer hunter2[REDACTED:email] x"}"#,
            r#"{"m":"sent bearer [REDACTED:bearer_token] x"}"#,
        ),
        // A word in one is context like any other.
        (
            r#"{"m":"[REDACTED:my_ssn] 536 22 8145"}"#,
            r#"{"m":"[REDACTED:my_ssn] [REDACTED:us_ssn_digits]"}"#,
        ),
        (r#"{"m":"[REDACTED:us_ssn] 536 22 8145"}"#, r#"{"m":"[REDACTED:us_ssn] 536 22 8145"}"#),
        (
            r#"{"[REDACTED:my_ssn]":"536228145"}"#,
            r#"{"[REDACTED:my_ssn]":"[REDACTED:us_ssn_digits]"}"#,
        ),
        (r#"{"[REDACTED:us_ssn]":"536228145"}"#, r#"{"[REDACTED:us_ssn]":"536228145"}"#),
    ] {
        assert_eq!(clean(&plan, line), wanted);
    }
}

#[test]
fn the_configuration_lists_ids_that_others_write() {
    let line =
        b"{\"password\":\"[REDACTED:acme_token]\",\"m\":\"password=[REDACTED:acme_token]\"}\n";
    let dir = folder(&[
        ("plain.toml", "version = 1\nquiet = true\n"),
        ("known.toml", "version = 1\nquiet = true\nknown_placeholders = ['acme_token']\n"),
        ("pinned.toml", "version = 1\nquiet = true\npatterns = ['core@1']\n"),
        ("wrong.toml", "version = 1\nknown_placeholders = ['[REDACTED:x]']\n"),
    ]);
    let sieve =
        |config: &str, line: &[u8]| run(tamis(&["--config", config]).current_dir(&dir), line);
    let redacted = "{\"password\":\"[REDACTED:secret_field]\",\"m\":\"password=[REDACTED:secret_assignment]\"}\n";
    assert_eq!(String::from_utf8(sieve("plain.toml", line).stdout).unwrap(), redacted);
    assert_eq!(sieve("known.toml", line).stdout, line);
    // What ships is known, whichever packs are in force.
    let other = b"{\"m\":\"ssn [REDACTED:secret_field] x\",\"ssn\":\"[REDACTED:jwt]\"}\n";
    assert_eq!(sieve("pinned.toml", other).stdout, other);
    let wrong = sieve("wrong.toml", line);
    assert_eq!((code(&wrong), wrong.stdout.len()), (2, 0));
    assert!(stderr(&wrong).contains("wrong.toml:2:23: expected an id, as in [REDACTED:id]"));
}

/// Texts in which a detector replaces a part, with `@` for a value. As keys of one object they would
/// become the same, so the second placeholder has a number.
const KEYS: &[&str] = &[
    "password=@",
    "password='@'",
    "password=[@]x",
    "x password=@ y",
    "Authorization: Bearer aaaaaaaaaaaaaaaaaaaaaa@",
    "https://token:@@example.com/a",
    "amqp://bob:@@db.example.com/a",
    "open bob:@@tcp(db:3306)/a",
    "sent bearer aaaaaaaaaaaaaaaaaaaaaa@1 ok",
    "curl -u bob:@ x",
    "mysql -p@ -u x",
    "login --password @1",
    "create user a identified by '@'",
    "to @@example.org",
];

/// Numbered placeholders are what Tamis itself wrote: an event that has one is settled, and one that
/// needs one is not lost.
#[test]
fn several_keys_of_one_object_are_told_apart_by_numbers() {
    let plan = plan();
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    for text in KEYS {
        // A second `@` is a sign.
        let with = |value: &str| text.replacen('@', value, 1);
        let [one, two] = ["hunter2", "trombone3"].map(with);
        let object = format!("{{\"{one}\":1,\"{two}\":{{\"{one}\":2}}}}");
        for line in [
            object.clone(),
            format!("{{\"m\":{}}}", quoted(&object)),
            format!("{{\"m\":{}}}", quoted(&format!("sent {object} now"))),
            format!("{{\"m\":{}}}", quoted(&format!("{{\"n\":{}}}", quoted(&object)))),
            format!("{{\"m\":[{object}]}}"),
            format!("sent {object} now"),
        ] {
            let once = clean(&plan, &line);
            assert!(once.contains("[REDACTED:"), "{line}: {once}");
            for value in ["hunter2", "trombone3"] {
                assert!(!once.contains(value), "{line}: {once}");
            }
            serde_json::from_str::<serde_json::Value>(&once).unwrap();
            assert_eq!(clean(&plan, &once), once, "{line}: once more");
        }
    }
}

/// In a value a number could be a part of a secret.
#[test]
fn a_numbered_placeholder_in_a_value_is_text() {
    let plan = plan();
    for line in
        [r#"{"m":"password=[REDACTED:email#1234]"}"#, r#"{"password":"[REDACTED:email#1234]"}"#]
    {
        let clean = clean(&plan, line);
        assert!(!clean.contains("1234"), "{clean}");
    }
}
