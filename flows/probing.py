"""Whether the model reads its prompts, or answers from elsewhere."""

from flows.prepare import Prepared
from flows.settings import Settings
from tasks.audit.config import Perturbation
from tasks.audit.task import measure_memorization, perturb_prompts, score_ablations
from tasks.predict.task import predict_ratings
from tasks.store.artifacts import Adapter, Artifact, Base, Prompts, RatingPredictions
from tasks.store.store import Store


def probed(
    settings: Settings,
    store: Store,
    data: Prepared,
    base: Base,
    adapter: Adapter,
    said: RatingPredictions,
) -> list[Artifact]:
    """What the model says where contexts are spoilt, beside what it `said` where they are not.

    And what its base knows of the data by heart, unless it was built from the data.
    """
    told: dict[Perturbation, RatingPredictions] = {}
    for how in settings.ablation.perturbations:
        asked = perturb_prompts(
            data.prompts, data.tokenizer, how, config=settings.ablation, store=store
        )
        told[how] = predict_ratings(
            adapter, base, asked, data.split,
            config=settings.predict, inference=settings.inference, store=store, calibrated_by=said,
        )  # fmt: skip
    probes = score_ablations(
        said, told, resamples=settings.score.resamples, seed=settings.score.seed, store=store
    )
    if any(parent["kind"] == Prompts.kind() for parent in base.manifest["parents"]):
        return [probes]
    return [
        probes,
        measure_memorization(base, data.ratings, config=settings.memorization, store=store),
    ]
