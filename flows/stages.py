"""Numbers a run's stages in its log, names them in Prefect's UI, and estimates the time left."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from prefect import Task
from prefect.futures import PrefectFuture

from flows.retries import resilient
from flows.settings import Settings
from tasks.base_models import find_base_model
from tasks.progress import duration
from tasks.store.artifacts import Artifact

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

FIT_PRIORS = "fit priors"
FORECAST = "forecast stages"
READ = "read prompts"
UNTIL_TRAINED = (
    "ingest ratings",
    "validate ratings",
    "split ratings",
    FIT_PRIORS,
    "build tokenizer",
    "write prompts",
    "build base",
    FORECAST,
    "train adapter",
)
CANDIDATE_PRIORS = "predict priors (candidates)"
OPPONENT = (
    "write prompts, champion",
    "retrieve candidates, champion",
    f"{CANDIDATE_PRIORS}, champion",
    "write prompts (candidates), champion",
    f"{READ}, champion",
    "predict champion",
    "predict candidates, champion",
    "rank candidates, champion",
    "blend predictions, champion",
    "score (half that decides)",
    "score (half that reports)",
)


def evaluation_stages(settings: Settings) -> list[str]:
    """The stages that follow training, in order, as if there were a champion to compete with."""
    ablations = settings.ablation.perturbations
    from_data = find_base_model(settings.base.name).from_scratch
    return [
        "retrieve candidates",
        *([CANDIDATE_PRIORS] if settings.prior.model != "none" else []),
        "write prompts (candidates)",
        READ,
        f"predict {settings.predict.predictor}",
        "predict candidates",
        "rank candidates",
        f"decode lists ({settings.decode.predictor})",
        *(["generate free text"] if settings.free_text else []),
        *(of_prior_stages(settings) if settings.prior.model != "none" else []),
        "predict baselines",
        "rank baselines",
        "blend predictions",
        *(f"{verb} {how}" for how in ablations for verb in ("perturb", "read", "ablate")),
        *(["score ablations"] if ablations else []),
        *([] if from_data else ["measure memorization"]),
        *OPPONENT,
        "score",
        "publish",
        *(serving_stages(settings) if settings.serving.nightly else []),
        "write report",
    ]


def serving_stages(settings: Settings) -> list[str]:
    """The stages that make everyone's lists."""
    labels = [
        "request lists",
        "retrieve candidates",
        *([CANDIDATE_PRIORS] if settings.prior.model != "none" else []),
        "write prompts (candidates)",
        READ,
        "predict candidates",
        "rank candidates",
        "compose lists",
        "swap lists",
        "record lists",
    ]
    return [name_serving_stage(label) for label in labels]


def name_serving_stage(label: str) -> str:
    """Its label, which differs from that of the same task on the test fold."""
    return f"{label}, everyone"


def of_prior_stages(settings: Settings) -> list[str]:
    """The stages of the predictors that build on the prior."""
    return [*encoder_stages(settings), "predict by head", "predict by priors"]


def encoder_stages(settings: Settings) -> list[str]:
    """The stages of the hidden states that the head reads."""
    own = settings.encoder.name == settings.base.name
    return [*([] if own else ["fetch tokenizer (encoder)", "fetch encoder"]), "encode films"]


class Stages:
    """The stages of one run: `planned` labels, and the artifacts that were made so far.

    `last_costs` are kind and seconds of the artifacts of an earlier run: what is left of them,
    once something had to be built, is the estimate of the time that is left.
    """

    def __init__(
        self,
        planned: Sequence[str],
        last_costs: Iterable[tuple[str, float]] = (),
        artifacts: Sequence[Artifact] = (),
    ) -> None:
        self.planned = list(planned)
        self.started: list[str] = []
        self.opponent = ""
        self.begun: dict[str, PrefectFuture[Any]] = {}  # by label, see flows.beside
        self.artifacts = list(artifacts)
        self._expected = list(last_costs)

    def __call__(self, label: str, task: Task[P, R]) -> Callable[P, R]:
        """The task under its label, to be called once; where it has begun, it is waited for."""

        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            name = label
            if self.opponent and not label.endswith(self.opponent):
                name = f"{label}, {self.opponent}"
            self.started.append(name)
            log.info("%s", self._heading())
            begun = self.begun.pop(name, None)
            made = begun.result() if begun else resilient(task, name)(*args, **kwargs)
            if isinstance(made, Artifact):
                self._finish(made)
            return made

        return run

    @contextmanager
    def of(self, opponent: str) -> Iterator[None]:
        """Within it, labels name the adapter whose stages these are."""
        self.opponent = opponent
        try:
            yield
        finally:
            self.opponent = ""

    def skip(self, *labels: str) -> None:
        """Count no longer what turned out not to be needed."""
        self.planned = [label for label in self.planned if label not in labels]

    def _heading(self) -> str:
        number, label = len(self.started), self.started[-1]
        return f"stage {number} of {max(number, len(self.planned))}, {label}{self._time_left()}"

    def _time_left(self) -> str:
        seconds = sum(seconds for _, seconds in self._expected)
        if seconds < 10 or all(made.cache_hit for made in self.artifacts):
            return ""
        return f", about {duration(seconds)} left"

    def _finish(self, artifact: Artifact) -> None:
        self.artifacts.append(artifact)
        for cost in self._expected:
            if cost[0] == artifact.kind():
                self._expected.remove(cost)
                break
