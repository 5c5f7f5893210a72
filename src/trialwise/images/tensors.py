"""Arrays of the store as tensors, without a copy: what is mapped stays on disk."""

import warnings
from typing import Any

import torch
from numpy.typing import NDArray


def as_tensor(array: NDArray[Any]) -> torch.Tensor:
    """A CPU tensor on the array's own memory; it must not be written to where the array is mapped.

    torch has no read-only tensors and warns of that. Mapping the file as copy-on-write instead would need no warning,
    and fails for files larger than memory, as Linux then promises memory for every page that could be written.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)
