"""The page of a run shows the figures of the metrics database, and escapes titles."""

import datetime as dt
import re
from xml.etree import ElementTree

import duckdb
import polars as pl
import pytest
from markupsafe import escape

from tasks.metrics_db import open_readonly, read_leaderboard
from tasks.metrics_location import metrics_path
from tasks.publish.task import publish
from tasks.report.page import render_page
from tasks.report.summary_text import summary_text
from tasks.report.task import write_report
from tasks.score.task import Score, score
from tasks.serve.figures import Figures
from tasks.serve.record import Serve
from tasks.serve.task import record_serve
from tasks.store.artifacts import RankedLists, SplitRatings, ValidatedRatings

EVIL = ["<script>alert(1)</script>", "'); drop table runs; --\u202e", 'a "b" & {{ run }} <b>']


def renamed(table):
    evil = pl.lit(pl.Series(EVIL)).gather(pl.col("film_id").fill_null(0) % len(EVIL))
    return table.with_columns(title=evil).collect()


@pytest.fixture
def page_of_run(store, split, ratings, predict, rank, challenge):
    """The page of a run whose films have evil titles, and its id."""

    def films(draft):
        renamed(ratings.scan("films")).write_parquet(draft / "films.parquet")
        for name in ("ratings", "quarantine"):
            ratings.scan(name).collect().write_parquet(draft / f"{name}.parquet")
        return ratings.metadata

    evil = store.build(ValidatedRatings, recipe={"evil": True}, write=films)

    def with_evil_titles(made):
        def write(draft):
            renamed(made.scan("lists")).write_parquet(draft / "lists.parquet")

        return store.build(RankedLists, recipe={"evil": True}, parents=[made], write=write)

    predictions = [predict("llm"), predict("bias")]
    lists = [with_evil_titles(rank("llm")), with_evil_titles(rank("bias"))]
    config = Score(ks=(5, 10), resamples=100)
    scores = score.fn(split, evil, predictions, lists, config=config, store=store)
    handles = [evil, split, *predictions, *lists]
    run_id = publish.fn(
        scores, handles, profile="<i>", commit=None, challenge=challenge(), store=store
    )
    made = write_report.fn(run_id, scores, store=store)
    return (made.path / "report.html").read_text(), run_id


def test_runs_are_drawn_as_a_line_with_a_band(page_of_run, store, split, predict, rank, challenge):
    html, first = page_of_run
    assert "<svg" not in html.split("<h2>Trend")[1]
    parts = [predict("llm"), predict("bias")], [rank("llm"), rank("bias")]
    config = Score(ks=(5,), resamples=101)
    (ratings, *_) = store.find_all(ValidatedRatings)
    scores = score.fn(split, ratings, *parts, config=config, store=store)
    run_id = publish.fn(
        scores,
        [ratings, split, *parts[0], *parts[1]],
        profile="next",
        commit=None,
        challenge=challenge(),
        store=store,
    )
    page = (write_report.fn(run_id, scores, store=store).path / "report.html").read_text()
    drawn = page.split("<h2>Trend")[1]
    assert len(re.findall(r"<title>[\d-]+: [\d.]+</title>", drawn)) == 2
    assert first in drawn
    assert run_id in drawn


def test_protocols_of_the_same_data_stand_side_by_side(
    page_of_run, store, split, ratings, predict, rank, challenge
):
    html, _ = page_of_run
    assert "By protocol" not in html

    def under_another_protocol(draft):
        split.scan("ratings").collect().write_parquet(draft / "ratings.parquet")
        return split.metadata | {"protocol": "legacy"}

    other = store.build(
        SplitRatings, recipe={"other": 1}, parents=[ratings], write=under_another_protocol
    )
    parts = [predict("llm"), predict("bias")], [rank("llm"), rank("bias")]
    scores = score.fn(other, ratings, *parts, config=Score(ks=(5,), resamples=100), store=store)
    run_id = publish.fn(
        scores,
        [ratings, other, *parts[0], *parts[1]],
        profile="old",
        commit=None,
        challenge=challenge(),
        store=store,
    )
    page = (write_report.fn(run_id, scores, store=store).path / "report.html").read_text()
    shown = page.split("<h2>By protocol")[1]
    assert re.findall(r'<th class="number">(.*?)</th>', shown)[:2] == ["leave-last-2", "legacy"]
    figures = {row[:3]: row[3] for row in read_leaderboard(metrics_path(store), run_id)}
    figure = f'<td class="number">{figures["bias", "rmse", None]:.4f}</td>'
    assert f"<td>bias</td>{figure}{figure}" in shown


def test_titles_are_escaped(page_of_run, store):
    html, _ = page_of_run
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "&#39;); drop table runs; --\\u202e" in html
    assert "\u202e" not in html
    assert "a &#34;b&#34; &amp; {{ run }} &lt;b&gt;" in html
    with open_readonly(metrics_path(store)) as db:
        assert db.execute("select count(*) from runs").fetchall() == [(1,)]


def test_the_decision_about_the_adapter_is_shown(page_of_run, challenge):
    html, _ = page_of_run
    sentence = (
        f"The adapter {challenge().challenger.fingerprint} was promoted to champion: the first"
    )
    assert sentence in html


def test_a_page_loads_nothing(page_of_run):
    html, _ = page_of_run
    assert not re.search(r"src=|<link|url\(|@import|https?://", html)


