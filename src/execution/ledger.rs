//! The account: cash, position by average price, round trips.

use super::order::{Fill, Purpose};
use crate::execution::{ExitReason, Trade};
use crate::market::{Money, Price, Side, Timestamp};

/// Cash and position, exact to the nano-dollar, and wide enough for any price, size and point
/// value: ten thousand contracts of a yen bond are worth more than [`Money`] holds; their profit is
/// not.
///
/// The position is held by average price: its cost basis is the exact sum of what was paid. A
/// partial exit takes its share of the basis, rounded towards zero to the nano-dollar. The rounding
/// stays in the basis of the rest, so nothing is lost:
///
/// `equity = initial capital + Σ sold − Σ bought + position × mark − Σ costs`, to the integer.
#[derive(Clone, Debug)]
pub struct Ledger {
    /// Nano-dollars for one price unit and contract, as a fraction in lowest terms. It is a whole
    /// number for every built-in instrument, which saves each valuation a division of 128 bits.
    value_of_unit: (i64, i64),
    /// In nano-dollars, as every wide number here.
    cash: i128,
    position: i64,
    /// Signed cost basis of the open position (negative for one that was sold).
    basis: i128,
    open: OpenTrade,
    trades: u32,
}

/// The round trip under way; meaningful while the position is not zero.
#[derive(Clone, Copy, Debug)]
struct OpenTrade {
    side: Side,
    contract: u16,
    entry_time: Timestamp,
    entered: i64,
    exited: i64,
    /// Sums of price units by contracts.
    entries: i128,
    exits: i128,
    realised: i128,
    costs: Money,
    slippage: Money,
    mfe: i128,
    mae: i128,
    bars_held: u32,
    /// Highest and lowest traded price since the position last changed.
    high: Price,
    low: Price,
}

impl OpenTrade {
    /// Creates a round trip without fills that begins at `price`.
    fn begin(side: Side, contract: u16, entry_time: Timestamp, price: Price) -> OpenTrade {
        OpenTrade {
            side,
            contract,
            entry_time,
            entered: 0,
            exited: 0,
            entries: 0,
            exits: 0,
            realised: 0,
            costs: Money::ZERO,
            slippage: Money::ZERO,
            mfe: 0,
            mae: 0,
            bars_held: 0,
            high: price,
            low: price,
        }
    }
}

impl Ledger {
    /// Creates an account with `initial_capital` and no position.
    pub fn new(initial_capital: Money, point_value: Money) -> Ledger {
        Ledger {
            value_of_unit: lowest_terms(point_value.nanos(), Price::SCALE),
            cash: i128::from(initial_capital.nanos()),
            position: 0,
            basis: 0,
            open: OpenTrade::begin(Side::Buy, 0, Timestamp::MIN, Price::ZERO),
            trades: 0,
        }
    }

    /// Returns the initial capital plus realised profit less costs.
    pub fn cash(&self) -> Money {
        Money::from_wide(self.cash)
    }

    /// Returns the contracts held: positive long, negative short.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Returns the profit of the open position at `mark`.
    pub fn unrealised(&self, mark: Price) -> Money {
        Money::from_wide(self.open_profit(mark))
    }

    /// Returns cash plus the open profit at `mark`.
    pub fn equity(&self, mark: Price) -> Money {
        Money::from_wide(self.cash + self.open_profit(mark))
    }

    /// Returns whether [`Money`] holds cash and equity at `mark`.
    pub fn is_in_range(&self, mark: Price) -> bool {
        let holds = |nanos: i128| i64::try_from(nanos).is_ok();
        holds(self.cash) && holds(self.cash + self.open_profit(mark))
    }

    fn open_profit(&self, mark: Price) -> i128 {
        self.value(mark, self.position) - self.basis
    }

    /// Returns the start of the open round trip; meaningful while there is a position.
    pub fn entry_time(&self) -> Timestamp {
        self.open.entry_time
    }

    /// Returns the contract of the open round trip, as in [`crate::market::Tick::contract`];
    /// meaningful while there is a position.
    pub fn contract(&self) -> u16 {
        self.open.contract
    }

    /// Returns the money for one contract and one tick.
    pub fn tick_value(&self, tick_size: Price) -> Money {
        Money::from_wide(self.value(tick_size, 1))
    }

