"""Settings of the phases, from YAML. Unknown keys and values that cannot be are refused, by name."""

from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

Settings = TypeVar("Settings")
Natural = Annotated[int, Field(ge=0, strict=True)]
Count = Annotated[int, Field(ge=1, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
Positive = Annotated[float, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
PositiveShare = Annotated[float, Field(gt=0.0, le=1.0)]
Wish = tuple[PositiveShare, Annotated[float, Field(ge=0.5, le=3.0)], Annotated[float, Field(ge=1.0, le=5.0)]]
"""size, stop and reward, in the ranges of the risk sub-system"""
Reward = Literal["net_pnl", "risk_adjusted", "sortino"]
"""see `mappo.Rewards`"""
Trainer = Literal["rllib", "plain"]
"""Ray RLlib, or a loop in PyTorch of the same loss"""
Thresholds = dict[Literal["confidence", "epistemic", "agreement", "gate"], Share]
KNOWN_KEYS = ConfigDict(extra="forbid")


PLAIN_WISH = (0.2, 3.0, 2.0)
"""size, stop and reward of an entry that no risk sub-system has formed"""


class SettingsError(ValueError):
    """A setting that cannot be, with its place and a remedy."""


@dataclass(frozen=True, config=KNOWN_KEYS)
class MarketSettings:
    """Histories to learn from or to be judged on."""

    kind: Literal["regimes", "martingale", "files"] = "regimes"
    """`regimes` or `martingale` (synthetic, one a seed), or `files` (histories of any format the engine reads)"""
    seeds: list[Seed] = field(default_factory=list)
    """of the synthetic markets"""
    null_seeds: list[Seed] = field(default_factory=list)
    """of `martingale` markets beside them, in which nothing can be earned: who has only seen edges sees one everywhere"""
    days: Count = 120
    """trading days of each"""
    trades_per_day: Count = 20_000
    """trades of an average day; fewer show the same path at fewer points"""
    regimes: dict[str, float] = field(default_factory=dict)
    """keywords of `write_synthetic`, such as trend_ticks_per_half_hour"""
    files: list[str] = field(default_factory=list)
    """paths, where kind is `files`"""
    sessions: tuple[Natural, Count] | None = None
    """only these sessions of each, from and up to; None: all"""

    def __post_init__(self) -> None:
        if self.kind == "files" and not self.files:
            raise SettingsError("files: give at least one path")
        if self.kind != "files" and not self.seeds:
            raise SettingsError("seeds: give at least one")
        if self.sessions is not None and self.sessions[0] >= self.sessions[1]:
            raise SettingsError(f"sessions: {list(self.sessions)} has none; give the first, and the one after the last")

    def shares_with(self, other: "MarketSettings") -> bool:
        """Whether a session of one is in the other too."""
        (first, end), (their_first, their_end) = (of.sessions or (0, 2**63) for of in (self, other))
        return bool(self.histories() & other.histories()) and first < their_end and their_first < end

    def histories(self) -> set[str]:
        """What is in it, by names that are equal where histories are."""
        if self.kind == "files":
            return {str(Path(file).absolute()) for file in self.files}
        made = f"{self.days} {self.trades_per_day}"
        null = {f"martingale {seed} {made} []" for seed in self.null_seeds}
        return null | {f"{self.kind} {seed} {made} {sorted(self.regimes.items())}" for seed in self.seeds}


@dataclass(frozen=True, config=KNOWN_KEYS)
class PhaseSettings:
    """What every phase has."""

    seed: Seed = 7
    output: str = "../runs/training"
    """folder of the phase's run and of the synthetic markets"""
    initial: str | None = None
    """`weights.safetensors` to begin with; None: as initialised under the seed"""
    train: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[101]))
    validation: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[201]))
    engine: dict[str, Any] = field(default_factory=dict)
    """configuration of the engine: instrument, costs, rules, indicators"""
    threads: Count = 2
    """of PyTorch"""

    def __post_init__(self) -> None:
        if self.train.shares_with(self.validation):
            raise SettingsError(
                "validation: has sessions that train has too; give others, later ones if the history is the same"
            )


@dataclass(frozen=True, config=KNOWN_KEYS)
class RegimeSettings(PhaseSettings):
    """Phase 1: the regime detection engine."""

    epochs: Count = 12
    batch: Count = 256
    learning_rate: Positive = 1e-3
    beta: NotNegative = 0.02
    """weight of the divergence from the prior, a latent"""
    warm_up_epochs: Natural = 3
    """over which beta grows from 0"""
    patience: Count = 3
    """epochs without a better validation loss before the end"""


@dataclass(frozen=True, config=KNOWN_KEYS)
class PolicySettings(PhaseSettings):
    """What the phases that learn by MAPPO share. Defaults are the MAPPO paper's (C. Yu and others, "The Surprising
    Effectiveness of PPO in Cooperative Multi-Agent Games", 2022) where a small machine allows."""

    trainer: Trainer = "rllib"
    runners: Natural = 0
    """of RLlib: processes that roll out, each with its share of the slots; 0: the learner does"""
    slots: Count = 128
    """episodes side by side"""
    sessions: Count = 2
    """of an episode"""
    rollout: Count = 128
    """steps of each slot between updates"""
    iterations: Count = 40
    epochs: Count = 5
    """passes over a rollout"""
    minibatches: Count = 8
    learning_rate: Positive = 5e-4
    clip: Positive = 0.2
    value_weight: NotNegative = 1.0
    huber: Positive = 10.0
    entropy: NotNegative = 0.01
    maximum_gradient: Positive = 10.0
    discount: Share = 0.99
    trace: Share = 0.95
    """lambda of generalised advantage estimation"""
    reward: Reward = "net_pnl"
    reward_dollars: Positive = 250.0
    """dollars that are a reward of 1"""
    risk_aversion: NotNegative = 0.1
    """of `risk_adjusted`: what a loss counts beyond itself"""
    evaluate_every: Count = 5
    """iterations between looks at the validation markets"""
    patience: Count = 4
    """looks without a better one before the end"""


