//! From the resolved configuration to a plan for the workers: where engine and app meet.

use std::{env, sync::Arc};

use anyhow::Result;

use super::{resolved::Rules, schemas};
use crate::engine::{Engine, Plan, Settings, detect::Selection};

/// An engine's scratch space, in the memory formula.
pub(crate) const ENGINE_BYTES: u64 = 4 << 20;

/// What the rules come to.
pub(crate) struct Compiled {
    pub(crate) plan: Arc<Plan>,
    /// The schema in force, as dead letters name it.
    pub(crate) schema: Option<String>,
}

/// Names an instruction set in place of the best one: for benchmarks and for a processor that
/// misbehaves.
const SIMD: &str = "TAMIS_SIMD";

/// Compiles the rules. Every error is the configuration's.
pub(crate) fn compile(rules: Rules, bodies: bool) -> Result<Compiled> {
    let schema = match &rules.schema {
        Some(name) => Some(schemas::find(name)?),
        None if rules.require.is_empty() => None,
        None => Some(schemas::require(&rules.require)?),
    };
    let name = schema.as_ref().map(|schema| schema.name().to_owned());
    let simd = env::var(SIMD).ok().filter(|level| !level.is_empty() && level != "auto");
    let settings = Settings {
        packs: rules.packs,
        select: Selection { only: rules.only, without: rules.without },
        schema: schema.map(Arc::new),
        text: rules.text,
        ip: rules.ip,
        limits: rules.limits,
        bodies,
        simd,
    };
    let plan = Arc::new(Plan::compile(settings)?);
    Ok(Compiled { plan, schema: name })
}

impl Compiled {
    /// One engine for each worker.
    pub(crate) fn engines(&self, workers: usize) -> Vec<Engine> {
        (0..workers).map(|_| Engine::new(self.plan.clone())).collect()
    }

    /// The detectors' ids, in the tally's order.
    pub(crate) fn detectors(&self) -> Vec<String> {
        self.plan.detectors().iter().map(|detector| detector.id.clone()).collect()
    }
}
