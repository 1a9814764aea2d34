"""Two adapters in one pass, and several processes: the same bytes as one after the other."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
import torch
from tasks.predict.multi_adapter import Voices

from tasks.hub import load_adapted
from tasks.predict.config import Predict
from tasks.predict.task import predict, predict_together, weigh
from tasks.store.store import Store

ROOT = Path(__file__).resolve().parents[2]
CONFIG = Predict(list_length=4, users_per_part=3)


def test_champion_and_challenger_say_together_what_each_says_alone(
    tmp_path, make_adapter, base, prompts, histories
):
    adapters = {"champion": make_adapter(0), "challenger": make_adapter(1)}
    both = predict_together.fn(
        adapters, base, prompts, histories, config=CONFIG, store=Store(tmp_path)
    )
    for name, adapter in adapters.items():
        config = CONFIG.model_copy(update={"predictor": name})
        alone = predict.fn(adapter, base, prompts, histories, config=config, store=Store(tmp_path))
        for table in ("ratings", "lists"):
            said = both.scan(table).filter(pl.col("predictor").str.starts_with(name)).collect()
            assert said.equals(alone.scan(table).collect())
        assert both.metadata["calibrations"][name] == alone.metadata["calibration"]
    ratings = both.scan("ratings").filter(predictor="champion").select("mean").collect()
    others = both.scan("ratings").filter(predictor="challenger").select("mean").collect()
    assert not ratings.equals(others)


@torch.no_grad()
def test_adapters_that_share_a_base_in_memory_are_heard_apart(make_adapter, base):
    adapters = {"one": make_adapter(0), "other": make_adapter(1)}
    voices = Voices(base, adapters, shared=True)
    tokens = torch.arange(5, 25)[None]
    for name in ("one", "other", "one"):
        alone = load_adapted(base, adapters[name])(input_ids=tokens).logits
        assert torch.equal(voices.speak(name)(input_ids=tokens).logits, alone)
    assert voices.speak("one") is voices.speak("other")


@pytest.fixture
def one_thread():
    """For each worker, too: two of them would wait for each other's on two cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_the_workers_of_a_cluster_say_what_one_process_says(
    tmp_path, cluster, adapter, base, prompts, histories
):
    alone, together = Store(tmp_path / "alone"), Store(tmp_path / "together")
    config = CONFIG.model_copy(update={"cluster": cluster})
    for store, how in ((alone, CONFIG), (together, config)):
        predict.fn(adapter, base, prompts, histories, config=how, store=store)
        weigh.fn(adapter, base, prompts, config=how, store=store)
    files = sorted(file.relative_to(alone.root) for file in alone.root.glob("**/*.parquet"))
    assert len(files) == 4
    for file in files:
        assert (alone.root / file).read_bytes() == (together.root / file).read_bytes()


PROGRAM = """
import pickle, sys
from pathlib import Path
from tasks.predict.task import predict
if __name__ == "__main__":
    doors, config, store = pickle.loads(Path(sys.argv[1]).read_bytes())
    predict.fn(*doors, config=config, store=store)
"""


@pytest.mark.slow
def test_a_night_of_two_processes_is_killed_gone_on_with_and_gives_the_same_bytes(
    tmp_path, adapter, base, prompts, histories
):
    doors, store = (adapter, base, prompts, histories), Store(tmp_path / "killed")
    alone = predict.fn(*doors, config=CONFIG, store=Store(tmp_path / "alone"))
    config = CONFIG.model_copy(update={"workers": 2})
    (program := tmp_path / "night.py").write_text(PROGRAM)
    (told := tmp_path / "told").write_bytes(pickle.dumps((doors, config, store)))
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
    }
    command = [sys.executable, str(program), str(told)]
    with subprocess.Popen(command, env=environment) as night:
        while len(parts := list(store.root.glob("**/parts/*.parquet"))) < 3:
            assert night.poll() is None
            time.sleep(0.005)
        night.send_signal(signal.SIGKILL)
    before = {part: part.stat().st_mtime_ns for part in parts}
    assert not list(store.root.glob("artifacts/predictions/[!.]*"))
    wait_until_still(next(store.root.glob("**/parts")))
    assert all(part.stat().st_mtime_ns == at for part, at in before.items())
    subprocess.run(command, env=environment, check=True)
    (again,) = store.root.glob("artifacts/predictions/[!.]*")
    for name in ("ratings.parquet", "lists.parquet"):
        assert (again / name).read_bytes() == (alone.path / name).read_bytes()


def wait_until_still(folder: Path) -> None:
    """Its processes see that nobody waits for them, and end behind the part they are at."""
    seen: set[str] = set()
    while seen != (now := {file.name for file in folder.iterdir()}):
        seen = now
        time.sleep(1)
