//! The counts of each route.

use super::Snapshot;
use crate::{
    app::visible::visible,
    engine::{RouteCounts, RouteInfo},
    metrics::{Family, Sample},
};

/// Returns the metrics by route, or none if there are no routes. Lines that took no route are
/// counted for the default route. The counts of routes that a reload removed are kept.
pub(super) fn families(seen: &Snapshot, routes: &[RouteInfo], detectors: &[String]) -> Vec<Family> {
    let Some((default, routes)) = routes.split_first() else { return Vec::new() };
    if routes.is_empty() && seen.routes.is_empty() {
        return Vec::new();
    }
    let mut all = seen.routes.clone();
    for route in routes {
        all.entry(route.name.clone()).or_default();
    }
    let rest = rest(seen, all.values());
    let all = || [(&default.name, &rest)].into_iter().chain(&all);
    let lines = all().flat_map(|(name, counts)| {
        let outcomes = [("forwarded", counts.forwarded), ("rejected", counts.rejected)];
        outcomes.map(|(outcome, count)| Sample::of(&[&visible(name), outcome], count as f64))
    });
    let redactions = all().flat_map(|(name, counts)| {
        let found = detectors.iter().zip(&counts.redactions).filter(|(_, count)| **count > 0);
        found.map(|(id, count)| Sample::of(&[&visible(name), id], *count as f64))
    });
    vec![
        Family::counter(
            "tamis_route_lines",
            "Lines forwarded and rejected, by route.",
            &["route", "outcome"],
            lines.collect(),
        ),
        Family::counter(
            "tamis_route_redactions",
            "Redactions, by route and detector; only those that are not 0.",
            &["route", "detector"],
            redactions.collect(),
        ),
    ]
}

/// Returns what took none of the routes with these counts.
fn rest<'a>(seen: &Snapshot, routes: impl Iterator<Item = &'a RouteCounts>) -> RouteCounts {
    let tally = &seen.tally;
    let mut rest = RouteCounts {
        forwarded: tally.forwarded(),
        rejected: tally.rejected_total(),
        redactions: tally.redactions.clone(),
        ..RouteCounts::default()
    };
    for counts in routes {
        rest.forwarded = rest.forwarded.saturating_sub(counts.forwarded);
        rest.rejected = rest.rejected.saturating_sub(counts.rejected);
        let redactions = rest.redactions.iter_mut().zip(&counts.redactions);
        redactions.for_each(|(rest, count)| *rest = rest.saturating_sub(*count));
    }
    rest
}
