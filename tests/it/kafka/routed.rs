//! Records that take routes, by topic and by field, with a real broker.

use std::fs;

use super::{
    broker::{Written, broker, unique},
    member::Desk,
    record,
};
use crate::cli::adds_up;

const CHARGE: &str =
    r#"{"type":"object","required":["amount"],"properties":{"amount":{"type":"number"}}}"#;

#[test]
fn a_route_says_what_judges_a_record_and_where_it_goes() {
    let Some(broker) = broker() else { return };
    let mark = unique("routed");
    let make = |name: &str| {
        let name = format!("{mark}.{name}");
        broker.make(&name, 1, &[]);
        name
    };
    let [a, b] = ["a", "b"].map(make);
    let [clean, dead, paid, unpaid] = ["clean", "dead", "paid", "unpaid"].map(make);
    let routes = format!(
        "[[route]]\nname = \"pay\"\nmatch = {{ topic = \"{a}\", field = {{ service = \"pay\" }} }}\n\
         schema = \"charge.json\"\nsink = {{ topic = \"{paid}\" }}\n\
         dead_letter = {{ topic = \"{unpaid}\" }}\n\
         [[route]]\nname = \"web\"\nmatch.field.service = \"web-*\"\nwithout = [\"email\"]\n"
    );
    let read = format!("^{mark}\\\\.[ab]$");
    let desk = Desk::new(&broker, [&read, &clean, &dead], &unique("group"), &routes);
    fs::write(desk.path("charge.json"), CHARGE).unwrap();
    let web = r#"{"service":"web-1","mail":"ada@example.com"}"#;
    broker.write(
        &a,
        &[
            record("1", r#"{"service":"pay","amount":1,"mail":"ada@example.com"}"#),
            record("2", r#"{"service":"pay"}"#),
            // Its key is judged as it is: by the route.
            record("ada@example.com", web),
            // Whether the first route is meant nobody knows: it is judged by its schema.
            record("4", r#"{"x":1}"#),
            record("5", r#"{"x":1,"amount":2,"mail":"ada@example.com"}"#),
            Written { value: None, ..record("6", "") },
        ],
    );
    // The first route is for the other topic.
    broker.write(&b, &[record("7", r#"{"service":"pay"}"#)]);
    let mut member = desk.start("err");
    let all = [&clean, &dead, &paid, &unpaid];
    member.until("all", || all.iter().map(|topic| broker.count(topic)).sum::<i64>() >= 7);
    let (code, account) = member.stop();
    assert_eq!(code, 0, "{}", desk.said("err"));
    adds_up(&account);
    let keys = |topic: &str| {
        let mut keys: Vec<_> = broker
            .read(topic)
            .iter()
            .map(|record| String::from_utf8(record.key.clone().unwrap_or_default()).unwrap())
            .collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&paid), ["1"]);
    assert_eq!(
        broker.read(&paid)[0].text(),
        r#"{"service":"pay","amount":1,"mail":"[REDACTED:email]"}"#
    );
    assert_eq!(keys(&unpaid), ["2"]);
    let letter = &broker.read(&unpaid)[0];
    assert_eq!(letter.header("__tamis.errors.route").as_deref(), Some("pay"));
    assert_eq!(letter.header("__tamis.errors.schema").as_deref(), Some("charge"));
    assert_eq!(keys(&clean), ["5", "6", "7", "ada@example.com"]);
    let came = broker.read(&clean);
    let of = |key: &str| came.iter().find(|r| r.key.as_deref() == Some(key.as_bytes())).unwrap();
    assert_eq!(of("ada@example.com").text(), web);
    assert_eq!(of("5").text(), r#"{"x":1,"amount":2,"mail":"[REDACTED:email]"}"#);
    assert_eq!(keys(&dead), ["4"]);
    let letter = &broker.read(&dead)[0];
    assert_eq!(letter.header("__tamis.errors.reason").as_deref(), Some("schema_required"));
    assert_eq!(letter.header("__tamis.errors.route").as_deref(), Some("default"));
}
