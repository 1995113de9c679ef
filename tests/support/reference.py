"""Writes docs/reference/settings.md from the settings themselves: `.venv/bin/python -m tests.support.reference`."""

from pathlib import Path

from yuanjing.settings.reference import list_settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
_SECTIONS = {
    "YUANJING_MODE": "The installation",
    "YUANJING_LOG_LEVEL": "Log",
    "YUANJING_KEY_PEPPER": "Secrets",
    "YUANJING_WELCOME_TEST_GRANT": "Money",
    "YUANJING_SPOOL_SYNC": "Spool",
    "YUANJING_HEARTBEAT_SECONDS": "Processes",
    "YUANJING_REQUEST_HEADER_BYTES_MAX": "Clients",
    "YUANJING_ADMISSION_SECONDS": "Providers",
    "YUANJING_SMS_SENDER": "Codes by SMS",
    "YUANJING_SESSION_IDLE_SECONDS": "Sessions",
    "YUANJING_PASSWORD_LENGTH_MIN": "Passwords",
    "YUANJING_TOPUP_AMOUNT_MIN": "Top-ups",
    "YUANJING_TRANSFER_INSTRUCTIONS": "Bank transfers",
    "YUANJING_ALIPAY_APP_ID": "Alipay",
    "YUANJING_USAGE_DAYS_MAX": "What customers look up",
    "YUANJING_ARTIFACTS_URL": "Files",
    "YUANJING_IDFILE_SIGNED": "Links to files",
    "YUANJING_UPLOAD_REQUEST_BYTES_MAX": "Uploads",
    "YUANJING_MEDIA_WORKERS": "Measuring files",
    "YUANJING_FETCH_ALLOWED_NETWORKS": "Fetching and sending files",
    "YUANJING_VIDEO_CLAIM_SECONDS": "Video tasks",
}
_HEAD = """\
# Settings

Every setting is an environment variable. Flags of `yuanjing` win over variables, variables over defaults. A value that
cannot be used, or a `YUANJING_…` variable that is no setting, stops the program before anything starts: one line for
each, exit code 2. Lists are separated by commas, amounts are CNY, folders may begin with `~`. An empty secret, file or
database address is the same as none; an empty host or folder is refused.

Secrets that are not set are made on first start, as files in `secrets/` of the data folder that only their owner can
read. Keep them with your backups: without the encryption key, the credentials of channels cannot be read, and without
the pepper no API key is valid. In production with a shared database they must be set, the same on every machine, or
their files must be there. How they are changed: [running](../operations/running.md#changing-secrets).

This page is written by `.venv/bin/python -m tests.support.reference`.
"""


def settings_page() -> str:
    """The page as it must be."""
    parts = [_HEAD]
    for info in list_settings():
        if info.variable in _SECTIONS:
            parts.append(
                f"\n## {_SECTIONS[info.variable]}\n\n| Variable | Type | Default | Meaning |\n|---|---|---|---|\n"
            )
        default = f"`{info.default}`" if info.default else ""
        text = " ".join(info.text.split())
        parts.append(f"| `{info.variable}` | {info.type} | {default} | {text} |\n")
    return "".join(parts)


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(settings_page(), encoding="utf-8")
