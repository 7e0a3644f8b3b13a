"""Settings of the phases, from YAML. Unknown keys are refused, by name."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

Settings = TypeVar("Settings")


PLAIN_WISH = (0.2, 3.0, 2.0)
"""size, stop and reward of an entry that no risk sub-system has formed"""


class SettingsError(ValueError):
    """A setting that cannot be, with its place and a remedy."""


@dataclass(frozen=True)
class MarketSettings:
    """Histories to learn from or to be judged on."""

    kind: str = "regimes"
    """`regimes` or `martingale` (synthetic, one a seed), or `files` (histories of any format the engine reads)"""
    seeds: list[int] = field(default_factory=list)
    """of the synthetic markets"""
    null_seeds: list[int] = field(default_factory=list)
    """of `martingale` markets beside them, in which nothing can be earned: who has only seen edges sees one everywhere"""
    days: int = 120
    """trading days of each"""
    trades_per_day: int = 20_000
    """trades of an average day; fewer show the same path at fewer points"""
    regimes: dict[str, float] = field(default_factory=dict)
    """keywords of `write_synthetic`, such as trend_ticks_per_half_hour"""
    files: list[str] = field(default_factory=list)
    """paths, where kind is `files`"""
    sessions: tuple[int, int] | None = None
    """only these sessions of each, from and up to; None: all"""

    def __post_init__(self) -> None:
        if self.kind not in ("regimes", "martingale", "files"):
            raise SettingsError(f"kind: `{self.kind}` is none of regimes, martingale, files")
        if self.kind == "files" and not self.files:
            raise SettingsError("files: give at least one path")
        if self.kind != "files" and not self.seeds:
            raise SettingsError("seeds: give at least one")


@dataclass(frozen=True)
class PhaseSettings:
    """What every phase has."""

    seed: int = 7
    output: str = "../runs/training"
    """folder of the phase's run and of the synthetic markets"""
    initial: str | None = None
    """`weights.safetensors` to begin with; None: as initialised under the seed"""
    train: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[101]))
    validation: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[201]))
    engine: dict[str, Any] = field(default_factory=dict)
    """configuration of the engine: instrument, costs, rules, indicators"""
    threads: int = 2
    """of PyTorch"""


@dataclass(frozen=True)
class RegimeSettings(PhaseSettings):
    """Phase 1: the regime detection engine."""

    epochs: int = 12
    batch: int = 256
    learning_rate: float = 1e-3
    beta: float = 0.02
    """weight of the divergence from the prior, a latent"""
    warm_up_epochs: int = 3
    """over which beta grows from 0"""
    patience: int = 3
    """epochs without a better validation loss before the end"""


@dataclass(frozen=True)
class PolicySettings(PhaseSettings):
    """What the phases that learn by MAPPO share. Defaults are the MAPPO paper's (C. Yu and others, "The Surprising
    Effectiveness of PPO in Cooperative Multi-Agent Games", 2022) where a small machine allows."""

    trainer: str = "rllib"
    """`rllib`, or `plain`: a loop in PyTorch of the same loss, to hold it against"""
    runners: int = 0
    """of RLlib: processes that roll out, each with its share of the slots; 0: the learner does"""
    slots: int = 128
    """episodes side by side"""
    sessions: int = 2
    """of an episode"""
    rollout: int = 128
    """steps of each slot between updates"""
    iterations: int = 40
    epochs: int = 5
    """passes over a rollout"""
    minibatches: int = 8
    learning_rate: float = 5e-4
    clip: float = 0.2
    value_weight: float = 1.0
    huber: float = 10.0
    entropy: float = 0.01
    maximum_gradient: float = 10.0
    discount: float = 0.99
    trace: float = 0.95
    """lambda of generalised advantage estimation"""
    reward: str = "net_pnl"
    """`net_pnl`, `risk_adjusted` or `sortino`"""
    reward_dollars: float = 250.0
    """dollars that are a reward of 1"""
    risk_aversion: float = 0.1
    """of `risk_adjusted`: what a loss counts beyond itself"""
    evaluate_every: int = 5
    """iterations between looks at the validation markets"""
    patience: int = 4
    """looks without a better one before the end"""

    def __post_init__(self) -> None:
        if self.trainer not in ("rllib", "plain"):
            raise SettingsError(f"trainer: `{self.trainer}` is none of rllib, plain")


