import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import polars as pl
import psutil
import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

from tasks.base.config import BaseModelConfig
from tasks.base.task import build_base, build_tokenizer
from tasks.executor import ClusterError, connect_cluster
from tasks.hub import load_adapted, load_base
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_prompts
from tasks.store.artifacts import Adapter, SplitRatings, ValidatedRatings
from tasks.store.store import Store
from tasks.text_tokenizer import load_tokenizer
from tasks.train.cluster_launch import train_on_cluster
from tasks.train.processes import LOOPBACK, meeting_file, run_processes
from tasks.train.task import train_adapter
from tasks.training.adapter import attach_lora, count_parameters
from tasks.training.config import Lora
from tasks.training.train_model import sample_validation
from tests.servers import wait_until


def hashes(folder):
    measured = ("cost.json", "measured-throughput.json")
    files = (p for p in sorted(folder.iterdir()) if p.name not in measured)
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def adapter(shared_store, base, prompts, train_config):
    return train_adapter.fn(base, prompts, config=train_config, store=shared_store)


def test_the_tokenizer_spells_each_rating_in_one_token(tokenizer):
    loaded = load_tokenizer(tokenizer)
    assert len(loaded) == tokenizer.metadata["vocabulary"] == 600
    text = "Film 3 (1963), Comedy, film 3.9 x4, user new, guess 3.7, Rating: 4.0\n"
    ids = loaded(text)["input_ids"]
    assert loaded.decode(ids) == text
    assert loaded.decode(ids[-2]) == "4.0"


def test_the_loss_of_the_new_bloom_falls_in_training(base, prompts):
    loaded = load_base(base)
    assert loaded.config.model_type == "bloom"
    assert not any(p.requires_grad for p in loaded.parameters())
    history = pl.read_parquet(base.path / "history.parquet")
    assert history["loss"][-1] < history["loss"][1]
    assert base.metadata["name"] == "bloom-mini"
    assert not (base.path / "checkpoint.pt").exists()


def test_training_an_adapter_leaves_the_base_as_it_was(
    shared_store, adapter, base, prompts, train_config
):
    before = hashes(base.path)
    other = train_config.model_copy(update={"fit": train_config.fit.model_copy(update={"seed": 1})})
    train_adapter.fn(base, prompts, config=other, store=shared_store)
    assert hashes(base.path) == before


