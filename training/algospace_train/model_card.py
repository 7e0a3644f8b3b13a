"""The card of a model set: data, spans, seeds, metrics, limits, as Markdown, from what was measured."""

from typing import Any

from algospace_train.unseen_kinds import MEASURES


def money(facts: dict[str, float]) -> str:
    return f"{facts['mean']:,.0f} ({facts['low']:,.0f} to {facts['high']:,.0f})"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    lines = [" | ".join(header), " | ".join("---" for _ in header), *(" | ".join(row) for row in rows)]
    return [f"| {line} |" for line in lines] + [""]


def outcomes(facts: dict[str, dict[str, Any]]) -> list[str]:
    """A row for everybody who traded."""
    header = [
        "who",
        "days",
        "trades a day",
        "net, dollars a day",
        "before commission",
        "before spread and slippage too",
    ]
    rows = [
        [
            name,
            f"{of['days']}",
            f"{of['trades_a_day']:.2f}",
            money(of["net_a_day"]),
            money(of["gross_a_day"]),
            money(of["free_a_day"]),
        ]
        for name, of in facts.items()
    ]
    return table(header, rows)


def curves(by_run: dict[str, dict[str, float]]) -> list[str]:
    """Of runs under several seeds, a row each."""
    steps = sorted({int(step) for values in by_run.values() for step in values})
    # A dozen say as much as a hundred.
    shown = [str(step) for step in steps[:: -(-len(steps) // 12)]]
    rows = [
        [name, *(f"{values[step]:,.4g}" if step in values else "" for step in shown)] for name, values in by_run.items()
    ]
    return table(["run \\ step", *shown], rows)


def unseen(held_out: dict[str, dict[str, Any]]) -> list[str]:
    """Of kinds of markets that a set has not learned from."""
    if not held_out:
        return []
    known = {"planted": "than planted", "null": "than without an edge"}
    doubts = [
        [name, f"{of['share_sure']:.1%}"]
        + [
            "{mean:.2f} ({low:.2f} to {high:.2f})".format(**measured) if measured else ""
            for measure in MEASURES
            for measured in (of["auroc"][measure][kind] for kind in known)
        ]
        for name, of in held_out.items()
    ]
    traded = [
        [
            name,
            f"{of['attainable_a_day']:,.0f}",
            money(of["filter"]["net_a_day"]),
            money(of["trained"]["net_a_day"]),
            f"{of['trained']['trades_a_day']:.2f}",
        ]
        for name, of in held_out.items()
    ]
    header = [f"{words}: {than}" for words in MEASURES.values() for than in known.values()]
    return [
        "## Kinds of markets that it has not learned from",
        "",
        "Is it less sure there than where it has learned? The chance (AUROC) that a close of the kind has more epistemic uncertainty than one of "
        "the planted edge and than one of the market without an edge, on both of which it has learned; 0.5 tells nothing apart. First of the closes at "
        "which its confidence would let it enter, since a decision hangs on uncertainty there alone (their share is beside the kind); then of all, most "
        "of which are quiet: where no answer is likely, passes agree on that. Last the same of the regime detection engine's reconstruction error, which "
        "no decision looks at.",
        "",
        *table(["kind", "sure enough to enter", *header], doubts),
        "What it makes of them:",
        "",
        *table(["kind", "oracle, dollars a day", "filter", "trained", "trades a day"], traded),
    ]


def card(manifest: dict[str, Any], calibrated: dict[str, Any], facts: dict[str, Any]) -> str:
    """Of a set, as evaluated."""
    training, thresholds = manifest["training"], facts["thresholds"]
    planted, null = facts["planted"]["trained"], facts["null"]["trained"]
    quiet = null["trades_a_day"] / planted["trades_a_day"] if planted["trades_a_day"] else float("nan")
    lines = [
        f"# Model set `{manifest['name']}`",
        "",
        manifest["description"],
        "",
        "Written by `python -m algospace_train evaluate`; every figure is measured. Dollars are of one contract; intervals are of 95 %, by a "
        "bootstrap over days.",
        "",
        "## What it is",
        "",
        f"* Learned from: {training['span']}. SHA-256 of the histories: `{training['data_sha256']}`.",
        f"* Seed {manifest['seed']}, {training['steps']:,} environment steps, code `{manifest['revision']}`.",
        f"* Temperature {calibrated['temperature']}, fitted on what trades came to on markets that no phase has seen.",
        f"* Thresholds below: confidence {thresholds['confidence']}, gate {thresholds['gate']}, agreement {thresholds['agreement']}, "
        f"epistemic uncertainty {thresholds['epistemic']}.",
        "",
        "## A planted edge, on seeds that it has never seen",
        "",
        f"The generator's oracle, which knows every hidden regime, makes {facts['attainable_a_day']:,.0f} dollars a day; the set makes "
        f"{facts['captured']:.0%} of that. `filter` knows the generator's law, every parameter and no draw, and enters where a trend is likelier than "
        f"everything else: about what can be made without a look at what is hidden. The set makes {facts['captured_of_filter']:.0%} of it. `random` enters "
        "at random as often, with the same stops and targets; `rule` is the moving-average cross.",
        "",
        *outcomes(facts["planted"]),
        "## A market without an edge",
        "",
        f"It trades {quiet:.2f} times as often as on the planted edge.",
        "",
        *outcomes(facts["null"]),
    ]
    if "ablations" in facts:
        lines += ["## With something missing", "", *outcomes(facts["ablations"])]
    if facts["seeds"]:
        lines += [
            "## Other seeds",
            "",
            "The phases under other seeds, on the same unseen markets, with this set's temperature and thresholds.",
            "",
            *table(
                [
                    "run",
                    "net, dollars a day",
                    "of the oracle's",
                    "trades a day",
                    "without an edge",
                    "before all costs there",
                ],
                [
                    [
                        name,
                        money(of["planted"]["net_a_day"]),
                        f"{of['planted']['net_a_day']['mean'] / facts['attainable_a_day']:.0%}",
                        f"{of['planted']['trades_a_day']:.2f}",
                        f"{of['null']['trades_a_day']:.2f}",
                        money(of["null"]["free_a_day"]),
                    ]
                    for name, of in facts["seeds"].items()
                ],
            ),
        ]
    for name, by_run in facts["learning"].items():
        if by_run:
            lines += [f"## Learning: {name}", "", *curves(by_run)]
    if "real" in facts:
        lines += ["## Real days", "", facts["real_note"], "", *outcomes(facts["real"])]
    lines += [
        "## What confidence means",
        "",
        f"Expected calibration error on other markets than the temperature was fitted on: {manifest['calibration']['expected_calibration_error_before']:.4f} "
        f"before, {manifest['calibration']['expected_calibration_error_after']:.4f} after. {calibrated['share_earned']:.1%} of all entries would have earned. "
        f"Confidence has a median of {calibrated['confidence_quantiles'][0]:.3f} and is above {calibrated['confidence_quantiles'][2]:.3f} once in a hundred closes.",
        "",
        *table(
            ["confidence", "earned", "closes"],
            [[f"{said:.3f}", f"{earned:.3f}", str(count)] for said, earned, count in calibrated["reliability_after"]],
        ),
        *unseen(facts["held_out"]),
        "## Limits",
        "",
        "* It has learned from made-up markets. It says nothing of a real one, and must not trade one.",
        "* Its edge is one that was planted, strong and slow; the kinds above say how fast it fades, and how little its uncertainty warns of a market "
        "that is like what it knows, only weaker.",
        "* It knows markets of 20,000 trades a day, and was tried on no others but the real minutes.",
        "* Confidence is that of the entry's own stop and target; another risk sub-system needs another temperature.",
        "* Nothing here was tuned on the markets of these tables.",
        "",
    ]
    return "\n".join(lines)


def walked(facts: dict[str, Any], span: str) -> str:
    """Of a walk forward."""
    folds = [
        [
            str(number + 1),
            fold["first_day"],
            str(len(fold["net"])),
            str(fold["trades"]),
            f"{sum(fold['net']):,.0f}",
            f"{fold['temperature']:.2f}",
        ]
        for number, fold in enumerate(facts["folds"])
    ]
    lines = [
        "# Walk forward",
        "",
        f"{span}. Every fold's test is traded by a set that has learned from sessions before it alone. Dollars are of one contract, after costs; "
        "intervals are of 95 %, by a bootstrap over days. `equity.csv` is the tests, one after the other; `stitched/report.html` shows them as "
        "one run, with the contracts that were traded.",
        "",
        *outcomes({"all tests": facts}),
    ]
    if "attainable_a_day" in facts:
        share = facts["net_a_day"]["mean"] / facts["attainable_a_day"]
        lines += [
            f"The oracle makes {facts['attainable_a_day']:,.0f} a day over the whole span; the tests {share:.0%} of that.",
            "",
        ]
    lines += table(["fold", "first day", "days", "trades", "net, dollars", "temperature"], folds)
    return "\n".join(lines)
