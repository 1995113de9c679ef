"""What can be known to be wrong before anything starts."""

from pathlib import Path

from yuanjing.settings import Settings, SettingsError, variable

PEPPER_FILE, ENCRYPTION_KEY_FILE = "key-pepper", "encryption-key"


def check(settings: Settings) -> None:
    """All of it; nothing is made.

    Raises:
        SettingsError: the platform could not work with these settings.
    """
    check_secrets(settings)
    check_ca_file(settings)


def check_secrets(settings: Settings) -> None:
    """In production with a database that machines share, a secret made here would differ from the other machines'.

    Raises:
        SettingsError: it is neither given nor there; nothing was made.
    """
    if not (settings.is_production and settings.is_database_shared):
        return
    missing = [
        name
        for name, file_name in (("key_pepper", PEPPER_FILE), ("encryption_key", ENCRYPTION_KEY_FILE))
        if getattr(settings, name) is None and not secret_path(settings, file_name).exists()
    ]
    if missing:
        message = "must be given in production with a shared database: 64 hexadecimal digits, the same everywhere"
        raise SettingsError([f"{variable(name)}: {message}" for name in missing])


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


def secret_path(settings: Settings, file_name: str) -> Path:
    """Where a generated secret is kept."""
    return settings.data / "secrets" / file_name
