"""A data folder of a version that knew less: what is new is told, and one command takes it in, without a restart."""

import asyncio
from dataclasses import replace

import pytest
from tests.support.load import wait_until
from tests.support.platform import Platform
from tests.support.video_api import VideoApi

from yuanjing.bootstrap.services import open_services
from yuanjing.settings import Settings
from yuanjing.usecases.catalog import import_catalog
from yuanjing.usecases.catalog_documents import shipped_documents

pytestmark = pytest.mark.timeout(300)
VIDEO = {"llmid": "CrEMkFQfRCmbmopZsCqLj", "prompt": "海边", "duration": 4, "resolution": "480p"}


async def install_without_video(data):
    documents = [
        replace(
            document,
            providers=tuple(provider for provider in document.providers if provider.video is None),
            offers=tuple(draft for draft in document.offers if draft.offer.video is None),
        )
        for document in shipped_documents()
    ]
    async with open_services(Settings(data=data)) as services:
        await import_catalog(services.store, services.clock, documents)


def test_an_installation_from_before_video_is_told_how_to_take_it_in(tmp_path):
    asyncio.run(install_without_video(tmp_path / "var"))
    with Platform(tmp_path / "var", YUANJING_SANDBOX_TIME_SCALE="0") as platform, VideoApi(platform) as api:
        state, notice = platform.text.splitlines()[:2]
        assert state == "Yuanjing is ready."
        assert "models of this version are not in your catalogue yet" in notice
        assert notice.endswith(f"--data {platform.data} offer import")
        (line,) = [line for line in platform.errors().splitlines() if "the catalogue lacks" in line]
        assert "doubao-seedance-1-5-pro-251215" in line
        assert "dashscope-video" in line
        assert "offer import" in line
        assert api.post(VIDEO).status_code == 400
        report = platform.run("offer", "import")
        assert "doubao-seedance-1-5-pro-251215" in report["offers"]
        assert "ch_sandbox_dashscope-video" in report["sandbox_channels"]
        answers = []
        wait_until(lambda: answers.append(api.post(VIDEO)) or answers[-1].status_code == 200, 20, pause=0.5)
        assert api.ended(answers[-1].json()["taskid"], 60)["status"] == "SUCCEEDED"
        assert platform.run("offer", "import")["sandbox_channels"] == []
        assert platform.stop() == 0
        platform.start()
        assert "of this version" not in platform.text
        assert platform.errors().count("the catalogue lacks") == 1
        assert platform.stop() == 0
        assert platform.verify() == []
