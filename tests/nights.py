"""Nights in processes of their own, and what an undisturbed one ends with."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.metrics_db import open_readonly
from tests.servers import ROOT

CHANGES = {  # fewer rivals and probes: all stages are there, and soon done
    "baseline": {
        "rating_models": ["bias"],
        "list_models": ["popularity"],
        "blended": ["llm", "bias"],
    },
    "probe": {"spoilings": ["empty"]},
    "retrieve": {"candidates": 20},
}
TOLD = ("metrics", "comparisons", "rating_predictions", "lists", "quarantine", "training", "probes")


@dataclass(frozen=True)
class Nights:
    """Nights of one kind, beside a server; an undisturbed one lies in `whole`."""

    environment: dict[str, str]
    whole: Path
    seconds: float

    def start(
        self,
        root: Path,
        *,
        changes: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> subprocess.Popen[str]:
        """A night on a store, with the processes that it starts in a group of their own.

        `limit` is the most memory, in bytes, that it may address.
        """
        told = json.dumps(CHANGES | (changes or {}))
        night = [sys.executable, "-m", "flows.nightly", "--profile", "smoke", "--changes", told]
        if limit:
            night = ["prlimit", f"--as={limit}", *night]
        return subprocess.Popen(
            night,
            cwd=ROOT,
            env=self.environment | {"CONTENT_ADVISOR_STORE": str(root)} | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def goes_wrong(self, root: Path, **how: Any) -> str:
        """What a night says that cannot end well."""
        night = self.start(root, **how)
        said, _ = night.communicate()
        assert night.returncode == 1, said
        assert "Traceback" not in said
        assert nothing_half_there(root)
        return said

    def ends_well(self, root: Path) -> str:
        """What a plain rerun says, which ends with what an undisturbed night ends with."""
        night = self.start(root)
        said, _ = night.communicate()
        assert night.returncode == 0, said
        assert without_pages(root) == without_pages(self.whole)
        assert published(root) == published(self.whole)
        assert not list(root.glob("*/*/.draft-*"))
        return said


def artifacts(root: Path) -> dict[str, str]:
    """The manifest of each finished artifact, which has the hashes of its files."""
    return {
        str(manifest.parent.relative_to(root)): manifest.read_text()
        for manifest in root.glob("*/*/[!.]*/manifest.json")
    }


def without_pages(root: Path) -> dict[str, str]:
    """The same, but for the pages of runs: these tell how long each stage took."""
    return {name: told for name, told in artifacts(root).items() if "/report/" not in name}


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
            for name in TOLD
        ]
        decisions = (
            "select adapter, previous_champion, promoted, reason from champions order by all"
        )
        return [*tables, *db.execute(decisions).fetchall()]
