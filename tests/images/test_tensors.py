import warnings

import numpy as np
import pytest
import torch

from trialwise.images import store
from trialwise.images.store import open_train
from trialwise.images.tensors import as_tensor


@pytest.fixture
def rows(pictures, prepared, monkeypatch):
    monkeypatch.setattr(store, "_memory_bytes", lambda: 1000)
    return open_train(prepared(pictures))


def test_a_mapped_array_stays_mapped_and_nothing_is_warned_of(rows):
    assert isinstance(rows.images_NHWC, np.memmap)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images_NHWC = as_tensor(rows.images_NHWC)
        index_B = torch.tensor([3, 0])
        assert (images_NHWC[index_B].numpy() == rows.images_NHWC[[3, 0]]).all()
    assert images_NHWC.data_ptr() == rows.images_NHWC.ctypes.data
    assert images_NHWC.to("cpu").data_ptr() == images_NHWC.data_ptr()
    assert images_NHWC.shape == rows.images_NHWC.shape
    assert images_NHWC.dtype == torch.uint8


def test_an_array_in_memory_is_not_copied_either():
    array = np.arange(6).reshape(2, 3)
    assert as_tensor(array).data_ptr() == array.ctypes.data
