//! Paper trading: live data through the stages of a backtest, orders filled by the simulated
//! exchange.
