"""Bills as files: what is read, and what is not believed."""

import io
import zipfile

import pytest

from yuanjing.adapters.alipay.bills import BillError, read_bill
from yuanjing.domain.topups import FEN_NANOS
from yuanjing.ports.payments import BillLine

HEADER = "支付宝交易号,商户订单号,业务类型,商品名称,订单金额\uff08元\uff09,退款批次号/请求号,服务费\uff08元\uff09,备注"


def archive(*files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as one:
        for number, text in enumerate(files):
            one.writestr(f"{number}_业务明细.csv", text if isinstance(text, bytes) else text.encode("gbk"))
    return data.getvalue()


def damaged(data, place, byte):
    return data[:place] + bytes([byte]) * 8 + data[place + 8 :]


def table(*rows, header=HEADER):
    return "\r\n".join(["#支付宝业务明细查询", "#账号:[1]", header, *rows, "#结束", ""])


def read(data, **changes):
    return read_bill(data, **({"bytes_max": 100_000, "files_max": 8} | changes))


PAID = "2026\t,topup_1\t,交易,元境充值,12.30,\t,-0.07,"
BACK = "2026\t,topup_1\t,退款,元境充值,-2.30,refund_1\t,0.01,"


def test_payments_and_refunds():
    summary = table("合计,,1", header="门店编号,门店名称,交易订单总笔数")
    lines = read(archive(summary, table(PAID, BACK)))
    assert lines == [
        BillLine(
            number="topup_1",
            upstream_id="2026",
            refund_number="",
            amount_nanos=1230 * FEN_NANOS,
            fee_nanos=7 * FEN_NANOS,
        ),
        BillLine(
            number="topup_1",
            upstream_id="2026",
            refund_number="refund_1",
            amount_nanos=230 * FEN_NANOS,
            fee_nanos=-FEN_NANOS,
        ),
    ]


def test_a_refund_without_a_number_is_a_refund_all_the_same():
    (line,) = read(archive(table(BACK.replace("refund_1", ""))))
    assert (line.refund_number, line.amount_nanos) == ("-", 230 * FEN_NANOS)


def test_columns_are_found_by_name():
    header = ",".join(reversed(HEADER.replace("\uff08", "(").replace("\uff09", ")").split(",")))
    assert read(archive(table(",".join(reversed(PAID.split(","))), header=header)))[0].number == "topup_1"


def test_an_empty_bill_and_a_quoted_name():
    assert read(archive(table())) == []
    assert len(read(archive(table(PAID.replace("元境充值", '"a,""b"""'))))) == 1


def test_a_movement_of_another_kind_keeps_no_other_from_being_read():
    other = PAID.replace("交易", "转账").replace("12.30", "-12.30")
    lines = read(archive(table(other, PAID, other.replace("-12.30", ""))))
    assert [one.is_other for one in lines] == [True, False, True]
    assert [(one.number, one.amount_nanos) for one in lines] == [
        ("topup_1", -1230 * FEN_NANOS),
        ("topup_1", 1230 * FEN_NANOS),
        ("topup_1", 0),
    ]


BAD = {
    "no archive": b"not a zip",
    "an empty archive": archive(),
    "no table": archive("hello"),
    "not GBK": archive(table(PAID).encode() + b"\xff\xff"),
    "a short line": archive(table("2026,topup_1,交易")),
    "no amount": archive(table(PAID.replace("12.30", ""))),
    "an amount that is none": archive(table(PAID.replace("12.30", "12.3x"))),
    "a payment below zero": archive(table(PAID.replace("12.30", "-12.30"))),
    "a refund above zero": archive(table(BACK.replace("-2.30", "2.30"))),
    "damaged": archive(table(*[PAID] * 50))[:200] + b"\0" * 40 + archive(table(*[PAID] * 50))[240:],
    "a damaged stream": damaged(archive(table(*[PAID] * 50)), 48, 0),
    "a damaged name": damaged(archive(table(*[PAID] * 50)), 31, 0xFF),
    "many files": archive(*["x"] * 9),
    "a bomb": archive(table(PAID) + " " * 200_000),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_not_a_bill(name):
    with pytest.raises(BillError):
        read(BAD[name])
