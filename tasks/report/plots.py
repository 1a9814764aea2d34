"""Small drawings as SVG, in the colours of the page around them."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

WIDTH, ROW, LEFT = 680, 26, 185


def dots(rows: Sequence[Mapping[str, Any]]) -> Markup:
    """A dot with its interval for each row (`predictor`, `value`, `ci95_low`, `ci95_high`)."""
    if not rows:
        return Markup("")
    low, high = min(row["ci95_low"] for row in rows), max(row["ci95_high"] for row in rows)
    span = (high - low) or 1.0

    def x(value: float) -> float:
        return LEFT + 20 + (value - low) / span * (WIDTH - LEFT - 40)

    parts = [
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
            kind="model" if row["predictor"] in ("llm", "blend", "ranked") else "other",
            value=row["value"],
            low=row["ci95_low"],
            high=row["ci95_high"],
            name=row["predictor"],
        )
        for i, row in enumerate(rows)
    ]
    bottom = len(rows) * ROW + 16
    ends = Markup(
        '<text x="{a:.1f}" y="{y}" class="tick">{low:.3f}</text>'
        '<text x="{b:.1f}" y="{y}" class="tick">{high:.3f}</text>'
    ).format(a=x(low), b=x(high), y=bottom, low=low, high=high)
    return _svg(Markup("").join(parts) + ends, bottom + 8)


def curve(
    points: Sequence[tuple[float, float]],
    across: str,
    up: str,
    band: Sequence[tuple[float, float]] = (),
    named: Sequence[tuple[str, str]] = (),
) -> Markup:
    """A line through points (x, y), with both axes named and their ends told.

    `band`: the interval of each y, drawn behind the line. `named`: the name of each point and the
    class of the dot that it gets; the ends of the axis across are told by name then.
    """
    if len(points) < 2:
        return Markup("")
    xs = [x for x, _ in points]
    lows, highs = zip(*(band or [(y, y) for _, y in points]), strict=True)
    low, high = min(lows), max(highs)
    wide, tall, bottom = WIDTH - LEFT - 20, 150, 170
    dx, dy = (max(xs) - min(xs)) or 1, (high - low) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        return LEFT + (x - min(xs)) / dx * wide, bottom - (y - low) / dy * tall

    def line(ys: Sequence[float], along: Sequence[float]) -> str:
        places = (place(x, y) for x, y in zip(along, ys, strict=True))
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)

    marks = [
        _mark(*place(x, y), f"{name}: {y:.4f}", kind)
        for (x, y), (name, kind) in zip(points, named, strict=False)
    ]
    told = [name for name, _ in named] or [f"{across} {min(xs):g}", f"{max(xs):g}"]
    return _svg(
        Markup(
            '<polygon points="{there} {back}" class="band"/>'
            '<polyline points="{line}" class="curve"/>'
            '<text x="{side}" y="26" class="tick end">{high:.3f}</text>'
            '<text x="{side}" y="{bottom}" class="tick end">{low:.3f}</text>'
            '<text x="{side}" y="100" class="tick end">{up}</text>'
            '<text x="{left}" y="{under}" class="tick start">{first}</text>'
            '<text x="{right}" y="{under}" class="tick end">{last}</text>'
        ).format(
            there=line(lows, xs),
            back=line(highs[::-1], xs[::-1]),
            line=line([y for _, y in points], xs),
            side=LEFT - 10,
            left=LEFT,
            right=WIDTH - 20,
            bottom=bottom,
            under=bottom + 20,
            high=high,
            low=low,
            first=told[0],
            last=told[-1],
            up=up,
        )
        + Markup("").join(marks),
        bottom + 28,
    )


def beside(points: Sequence[Mapping[str, Any]], across: str, up: str) -> Markup:
    """A dot for each row (`x`, `y`, `low`, `high`, `n`) beside the line where both are equal.

    A stroke goes from `low` to `high` where these are told.
    """
    if not points:
        return Markup("")
    told = [row[name] for row in points for name in ("x", "y", "low", "high")]
    ends = [value for value in told if value is not None]
    least, most, side = min(ends), max(ends), 260
    span = (most - least) or 1.0

    def x(value: float) -> float:
        return 60 + (value - least) / span * (side - 20)

    def y(value: float) -> float:
        return side - (value - least) / span * (side - 20)

    line = Markup('<line x1="{a}" y1="{b}" x2="{c}" y2="{d}" class="even"/>').format(
        a=x(least), b=y(least), c=x(most), d=y(most)
    )
    strokes = [
        Markup('<line x1="{x:.1f}" x2="{x:.1f}" y1="{a:.1f}" y2="{b:.1f}" class="model"/>').format(
            x=x(row["x"]), a=y(row["low"]), b=y(row["high"])
        )
        for row in points
        if row["low"] is not None
    ]
    dots_ = [
        Markup(
            '<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="model">'
            "<title>{a:.3f}: {b:.3f}, {n} ratings</title></circle>"
        ).format(x=x(row["x"]), y=y(row["y"]), a=row["x"], b=row["y"], n=row["n"])
        for row in points
    ]
    names = Markup(
        '<text x="50" y="{low}" class="tick end">{least:.1f}</text>'
        '<text x="50" y="24" class="tick end">{most:.1f}</text>'
        '<text x="60" y="10" class="tick start">{up}</text>'
        '<text x="{right}" y="{under}" class="tick end">{across}</text>'
    ).format(
        low=side, least=least, most=most, up=up, right=side + 40, under=side + 16, across=across
    )
    inside = line + Markup("").join([*strokes, *dots_]) + names
    return Markup('<svg viewBox="0 0 {w} {h}" role="img" class="square">{inside}</svg>').format(
        w=side + 60, h=side + 24, inside=inside
    )


def _mark(x: float, y: float, title: str, kind: str) -> Markup:
    return Markup(
        '<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{kind}"><title>{title}</title></circle>'
    ).format(x=x, y=y, title=title, kind=kind)


def _svg(inside: Markup, height: float) -> Markup:
    return Markup('<svg viewBox="0 0 {w} {h}" role="img">{inside}</svg>').format(
        w=WIDTH, h=height, inside=inside
    )
