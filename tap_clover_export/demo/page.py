"""The sales report: one page drawn from the marts, that asks nothing of anybody."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING, Literal

import jinja2
from markupsafe import Markup

from . import charts
from .money import amount, decimals, money, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from .marts import Marts, Row

COLOURS = 6
"""How many there are for shops; where these are more, the smallest share the last one."""
HEAT = 8
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
OVERVIEW = {
    "orders": "Orders",
    "gross_sales_cents": "Gross",
    "discounts_cents": "Discounts",
    "refunds_cents": "Refunds",
    "net_sales_cents": "Net sales",
    "taxes_cents": "Taxes",
    "tips_cents": "Tips",
    "amount_collected_cents": "Collected",
}
LAGS = (
    ("the same day", 0),
    ("the next day", 1),
    ("2 to 7 days", 7),
    ("8 to 14 days", 14),
    ("15 to 30 days", 30),
)
LATER, MANUAL = "later", "manual or unknown"
OWED = ("unpaid", "partly paid")
SHOWN = (*OWED, "overpaid", "deleted but paid", "payment without order")
NEWEST = 5


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: Its heading.
        kind: What its cells are; a bar is a share of one, heat a text and a level.
    """

    name: str
    kind: Literal["text", "number", "bar", "heat", "colour"] = "number"


