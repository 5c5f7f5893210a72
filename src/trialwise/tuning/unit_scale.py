"""Numbers as shares of their range, on the scale they are searched on."""

import math

from optuna.distributions import FloatDistribution, IntDistribution


def to_unit(distribution: FloatDistribution | IntDistribution, value: float) -> float:
    """The value's place in its range, 0 to 1."""
    low, high = distribution.low, distribution.high
    if distribution.log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def from_unit(distribution: FloatDistribution | IntDistribution, share: float) -> float:
    """The value at a place in the range; for whole numbers the nearest one, as an int."""
    low, high = distribution.low, distribution.high
    if distribution.log:
        value = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    else:
        value = low + share * (high - low)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value
