"""Settings of the phases, from YAML. Unknown keys and values that cannot be are refused, by name."""

from dataclasses import field
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import yaml
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError
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
FilePath = Annotated[str, AfterValidator(lambda given: str(Path(given).resolve()))]
"""relative to the current directory, and absolute from then on: processes of Ray have others"""
ProgramPath = Annotated[str, AfterValidator(lambda given: str(Path(given).resolve()) if given else "")]
"""as FilePath; empty to have it looked for, see `executable.find_program`"""


def own_part(given: dict[str, Any]) -> dict[str, Any]:
    """Of the engine's configuration, what is not given here already."""
    if taken := sorted(GIVEN_HERE & given.keys()):
        raise ValueError(f"{taken[0]}: is given by the settings here; leave it out")
    return given


GIVEN_HERE = frozenset(["data_handler", "output", "strategy", "marl_core"])
"""histories, folders, who decides and how sure it must be"""
Engine = Annotated[dict[str, Any], AfterValidator(own_part)]
"""the rest of the engine's configuration: instrument, costs, rules, indicators"""
KNOWN_KEYS = ConfigDict(extra="forbid", validate_default=True)

THRESHOLDS: Thresholds = {"confidence": 0.8, "epistemic": 0.3, "agreement": 0.5, "gate": 0.5}
"""as the engine has them"""

PLAIN_WISH = (0.2, 3.0, 2.0)
"""size, stop and reward of an entry that no risk sub-system has formed"""


class SettingsError(ValueError):
    """A setting that cannot be, with its place and a remedy."""


def refuse_twice(name: str, given: list[Any]) -> None:
    """What is there twice would count twice."""
    again = next((one for place, one in enumerate(given) if one in given[:place]), None)
    if again is not None:
        raise SettingsError(f"{name}: {again} is there twice; leave one out")


class Start(Enum):
    """How a run begins."""

    NEW = "new"
    """in a folder that has no run of it yet"""
    ANEW = "anew"
    """from nothing, and what the folder has of an earlier run is removed"""
    RESUME = "resume"
    """from the last checkpoint"""


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
    files: list[FilePath] = field(default_factory=list)
    """paths, where kind is `files`"""
    sessions: tuple[Natural, Count] | None = None
    """only these sessions of each, from and up to; None: all"""

    def __post_init__(self) -> None:
        if self.kind == "files" and not self.files:
            raise SettingsError("files: give at least one path")
        if self.kind != "files" and not self.seeds:
            raise SettingsError("seeds: give at least one")
        if self.kind == "files" and (self.seeds or self.null_seeds):
            raise SettingsError("seeds, null_seeds: files have none; leave them out, or give a synthetic kind")
        if self.kind != "files" and self.files:
            raise SettingsError("files: a synthetic kind has none; leave them out, or give kind: files")
        if self.kind != "regimes" and self.regimes:
            raise SettingsError("regimes: only that kind has such keywords; leave them out")
        if taken := sorted({"market", "seed", "days", "trades_per_day"} & self.regimes.keys()):
            raise SettingsError(f"regimes: {taken[0]} is a key of its own, beside `regimes`")
        for name in ("seeds", "null_seeds", "files"):
            refuse_twice(name, getattr(self, name))
        if self.sessions is not None and self.sessions[0] >= self.sessions[1]:
            raise SettingsError(f"sessions: {list(self.sessions)} has none; give the first, and the one after the last")

    def shares_with(self, other: "MarketSettings") -> bool:
        """Whether a session of one is in the other too."""
        (first, end), (their_first, their_end) = (of.sessions or (0, 2**63) for of in (self, other))
        return bool(self.histories() & other.histories()) and first < their_end and their_first < end

    def histories(self) -> set[str]:
        """What is in it, by names that are equal where histories have draws in common. All synthetic markets of a seed have,
        whatever their kind, length and number of trades."""
        return set(self.files) | {f"seed {seed}" for seed in [*self.seeds, *self.null_seeds]}


