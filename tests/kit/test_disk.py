import os
import stat
from pathlib import Path

import pytest

from yuanjing.kit.disk import make_folder, sync_folder


def test_a_folder_is_made_with_those_above_it_and_each_name_is_synced(tmp_path, monkeypatch):
    synced: list[str] = []
    real = os.fsync

    def fsync(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    made = tmp_path / "a" / "b"
    make_folder(made, 0o700)
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert synced == [str(tmp_path / "a"), str(tmp_path)]
    make_folder(made, 0o700)
    assert len(synced) == 2


def test_what_is_no_folder_cannot_be_synced(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        sync_folder(tmp_path / "file")