    /// Takes a traded price into the open trade's extremes.
    #[inline(always)]
    pub fn on_price(&mut self, price: Price) {
        self.open.high = self.open.high.max(price);
        self.open.low = self.open.low.min(price);
    }

    /// Counts a closed bar of the strategy's timeframe.
    pub fn on_bar(&mut self) {
        if self.position != 0 {
            self.open.bars_held += 1;
        }
    }

    /// Books a fill. Returns the round trip that it completes; `None` if it completes none. A fill
    /// that turns the position over completes one round trip and begins the next. Its costs are
    /// shared out by contracts, the odd nano-dollar to the new one. The rest after a partial exit
    /// is valued at `mark`, the last traded price.
    pub fn on_fill(&mut self, fill: &Fill, mark: Price) -> Option<Trade> {
        let quantity = i64::from(fill.quantity);
        let closing = if self.position.signum() == -fill.side.sign() {
            quantity.min(self.position.abs())
        } else {
            0
        };
        let closing_costs = share(fill.commission, closing, quantity);
        let closing_slippage = share(fill.slippage, closing, quantity);
        self.cash -= i128::from(fill.commission.nanos());

        let mut completed = None;
        if closing > 0 {
            self.close(fill, closing, closing_costs, closing_slippage, mark);
            if self.position == 0 {
                completed = Some(self.complete(fill));
            }
        }
        if quantity > closing {
            let costs = fill.commission - closing_costs;
            let slippage = fill.slippage - closing_slippage;
            self.enter(fill, quantity - closing, costs, slippage);
        }
        completed
    }

    fn close(&mut self, fill: &Fill, closing: i64, costs: Money, slippage: Money, mark: Price) {
        self.settle_extremes();
        // The odd nano-dollar stays with the rest.
        let basis = self.basis * i128::from(closing) / i128::from(self.position.abs());
        let proceeds = self.value(fill.price, closing * self.position.signum());
        let profit = proceeds - basis;
        self.basis -= basis;
        self.position -= closing * self.position.signum();
        self.cash += profit;
        self.open.realised += profit;
        self.open.exited += closing;
        self.open.exits += units(fill.price, closing);
        self.open.costs += costs;
        self.open.slippage += slippage;
        self.restart_extremes(mark);
        self.settle_extremes();
    }

    fn enter(&mut self, fill: &Fill, entering: i64, costs: Money, slippage: Money) {
        if self.position == 0 {
            self.open = OpenTrade::begin(fill.side, fill.contract, fill.time, fill.price);
        } else {
            self.on_price(fill.price);
            self.settle_extremes();
        }
        self.position += entering * fill.side.sign();
        self.basis += self.value(fill.price, entering * fill.side.sign());
        self.open.entered += entering;
        self.open.entries += units(fill.price, entering);
        self.open.costs += costs;
        self.open.slippage += slippage;
        self.restart_extremes(fill.price);
    }

    fn complete(&mut self, fill: &Fill) -> Trade {
        self.trades += 1;
        let open = &self.open;
        Trade {
            id: self.trades,
            contract: open.contract,
            side: open.side,
            quantity: open.entered as u32,
            entry_time: open.entry_time,
            entry_price: average_price(open.entries, open.entered),
            exit_time: fill.time,
            exit_price: average_price(open.exits, open.exited),
            exit_reason: match fill.purpose {
                Purpose::Exit(reason) => reason,
                Purpose::Entry(_) => ExitReason::Signal,
            },
            gross_pnl: Money::from_wide(open.realised),
            costs: open.costs,
            mfe: Money::from_wide(open.mfe),
            mae: Money::from_wide(open.mae),
            bars_held: open.bars_held,
            slippage: open.slippage,
        }
    }

    /// Takes the extremes since the position last changed into the trade's best and worst profit.
    fn settle_extremes(&mut self) {
        for price in [self.open.high, self.open.low] {
            let profit = self.open.realised + self.open_profit(price);
            self.open.mfe = self.open.mfe.max(profit);
            self.open.mae = self.open.mae.min(profit);
        }
    }

    fn restart_extremes(&mut self, price: Price) {
        self.open.high = price;
        self.open.low = price;
    }

