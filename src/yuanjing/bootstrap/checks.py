"""What can be known to be wrong before anything starts."""

from pathlib import Path

from yuanjing.bootstrap.payment_choice import SECRETS_FOLDER, check_simulator
from yuanjing.settings import Settings, SettingsError, variable

PEPPER_FILE, ENCRYPTION_KEY_FILE = "key-pepper", "encryption-key"


def check(settings: Settings) -> None:
    """All of it; nothing is made.

    Raises:
        SettingsError: the platform could not work with these settings.
        SchemaError: see `check_database_file`.
    """
    check_secrets(settings)
    check_ca_file(settings)
    check_sms_sender(settings)
    check_simulator(settings)
    check_payment_keys(settings)
    check_database_file(settings)


def check_database_file(settings: Settings) -> None:
    """In production only `yuanjing migrate` makes a database; a file that is not there needs no look into it.

    Raises:
        SchemaError: there is no file of a SQLite database.
    """
    if not settings.is_production or settings.is_database_shared:
        return
    path = _database_file(settings)
    if path is not None and not path.exists():
        from yuanjing.adapters.sql import SchemaError  # noqa: PLC0415  # few are without a database

        raise SchemaError(f"there is no database at {path} yet; run `yuanjing migrate`")


def check_secrets(settings: Settings) -> None:
    """A secret that is made here must not stand in for the one that a database was made with, or that others have.

    Raises:
        SettingsError: it is neither given nor there; nothing was made.
    """
    if settings.is_database_shared:
        message = "must be given in production with a shared database: 64 hexadecimal digits, the same everywhere"
        if settings.is_production and (missing := _missing_secrets(settings)):
            raise SettingsError([f"{variable(name)}: {message}" for name, _ in missing])
        return
    path = _database_file(settings)
    if path is not None and path.exists() and path.stat().st_size and (missing := _missing_secrets(settings)):
        lost = "put it back from your backup, or, if it is lost, write 64 new hexadecimal digits: openssl rand -hex 32"
        lines = [
            f"{variable(name)}: {file} is not there, but {path} was made with it; {lost}" for name, file in missing
        ]
        raise SettingsError(lines)


def _missing_secrets(settings: Settings) -> list[tuple[str, Path]]:
    """The secrets that are neither given nor there: their settings, and their files."""
    files = {"key_pepper": PEPPER_FILE, "encryption_key": ENCRYPTION_KEY_FILE}
    paths = [(name, secret_path(settings, file)) for name, file in files.items() if getattr(settings, name) is None]
    return [(name, path) for name, path in paths if not path.exists()]


def _database_file(settings: Settings) -> Path | None:
    """The file of a SQLite database; None if there is none."""
    path = settings.store_url.removeprefix("sqlite:///").partition("?")[0]
    return Path(path) if path and not settings.is_database_shared else None


def check_ca_file(settings: Settings) -> None:
    """Without usable authorities every call to a provider over HTTPS would fail.

    Raises:
        SettingsError: the file cannot be read, or holds no certificate.
    """
    if settings.ca_file is None:
        return
    import ssl  # noqa: PLC0415  # few have such a file

    try:
        ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError:
        reason = "it holds no certificate in PEM form"
    except OSError as error:
        reason = error.strerror or str(error)
    else:
        return
    raise SettingsError([f"{variable('ca_file')}: {settings.ca_file}: {reason}"])


def check_sms_sender(settings: Settings) -> None:
    """Codes in a file let everybody in who can read it; and a vendor needs an account.

    Raises:
        SettingsError: the outbox is to be used in production, or a setting of the vendor is missing or cannot be.
    """
    if settings.sms_sender == "":
        return
    if settings.sms_sender == "outbox":
        if settings.is_production:
            message = "the outbox is for development; in production choose a vendor"
            raise SettingsError([f"{variable('sms_sender')}: {message}"])
        return
    needed = ["sms_key_id", "sms_key_secret", "sms_sign_name", "sms_code_template"]
    if settings.sms_sender == "tencent":
        needed.append("sms_app_id")
    lines = [f"{variable(name)}: {settings.sms_sender} needs it" for name in needed if not getattr(settings, name)]
    if settings.sms_sender == "dypnsapi" and settings.sms_country_codes != ("86",):
        lines.append(f"{variable('sms_country_codes')}: dypnsapi sends to numbers in China (86) only")
    if settings.sms_sender == "dypnsapi":
        notices = ("sms_low_balance_template", "sms_low_balance_template_en")
        given = [name for name in notices if getattr(settings, name)]
        lines += [f"{variable(name)}: dypnsapi sends codes only, no notices" for name in given]
    if settings.is_production and settings.sms_endpoint.startswith("http://"):
        lines.append(f"{variable('sms_endpoint')}: codes leave over HTTPS only; plain HTTP is for simulated vendors")
    if lines:
        raise SettingsError(lines)


def check_payment_keys(settings: Settings) -> None:
    """With keys that do not fit every payment would fail.

    Raises:
        SettingsError: see `check_alipay`.
    """
    if settings.alipay_app_id:
        from yuanjing.bootstrap.alipay import check_alipay  # noqa: PLC0415  # not all have an account

        check_alipay(settings)


def secret_path(settings: Settings, file_name: str) -> Path:
    """Where a generated secret is kept."""
    return settings.data / SECRETS_FOLDER / file_name
