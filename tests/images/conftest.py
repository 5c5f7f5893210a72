"""The cache folder of the test that runs."""

from pathlib import Path

import pytest

from trialwise.base.files import cache_folder


@pytest.fixture
def own_cache() -> Path:
    """Where this test's decoded images and downloads go."""
    return cache_folder()
