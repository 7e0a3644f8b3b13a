"""Writes tests/fixtures/uncertainty.json: what a decision's passes say, and how well confidence is calibrated, by NumPy
and SciPy in f64.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -r tests/oracles/requirements.txt
    /tmp/oracle/bin/python tests/oracles/uncertainty_oracle.py

Logits are [3 agents][passes][3 classes: short, stand aside, long], each exact in f32. Entropies are in nats.
`cargo test` reads the file and needs no Python.
"""

import numpy as np
from scipy.special import entr, softmax

import fixtures

SHORT, LONG = 0, 2
BINS = 15
DIGITS = 12  # rounded, since the last digits of exp and log depend on the processor

random = np.random.default_rng(20160615)


def rounded(value):
    return (np.round(value, DIGITS) + 0.0).tolist()


def summary(logits, temperature):
    """The measures of one decision; Gal and Ghahramani 2016, mutual information as in Houlsby and others 2011."""
    passes = softmax(logits / temperature, axis=-1)
    mean = passes.mean(axis=(0, 1))
    tie = np.array_equal(passes[..., LONG], passes[..., SHORT])
    assert tie or abs(mean[LONG] - mean[SHORT]) > 1e-6, "the direction would hang on rounding"
    direction = LONG if mean[LONG] >= mean[SHORT] else SHORT
    aleatoric = entr(passes).sum(axis=-1).mean()
    predictive = entr(mean).sum()
    return {
        "mean": rounded(mean),
        "direction": "long" if direction == LONG else "short",
        "confidence": rounded(mean[direction]),
        "aleatoric": rounded(aleatoric),
        "predictive": rounded(predictive),
        "epistemic": rounded(predictive - aleatoric),
        "agreement": rounded((logits.argmax(axis=-1) == direction).mean()),
    }


def decision(name, logits, temperature):
    logits = np.asarray(logits, dtype=np.float64)
    assert np.array_equal(logits, logits.astype(np.float32))
    return {
        "name": name,
        "temperature": temperature,
        "logits": logits.tolist(),
        "expected": summary(logits, temperature),
    }


def drawn(passes, scale, lean=(0.0, 0.0, 0.0)):
    return np.round((random.normal(0.0, scale, (3, passes, 3)) + lean) * 1024) / 1024


def same(agents, passes):
    """Every pass of an agent alike."""
    return np.repeat(np.asarray(agents, dtype=np.float64)[:, None, :], passes, axis=1)


decisions = [
    decision(f"{passes} passes at temperature {temperature}", drawn(passes, 1.5), temperature)
    for passes in (1, 2, 30)
    for temperature in (0.5, 1.0, 3.0)
]
decisions += [
    decision(f"extreme logits at temperature {temperature}", random.choice([-80.0, 80.0], (3, 2, 3)), temperature)
    for temperature in (0.5, 1.0, 3.0)
]
decisions += [
    decision("leaning long", drawn(30, 0.5, (-1.0, 0.0, 2.5)), 1.0),
    decision("leaning short", drawn(30, 0.5, (2.5, 0.0, -1.0)), 1.0),
    decision("standing aside", drawn(30, 0.5, (0.0, 3.0, 0.25)), 1.0),
    decision("all passes and agents equal", same([[0.5, -0.25, 1.75]] * 3, 30), 1.0),
    decision("passes equal, agents opposed", same([[4, 0, 0], [0, 0, 4], [0, 4, 0.5]], 30), 1.0),
    decision("all logits zero: long by rule, votes for the first class", same([[0, 0, 0]] * 3, 2), 1.0),
    decision("short and long tie", same([[2, 0, 2], [1, 0, 1], [3, 5, 3]], 1), 0.5),
    decision("certain and opposed", same([[80, -80, -80], [-80, -80, 80], [-80, -80, 80]], 2), 1.0),
    decision("certain and alike", same([[-80, -80, 80]] * 3, 30), 0.5),
]


def calibration(name, confidence, outcome):
    """Bins of equal mass: sorted by confidence, equal ones in the order given, the first bins one larger where the
    number does not divide; without bins that would be empty."""
    order = np.argsort(confidence, kind="stable")
    bins = [
        {
            "count": len(part),
            "confidence": rounded(confidence[part].mean()),
            "frequency": rounded(outcome[part].mean()),
        }
        for part in np.array_split(order, BINS)
        if len(part)
    ]
    error = sum(
        len(part) / len(order) * abs(confidence[part].mean() - outcome[part].mean())
        for part in np.array_split(order, BINS)
        if len(part)
    )
    return {
        "name": name,
        "confidence": confidence.tolist(),
        "outcome": outcome.astype(bool).tolist(),
        "expected_calibration_error": rounded(error),
        "bins": bins,
    }


def outcomes(count, skill):
    confidence = np.round(random.uniform(0.34, 1.0, count), 6)
    return confidence, (random.random(count) < skill(confidence)).astype(np.float64)


calibrations = [
    calibration("calibrated", *outcomes(600, lambda confidence: confidence)),
    calibration("overconfident", *outcomes(451, lambda confidence: confidence - 0.3)),
    calibration("fewer than bins", *outcomes(7, lambda confidence: confidence)),
    calibration("one confidence for all", np.full(50, 0.8), (random.random(50) < 0.6).astype(np.float64)),
]

fixtures.write("uncertainty.json", {
    "oracles": fixtures.versions("numpy", "scipy"),
    "classes": ["short", "stand_aside", "long"],
    "decisions": decisions,
    "calibration_bins": BINS,
    "calibrations": calibrations,
})
for case in decisions:
    expected = case["expected"]
    print(f"{case['name']}: {expected['direction']} {expected['confidence']:.4f}, epistemic "
          f"{expected['epistemic']:.4f}, agreement {expected['agreement']:.4f}")
