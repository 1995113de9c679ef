"""How settings reach the HTTP server."""

import pytest

from yuanjing.bootstrap.gateway import _config
from yuanjing.settings import Settings, SettingsError


@pytest.mark.parametrize(("given", "used"), [(1.0, 1), (1.2, 2), (75.0, 75)])
def test_parts_of_a_second_are_not_lost(given, used):
    config = _config(lambda: None, Settings(keep_alive_seconds=given, shutdown_drain_seconds=given))
    assert config.timeout_keep_alive == used
    assert config.timeout_graceful_shutdown == used + 10


def test_a_keep_alive_below_a_second_is_refused():
    with pytest.raises(SettingsError, match="keep-alive-seconds"):
        Settings.load(keep_alive_seconds=0.5)
