"""One seed in, named child seeds out: no global random state anywhere."""

import hashlib

import numpy as np


def child_seed(seed: int, *names: str | int) -> int:
    """A seed in [0, 2**63) that depends on `seed` and on every name, and on nothing else.

    The same arguments give the same child on every machine and in every process, so a trial's
    randomness can be tied to (study seed, trial number) and never to the worker that runs it.
    """
    text = repr((int(seed), *[str(name) for name in names])).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def numpy_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator seeded with `child_seed(seed, *names)`."""
    return np.random.default_rng(child_seed(seed, *names))
