"""What trials left behind: whole or not there, for each of their last epochs, in any place."""

import tarfile

import pytest

from trialwise.base.errors import UserError
from trialwise.integrations.trial_archives import KEPT, TrialArchives


@pytest.fixture
def archives(tmp_path):
    return TrialArchives(str(tmp_path / "shared"), "study")


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "trial"
    (made / "deep").mkdir(parents=True)
    return made


def save(archives, folder, epoch, name="trials/0003"):
    (folder / "epoch").write_text(str(epoch))
    (folder / "deep" / "more").write_text("x" * epoch)
    archives.save(folder, name, epoch)


def test_a_trial_comes_back_as_it_was_after_the_epoch_on_record(archives, folder, tmp_path):
    for epoch in range(1, 6):
        save(archives, folder, epoch)
    elsewhere = tmp_path / "elsewhere"
    assert archives.bring(elsewhere, "trials/0003", 4) == 4
    assert ((elsewhere / "epoch").read_text(), (elsewhere / "deep" / "more").read_text()) == ("4", "xxxx")
    assert archives.bring(elsewhere, "trials/0003", 9) == 5
    (elsewhere / "stale").touch()
    assert archives.bring(elsewhere, "trials/0003", 1) == 0, f"only the last {KEPT} are kept"
    assert list(elsewhere.iterdir()) == []
    assert archives.bring(elsewhere, "trials/0004", 5) == 0


def test_a_worker_given_up_for_lost_does_no_harm_to_the_one_that_goes_on(archives, folder, tmp_path):
    for epoch in range(1, 8):
        save(archives, folder, epoch)
    save(archives, folder, 4)  # of the lost one, which is behind
    assert archives.bring(tmp_path / "elsewhere", "trials/0003", 7) == 7
    assert archives.bring(tmp_path / "elsewhere", "trials/0003", 6) == 6


def test_half_an_archive_is_none(archives, folder, tmp_path, monkeypatch):
    save(archives, folder, 1)

    def torn(self, source, target, **how):
        (tmp_path / target).write_bytes(b"half")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr("fsspec.implementations.local.LocalFileSystem.put_file", torn)
        with pytest.raises(OSError, match="disk is full"):
            save(archives, folder, 2)
    assert archives.bring(tmp_path / "elsewhere", "trials/0003", 2) == 1


def test_trials_are_listed_and_forgotten(archives, folder):
    assert archives.names() == set()
    save(archives, folder, 1, name="trials/0003")
    save(archives, folder, 1, name="confirmation/0012-1")
    assert archives.names() == {"trials/0003", "confirmation/0012-1"}
    archives.forget("trials/0003")
    archives.forget("trials/0004")
    assert archives.names() == {"confirmation/0012-1"}


def test_an_archive_cannot_write_outside_its_folder(archives, folder, tmp_path):
    save(archives, folder, 1)
    with tarfile.open(tmp_path / "shared" / "study" / "trials.0003" / "000001.tar", "w") as archive:
        archive.add(folder / "epoch", arcname="../../escaped")
    with pytest.raises(tarfile.OutsideDestinationError):
        archives.bring(tmp_path / "elsewhere" / "trial", "trials/0003", 1)
    assert not (tmp_path / "escaped").exists()


def test_a_place_that_fsspec_knows_by_url(folder, tmp_path):
    archives = TrialArchives("memory://bucket/folder", "study")
    archives.check()
    for epoch in range(1, 6):
        save(archives, folder, epoch)
    assert archives.bring(tmp_path / "elsewhere", "trials/0003", 4) == 4
    assert archives.bring(tmp_path / "elsewhere", "trials/0003", 2) == 0
    archives.forget("trials/0003")
    assert archives.names() == set()


def test_a_place_that_cannot_be_written_to_is_said_at_once(tmp_path):
    (tmp_path / "file").touch()
    for place in (str(tmp_path / "file"), "nosuch://me:secret@bucket"):
        with pytest.raises(UserError, match="cannot be written to") as caught:
            TrialArchives(place, "study").check()
        assert "secret" not in str(caught.value)
