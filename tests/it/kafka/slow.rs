//! A sink that takes nothing for longer than a member may be silent.

use std::{thread::sleep, time::Duration};

use super::{
    broker::{Broker, Fate, Written, three, unique},
    exactly_once::EXACTLY_ONCE,
    member::{Desk, Member},
    watched::ADMIN,
};
use crate::{
    admin::{get, measures},
    cli::adds_up,
};

/// More than a producer takes in at once, so that nothing is read any more either.
const COUNT: u64 = 110_000;
const INTERVAL: Duration = Duration::from_secs(4);

/// A member of its own group, and its topics.
struct Job {
    topics: [String; 3],
    group: String,
    desk: Desk,
}

impl Job {
    fn new(broker: &Broker, source: &str, more: &str) -> Self {
        let sink = broker.topic("clean", 2, &[("min.insync.replicas", "3")]);
        let topics = [source.to_owned(), sink, broker.topic("dead", 1, &[])];
        let (group, more) = (unique("group"), format!("{ADMIN}\n{more}"));
        let desk = Desk::new(broker, [&topics[0], &topics[1], &topics[2]], &group, &more);
        let silent = INTERVAL.as_millis();
        let soon = format!(
            "\"session.timeout.ms\" = \"{silent}\", \"max.poll.interval.ms\" = \"{silent}\", \
             \"socket.timeout.ms\" = \"3000\""
        );
        desk.change("tamis.toml", |text| text.replace("\"session.timeout.ms\" = \"6000\"", &soon));
        Self { topics, group, desk }
    }

    fn start(&self) -> Member<'_> {
        let mut member = self.desk.start("err");
        member.until("the address", || self.desk.admin("err").is_some());
        member.until("its partitions", || self.rebalances() == [1.0, 0.0, 0.0]);
        member
    }

    fn rebalances(&self) -> [f64; 3] {
        let all = measures(&get(self.desk.admin("err").unwrap(), "/metrics", "").1);
        ["assigned", "revoked", "lost"]
            .map(|event| all[&format!("tamis_kafka_rebalances_total{{event=\"{event}\"}}")])
    }

    fn done(&self, broker: &Broker) -> bool {
        broker.committed(&self.group, &self.topics[0], 2) as u64 == COUNT
    }

    /// It has been a member all the time, and read and wrote each record once.
    fn check(&self, broker: &Broker, member: Member<'_>) {
        assert_eq!(self.rebalances(), [1.0, 0.0, 0.0]);
        let (code, account) = member.stop();
        let said = self.desk.said("err");
        let (read, clean) = (&account["read"], &account["clean"]);
        assert_eq!((code, read, clean), (0, &COUNT.into(), &COUNT.into()), "{said}");
        adds_up(&account);
        let mut came: Vec<_> = broker.read(&self.topics[1]).iter().map(Written::text).collect();
        assert_eq!(came.len() as u64, COUNT);
        came.sort();
        came.dedup();
        assert_eq!(came.len() as u64, COUNT);
    }
}

/// Who does not ask for records for `max.poll.interval.ms` is no member any more.
#[test]
fn a_sink_that_takes_nothing_costs_no_membership() {
    let Some((cluster, _turn)) = three() else { return };
    let broker = &cluster.broker;
    let source = broker.topic("in", 2, &[]);
    let jobs = ["", EXACTLY_ONCE].map(|more| Job::new(broker, &source, more));
    let mut members = jobs.each_ref().map(Job::start);
    // Without one of three the sinks take nothing. It is none that the groups or transactions need.
    let needed = ["__consumer_offsets", "__transaction_state"].map(|topic| broker.leaders(topic));
    let gone = (1..=3).find(|number| !needed.concat().contains(number)).unwrap() as u16;
    cluster.befalls(gone, Fate::Stop);
    // Known to be gone, it leads nothing any more.
    members[0].until("its end", || {
        !broker.leaders(&source).iter().any(|leader| [gone.into(), -1].contains(leader))
    });
    let one = |id: u64| Written {
        partition: (id % 2) as i32,
        ..Written::value(format!("{{\"id\":{id}}}"))
    };
    broker.write(&source, &(0..COUNT).map(one).collect::<Vec<_>>());
    sleep(INTERVAL + Duration::from_secs(2));
    let taken = jobs.each_ref().map(|job| broker.read(&job.topics[1]).len());
    cluster.befalls(gone, Fate::Cont);
    assert_eq!(taken, [0, 0]);
    for (job, member) in jobs.iter().zip(&mut members) {
        member.until("all", || job.done(broker));
    }
    for (job, member) in jobs.iter().zip(members) {
        job.check(broker, member);
    }
}
