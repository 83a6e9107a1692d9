//! Brokers that want to know who comes, and say who they are.

use super::{
    broker::{Broker, Cluster, Written, own_secured, secured, unique},
    member::{Desk, Member},
    names, record, topics,
};
use crate::cli::adds_up;

/// A desk whose `[kafka]` says this, of a broker's listener.
pub(crate) fn desk(cluster: &Cluster, listener: u16, kafka: &str, topics: [&str; 3]) -> Desk {
    let [source, sink, dead] = topics;
    let (address, group) = (cluster.listener(listener), unique("group"));
    let desk = Desk::of(&format!(
        "version = 1\n[kafka]\nbrokers = [\"{address}\"]\n{kafka}\n\
         [source]\ntopics = [\"{source}\"]\ngroup = \"{group}\"\n\
         [sink]\ntopic = \"{sink}\"\n[dead_letter]\ntopic = \"{dead}\"\n"
    ));
    for (name, password) in [
        ("right", "tamis-secret\n"),
        ("guest", "guest-secret"),
        ("wrong", "no-such-secret"),
        ("lock", "key-secret\n"),
    ] {
        std::fs::write(desk.path(name), password).unwrap();
    }
    desk
}

/// What a configuration says of each delivery.
pub(super) const DELIVERIES: [&str; 2] = ["", "delivery = \"exactly_once\"\ninstance = \"a\"\n"];

/// A configuration that says more.
pub(super) fn with(text: &str, more: &str) -> String {
    text.replacen("version = 1\n", &format!("version = 1\n{more}"), 1)
}

pub(crate) fn ca(cluster: &Cluster) -> String {
    format!("tls.ca = \"{}\"", cluster.file("ca.pem"))
}

pub(super) fn login(cluster: &Cluster, mechanism: &str, user: &str, file: &str) -> String {
    let ca = ca(cluster);
    format!(
        "{ca}\nsasl = {{ mechanism = \"{mechanism}\", user = \"{user}\", password_file = \
         \"{file}\" }}"
    )
}

/// Twenty records go through.
fn forwards(cluster: &Cluster, listener: u16, kafka: &str) {
    let topics = topics(&cluster.broker, 1);
    let sent: Vec<_> = (0..20).map(|n| record("k", &format!("{{\"n\":{n}}}"))).collect();
    cluster.broker.write(&topics[0], &sent);
    let desk = desk(cluster, listener, kafka, names(&topics));
    let mut member = desk.start("err");
    member.until("all", || cluster.broker.count(&topics[1]) >= 20);
    let (code, account) = member.stop();
    let said = desk.said("err");
    assert_eq!((code, &account["clean"]), (0, &20.into()), "{kafka}: {said}");
    assert!(!said.contains("-secret"), "{said}");
    adds_up(&account);
}

/// The run ends with this exit code, and says this.
pub(crate) fn ends(desk: &Desk, wanted: &str) {
    let (code, _) = desk.start("err").end();
    let said = desk.said("err");
    assert!(code == 3 && said.contains(wanted), "{wanted}: {code} {said}");
    assert!(!said.contains("-secret"), "{said}");
}

#[test]
fn records_pass_by_tls_with_certificates_and_with_each_login() {
    let Some(cluster) = secured() else { return };
    forwards(&cluster, 2, &ca(&cluster));
    let (certificate, key) = (cluster.file("client.pem"), cluster.file("client.key"));
    let own = format!("tls.certificate = \"{certificate}\"\ntls.key = \"{key}\"");
    forwards(&cluster, 3, &format!("{}\n{own}", ca(&cluster)));
    let locked = format!(
        "tls.certificate = \"{certificate}\"\ntls.key = \"{}\"\ntls.key_password_file = \"lock\"",
        cluster.file("locked.key")
    );
    forwards(&cluster, 3, &format!("{}\n{locked}", ca(&cluster)));
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        forwards(&cluster, 4, &login(&cluster, mechanism, "tamis", "right"));
    }
}

