"""Where a polynomial through the known values has its minimum, if the function is such a polynomial there.

Shapes: N points, D dimensions, M coefficients.
"""

import functools
import itertools
import math

import numpy as np
from numpy.typing import NDArray

DEGREES = (2, 3, 4)
MOST_COEFFICIENTS = 100
SMALLEST_PIVOT = 1e-10  # below this share of the largest one, the points do not tell the coefficients apart
REACH = 1.5  # how far beyond its points a polynomial is believed, 1 being their own distance
STARTS = 3


def exact_minimizer(
    points_ND: NDArray[np.float64], values_N: NDArray[np.float64], *, limit: float = 1e-6
) -> NDArray[np.float64] | None:
    """A point in the unit cube that a polynomial promises to be better than the best known one; None without one.

    Polynomials of degree 2, 3 and 4 are fitted by least squares to the points nearest to the best one, and to all.
    One is believed where every point is foretold by the others: where the root mean square of the leave-one-out
    errors is below `limit` standard deviations of the values. For noisy values that is never so.

    Args:
        points_ND: Distinct points in the unit cube.
        values_N: Their values, to be made small.
        limit: See above.
    """
    n, dims = points_ND.shape
    best = int(np.argmin(values_N))
    nearest_N = np.argsort(np.linalg.norm(points_ND - points_ND[best], axis=1), kind="stable")
    for degree in DEGREES:
        m = math.comb(dims + degree, degree)
        if m > MOST_COEFFICIENTS:
            break
        for k in sorted({m + 2, m + 2 + m // 2, n}):
            if not m + 2 <= k <= n:
                continue
            found = _promised(points_ND[nearest_N[:k]], values_N[nearest_N[:k]], degree, limit)
            if found is not None and np.abs(points_ND - found).max(axis=1).min() > 1e-12:
                return found
    return None


def _promised(points_ND: NDArray, values_N: NDArray, degree: int, limit: float) -> NDArray | None:
    """The minimiser of a believed polynomial, where it lies below the first (the best) value."""
    center_D = points_ND[0]
    scale_D = np.abs(points_ND - center_D).max(axis=0)
    spread = values_N.std()
    if (scale_D < 1e-13).any() or spread == 0:
        return None
    powers_MD = _powers(len(center_D), degree)
    scaled_ND = (points_ND - center_D) / scale_D
    q_NM, r_MM = np.linalg.qr(_monomials(scaled_ND, powers_MD))
    pivots_M = np.abs(np.diag(r_MM))
    leverage_N = (q_NM**2).sum(axis=1)
    if pivots_M.min() < SMALLEST_PIVOT * pivots_M.max() or leverage_N.max() > 1 - 1e-6:
        return None
    projected_M = q_NM.T @ values_N
    left_out_N = (values_N - q_NM @ projected_M) / (1 - leverage_N)
    if math.sqrt((left_out_N**2).mean()) > limit * spread:
        return None
    coefficients_M = np.linalg.solve(r_MM, projected_M)
    low_D, high_D = np.maximum(-REACH, -center_D / scale_D), np.minimum(REACH, (1 - center_D) / scale_D)
    starts = scaled_ND[np.argsort(values_N, kind="stable")[:STARTS]]
    ends = [_descend(coefficients_M, powers_MD, start_D, low_D, high_D) for start_D in starts]
    lowest_D, value = min(ends, key=lambda end: end[1])
    return np.clip(center_D + lowest_D * scale_D, 0, 1) if value < values_N[0] else None


@functools.cache
def _powers(dims: int, degree: int) -> NDArray[np.int64]:
    """The exponents of all monomials up to `degree`, (M, D)."""
    rows = [
        np.bincount(np.array(chosen, dtype=int), minlength=dims)
        for k in range(degree + 1)
        for chosen in itertools.combinations_with_replacement(range(dims), k)
    ]
    return np.array(rows)


def _monomials(points_ND: NDArray, powers_MD: NDArray) -> NDArray:
    return np.prod(points_ND[..., None, :] ** powers_MD, axis=-1)


def _derivative(coefficients_M: NDArray, powers_MD: NDArray, axis: int) -> tuple[NDArray, NDArray]:
    lowered_MD = powers_MD.copy()
    lowered_MD[:, axis] = np.maximum(powers_MD[:, axis] - 1, 0)
    return coefficients_M * powers_MD[:, axis], lowered_MD


def _gradient_and_hessian(coefficients_M: NDArray, powers_MD: NDArray, at_D: NDArray) -> tuple[NDArray, NDArray]:
    dims = len(at_D)
    gradient_D, hessian_DD = np.zeros(dims), np.zeros((dims, dims))
    for i in range(dims):
        first = _derivative(coefficients_M, powers_MD, i)
        gradient_D[i] = _monomials(at_D, first[1]) @ first[0]
        for j in range(i, dims):
            second = _derivative(*first, j)
            hessian_DD[i, j] = hessian_DD[j, i] = _monomials(at_D, second[1]) @ second[0]
    return gradient_D, hessian_DD


def _descend(
    coefficients_M: NDArray, powers_MD: NDArray, start_D: NDArray, low_D: NDArray, high_D: NDArray
) -> tuple[NDArray, float]:
    """A minimiser in the box and its value, by damped Newton steps along the directions that are free to move."""
    at_D, value = start_D, float(_monomials(start_D, powers_MD) @ coefficients_M)
    for _ in range(30):
        gradient_D, hessian_DD = _gradient_and_hessian(coefficients_M, powers_MD, at_D)
        free_D = ~(((at_D <= low_D) & (gradient_D > 0)) | ((at_D >= high_D) & (gradient_D < 0)))
        curvatures, axes = np.linalg.eigh(hessian_DD[np.ix_(free_D, free_D)])
        curvatures = np.abs(curvatures)
        if not free_D.any() or curvatures.max() == 0:
            break
        step_D = np.zeros(len(at_D))
        step_D[free_D] = -axes @ ((axes.T @ gradient_D[free_D]) / np.maximum(curvatures, 1e-12 * curvatures.max()))
        share = 1.0
        while share > 1e-4:
            next_D = np.clip(at_D + share * step_D, low_D, high_D)
            next_value = float(_monomials(next_D, powers_MD) @ coefficients_M)
            if next_value <= value:
                break
            share /= 2
        else:
            break
        moved = np.abs(next_D - at_D).max()
        at_D, value = next_D, next_value
        if moved < 1e-15:
            break
    return at_D, value
