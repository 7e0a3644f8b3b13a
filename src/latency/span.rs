//! The stretches of the way that are timed.

use serde::{Deserialize, Serialize};

/// A stretch of the way from tick to order, from one time stamp to a later one.
///
/// *Tick in* is the instant at which the tick was due if the load is paced
/// ([`super::Load::OpenLoop`]), so that a tick that had to wait is charged with its wait; otherwise
/// the instant at which the sequencer published it. *Bar close* is the instant at which the thread
/// of the stages has closed a bar and is about to hand it to the indicators. It lies after the tick
/// in that closed it, which may come long after the bar's end in market time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Span {
    /// Tick in → the thread of the stages has taken the tick out of the ring and not begun with it.
    HandOver,
    /// Tick in → the open bars hold the tick, and the bars that it closes are out.
    TickToBar,
    /// Bar close → the feature row and the matrices that go on by it are written.
    BarToFeatures,
    /// Bar close → the strategy has answered, which includes "do nothing".
    BarToDecision,
    /// Bar close → the order that follows is handed to the venue, checks of the rules
    /// behind it.
    BarToOrder,
    /// Tick in → the order that follows is handed to the venue.
    TickToOrder,
}

impl Span {
    /// Every span, along the way.
    pub const ALL: [Span; 6] = [
        Span::HandOver,
        Span::TickToBar,
        Span::BarToFeatures,
        Span::BarToDecision,
        Span::BarToOrder,
        Span::TickToOrder,
    ];

    /// Returns the name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Span::HandOver => "tick in → ring out",
            Span::TickToBar => "tick in → bar",
            Span::BarToFeatures => "bar close → features",
            Span::BarToDecision => "bar close → decision",
            Span::BarToOrder => "bar close → order out",
            Span::TickToOrder => "tick in → order out",
        }
    }

    /// Returns the name for files: lower-case letters and underscores.
    pub const fn tag(self) -> &'static str {
        match self {
            Span::HandOver => "hand_over",
            Span::TickToBar => "tick_to_bar",
            Span::BarToFeatures => "bar_to_features",
            Span::BarToDecision => "bar_to_decision",
            Span::BarToOrder => "bar_to_order",
            Span::TickToOrder => "tick_to_order",
        }
    }

    /// Returns whether every tick gives a sample, so that a gap between samples is a gap between
    /// ticks.
    pub(super) fn is_of_every_tick(self) -> bool {
        matches!(self, Span::HandOver | Span::TickToBar)
    }
}