@dataclass(frozen=True)
class Table:
    """A table; the first column heads its rows.

    Attributes:
        caption: What it shows.
        columns: Its columns.
        rows: Their cells.
        kind: `cards` where a row becomes a card on a phone, `heat` for a map of colours.
        folded: Whether it stays shut until it is asked for.
    """

    caption: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[object]]
    kind: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        title: Its heading.
        words: What it says, in a sentence.
        tables: The numbers.
        chart: The picture of them.
        place: `wide` for the page's whole width, `tall` for the height of two parts.
    """

    title: str
    words: str
    tables: Sequence[Table]
    chart: Markup | str = ""
    place: str = ""


@dataclass(frozen=True)
class Money:
    """All that is in a currency.

    Attributes:
        currency: Its code.
        net: Its net sales.
        sums: The figures at a glance, by name.
        sections: The parts.
    """

    currency: str
    net: str
    sums: Mapping[str, str]
    sections: Sequence[Section]


def to_html(marts: Marts, now: datetime) -> str:
    """The page, in ASCII.

    Args:
        marts: What it is drawn from.
        now: When that was read.
    """
    names = {row["merchant_id"]: row["name"] or row["merchant_id"] for row in marts.shops}
    for row in (*marts.overview, *marts.owed, *marts.coverage):
        names.setdefault(row["merchant_id"], row["merchant_id"])
    currencies = dict.fromkeys(
        row["currency"] for row in (*marts.overview, *marts.owed) if row["currency"]
    )
    monies = [_money(marts, currency, names) for currency in sorted(currencies)]
    days = [row["business_day"] for row in marts.overview]
    style = _file("sales.css")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.FunctionLoader(_file),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("sales.html.j2").render(
        now=_moment(now),
        first=_day(min(days)) if days else "",
        last=_day(max(days)) if days else "",
        shops=len({row["merchant_id"] for row in marts.overview}),
        orders=sum(row["orders"] for row in marts.overview),
        monies=monies,
        complete=_complete(marts, names),
        through=_through(marts),
        style=Markup(style),  # noqa: S704
        policy=f"default-src 'none'; style-src {_digest(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'",
    )
    return page.encode("ascii", "xmlcharrefreplace").decode()


def _money(marts: Marts, currency: str, names: Mapping[str, str]) -> Money:
    def of(rows: Iterable[Row]) -> list[Row]:
        return [row for row in rows if row["currency"] == currency]

    overview = of(marts.overview)
    sums = _sums(overview)
    orders = sums["orders"]
    return Money(
        currency,
        money(sums["net_sales_cents"], currency),
        {
            "Net sales": amount(sums["net_sales_cents"], currency),
            "Collected": amount(sums["amount_collected_cents"], currency),
            "Orders": f"{orders:,}",
            "Average sale": (
                amount(round(sums["net_sales_cents"] / orders), currency) if orders else "none"
            ),
            "Tips": amount(sums["tips_cents"], currency),
            "Refunds": amount(sums["refunds_cents"], currency),
        },
        [
            *_days(overview, currency, names),
            *_hours(of(marts.hours), overview, currency),
            *_items(of(marts.items), currency),
            *_tenders(of(marts.tenders), currency),
            *_refunds(of(marts.refunds), currency, names),
            *_owed(of(marts.owed), currency, names),
        ],
    )


def _days(rows: Sequence[Row], currency: str, names: Mapping[str, str]) -> Iterable[Section]:
    """Sales by day and shop."""
    if not rows:
        return
    by_shop: dict[str, list[Row]] = {}
    for row in rows:
        by_shop.setdefault(row["merchant_id"], []).append(row)
    net = {shop: _sums(of)["net_sales_cents"] for shop, of in by_shop.items()}
    shops = sorted(by_shop, key=lambda shop: (-net[shop], shop))
    colour = {shop: min(place, COLOURS - 1) for place, shop in enumerate(shops)}
    first, last = rows[0]["business_day"], rows[-1]["business_day"]
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    mondays = [_label(day) for day in days if day.weekday() == 0]

    sales: dict[tuple[int, date], int] = {}
    told: dict[tuple[int, date], list[str]] = {}
    totals: Counter[date] = Counter()
    net_of = {(row["merchant_id"], row["business_day"]): row["net_sales_cents"] for row in rows}
    for row in rows:
        day, cents = row["business_day"], row["net_sales_cents"]
        place = colour[row["merchant_id"]], day
        sales[place] = sales.get(place, 0) + cents
        told.setdefault(place, []).append(f"{names[row['merchant_id']]} {money(cents, currency)}")
        totals[day] += cents
    series = {
        str(number): [
            (
                sales.get((number, day), 0),
                f"{_day(day)}: " + "; ".join(told.get((number, day), ["nothing"])),
            )
            for day in days
        ]
        for number in sorted(set(colour.values()))
    }
    best = max(totals, key=lambda day: totals[day])
    weeks: dict[date, list[Row]] = {}
    for row in rows:
        day = row["business_day"]
        weeks.setdefault(day - timedelta(days=day.weekday()), []).append(row)
    columns = [Column(name) for name in OVERVIEW.values()]
    caption = f"Sales Overview in {currency}"
    by_shop_rows = [
        [(colour[shop], names[shop]), *_written(_sums(by_shop[shop]), currency)] for shop in shops
    ]
    if len(shops) > 1:
        by_shop_rows.append([(-1, "All shops"), *_written(_sums(rows), currency)])
    yield Section(
        "By day and shop",
        f"Net sales a day, {_times(len(days), 'day')}. The best day was {_day(best)} with "
        f"{money(totals[best], currency)}; a day brought "
        f"{money(round(sum(totals.values()) / len(days)), currency)} on average.",
        [
            Table(
                f"{caption}, a shop a row",
                [Column("Shop", "colour"), *columns],
                by_shop_rows,
                kind="cards",
            ),
            Table(
                f"{caption}, a week a row",
                [Column("Week from", "text"), *columns],
                [[_day(week), *_written(_sums(of), currency)] for week, of in weeks.items()],
                kind="cards",
                folded=True,
            ),
            Table(
                f"Net sales in {currency}, a day a row",
                [
                    Column("Day", "text"),
                    *(Column(names[shop]) for shop in shops[:COLOURS]),
                    Column("All shops"),
                ],
                [
                    [
                        _day(day),
                        *(amount(net_of.get((shop, day), 0), currency) for shop in shops[:COLOURS]),
                        amount(totals[day], currency),
                    ]
                    for day in days
                ],
                kind="cards",
                folded=True,
            ),
        ],
        charts.bars(
            series,
            [_label(day) for day in days],
            lambda cents: short(cents, currency),
            major=(mondays, mondays[::2]),
        ),
        place="wide",
    )


def _hours(rows: Sequence[Row], overview: Sequence[Row], currency: str) -> Iterable[Section]:
    """Sales by hour and weekday, as the mean of such weekdays."""
    if not rows or not overview:
        return
    first, last = overview[0]["business_day"], overview[-1]["business_day"]
    count = Counter(
        (first + timedelta(days=place)).isoweekday() for place in range((last - first).days + 1)
    )
    mean = {
        (row["hour_of_day"], row["weekday"]): row["sales_cents"] / count[row["weekday"]]
        for row in rows
    }
    hours = _clockwise({hour for hour, _ in mean})
    labels = [f"{hour:02}" for hour in hours]
    top = max(mean.values())
    unit = 10 ** decimals(currency)
    step = unit if top >= 100 * unit else 1
    best_hour, best_day = max(mean, key=lambda place: mean[place])

    def cell(hour: int, weekday: int) -> tuple[str, int]:
        cents = round(mean.get((hour, weekday), 0) / step) * step
        level = round(max(cents, 0) / top * HEAT) if top > 0 else 0
        return (short(cents, currency) if (hour, weekday) in mean else "", level)

    a_day = {
        hour: sum(row["sales_cents"] for row in rows if row["hour_of_day"] == hour)
        / sum(count.values())
        for hour in hours
    }
    yield Section(
        "By hour and weekday",
        "Sales before refunds, by the hour of an order's first payment in the shop's own time. The "
        f"strongest hour is {best_hour:02}:00 on {WEEKDAYS[best_day - 1]} with "
        f"{money(round(mean[best_hour, best_day]), currency)} on average.",
        [
            Table(
                f"Mean sales of an hour in {currency}, rounded",
                [Column("Hour", "text"), *(Column(name, "heat") for name in WEEKDAYS)],
                [[f"{hour:02}:00", *(cell(hour, day) for day in range(1, 8))] for hour in hours],
                kind="heat",
            )
        ],
        charts.bars(
            {
                "all": [
                    (round(cents), f"{hour:02}:00: {money(round(cents), currency)} a day")
                    for hour, cents in a_day.items()
                ]
            },
            labels,
            lambda cents: short(cents, currency),
            major=(labels, labels[::3]),
            wide=(560, 170),
        ),
        place="tall",
    )


def _clockwise(hours: set[int]) -> list[int]:
    """Put hours in order, beginning after the longest time without any: a bar's night goes on."""
    ordered = sorted(hours)
    start = max(ordered, key=lambda hour: min((hour - other - 1) % 24 for other in ordered))
    return sorted(hours, key=lambda hour: (hour - start) % 24)


