"""On demand: films for a user of the data, or for a history that somebody tells by hand.

python -m flows.recommend --user 196
python -m flows.recommend "Toy Story (1995)=5" "heat=4" --count 5 --json
"""

import argparse
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from rich.console import Console
from rich.table import Table

from flows.console import quiet
from flows.settings import store_root
from tasks.artifacts import Adapter, Base, Histories, Predictions, Prompts, Tokenizer
from tasks.artifacts import TrustedRatings as Ratings
from tasks.predict.config import Ask
from tasks.predict.task import answer, propose, take_question
from tasks.predict.telling import Advice, advice_of
from tasks.prompt.config import Prompt
from tasks.prompt.task import write_candidates
from tasks.store import Store


def advise(ask: Ask, run: str | None, store: Store) -> Advice:
    """Walk the question through the rooms, in a store of its own that is gone afterwards.

    `run` is the fingerprint of predictions, or its beginning; without it the newest are taken.
    """
    night = store.find(Predictions, run) if run else newest(store)
    histories, ratings = store.parent(Histories, night), store.parent(Ratings, night)
    prompts, base = store.parent(Prompts, night), store.parent(Base, night)
    tokenizer, adapter = store.parent(Tokenizer, night), store.parent(Adapter, night)
    wording = Prompt.model_validate(prompts.manifest["recipe"])
    with tempfile.TemporaryDirectory() as folder:
        own = Store(Path(folder))
        asked = take_question.fn(histories, ratings, config=ask, store=own)
        films = propose.fn(asked, config=ask, store=own)
        candidates = write_candidates.fn(
            asked, ratings, tokenizer, films, config=wording, store=own
        )
        found = answer.fn(adapter, base, candidates, asked, night, config=ask, store=own)
        return advice_of(found, asked, ratings)


def newest(store: Store) -> Predictions:
    """The last that a language model predicted of a night's targets.

    Raises FileNotFoundError where there are none.
    """
    folders = (store.root / Predictions.home / Predictions.kind()).glob("[!.]*")
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        found = store.find(Predictions, folder.name)
        parents = [parent["kind"] for parent in found.manifest["parents"]]
        # Predictions made from predictions are of candidates, not of a night's targets; free text
        # and weights of candidates have no calibration.
        if "calibration" in found.notes and Predictions.kind() not in parents:
            return found
    raise FileNotFoundError("no adapter has predicted yet: run `make nightly` first")


@flow(name="recommend", flow_run_name="recommend-{user}")
def recommend(
    user: int | None = None,
    history: list[str] | None = None,
    count: int = 10,
    run: str | None = None,
) -> dict[str, Any]:
    """Films for a user, or for a history such as ["Toy Story (1995)=5", "Heat=4"]."""
    ask = Ask(user=user, told=tuple(history or ()), at=datetime.now(UTC), list_length=count)
    advice = advise(ask, run, Store(store_root()))
    create_table_artifact(advice.rows(), key="recommendation", description=advice.heading)
    show(advice)
    return advice.json()


def show(advice: Advice) -> None:
    """A table that a person can read."""
    table = Table(title=advice.heading, title_justify="left")
    for name in advice.rows()[0] if advice.films else ():
        table.add_column(name, overflow="fold")
    for row in advice.rows():
        table.add_row(*row.values())
    Console().print(table)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Name films that a user might like.")
    parser.add_argument("history", nargs="*", help='rated films, such as "Toy Story (1995)=5"')
    parser.add_argument("--user", type=int, help="a user of the data instead")
    parser.add_argument("--count", type=int, default=10, help="films to name")
    parser.add_argument("--run", help="fingerprint of the predictions to build on")
    parser.add_argument("--json", action="store_true", help="print JSON")
    typed = parser.parse_args()
    quiet()
    try:
        ask = Ask(
            user=typed.user,
            told=tuple(typed.history),
            at=datetime.now(UTC),
            list_length=typed.count,
        )
        advice = advise(ask, typed.run, Store(store_root()))
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    if typed.json:
        print(json.dumps(advice.json(), indent=1, ensure_ascii=False))
    else:
        show(advice)


if __name__ == "__main__":
    main()
