//! `tamis -V`

/// Name and version; the SIMD level and the packs' digest belong here.
pub(crate) fn version() -> String {
    format!("tamis {}\n", env!("CARGO_PKG_VERSION"))
}
