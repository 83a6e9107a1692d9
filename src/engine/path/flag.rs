//! Bits that say what is to be done with a value. 0 for nearly all.

/// The schema looks at the value.
pub(crate) const CHECK: u16 = 1;
/// The schema does not allow the field.
pub(crate) const FORBIDDEN: u16 = 2;
/// The schema names the field.
pub(crate) const CONSTRAINED: u16 = 4;
/// The field stands twice, and the schema names it.
pub(crate) const TWICE: u16 = 8;
/// A rule by key: the value is a secret, whatever it looks like.
pub(crate) const SECRET: u16 = 16;
/// `"name": …` of a name/value pair.
pub(crate) const NAME: u16 = 32;
/// `"value": …` of a name/value pair.
pub(crate) const VALUE: u16 = 64;
/// An array of headers, in which a name stands before its value.
pub(crate) const HEADERS: u16 = 128;
/// The walk reports the value whatever it holds.
pub(crate) const REPORT: u16 = SECRET | NAME | VALUE | HEADERS | WHOLE | LOOK | ELEMENTS | SEARCH;
/// The walk compares a container with the schema's `enum` or `const` when it closes.
pub(crate) const COMPARE: u16 = 256;
/// A rule by path takes the value, whatever it holds.
pub(crate) const WHOLE: u16 = 512;
/// That rule takes a container at once.
pub(crate) const MEMBER: u16 = 1024;
/// A rule by path counts the value.
pub(crate) const LOOK: u16 = 2048;
/// A rule by path speaks of elements, also of an array in a string.
pub(crate) const ELEMENTS: u16 = 4096;
/// The schema asks more of a string there than to be one.
pub(crate) const EXACT: u16 = 8192;
/// No field's, but a number's: it may be an integer in another spelling.
pub(crate) const OTHER: u16 = 16384;
/// A route asks for the field: [`Node::asked`](super::Node::asked) says which it is. There is no other
/// bit left: the walk removes this one before it looks at a number's own.
pub(crate) const ASKED: u16 = OTHER;
/// Detectors search every string, key and number.
pub(crate) const SEARCH: u16 = 32768;
