import io
import os
import tarfile
import zipfile

import pytest

from trialwise.base.errors import UserError
from trialwise.images.archives import is_archive_name, list_names, read_members


def always(name):
    return True


def write_archive(path, files):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    mode = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}[path.suffix]
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tgz", "a.tar.xz", "a.tar.bz2"])
def test_every_kind_gives_the_same_members(tmp_path, name):
    files = {"./train/cats/1.png": b"one", "train/dogs/2.png": b"two" * 1000}
    members = list(read_members(write_archive(tmp_path / name, files), wanted=always))
    assert [(member.name, member.content) for member in members] == [
        ("train/cats/1.png", b"one"),
        ("train/dogs/2.png", b"two" * 1000),
    ]
    assert is_archive_name(name.upper())


def test_unwanted_members_are_named_and_not_read(tmp_path):
    path = write_archive(tmp_path / "a.tar", {"notes.txt": b"text", "1.png": b"one"})
    members = list(read_members(path, wanted=lambda name: name.endswith(".png")))
    assert [(member.name, member.content, member.reason) for member in members] == [
        ("notes.txt", None, ""),
        ("1.png", b"one", ""),
    ]


@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
@pytest.mark.parametrize("name", ["../evil.png", "/etc/evil.png", "cats/../../evil.png", "C:/evil.png"])
def test_names_that_lead_out_are_refused(tmp_path, kind, name):
    path = write_archive(tmp_path / kind, {name: b"evil", "cats/1.png": b"one"})
    evil, good = read_members(path, wanted=always)
    assert evil.content is None
    assert "leads out" in evil.reason
    assert good.content == b"one"


def test_links_and_devices_in_a_tar_are_refused(tmp_path):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in [("s.png", tarfile.SYMTYPE), ("h.png", tarfile.LNKTYPE), ("d.png", tarfile.CHRTYPE)]:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(secret)
            archive.addfile(info)
    members = list(read_members(path, wanted=always))
    assert [(member.name, member.content) for member in members] == [("s.png", None), ("h.png", None), ("d.png", None)]
    assert all("not a file" in member.reason for member in members)


def test_links_in_a_zip_are_refused(tmp_path):
    info = zipfile.ZipInfo("cats/link.png")
    info.create_system = 3
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    (member,) = read_members(tmp_path / "a.zip", wanted=always)
    assert member.content is None
    assert "link" in member.reason


@pytest.mark.parametrize("kind", ["a.zip", "a.tar.gz"])
def test_a_member_over_the_limit_is_refused_and_the_next_is_read(tmp_path, kind):
    path = write_archive(tmp_path / kind, {"bomb.png": bytes(2_000_000), "1.png": b"one"})
    assert path.stat().st_size < 10_000
    bomb, good = read_members(path, wanted=always, limit_bytes=1_000_000)
    assert bomb.content is None
    assert "2,000,000 bytes" in bomb.reason
    assert good.content == b"one"


def test_a_zip_that_understates_a_size_gives_no_more_than_it_declares(tmp_path):
    path = write_archive(tmp_path / "a.zip", {"bomb.png": bytes(2_000_000)})
    content = path.read_bytes()
    path.write_bytes(content.replace((2_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    (bomb,) = read_members(path, wanted=always)
    assert bomb.content is None
    assert "damaged inside the archive" in bomb.reason


def test_a_huge_tar_header_does_not_fill_the_memory(tmp_path):
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 8 * 2**30
    (tmp_path / "a.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240))
    with pytest.raises(UserError, match="a header of"):
        list(read_members(tmp_path / "a.tar", wanted=always))


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_a_file_that_is_no_archive_is_one_message(tmp_path, name):
    (tmp_path / name).write_text("just a text " * 100)
    with pytest.raises(UserError, match="cannot be read as an archive") as caught:
        list(read_members(tmp_path / name, wanted=always))
    assert str(tmp_path / name) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"])
def test_an_archive_cut_short_is_one_message(tmp_path, name):
    path = write_archive(tmp_path / name, {f"{n}.png": os.urandom(3000) for n in range(10)})
    path.write_bytes(path.read_bytes()[:15_000])
    with pytest.raises(UserError, match="cannot be read as an archive"):
        list(read_members(path, wanted=always))


def test_a_damaged_member_of_a_zip_is_named_and_the_others_are_read(tmp_path):
    path = write_archive(tmp_path / "a.zip", {"1.png": os.urandom(3000), "2.png": b"two"})
    content = bytearray(path.read_bytes())
    content[1000] ^= 0xFF
    path.write_bytes(content)
    damaged, whole = read_members(path, wanted=always)
    assert damaged.content is None
    assert "damaged inside the archive" in damaged.reason
    assert whole.content == b"two"


def test_a_password_is_named_as_the_trouble(tmp_path):
    path = write_archive(tmp_path / "a.zip", {"1.png": b"one"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag for encryption, in the central directory
    path.write_bytes(content)
    with pytest.raises(UserError, match="password") as caught:
        list(read_members(path, wanted=always))
    assert "unpack it" in caught.value.hint


def test_an_error_of_the_consumer_is_not_blamed_on_the_archive(tmp_path):
    path = write_archive(tmp_path / "a.zip", {"1.png": b"one"})
    members = read_members(path, wanted=always)
    next(members)
    with pytest.raises(OSError, match="disk full"):
        members.throw(OSError("disk full"))


def test_only_a_zip_lists_its_names_beforehand(tmp_path):
    files = {"cats/1.png": b"one", "cats\\2.png": b"two"}
    assert list_names(write_archive(tmp_path / "a.zip", files)) == ["cats/1.png", "cats/2.png"]
    assert list_names(write_archive(tmp_path / "a.tar", files)) is None


def test_nothing_is_written_to_disk(tmp_path):
    path = write_archive(tmp_path / "a.tar.gz", {"cats/1.png": b"one"})
    list(read_members(path, wanted=always))
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tar.gz"]
