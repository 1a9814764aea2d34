"""Writes an adapter as a folder that peft alone loads, with its test metrics on the card."""

import json
import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard

from tasks.hub import POINTER
from tasks.metrics_db import open_readonly
from tasks.metrics_location import migrated_metrics
from tasks.readout.anchor import WEIGHT
from tasks.readout.rating_trie import RatingTrie
from tasks.store.artifacts import (
    Adapter,
    Base,
    Prompts,
    RatingPredictions,
    RatingPriors,
    ValidatedRatings,
)
from tasks.store.store import Store
from tasks.text_tokenizer import load_tokenizer

SNIPPET = Path(__file__).with_name("load_adapter.txt")
TOKENIZER = "*token*"  # files of a tokenizer in a base's folder
OF_ADAPTER = ("llm", "ranked")  # predictors whose figures are on the card
ON_CARD = {"rmse": None, "mae": None, "ndcg": 10, "recall": 10}  # metrics and their k
METRICS = """
select predictor, metric, k, relevance, value, ci95_low, ci95_high, n, dataset, protocol
from headline where run_id = ? order by metric desc, predictor"""


def write_adapter_folder(folder: Path, adapter: Adapter, store: Store) -> str:
    """Write weights, base, tokenizer, how a rating is read, and the card; return the run's id.

    A base that is no commit of a hub repository goes along in `base`. Raises LookupError where no
    run of the adapter is published, FileExistsError where the folder has files.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} has files: name a folder that is new or empty")
    run_id, predictions = _find_run(adapter, store)
    base, prompts = store.ancestor(Base, adapter), store.ancestor(Prompts, adapter)
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy2(adapter.path / "adapter_model.safetensors", folder)
    for file in base.path.glob(TOKENIZER):
        shutil.copy2(file, folder)
    location = _write_base(folder, base)
    config = json.loads((adapter.path / "adapter_config.json").read_text())
    where = {"base_model_name_or_path": location["repository"], "revision": location["revision"]}
    (folder / "adapter_config.json").write_text(json.dumps(config | where, indent=2))
    reading = _reading(base, prompts, predictions)
    (folder / "reading.json").write_text(json.dumps(reading, indent=1))
    card = ModelCard.load(adapter.path / "README.md")
    card.data.model_name = f"content-advisor-{config['base_model_name_or_path']}"
    card.data.eval_results = _eval_results(run_id, prompts, store)
    how = SNIPPET.read_text()
    load = 'folder + "/base"'
    if location["revision"]:
        load = '"{repository}", revision="{revision}"'.format_map(location)
    card.content = f"{card.content}\n\n## Use\n```python\n{how.replace('BASE', load)}```\n"
    card.save(folder / "README.md")
    return run_id


def _find_run(adapter: Adapter, store: Store) -> tuple[str, RatingPredictions]:
    """The newest published run of an adapter, and its calibrated predictions."""
    with open_readonly(migrated_metrics(store)) as db:
        found = db.execute(
            "select run_id from stages join runs using (run_id) "
            "where kind = 'adapter' and fingerprint = ? order by run_at desc limit 1",
            [adapter.fingerprint],
        ).fetchone()
        if found is None:
            raise LookupError(
                f"no run of the adapter {adapter.fingerprint} is published: "
                "`advisor rescore` publishes one"
            )
        made = db.execute(
            "with made as (select * from lineage where run_id = ?) "
            "select s.fingerprint from made join stages as s using (run_id, fingerprint) "
            "where s.kind = ? and (parent_fingerprint = ? or parent_fingerprint in "
            "(select fingerprint from made where parent_fingerprint = ?)) order by stage",
            [found[0], RatingPredictions.kind(), *[adapter.fingerprint] * 2],
        ).fetchall()
    return str(found[0]), store.find(RatingPredictions, made[0][0])


def _write_base(folder: Path, base: Base) -> dict[str, str | None]:
    """The repository and commit of a base; one that has none is copied, without its history."""
    if (pointer := base.path / POINTER).exists():
        return dict(json.loads(pointer.read_text()))
    (folder / "base").mkdir()
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        if (file := base.path / name).exists():
            shutil.copy2(file, folder / "base")
    return {"repository": "base", "revision": None}


def _reading(base: Base, prompts: Prompts, predictions: RatingPredictions) -> dict[str, Any]:
    """Tokens of the ratings, and the weights of model, prior and offsets in log p."""
    metadata, calibration = prompts.metadata, predictions.metadata["calibration"]
    paths = RatingTrie.from_tokenizer(
        load_tokenizer(base), metadata["scale"], metadata["rating_prefix"]
    ).paths
    anchored = any(p["kind"] == RatingPriors.kind() for p in prompts.manifest["parents"])
    return {
        "scale": metadata["scale"],
        "tokens": [list(path) for path in paths],
        "model": calibration["gate"] * (WEIGHT if anchored else 1.0),
        "prior": calibration["sharpness"],
        "offsets": calibration["offsets"],
    }


def _eval_results(run_id: str, prompts: Prompts, store: Store) -> list[EvalResult]:
    """Test metrics with 95 % intervals, as the model-index of a card."""
    with open_readonly(migrated_metrics(store)) as db:
        found = db.execute(METRICS, [run_id]).fetchall()
    revision = store.ancestor(ValidatedRatings, prompts).fingerprint
    return [
        EvalResult(
            task_type="other",
            task_name="rating prediction" if k is None else "recommendation",
            dataset_type="movielens",
            dataset_name=dataset,
            dataset_config=protocol,
            dataset_split="test",
            dataset_revision=revision,
            metric_type=metric,
            metric_name=f"{metric}{f'@{k}' if k else ''} of {predictor}",
            metric_value=round(value, 4),
            metric_args={
                "ci95": [round(low, 4), round(high, 4)],
                "n": n,
                **({"k": k, "relevance": relevance} if k else {}),
            },
        )
        for predictor, metric, k, relevance, value, low, high, n, dataset, protocol in found
        if predictor in OF_ADAPTER and metric in ON_CARD and k == ON_CARD[metric]
    ]
