"""Whether payments are simulated. Nothing here imports more than it must, see `launch`."""

from yuanjing.settings import Settings, SettingsError, variable

SECRETS_FOLDER = "secrets"


def is_simulated(settings: Settings) -> bool:
    """Whether payments are simulated wherever the sandbox runs: in development, unless another account is given."""
    return not (settings.is_production or settings.alipay_app_id or settings.alipay_simulator == "off")


def payments_folder(settings: Settings) -> str | None:
    """Where the keys for that are; None if payments are not simulated."""
    return str(settings.data / SECRETS_FOLDER) if is_simulated(settings) else None


def check_simulator(settings: Settings) -> None:
    """Who pays at the simulator pays nothing.

    Raises:
        SettingsError: it is to be used in production.
    """
    if settings.is_production and settings.alipay_simulator == "on":
        name = variable("alipay_simulator")
        raise SettingsError(
            [f"{name}: simulated payments are for development; in production give an account at Alipay"]
        )
