//! Integration tests: one binary, themed modules.

mod packs;
mod schema;
mod tidy;