#[test]
fn who_is_not_trusted_is_said_with_the_key_that_mends_it() {
    let Some(cluster) = secured() else { return };
    let topics = topics(&cluster.broker, 1);
    let names = names(&topics);
    let other = format!("tls.ca = \"{}\"", cluster.file("other.pem"));
    ends(&desk(&cluster, 2, &other, names), "is not trusted, has expired, or is for another name");
    ends(&desk(&cluster, 3, &ca(&cluster), names), "see kafka.tls.certificate and kafka.tls.key");
    let own = format!("{}\ntls.certificate = \"{}\"", ca(&cluster), cluster.file("client.pem"));
    for file in ["wrong", "none"] {
        let key = format!("tls.key = \"{}\"", cluster.file("locked.key"));
        let own = format!("{own}\n{key}\ntls.key_password_file = \"{file}\"");
        let desk = desk(&cluster, 3, &own, names);
        let (code, _) = desk.start("err").end();
        let said = desk.said("err");
        assert!(code == 2 && said.contains("kafka.tls.key_password_file"), "{code} {said}");
        assert!(!said.contains("-secret"), "{said}");
    }
    for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
        let wrong = login(&cluster, mechanism, "tamis", "wrong");
        ends(
            &desk(&cluster, 4, &wrong, names),
            "rejected the user or the password: see kafka.sasl",
        );
    }
}

#[test]
fn what_waits_for_another_protocol_is_said_and_tried_again() {
    let Some(cluster) = secured() else { return };
    let topics = topics(&cluster.broker, 1);
    for (listener, kafka, wanted) in [
        (0, ca(&cluster), "does not use TLS on this port: remove kafka.tls"),
        (2, String::new(), "check kafka.brokers, kafka.tls and kafka.sasl"),
    ] {
        let desk = desk(&cluster, listener, &kafka, names(&topics));
        let mut member = desk.start("err");
        member.until("the word", || desk.said("err").contains(wanted));
        assert_eq!(member.stop().0, 0);
    }
}

#[test]
fn a_password_that_changes_is_taken_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = own_secured(folder.path()) else { return };
    let broker = &cluster.broker;
    let kafka = login(&cluster, "PLAIN", "tamis", "right");
    let runs = DELIVERIES.map(|more| {
        let topics = topics(broker, 1);
        broker.write(&topics[0], &[record("k", "{\"n\":1}")]);
        let desk = desk(&cluster, 4, &kafka, names(&topics));
        desk.change("tamis.toml", |text| with(&text, more));
        (topics, desk)
    });
    let mut members = runs.each_ref().map(|(_, desk)| desk.start("err"));
    for ((topics, _), member) in runs.iter().zip(&mut members) {
        member.until("the first", || broker.count(&topics[1]) >= 1);
    }
    for (_, desk) in &runs {
        std::fs::write(desk.path("right"), "new-secret").unwrap();
    }
    cluster.again(|text| text.replace("=\"tamis-secret\"", "=\"new-secret\""));
    for (((topics, desk), mut member), more) in runs.iter().zip(members).zip(DELIVERIES) {
        write(broker, topics, 2);
        arrives(broker, topics, &mut member, 2);
        let (code, account) = member.stop();
        let said = desk.said("err");
        assert!(code == 0 && said.contains("the password changed"), "{code} {said}");
        assert!(!said.contains("-secret"), "{said}");
        adds_up(&account);
        // At least once, the first may not have been committed when the broker went.
        let came = broker.read(&topics[1]).len();
        assert!(came == 2 || more.is_empty(), "{came}: {said}");
    }
}

/// A desk for each delivery whose files hold the certificate `own` and its key, and the topics of each.
fn certified(cluster: &Cluster, own: &str, session: u32) -> [([String; 3], Desk); 2] {
    let files = "tls.certificate = \"own.pem\"\ntls.key = \"own.key\"";
    let session = format!("properties = {{ \"session.timeout.ms\" = \"{session}\" }}");
    let kafka = format!("{}\n{files}\n{session}", ca(cluster));
    DELIVERIES.map(|more| {
        let topics = topics(&cluster.broker, 1);
        let desk = desk(cluster, 3, &kafka, names(&topics));
        desk.change("tamis.toml", |text| with(&text, more));
        ["pem", "key"].iter().for_each(|end| put(cluster, &desk, own, end));
        (topics, desk)
    })
}

