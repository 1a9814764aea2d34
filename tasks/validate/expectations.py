"""Runs rules as a Great Expectations suite, over all rows, in DuckDB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb_engine
import great_expectations as gx
from sqlalchemy.dialects import registry

from tasks.validate.rules import Rule


class StayingDialect(duckdb_engine.Dialect):
    """DuckDB without transactions.

    duckdb-engine 0.17 ends one before Great Expectations has read its rows, which then are none.
    """

    supports_statement_cache = False

    def do_begin(self, connection: object) -> None:
        """Nothing."""

    def do_commit(self, connection: object) -> None:
        """Nothing."""

    def do_rollback(self, connection: object) -> None:
        """Nothing."""


@dataclass(frozen=True)
class Outcome:
    """How many rows broke a rule."""

    rule: Rule
    broken: int


class SuiteError(Exception):
    """Great Expectations could not evaluate a rule."""


def evaluate(rules: Sequence[Rule], relations: Mapping[str, str], docs: Path) -> list[Outcome]:
    """Count the rows that break each rule; write the Data Docs into `docs`.

    `relations` gives the query behind each relation that the rules name.
    Raises SuiteError where a rule could not be evaluated: that is no pass and no fail.
    """
    registry.register("duckdb.staying", StayingDialect.__module__, StayingDialect.__name__)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_sql("duckdb", connection_string="duckdb+staying:///:memory:")
    definitions = []
    for relation, query in relations.items():
        batch = source.add_query_asset(relation, query=query).add_batch_definition_whole_table(
            "all"
        )
        suite = context.suites.add(gx.ExpectationSuite(name=relation))
        for rule in (rule for rule in rules if rule.relation == relation):
            suite.add_expectation(_expectation(rule))
        definition = gx.ValidationDefinition(name=relation, data=batch, suite=suite)
        definitions.append(context.validation_definitions.add(definition))
    context.add_data_docs_site("docs", _site(docs))
    checkpoint = gx.Checkpoint(
        name="night",
        validation_definitions=definitions,
        actions=[gx.checkpoint.UpdateDataDocsAction(name="docs", site_names=["docs"])],
        result_format="SUMMARY",
    )
    run = context.checkpoints.add(checkpoint).run()
    found = {
        result.expectation_config.meta["rule"]: result
        for validation in run.run_results.values()
        for result in validation.results
    }
    return [Outcome(rule, _broken(rule, found[rule.name])) for rule in rules]


def _expectation(rule: Rule) -> Any:  # noqa: ANN401 - the library's classes carry no types
    return gx.expectations.UnexpectedRowsExpectation(
        unexpected_rows_query=f"select * from {{batch}} where {rule.bad}",
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


def _broken(rule: Rule, result: Any) -> int:  # noqa: ANN401
    if result.exception_info.get("raised_exception"):
        raise SuiteError(
            f'rule "{rule.name}" could not be evaluated: '
            f"{result.exception_info['exception_message']}"
        )
    return int(result.result["observed_value"])
