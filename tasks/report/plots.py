"""Draws small SVG plots in the colours of the page."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, LEFT = 680, 185  # of a plot, and of its labels' column
ROW = 26  # height of a row of dots
TOP, BOTTOM = 20, 170  # of the area of a line
SIDE = 260  # of the square of a reliability plot
MODELS = ("llm", "blend", "ranked")  # predictors in the model's colour

Point = tuple[float, float]


def dot_plot(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """A dot with its interval per row (`predictor`, `value`, `ci95_low`, `ci95_high`)."""
    if not rows:
        return Markup("")
    low, high = min(row["ci95_low"] for row in rows), max(row["ci95_high"] for row in rows)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return LEFT + 20 + (value - low) / span * (WIDTH - LEFT - 40)

    dots = [
        Markup(
            '<text x="{left}" y="{y}" class="name">{name}</text>'
            '<line x1="{a:.1f}" x2="{b:.1f}" y1="{m}" y2="{m}" class="{kind}"/>'
            '<circle cx="{c:.1f}" cy="{m}" r="5" class="{kind}">'
            "<title>{name}: {value:.4f} [{low:.4f}, {high:.4f}]</title></circle>"
        ).format(
            left=LEFT,
            y=i * ROW + 18,
            m=i * ROW + 13,
            a=x(row["ci95_low"]),
            b=x(row["ci95_high"]),
            c=x(row["value"]),
            kind="model" if row["predictor"] in MODELS else "other",
            name=row["predictor"],
            value=row["value"],
            low=row["ci95_low"],
            high=row["ci95_high"],
        )
        for i, row in enumerate(rows)
    ]
    bottom = len(rows) * ROW + 16
    ends = [_text(x(end), bottom, f"{end:.3f}") for end in (low, high)]
    return _svg([*dots, *ends], WIDTH, bottom + 8)


def line_plot(
    points: Sequence[Point],
    x_name: str,
    y_name: str,
    band: Sequence[Point] = (),
    labels: Sequence[tuple[str, str]] = (),
) -> Markup:
    """A line through points (x, y); nothing where there are fewer than two.

    `band`: low and high of each y, drawn behind the line. `labels`: name and CSS class of the dot
    of each point; the x axis then shows the first and the last name.
    """
    if len(points) < 2:
        return Markup("")
    xs, ys = zip(*points, strict=True)
    lows, highs = zip(*(band or [(y, y) for y in ys]), strict=True)
    low, high, first, last = min(lows), max(highs), min(xs), max(xs)

    def place(x: float, y: float) -> Point:
        right = LEFT + (x - first) / ((last - first) or 1) * (WIDTH - LEFT - 20)
        return right, BOTTOM - (y - low) / ((high - low) or 1) * (BOTTOM - TOP)

    def path(points: Iterable[Point]) -> str:
        return " ".join("{:.1f},{:.1f}".format(*place(x, y)) for x, y in points)

    outline = [*zip(xs, lows, strict=True), *zip(xs[::-1], highs[::-1], strict=True)]
    dots = [
        _dot(*place(x, y), f"{name}: {y:.4f}", kind)
        for (x, y), (name, kind) in zip(points, labels, strict=False)
    ]
    names = [name for name, _ in labels] or [f"{x_name} {first:g}", f"{last:g}"]
    axes = [
        _text(LEFT - 10, TOP + 6, f"{high:.3f}", "end"),
        _text(LEFT - 10, BOTTOM, f"{low:.3f}", "end"),
        _text(LEFT - 10, (TOP + BOTTOM) / 2 + 5, y_name, "end"),
        _text(LEFT, BOTTOM + 20, names[0], "start"),
        _text(WIDTH - 20, BOTTOM + 20, names[-1], "end"),
    ]
    line = Markup(
        '<polygon points="{band}" class="band"/><polyline points="{line}" class="curve"/>'
    ).format(band=path(outline), line=path(points))
    return _svg([line, *axes, *dots], WIDTH, BOTTOM + 28)


def reliability_plot(rows: Sequence[Mapping[str, Any]], x_name: str, y_name: str) -> Markup:
    """A dot per row (`x`, `y`, `n`) against the diagonal, and a stroke from `low` to `high`."""
    if not rows:
        return Markup("")
    values = [row[name] for row in rows for name in ("x", "y", "low", "high")]
    numbers = [value for value in values if value is not None]
    low, high = min(numbers), max(numbers)
    scale = (SIDE - 20) / ((high - low) or 1.0)

    def place(x: float, y: float) -> Point:
        return 60 + (x - low) * scale, SIDE - (y - low) * scale

    strokes = [
        _line(place(row["x"], row["low"]), place(row["x"], row["high"]), "model")
        for row in rows
        if row["low"] is not None
    ]
    dots = [
        _dot(*place(row["x"], row["y"]), f"{row['x']:.3f}: {row['y']:.3f}, {row['n']} ratings")
        for row in rows
    ]
    axes = [
        _text(50, SIDE, f"{low:.1f}", "end"),
        _text(50, 24, f"{high:.1f}", "end"),
        _text(60, 10, y_name, "start"),
        _text(SIDE + 40, SIDE + 16, x_name, "end"),
    ]
    diagonal = _line(place(low, low), place(high, high), "even")
    return _svg([diagonal, *strokes, *dots, *axes], SIDE + 60, SIDE + 24, "square")


def _dot(x: float, y: float, title: str, kind: str = "model") -> Markup:
    return Markup(
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{kind}"><title>{title}</title></circle>'
    ).format(x=x, y=y, title=title, kind=kind)


def _line(start: Point, end: Point, kind: str) -> Markup:
    return Markup('<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" class="{}"/>').format(
        *start, *end, kind
    )


def _text(x: float, y: float, text: str, anchor: str = "middle") -> Markup:
    return Markup('<text x="{x:.1f}" y="{y:.1f}" class="tick {anchor}">{text}</text>').format(
        x=x, y=y, text=text, anchor=anchor
    )


def _svg(parts: Iterable[Markup], width: float, height: float, kind: str = "") -> Markup:
    return Markup('<svg viewBox="0 0 {w} {h}" role="img" class="{kind}">{inside}</svg>').format(
        w=width, h=height, kind=kind, inside=Markup("").join(parts)
    )