fn put(cluster: &Cluster, desk: &Desk, own: &str, end: &str) {
    let to = desk.path(&format!("own.{end}"));
    std::fs::copy(cluster.file(&format!("{own}.{end}")), to).unwrap();
}

/// The files hold the certificate `own`: first its key alone, with which what was there before goes on.
fn changes(cluster: &Cluster, desk: &Desk, member: &mut Member<'_>, own: &str) {
    put(cluster, desk, own, "key");
    member.until("no", || desk.said("err").contains("certificates_refused"));
    put(cluster, desk, own, "pem");
    member.until("the source", || {
        desk.said("err").contains("the source rejoins the group with them")
    });
}

/// The broker trusts whom this file vouches for, and nobody else.
fn trusts(cluster: &Cluster, file: &str) {
    let trusted = format!("ssl.truststore.location={}", cluster.file(file));
    cluster.again(|text| {
        let line = |line: &str| match line.starts_with("ssl.truststore.location=") {
            true => trusted.clone(),
            false => line.to_owned(),
        };
        text.lines().map(|text| line(text) + "\n").collect()
    });
}

fn write(broker: &Broker, topics: &[String; 3], n: u32) {
    broker.write(&topics[0], &[record("k", &format!("{{\"n\":{n}}}"))]);
}

/// What arrived, once that is there.
fn arrives(broker: &Broker, topics: &[String; 3], member: &mut Member<'_>, n: u32) -> Vec<String> {
    let wanted = format!("{{\"n\":{n}}}");
    let texts = || broker.read(&topics[1]).iter().map(Written::text).collect::<Vec<_>>();
    member.until(&wanted, || texts().contains(&wanted));
    texts()
}

#[test]
fn certificates_that_change_are_taken_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = own_secured(folder.path()) else { return };
    let broker = &cluster.broker;
    let both = ["ca.pem", "other.pem"].map(|name| std::fs::read(cluster.file(name)).unwrap());
    std::fs::write(cluster.file("both.pem"), both.concat()).unwrap();
    trusts(&cluster, "both.pem");
    // A member that can leave its group does: nobody waits for the end of its session.
    let runs = certified(&cluster, "client", 240_000);
    let mut members = runs.each_ref().map(|(_, desk)| desk.start("err"));
    for ((topics, desk), member) in runs.iter().zip(&mut members) {
        write(broker, topics, 1);
        // With offsets to commit when it leaves.
        arrives(broker, topics, member, 1);
        changes(&cluster, desk, member, "stranger");
        write(broker, topics, 2);
        arrives(broker, topics, member, 2);
    }
    trusts(&cluster, "other.pem");
    for ((topics, desk), mut member) in runs.iter().zip(members) {
        write(broker, topics, 3);
        let came = arrives(broker, topics, &mut member, 3);
        let (code, account) = member.stop();
        let said = desk.said("err");
        assert!(
            code == 0 && said.contains("the sink uses a new producer with them"),
            "{code} {said}"
        );
        // Nothing was sent by a producer that the broker does not trust any more.
        assert!(!said.contains("topic_paused"), "{said}");
        adds_up(&account);
        assert_eq!((&account["clean"], came.len()), (&3.into(), 3), "{came:?} {said}");
    }
}