def _items(rows: Sequence[Row], currency: str) -> Iterable[Section]:
    """The best sellers."""
    if not rows:
        return
    top = max(row["sales_cents"] for row in rows)
    total, found = rows[0]["all_sales_cents"], rows[0]["items"]
    share = sum(row["sales_cents"] for row in rows) / total if total else 0
    yield Section(
        "Best sellers",
        f"The first {len(rows)} of {_times(found, 'item')} bring {share:.0%} of the sales, after "
        "discounts and before refunds.",
        [
            Table(
                f"Best sellers, sales in {currency}",
                [Column("Item", "text"), Column("Quantity"), Column("Sales"), Column("", "bar")],
                [
                    [
                        row["name"],
                        _quantity(row),
                        amount(row["sales_cents"], currency),
                        _share(row["sales_cents"], top),
                    ]
                    for row in rows
                ],
            )
        ],
    )


def _tenders(rows: Sequence[Row], currency: str) -> Iterable[Section]:
    """What came in, and by which tender."""
    if not rows:
        return
    total = sum(row["amount_collected_cents"] for row in rows)
    top = max(row["amount_collected_cents"] for row in rows)
    first = rows[0]
    yield Section(
        "Tenders",
        f"{money(total, currency)} came in, tips and surcharges with it and less refunds; "
        f"{first['amount_collected_cents'] / total if total else 0:.0%} of it by "
        f"{first['tender']}.",
        [
            Table(
                f"Collected by tender, in {currency}",
                [
                    Column("Tender", "text"),
                    Column("Payments"),
                    Column("Tips"),
                    Column("Collected"),
                    Column("", "bar"),
                ],
                [
                    [
                        row["tender"],
                        f"{row['payments']:,}",
                        amount(row["tips_cents"], currency),
                        amount(row["amount_collected_cents"], currency),
                        _share(row["amount_collected_cents"], top),
                    ]
                    for row in rows
                ],
            )
        ],
    )


