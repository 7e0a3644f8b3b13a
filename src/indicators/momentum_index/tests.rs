//! The search among the crossings against a sort of them all.

use proptest::prelude::*;

use super::crossings::{Crossings, Newcomer, Vote};
use super::rolling_range::RollingRange;
use super::{MomentumIndex, MomentumIndexSettings};
use crate::indicators::TickBar;
use crate::indicators::test_bars::bars_until_equal;
use crate::random::Random;

/// Returns the vote by its definition. `points` are all ever pushed, the sentinel first.
fn sorted_vote(
    points: &[(f64, f64, i8)],
    capacity: usize,
    neighbours: usize,
    (slow, quick): (f64, f64),
) -> Vote {
    let mut others: Vec<(f64, i64, i64)> = (points.len().saturating_sub(capacity)..points.len())
        .map(|at| {
            let next = points.get(at + 1).filter(|_| at > 0).map_or(0, |next| next.2);
            let (x, y) = (points[at].0 - slow, points[at].1 - quick);
            (x * x + y * y, points[at].2.into(), next.into())
        })
        .collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    let square_radius = others[neighbours.min(others.len()) - 1].0;
    let voters = || others.iter().filter(|other| other.0 <= square_radius);
    Vote {
        labels: voters().map(|voter| voter.1).sum(),
        next_labels: voters().map(|voter| voter.2).sum(),
        square_radius,
    }
}

/// Returns features on a coarse grid, so that many distances tie, or anywhere.
fn features() -> impl Strategy<Value = (f64, f64)> {
    let coarse = (0..6_u8, 0..6_u8).prop_map(|(x, y)| (f64::from(x) * 20.0, f64::from(y) * 20.0));
    let fine = (0.0..=100.0, 0.0..=100.0);
    prop_oneof![3 => coarse, 1 => fine]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_vote_is_that_of_the_sorted_crossings(
        neighbours in 1..40_usize,
        more in 0..60_usize,
        pushed in prop::collection::vec((features(), any::<bool>()), 0..300),
        asked in prop::collection::vec(features(), 1..5),
        expected in prop_oneof![Just(0.0), 1e-9..1e5_f64],
    ) {
        let capacity = neighbours + more;
        let mut crossings = Crossings::new(capacity);
        let mut points = vec![(0.0, 0.0, 0)];
        for ((slow, quick), up) in pushed {
            let label = if up { 1 } else { -1 };
            points.push((slow, quick, label));
            let sorted = sorted_vote(&points, capacity, neighbours, (slow, quick));
            let newcomer = Some(Newcomer { label });
            prop_assert_eq!(crossings.vote(slow, quick, neighbours, newcomer), sorted);
            let count = crossings.count_after_next();
            crossings.push(slow, quick, label);
            crossings.expect_near(sorted.square_radius);
            prop_assert_eq!(crossings.vote(slow, quick, neighbours, None), sorted);
            prop_assert_eq!(crossings.count(), count);
            prop_assert_eq!(count, (points.len() - 1).min(capacity));
        }
        crossings.expect_near(expected);
        let saved = serde_json::to_string(&crossings).unwrap();
        let restored: Crossings = serde_json::from_str(&saved).unwrap();
        for (slow, quick) in asked {
            let sorted = sorted_vote(&points, capacity, neighbours, (slow, quick));
            prop_assert_eq!(crossings.vote(slow, quick, neighbours, None), sorted);
            prop_assert_eq!(restored.vote(slow, quick, neighbours, None), sorted);
        }
    }

    /// For any values pushed before, and any first guess of the search.
    #[test]
    fn stores_that_hold_the_same_are_equal(
        capacity in 1..20_usize,
        before in prop::collection::vec((features(), any::<bool>()), 0..30),
        pushed in prop::collection::vec((features(), any::<bool>()), 1..40),
        expected in 1e-9..1e5_f64,
    ) {
        let [mut whole, mut begun] = [0, 1].map(|_| Crossings::new(capacity));
        let label = |up: bool| if up { 1 } else { -1 };
        for ((slow, quick), up) in &before {
            whole.push(*slow, *quick, label(*up));
        }
        whole.expect_near(expected);
        for (index, ((slow, quick), up)) in pushed.iter().enumerate() {
            let same = before.is_empty() || index >= capacity;
            prop_assert_eq!(begun == whole, same);
            whole.push(*slow, *quick, label(*up));
            begun.push(*slow, *quick, label(*up));
        }
    }

    #[test]
    fn ranges_of_the_same_window_are_equal(
        window in 1..12_u64,
        before in prop::collection::vec(prop::option::weighted(0.8, -5..5_i64), 0..30),
        values in prop::collection::vec(prop::option::weighted(0.8, -5..5_i64), 1..40),
    ) {
        let [mut whole, mut begun] = [0, 1].map(|_| RollingRange::new(window));
        for value in &before {
            whole.update(*value);
        }
        let mut equal = false;
        for (taken, value) in values.iter().enumerate() {
            prop_assert!(!equal || begun == whole);
            equal = begun == whole;
            prop_assert!(equal || (taken as u64) < window);
            let given = (begun.update(*value), whole.update(*value));
            prop_assert!(!equal || given.0 == given.1);
        }
    }

    #[test]
    fn a_range_is_that_of_the_window(
        window in 1..12_u64,
        values in prop::collection::vec(prop::option::weighted(0.8, -5..5_i64), 1..80),
    ) {
        let mut range = RollingRange::new(window);
        for end in 1..=values.len() {
            let seen = end.checked_sub(window as usize).map(|start| values[start..end].iter().flatten());
            let expected = seen.and_then(|seen| Some((*seen.clone().max()?, *seen.min()?)));
            prop_assert_eq!(range.peek(values[end - 1]), expected);
            prop_assert_eq!(range.update(values[end - 1]), expected);
        }
    }
}

