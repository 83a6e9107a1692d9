//! The yardstick: a bare program of librdkafka's, from topic to topic.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread::sleep,
    time::Duration,
};

use rdkafka::{
    ClientConfig, ClientContext, Message as _,
    consumer::{BaseConsumer, Consumer as _},
    error::RDKafkaErrorCode,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DeliveryResult, ProducerContext, ThreadedProducer},
};

use crate::process::Outcome;

const HOP: &str = "__tamis.hop";

/// Counts what is durable.
struct Reports(Arc<AtomicU64>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, _: usize) {
        if result.is_ok() {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

/// Takes everything from one topic to another as fast as librdkafka can, for ever.
pub(crate) fn bare(arguments: &[String]) -> Outcome<()> {
    let [address, source, sink, group, hop] = arguments else {
        return Err("five arguments".into());
    };
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    let consumer: BaseConsumer = config
        .clone()
        .set("group.id", group)
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "20")
        .set("enable.auto.offset.store", "true")
        .create()?;
    let producer: ThreadedProducer<Reports> = config
        .set("enable.idempotence", "true")
        .set("compression.codec", "lz4")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "32768")
        .create_with_context(Reports(Arc::default()))?;
    consumer.subscribe(&[source])?;
    loop {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let mut record =
            BaseRecord::<[u8], [u8], usize>::with_opaque_to(sink, 1).partition(message.partition());
        record.key = message.key();
        record.payload = message.payload();
        record.timestamp = message.timestamp().to_millis();
        if !hop.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(1);
            record = record.headers(headers.insert(Header { key: HOP, value: Some(hop) }));
        }
        while let Err((error, back)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            record = back;
            sleep(Duration::from_millis(1));
        }
    }
}
