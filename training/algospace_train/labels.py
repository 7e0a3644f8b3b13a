"""What entries would have come to: labels to learn from, which look ahead, and are no input of any network."""

from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from algospace_train.markets import Markets
from algospace_train.team import LONG, SHORT, STAND_ASIDE


@dataclass
class Labels:
    """What entries came to."""

    closes: Tensor
    net: Tensor
    """[closes, 2]: short, long; dollars after costs; NaN where the rules leave no contract"""

    def classes(self, margin: float) -> Tensor:
        """The class that earned more than the margin, or to stand aside."""
        best, side = self.net.nan_to_num(-1e9).max(1)
        return torch.where(best > margin, torch.where(side == 1, LONG, SHORT), STAND_ASIDE)

    def better(self, markets: Markets) -> Tensor:
        """At every close the side whose entry came to more, -1 or 1; 0 where none did: [all closes]."""
        side = torch.zeros(len(markets.newest))
        net = self.net.nan_to_num(-1e9)
        side[self.closes] = torch.sign(net[:, 1] - net[:, 0])
        return side


def label(markets: Markets, wish: tuple[float, float, float] | Tensor) -> Labels:
    """Lets the engine judge entries at every close at which something can be decided, with one wish or, [closes, 3], with
    every close's own."""
    closes, net = [], []
    wishes = torch.as_tensor(wish, dtype=torch.float32)
    for market, first, end in tqdm(markets.spans, desc="labels", leave=False):
        start, after = markets.close_base[market], markets.close_base[market + 1]
        of_market = wishes if wishes.ndim == 1 else wishes[start:after].contiguous()
        outcomes = markets.markets[market].outcomes(first, end, of_market.numpy())
        closes.append(torch.from_numpy(outcomes["close"]) + markets.close_base[market])
        net.append(torch.from_numpy(outcomes["net"]).float())
    return Labels(torch.cat(closes), torch.cat(net))
