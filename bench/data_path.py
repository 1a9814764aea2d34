"""Measures the way from CSV to tokenised prompts beside a bare copy, pandas and a loop.

    python -m bench.data_path --json data.json              20 million ratings
    python -m bench.data_path --rows 500000                 a try
    python -m bench.data_path --grow --json data.json       5, 20 and 60 million, for growth

The floor is DuckDB's order-keeping copy of the same CSV file to Parquet. Ours is ingest,
validation and split, as the profile `nightly` sets them, and prompts of every user with damped
biases as the prior, in a process of its own: all of its CPU seconds count, those of imports too,
while of the others only the work does. The profile itself has prompts of the users of its prior
only, a tenth of the work. Not counted is the tokenizer, which a run fetches with its base model;
here one is trained on the films' lines. Pandas and the loop get 1 % of the users, and are
extrapolated by their ratings.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.movielens_like import ROWS, write_data_set
from flows.settings import PROFILES, Settings
from tasks.ingest.task import ingest_ratings
from tasks.prompt.task import write_prompts
from tasks.split.task import split_ratings
from tasks.store.artifacts import Tokenizer
from tasks.store.store import Store
from tasks.validate.task import validate_ratings

SMALL, LARGE = 5_000_000, 60_000_000


def settings_of(data: Path) -> Settings:
    """The split of the profile `nightly` on local data, and prompts that need no fitted prior."""
    profile = tomllib.loads((PROFILES / "nightly.toml").read_text())
    prompt = {"learn_from": "history", "max_windows": 1, "prior": "bias"}
    wanted = {"ingest": {"data": str(data)}, "split": profile["split"], "prompt": prompt}
    return Settings.model_validate(wanted)


def prompts_of(data: Path, root: Path) -> None:
    """Run the stages from ingest to prompts."""
    settings, store = settings_of(data), Store(root)
    tokenizer = store.find_all(Tokenizer)[-1]
    raw = ingest_ratings.fn(config=settings.ingest, store=store)
    ratings = validate_ratings.fn(raw, config=settings.validation, store=store)
    split = split_ratings.fn(ratings, config=settings.split, store=store)
    write_prompts.fn(split, ratings, tokenizer, config=settings.prompt, store=store)
    for kind in ("raw-ratings", "validated-ratings", "split-ratings", "prompts"):
        for file in store.root.glob(f"*/{kind}/*/cost.json"):
            cost = json.loads(file.read_text())
            print(f"  {kind:<16} {cost['cpu_seconds']:8.1f} CPU s")


def cost_of(way: str, data: Path, root: Path) -> tuple[float, float]:
    """CPU seconds and peak gigabytes of one way in a process of its own."""
    command = [sys.executable, "-m", "bench.data_path", "--way", way, str(data), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        output = running.stdout.read()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{way} ended with {running.returncode}: see above")
    *stages, cpu = output.splitlines()
    peak = usage.ru_maxrss * 1024 / 1e9
    print(*stages, f"{way:<18} {float(cpu):8.1f} CPU s  {peak:5.2f} GB", sep="\n", flush=True)
    return float(cpu), peak


def spent() -> float:
    """CPU seconds of this process until now, and of those that it has started."""
    return sum(os.times()[:4])


def walk(way: str, data: Path, root: Path) -> None:
    """Go one way in this process, and print the CPU seconds: ours are counted from its start."""
    if way == "ours":
        prompts_of(data, root)
        print(spent())
        return
    from bench import data_path_peers as peers

    ways = {"floor": peers.copied, "pandas": peers.pandas_way, "loop": peers.looped}
    began = spent()
    ways[way](data, root)
    print(spent() - began)


def measured(rows: int, folder: Path, runs: int, peers: bool = True) -> dict[str, float]:
    """Medians of CPU seconds, ours and with `peers` the others', with ratios; our highest peak."""
    from bench.data_path_peers import learn_tokenizer, sampled

    data, root = folder / f"like-{rows}", folder / f"store-{rows}"
    if not (data / "ratings.csv").exists():
        write_data_set(data, rows=rows)

    def from_nothing() -> tuple[float, float]:
        shutil.rmtree(root, ignore_errors=True)
        learn_tokenizer(data, Store(root))
        return cost_of("ours", data, root)

    def typical(way: str, data: Path, root: Path) -> float:
        return median(cost_of(way, data, root)[0] for _ in range(runs))

    ours = [from_nothing() for _ in range(runs)]
    cpu, peak = median(cpu for cpu, _ in ours), max(peak for _, peak in ours)
    figures = {"rows": rows, "cpu_seconds": cpu, "peak_gb": peak}
    if not peers:
        return figures
    floor = typical("floor", data, folder)
    sample, share = sampled(data, folder / f"sample-{rows}")
    pandas, loop = (typical(way, sample, root) for way in ("pandas", "loop"))
    return figures | {
        "floor_cpu_seconds": floor,
        "cpu_ratio_to_floor": cpu / floor,
        "speedup_pandas": pandas / share / cpu,
        "speedup_loop": loop / share / cpu,
    }


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--runs", type=int, default=3, help="medians of so many")
    parser.add_argument("--grow", action="store_true", help="5 and 60 million ratings, too")
    parser.add_argument("--folder", type=Path, help="where data sets lie, and stay")
    parser.add_argument("--json", type=Path, help="write all figures there")
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)  # of the processes
    arguments = parser.parse_args()
    if arguments.way:
        walk(arguments.way[0], Path(arguments.way[1]), Path(arguments.way[2]))
        return
    with TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        figures = measured(arguments.rows, folder, arguments.runs)
        if arguments.grow:
            small, large = (
                measured(rows, folder, arguments.runs, peers=False) for rows in (SMALL, LARGE)
            )
            per_row = {n: f["cpu_seconds"] / f["rows"] for n, f in (("5", small), ("60", large))}
            figures["growth_5m_60m"] = per_row["60"] / per_row["5"]
            figures["memory_growth_20m_60m"] = large["peak_gb"] / figures["peak_gb"]
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
