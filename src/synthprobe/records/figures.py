"""Figures in a sentence: as short as they can be, and never at odds with what the sentence says."""

from __future__ import annotations

from synthprobe.records.result import Step

_MOST_DIGITS = 9
_ROUNDED_FROM = 10.0
_UNITS = ((120.0, 1.0, "s"), (7200.0, 60.0, "min"), (float("inf"), 3600.0, "h"))


def shown_score(figure: float) -> str:
    """A figure without a unit.

    Example:
        >>> shown_score(0.25), shown_score(0.1)
        ('0.25', '0.1')
    """
    return f"{figure:.3g}"


def shown_above(figure: float, limit: float, digits: int = 0) -> str:
    """A figure that is above its limit, with as many decimals as it takes to see that.

    Example:
        >>> shown_above(3.21, 2, digits=1), shown_above(2.04, 2, digits=1), shown_above(0.03, 0.001, digits=1)
        ('3.2', '2.04', '0.03')
    """
    tried = (f"{figure:.{more}f}" for more in range(digits, _MOST_DIGITS + 1))
    return next((text for text in tried if float(text) > limit), f"{figure:.{digits}f}")


def shown_figure(step: Step) -> str:
    """What a step was measured with."""
    return shown_durations(step.duration_s, is_score=step.vital == "score")[0]


def shown_durations(*seconds: float, is_score: bool = False) -> list[str]:
    """Durations in one unit, with as many decimals as it takes to tell different ones apart.

    Example:
        >>> shown_durations(0.053, 0.11), shown_durations(0.48, 1.008), shown_durations(1, 1.04)
        (['53', '110 ms'], ['480', '1008 ms'], ['1', '1.04 s'])
    """
    if is_score:
        return [shown_score(figure) for figure in seconds]
    longest, shortest = max(seconds), min(seconds)
    if longest < 1 or (shortest < 1 and longest < _ROUNDED_FROM):
        scale, unit = 0.001, "ms"
    else:
        scale, unit = next((size, name) for limit, size, name in _UNITS if longest < limit)
    texts = [f"{second / scale:.0f}" for second in seconds]
    for digits in range(_MOST_DIGITS):
        texts = [f"{second / scale:.{digits}f}" for second in seconds]
        if len(set(texts)) == len(set(seconds)) and (digits or longest / scale >= _ROUNDED_FROM):
            break
    texts = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return [*texts[:-1], f"{texts[-1]} {unit}"]
