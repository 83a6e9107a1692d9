//! Where in an event: paths of keys.

pub(crate) mod locate;
