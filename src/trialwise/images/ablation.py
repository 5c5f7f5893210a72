"""What each ingredient of a training is worth: left out, one at a time, over the same seeds."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.images.settings import TrainSettings
from trialwise.statistics.intervals import mean_interval
from trialwise.tuning.trials import Config

DROPOUT = 0.2  # what is tried where a recipe has none


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ingredient:
    """One part of a training that can be there or not.

    Attributes:
        name: For people.
        changes: The settings that take it away, or bring it in where the recipe is without.
        is_in_recipe: Whether the recipe has it, so that `changes` take it away.
    """

    name: str
    changes: Config
    is_in_recipe: bool


def ingredients(settings: TrainSettings) -> list[Ingredient]:
    """The ingredients of resolved settings that can be judged one at a time."""
    network, augment = settings.network, settings.augment
    plain = {"shift": 0, "flip": "off", "cutout": 0, "colour": 0.0, "rand_augment": 0.0, "mix": "none"}
    augmented = {name: getattr(augment, name) != value for name, value in plain.items()}
    found = [
        Ingredient(
            name="dropout" if network.dropout else f"dropout of {DROPOUT}",
            changes={"dropout": 0.0 if network.dropout else DROPOUT},
            is_in_recipe=network.dropout > 0,
        ),
        Ingredient(name="BatchNorm", changes={"batch_norm": False}, is_in_recipe=True),
        Ingredient(name="residual connections", changes={"shortcuts": False}, is_in_recipe=True),
        Ingredient(name="augmentation", changes=plain, is_in_recipe=True),
        Ingredient(name="weight decay", changes={"weight_decay": 0.0}, is_in_recipe=True),
        Ingredient(name="label smoothing", changes={"label_smoothing": 0.0}, is_in_recipe=True),
        Ingredient(name="mirrored filters", changes={"mirrored": "off"}, is_in_recipe=True),
    ]
    absent = {
        "BatchNorm": not network.batch_norm,
        "residual connections": network.family != "residual" or not network.shortcuts,
        "augmentation": not any(augmented.values()),
        "weight decay": settings.weight_decay == 0,
        "label smoothing": settings.label_smoothing == 0,
        "mirrored filters": network.mirrored != "on",
    }
    return [ingredient for ingredient in found if not absent.get(ingredient.name, False)]


def effects(
    base: Mapping[int, float], varied: Mapping[str, Mapping[int, float]], all_ingredients: Sequence[Ingredient]
) -> list[dict[str, Any]]:
    """What each ingredient adds to the accuracy: the mean over seeds of with minus without, largest first.

    Args:
        base: The recipe's accuracy by seed.
        varied: By ingredient, the accuracy by seed with its changes; seeds that failed are missing.
        all_ingredients: What was varied.

    Returns:
        For each: "name", "is_in_recipe", "effect" (in shares of 1; None without two seeds), "ci95" (Student's t over
        the paired differences), "differences" by seed and "failed", how many trainings gave no number.
    """
    rows = []
    for ingredient in all_ingredients:
        found = varied.get(ingredient.name, {})
        seeds = sorted(base.keys() & found.keys())
        sign = 1 if ingredient.is_in_recipe else -1
        differences = [sign * (base[seed] - found[seed]) for seed in seeds]
        rows.append(
            {
                "name": ingredient.name,
                "is_in_recipe": ingredient.is_in_recipe,
                "effect": sum(differences) / len(differences) if differences else None,
                "ci95": mean_interval(differences) if len(differences) > 1 else None,
                "differences": differences,
                "failed": len(base) - len(differences),
            }
        )
    return sorted(rows, key=lambda row: -(row["effect"] if row["effect"] is not None else float("inf")))