def test_a_page_links_to_the_validation_of_its_data(page_of_run, store):
    html, _ = page_of_run
    (page,) = (path.parent for path in store.root.glob("artifacts/report/*/report.html"))
    (link,) = re.findall(r'href="([^"]*)"', html)
    data = (page / link.removesuffix("/measured-docs/index.html")).resolve()
    assert data in {ratings.path.resolve() for ratings in store.find_all(ValidatedRatings)}


def test_every_section_is_there_with_the_figures_of_the_metrics_database(page_of_run, store):
    html, run_id = page_of_run
    sections = re.findall(r"<h2>(.*?)</h2>", html)
    assert sections == [
        "Findings", "Leaderboard", "RMSE by slice", "Calibration", "Expected and true ratings",
        "Training", "Trend", "Ten users", "Data", "Cost",
    ]  # fmt: skip
    figures = {row[:3]: row[3:] for row in read_leaderboard(metrics_path(store), run_id)}
    value, low, high = figures["llm", "rmse", None]
    assert f"llm: {value:.4f} [{low:.4f}, {high:.4f}]" in html
    assert "The difference is inconclusive: its 95 % interval is" in html


def test_what_the_language_models_add_to_lists_is_among_the_first_sentences(
    store, split, ratings, predict, rank, challenge
):
    """With them one of two users finds the one liked film at rank 2, without them nobody does."""
    misses = {1: [6, 7, 4, 3], 2: [6, 7, 4, 2]}
    predictions = [predict("llm"), predict("bias")]
    lists = [rank("ranked"), rank("ranked_without_llm", misses)]
    config = Score(ks=(10,), resamples=100)
    scores = score.fn(split, ratings, predictions, lists, config=config, store=store)
    made = [ratings, split, *predictions, *lists]
    run_id = publish.fn(
        scores, made, profile="lists", commit=None, challenge=challenge(), store=store
    )
    page = (write_report.fn(run_id, scores, store=store).path / "report.html").read_text()
    assert (
        "The language models do not significantly change the NDCG@10 (liked films) of the ranked "
        "lists: with them it is 0.3155 above that without them"
    ) in page


def test_the_page_says_what_changed_in_everyones_lists(page_of_run, store):
    _, run_id = page_of_run
    for day, users, overlap in ((1, 1000, None), (2, 1003, 0.75)):
        figures = Figures(users, 0.999, 50, 0.25, 0.9, 0.5, 0.125, overlap, overlap and 40)
        at = dt.datetime(2026, 1, day, tzinfo=dt.UTC)
        record_serve.fn(Serve(at, f"lists {day}", "a", "b", "made", None, figures), store=store)
    html = render_page(metrics_path(store), run_id, "lists 2")
    section = html.split("<h2>What changed since yesterday</h2>")[1].split("<h2>")[0]
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in section.split("<tr>")[2:]]
    assert ["users", "1,003", "+3"] in cells
    assert ["share of the catalogue", "25.0%", "+0.0%"] in cells
    assert ["rank-biased overlap with the last lists", "0.750", ""] in cells
    assert ["users with another list", "40", ""] in cells
    first = render_page(metrics_path(store), run_id, "lists 1")
    assert '<td>users</td><td class="number">1,000</td><td class="number"></td>' in first


def test_the_first_screen_has_the_verdict_the_best_figures_and_the_alarms(page_of_run, store):
    html, run_id = page_of_run
    screen = html.split('<section class="cards">')[1].split("</section>")[0]
    figures = {row[:3]: row[3] for row in read_leaderboard(metrics_path(store), run_id)}
    for metric, k in (("rmse", None), ("ndcg", 10)):
        for predictor, role in (("llm", "model-name"), ("bias", "the strongest rival")):
            assert f"{figures[predictor, metric, k]:.4f}" in screen
            assert role in screen
    cards = re.findall(r'<p class="big">(.*?)</p>', screen)
    assert (cards[0], cards[-2:]) == ("promoted", ["the first run", "none"])
    assert len(html) < 2_000_000


def test_the_main_plots_and_sentences_are_files_of_their_own(page_of_run, store):
    html, _ = page_of_run
    (page,) = store.root.glob("artifacts/report/*/report.html")
    assert {file.stem for file in page.parent.glob("*.svg")} >= {"rmse", "ndcg"}
    for file in page.parent.glob("*.svg"):
        svg = ElementTree.parse(file).getroot()
        assert svg.tag == "{http://www.w3.org/2000/svg}svg"
        assert float(svg.get("height")) > 0
    lines = (page.parent / "summary.txt").read_text().splitlines()
    assert lines
    assert all(str(escape(line)) in html for line in lines)


def test_lists_beside_a_rival_without_a_hit_have_no_percentage():
    db = duckdb.connect()
    db.execute(
        """
        create view comparisons as select 'r' as run_id, 'ranked' as predictor,
            'popularity' as against, 'ndcg' as metric, 10 as k, 'liked' as relevance,
            'everyone' as slice, 0.1 as difference, 0.05 as ci95_low, 0.2 as ci95_high,
            null as p_adjusted;
        create view headline as select run_id, against as predictor, metric, k, relevance,
            0.0 as value from comparisons;
        create view llm_value as from comparisons limit 0"""
    )
    (sentence,) = summary_text(db, "r")
    assert "is 0.1000, 0.1000 above that of popularity, the best baseline" in sentence
