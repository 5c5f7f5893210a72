"""The only door to the test rows. An import contract lets `images.evaluate` through, and nobody else."""

from trialwise.images.store import Prepared, Rows, load_array, load_names


def open_test(prepared: Prepared) -> Rows:
    """The test images (uint8 NHWC in 0..255) and their labels (int64), to be looked at once, at the very end."""
    return Rows(
        images_NHWC=load_array(prepared.folder / "test_images.npy"),
        labels_N=load_array(prepared.folder / "test_labels.npy"),
        files=load_names(prepared.folder / "test_files.json"),
    )
