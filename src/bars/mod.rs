//! Ticks into bars of every timeframe.
