"""Back to an earlier champion.

python -m flows.rollback [--to FINGERPRINT]
"""

import argparse
import sys

from prefect import flow

from flows.console import quiet
from flows.settings import the_store
from tasks.publish.task import roll_back
from tasks.store.remote.errors import RemoteError


@flow(name="rollback", flow_run_name="rollback-{to}")
def rollback(to: str = "the one before") -> str:
    """Make an earlier champion champion again, by the beginning of its fingerprint.

    Returns its whole fingerprint. Raises LookupError where no one earlier champion is meant.
    """
    return roll_back(to="" if to == "the one before" else to, store=the_store())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Make an earlier champion champion again.")
    parser.add_argument("--to", default="", help="beginning of its fingerprint; the one before")
    asked = parser.parse_args()
    quiet()
    try:
        print(f"champion: {roll_back.fn(to=asked.to, store=the_store())}")
    except (LookupError, FileNotFoundError, RemoteError) as error:
        sys.exit(f"error: {error.args[0]}")


if __name__ == "__main__":
    main()