@dataclass(frozen=True, config=KNOWN_KEYS)
class RiskSettings(PolicySettings):
    """Phase 2: the risk sub-system."""

    trainer: Trainer = "plain"
    opportunities: Count = 12
    """of each slot between updates, on RLlib, where a step is an opportunity; `rollout` counts closes"""
    reward: Reward = "sortino"
    signal_share: PositiveShare = 0.1
    """of the closes at which the mediocre signal speaks"""
    signal_confidence: tuple[Share, Share] = (0.45, 0.8)
    """from and up to which its confidence is drawn; its direction is right as often as it says"""
    label_wish: Wish = PLAIN_WISH
    """size, stop and reward of the entries that say which side is right"""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signal_confidence[0] > self.signal_confidence[1]:
            raise SettingsError("signal_confidence: give the lower one first")


@dataclass(frozen=True, config=KNOWN_KEYS)
class CoreSettings(PolicySettings):
    """Phase 3: embedders, core and gate."""

    reward: Reward = "risk_adjusted"
    label_wish: Wish = PLAIN_WISH
    """size, stop and reward of the entries that the warm start learns from"""
    label_margin: float = 15.0
    """dollars that an entry must earn after costs to be a label"""
    warm_start_epochs: Natural = 4
    warm_start_share: PositiveShare = 1.0
    """of the closes, drawn anew for every epoch; neighbours say much the same, so many markets and few closes teach more"""
    warm_start_batch: Count = 512
    warm_start_learning_rate: Positive = 1e-3
    policy_temperature: Positive = 0.15
    """what logits are divided by where MAPPO draws from them: a warm start gives chances of success, which as chances of acting
    would be little but noise"""
    gate_passes: Count = 8
    """Monte Carlo passes behind the opportunity that the gate sees while it learns"""
    confidence_threshold: float = 0.4
    """of the validation runs, before any calibration: three classes at a third each are no opinion"""
    gate_threshold: Share = 0.5
    passes: Count = 30
    """of the validation runs"""


@dataclass(frozen=True, config=KNOWN_KEYS)
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
    passes: Count = 30
    every: Count = 3
    """closes between those that are judged"""
    threads: Count = 2


@dataclass(frozen=True, config=KNOWN_KEYS)
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
    thresholds: Thresholds = field(default_factory=dict)
    """confidence, epistemic, agreement, gate: others than the engine's defaults"""
    engine: dict[str, Any] = field(default_factory=dict)
    """configuration of the engine, the same for all"""
    ablations: bool = True
    runs: list[str] = field(default_factory=list)
    """`output` folders of the phases under several seeds, whose learning the card shows; those that are not there are left out,
    which is said"""
    resamples: Count = 10_000
    """of the bootstrap over days"""
    seed: Seed = 7
    threads: Count = 2


@dataclass(frozen=True, config=KNOWN_KEYS)
class WalkForwardSettings:
    """Spans that roll over histories: train, validate, test, and so on until the end."""

    market: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[701], days=250))
    train_sessions: Count = 120
    validation_sessions: Count = 20
    """that end training, and fit the temperature"""
    test_sessions: Count = 20
    """that nothing has seen; the next fold begins so many sessions later"""
    phase1: dict[str, Any] = field(default_factory=dict)
    """settings of the phases in every fold, beside markets and folders"""
    phase2: dict[str, Any] = field(default_factory=dict)
    phase3: dict[str, Any] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=dict)
    """confidence, epistemic, agreement, gate: others than the engine's defaults"""
    engine: dict[str, Any] = field(default_factory=dict)
    program: str = "../target/release/algospace-hft"
    """the engine, which runs the tests"""
    output: str = "../runs/training/walk_forward"
    parallel: Count = 2
    """folds at a time, a core each"""
    resamples: Count = 10_000
    seed: Seed = 7

    def __post_init__(self) -> None:
        for name, (kind, *_) in PHASES.items():
            build(getattr(self, name), kind, name)


@dataclass(frozen=True, config=KNOWN_KEYS)
class SearchSettings:
    """Trials of a phase with settings that are drawn."""

    phase: Literal["phase1", "phase2", "phase3"] = "phase3"
    base: str = "config/phase3.yaml"
    """settings of what is not drawn"""
    space: dict[str, Any] = field(default_factory=dict)
    """by setting: a list of choices, or {low, high}, with `log: true` on a logarithmic scale"""
    trials: Count = 8
    parallel: Count = 2
    """trials at a time, a core each"""
    output: str = "../runs/training/search"
    seed: Seed = 7

    def __post_init__(self) -> None:
        if not self.space:
            raise SettingsError("space: give at least one setting to draw")


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
    """Settings from a mapping."""
    if not isinstance(given, dict):
        raise SettingsError(f"{place}: give a mapping of keys to values")
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
    *above, last = place, *map(str, first["loc"])
    if first["type"] == "unexpected_keyword_argument":
        raise SettingsError(f"{': '.join(above)}: there is no key `{last}`; settings.py says which there are")
    if first["type"] == "value_error":
        raise SettingsError(f"{': '.join([*above, last])}: {first['ctx']['error']}")
    raise SettingsError(f"{': '.join([*above, last])}: {first['msg']}, not `{first['input']}`")
