"""The card of a model set: data, spans, seeds, metrics, limits, as Markdown, from what was measured."""

from typing import Any

from algospace_train.unseen_kinds import MEASURES

NONE = "none"
"""where there is nothing to divide by"""
FEW_DAYS = 60
"""below which days of a real market say next to nothing"""
VALIDATION = "On the phase's validation markets; dollars are of all of them, those without an edge too."


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


def made(manifest: dict[str, Any], calibrated: dict[str, Any], facts: dict[str, Any]) -> list[str]:
    """How a set came about."""
    training, thresholds = manifest["training"], facts["thresholds"]
    kept = calibrated["kept_iterations"]
    revisions = calibrated["revisions"]
    by = [f"`{next(iter(revisions.values()))}`"] if len(set(revisions.values())) == 1 else []
    by = by or [f"{name}: `{revision}`" for name, revision in revisions.items()]
    lines = [
        f"* Phase 3 learned from: {training['span']}. SHA-256 of the histories: `{training['data_sha256']}`.",
        f"* Seed {manifest['seed']}, {training['steps']:,} environment steps, code {', '.join(by)}.",
        f"* Temperature {calibrated['temperature']}, fitted on what trades came to on {calibrated['calibration']['markets']}.",
        f"* Thresholds below: confidence {thresholds['confidence']}, gate {thresholds['gate']}, agreement {thresholds['agreement']}, "
        f"epistemic uncertainty {thresholds['epistemic']}.",
    ]
    if "phase3" in kept:
        after = (
            f"iteration {kept['phase3']} of MAPPO"
            if kept["phase3"]
            else "the warm start: no iteration of MAPPO was better"
        )
        lines.append(f"* Kept are the networks after {after}, on the validation markets.")
    if calibrated.get("unknown_origin"):
        lines.append(
            f"* It began with `{calibrated['unknown_origin']}`, which no phase has written: **what that has learned from is not known, "
            "and may be among the markets below.**"
        )
    return [*lines, ""]


def chosen(rows: list[dict[str, float]]) -> list[str]:
    """What a confidence threshold could be chosen by."""
    return [
        "## Which confidence to ask for",
        "",
        "By the validation markets of phase 3, those without an edge too, which training has looked at as well; no other market has had a say.",
        "",
        *table(
            ["confidence threshold", "net, dollars a day", "trades a day"],
            [[f"{row['confidence']}", f"{row['net_a_day']:,.0f}", f"{row['trades_a_day']:.2f}"] for row in rows],
        ),
    ]


def share(part: float, whole: float) -> str:
    """Of a whole, where there is one."""
    return f"{part / whole:.0%}" if whole > 0.0 else NONE


def planted(facts: dict[str, Any]) -> list[str]:
    """Of markets with an edge that is known, and of markets without one."""
    net, oracle = facts["planted"]["trained"]["net_a_day"]["mean"], facts["attainable_a_day"]
    often, quiet = facts["planted"]["trained"]["trades_a_day"], facts["null"]["trained"]["trades_a_day"]
    return [
        "## A planted edge, on seeds that it has never seen",
        "",
        f"The generator's oracle, which knows every hidden regime, makes {oracle:,.0f} dollars a day; the set makes {share(net, oracle)} of that. "
        "`filter` knows the generator's law, every parameter and no draw, and enters where a trend is likelier than everything else: about what can be "
        f"made without a look at what is hidden. The set makes {share(net, facts['planted']['filter']['net_a_day']['mean'])} of it. `random` enters at "
        "random about as often, with the same stops and targets; `rule` is the moving-average cross.",
        "",
        *outcomes(facts["planted"]),
        "## A market without an edge",
        "",
        f"Trades a day, beside those on the planted edge: {f'{quiet / often:.2f}' if often else NONE}.",
        "",
        *outcomes(facts["null"]),
    ]


