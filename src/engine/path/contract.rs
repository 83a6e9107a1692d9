//! What paths ask of a schema, and the answers. The schema implements it; paths know no more of it.

/// A place in a schema: what a value there must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct NodeId(pub(crate) u32);

impl NodeId {
    /// Accepts everything, in any schema.
    pub(crate) const ANY: Self = Self(0);
    /// Accepts nothing (the schema `false`), in any schema.
    pub(crate) const NEVER: Self = Self(1);

    pub(crate) const fn new(n: u32) -> Self {
        Self(n)
    }
}

/// What a schema says of one field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Property {
    /// What its value must be.
    pub(crate) node: NodeId,
    /// Its bit in [`Contract::required`].
    pub(crate) required_bit: Option<u8>,
    /// `properties` or `required` name it: standing twice is a violation.
    pub(crate) constrained: bool,
    /// It may not stand there at all.
    pub(crate) forbidden: bool,
}

impl Property {
    pub(crate) fn of(node: NodeId) -> Self {
        let forbidden = node == NodeId::NEVER;
        Self { node, required_bit: None, constrained: false, forbidden }
    }
}

/// A schema, as paths see it. All of it is asked when a path is new, not for each event.
pub(crate) trait Contract: Send + Sync {
    /// What the event itself must be.
    fn root(&self) -> NodeId;
    /// What `object` says of the field `key` (decoded).
    fn property(&self, object: NodeId, key: &[u8]) -> Property;
    /// What every element of `array` must be.
    fn items(&self, array: NodeId) -> NodeId;
    /// The bits of all fields that `object` requires.
    fn required(&self, object: NodeId) -> u64;
    /// Whether `n` asks anything of a value itself; what it says of members and elements is apart.
    fn checks(&self, n: NodeId) -> bool;
    /// Whether `n` asks more of a string than to be one.
    fn checks_strings(&self, n: NodeId) -> bool;
    /// Whether `enum` or `const` list arrays or objects anywhere.
    fn compares_any(&self) -> bool;
    /// Whether `enum` or `const` list arrays or objects here.
    fn compares_containers(&self, n: NodeId) -> bool;
}
