//! The fair price F and how trades print around it.

/// The fair price, on a grid of a fraction of a tick, and the quote of one tick's width that holds
/// it.
///
/// F takes at most one step an event. Whether it steps depends on where it stands between the
/// quotes; which way, on a coin alone. F is slow at whole ticks and quick between, so that it
/// stands close to the bid or to the ask most of the time: that gives ES's rare price changes (15 %
/// of trades) and their frequent reversals (86 %) though every print is an unbiased sign of F. When
/// F steps beyond a quote, both quotes move by a tick.
#[derive(Clone, Debug)]
pub(super) struct FairPrice {
    /// In ticks.
    bid: i64,
    /// F above the bid, in grid units: 0 to `units_per_tick`.
    position: usize,
    grid: &'static Grid,
}

/// The grid on which F moves between the quotes.
#[derive(Debug)]
pub(super) struct Grid {
    /// Grid units in a tick; a power of two.
    pub units_per_tick: usize,
    /// Chance of a step at each position, in 1024ths, on a calm market.
    calm: [u32; 5],
    /// The same, on a volatile one.
    volatile: [u32; 5],
}

/// With bid-ask bounce: quarters of a tick.
pub(super) const BOUNCING: Grid = Grid {
    units_per_tick: 4,
    calm: [100, 768, 512, 768, 100],
    volatile: [205, 1024, 1024, 1024, 205],
};

/// Without: whole ticks, with the same variance an event as [`BOUNCING`].
pub(super) const PLAIN: Grid =
    Grid { units_per_tick: 1, calm: [17, 17, 0, 0, 0], volatile: [32, 32, 0, 0, 0] };

/// Half of all values of a coin's 22 bits: the coin is fair at bias 0, and 2⁻²¹ of a bias of this
/// size is its mean.
pub(super) const COIN_HALF: i32 = 1 << 21;

/// The unit of a step's drift: F's units × this.
pub(super) const DRIFT_SCALE: i64 = 1024 * COIN_HALF as i64;

impl Grid {
    /// Returns the mean chance of a step in an event on a calm market, once F has settled: F stands
    /// at each position in inverse proportion to the chance of leaving it, so this is the harmonic
    /// mean over one tick's positions.
    pub(super) fn mean_step_chance(&self) -> f64 {
        let waits =
            self.calm[..self.units_per_tick].iter().map(|&chance| 1024.0 / f64::from(chance));
        self.units_per_tick as f64 / waits.sum::<f64>()
    }

    /// Returns the variance of F in an event on a calm market, in ticks².
    pub(super) fn variance_per_event(&self) -> f64 {
        let unit = 1.0 / self.units_per_tick as f64;
        unit * unit * self.mean_step_chance()
    }

    /// Returns the coin's bias that makes F drift by this number of ticks an event on a calm
    /// market.
    pub(super) fn bias_for(&self, ticks_per_event: f64) -> f64 {
        let unit = 1.0 / self.units_per_tick as f64;
        ticks_per_event * f64::from(COIN_HALF) / (unit * self.mean_step_chance())
    }
}

impl FairPrice {
    /// Creates F at `price`, a whole number of ticks.
    pub(super) fn new(price: i64, grid: &'static Grid) -> FairPrice {
        FairPrice { bid: price, position: 0, grid }
    }

    /// Takes one event: `word` decides whether F steps (its low 10 bits) and which way (the
    /// others).
    ///
    /// Returns the step's expectation before the draw, in units of F / [`DRIFT_SCALE`].
    #[inline]
    pub(super) fn step(&mut self, word: u32, volatile: bool, bias: i32) -> i64 {
        let chances = if volatile { &self.grid.volatile } else { &self.grid.calm };
        let chance = chances[self.position];
        if (word & 1023) < chance {
            let top = self.grid.units_per_tick;
            if ((word >> 10) as i32) < COIN_HALF + bias {
                if self.position == top {
                    self.bid += 1;
                    self.position = 1;
                } else {
                    self.position += 1;
                }
            } else if self.position == 0 {
                self.bid -= 1;
                self.position = top - 1;
            } else {
                self.position -= 1;
            }
        }
        i64::from(chance) * i64::from(bias)
    }

    /// Moves F and both quotes.
    pub(super) fn gap(&mut self, ticks: i64) {
        self.bid += ticks;
    }

    /// Returns F in grid units.
    #[inline]
    pub(super) fn units(&self) -> i64 {
        self.bid * self.grid.units_per_tick as i64 + self.position as i64
    }

    /// Returns the best bid in ticks; the best ask is one above.
    #[inline]
    pub(super) fn bid(&self) -> i64 {
        self.bid
    }

    /// Returns whether a trade prints at the ask, by the low bits of `word`: with probability F −
    /// bid in ticks, so that the expected print is F.
    #[inline]
    pub(super) fn prints_at_ask(&self, word: u32) -> bool {
        (word as usize & (self.grid.units_per_tick - 1)) < self.position
    }
}
