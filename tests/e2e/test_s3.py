"""The platform with its files in S3: one that cannot be used is no start, and no paid work while it fails."""

import time

import pytest
from tests.e2e.test_processes import run_serve
from tests.support.load import wait_until
from tests.support.platform import Platform
from tests.support.s3 import ACCESS_KEY, BUCKET, SECRET_KEY, S3Server
from tests.support.video_api import VideoApi

pytestmark = pytest.mark.timeout(300)
SEEDANCE_15 = "CrEMkFQfRCmbmopZsCqLj"


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


def settings(s3, **changes):
    return {
        "YUANJING_ARTIFACTS_URL": f"s3://{BUCKET}/files",
        "YUANJING_S3_ENDPOINT": s3.endpoint,
        "YUANJING_S3_ACCESS_KEY_ID": ACCESS_KEY,
        "YUANJING_S3_SECRET_ACCESS_KEY": SECRET_KEY,
        "YUANJING_S3_PATH_STYLE": "true",
        "YUANJING_S3_CHECK_SECONDS": "1",
        "YUANJING_SANDBOX_TIME_SCALE": "0",
        **changes,
    }


@pytest.mark.parametrize("arguments", [["--sandbox"], ["--role", "worker"]], ids=["all", "worker"])
@pytest.mark.parametrize(
    ("wrong", "code", "text"),
    [
        ({"YUANJING_S3_SECRET_ACCESS_KEY": "wrong"}, 2, "S3 refuses access"),
        ({"YUANJING_ARTIFACTS_URL": "s3://nobodys/files"}, 2, "no such bucket"),
        ({"YUANJING_S3_ENDPOINT": "http://127.0.0.1:9"}, 5, "cannot be reached"),
    ],
    ids=["secret", "bucket", "endpoint"],
)
def test_an_s3_that_cannot_be_used_is_no_start(tmp_path, s3, arguments, wrong, code, text):
    platform = Platform(tmp_path / "var", **settings(s3, **wrong))
    found, errors = run_serve(platform, *arguments)
    assert found == code, errors
    assert "YUANJING_ARTIFACTS_URL: s3://" in errors
    assert text in errors
    assert "Traceback" not in errors


def test_a_folder_that_cannot_be_used_is_no_start(tmp_path):
    (tmp_path / "file").write_text("no folder")
    platform = Platform(tmp_path / "var", YUANJING_ARTIFACTS_URL=str(tmp_path / "file" / "artifacts"))
    found, errors = run_serve(platform, "--sandbox")
    assert found == 2, errors
    assert f"YUANJING_ARTIFACTS_URL: {tmp_path / 'file' / 'artifacts'}" in errors
    assert "Traceback" not in errors


def test_no_video_is_taken_while_s3_takes_no_file(tmp_path, s3):
    fields = {"llmid": SEEDANCE_15, "prompt": "海边", "duration": 4, "resolution": "480p"}
    with Platform(tmp_path / "var", **settings(s3)) as platform, VideoApi(platform) as api:
        assert api.ended(api.submit(fields))["status"] == "SUCCEEDED"
        assert not [path for path in (s3.folder / BUCKET / "files" / "check").iterdir() if path.name != "write"]
        before = api.owned()
        (s3.folder / BUCKET).rename(s3.folder / "away")
        try:
            time.sleep(2.5)
            answers = [api.post(fields) for _ in range(3)]
            assert [answer.status_code for answer in answers] == [503] * 3
            assert answers[0].text == '{"error": "Temporarily unavailable"}'
            assert answers[0].headers["retry-after"] == "1"
            told = api.http.post(
                "/v1/videos", json={"model": "doubao-seedance-1-5-pro-251215", "prompt": "海边"}
            ).json()
            assert (told["error"]["code"], told["error"]["message"]) == ("store_unavailable", "S3 knows no such bucket")
            assert api.owned() == before
        finally:
            (s3.folder / "away").rename(s3.folder / BUCKET)
        wait_until(lambda: api.post(fields).status_code == 200, 20, pause=0.5)
        assert platform.stop() == 0
        assert platform.verify() == []
        assert "Traceback" not in platform.errors()
