//! The headers of a dead letter, for who writes it and who reads it again.

/// What all of them begin with: a record's own headers of such names stay out of its letter.
pub const OURS: &str = "__tamis.";

/// Why the record was not forwarded.
pub const REASON: &str = "__tamis.errors.reason";
/// The topic that it was read from,
pub const TOPIC: &str = "__tamis.errors.topic";
/// the partition,
pub const PARTITION: &str = "__tamis.errors.partition";
/// the offset,
pub const OFFSET: &str = "__tamis.errors.offset";
/// and the line of its value, from 1, where it is about that alone.
pub const LINE: &str = "__tamis.errors.line";
/// The record's timestamp.
pub const TIMESTAMP: &str = "__tamis.errors.timestamp";
/// The schema that it violates.
pub const SCHEMA: &str = "__tamis.errors.schema";
/// The route that it took, where there are any.
pub const ROUTE: &str = "__tamis.errors.route";
/// Where it violates its schema,
pub const POINTER: &str = "__tamis.errors.pointer";
/// and what it lacks.
pub const MISSING: &str = "__tamis.errors.missing";
/// What the letter's value is: an event, a text, a shape, or that of a tombstone, none.
pub const PAYLOAD: &str = "__tamis.errors.payload";
/// What that header says of a tombstone.
pub const TOMBSTONE: &str = "tombstone";
/// What a whole event lacks of its record.
pub const LACKS: &str = "__tamis.errors.lacks";
/// Which lines of the sealed original have letters of their own.
pub const OTHERS: &str = "__tamis.errors.others";
/// What tells a value apart that is not kept.
pub const DIGEST: &str = "__tamis.errors.digest";
/// The sealed original.
pub const SEALED: &str = "__tamis.sealed";
/// How often the record was a dead letter again.
pub const ATTEMPTS: &str = "__tamis.attempts";
