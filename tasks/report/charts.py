"""Draws charts with Vega-Lite, as SVG in the colours of the page; values show on hover.

The SVG has no script and loads nothing. Colours are the page's variables, so that one drawing fits
a light and a dark page.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import vl_convert
from markupsafe import Markup

MODELS = ("llm", "llm_head", "blend", "ranked")  # predictors in the language models' colour
NAMESPACES = (
    ' xmlns="http://www.w3.org/2000/svg"',
    ' xmlns:xlink="http://www.w3.org/1999/xlink"',
)
WIDTH, ROW, HEIGHT, SQUARE = 380, 24, 170, 260
CONFIG = {
    "background": None,
    "font": "sans-serif",
    "view": {"stroke": None},
    "padding": {"left": 20, "right": 20, "top": 5, "bottom": 5},  # the reader's font may be wider
    "axis": {
        "labelColor": "var(--ink)", "titleColor": "var(--soft)", "gridColor": "var(--line)",
        "domain": False, "ticks": False, "labelFontSize": 13, "titleFontSize": 13,
        "titleFontWeight": "normal", "labelPadding": 6, "labelLimit": 220, "tickCount": 6,
    },
}  # fmt: skip
COLOUR = {
    "field": "kind",
    "scale": {"domain": ["model", "other"], "range": ["var(--model)", "var(--other)"]},
    "legend": None,
}
DOT = {"type": "circle", "size": 80, "opacity": 1}  # its title has what the others show
RULE = {"type": "rule", "strokeWidth": 2, "aria": False}

Point = tuple[float, float]
Spec = dict[str, Any]


def dot_plot(rows: Sequence[Mapping[str, Any]], name: str = "") -> Markup:
    """A dot with its interval per row (`predictor`, `value`, `ci95_low`, `ci95_high`)."""
    if not rows:
        return Markup("")
    values = [
        {
            "predictor": row["predictor"],
            "kind": "model" if row["predictor"] in MODELS else "other",
            "value": row["value"], "low": row["ci95_low"], "high": row["ci95_high"],
            "label": "{predictor}: {value:.4f} [{ci95_low:.4f}, {ci95_high:.4f}]".format_map(row),
        }
        for row in rows
    ]  # fmt: skip
    layers = [
        _layer(RULE, x=_number("low", name), x2={"field": "high"}),
        _layer(DOT, x=_number("value", name), description={"field": "label"}),
    ]
    y = {"field": "predictor", "type": "nominal", "sort": None, "title": None}
    return _draw(values, layers, {"y": y}, WIDTH, {"step": ROW})


def line_plot(
    points: Sequence[Point],
    x_name: str,
    y_name: str,
    band: Sequence[Point] = (),
    labels: Sequence[tuple[str, str]] = (),
) -> Markup:
    """A line through points (x, y); nothing where there are fewer than two.

    `band`: low and high of each y, drawn behind the line. `labels`: name of each point, and
    `model` or `other` for its colour.
    """
    if len(points) < 2:
        return Markup("")
    names = labels or [(f"{x_name} {x:g}", "model") for x, _ in points]
    values = [
        {"x": x, "y": y, "low": low, "high": high, "kind": kind, "label": f"{name}: {y:.4f}"}
        for (x, y), (low, high), (name, kind) in zip(
            points, band or [(y, y) for _, y in points], names, strict=True
        )
    ]
    area = {"type": "area", "color": "var(--model)", "opacity": 0.15, "aria": False}
    line = {"type": "line", "color": "var(--model)", "strokeWidth": 2, "aria": False}
    title = f"{x_name}, {names[0][0]} to {names[-1][0]}" if labels else x_name
    behind = _layer(area, y=_number("low", y_name), y2={"field": "high"}, color=None)
    layers = [
        *([behind] if band else []),
        _layer(line, y=_number("y", y_name), color=None),
        _layer({**DOT, "size": 50}, y=_number("y", y_name), description={"field": "label"}),
    ]
    return _draw(values, layers, {"x": _number("x", title)}, WIDTH + 100, HEIGHT)


def reliability_plot(rows: Sequence[Mapping[str, Any]], x_name: str, y_name: str) -> Markup:
    """A dot per row (`x`, `y`, `n`) against the diagonal, and a stroke from `low` to `high`."""
    if not rows:
        return Markup("")
    ends = [row[name] for row in rows for name in ("x", "y", "low", "high")]
    low, high = min(filter(_is_number, ends)), max(filter(_is_number, ends))
    values = [
        {name: row[name] for name in ("x", "y", "low", "high")}
        | {"kind": "model", "label": f"{row['x']:.3f}: {row['y']:.3f}, {row['n']} ratings"}
        for row in rows
    ]
    diagonal = {"type": "line", "color": "var(--other)", "aria": False}
    even = {"values": [{"x": end, "y": end} for end in (low, high)]}
    layers = [
        {**_layer(diagonal, y=_number("y", y_name), color=None), "data": even},
        _layer(RULE, y=_number("low", y_name), y2={"field": "high"}),
        _layer(DOT, y=_number("y", y_name), description={"field": "label"}),
    ]  # fmt: skip
    return _draw(values, layers, {"x": _number("x", x_name)}, SQUARE, SQUARE)


def _is_number(value: float | None) -> bool:
    return value is not None


def _number(field: str, title: str) -> Spec:
    """An axis that need not begin at 0: an interval's length, not the bar's, is what is read."""
    return {"field": field, "type": "quantitative", "scale": {"zero": False}, "title": title}


def _layer(mark: Spec, **encoding: Spec | None) -> Spec:
    channels = {"color": COLOUR} | encoding
    return {"mark": mark, "encoding": {name: c for name, c in channels.items() if c}}


def _draw(
    values: list[Spec], layers: list[Spec], encoding: Spec, width: int, height: int | Spec
) -> Markup:
    """The SVG, whose labelled marks have a title, which browsers show on hover."""
    spec = {
        "config": CONFIG, "data": {"values": values}, "encoding": encoding, "layer": layers,
        "width": width, "height": height,
    }  # fmt: skip
    text = vl_convert.vegalite_to_svg(spec)
    for namespace in NAMESPACES:  # HTML knows them
        text = text.replace(namespace, "")
    # Vega has just written it, with the text of the values escaped.
    root = ElementTree.fromstring(text)  # noqa: S314
    for mark in list(root.iter()):
        if mark.get("role") == "graphics-symbol" and not len(mark) and mark.get("aria-label"):
            ElementTree.SubElement(mark, "title").text = mark.get("aria-label")
    del root.attrib["width"], root.attrib["height"]
    root.set("role", "img")
    return Markup(ElementTree.tostring(root, encoding="unicode"))  # noqa: S704