#[test]
fn certificates_that_change_too_late_are_taken_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let Some(cluster) = own_secured(folder.path()) else { return };
    let broker = &cluster.broker;
    // Who cannot say that it leaves its group is in it until its session is over.
    let runs = certified(&cluster, "client", 6_000);
    let mut members = runs.each_ref().map(|(_, desk)| desk.start("err"));
    for ((topics, _), member) in runs.iter().zip(&mut members) {
        write(broker, topics, 1);
        arrives(broker, topics, member, 1);
    }
    trusts(&cluster, "other.pem");
    for (delivery, ((topics, desk), mut member)) in runs.iter().zip(members).enumerate() {
        write(broker, topics, 2);
        let refused = || desk.said("err").contains("kafka.tls.certificate and kafka.tls.key");
        member.until("no", refused);
        changes(&cluster, desk, &mut member, "stranger");
        let came = arrives(broker, topics, &mut member, 2);
        let (code, account) = member.stop();
        let said = desk.said("err");
        assert!(
            code == 0 && said.contains("the sink uses a new producer with them"),
            "{code} {said}"
        );
        adds_up(&account);
        assert_eq!(account["clean"], came.len());
        // Who could not commit any more reads again what it had, where that may be.
        assert!(came.len() == 2 || delivery == 0, "{came:?} {said}");
        assert!(came.contains(&"{\"n\":1}".to_owned()), "{came:?} {said}");
    }
}

#[test]
fn what_access_lists_deny_is_named_and_pauses_a_topic_or_ends_the_run() {
    let Some(cluster) = secured() else { return };
    let broker = &cluster.broker;
    let [open, clean, dead] = topics(broker, 1);
    broker.write(&open, &[record("k", "{\"n\":1}")]);
    let (guarded, hidden) = (broker.topic("guarded-a", 1, &[]), broker.topic("hidden-a", 1, &[]));
    let guest = login(&cluster, "SCRAM-SHA-256", "guest", "guest");
    // It may not write there, nor read: others would go on.
    for (names, wanted) in [
        ([&*open, &*guarded, &*dead], format!("{guarded}: TopicAuthorizationFailed")),
        ([&*guarded, &*clean, &*dead], "TopicAuthorizationFailed".into()),
    ] {
        let desk = desk(&cluster, 4, &guest, names);
        let mut member = desk.start("err");
        let paused = |said: String| said.contains("topic_paused") && said.contains(&wanted);
        member.until("the pause", || paused(desk.said("err")));
        let (code, account) = member.stop();
        assert_eq!((code, &account["clean"]), (0, &0.into()), "{}", desk.said("err"));
    }
    let unseen =
        format!("topic `{hidden}` does not exist, or this user has no permission to see it");
    ends(&desk(&cluster, 4, &guest, [&open, &hidden, &dead]), &unseen);
    let desk = desk(&cluster, 4, &guest, [&open, &clean, &dead]);
    desk.change("tamis.toml", |text| text.replace("group = \"", "group = \"guarded-"));
    ends(&desk, "GroupAuthorizationFailed");
    assert_eq!(broker.count(&guarded) + broker.count(&hidden), 0);
}

#[test]
fn the_rights_that_the_page_asks_for_are_enough() {
    let Some(cluster) = secured() else { return };
    let broker = &cluster.broker;
    let topic = |name| broker.topic(name, 1, &[]);
    let [source, sink, dead] =
        [topic("granted-in"), topic("granted-out"), topic("granted-out-dead")];
    let guest = login(&cluster, "SCRAM-SHA-256", "guest", "guest");
    let mut so_far = 0;
    for delivery in DELIVERIES {
        broker.write(&source, &[record("k", "{\"n\":1}"), record("k", "{\"broken\"")]);
        so_far += 2;
        let desk = desk(&cluster, 4, &guest, [&source, &sink, &dead]);
        desk.change("tamis.toml", |text| {
            let text = with(&text, delivery);
            let at = text.find("group = \"").unwrap();
            let end = at + text[at..].find('\n').unwrap();
            [&text[..at], "group = \"granted-group\"", &text[end..]].concat()
        });
        let mut member = desk.start("err");
        member.until("both", || broker.committed("granted-group", &source, 1) == so_far);
        assert_eq!(member.stop().0, 0, "{}", desk.said("err"));
    }
}
