//! From the resolved configuration to a plan for the workers: where engine and app meet.

use std::sync::Arc;

use anyhow::{Result, bail};

use super::{resolved::Rules, schemas};
use crate::engine::{Engine, Plan, Settings};

/// An engine's scratch space, in the memory formula.
pub(crate) const ENGINE_BYTES: u64 = 4 << 20;

/// What the rules come to.
pub(crate) struct Compiled {
    pub(crate) plan: Arc<Plan>,
    /// The schema in force, as dead letters name it.
    pub(crate) schema: Option<String>,
}

/// Compiles the rules. Every error is the configuration's.
pub(crate) fn compile(rules: &Rules, bodies: bool) -> Result<Compiled> {
    let schema = match &rules.schema {
        Some(name) => Some(schemas::find(name)?),
        None => None,
    };
    if schema.is_some() || !rules.require.is_empty() {
        bail!("this build has no schema compiler");
    }
    if !(rules.packs.is_empty() && rules.only.is_empty() && rules.without.is_empty()) {
        bail!("this build has no detectors");
    }
    let settings = Settings { text: rules.text, ip: rules.ip, limits: rules.limits, bodies };
    let plan = Arc::new(Plan::compile(settings));
    Ok(Compiled { plan, schema: schema.map(|schema| schema.name) })
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
