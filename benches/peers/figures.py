"""Numbers out of samples: medians with their spread, ratios paired by round, and plain tables."""
from statistics import median


def spread(values):
    """Median, smallest and largest of `values`, or None when there are none."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": median(values), "min": min(values), "max": max(values), "rounds": len(values)}


def of(samples, key):
    """One figure of a peer's samples (a list by round, None where a round gave nothing), as a spread."""
    return spread([s.get(key) for s in samples if s])


def ratio(samples, base, key):
    """`samples` over `base`, round by round, as a spread: drift of the machine between rounds cancels out."""
    pairs = [(a.get(key), b.get(key)) for a, b in zip(samples, base or []) if a and b]
    return spread([a / b for a, b in pairs if a and b])


def show(figure, digits=1, scale=1.0):
    """`12.3 (12.1-12.8)`, or a dash for what was not measured."""
    if figure is None:
        return "-"
    low, mid, high = (f"{figure[k] * scale:,.{digits}f}" for k in ("min", "median", "max"))
    return mid if low == high else f"{mid} ({low}-{high})"


def table(head, rows):
    """Lines of a table: the first column to the left, the others to the right."""
    cells = [[str(c) for c in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = []
    for row in cells:
        rest = "  ".join(c.rjust(w) for c, w in zip(row[1:], widths[1:]))
        lines.append(f"  {row[0].ljust(widths[0])}  {rest}".rstrip())
    return lines
