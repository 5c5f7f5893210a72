"""What the tests of the data path share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from trialwise.base.errors import UserError
from trialwise.base.files import cache_folder
from trialwise.images.sources import find_source
from trialwise.images.store import Prepared, prepare


@pytest.fixture
def own_cache() -> Path:
    """Where this test's decoded images and downloads go."""
    return cache_folder()


@pytest.fixture
def prepared() -> Callable[..., Prepared]:
    """A function that prepares a folder or an archive: `prepared(folder, image_size=...)`."""
    return lambda folder, **options: prepare(find_source(str(folder)), **options)


@pytest.fixture
def refusal(prepared, own_cache) -> Callable[..., str]:
    """A function that gives the message with which a folder is refused, having left nothing in the cache."""

    def refused(folder, kind=UserError, **options):
        with pytest.raises(kind) as caught:
            prepared(folder, **options)
        images = own_cache / "images"
        assert not images.exists() or not list(images.iterdir())  # nothing half-written
        return str(caught.value)

    return refused