def test_an_adapter_is_saved_alone_as_safetensors(adapter, base):
    weights = load_file(adapter.path / "adapter_model.safetensors")
    assert len(weights) == 2 * 2  # A and B in each of two layers
    assert all("query_key_value.lora_" in name for name in weights)
    assert any(weight.abs().max() > 0 for name, weight in weights.items() if "lora_B" in name)
    config = json.loads((adapter.path / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (8, 16, 0.1)
    assert config["base_model_name_or_path"] == "bloom-mini"
    assert adapter.metadata["trained_parameters"] == sum(w.numel() for w in weights.values())


def test_its_card_names_what_it_was_made_from_and_its_validation_rmse(adapter, base, prompts):
    card = ModelCard.load(adapter.path / "README.md")
    assert (card.data.base_model, card.data.license) == ("bloom-mini", "Apache-2.0")
    for fact in (prompts.fingerprint, base.fingerprint, "leave-last-4", "r 8, alpha 16"):
        assert fact in card.text
    (result,) = card.data.eval_results
    assert (result.metric_type, result.dataset_split) == ("rmse", "validation")
    assert result.metric_value == pytest.approx(adapter.metadata["validation_rmse"], abs=5e-5)


def test_its_throughput_is_measured(adapter):
    throughput = json.loads((adapter.path / "measured-throughput.json").read_text())
    assert 0 < throughput["mfu"] < 1
    assert throughput["tokens_per_second"] > throughput["ratings_per_second"] > 0
    assert "measured-throughput.json" not in adapter.manifest["files"]


def test_its_history_has_a_row_per_logged_step(adapter):
    history = adapter.scan("history").collect()
    assert history["step"].to_list() == [0, 2, 3, 4, 6]
    assert history["validation_rmse"].is_not_null().to_list() == [True, False, True, False, True]
    assert (history["learning_rate"][1:] > 0).all()
    assert history["tokens"].is_sorted()


def test_a_loaded_adapter_is_the_one_that_was_trained(adapter, base):
    adapted, plain = load_adapted(base, adapter), load_base(base)
    tokens = torch.arange(20)[None]
    with torch.no_grad():
        assert not torch.allclose(adapted(tokens).logits, plain(tokens).logits)
    saved = load_file(adapter.path / "adapter_model.safetensors")
    state = adapted.state_dict()
    for name, weight in saved.items():
        assert torch.equal(state[name.replace(".weight", ".default.weight")], weight)


def test_the_same_inputs_give_the_same_bytes(tmp_path, adapter, base, prompts, train_config):
    again = train_adapter.fn(base, prompts, config=train_config, store=Store(tmp_path))
    assert hashes(again.path) == hashes(adapter.path)


def test_a_finished_adapter_is_reused(shared_store, adapter, base, prompts, train_config):
    again = train_adapter.fn(base, prompts, config=train_config, store=shared_store)
    assert again.cache_hit
    assert again == adapter


@pytest.fixture(scope="module")
def later_prompts(shared_store, ratings, split, tokenizer):
    config = Prompt(
        context_films=6, stride=6, list_length=3, prior="neighbours", learn_from="history"
    )

    def copy_of(artifact, **changes):
        def write(draft):
            own = shutil.ignore_patterns("manifest.json", "cost.json")
            shutil.copytree(artifact.path, draft, ignore=own, dirs_exist_ok=True)
            return artifact.metadata | changes

        return write

    later = shared_store.build(
        ValidatedRatings, recipe={"made": 2}, write=copy_of(ratings, last_day="2020-01-02")
    )
    parents = [later]
    later_split = shared_store.build(SplitRatings, recipe={}, parents=parents, write=copy_of(split))
    return write_prompts.fn(later_split, later, tokenizer, config=config, store=shared_store)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_warm_start_begins_with_the_adapter_of_the_day_before(
    shared_store, adapter, base, later_prompts, train_config, processes
):
    one_tiny_step = train_config.fit.model_copy(update={"learning_rate": 1e-9, "max_steps": 1})
    warm = train_config.model_copy(
        update={"warm_start": True, "fit": one_tiny_step, "processes": processes}, deep=True
    )
    cold = train_config.model_copy(update={"fit": one_tiny_step})
    warmed = train_adapter.fn(base, later_prompts, config=warm, store=shared_store)
    assert warmed.metadata["initial_adapter"] == adapter.fingerprint
    assert shared_store.ancestor(Adapter, warmed).fingerprint == adapter.fingerprint
    before = load_file(adapter.path / "adapter_model.safetensors")
    for name, weight in load_file(warmed.path / "adapter_model.safetensors").items():
        assert torch.allclose(weight, before[name], atol=1e-6), name
    new = train_adapter.fn(base, later_prompts, config=cold, store=shared_store)
    assert new.metadata["initial_adapter"] is None
    assert train_adapter.fn(base, later_prompts, config=warm, store=shared_store).cache_hit


def test_a_warm_start_refuses_an_adapter_of_another_rank(
    shared_store, adapter, base, later_prompts, train_config
):
    warm = train_config.model_copy(update={"warm_start": True, "lora": Lora(r=4)})
    with pytest.raises(ValueError, match=rf"cannot start from the adapter {adapter.fingerprint}"):
        train_adapter.fn(base, later_prompts, config=warm, store=shared_store)


def test_lora_on_bloom_1b7_has_as_many_weights_as_the_original():
    config = AutoConfig.for_model(
        "bloom", vocab_size=250880, hidden_size=2048, n_layer=24, n_head=16
    )
    with torch.device("meta"):
        model = attach_lora(AutoModelForCausalLM.from_config(config), Lora(), seed=0)
    assert count_parameters(model) == (1_572_864, 1_723_981_824)


@pytest.mark.parametrize(
    ("lora", "layers"),
    [
        (
            Lora(targets="all-linear"),
            {"query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"},
        ),
        (Lora(targets=("dense_h_to_4h",)), {"dense_h_to_4h"}),
        (Lora(rank_stabilised=True), {"query_key_value"}),
        (Lora(dora=True), {"query_key_value"}),
    ],
)
def test_adapters_of_each_kind_are_trained_saved_and_loaded(
    shared_store, base, prompts, train_config, lora, layers
):
    other = train_config.model_copy(update={"lora": lora})
    built = train_adapter.fn(base, prompts, config=other, store=shared_store)
    names = load_file(built.path / "adapter_model.safetensors")
    assert {name.split(".lora_")[0].split(".")[-1] for name in names} == layers
    config = json.loads((built.path / "adapter_config.json").read_text())
    assert (config["use_rslora"], config["use_dora"]) == (lora.rank_stabilised, lora.dora)
    load_adapted(base, built)


def test_an_error_for_an_unknown_family_lists_its_linear_layers():
    config = AutoConfig.for_model("gptj", vocab_size=50, n_embd=16, n_layer=1, n_head=2)
    config.rotary_dim = 4
    model = AutoModelForCausalLM.from_config(config)
    with pytest.raises(ValueError, match=r'family "gptj".*fc_in.*q_proj'):
        attach_lora(model, Lora(), seed=0)


def test_a_folder_in_hub_layout_is_a_base_model(
    tmp_path, shared_store, base, prompts, train_config
):
    """The hub's path without the download."""
    folder = tmp_path / "my-model"
    load_base(base).save_pretrained(str(folder))
    load_tokenizer(base).save_pretrained(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"a pickle that must not be loaded")
    choice = BaseModelConfig(name=str(folder))
    tokenizer = build_tokenizer.fn(None, None, config=choice, store=shared_store)
    copy = build_base.fn(tokenizer, prompts, config=choice, store=shared_store)
    assert copy.metadata["name"] == "my-model"
    assert not (copy.path / "pytorch_model.bin").exists()
    for name, weight in load_base(base).state_dict().items():
        assert torch.equal(load_base(copy).state_dict()[name], weight)
    train_adapter.fn(copy, prompts, config=train_config, store=shared_store)


@contextmanager
def listening():
    """The addresses on which children of this process listen during the block."""
    found: set[str] = set()
    ended = threading.Event()
    others = set(psutil.Process().children(recursive=True))  # servers of other tests

    def look():
        while not ended.wait(0.05):
            with suppress(psutil.NoSuchProcess):
                for child in set(psutil.Process().children(recursive=True)) - others:
                    sockets = child.net_connections("inet")
                    found.update(s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN)

    looking = threading.Thread(target=look)
    looking.start()
    yield found
    ended.set()
    looking.join()


@pytest.fixture(scope="module")
def of_two_processes(shared_store, base, prompts, train_config):
    """(adapter, addresses on which its processes listened)."""
    two = train_config.model_copy(update={"processes": 2, "lora": Lora(dropout=0)})
    with listening() as addresses:
        adapter = train_adapter.fn(base, prompts, config=two, store=shared_store)
    return adapter, addresses


def test_two_processes_listen_on_loopback_only(of_two_processes):
    adapter, addresses = of_two_processes
    assert addresses == {"127.0.0.1"}
    assert not list(adapter.path.glob(".*"))


def test_two_processes_learn_what_one_learns(
    shared_store, base, prompts, train_config, of_two_processes
):
    """At the same global batch, without dropout, whose masks differ between processes."""
    one = train_config.model_copy(update={"lora": Lora(dropout=0)})
    alone, together = (
        train_adapter.fn(base, prompts, config=one, store=shared_store),
        of_two_processes[0],
    )
    for column in ("loss", "validation_loss", "validation_rmse"):
        expected = alone.scan("history").collect()[column].drop_nulls().to_list()
        actual = together.scan("history").collect()[column].drop_nulls().to_list()
        assert actual == pytest.approx(expected, rel=1e-4)
    weights = load_file(together.path / "adapter_model.safetensors")
    for name, weight in load_file(alone.path / "adapter_model.safetensors").items():
        assert torch.allclose(weight, weights[name], atol=1e-3), name


def test_the_workers_of_a_cluster_learn_what_two_processes_learn(
    tmp_path, shared_store, cluster, base, prompts, train_config
):
    """Bit for bit: a sum of two numbers does not depend on where they come from."""
    two = train_config.model_copy(update={"processes": 2, "lora": Lora(dropout=0)})
    there = two.model_copy(update={"dask_address": cluster})
    alone = train_adapter.fn(base, prompts, config=two, store=shared_store)
    together = train_adapter.fn(base, prompts, config=there, store=Store(tmp_path))
    assert hashes(together.path) == hashes(alone.path)


def test_a_cluster_with_too_few_workers_or_without_the_draft_is_refused(
    tmp_path, store, cluster, base, prompts, train_config
):
    three = {"processes": 3, "dask_address": cluster}
    with pytest.raises(ClusterError, match=r"processes is 3, and the cluster has 2 workers"):
        train_adapter.fn(base, prompts, config=train_config.model_copy(update=three), store=store)
    with (
        connect_cluster(cluster, store, [base]) as workers,
        pytest.raises(ClusterError, match=r"does not see .*nowhere: .* on a mount that they share"),
    ):
        train_on_cluster("{}", tmp_path / "nowhere" / ".rendezvous" / "x", 2, workers)


ENDLESS = """
import sys
from pathlib import Path
from tasks.store.artifacts import Base, Prompts
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.train.task import train_adapter

built, here = Store(Path(sys.argv[1])), Store(Path(sys.argv[2]))
base, prompts = built.find(Base, sys.argv[3]), built.find(Prompts, sys.argv[4])
config = Train.model_validate_json(sys.argv[5])
config = config.model_copy(update={"dask_address": sys.argv[6] or None})
train_adapter.fn(base, prompts, config=config, store=here)
"""


def trainers(root):
    """The training processes that write to a store."""
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    return [
        words for words in commands if "tasks.train.worker" in words and str(root) in str(words)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["here", "on a cluster"])
def test_training_processes_end_with_a_killed_run(
    tmp_path, shared_store, cluster, base, prompts, train_config, where
):
    fit = train_config.fit.model_copy(update={"epochs": 1000.0, "max_steps": None})
    endless = train_config.model_copy(update={"processes": 2, "fit": fit})
    names = map(str, (shared_store.root, tmp_path, base.fingerprint, prompts.fingerprint))
    address = cluster if where == "on a cluster" else ""
    command = [sys.executable, "-c", ENDLESS, *names, endless.model_dump_json(), address]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": "."}) as run:
        wait_until(lambda: list(tmp_path.glob("*/adapter/.draft-*/checkpoint.pt")), seconds=180)
        assert trainers(tmp_path)
        run.kill()
    wait_until(lambda: not trainers(tmp_path), seconds=60)


KILLED = """
import sys
from pathlib import Path
from tasks.store.artifacts import Base, Prompts
from tasks.training.trainer import Trainer
from tasks.store.store import Store
from tasks.train.config import Train
from tasks.train.task import train_adapter
import os, signal

step = Trainer._step
def step_and_die(self, *args):
    step(self, *args)
    if self.progress.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
Trainer._step = step_and_die
built, here = Store(Path(sys.argv[1])), Store(Path(sys.argv[2]))
base, prompts = built.find(Base, sys.argv[3]), built.find(Prompts, sys.argv[4])
train_adapter.fn(base, prompts, config=Train.model_validate_json(sys.argv[5]), store=here)
"""


def test_a_killed_training_resumes_to_the_bytes_of_an_uninterrupted_one(
    tmp_path, shared_store, adapter, base, prompts, train_config
):
    arguments = [shared_store.root, tmp_path, base.fingerprint, prompts.fingerprint]
    command = [sys.executable, "-c", KILLED, *map(str, arguments), train_config.model_dump_json()]
    environment = {**os.environ, "PYTHONPATH": "."}
    killed = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    draft = tmp_path / "artifacts" / "adapter" / f".draft-{adapter.fingerprint}"
    assert (draft / "checkpoint.pt").exists()
    again = train_adapter.fn(base, prompts, config=train_config, store=Store(tmp_path))
    assert hashes(again.path) == hashes(adapter.path)


def test_validation_uses_the_kinds_that_are_learnt(prompts, train_config):
    chosen = sample_validation(prompts, train_config.fit)
    assert len(chosen) == 8
    assert {len(example.branches) for example in chosen} == {1, 4}
    ratings = train_config.fit.model_copy(update={"kinds": ("rate",)})
    assert {len(example.branches) for example in sample_validation(prompts, ratings)} == {4}


def test_when_one_process_dies_the_others_end(tmp_path):
    """Two of three wait for the third until one of them is killed."""
    killed = []

    def kill_one():
        found = [p for p in psutil.Process().children() if "tasks.train.worker" in p.cmdline()]
        if not killed and len(found) == 2:
            killed.append(found[0])
            found[0].kill()
        return False

    spec = json.dumps(dict.fromkeys(("draft", "base", "prompts"), str(tmp_path)))
    code = run_processes(spec, meeting_file(tmp_path), [0, 1], 3, kill_one, LOOPBACK)
    assert code == -signal.SIGKILL
    assert not trainers(tmp_path)
