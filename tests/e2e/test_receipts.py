"""A receipt's whole way at real processes: charged, signed, published, checked; and the key's change."""

import json
import stat

import httpx2
import pytest
from tests.e2e.test_sign_in import MOBILE, sign_in
from tests.support.load import MODEL, wait_until
from tests.support.platform import Platform

KEYS = "/.well-known/yuanjing-receipts.json"


@pytest.mark.timeout(300)
def test_a_customer_checks_what_it_was_charged(tmp_path):
    file, keys = tmp_path / "receipt.json", tmp_path / "keys.json"
    secret = tmp_path / "var" / "secrets" / "receipt-key"
    with Platform(tmp_path / "var", workers=2) as platform, httpx2.Client(trust_env=False, timeout=30) as client:
        seed = secret.read_text().strip()
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
        sign_in(platform, client)
        answer = client.post(
            f"{platform.url}/v1/chat/completions",
            headers={"authorization": f"Bearer {platform.new_key(MOBILE)}"},
            json={"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 20},
        )
        usage_id, cost = answer.headers["x-yuanjing-usage-id"], answer.json()["usage"]["cost"]
        wait_until(lambda: client.get(f"{platform.url}/api/usage/{usage_id}").status_code == 200, pause=0.1)
        shown = client.get(f"{platform.url}/api/usage/{usage_id}").json()
        assert shown["charge"] == shown["arithmetic"]["total"] == cost
        assert [one["id"] for one in client.get(f"{platform.url}/api/usage?book=test").json()["data"]] == [usage_id]
        assert usage_id in client.get(f"{platform.url}/api/usage?book=test&format=csv").text

        file.write_bytes(client.get(f"{platform.url}/api/usage/{usage_id}/receipt").content)
        checked = platform.run("receipt", "verify", str(file), "--url", platform.url)
        assert (checked["ok"], checked["charge"]) == (True, cost)
        assert platform.run("receipt", "verify", str(file))["key_id"] == checked["key_id"]

        assert platform.stop() == 0
        secret.rename(tmp_path / "old-key")
        platform.start()
        assert secret.read_text().strip() != seed
        keys.write_bytes(client.get(platform.url + KEYS).content)
        assert len(json.loads(keys.read_text())["keys"]) == 2
        assert platform.run("receipt", "verify", str(file), "--public-key", str(keys))["ok"] is True
        renewed = json.loads(client.get(f"{platform.url}/api/usage/{usage_id}/receipt").content)
        assert renewed["signature"]["key_id"] != checked["key_id"]
        assert platform.verify() == []
        assert seed not in platform.errors()