@dataclass(frozen=True)
class RiskSettings(PolicySettings):
    """Phase 2: the risk sub-system."""

    trainer: str = "plain"
    opportunities: int = 12
    """of each slot between updates, on RLlib, where a step is an opportunity; `rollout` counts closes"""
    reward: str = "sortino"
    signal_share: float = 0.1
    """of the closes at which the mediocre signal speaks"""
    signal_confidence: tuple[float, float] = (0.45, 0.8)
    """from and up to which its confidence is drawn; its direction is right as often as it says"""
    label_wish: tuple[float, float, float] = PLAIN_WISH
    """size, stop and reward of the entries that say which side is right"""


@dataclass(frozen=True)
class CoreSettings(PolicySettings):
    """Phase 3: embedders, core and gate."""

    reward: str = "risk_adjusted"
    label_wish: tuple[float, float, float] = PLAIN_WISH
    """size, stop and reward of the entries that the warm start learns from"""
    label_margin: float = 15.0
    """dollars that an entry must earn after costs to be a label"""
    warm_start_epochs: int = 4
    warm_start_share: float = 1.0
    """of the closes, drawn anew for every epoch; neighbours say much the same, so many markets and few closes teach more"""
    warm_start_batch: int = 512
    warm_start_learning_rate: float = 1e-3
    policy_temperature: float = 0.15
    """what logits are divided by where MAPPO draws from them: a warm start gives chances of success, which as chances of acting
    would be little but noise"""
    gate_passes: int = 8
    """Monte Carlo passes behind the opportunity that the gate sees while it learns"""
    confidence_threshold: float = 0.4
    """of the validation runs, before any calibration: three classes at a third each are no opinion"""
    gate_threshold: float = 0.5
    passes: int = 30
    """of the validation runs"""


@dataclass(frozen=True)
class ExportSettings:
    """A model set of what phase 3 learned."""

    output: str = "../runs/training"
    """folder of the phases"""
    directory: str = "../models/regimes"
    """folder of the set"""
    name: str = "regimes"
    description: str = ""
    """a sentence for people"""
    calibration: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[301, 302]))
    """markets that no phase has seen, for the temperature"""
    test: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[401, 402]))
    """others, on which its reliability is reported"""
    passes: int = 30
    every: int = 3
    """closes between those that are judged"""
    threads: int = 2


@dataclass(frozen=True)
class EvaluationSettings:
    """A set on markets that it has never seen, beside others who trade them."""

    directory: str = "../models/regimes"
    """folder of the set"""
    output: str = "../runs/training/evaluation"
    program: str = "../target/release/algospace-hft"
    """the engine, which runs the set and the baseline"""
    planted: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[501, 502, 503, 504]))
    without_edge: MarketSettings = field(
        default_factory=lambda: MarketSettings(kind="martingale", seeds=[501, 502, 503, 504])
    )
    held_out: dict[str, MarketSettings] = field(default_factory=dict)
    """by name, markets unlike any that the set has learned from, on which it should be less sure"""
    real: list[str] = field(default_factory=list)
    """native tick files of real markets, for what they are worth; those that are not there are left out, which is said"""
    thresholds: dict[str, float] = field(default_factory=dict)
    """confidence, epistemic, agreement, gate: others than the engine's defaults"""
    engine: dict[str, Any] = field(default_factory=dict)
    """configuration of the engine, the same for all"""
    ablations: bool = True
    runs: list[str] = field(default_factory=list)
    """`output` folders of the phases under several seeds, whose learning the card shows; those that are not there are left out,
    which is said"""
    resamples: int = 10_000
    """of the bootstrap over days"""
    seed: int = 7
    threads: int = 2


