"""How long a worker waits for a flow's file, beyond importing Prefect itself.

    python -m bench.loading --json loading.json

Each file is imported in fresh processes, behind Prefect, whose own import stands beside as
`prefect`. Wall and CPU seconds, medians over the runs.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
TIMED = """
import json, time
clocks = {{"wall": time.perf_counter, "cpu": time.process_time}}
import {before}
began = {{name: clock() for name, clock in clocks.items()}}
import {module}
print(json.dumps({{name: clock() - began[name] for name, clock in clocks.items()}}))
"""


def seconds(module: str, runs: int, before: str) -> dict[str, float]:
    """Medians of so many processes, each of which has imported `before` already."""
    command = [sys.executable, "-c", TIMED.format(module=module, before=before)]
    measured = [
        json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)
        for _ in range(runs)
    ]
    return {clock: round(median(run[clock] for run in measured), 2) for clock in measured[0]}


def main() -> None:
    """Measure, print, and write JSON where --json is given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write all figures there")
    arguments = parser.parse_args()
    flows = sorted(f.stem for f in (ROOT / "flows").glob("*.py") if "@flow" in f.read_text())
    figures = {"prefect": seconds("prefect.flows", arguments.runs, "sys")}
    for name in flows:
        figures[name] = seconds(f"flows.{name}", arguments.runs, "prefect.flows")
    print(json.dumps(figures, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
