import gzip
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trialwise.base.errors import UserError
from trialwise.images.idx import read_idx


def as_idx(array, *, kind=8):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, kind, array.ndim]) + sizes + array.tobytes()


ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
WHOLE = as_idx(ARRAY)


@given(array=hnp.arrays(np.uint8, hnp.array_shapes(max_dims=4, max_side=5)), packed=st.booleans())
def test_what_is_written_is_read(tmp_path_factory, array, packed):
    path = tmp_path_factory.mktemp("idx") / ("a.gz" if packed else "a")
    path.write_bytes(gzip.compress(as_idx(array)) if packed else as_idx(array))
    found = read_idx(path, shape=(None, *array.shape[1:]))
    assert found.shape == array.shape
    assert (found == array).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected it to begin with 00 00 08 03, got an empty file"),
        (b"\x00\x00", "got 00 00"),
        (as_idx(ARRAY, kind=13), "got 00 00 0d 03"),
        (as_idx(ARRAY[0]), "got 00 00 08 02"),
        (b"\x89PNG" + WHOLE, "got 89 50 4e 47"),
        (WHOLE[:10], "ends within its header"),
        (as_idx(ARRAY[:, :2]), "holds 2 x 2 x 4 bytes: expected 2 x 3 x 4"),
        (WHOLE[:-1], "is cut short: expected 24 bytes of values, got 23"),
        (WHOLE[:16], "is cut short: expected 24 bytes of values, got 0"),
        (WHOLE + b"\0", "goes on after its 24 bytes"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_file_is_refused_with_its_name_and_the_reason(tmp_path, content, message, packed):
    path = tmp_path / ("wrong.gz" if packed else "wrong")
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        read_idx(path, shape=ARRAY.shape)
    assert str(path) in caught.value.message
    assert "download it again" in caught.value.hint


@pytest.mark.parametrize("content", [b"no gzip at all", gzip.compress(WHOLE)[:-9], gzip.compress(WHOLE)[:5]])
def test_a_damaged_gzip_file_is_refused(tmp_path, content):
    (tmp_path / "a.gz").write_bytes(content)
    with pytest.raises(UserError, match=r"a.gz is a damaged gzip file"):
        read_idx(tmp_path / "a.gz", shape=ARRAY.shape)


def test_a_header_that_promises_too_much_is_refused_before_anything_is_read(tmp_path):
    (tmp_path / "a").write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12)
    with pytest.raises(UserError, match="4,294,967,295 x 4,294,967,295"):
        read_idx(tmp_path / "a", shape=ARRAY.shape)


def test_a_file_that_is_gone(tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_idx(tmp_path / "gone", shape=(1,))