def _refunds(rows: Sequence[Row], currency: str, names: Mapping[str, str]) -> Iterable[Section]:
    """Refunds, and how long after the sale they came."""
    words = "Nothing was refunded."
    tables: list[Table] = []
    if rows:
        lags = {name: [0, 0] for name in (*(name for name, _ in LAGS), LATER, MANUAL)}
        for row in rows:
            lag = lags[_lag(row["days_after"])]
            lag[0] += 1
            lag[1] += row["amount_cents"]
        top = max(cents for _, cents in lags.values())
        late = [row for row in rows if (row["days_after"] or 0) > 0]
        words = (
            f"{_times(len(rows), 'refund')} paid "
            f"{money(sum(row['amount_cents'] for row in rows), currency)} back, tax and tips "
            f"included, each on its own day; {len(late):,} came on a later day than the sale"
        )
        words += f" and up to {max(row['days_after'] for row in late)} days later." if late else "."
        tables = [
            Table(
                f"Refunds by the days since the sale, in {currency}",
                [
                    Column("Refunded", "text"),
                    Column("Refunds"),
                    Column("Amount"),
                    Column("", "bar"),
                ],
                [
                    [name, f"{count:,}", amount(cents, currency), _share(cents, top)]
                    for name, (count, cents) in lags.items()
                    if count
                ],
            ),
            Table(
                f"The newest refunds, in {currency}",
                [
                    Column("Refunded on", "text"),
                    Column("Shop", "text"),
                    Column("Sold on", "text"),
                    Column("Days after"),
                    Column("Amount"),
                ],
                [
                    [
                        _day(row["business_day"]),
                        names[row["merchant_id"]],
                        _day(row["sold_on"]) if row["sold_on"] else row["kind"],
                        "" if row["days_after"] is None else f"{row['days_after']:,}",
                        amount(row["amount_cents"], currency),
                    ]
                    for row in rows[:NEWEST]
                ],
                kind="cards",
            ),
        ]
    yield Section("Refunds and how late they come", words, tables)


def _lag(days: int | None) -> str:
    if days is None:
        return MANUAL
    return next((name for name, most in LAGS if days <= most), LATER)