@dataclass(frozen=True, config=KNOWN_KEYS)
class PhaseSettings:
    """What every phase has."""

    seed: Seed = 7
    output: FilePath = "../runs/training"
    """folder of the phase's run"""
    cache: FilePath | None = None
    """folder of the synthetic markets, which every node of a cluster reads; None: `markets` in `output`"""
    initial: FilePath | None = None
    """`weights.safetensors` to begin with; None: as initialised under the seed"""
    train: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[101]))
    validation: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[201]))
    engine: Engine = field(default_factory=dict)
    """configuration of the engine: instrument, costs, rules, indicators"""
    threads: Count = 2
    """of PyTorch"""

    def __post_init__(self) -> None:
        if self.train.shares_with(self.validation):
            raise SettingsError(
                "validation: has sessions that train has too; give others, later ones if the history is the same"
            )

    def market_folder(self) -> Path:
        """Folder of the synthetic markets."""
        return Path(self.cache) if self.cache else Path(self.output) / "markets"


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
    sessions: Count = 1
    """of an episode"""
    rollout: Count = 288
    """steps of each slot between updates, a close each. Every iteration begins other episodes: what is beyond so many steps of
    them is never learned from. A whole session has 276 closes of five minutes"""
    iterations: Natural = 40
    """0: none; in phase 3 the warm start alone"""
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

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.runners and self.slots % self.runners:
            raise SettingsError(f"slots: {self.slots} is no multiple of runners, {self.runners}; each has its share")


@dataclass(frozen=True, config=KNOWN_KEYS)
class RiskSettings(PolicySettings):
    """Phase 2: the risk sub-system."""

    trainer: Trainer = "plain"
    opportunities: Count = 12
    """of each slot between updates, on RLlib, where a step is an opportunity (a session has about nine); `rollout` counts closes"""
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
    """the embedders learn here alone: with 0 they stay as they are in `initial`"""
    warm_start_share: PositiveShare = 1.0
    """of the closes, drawn anew for every epoch; neighbours say much the same, so many markets and few closes teach more"""
    warm_start_batch: Count = 512
    warm_start_learning_rate: Positive = 1e-3
    policy_temperature: Positive = 0.15
    """what logits are divided by where MAPPO draws from them: a warm start gives chances of success, which as chances of acting
    would be little but noise"""
    gate_passes: Count = 8
    """Monte Carlo passes behind the opportunity that the gate sees while it learns"""
    thresholds: Thresholds = field(default_factory=lambda: {"confidence": 0.45})
    """confidence, epistemic, agreement, gate of the validation runs, before any calibration; others as the engine has them"""
    passes: Count = 30
    """of the validation runs"""


@dataclass(frozen=True, config=KNOWN_KEYS)
class ExportSettings:
    """A model set of what phase 3 learned."""

    output: FilePath = "../runs/training"
    """folder of the phases"""
    directory: FilePath = "../models/regimes"
    """folder of the set"""
    name: str = "regimes"
    description: str = ""
    """a sentence for people"""
    calibration: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[301, 302]))
    """markets that no phase has learned from, for the temperature"""
    test: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[401, 402]))
    """others, that no phase has seen, on which its reliability is reported"""
    passes: Count = 30
    every: Count = 3
    """closes between those that are judged"""
    threads: Count = 2


