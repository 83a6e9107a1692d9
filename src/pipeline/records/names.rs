//! The headers of a dead letter, for writing and for reading them.

/// The prefix of all of them. A record's own headers with this prefix are not copied to its letter.
pub const OURS: &str = "__tamis.";

/// The reason why the record was not forwarded.
pub const REASON: &str = "__tamis.errors.reason";
/// The topic that it was read from.
pub const TOPIC: &str = "__tamis.errors.topic";
/// The partition that it was read from.
pub const PARTITION: &str = "__tamis.errors.partition";
/// Its offset.
pub const OFFSET: &str = "__tamis.errors.offset";
/// The number of a line of its value, from 1, if the letter is about that line alone.
pub const LINE: &str = "__tamis.errors.line";
/// The record's timestamp.
pub const TIMESTAMP: &str = "__tamis.errors.timestamp";
/// The schema that it violates.
pub const SCHEMA: &str = "__tamis.errors.schema";
/// The route that it took, if there are any.
pub const ROUTE: &str = "__tamis.errors.route";
/// The position in the event where it violates the schema.
pub const POINTER: &str = "__tamis.errors.pointer";
/// The fields that it lacks.
pub const MISSING: &str = "__tamis.errors.missing";
/// The kind of the letter's value: an event, a text, a shape, or none for a tombstone.
pub const PAYLOAD: &str = "__tamis.errors.payload";
/// The value of that header for a tombstone.
pub const TOMBSTONE: &str = "tombstone";
/// What a whole event lacks of its record.
pub const LACKS: &str = "__tamis.errors.lacks";
/// The lines of the sealed original that have letters of their own.
pub const OTHERS: &str = "__tamis.errors.others";
/// The digest of a value that is not kept.
pub const DIGEST: &str = "__tamis.errors.digest";
/// The sealed original.
pub const SEALED: &str = "__tamis.sealed";
/// How many times the record became a dead letter again.
pub const ATTEMPTS: &str = "__tamis.attempts";
