"""Runs in processes of their own, and what an undisturbed one ends with."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.metrics_db import open_readonly
from tasks.store.reader import FINGERPRINT
from tests.servers import ROOT

FEW = {  # fewer rivals and ablations: all stages are there, and soon done
    "baseline": {
        "rating_models": ["bias"],
        "list_models": ["popularity"],
        "blended": ["llm", "bias"],
    },
    "ablation": {"perturbations": ["empty"]},
    "retrieve": {"candidates": 20},
}
TABLES = (
    "metrics",
    "comparisons",
    "rating_predictions",
    "lists",
    "quarantine",
    "training",
    "ablations",
)


@dataclass(frozen=True)
class Runs:
    """Runs of one kind, beside a server; an undisturbed one lies in `whole`."""

    environment: dict[str, str]
    whole: Path
    data: Path
    seconds: float = 0

    @property
    def overrides(self) -> dict[str, Any]:
        """Of the profile's settings."""
        return FEW | {"ingest": {"data": str(self.data)}}

    def start(
        self,
        root: Path,
        *,
        overrides: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> subprocess.Popen[str]:
        """A run on a store, with the processes that it starts in a group of their own.

        `limit` is the most memory, in bytes, that it may address.
        """
        merged = {**self.overrides, **(overrides or {})}
        assignments = [f"--set={name}={json.dumps(value)}" for name, value in merged.items()]
        run = [sys.executable, "-m", "flows", "nightly", "--profile", "smoke", *assignments]
        if limit:
            run = ["prlimit", f"--as={limit}", *run]
        return subprocess.Popen(
            run,
            cwd=ROOT,
            env=self.environment | {"CONTENT_ADVISOR_STORE": str(root)} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def goes_wrong(self, root: Path, **how: Any) -> str:
        """What a run says that cannot end well."""
        run = self.start(root, **how)
        output, _ = run.communicate()
        assert run.returncode == 1, output
        assert "Traceback" not in output
        assert nothing_half_there(root)
        return output

    def ends_well(self, root: Path) -> str:
        """What a plain rerun says, which ends with what an undisturbed run ends with."""
        run = self.start(root)
        output, _ = run.communicate()
        assert run.returncode == 0, output
        assert without_pages(root) == without_pages(self.whole)
        assert published(root) == published(self.whole)
        assert not list(root.glob("*/*/.draft-*"))
        return output


def artifacts(root: Path) -> dict[str, str]:
    """The manifest of each finished artifact, which has the hashes of its files."""
    return {
        str(manifest.parent.relative_to(root)): manifest.read_text()
        for manifest in root.glob("*/*/[!.]*/manifest.json")
        if FINGERPRINT.fullmatch(manifest.parent.name)  # what is served says since when
    }


def without_pages(root: Path) -> dict[str, str]:
    """The same, but for the pages of runs: these tell how long each stage took."""
    return {name: text for name, text in artifacts(root).items() if "/report/" not in name}


def nothing_half_there(root: Path) -> bool:
    """Whether each finished artifact is as its manifest says, and each published run is whole."""
    for folder, manifest in artifacts(root).items():
        for name, file in json.loads(manifest)["files"].items():
            content = (root / folder / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"], (folder, name)
    if not (root / "artifacts" / "metrics.duckdb").exists():
        return True
    with open_readonly(root / "artifacts" / "metrics.duckdb") as db:
        runs = db.execute("select count(*) from runs").fetchone()
        decided = db.execute("select count(distinct run_id) from champions").fetchone()
        scored = db.execute("select count(distinct run_id) from metrics").fetchone()
    return runs == decided == scored


def published(root: Path) -> list[tuple[object, ...]]:
    """A hash of each table of the metric file that no clock has a part in, and the decisions."""
    with open_readonly(root / "artifacts" / "metrics.duckdb") as db:
        tables = [
            (name, *db.execute(f"select count(*), bit_xor(hash(t)) from {name} t").fetchall())
            for name in TABLES
        ]
        decisions = (
            "select adapter, previous_champion, promoted, reason from champions order by all"
        )
        return [*tables, *db.execute(decisions).fetchall()]
