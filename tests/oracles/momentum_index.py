"""The momentum index (MLMI) by PyneCore, which executes `momentum_index_script.py`."""

import tradingview

NEIGHBOURS, TREND_LENGTH = 50, 20  # the script's
FIELDS = ["crossing", "crossings", "vote", "forward", "vote_average", "upper", "lower", "radius"]
WHOLE = {"crossing", "crossings", "vote", "forward", "upper", "lower"}


def figures(prices, volume):
    """Rows of `FIELDS`, None where undefined, of prices in points."""
    candles = [[price] * 4 + [contracts] for price, contracts in zip(prices, volume)]

    def number(name, value):
        if value != value:
            return None
        return int(value) if name in WHOLE else float(f"{value:.13g}")

    rows = tradingview.run("momentum_index_script.py", candles)
    return [{name: number(name, row[name]) for name in FIELDS} for row in rows]
