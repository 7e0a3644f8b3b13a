"""A benchmark for the `regimes` markets: who knows their law, and none of their draws.

The oracle of docs/synthetic.md knows at every moment which regime there is, which nobody can. This filter knows what the regimes
are like and how long they last, and infers from the closes so far how likely each is: the forward algorithm (L. Rabiner, "A Tutorial
on Hidden Markov Models", 1989), over a chain in which a regime first lasts half its mean length and then ends with the same
chance at every close. A range's pull to its anchor is left out. What it makes is about what can be made without a look at what is hidden.
"""

from dataclasses import dataclass

import numpy as np

from algospace_train.markets import Markets

EVENTS_PER_DAY = 340_000.0
"""chances of the fair price to step, on an average day; docs/synthetic.md has these constants"""
EVENTS_PER_HALF_HOUR = 20_000.0
"""of a regular session"""
VARIANCE_PER_EVENT = 0.0168
"""ticks squared"""
PRINT_VARIANCE = 0.2
"""of the difference of two prints around their fair prices, ticks squared"""
GAP_VARIANCE = 64.0
"""of the jump between two sessions, ticks squared"""
TICK = 0.25
CLOSES_PER_HOUR = 12
UP, DOWN, RANGE, VOLATILE = range(4)
SUCCESSORS = np.array(
    [[0.0, 0.25, 0.5, 0.25], [0.25, 0.0, 0.5, 0.25], [0.375, 0.375, 0.0, 0.25], [0.25, 0.25, 0.5, 0.0]]
)


@dataclass
class Chain:
    """A hidden semi-Markov chain as a hidden Markov chain."""

    transition: np.ndarray
    """[states, states]"""
    regime: np.ndarray
    """of each state"""
    begin: np.ndarray
    """probabilities of the states before the first close"""


def chain(hours: list[float]) -> Chain:
    """Where the regimes have these mean lengths."""
    # Half of the mean length, and the mean of what follows.
    halves = [max(1, round(CLOSES_PER_HOUR * mean / 2)) for mean in hours]
    first = np.cumsum([0] + [half + 1 for half in halves])
    transition = np.zeros((first[-1], first[-1]))
    for regime, half in enumerate(halves):
        waits, last = np.arange(first[regime], first[regime] + half), first[regime] + half
        transition[waits, waits + 1] = 1.0
        transition[last, last] = 1.0 - 1.0 / half
        transition[last, first[:-1]] += SUCCESSORS[regime] / half
    regime = np.repeat(np.arange(4), [half + 1 for half in halves])
    return Chain(transition, regime, np.full(first[-1], 1.0 / first[-1]))


def probabilities(markets: Markets, place: int) -> np.ndarray:
    """Of the four regimes after every close of a `regimes` market: [closes, 4]."""
    market = markets.markets[place]
    facts = market.facts
    lasts = [float(facts[f"{kind}_hours"]) for kind in ("trend", "trend", "range", "volatile")]
    of = chain(lasts)
    closes = market.closes()
    move = np.diff(closes["price"], prepend=closes["price"][0]) / TICK
    events = closes["ticks"] * EVENTS_PER_DAY / float(facts["trades_per_day"])
    is_gap = np.diff(closes["session"], prepend=closes["session"][0]) != 0
    drift = float(facts["trend_ticks_per_half_hour"]) / EVENTS_PER_HALF_HOUR * np.array([1.0, -1.0, 0.0, 0.0])
    # In a volatile stretch an event steps twice as often.
    spread = VARIANCE_PER_EVENT * np.array([1.0, 1.0, 1.0, 2.0])
    variance = spread * events[:, None] + PRINT_VARIANCE + GAP_VARIANCE * is_gap[:, None]
    weight = -0.5 * (move[:, None] - drift * events[:, None]) ** 2 / variance - 0.5 * np.log(variance)
    likelihood = np.exp(weight - weight.max(1, keepdims=True))
    state, found = of.begin, np.empty((len(move), 4))
    for close, seen in enumerate(likelihood):
        state = (state @ of.transition) * seen[of.regime]
        state /= state.sum()
        found[close] = np.bincount(of.regime, state, 4)
    return found


def sides(markets: Markets) -> np.ndarray:
    """At every close of the markets the side whose trend is likelier than everything else, or 0: int8 [closes]."""
    of = np.concatenate([probabilities(markets, place) for place in range(len(markets.markets))])
    return ((of[:, UP] > 0.5).astype(np.int8) - (of[:, DOWN] > 0.5)).astype(np.int8)
