"""Whether the model reads its prompts, and whether its base knows the data by heart."""

from prefect import flow

from flows.prepare import PreparedData
from flows.settings import Settings
from flows.stages import Stages
from tasks.audit.config import Perturbation
from tasks.audit.task import measure_memorization, perturb_prompts, score_ablations
from tasks.predict.task import predict_ratings
from tasks.read.task import read_prompts
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

    A base that was not built from the data is tested for memorization as well. All of it is one
    sub-flow: a node of the run's graph that a person can open.
    """

    @flow(name="ablations", flow_run_name="ablations")
    def ablations(perturbations: list[Perturbation], memorization: bool) -> None:
        ablated: dict[Perturbation, RatingPredictions] = {}
        for how in perturbations:
            prompts = stages(f"perturb {how}", perturb_prompts)(
                data.prompts, data.tokenizer, how, config=settings.ablation, store=store
            )
            readings = stages(f"read {how}", read_prompts)(
                adapter, base, prompts, inference=settings.inference, store=store
            )
            ablated[how] = stages(f"ablate {how}", predict_ratings)(
                readings, data.split, config=settings.predict, store=store, calibrated_by=llm
            )
        if ablated:
            score, seed = settings.score, settings.score.seed
            stages("score ablations", score_ablations)(
                llm, ablated, resamples=score.resamples, seed=seed, store=store
            )
        if memorization:
            stages("measure memorization", measure_memorization)(
                base, data.ratings, config=settings.memorization, store=store
            )

    perturbations = list(settings.ablation.perturbations)
    parents = [parent["kind"] for parent in base.manifest["parents"]]
    if perturbations or Prompts.kind() not in parents:
        ablations(perturbations, memorization=Prompts.kind() not in parents)
