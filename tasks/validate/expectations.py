"""Runs the rules as a Great Expectations checkpoint over all rows, in DuckDB.

`python -m tasks.validate.expectations` reads {"relations", "docs"} as JSON and prints the number
of violations by rule. In a process of its own, the library's 250 MB are freed afterwards.
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

from tasks.validate.offline_docs import make_offline
from tasks.validate.rules import RULES, Relation, Rule


@dataclass(frozen=True)
class Outcome:
    """How many rows violate a rule."""

    rule: Rule
    violations: int

    def to_dict(self) -> dict[str, Any]:
        """The entry in the manifest."""
        return {
            "rule": self.rule.name,
            "relation": self.rule.relation,
            "severity": self.rule.severity,
            "violations": self.violations,
        }


class SuiteError(Exception):
    """Great Expectations could not evaluate a rule."""


def evaluate(relations: Mapping[Relation, str], docs: Path) -> list[Outcome]:
    """Count the violations of each rule; write the Data Docs into `docs`.

    `relations` has the query of each relation that the rules name.
    Raises SuiteError where a rule could not be evaluated, which neither passes nor fails.
    """
    request = json.dumps({"relations": dict(relations), "docs": str(docs)})
    environment = {"GX_ANALYTICS_ENABLED": "false", "PREFECT_LOGGING_LEVEL": "ERROR"}
    completed = subprocess.run(
        [sys.executable, "-m", "tasks.validate.expectations"],
        input=request,
        capture_output=True,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | environment,
        check=False,
    )
    if completed.returncode:
        raise SuiteError(f"the suite could not be run: {_last_error(completed)}")
    violations = json.loads(completed.stdout.splitlines()[-1])
    return [Outcome(rule, violations[rule.name]) for rule in RULES]


def _last_error(process: subprocess.CompletedProcess[str]) -> str:
    """The line of the traceback that names the error; a killed process leaves none."""
    errors = re.findall(r"^[\w.]+(?:Error|Exception)\b.*$", process.stderr, re.MULTILINE)
    return errors[-1] if errors else f"its process ended with code {process.returncode}"


def run_suite(relations: Mapping[Relation, str], docs: Path) -> dict[str, int]:
    """Count violations by rule, in this process."""
    import great_expectations
    from sqlalchemy.dialects import registry

    gx: Any = great_expectations  # its annotations contradict what it returns
    registry.register("duckdb.autocommit", "tasks.validate.dialect", "AutocommitDialect")
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql(
        "duckdb", connection_string="duckdb+autocommit:///:memory:"
    )
    definitions = []
    for relation, query in relations.items():
        rules = [rule for rule in RULES if rule.relation == relation]
        asset = source.add_query_asset(relation, query=_expectation_columns(rules, query))
        batch = asset.add_batch_definition_whole_table("all")
        suite = context.suites.add(gx.ExpectationSuite(name=relation))
        for rule in rules:
            suite.add_expectation(_build_expectation(gx, rule))
        definition = gx.ValidationDefinition(name=relation, data=batch, suite=suite)
        definitions.append(context.validation_definitions.add(definition))
    context.add_data_docs_site("docs", _docs_site(docs))
    checkpoint = gx.Checkpoint(
        name="run",
        validation_definitions=definitions,
        actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=["docs"])],
        # Counts only: samples of the violations would take another pass for each rule.
        result_format={"result_format": "BASIC", "partial_unexpected_count": 0},
    )
    run = context.checkpoints.add(checkpoint).run()
    make_offline(docs)
    results = [result for suite in run.run_results.values() for result in suite.results]
    return {result.expectation_config.meta["rule"]: _count_violations(result) for result in results}


def _expectation_columns(rules: Sequence[Rule], query: str) -> str:
    """One column a rule, true where the row conforms.

    The library counts all columns of a relation in one pass: at 20 million rows, a third of the
    CPU time of one query a rule.
    """
    columns = ", ".join(f'not coalesce({rule.violation}, true) as "{rule.name}"' for rule in rules)
    return f"select {columns} from ({query})"


def _build_expectation(gx: Any, rule: Rule) -> Any:  # noqa: ANN401 - the library is untyped
    return gx.expectations.ExpectColumnValuesToBeInSet(
        column=rule.name,
        value_set=[True],
        description=rule.sentence,
        meta={"rule": rule.name, "severity": rule.severity},
    )


def _docs_site(folder: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(folder),
        },
    }


def _count_violations(result: Any) -> int:  # noqa: ANN401
    info = result.exception_info  # one entry, or one a metric where a metric failed
    entries = [info] if "raised_exception" in info else list(info.values())
    errors = [entry["exception_message"] for entry in entries if entry["raised_exception"]]
    if errors:
        rule = result.expectation_config.meta["rule"]
        raise SuiteError(f'rule "{rule}" could not be evaluated: {errors[0]}')
    return int(result.result["unexpected_count"] or 0)  # None for a relation without rows


if __name__ == "__main__":
    request = json.load(sys.stdin)
    print(json.dumps(run_suite(request["relations"], Path(request["docs"]))))