/// More equal distances than a search sorts at once, at zero, near and far.
#[test]
fn thousands_that_tie_all_vote() {
    for (slow, quick, ask) in [(50.0, 50.0, 50.0), (50.0, 50.0, 50.1), (3.0, 90.0, 50.0)] {
        let mut crossings = Crossings::new(4096);
        let mut points = vec![(0.0, 0.0, 0)];
        for at in 0..3000 {
            let label = if at % 3 == 0 { 1 } else { -1 };
            crossings.push(slow, quick, label);
            points.push((slow, quick, label));
        }
        let vote = crossings.vote(ask, ask, 200, None);
        assert_eq!(vote, sorted_vote(&points, 4096, 200, (ask, ask)));
        assert_eq!(vote.labels, -1000);
    }
}

#[test]
fn a_damaged_state_is_refused() {
    let crossings = Crossings::new(3);
    let saved = serde_json::to_string(&crossings).unwrap();
    let refused = |from: &str, to: &str| {
        let damaged = saved.replace(from, to);
        assert_ne!(damaged, saved);
        let error = serde_json::from_str::<Crossings>(&damaged).unwrap_err().to_string();
        assert!(error.contains("the saved crossings are damaged"), "{error}");
    };
    refused("\"capacity\":3", "\"capacity\":0");
    refused("\"capacity\":3", "\"capacity\":99999999");
    refused("\"slow\":0.0", "\"slow\":1e300");
    refused("\"label\":0", "\"label\":2");
    refused("\"next_label\":0", "\"next_label\":-2");
    refused("[{\"slow\":0.0,\"quick\":0.0,\"label\":0,\"next_label\":0}]", "[]");
}

/// Bands that hold any number of candidates, also just as many as a search sorts at once.
#[test]
fn a_vote_in_a_large_store_is_that_of_the_sorted_crossings() {
    let mut random = Random::new(5, 0);
    let mut feature = || (100.0 * random.unit(), 100.0 * random.unit());
    let mut crossings = Crossings::new(1024);
    let mut points = vec![(0.0, 0.0, 0)];
    for at in 0..1500 {
        let (slow, quick) = feature();
        let label = if at % 5 < 2 { 1 } else { -1 };
        crossings.push(slow, quick, label);
        points.push((slow, quick, label));
    }
    for neighbours in 1..=1100 {
        let ask = feature();
        let sorted = sorted_vote(&points, 1024, neighbours, ask);
        for part in [0.5, 0.8, 0.9, 1.0, 1.1, 1.2, 2.0] {
            crossings.expect_near(sorted.square_radius * part);
            crossings.expect_near(sorted.square_radius * part);
            assert_eq!(crossings.vote(ask.0, ask.1, neighbours, None), sorted);
        }
    }
}

/// An index of small memory on bars that cross often: it forgets how the strengths began, then the
/// crossings from before, then 2000 bars of votes.
#[test]
fn one_that_begins_later_becomes_equal() {
    let settings = MomentumIndexSettings {
        neighbours: 4,
        trend_length: 5,
        capacity: 12,
        ..MomentumIndexSettings::default()
    };
    for (seed, late) in [(1, 1), (2, 7), (3, 39), (4, 1000)] {
        let mut random = Random::new(seed, 0);
        let mut close = 20_000;
        let bars: Vec<TickBar> = (0..late + 4000)
            .map(|_| {
                let open = close;
                close += i64::from(random.below(13)) - 6;
                let (high, low) = (open.max(close), open.min(close));
                TickBar { open, high, low, close, volume: 1 }
            })
            .collect();
        let after = bars_until_equal(MomentumIndex::new(settings).unwrap(), late, &bars);
        // 52 lengths of the slow strength, 12 crossings each within 50 bars, and the band.
        let memory = 52 * 20 + 12 * 50 + 2000;
        assert!(after.is_some_and(|after| (2000..=memory).contains(&after)), "{after:?}");
    }
}