@dataclass(frozen=True)
class WalkForwardSettings:
    """Spans that roll over histories: train, validate, test, and so on until the end."""

    market: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[701], days=250))
    train_sessions: int = 120
    validation_sessions: int = 20
    """that end training, and fit the temperature"""
    test_sessions: int = 20
    """that nothing has seen; the next fold begins so many sessions later"""
    phase1: dict[str, Any] = field(default_factory=dict)
    """settings of the phases in every fold, beside markets and folders"""
    phase2: dict[str, Any] = field(default_factory=dict)
    phase3: dict[str, Any] = field(default_factory=dict)
    thresholds: dict[str, float] = field(default_factory=dict)
    """confidence, epistemic, agreement, gate: others than the engine's defaults"""
    engine: dict[str, Any] = field(default_factory=dict)
    program: str = "../target/release/algospace-hft"
    """the engine, which runs the tests"""
    output: str = "../runs/training/walk_forward"
    parallel: int = 2
    """folds at a time, a core each"""
    resamples: int = 10_000
    seed: int = 7


@dataclass(frozen=True)
class SearchSettings:
    """Trials of a phase with settings that are drawn."""

    phase: str = "phase3"
    base: str = "config/phase3.yaml"
    """settings of what is not drawn"""
    space: dict[str, Any] = field(default_factory=dict)
    """by setting: a list of choices, or {low, high}, with `log: true` on a logarithmic scale"""
    trials: int = 8
    parallel: int = 2
    """trials at a time, a core each"""
    output: str = "../runs/training/search"
    seed: int = 7

    def __post_init__(self) -> None:
        if self.phase not in PHASES:
            raise SettingsError(f"phase: `{self.phase}` is none of {', '.join(PHASES)}")


PHASES: dict[str, tuple[type[PhaseSettings], str, str, float]] = {
    "phase1": (RegimeSettings, "regime_training", "validation/loss", -1.0),
    "phase2": (RiskSettings, "risk_training", "validation/sortino", 1.0),
    "phase3": (CoreSettings, "core_training", "validation/net_a_day", 1.0),
}
"""of each: its settings, the module that trains it, what it is judged by, and whether more is better"""


def read(path: Path, kind: type[Settings]) -> Settings:
    """The settings of a phase from its YAML file; paths in it are relative to the current directory."""
    try:
        given = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from error
    return build(given, kind, str(path))


def build(given: Any, kind: type[Settings], place: str) -> Settings:
    """A dataclass from a mapping."""
    if not isinstance(given, dict):
        raise SettingsError(f"{place}: give a mapping of keys to values")
    known = {of.name: of for of in dataclasses.fields(kind)}
    for key in given:
        if key not in known:
            raise SettingsError(f"{place}: there is no key `{key}`; there are {', '.join(known)}")
    values = {}
    for key, value in given.items():
        if known[key].type is MarketSettings:
            value = build(value, MarketSettings, f"{place}: {key}")
        elif known[key].type == dict[str, MarketSettings]:
            value = {name: build(of, MarketSettings, f"{place}: {key}: {name}") for name, of in value.items()}
        elif isinstance(value, list) and str(known[key].type).startswith("tuple"):
            value = tuple(value)
        elif known[key].type is float and isinstance(value, int | str):
            value = number(value, f"{place}: {key}")
        elif known[key].type is int and not isinstance(value, int):
            raise SettingsError(f"{place}: {key}: `{value}` is no whole number")
        values[key] = value
    try:
        return kind(**values)
    except SettingsError as error:
        raise SettingsError(f"{place}: {error}") from error


def number(value: int | str, place: str) -> float:
    """YAML reads 1e-3 as text."""
    try:
        return float(value)
    except ValueError as error:
        raise SettingsError(f"{place}: `{value}` is no number") from error
