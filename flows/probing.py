"""Whether the model reads its prompts, or answers from elsewhere."""

from flows.prepare import Prepared
from flows.settings import Settings
from tasks.artifacts import Adapter, Artifact, Base, Predictions, Prompts
from tasks.predict.task import predict, probe_recall
from tasks.prompt.task import spoil_prompts
from tasks.score.task import score_probes
from tasks.store import Store


def probed(
    settings: Settings,
    store: Store,
    data: Prepared,
    base: Base,
    adapter: Adapter,
    said: Predictions,
) -> list[Artifact]:
    """What the model says where contexts are spoilt, beside what it `said` where they are not.

    And what its base knows of the data by heart, unless it was built from the data.
    """
    told: dict[str, Predictions] = {}
    for how in settings.probe.spoilings:
        asked = spoil_prompts(data.prompts, data.tokenizer, how, config=settings.probe, store=store)
        told[how] = predict(
            adapter, base, asked, data.histories,
            config=settings.predict, store=store, calibrated=said,
        )  # fmt: skip
    probes = score_probes(said, told, config=settings.score, store=store)
    if any(parent["kind"] == Prompts.kind() for parent in base.manifest["parents"]):
        return [probes]
    return [probes, probe_recall(base, data.ratings, config=settings.recall, store=store)]
