"""Whether the model reads its prompts, and whether its base knows the data by heart."""

from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import Stages
from tasks.audit.config import Perturbation
from tasks.audit.task import measure_memorization, perturb_prompts, score_ablations
from tasks.predict.task import predict_ratings
from tasks.store.artifacts import Adapter, Base, Prompts, RatingPredictions
from tasks.store.store import Store


def run_ablations(
    settings: Settings,
    store: Store,
    stages: Stages,
    data: PreparedData,
    base: Base,
    adapter: Adapter,
    llm: RatingPredictions,
) -> None:
    """Predict from perturbed contexts, and compare with `llm`, the predictions from intact ones.

    A base that was not built from the data is tested for memorization as well.
    """
    ablated: dict[Perturbation, RatingPredictions] = {}
    for how in settings.ablation.perturbations:
        prompts = stages(f"perturb prompts ({how})", perturb_prompts)(
            data.prompts, data.tokenizer, how, config=settings.ablation, store=store
        )
        ablated[how] = stages(f"predict ratings ({how})", predict_ratings)(
            adapter, base, prompts, data.split,
            config=settings.predict, inference=settings.inference, store=store, calibrated_by=llm,
        )  # fmt: skip
    if ablated:
        stages("score ablations", score_ablations)(
            llm, ablated, resamples=settings.score.resamples, seed=settings.score.seed, store=store
        )
    if not any(parent["kind"] == Prompts.kind() for parent in base.manifest["parents"]):
        stages("measure memorization", measure_memorization)(
            base, data.ratings, config=settings.memorization, store=store
        )