def seeds(facts: dict[str, Any]) -> list[str]:
    """Of the phases under several seeds."""
    if not facts["seeds"]:
        return []
    rows = [
        [
            name,
            money(of["planted"]["net_a_day"]),
            share(of["planted"]["net_a_day"]["mean"], facts["attainable_a_day"]),
            f"{of['planted']['trades_a_day']:.2f}",
            f"{of['null']['trades_a_day']:.2f}",
            money(of["null"]["free_a_day"]),
        ]
        for name, of in facts["seeds"].items()
    ]
    header = [
        "run",
        "net, dollars a day",
        "of the oracle's",
        "trades a day",
        "without an edge",
        "before all costs there",
    ]
    return [
        "## Other seeds, and the warm start alone",
        "",
        "The phases under other seeds, and before their MAPPO, on the same unseen markets, with this set's temperature and thresholds.",
        "",
        *table(header, rows),
    ]


def calibration(manifest: dict[str, Any], calibrated: dict[str, Any]) -> list[str]:
    """Of confidence against outcomes."""
    errors, quantiles = manifest["calibration"], calibrated["confidence_quantiles"]
    return [
        "## What confidence means",
        "",
        f"Expected calibration error on other markets than the temperature was fitted on: {errors['expected_calibration_error_before']:.4f} before, "
        f"{errors['expected_calibration_error_after']:.4f} after. {calibrated['share_earned']:.1%} of all entries would have earned. Confidence has a median "
        f"of {quantiles[0]:.3f} and is above {quantiles[2]:.3f} once in a hundred closes.",
        "",
        *table(
            ["confidence", "earned", "closes"],
            [[f"{said:.3f}", f"{earned:.3f}", str(count)] for said, earned, count in calibrated["reliability_after"]],
        ),
    ]


def card(manifest: dict[str, Any], calibrated: dict[str, Any], facts: dict[str, Any]) -> str:
    """Of a set, as evaluated."""
    lines = [
        f"# Model set `{manifest['name']}`",
        "",
        manifest["description"],
        "",
        "Written by `python -m algospace_train evaluate`; every figure is measured. Dollars are of one contract; intervals are of 95 %, by a "
        "bootstrap over days. The markets that are traded here were not learned from, chosen by or calibrated on, but where validation markets are named.",
        "",
        "## What it is",
        "",
        *made(manifest, calibrated, facts),
        *planted(facts),
    ]
    if "ablations" in facts:
        lines += ["## With something missing", "", *outcomes(facts["ablations"])]
    lines += seeds(facts)
    for name, by_run in facts["learning"].items():
        if by_run:
            lines += [
                f"## Learning: {name}",
                "",
                VALIDATION,
                "",
                *curves(by_run),
            ]
    if "real" in facts:
        few = (
            ""
            if facts["real"]["trained"]["days"] >= FEW_DAYS
            else " So few days show that everything runs on a real market, and no more."
        )
        lines += ["## Real days", "", facts["real_span"] + few, "", *outcomes(facts["real"])]
    lines += chosen(calibrated["thresholds_on_validation"])
    lines += calibration(manifest, calibrated)
    lines += unseen(facts["held_out"])
    lines += ["## Limits", "", *(f"* {limit}" for limit in facts["limits"])]
    lines += [
        "* Confidence is that of the entry's own stop and target; another risk sub-system needs another temperature.",
        "",
    ]
    return "\n".join(lines)


def walked(facts: dict[str, Any], span: str, report: str) -> str:
    """Of a walk forward; `report` is where the engine's report of its tests is."""
    folds = [
        [
            str(number + 1),
            fold["first_day"],
            str(len(fold["net"])),
            str(fold["trades"]),
            f"{sum(fold['net']):,.0f}",
            f"{fold['temperature']:.2f}",
            str(fold["kept_iterations"].get("phase3", "")),
        ]
        for number, fold in enumerate(facts["folds"])
    ]
    lines = [
        "# Walk forward",
        "",
        f"{span}. Every fold's test is traded by a set that has learned from sessions before it alone. Dollars are of one contract, after costs; "
        f"intervals are of 95 %, by a bootstrap over days. `equity.csv` is the tests, one after the other; `{report}` shows them as one run, with "
        "the contracts that were traded.",
        "",
        *outcomes({"all tests": facts}),
    ]
    oracle = facts.get("attainable_a_day", 0.0)
    if oracle > 0.0:
        lines += [
            f"The oracle makes {oracle:,.0f} a day over the whole span; the tests {share(facts['net_a_day']['mean'], oracle)} of that.",
            "",
        ]
    header = ["fold", "first day", "days", "trades", "net, dollars", "temperature", "kept iteration of phase 3"]
    return "\n".join(lines + table(header, folds))
