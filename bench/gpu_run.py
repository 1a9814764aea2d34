"""Runs profile nightly on a few users with random weights of BLOOM-1b7's shape; prints its stages.

The base is a local folder in hub layout, with a tokenizer that splits words as BLOOM's does and is
trained on the titles: lines have about as many tokens, and half stars are spelt in three.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from bench.train_samples import SHAPES, save_random

ROOT = Path(__file__).resolve().parent.parent
WORDS = r" ?[^(\s|[.,!?…。，、।۔،])]+"  # of BLOOM's tokenizer.json
VOCABULARY = 4096  # from ten thousand titles: with more, a title is one token


def write_base(folder: Path, shape: str, titles: list[str]) -> int:
    """Write weights, configuration and tokenizer; return the tokens of the mean title."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["<s>", "</s>", "<pad>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(titles, trainer)
    save_random(SHAPES[shape], folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>"
    ).save_pretrained(str(folder))
    return sum(len(tokenizer.encode(title)) for title in titles) // len(titles)


def write_few_users(source: Path, folder: Path, users: int) -> None:
    """The ratings of so many users of MovieLens, every tenth or so, and all films."""
    ratings = pl.read_csv(source / "ratings.csv")
    every = max(1, ratings["userId"].n_unique() // users)
    chosen = ratings["userId"].unique().sort().gather_every(every).head(users)
    folder.mkdir()
    ratings.filter(pl.col("userId").is_in(chosen.implode())).write_csv(folder / "ratings.csv")
    (folder / "movies.csv").write_bytes((source / "movies.csv").read_bytes())


def stages(root: Path, memory: list[tuple[float, float]]) -> list[dict[str, Any]]:
    """What each artifact of the store cost, in the order in which they were finished.

    `memory` are times and what was in use on the GPU, in GB.
    """
    files = sorted(root.glob("artifacts/*/*/cost.json"), key=lambda file: file.stat().st_mtime)
    rows = []
    for file in files:
        cost, end = json.loads(file.read_text()), file.stat().st_mtime
        used = [gb for at, gb in memory if end - cost["seconds"] <= at <= end]
        peak = {"gpu_peak_gb": max(used, default=None)}
        rows.append({"kind": file.parent.parent.name, **cost, **peak})
    return rows


@contextmanager
def sample_memory() -> Iterator[list[tuple[float, float]]]:
    """Times, twice a second, and the memory in use on the first GPU, in GB; none without a GPU."""
    samples: list[tuple[float, float]] = []
    if not shutil.which("nvidia-smi"):
        yield samples
        return
    query = ["nvidia-smi", "--id=0", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    with subprocess.Popen([*query, "-lms", "500"], stdout=subprocess.PIPE, text=True) as driver:

        def read() -> None:
            samples.extend((time.time(), int(line) * 2**20 / 1e9) for line in driver.stdout or ())

        reader = threading.Thread(target=read)
        reader.start()
        yield samples
        driver.terminate()
        reader.join()


def main() -> None:
    """Print the run's seconds, its stages, and what it served."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("weights", type=Path, help="a folder for the base model")
    parser.add_argument("data", type=Path, help="a folder of MovieLens")
    parser.add_argument("users", type=int)
    parser.add_argument("--set", action="append", default=[], help="settings of the run")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    titles = pl.read_csv(arguments.data / "movies.csv")["title"].to_list()
    base = arguments.weights / "bloom-run"
    tokens = write_base(base, arguments.shape, titles)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_few_users(arguments.data, root / "csv", arguments.users)
        command = [sys.executable, "-m", "flows", "nightly", "--profile=nightly"]
        settings = [f"base.name={base}", f"encoder.name={base}", f"ingest.data={root / 'csv'}"]
        settings += arguments.set
        command += [f"--set={setting}" for setting in settings]
        environment = os.environ | {"CONTENT_ADVISOR_STORE": str(root / "store")}
        start = time.perf_counter()
        with sample_memory() as memory:
            ran = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr)
        seconds = round(time.perf_counter() - start, 1)
        found = {
            "exit_code": ran.returncode,
            "seconds": seconds,
            "users": arguments.users,
            "tokens_per_title": tokens,
            "gpu_peak_gb": max((gb for _, gb in memory), default=None),
            "stages": stages(root / "store", memory),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
