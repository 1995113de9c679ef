"""What customers sign in with, from the settings."""

from yuanjing.bootstrap.services import Services
from yuanjing.domain.money import parse_amount
from yuanjing.domain.signin import HOUR, SendPolicy
from yuanjing.ports.messages import SmsSender
from yuanjing.settings import Settings
from yuanjing.usecases.signin import SignInParts, SignInPolicy
from yuanjing.usecases.signin.failures import AddressFailures
from yuanjing.usecases.signin.passwords import Passwords

_DAY_SECONDS = 86_400.0


def make_sign_in(services: Services, sms: SmsSender | None) -> SignInParts:
    """Everything that signing in needs."""
    settings, clock = services.settings, services.clock
    return SignInParts(
        store=services.store,
        clock=clock,
        pepper=services.pepper,
        box=services.box,
        sms=sms,
        policy=sign_in_policy(settings),
        passwords=Passwords(length_min=settings.password_length_min, at_once=settings.password_hashes_max),
        failures=AddressFailures(clock, failures_max=settings.failures_per_address_hour, window_seconds=HOUR),
    )


def has_secure_cookies(settings: Settings) -> bool:
    """Whether cookies are kept to HTTPS: always in production, in development where customers come over it."""
    return settings.is_production or settings.public_base_url.startswith("https://")


def sign_in_policy(settings: Settings) -> SignInPolicy:
    """The limits of signing in."""
    return SignInPolicy(
        send=SendPolicy(
            code_seconds=settings.code_seconds,
            attempts_max=settings.code_attempts_max,
            resend_seconds=settings.sms_resend_seconds,
            per_mobile_hour=settings.sms_per_number_hour,
            per_mobile_day=settings.sms_per_number_day,
            per_address_hour=settings.sms_per_address_hour,
            per_day=settings.sms_per_day_max,
            cost_per_day_nanos=parse_amount(settings.sms_cost_per_day_max),
            captcha_after=settings.captcha_after,
        ),
        country_codes=settings.sms_country_codes,
        blocked_prefixes=settings.sms_blocked_prefixes,
        idle_seconds=settings.session_idle_seconds,
        session_seconds=settings.session_seconds,
        remembered_seconds=settings.session_remember_days * _DAY_SECONDS,
        sessions_max=settings.sessions_per_customer_max,
        confirm_seconds=settings.confirm_seconds,
        failures_max=settings.password_failures_max,
        failure_window_seconds=settings.password_failure_seconds,
        lock_seconds=settings.password_lock_seconds,
        captcha_seconds=settings.captcha_seconds,
        captcha_rounds=settings.captcha_rounds,
        test_grant_nanos=parse_amount(settings.welcome_test_grant),
        recorded_failures_max=settings.audit_failures_per_hour,
    )
