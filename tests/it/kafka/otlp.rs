//! Logs of OTLP, from topic to topic.

use super::{
    broker::{Written, broker, unique},
    member::Desk,
    names, record, topics,
};
use crate::cli::adds_up;

/// As an exporter writes it; each of these is a log record.
fn export(logs: &[String]) -> String {
    format!(
        "{{\"resourceLogs\": [{{\"resource\":{{\"attributes\":[{{\"key\":\"service.name\",\
         \"value\":{{\"stringValue\":\"shop\"}}}}]}},\"scopeLogs\":[{{\"scope\":{{\"name\":\"s\"}},\n\
         \"logRecords\":[{}]}}]}}]}}\n",
        logs.join(",")
    )
}

fn log(body: &str, key: &str, value: &str) -> String {
    format!(
        "{{\"timeUnixNano\":\"1700000000000000000\",\"severityNumber\": 9,\
         \"body\":{{\"stringValue\":\"{body}\"}},\
         \"attributes\":[{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}]}}"
    )
}

#[test]
fn log_records_of_otlp_are_judged_one_by_one() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let clean = [log("started", "http.route", "/cart"), log("stopped", "n", "1")];
    let given = |body: &str, secret: &str| log(body, "password", secret);
    let bad = "{\"severityNumber\":9,\"mail\":\"ada@example.com\"}".to_owned();
    let sent = [
        export(&clean),
        // One of three is redacted, by its words and by a rule for its key.
        export(&[clean[0].clone(), given("for ada@example.com", "hunter2"), clean[1].clone()]),
        // One of three has no body.
        export(&[clean[0].clone(), bad.clone(), clean[1].clone()]),
        // No log at all.
        "{\"n\":1,\"body\":{}}".to_owned(),
        "{\"resourceLogs\":[{\"mail\":\"ada@example.com\"".to_owned(),
    ];
    let records: Vec<_> =
        sent.iter().map(|value| Written { partition: 0, ..record("k", value) }).collect();
    broker.write(&topics[0], &records);
    let more = "require = [\"body\"]\n#source framing = \"otlp\"";
    let desk = Desk::new(&broker, names(&topics), &unique("group"), more);
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 6);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!(code, 0, "{said}");
    adds_up(&account);
    for (outcome, n) in [("read", 10), ("clean", 7), ("redacted", 1)] {
        assert_eq!(account[outcome], n, "{outcome}: {account}");
    }
    let letters = serde_json::json!({ "schema_required": 1, "unterminated": 1 });
    assert_eq!(account["dead_lettered"], letters);
    let came = broker.read(&topics[1]);
    let redacted = given("for [REDACTED:email]", "[REDACTED:secret_field]");
    let wanted = [
        sent[0].clone(),
        export(&[clean[0].clone(), redacted, clean[1].clone()]),
        export(&clean),
        sent[3].clone(),
    ];
    assert_eq!(came.iter().map(Written::text).collect::<Vec<_>>(), wanted);
    // But for its value a record is what it was.
    for (came, sent) in came.iter().zip([0, 1, 2, 3].map(|at| &records[at])) {
        assert_eq!((&came.key, came.timestamp), (&sent.key, sent.timestamp));
    }
    let letters = broker.read(&topics[2]);
    let of = |name: &str| -> Vec<_> { letters.iter().map(|l| l.header(name)).collect() };
    assert_eq!(
        of("__tamis.errors.reason"),
        ["schema_required", "unterminated"].map(|r| Some(r.into()))
    );
    assert_eq!(of("__tamis.errors.line")[0].as_deref(), Some("2"));
    assert_eq!(letters[0].text(), bad.replace("ada@example.com", "[REDACTED:email]"));
    let all: Vec<_> = came.iter().chain(&letters).map(Written::everything).collect();
    let leaks = |text: &String| text.contains("ada@") || text.contains("hunter2");
    assert!(!all.iter().any(leaks) && !leaks(&said), "{all:#?}\n{said}");
}