    fn value(&self, price: Price, quantity: i64) -> i128 {
        let (numerator, denominator) = self.value_of_unit;
        let product = i128::from(price.units()) * i128::from(numerator);
        let one = if denominator == 1 { product } else { product / i128::from(denominator) };
        match i64::try_from(one) {
            Ok(one) => i128::from(one) * i128::from(quantity),
            Err(_) => one.saturating_mul(i128::from(quantity)),
        }
    }
}

/// Returns the fraction in lowest terms; `denominator` > 0.
fn lowest_terms(numerator: i64, denominator: i64) -> (i64, i64) {
    let (mut divisor, mut rest) = (denominator, numerator.abs());
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    (numerator / divisor, denominator / divisor)
}

fn units(price: Price, quantity: i64) -> i128 {
    i128::from(price.units()) * i128::from(quantity)
}

/// Rounds to the nearest unit, half away from zero.
fn average_price(units: i128, quantity: i64) -> Price {
    let quantity = i128::from(quantity);
    let half = if units < 0 { -quantity / 2 } else { quantity / 2 };
    Price::from_units(((units + half) / quantity) as i64)
}

/// Returns `amount × part / whole`, rounded towards zero; `whole` > 0.
fn share(amount: Money, part: i64, whole: i64) -> Money {
    Money::from_nanos((i128::from(amount.nanos()) * i128::from(part) / i128::from(whole)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::{Bracket, FillId, OrderId};
    use proptest::prelude::*;

    const POINT_VALUE: Money = Money::from_dollars(50);

    fn fill(side: Side, quantity: u32, price: &str) -> Fill {
        Fill {
            id: FillId(1),
            order: OrderId(1),
            side,
            quantity,
            price: price.parse().unwrap(),
            slippage: Money::ZERO,
            commission: Money::from_f64(2.25).unwrap() * i64::from(quantity),
            time: Timestamp::from_nanos(7),
            purpose: Purpose::Entry(Bracket::default()),
            contract: 0,
        }
    }

    #[test]
    fn adds_reduces_and_flips_by_average_price() {
        let mut ledger = Ledger::new(Money::from_dollars(100_000), POINT_VALUE);
        let mark = "4502.5".parse().unwrap();
        assert_eq!(ledger.on_fill(&fill(Side::Buy, 2, "4500"), mark), None);
        assert_eq!(ledger.on_fill(&fill(Side::Buy, 1, "4501.5"), mark), None);
        ledger.on_price("4510".parse().unwrap());
        ledger.on_price("4490".parse().unwrap());
        // Average 4500.5; one out at 4502.5 gains 2 points.
        assert_eq!(ledger.on_fill(&fill(Side::Sell, 1, "4502.5"), mark), None);
        assert_eq!(ledger.cash().to_string(), (100_000.0 + 100.0 - 4.0 * 2.25).to_string());
        let trade = ledger.on_fill(&fill(Side::Sell, 5, "4499.5"), mark).unwrap();
        assert_eq!(trade.entry_price.to_string(), "4500.5");
        assert_eq!(trade.exit_price.to_string(), "4500.5");
        assert_eq!((trade.quantity, trade.gross_pnl), (3, Money::ZERO));
        assert_eq!(trade.costs.to_string(), "13.5");
        // 3 contracts, 9.5 points up and 10.5 points down at the extremes.
        assert_eq!((trade.mfe.to_string(), trade.mae.to_string()), ("1425".into(), "-1575".into()));
        assert_eq!(ledger.position(), -3);
        let equity = ledger.equity("4498.5".parse().unwrap());
        assert_eq!(equity.to_string(), (100_000.0 - 9.0 * 2.25 + 150.0).to_string());
    }

    /// A resting limit sells one of two while the market is far beyond it: the other is worth the
    /// market.
    #[test]
    fn what_a_partial_exit_leaves_open_is_valued_at_the_market() {
        let mut ledger = Ledger::new(Money::from_dollars(100_000), POINT_VALUE);
        let mark = "4710".parse().unwrap();
        ledger.on_fill(&fill(Side::Buy, 1, "4701"), mark);
        ledger.on_fill(&fill(Side::Buy, 1, "4710"), mark);
        ledger.on_fill(&fill(Side::Sell, 1, "4703"), mark);
        let trade = ledger.on_fill(&fill(Side::Sell, 1, "4710"), mark).unwrap();
        assert_eq!((trade.gross_pnl.to_string(), trade.mae), ("100".to_owned(), Money::ZERO));
    }

    /// Contracts of a yen bond, whose value [`Money`] does not hold.
    #[test]
    fn what_is_worth_more_than_money_holds_is_exact_all_the_same() {
        for (point_value, quantity, bought, sold, gross) in [
            (1_000_000, 100, "145", "145.01", "1000000"),
            (1_000, 10_000, "1003", "1003.5", "5000000"),
            (500, 500, "39020", "39015", "-1250000"),
            (1_000_000, 10_000, "-37.63", "-37.62", "100000000"),
        ] {
            let capital = Money::from_dollars(1_000_000_000);
            let mut ledger = Ledger::new(capital, Money::from_dollars(point_value));
            let fill = |side, quantity, price| Fill {
                commission: Money::ZERO,
                ..fill(side, quantity, price)
            };
            let mark = sold.parse().unwrap();
            ledger.on_fill(&fill(Side::Buy, quantity, bought), mark);
            ledger.on_price(mark);
            assert_eq!(ledger.unrealised(mark).to_string(), gross);
            assert_eq!(ledger.on_fill(&fill(Side::Sell, quantity / 4, sold), mark), None);
            let trade =
                ledger.on_fill(&fill(Side::Sell, quantity - quantity / 4, sold), mark).unwrap();
            assert_eq!(
                (trade.entry_price.to_string(), trade.exit_price.to_string()),
                (bought.to_owned(), sold.to_owned())
            );
            assert_eq!(trade.gross_pnl.to_string(), gross);
            assert_eq!(
                (trade.mfe.max(trade.mae), trade.mfe.min(trade.mae)),
                (trade.gross_pnl.max(Money::ZERO), trade.gross_pnl.min(Money::ZERO))
            );
            assert_eq!(ledger.cash(), capital + trade.gross_pnl);
            assert!(ledger.is_in_range(mark));
        }
        // Ten points of it are a hundred billion dollars.
        let mut ledger = Ledger::new(Money::ZERO, Money::from_dollars(1_000_000));
        ledger.on_fill(&fill(Side::Buy, 10_000, "145"), Price::ZERO);
        assert!(!ledger.is_in_range("155".parse().unwrap()));
        assert_eq!(ledger.equity("155".parse().unwrap()), Money::MAX);
    }

    proptest! {
        /// Equity from the ledger equals equity from the cash flows of the fills alone.
        #[test]
        fn cash_and_position_and_costs_make_equity(
            fills in prop::collection::vec((any::<bool>(), 1u32..7, 17_000i64..19_000, 0i64..1_000_000), 1..200),
            mark in 17_000i64..19_000,
        ) {
            let capital = Money::from_dollars(100_000);
            let tick = Price::from_units(250_000_000);
            let price = |ticks: i64| Price::ZERO.offset_ticks(ticks, tick);
            let mut ledger = Ledger::new(capital, POINT_VALUE);
            let (mut flows, mut held, mut paid) = (0i128, 0i64, 0i128);
            let (mut gross, mut net) = (Money::ZERO, Money::ZERO);
            for (buy, quantity, ticks, commission) in fills {
                let side = if buy { Side::Buy } else { Side::Sell };
                let commission = Money::from_nanos(commission);
                let trade = ledger.on_fill(
                    &Fill { price: price(ticks), commission, ..fill(side, quantity, "0") },
                    price(mark),
                );
                flows -= i128::from(price(ticks).units()) * i128::from(side.sign() * i64::from(quantity)) * 50;
                held += side.sign() * i64::from(quantity);
                paid += i128::from(commission.nanos());
                if let Some(trade) = trade {
                    gross += trade.gross_pnl;
                    net += trade.net_pnl();
                    prop_assert!(trade.mfe >= trade.gross_pnl.max(Money::ZERO));
                    prop_assert!(trade.mae <= trade.gross_pnl.min(Money::ZERO));
                }
                prop_assert_eq!(ledger.position(), held);
                let expected = i128::from(capital.nanos()) + flows - paid
                    + i128::from(price(mark).units()) * i128::from(held) * 50;
                prop_assert_eq!(i128::from(ledger.equity(price(mark)).nanos()), expected);
                if held == 0 {
                    prop_assert_eq!(ledger.cash(), capital + net);
                    prop_assert_eq!(i128::from(gross.nanos() - net.nanos()), paid);
                }
            }
        }
    }
}
