"""The commit of the code that runs."""

import subprocess

from flows.errors import ROOT


def project_commit() -> str | None:
    """The project's commit; None outside of a git checkout."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None
