import dataclasses
import subprocess
import sys

import numpy as np

from trialwise.images import store
from trialwise.images.held_out import open_test
from trialwise.images.sources import find_source
from trialwise.images.store import Rows, open_train, prepare


def test_the_test_rows_come_out(pictures):
    data = prepare(find_source(str(pictures)))
    rows = open_test(data)
    assert rows.images_NHWC.shape == (data.description.n_test, 12, 12, 3)
    assert rows.images_NHWC.dtype == np.uint8
    assert rows.labels_N.dtype == np.int64
    assert tuple(np.bincount(rows.labels_N, minlength=2)) == data.description.test_counts


def test_the_store_hands_out_training_rows_without_touching_the_test_files(pictures):
    data = prepare(find_source(str(pictures)))
    before = open_train(data)
    for path in data.folder.glob("test_*"):
        path.unlink()
    after = open_train(data)
    assert len(after.labels_N) == data.description.n_train
    assert (after.images_NHWC == before.images_NHWC).all()


def test_the_store_has_no_door_to_the_test_rows():
    assert [field.name for field in dataclasses.fields(Rows)] == ["images_NHWC", "labels_N", "files"]
    assert [field.name for field in dataclasses.fields(store.Prepared)] == ["folder", "description"]
    assert not [name for name in vars(store) if name.startswith(("open_test", "load_test", "held"))]


def test_the_data_path_needs_no_torch():
    program = "import sys, trialwise.images.held_out; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert output.stdout == "False\n"
