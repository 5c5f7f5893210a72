"""What a study may claim of its winner, in words: skill, luck, and where the two cannot be told apart."""

import dataclasses
from collections.abc import Mapping
from typing import Any

SIGNIFICANT = 0.05
DEFAULT = 0  # the untuned default's trial


@dataclasses.dataclass(frozen=True, kw_only=True)
class Unit:
    """How differences between scores are written.

    Attributes:
        factor: From the score's unit to the one written.
        name: Of the one written; "" for plain numbers.
        digits: After the point; None for three significant ones.
    """

    factor: float = 1.0
    name: str = ""
    digits: int | None = None

    def number(self, value: float) -> str:
        """The difference without its unit."""
        return f"{self.factor * value:.{self.digits}f}" if self.digits is not None else f"{self.factor * value:.3g}"

    def of(self, value: float, error: float | None = None) -> str:
        """The difference, its standard error where there is one, and the unit."""
        words = self.number(value) + (f" ± {self.number(error)}" if error is not None else "")
        return f"{words} {self.name}".strip()


POINTS = Unit(factor=100, name="points", digits=1)
OF_NAIVE = Unit(factor=100, name="% of naive's loss", digits=2)
PLAIN = Unit()
_UNITS = {"validation accuracy": POINTS, "validation loss / naive": OF_NAIVE}


def unit_of(result: Mapping[str, Any]) -> Unit:
    """How differences between a study's scores are written."""
    return _UNITS.get(result.get("score", ""), PLAIN)


def gain_words(result: Mapping[str, Any], unit: Unit) -> str:
    """What tuning gained over the default, and how much of what was seen is luck; no full stop at the end.

    Args:
        result: Of a study; see `tuning.belief.Belief`.
        unit: Of differences between its scores.
    """
    gain, confirmed = result.get("gain"), result.get("confirmed")
    if gain is None:
        return _without_default(result, unit)
    if confirmed is not None:
        return _on_fresh_seeds(result, confirmed, unit)
    if result["best"]["number"] == DEFAULT:
        return "No configuration is better than the default, which is trial 0"
    p_value = result.get("gain_p_value")
    if p_value is None:
        return f"The best is {unit.of(gain)} better than the default, as seen in validation: part of it is luck"
    if p_value > SIGNIFICANT:
        return (
            f"No configuration is better than the default, as far as can be told: {unit.of(gain)} seen in validation, "
            f"{_p(p_value)}{_luck(result, unit, of_seen=False)}"
        )
    return (
        f"The best model is better than the default's by {unit.of(gain)} seen in validation ({_p(p_value)})"
        f"{_luck(result, unit, of_seen=False)}; nothing was run again on fresh seeds"
    )


def _without_default(result: Mapping[str, Any], unit: Unit) -> str:
    optimism = result.get("optimism")
    return "" if optimism is None else f"{unit.of(max(optimism, 0.0))} of the best score of all trials is luck"


def _on_fresh_seeds(result: Mapping[str, Any], confirmed: Mapping[str, Any], unit: Unit) -> str:
    gain, error, p_value = result["gain"], result.get("gain_standard_error"), result.get("gain_p_value")
    luck = _luck(result, unit, of_seen=True)
    if gain <= 0:
        n = sum(row["trial"] != DEFAULT for row in confirmed["trials"])
        again = f"the best of {n} run again" if n > 1 else "the best, run again,"
        below = f"{unit.of(-gain, error)} below it" if gain < 0 else "just as good"
        return f"No configuration is better than the default: {again} on {_seeds(confirmed)} is {below}{luck}"
    if p_value is None and confirmed["n_seeds"] > 1:
        return (
            f"The best is {unit.of(gain)} better than the default, and {_seeds(confirmed)} changed nothing: how much "
            f"of it is luck with the validation rows is not known"
        )
    if p_value is not None and p_value <= SIGNIFICANT:
        if result.get("gain_error_of") == "seeds":
            return (
                f"The best is {unit.of(gain, error)} better than the default on {_seeds(confirmed)}, more than seeds "
                f"scatter ({_p(p_value)}); how much of it is luck with the validation rows is not known"
            )
        return f"Tuning gained {unit.of(gain, error)} over the default on {_seeds(confirmed)}{luck}"
    of = f"{unit.of(gain, error)} on {_seeds(confirmed)}"
    return f"No configuration is better than the default, as far as can be told: {of}{luck}"


def _seeds(confirmed: Mapping[str, Any]) -> str:
    return f"{confirmed['n_seeds']} fresh seed" + ("s" if confirmed["n_seeds"] > 1 else "")


def _luck(result: Mapping[str, Any], unit: Unit, *, of_seen: bool) -> str:
    """How much of what was seen in validation was luck with the validation rows; nothing where that is unknown."""
    optimism, seen = result.get("optimism"), result.get("seen")
    if seen is None or seen <= 0:
        return ""
    if optimism is None:
        return f"; {unit.number(seen)} was seen in validation" if of_seen else ""
    if optimism >= seen:
        return f"; all of the {unit.number(seen)} seen in validation may be luck"
    of = f" of the {unit.number(seen)} seen in validation" if of_seen else " of that"
    return f"; {unit.number(max(optimism, 0.0))}{of} was luck"


def chance_words(result: Mapping[str, Any]) -> str:
    """A sentence where the best is not better than what needs no training; else nothing."""
    p_value = result.get("chance_p_value")
    return f" The best is not better than chance ({_p(p_value)})." if p_value and p_value > SIGNIFICANT else ""


def default_on_test_words(evaluation: Mapping[str, Any]) -> str:
    """The untuned default on the same test rows; nothing where it was not measured."""
    found = evaluation.get("default")
    if not found:
        return ""
    low, high = (100 * end for end in found["interval"])
    difference = f"{100 * found['difference']:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}, McNemar "
    told = found["p_value"] < SIGNIFICANT and (low > 0) == (high > 0)
    verdict = "a difference that luck does not explain" if told else "no difference can be told"
    return f"; the untuned default gets {100 * found['accuracy']:.1f} %: {difference}{_p(found['p_value'])}), {verdict}"


def _p(p_value: float) -> str:
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
