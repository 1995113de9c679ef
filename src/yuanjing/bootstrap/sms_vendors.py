"""The vendors of messages, and their connections; imported where there is one."""

import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from yuanjing.adapters.sms import dypnsapi, dysmsapi, tencent
from yuanjing.adapters.sms.account import SmsAccount, Template, call_limits
from yuanjing.domain.money import parse_amount
from yuanjing.kit.clock import Clock
from yuanjing.kit.webcalls import WebCaller, open_client
from yuanjing.ports.messages import Notice, SmsSender
from yuanjing.settings import Settings
from yuanjing.settings.sms import split_field


@asynccontextmanager
async def open_vendor(settings: Settings, clock: Clock) -> AsyncGenerator[SmsSender]:
    """The vendor's sender; its connections are open for as long as this is."""
    limits = call_limits(settings.sms_timeout_seconds)
    async with open_client(limits, verify=ssl.create_default_context(cafile=settings.ca_file)) as client:
        yield _make_vendor(settings, WebCaller(client, limits), clock)


def _make_vendor(settings: Settings, caller: WebCaller, clock: Clock) -> SmsSender:
    """The vendor's sender, with the account of the settings."""
    if settings.sms_sender == "dypnsapi":
        return dypnsapi.DypnsapiSender(_account(settings, dypnsapi.ENDPOINT, dypnsapi.CODE_FIELDS), caller, clock)
    if settings.sms_sender == "dysmsapi":
        return dysmsapi.DysmsapiSender(_account(settings, dysmsapi.ENDPOINT, dysmsapi.CODE_FIELDS), caller, clock)
    assert settings.sms_sender == "tencent", settings.sms_sender
    return tencent.TencentSender(_account(settings, tencent.ENDPOINT, tencent.CODE_FIELDS), caller, clock)


def _account(settings: Settings, endpoint: str, code_fields: tuple[tuple[str, str], ...]) -> SmsAccount:
    notices = {
        Notice.LOW_BALANCE: settings.sms_low_balance_template,
        Notice.LOW_BALANCE_EN: settings.sms_low_balance_template_en,
    }
    fields = _fields(settings.sms_low_balance_fields)
    return SmsAccount(
        key_id=settings.sms_key_id,
        key_secret=settings.sms_key_secret.get_secret_value() if settings.sms_key_secret else "",
        endpoint=settings.sms_endpoint or endpoint,
        sign_name=settings.sms_sign_name,
        code=Template(id=settings.sms_code_template, fields=_fields(settings.sms_code_fields) or code_fields),
        notices={notice: Template(id=template, fields=fields) for notice, template in notices.items() if template},
        cost_nanos=parse_amount(settings.sms_cost),
        app_id=settings.sms_app_id,
        region=settings.sms_region,
    )


def _fields(texts: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(split_field(one) for one in texts)
