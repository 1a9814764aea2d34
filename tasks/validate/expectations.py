"""Runs rules as a Great Expectations suite, over all rows, in DuckDB.

`python -m tasks.validate.expectations` takes {"relations", "docs"} as JSON and answers with the
number of broken rows by rule: the library then costs its 250 MB only while it is asked.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.validate.rules import RULES, Relation, Rule


@dataclass(frozen=True)
class Outcome:
    """How many rows broke a rule."""

    rule: Rule
    broken: int

    @property
    def told(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "rule": self.rule.name,
            "relation": self.rule.relation,
            "severity": self.rule.severity,
            "broken": self.broken,
        }


class SuiteError(Exception):
    """Great Expectations could not evaluate a rule."""


def evaluate(relations: Mapping[Relation, str], docs: Path) -> list[Outcome]:
    """Count the rows that break each rule; write the Data Docs into `docs`.

    `relations` gives the query behind each relation that the rules name.
    Raises SuiteError where a rule could not be evaluated: that is no pass and no fail.
    """
    asked = json.dumps({"relations": dict(relations), "docs": str(docs)})
    quiet = {"GX_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "ERROR"}
    done = subprocess.run(
        [sys.executable, "-m", "tasks.validate.expectations"],
        input=asked,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | quiet,
        check=False,
    )
    if done.returncode:
        raise SuiteError(f"the suite could not be run: {_reason(done.stderr, done.returncode)}")
    broken = json.loads(done.stdout.splitlines()[-1])
    return [Outcome(rule, broken[rule.name]) for rule in RULES]


def _reason(trace: str, code: int) -> str:
    """The line of a trace that names the error; a process that was killed leaves none."""
    named = re.findall(r"^[\w.]+(?:Error|Exception)\b.*$", trace, re.MULTILINE)
    return named[-1] if named else f"its process ended with code {code}"


def run_suite(relations: Mapping[Relation, str], docs: Path) -> dict[str, int]:
    """The number of broken rows by rule, in this process."""
    import great_expectations
    from sqlalchemy.dialects import registry

    gx: Any = great_expectations  # what it returns carries types that do not fit
    registry.register("duckdb.staying", "tasks.validate.dialect", "StayingDialect")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql("duckdb", connection_string="duckdb+staying:///:memory:")
    definitions = []
    for relation, query in relations.items():
        rules = [rule for rule in RULES if rule.relation == relation]
        asset = source.add_query_asset(relation, query=_kept_rules(rules, query))
        batch = asset.add_batch_definition_whole_table("all")
        suite = context.suites.add(gx.ExpectationSuite(name=relation))
        for rule in rules:
            suite.add_expectation(_expectation(gx, rule))
        definition = gx.ValidationDefinition(name=relation, data=batch, suite=suite)
        definitions.append(context.validation_definitions.add(definition))
    context.add_data_docs_site("docs", _site(docs))
    checkpoint = gx.Checkpoint(
        name="night",
        validation_definitions=definitions,
        actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=["docs"])],
        # Counts only: a sample of the broken rows would be another pass for each rule.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    run = context.checkpoints.add(checkpoint).run()
    results = [result for told in run.run_results.values() for result in told.results]
    return {result.expectation_config.meta["rule"]: _broken(result) for result in results}


def _kept_rules(rules: Sequence[Rule], query: str) -> str:
    """For each row one column a rule, true where the row keeps it.

    The library counts all columns of a relation in one pass: at 20 million rows a third of the CPU
    seconds of one query a rule.
    """
    columns = ", ".join(f'not coalesce({rule.bad}, true) as "{rule.name}"' for rule in rules)
    return f"select {columns} from ({query})"


def _expectation(gx: Any, rule: Rule) -> Any:  # noqa: ANN401 - the library's classes carry no types
    return gx.expectations.ExpectColumnValuesToBeInSet(
        column=rule.name,
        value_set=[True],
        description=rule.sentence,
        meta={"rule": rule.name, "severity": rule.severity},
    )


def _site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder),
        },
    }


def _broken(result: Any) -> int:  # noqa: ANN401
    told = result.exception_info  # one account, or one a metric where a metric failed
    accounts = [told] if "raised_exception" in told else list(told.values())
    raised = [a["exception_message"] for a in accounts if a["raised_exception"]]
    if raised:
        rule = result.expectation_config.meta["rule"]
        raise SuiteError(f'rule "{rule}" could not be evaluated: {raised[0]}')
    return int(result.result["unexpected_count"])


if __name__ == "__main__":
    request = json.load(sys.stdin)
    print(json.dumps(run_suite(request["relations"], Path(request["docs"]))))
