import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from yuanjing.kit.secretfiles import SecretFileError, read_or_create_secret


def test_a_secret_is_made_once_and_only_its_owner_can_read_it(tmp_path):
    path = tmp_path / "secrets" / "pepper"
    first = read_or_create_secret(path, 32)
    assert len(first) == 32
    assert read_or_create_secret(path, 32) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_processes_that_start_at_once_agree(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: read_or_create_secret(tmp_path / "s" / "pepper", 32), range(64)))
    assert len(found) == 1
    assert [file.name for file in (tmp_path / "s").iterdir()] == ["pepper"]


def test_a_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "pepper"
    read_or_create_secret(path, 32)
    path.chmod(0o644)
    with pytest.raises(SecretFileError, match="chmod 600"):
        read_or_create_secret(path, 32)


@pytest.mark.parametrize("text", ["", "xyz", "ab" * 31, "ab" * 33, "é"])
def test_a_damaged_file_is_refused_without_showing_it(tmp_path, text):
    path = tmp_path / "pepper"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(SecretFileError, match="64 hexadecimal digits") as error:
        read_or_create_secret(path, 32)
    assert not text or text not in str(error.value).replace(str(path), "").replace("hexadecimal", "")


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretFileError, match="file/pepper"):
        read_or_create_secret(tmp_path / "file" / "pepper", 32)
