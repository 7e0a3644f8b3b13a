//! The momentum index as its definition reads, without any economy: every store scanned and sorted
//! on every bar. What the tests compare with, and the bench.

/// Prices and settings; prices are in any unit that makes them whole.
pub struct Reference {
    neighbours: usize,
    trend_length: usize,
    capacity: usize,
    prices: Vec<i64>,
    strengths: [Strength; 2],
    /// Slow and quick, NaN before there is one.
    strength_series: [Vec<f64>; 2],
    last_crossing_price: Option<i64>,
    /// Every point ever remembered, the sentinel first: slow, quick, label.
    points: Vec<(f64, f64, i64)>,
    votes: Vec<Option<i64>>,
}

/// The reference's values of one bar.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub crossing: i8,
    pub crossings: usize,
    pub vote: Option<i64>,
    pub forward: Option<i64>,
    pub radius: f64,
    pub average: f64,
    pub band: Option<(i64, i64)>,
}

struct Strength {
    length: usize,
    changes: usize,
    rises: f64,
    falls: f64,
}

impl Strength {
    fn update(&mut self, change: i64) -> f64 {
        let (rise, fall) = (change.max(0) as f64, change.min(0).abs() as f64);
        let length = self.length as f64;
        self.changes += 1;
        if self.changes <= self.length {
            self.rises += rise / length;
            self.falls += fall / length;
            if self.changes < self.length {
                return f64::NAN;
            }
        } else {
            self.rises += (rise - self.rises) / length;
            self.falls += (fall - self.falls) / length;
        }
        match (self.falls <= 1e-10, self.rises <= 1e-10) {
            (true, _) => 100.0,
            (_, true) => 0.0,
            _ => 100.0 * self.rises / (self.rises + self.falls),
        }
    }
}

fn weighted_average(series: &[f64], length: usize) -> f64 {
    let Some(start) = series.len().checked_sub(length) else { return f64::NAN };
    let weighted = series[start..].iter().enumerate().map(|(i, value)| (i + 1) as f64 * value);
    weighted.sum::<f64>() / (length * (length + 1) / 2) as f64
}

/// The sign of the 5-bar less the 20-bar weighted average at the end of `prices`.
fn side(prices: &[i64]) -> Option<i64> {
    let start = prices.len().checked_sub(20)?;
    let sum = |prices: &[i64]| -> i64 { (1..).zip(prices).map(|(weight, p)| weight * p).sum() };
    Some((210 * sum(&prices[start + 15..]) - 15 * sum(&prices[start..])).signum())
}

impl Reference {
    pub fn new(neighbours: usize, trend_length: usize, capacity: usize) -> Reference {
        let strength = |length| Strength { length, changes: 0, rises: 0.0, falls: 0.0 };
        Reference {
            neighbours,
            trend_length,
            capacity,
            prices: Vec::new(),
            strengths: [strength(20), strength(5)],
            strength_series: [Vec::new(), Vec::new()],
            last_crossing_price: None,
            points: vec![(0.0, 0.0, 0)],
            votes: Vec::new(),
        }
    }

    pub fn update(&mut self, price: i64) -> Row {
        let before = side(&self.prices);
        let last = self.prices.last().copied();
        self.prices.push(price);
        let now = side(&self.prices);
        let crossing = match (before, now) {
            (Some(-1 | 0), Some(1)) => 1,
            (Some(1 | 0), Some(-1)) => -1,
            _ => 0,
        };
        let features = [0, 1].map(|i| {
            let strength = last.map_or(f64::NAN, |last| self.strengths[i].update(price - last));
            self.strength_series[i].push(strength);
            weighted_average(&self.strength_series[i], self.trend_length)
        });
        let defined = features.iter().all(|feature| feature.is_finite());

        if crossing != 0 {
            let label =
                if self.last_crossing_price.is_none_or(|last| price >= last) { 1 } else { -1 };
            if defined {
                self.points.push((features[0], features[1], label));
            }
            self.last_crossing_price = Some(price);
        }
        let first = self.points.len().saturating_sub(self.capacity);
        let crossings = self.points.len() - first.max(1);

        let (mut vote, mut forward, mut radius) = (None, None, f64::NAN);
        if defined {
            // Square distance, label, label of the next crossing.
            let mut others: Vec<(f64, i64, i64)> = (first..self.points.len())
                .map(|at| {
                    let (slow, quick, label) = self.points[at];
                    let next = self.points.get(at + 1).filter(|_| at > 0).map_or(0, |next| next.2);
                    ((slow - features[0]).powi(2) + (quick - features[1]).powi(2), label, next)
                })
                .collect();
            others.sort_by(|a, b| a.0.total_cmp(&b.0));
            let farthest = others[self.neighbours.min(others.len()) - 1].0;
            let voters = || others.iter().filter(|other| other.0 <= farthest);
            vote = Some(voters().map(|voter| voter.1).sum());
            forward = Some(voters().map(|voter| voter.2).sum());
            radius = farthest.sqrt();
        }
        self.votes.push(vote);
        let recent = |bars: usize| Some(&self.votes[self.votes.len().checked_sub(bars)?..]);
        let average = recent(20).map_or(f64::NAN, |votes| {
            let votes: Vec<f64> =
                votes.iter().map(|vote| vote.map_or(f64::NAN, |vote| vote as f64)).collect();
            weighted_average(&votes, 20)
        });
        let band = recent(2000).and_then(|votes| {
            Some((votes.iter().flatten().copied().max()?, votes.iter().flatten().copied().min()?))
        });
        Row { crossing, crossings, vote, forward, radius, average, band }
    }
}
