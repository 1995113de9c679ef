"""The cashier's pages: plain HTML on the server's side, forms and no scripts."""

import html
from collections.abc import Mapping

from yuanjing.sandbox.alipay.clock import written
from yuanjing.sandbox.alipay.faults import ATTACKS, PAYMENTS
from yuanjing.sandbox.alipay.trades import Status, Trade, yuan

HEADERS = (
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("cache-control", "no-store"),
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "header{background:#fff3cd;border:1px solid #d9b700;border-radius:6px;padding:.6rem 1rem}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.5rem}dt{color:#555}dd{margin:0}"
    ".sum{font-size:2rem;font-weight:600}button{font:inherit;padding:.5rem 1rem;margin:.2rem .3rem .2rem 0}"
    ".pay{background:#1058d0;color:#fff;border:0;border-radius:6px;font-size:1.2rem}form{display:inline}"
    "td,th{text-align:left;padding:.2rem .8rem .2rem 0;font-size:.9rem}input{font:inherit;width:6rem}"
)
_WORDS = {
    Status.WAIT: "Waiting for payment · 等待付款",
    Status.SUCCESS: "Paid · 已付款",
    Status.FINISHED: "Paid, and finished · 交易完成",
    Status.CLOSED: "Closed · 交易关闭",
}


def cashier(trade: Trade, said: str = "") -> str:
    """What the payer sees of an order."""
    order = trade.order
    lines = {
        "Order · 订单": order.out_trade_no,
        "For · 商品": order.subject,
        "State · 状态": _WORDS[trade.status],
        "Until · 有效期至": f"{written(order.expires_at)} (UTC+8)",
        "Trade · 交易号": trade.trade_no,
    }
    listed = "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in lines.items())
    note = f'<p role="status"><strong>{html.escape(said)}</strong></p>' if said else ""
    body = f'{note}<p class="sum">¥ {yuan(order.fen)}</p><dl>{listed}</dl>'
    if trade.status is Status.WAIT:
        body += _buttons()
    elif order.return_url:
        body += f'<p><a href="{html.escape(order.return_url)}">Back to the merchant · 返回商户</a></p>'
    return page("Cashier · 收银台", body)


def problem(sub_code: str, text: str) -> str:
    """What the payer sees when the order cannot be paid."""
    return page("Cashier · 收银台", f"<p><strong>{html.escape(sub_code)}</strong> {html.escape(text)}</p>")


def index(trades: list[Trade], attempts: list[dict[str, object]], now: float) -> str:
    """The simulator's front page."""
    rows = "".join(
        f'<tr><td><a href="cashier/{one.token}">{html.escape(one.order.out_trade_no)}</a><td>{yuan(one.order.fen)}'
        f"<td>{one.status if one.trade_no else 'not opened'}<td>{yuan(one.refunded_fen)}</tr>"
        for one in reversed(trades)
    )
    sends = "".join(
        f"<tr>{''.join(f'<td>{html.escape(str(one[name]))}' for name in _SENT)}</tr>" for one in reversed(attempts)
    )
    body = (
        f'<p>Its time: {written(now)} (UTC+8)</p><form method="post" action="clock"><button>Put it forward</button> '
        '<input name="advance" value="3600" inputmode="numeric" aria-label="seconds"> seconds</form>'
        f"<h2>Orders</h2><table><tr><th>Order<th>CNY<th>State<th>Refunded</tr>{rows}</table>"
        f"<h2>Notifications</h2><table><tr>{''.join(f'<th>{name}' for name in _SENT)}</tr>{sends}</table>"
    )
    return page("Simulated Alipay", body)


_SENT = ("at", "out_trade_no", "trade_status", "fault", "number", "status", "answer")


def page(title: str, body: str) -> str:
    """A whole page, marked as a simulation."""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title} (sandbox)</title><style>{_STYLE}</style>"
        "<header>Sandbox: no real money moves here. · 沙箱环境, 不产生真实扣款.</header>"
        f"<main><h1>{title}</h1>{body}</main></html>"
    )


def _buttons() -> str:
    return (
        f"<p>{_button('pay', '', 'Pay · 付款', 'pay')}{_button('cancel', '', 'Cancel · 取消')}</p>"
        f"<details><summary>Faults</summary>{_group('pay', PAYMENTS)}"
        f"<p>Nobody pays, but a notification says so:</p>{_group('attack', ATTACKS)}</details>"
    )


def _group(action: str, faults: Mapping[str, str]) -> str:
    return f"<p>{''.join(_button(action, fault, text) for fault, text in faults.items() if fault)}</p>"


def _button(action: str, fault: str, text: str, style: str = "") -> str:
    return (
        f'<form method="post"><input type="hidden" name="action" value="{action}">'
        f'<input type="hidden" name="fault" value="{fault}"><button class="{style}">{html.escape(text)}</button></form>'
    )
