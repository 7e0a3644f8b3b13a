"""Dropout masks from Philox4x32-10, bit for bit those of the Rust engine.

A mask is a function of what it is for, so it can be drawn again at any time and on any machine:

* key = (seed's low 32 bits, seed's high 32 bits);
* counter = (decision's low 32 bits, decision's high 32 bits, agent * 65536 + pass, unit // 4);
* word `unit % 4` of the four that come out belongs to the unit.

Units 0 to 255 are those of the core's first layer, 256 to 383 those of its second. A unit is dropped (0) if its
word is below floor(p * 2^32); else its value is 1 / (1 - p), rounded to f32.

Philox: J. Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", 2011.
"""

import math

import numpy as np

WIDTHS = (256, 128)
AGENTS = 3
PROBABILITY = 0.2
MOST_PASSES = 65536

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)
MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10


def philox(counter: np.ndarray, key: tuple[int, int]) -> np.ndarray:
    """Philox4x32-10: counters [..., 4] of 32-bit words to random words [..., 4], both uint32."""
    x = [counter[..., word].astype(np.uint64) for word in range(4)]
    for step in range(ROUNDS):
        k = [np.uint64((word + step * weyl) & 0xFFFFFFFF) for word, weyl in zip(key, WEYL, strict=True)]
        first, second = MULTIPLIERS[0] * x[0], MULTIPLIERS[1] * x[2]
        x = [(second >> HALF) ^ x[1] ^ k[0], second & LOW, (first >> HALF) ^ x[3] ^ k[1], first & LOW]
    return np.stack(x, axis=-1).astype(np.uint32)


def masks(seed: int, decision: int, passes: int, probability: float = PROBABILITY) -> tuple[np.ndarray, np.ndarray]:
    """The masks of one decision: f32 [3, passes, 256] and [3, passes, 128], agents in the core's order.

    `seed` and `decision` are unsigned 64-bit numbers, `probability` is in [0, 1).
    """
    if not 0.0 <= probability < 1.0:
        raise ValueError(f"dropout probability {probability} is not in [0, 1)")
    if not 1 <= passes <= MOST_PASSES:
        raise ValueError(f"{passes} passes; there must be 1 to {MOST_PASSES}")
    units = sum(WIDTHS)
    counter = np.empty((AGENTS, passes, units // 4, 4), dtype=np.uint32)
    counter[..., 0] = decision & 0xFFFFFFFF
    counter[..., 1] = decision >> 32
    counter[..., 2] = (np.arange(AGENTS)[:, None] * MOST_PASSES + np.arange(passes))[..., None]
    counter[..., 3] = np.arange(units // 4)
    words = philox(counter, (seed & 0xFFFFFFFF, seed >> 32)).reshape(AGENTS, passes, units)
    kept = np.float32(1.0 / (1.0 - probability))
    values = np.where(words < math.floor(probability * 2**32), np.float32(0.0), kept)
    return values[..., : WIDTHS[0]].copy(), values[..., WIDTHS[0] :].copy()
