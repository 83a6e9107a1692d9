//! Dead letters that hold the original record, sealed.

use tamis::seal::Identities;

use super::{
    broker::{Written, broker, unique},
    member::Desk,
    names, record, topics,
};
use crate::{cli::adds_up, replay::key};

#[test]
fn a_dead_letter_holds_the_whole_record_for_who_has_the_identity() {
    let Some(broker) = broker() else { return };
    let topics = topics(&broker, 1);
    let header = ("mail".to_owned(), Some(b"ada@example.com".to_vec()));
    let broken = "{\n\t\"broken\":\"ada@example.com\"";
    let sent = [
        Written { headers: vec![header], ..record("ada@example.com", broken) },
        record("k", "{\"n\":1}"),
        Written { value: Some(b"{\"a\":\"\xff\"}".to_vec()), ..record("k", "") },
        record("k", &format!("{{\"n\":\"{}\"}}", "wxyz ".repeat(2000))),
    ];
    broker.write(&topics[0], &sent);
    let desk = Desk::new(&broker, names(&topics), &unique("group"), "max_event_bytes = 4096");
    let public = key(desk.path("").as_path(), "key");
    desk.change("tamis.toml", |text| format!("{text}encrypt_to = \"{public}\"\n"));
    let mut member = desk.start("err");
    member.until("all", || broker.count(&topics[1]) + broker.count(&topics[2]) >= 4);
    let (code, account) = member.stop();
    assert_eq!((code, &account["clean"]), (0, &1.into()), "{}", desk.said("err"));
    adds_up(&account);
    let letters = broker.read(&topics[2]);
    assert!(letters.iter().all(|letter| !letter.everything().contains("ada@")), "{letters:?}");
    let identities = Identities::read(&desk.path("key")).unwrap();
    let opened: Vec<Option<serde_json::Value>> = letters
        .iter()
        .map(|letter| {
            let found = letter.headers.iter().find(|(name, _)| name == "__tamis.sealed")?;
            let whole = identities.open(found.1.as_ref()?, 1 << 20).unwrap();
            Some(serde_json::from_slice(&whole).unwrap())
        })
        .collect();
    let [Some(first), Some(second), None] = &opened[..] else { panic!("{opened:?}") };
    assert_eq!((&first["value"], &first["key"]), (&broken.into(), &"ada@example.com".into()));
    assert_eq!(first["headers"], serde_json::json!([{"name": "mail", "value": "ada@example.com"}]));
    assert_eq!((&first["topic"], &first["offset"]), (&topics[0].as_str().into(), &0.into()));
    assert_eq!(second["value"], serde_json::json!({"base64": "eyJhIjoi/yJ9"}));
    assert_eq!(letters[2].header("__tamis.errors.reason").as_deref(), Some("oversize"));
}
