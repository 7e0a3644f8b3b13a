"""Fair value gaps by smartmoneyconcepts.

It wants the middle bar to point the gap's way where LuxAlgo wants its close beyond the gap's edge, reports
a gap on its middle bar, and the bar that first touches it.
"""

import numpy as np
import pandas as pd
from smartmoneyconcepts.smc import smc


def gaps(bars):
    """Rows of bar, direction, top, bottom and the bar that first touches it or None, of bars in ticks."""
    frame = pd.DataFrame(bars, columns=["open", "high", "low", "close", "volume"])
    found = smc.fvg(frame)
    rows = []
    for middle in np.flatnonzero(found["FVG"].notna()):
        row = found.iloc[middle]
        touched = int(row["MitigatedIndex"])
        known = int(middle) + 1  # it is known with the bar after its middle
        touched = touched if touched > 0 else None
        rows.append([known, int(row["FVG"]), int(row["Top"]), int(row["Bottom"]), touched])
    return rows