def _owed(rows: Sequence[Row], currency: str, names: Mapping[str, str]) -> Iterable[Section]:
    """What is unpaid, over all time."""
    owed = [row for row in rows if row["status"] in OWED]
    total = sum(row["total_cents"] - row["paid_cents"] for row in owed)
    count = sum(row["orders"] for row in owed)
    paid = sum(row["orders"] for row in rows if row["status"] == "paid")
    words = (
        f"{money(total, currency)} is owed on {_times(count, 'order')}"
        if count
        else "Nothing is owed"
    )
    listed = [row for row in rows if row["status"] in SHOWN]
    listed.sort(key=lambda row: (SHOWN.index(row["status"]), names[row["merchant_id"]]))
    yield Section(
        "What is unpaid",
        f"{words}, of all the orders that are here; {_times(paid, 'order')} "
        f"{'is' if paid == 1 else 'are'} paid in full.",
        [
            Table(
                f"Orders that are not simply paid, in {currency}",
                [
                    Column("Status", "text"),
                    Column("Shop", "text"),
                    Column("Orders"),
                    Column("Total"),
                    Column("Paid"),
                    Column("Difference"),
                ],
                [
                    [
                        row["status"],
                        names[row["merchant_id"]],
                        f"{row['orders']:,}",
                        amount(row["total_cents"], currency),
                        amount(row["paid_cents"], currency),
                        amount(row["total_cents"] - row["paid_cents"], currency),
                    ]
                    for row in listed
                ],
                kind="cards",
            )
        ]
        if listed
        else [],
    )


def _complete(marts: Marts, names: Mapping[str, str]) -> Section:
    """What is complete, and what is odd."""
    if through := _through(marts):
        words = f"Every shop's orders and payments are complete through {through}"
        holes = sum(row["holes"] for row in marts.coverage)
        words += f", with {_times(holes, 'hole')} before." if holes else ", without a hole."
    else:
        words = "Nothing says what is complete: the ledger (the stream exports) is not here."
    words += (
        f" {_times(len(marts.missing), 'day')} without orders, where the weeks around have some: "
        + ", ".join(
            f"{names.get(row['merchant_id'], row['merchant_id'])} {_day(row['business_day'])}"
            for row in marts.missing[:NEWEST]
        )
        + (" and more." if len(marts.missing) > NEWEST else ".")
        if marts.missing
        else " No day is without orders where the weeks around have some."
    )
    tables = [
        Table(
            "What is complete, by the ledger; times in UTC",
            [
                Column("Shop", "text"),
                Column("Stream", "text"),
                Column("Complete from", "text"),
                Column("Complete through", "text"),
                Column("Holes"),
                Column("Exports"),
                Column("Records"),
            ],
            [
                [
                    names[row["merchant_id"]],
                    row["stream"],
                    _minute(row["complete_from"]),
                    _minute(row["complete_to"]),
                    *(f"{row[name]:,}" for name in ("holes", "exports", "records")),
                ]
                for row in marts.coverage
            ],
            kind="cards",
        )
    ]
    if marts.quality:
        tables.append(
            Table(
                "Oddities",
                [Column("What", "text"), Column("Found")],
                [[row["check_name"], f"{row['found']:,}"] for row in marts.quality],
            )
        )
    return Section("What is complete", words, tables, place="wide")


def _through(marts: Marts) -> str:
    """Until when everything is here; nothing where that is not known."""
    ends = [row["complete_to"] for row in marts.coverage]
    return f"{_moment(min(ends))} UTC" if ends and all(ends) else ""


def _sums(rows: Iterable[Row]) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in rows:
        for name in OVERVIEW:
            sums[name] += row[name]
    return sums


def _written(sums: Mapping[str, int], currency: str) -> list[str]:
    return [
        f"{sums[name]:,}" if name == "orders" else amount(sums[name], currency) for name in OVERVIEW
    ]


def _quantity(row: Row) -> str:
    text = f"{row['quantity']:,.3f}".rstrip("0").rstrip(".")
    return f"{text} {row['unit_name']}" if row["unit_name"] else text


def _share(part: int, top: int) -> float:
    return round(max(part, 0) / top * 100, 1) if top > 0 else 0


def _times(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _day(day: date) -> str:
    return f"{day:%a %-d %b %Y}"


def _label(day: date) -> str:
    return f"{day:%-d %b}"


def _moment(time: datetime) -> str:
    return f"{time:%-d %B %Y, %H:%M}"


def _minute(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "unknown"


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _digest(text: str) -> str:
    """How the policy names the one style that it allows."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