@dataclass(frozen=True, config=KNOWN_KEYS)
class EvaluationSettings:
    """A set on markets that it has never seen, beside others who trade them."""

    directory: FilePath = "../models/regimes"
    """folder of the set"""
    output: FilePath = "../runs/training/evaluation"
    program: ProgramPath = ""
    """the engine, which runs the set and the baseline; looked for where none is given"""
    planted: MarketSettings = field(default_factory=lambda: MarketSettings(seeds=[501, 502, 503, 504]))
    without_edge: MarketSettings = field(
        default_factory=lambda: MarketSettings(kind="martingale", seeds=[501, 502, 503, 504])
    )
    held_out: dict[str, MarketSettings] = field(default_factory=dict)
    """by name, markets unlike any that the set has learned from, on which it should be less sure"""
    real: list[FilePath] = field(default_factory=list)
    """native tick files of real markets, for what they are worth; those that are not there are left out, which is said"""
    thresholds: Thresholds = field(default_factory=dict)
    """confidence, epistemic, agreement, gate: others than the engine's defaults"""
    engine: Engine = field(default_factory=dict)
    """configuration of the engine, the same for all"""
    ablations: bool = True
    limits: list[str] = field(default_factory=list)
    """sentences on what the set cannot do, and how it came about, that no figure tells: the card has them"""
    runs: list[FilePath] = field(default_factory=list)
    """`output` folders of the phases under several seeds, whose learning the card shows; those that are not there are left out,
    which is said"""
    resamples: Count = 10_000
    """of the bootstrap over days"""
    seed: Seed = 7
    threads: Count = 2

    def __post_init__(self) -> None:
        kinds = {"planted": (self.planted, "regimes"), "without_edge": (self.without_edge, "martingale")}
        kinds |= {f"held_out: {name}": (of, "regimes") for name, of in self.held_out.items()}
        for name, (of, kind) in kinds.items():
            if of.kind != kind or of.null_seeds:
                raise SettingsError(f"{name}: give kind: {kind}, without null_seeds")
        refuse_twice("real", self.real)
        refuse_twice("runs: the last folder, which names a run on the card", [Path(run).name for run in self.runs])


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
    engine: Engine = field(default_factory=dict)
    program: ProgramPath = ""
    """the engine, which runs the tests; looked for where none is given"""
    output: FilePath = "../runs/training/walk_forward"
    parallel: Count = 2
    """folds at a time, a core each"""
    resamples: Count = 10_000
    seed: Seed = 7

    def __post_init__(self) -> None:
        for name, (kind, *_) in PHASES.items():
            given = getattr(self, name)
            if own := sorted(OF_A_FOLD & given.keys()):
                raise SettingsError(f"{name}: {own[0]}: every fold has its own; leave it out")
            build(given, kind, name)


@dataclass(frozen=True, config=KNOWN_KEYS)
class SearchSettings:
    """Trials of a phase with settings that are drawn."""

    phase: Literal["phase1", "phase2", "phase3"] = "phase3"
    base: FilePath = "config/phase3.yaml"
    """settings of what is not drawn"""
    space: dict[str, Any] = field(default_factory=dict)
    """by setting: a list of choices, or {low, high}, with `log: true` on a logarithmic scale"""
    trials: Count = 8
    parallel: Count = 2
    """trials at a time, a core each"""
    output: FilePath = "../runs/training/search"
    seed: Seed = 7

    def __post_init__(self) -> None:
        if not self.space:
            raise SettingsError("space: give at least one setting to draw")


OF_A_FOLD = frozenset(["trainer", "seed", "threads", "engine", "output", "cache", "initial", "train", "validation"])
"""settings of phases that a walk-forward gives"""


class Phase(NamedTuple):
    """How a phase is trained and judged."""

    settings: type[PhaseSettings]
    module: str
    """that trains it"""
    measure: str
    """that it is judged by"""
    sign: float
    """1 if more is better, else -1"""


PHASES = {
    "phase1": Phase(RegimeSettings, "regime_training", "validation/loss", -1.0),
    "phase2": Phase(RiskSettings, "risk_training", "validation/sortino", 1.0),
    "phase3": Phase(CoreSettings, "core_training", "validation/net_a_day", 1.0),
}


def read(path: Path, kind: type[Settings]) -> Settings:
    """The settings of a phase from its YAML file; paths in it are relative to the current directory."""
    try:
        given = yaml.safe_load(path.read_text()) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
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
