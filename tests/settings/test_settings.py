"""Settings: read and checked before the first request, every reason at once."""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_clover_export import times
from tap_clover_export.errors import SettingsError
from tap_clover_export.settings import settings as module
from tap_clover_export.settings.merchants import Merchant
from tap_clover_export.settings.secret import Secret
from tap_clover_export.settings.settings import Settings
from tap_clover_export.tap import TapCloverExport

SCHEMA = copy.deepcopy(TapCloverExport.config_jsonschema)
TapCloverExport.append_builtin_config(SCHEMA)
PROPERTIES: dict[str, Any] = SCHEMA["properties"]
PREFIX = "TAP_CLOVER_EXPORT_"
TOKEN = "s3cr3t-t0k3n-4711"
OTHER = "0th3r-t0k3n-0815"
BASE: dict[str, Any] = {"merchant_id": "M1", "access_token": TOKEN, "start_date": "2026-01-01"}


def _read(**changes: Any) -> Settings:
    return module.read({**BASE, **changes}, PROPERTIES)


def _reasons(**changes: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        _read(**changes)
    reasons = caught.value.reasons
    assert str(caught.value) == " ".join(reasons)
    for reason in reasons:
        assert "\n" not in reason
        assert reason.endswith((".", "?"))
        assert TOKEN not in reason
        assert OTHER not in reason
    return reasons


def _file(tmp_path: Path, content: str | bytes) -> str:
    path = tmp_path / "merchants"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_defaults_are_the_contracts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one merchant and a start the rest is as the contract's table says."""
    monkeypatch.delenv("MELTANO_PROJECT_ROOT", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    assert _read() == Settings(
        merchants=(
            Merchant(
                "M1",
                "us",
                "https://api.clover.com",
                pendulum.datetime(2026, 1, 1),
                access_token=Secret(TOKEN),
            ),
        ),
        client_id=None,
        token_store=tmp_path / "tap-clover-export" / "tokens",
        end=None,
        lookback=dt.timedelta(days=7),
        late_changes=dt.timedelta(days=90),
        late_changes_every=dt.timedelta(days=30),
        window=dt.timedelta(days=30),
        max_concurrent_exports=1,
        poll_interval=5,
        export_timeout=180 * 60,
        max_run=None,
        max_wait=24 * 3600,
    )


def test_settings_show_no_token() -> None:
    """Printed settings hold no token."""
    assert TOKEN not in repr(_read())


@pytest.mark.parametrize(
    ("region", "url"),
    [
        ("us", "https://api.clover.com"),
        ("eu", "https://api.eu.clover.com"),
        ("la", "https://api.la.clover.com"),
        ("sandbox", "https://apisandbox.dev.clover.com"),
        (" EU ", "https://api.eu.clover.com"),
        ("Sandbox", "https://apisandbox.dev.clover.com"),
    ],
)
def test_regions_have_their_base_url(region: str, url: str) -> None:
    """A region gives its base URL, however it is spelled."""
    merchant = _read(region=region).merchants[0]

    assert (merchant.region, merchant.api_url) == (region.strip().lower(), url)


NUMBERS = [
    ("lookback_days", "lookback", lambda n: dt.timedelta(days=n)),
    ("late_changes_days", "late_changes", lambda n: dt.timedelta(days=n)),
    ("late_changes_every_days", "late_changes_every", lambda n: dt.timedelta(days=n)),
    ("window_days", "window", lambda n: dt.timedelta(days=n)),
    ("max_concurrent_exports", "max_concurrent_exports", lambda n: n),
    ("poll_interval_seconds", "poll_interval", lambda n: n),
    ("export_timeout_minutes", "export_timeout", lambda n: n * 60),
    ("max_run_hours", "max_run", lambda n: n * 3600),
    ("max_wait_hours", "max_wait", lambda n: n * 3600),
]


@pytest.mark.parametrize(("name", "attribute", "expected"), NUMBERS)
@pytest.mark.parametrize(
    "value", [3, 3.0, "3", "3.0", " 3 ", Decimal(3), Decimal("3.0"), Decimal("0.3E1")]
)
def test_numbers_come_in_any_type(name: str, attribute: str, expected: Any, value: Any) -> None:
    """Numbers may be ints, floats, text or Decimals."""
    assert getattr(_read(**{name: value}), attribute) == expected(3)


@pytest.mark.parametrize(("name", "attribute", "expected"), NUMBERS)
@pytest.mark.parametrize("value", [0.5, "0.5", Decimal("0.5")])
def test_fractions_are_taken_but_for_counts(
    name: str, attribute: str, expected: Any, value: Any
) -> None:
    """Days, hours, minutes and seconds may be fractions; a count of exports may not."""
    if name == "max_concurrent_exports":
        assert name in _reasons(**{name: value})[0]
    else:
        assert getattr(_read(**{name: value}), attribute) == expected(0.5)


@pytest.mark.parametrize("name", [name for name, _, _ in NUMBERS])
@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        "x",
        "1,5",
        "nan",
        "NaN",
        "inf",
        "-inf",
        float("nan"),
        float("inf"),
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        [],
        [1],
        {"a": 1},
        -1,
        "-1",
        10**400,
        "1e400",
    ],
    ids=repr,
)
def test_what_is_no_number_is_refused(name: str, value: Any) -> None:
    """Booleans, NaN, infinity, text, lists and negative numbers: a reason that names it."""
    (reason,) = _reasons(**{name: value})

    assert reason.startswith(f"{name} is ")
    assert "give" in reason


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("lookback_days", [0, "0", Decimal(0), 3650], [-0.001, 3650.5, 1e9]),
        ("late_changes_days", [0, 3650], [-0.001, 3650.5]),
        ("late_changes_every_days", [0.1, 3650], [0, 3650.5]),
        ("window_days", [0.001, 30, "30.0"], [0, "0", -1, 30.0001, 31, 365]),
        ("max_concurrent_exports", [1, "1", 2.0, "2.0", 1000], [0, "0", 1.5, "2.5", 1001]),
        ("poll_interval_seconds", [0.001, 3600], [0, 3601]),
        ("export_timeout_minutes", [0.5, 1440], [0, 1441]),
        ("max_run_hours", [0.001, 1000], [0, "0"]),
        ("max_wait_hours", [0, "0", 1000], [-0.001]),
    ],
)
def test_numbers_have_bounds(name: str, good: list[Any], bad: list[Any]) -> None:
    """Each number is taken inside its bounds and refused outside, with the bounds said."""
    for value in good:
        _read(**{name: value})
    for value in bad:
        (reason,) = _reasons(**{name: value})
        assert reason.startswith(f"{name} is ")


def test_zeros_are_not_taken_for_unset() -> None:
    """A look-back and a wait of 0 are 0, not the default."""
    read = _read(lookback_days=0, max_wait_hours="0")

    assert read.lookback == dt.timedelta(0)
    assert read.max_wait == 0


@pytest.mark.parametrize("name", [name for name, _, _ in NUMBERS])
@pytest.mark.parametrize("value", [None, ""])
def test_empty_settings_are_unset(name: str, value: Any) -> None:
    """None and an empty text (an unset variable of Meltano's) leave the default."""
    assert _read(**{name: value}) == _read()


@pytest.mark.parametrize("days", [1e-12, "1e-300", 1e-7])
def test_tiny_windows_still_move(days: Any) -> None:
    """A window that rounds to nothing would never end; it is a second at least, and whole ones."""
    assert _read(window_days=days).window == dt.timedelta(seconds=1)
    assert _read(window_days=1 / 7).window == dt.timedelta(seconds=12_343)


@pytest.mark.parametrize("name", ["start_date", "end_date"])
@pytest.mark.parametrize(
    "value",
    [
        "2026-01-31",
        "2026-01-31T00:00:00Z",
        "2026-01-31T01:00:00+01:00",
        dt.date(2026, 1, 31),
        dt.datetime(2026, 1, 31, tzinfo=dt.UTC),
        pendulum.datetime(2026, 1, 31),
    ],
    ids=repr,
)
def test_dates_come_as_text_or_as_dates(name: str, value: Any) -> None:
    """Dates and date-times, as text or as YAML's own, are read as UTC."""
    read = _read(**{name: value})

    assert pendulum.datetime(2026, 1, 31) in (read.end, read.merchants[0].start)


@pytest.mark.parametrize("name", ["start_date", "end_date"])
@pytest.mark.parametrize(
    "value", ["x", "2026-02-30", "31.01.2026", 5, 1.5, True, [], ["2026"], {}, "yesterday"]
)
def test_what_is_no_date_is_refused(name: str, value: Any) -> None:
    """Anything else is refused with one reason that shows how to write it."""
    (reason,) = _reasons(**{name: value})

    assert reason.startswith(f"{name} is not a date or date-time; write it like ")


@pytest.mark.parametrize("name", ["start_date", "end_date"])
def test_dates_that_leave_the_calendar_are_refused(name: str) -> None:
    """A date-time that is past the year 9999 in UTC ends in a reason, not a traceback."""
    assert _reasons(**{name: "9999-12-31T23:59:59-12:00"})[0].startswith(name)


def test_start_is_required() -> None:
    """Without start_date the reason names it."""
    assert _reasons(start_date=None) == [
        "start_date is not set; give the earliest time to export, such as 2026-01-01."
    ]


def test_start_after_end_is_refused_once() -> None:
    """A start after the end is one reason, however many merchants go by it."""
    others = [{"merchant_id": f"M{n}", "access_token": OTHER} for n in range(2, 9)]

    assert _reasons(end_date="2025-12-31", merchants=others) == [
        "start_date lies after end_date; put it before."
    ]
    assert _read(end_date="2026-01-01").end == pendulum.datetime(2026, 1, 1)


def test_start_of_a_merchant_after_the_end_is_refused() -> None:
    """The merchant whose own start lies after the end is named."""
    own = {"merchant_id": "M2", "access_token": OTHER, "start_date": "2026-06-01"}

    assert _reasons(end_date="2026-05-01", merchants=[own]) == [
        "start_date of merchant M2 lies after end_date; put it before."
    ]


@pytest.mark.parametrize("region", ["mars", "", " ", "US,EU", 5, ["us"], {}])
def test_wrong_regions_are_refused(region: Any) -> None:
    """A wrong region is refused with the four there are; an empty one is unset."""
    if region == "":
        assert _read(region=region).merchants[0].region == "us"
        return
    (reason,) = _reasons(region=region)
    assert reason == "region is not one of us, eu, la, sandbox; give one of these."


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://example.com:8443/clover",
        "HTTPS://EXAMPLE.COM",
        "http://localhost",
        "http://LOCALHOST:8000",
        "http://127.0.0.1:8000",
        "http://127.200.3.4",
        "http://[::1]",
        "http://[::1]:8000/x",
        "http://[0:0:0:0:0:0:0:1]:1",
    ],
)
def test_api_url_is_https_or_loopback(url: str) -> None:
    """Any https address, and http on this machine's loopback, overrides the base URL."""
    assert _read(api_url=url).merchants[0].api_url == url
    assert _read(api_url=url + "/").merchants[0].api_url == url
    assert _read(api_url=f" {url}// ").merchants[0].api_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://api.clover.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://[::]",
        "http://[fe80::1]",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://localhost@example.com",
        "http://2130706433",
        "http://127.1",
        "http://localhost.",
        "http://clover.localhost",
        "http://[2002:7f00:1::]",
        "ftp://localhost",
        "file:///etc/passwd",
        "localhost:8000",
        "//localhost",
        "https://",
        "https:///x",
        "https://[",
        "https://x:99999",
        "https://x:0",
        "https://x:y",
        f"https://user:{TOKEN}@example.com",
        f"https://{TOKEN}@example.com",
        f"https://example.com?access_token={TOKEN}",
        "https://example.com#x",
        "x",
        " ",
    ],
)
def test_other_api_urls_are_refused(url: str) -> None:
    """Plain http elsewhere, credentials, queries, no host, no port: refused, not repeated."""
    (reason,) = _reasons(api_url=url)

    assert reason.startswith("api_url is not usable; give an address such as")


@pytest.mark.parametrize(
    "url", ["https://x y", "https://exa\tmple.com", "https://x/\nfoo", "https://@x", "https://x?"]
)
def test_api_urls_that_requests_would_change_are_refused(url: str) -> None:
    """An address with white space inside, or an empty user or query, is refused."""
    assert _reasons(api_url=url)[0].startswith("api_url is not usable")


@pytest.mark.parametrize("name", ["api_url", "client_id", "token_store", "merchants_file"])
@pytest.mark.parametrize("value", [5, True, ["x"], {"a": "b"}])
def test_texts_have_to_be_text(name: str, value: Any) -> None:
    """What should be text and is not is refused in a sentence that says to quote it."""
    assert f"{name} is not text; put it in quotes." in _reasons(**{name: value})


def test_api_url_holds_for_every_region() -> None:
    """The address overrides the base URL of merchants with a region of their own, too."""
    own = {"merchant_id": "M2", "access_token": OTHER, "region": "eu"}
    merchants = _read(api_url="https://proxy.example", merchants=[own]).merchants

    assert [(m.region, m.api_url) for m in merchants] == [
        ("us", "https://proxy.example"),
        ("eu", "https://proxy.example"),
    ]


@pytest.mark.parametrize(
    ("typo", "right"),
    [
        ("window_day", "window_days"),
        ("widow_days", "window_days"),
        ("merchant", "merchants"),
        ("acces_token", "access_token"),
        ("startdate", "start_date"),
        ("start-date", "start_date"),
        ("regions", "region"),
        ("max_concurrent_export", "max_concurrent_exports"),
        ("stream_map", "stream_maps"),
    ],
)
def test_typos_are_found(typo: str, right: str) -> None:
    """An unknown setting that looks like a known one is refused with the one it looks like."""
    assert f"{typo} is no setting; did you mean {right}?" in _reasons(**{typo: "x"})


@pytest.mark.parametrize(
    ("typo", "right"),
    [
        ("STRAT_DATE", "START_DATE"),
        ("MERCHANT_IDS", "MERCHANT_ID"),
        ("MAX_FILE_MB", "MAX_FILE_MIB"),
        ("ACESS_TOKEN", "ACCESS_TOKEN"),
        ("LOOKBACK_DAY", "LOOKBACK_DAYS"),
        ("MERCHANTS_FIEL", "MERCHANTS_FILE"),
    ],
)
def test_misspelt_variables_are_found(typo: str, right: str) -> None:
    """A variable that looks like a setting's is told of, with the one it looks like."""
    (said,) = module.misspelt([f"{PREFIX}{typo}", f"{PREFIX}START_DATE"], PREFIX, PROPERTIES)
    assert said == f"{PREFIX}{typo} is no setting; did you mean {PREFIX}{right}?"


def test_variables_that_others_set_are_left_alone() -> None:
    """Those that Meltano makes, of heirs too, the tap's, users' own, and what looks like none."""
    names = ["_START_DATE", "_LOAD_SCHEMA", "_EU_START_DATE", "EU_START_DATE", "STREAM_MAPS_X"]
    names += ["EU_STREAM_MAPS_X", "TRACE", "LOGLEVEL", "MAX_FILE_MIB", "SERVICE_HOST"]
    names += ["ACCESS_TOKEN_1", "ACCESS_TOKEN_EU", "MERCHANT_ID_2", "START_DATE_2", "PIP_URL"]
    names += ["TOKEN_STORE_URL", "CLIENT_SECRET_FILE", "MERCHANT_ID_FILE", "MERCHANTS_EU"]
    names += map(str.upper, PROPERTIES)
    variables = [PREFIX + name for name in names]
    assert not list(module.misspelt([*variables, "STRAT_DATE"], PREFIX, PROPERTIES))


@pytest.mark.parametrize("name", ["foo", "environment", "batch_config", "x"])
def test_other_unknown_settings_are_left_alone(name: str) -> None:
    """An unknown setting that looks like none is not the tap's business."""
    assert _read(**{name: "x"}) == _read()


LIST = [
    {"merchant_id": "M2", "access_token": OTHER},
    {
        "merchant_id": "M3",
        "refresh_token": OTHER,
        "region": "eu",
        "start_date": "2025-06-01T12:00:00+02:00",
    },
]
EXPECTED = (
    Merchant(
        "M2",
        "us",
        "https://api.clover.com",
        times.parse("2026-01-01"),
        access_token=Secret(OTHER),
    ),
    Merchant(
        "M3",
        "eu",
        "https://api.eu.clover.com",
        times.parse("2025-06-01T10:00:00Z"),
        refresh_token=Secret(OTHER),
    ),
)
OTHER_ORDER = (
    f"start_date,region,refresh_token,access_token,merchant_id\n,,,{OTHER},M2\n"
    f"2025-06-01T12:00:00+02:00,eu,{OTHER},,M3\n"
)
CSV = (
    "merchant_id,access_token,refresh_token,region,start_date\n"
    f"M2,{OTHER},,,\n"
    f"M3,,{OTHER},eu,2025-06-01T12:00:00+02:00\n"
)


@pytest.mark.parametrize(
    "merchants", [LIST, json.dumps(LIST), json.dumps(LIST, indent=2)], ids=["list", "json", "json2"]
)
def test_merchants_as_list_or_json(merchants: Any) -> None:
    """`merchants` may be a list or its JSON text; region and start may be a merchant's own."""
    config = {"merchants": merchants, "start_date": "2026-01-01", "client_id": "APP"}

    assert module.read(config, PROPERTIES).merchants == EXPECTED


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(LIST),
        "\ufeff" + json.dumps(LIST, indent=1),
        "\n  " + json.dumps(LIST),
        CSV,
        "\ufeff" + CSV,
        CSV.replace("\n", "\r\n"),
        CSV.replace("\n", "\n\n"),
        CSV.rstrip(),
        CSV.replace(",", ", "),
        CSV.replace("M2", '"M2"').replace(OTHER, f'"{OTHER}"').replace("region", '"region"'),
        OTHER_ORDER,
    ],
    ids=[
        "json",
        "json-bom",
        "json-space",
        "csv",
        "csv-bom",
        "crlf",
        "blank-lines",
        "no-end",
        "spaces",
        "quotes",
        "order",
    ],
)
def test_merchants_file(tmp_path: Path, content: str) -> None:
    """`merchants_file` may be JSON or CSV, as editors and spreadsheets write them."""
    config = {
        "merchants_file": _file(tmp_path, content),
        "start_date": "2026-01-01",
        "client_id": "APP",
    }

    assert module.read(config, PROPERTIES).merchants == EXPECTED


@pytest.mark.parametrize(
    "content",
    [
        f"merchant_id , access_token \nM2 , {OTHER} \n",
        f'"merchant_id" , "access_token"\n"M2" , "{OTHER}"\n',
    ],
    ids=["plain", "quoted"],
)
def test_merchants_file_with_spaces_before_commas(tmp_path: Path, content: str) -> None:
    """Spaces before a comma of the CSV are no part of a name or value either."""
    read = _read(merchants_file=_file(tmp_path, content))

    assert read.merchants[1] == EXPECTED[0]


def test_merchants_file_with_a_newline_in_quotes(tmp_path: Path) -> None:
    """A quoted CSV value with a newline is no token; the lines are not joined unseen."""
    path = _file(tmp_path, f'merchant_id,access_token\nM2,"{OTHER}\nx"\n')

    assert _reasons(merchants_file=path)


def test_all_ways_to_give_merchants_add_up(tmp_path: Path) -> None:
    """Shorthand, list and file together: the shorthand first, then the list, then the file."""
    path = _file(tmp_path, f"merchant_id,access_token\nM4,{OTHER}\n")
    read = _read(merchants=LIST, merchants_file=path, client_id="APP")

    assert [merchant.id for merchant in read.merchants] == ["M1", "M2", "M3", "M4"]


def test_values_are_stripped() -> None:
    """Spaces around an id and a token are none of theirs."""
    merchant = _read(merchant_id=" M1 ", access_token=f" {TOKEN}\n").merchants[0]

    assert merchant.id == "M1"
    assert merchant.access_token == Secret(TOKEN)


def test_paths_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~` is the user's home in both paths."""
    monkeypatch.setenv("HOME", str(tmp_path))
    _file(tmp_path, f"merchant_id,access_token\nM4,{OTHER}\n")
    read = _read(merchants_file="~/merchants", token_store="~/tokens.json")

    assert read.merchants[1].id == "M4"
    assert read.token_store == tmp_path / "tokens.json"


def test_relative_paths_begin_at_the_meltano_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both paths do where Meltano names its project; a full path and a home stay as they are."""
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/x")
    _file(tmp_path, f"merchant_id,access_token\nM4,{OTHER}\n")
    read = _read(merchants_file="merchants", token_store="kept/tokens.json")
    assert read.merchants[1].id == "M4"
    assert read.token_store == tmp_path / "kept" / "tokens.json"
    assert _read(token_store="/full/path").token_store == Path("/full/path")
    assert _read(token_store="~/path").token_store == Path("/home/x/path")
    monkeypatch.delenv("MELTANO_PROJECT_ROOT")
    assert _read(token_store="tokens.json").token_store == Path("tokens.json")


@pytest.mark.parametrize("name", ["token_store", "merchants_file"])
def test_homes_of_unknown_users_are_refused(name: str) -> None:
    """The home of a user who does not exist is a reason, not a traceback."""
    assert _reasons(**{name: "~no-such-user/x"})[0].startswith(name)


def test_a_store_of_an_older_version_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default is the file's place where there is one."""
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    older = tmp_path / ".meltano" / "tap-clover-export" / "tokens.json"
    older.parent.mkdir(parents=True)
    older.touch()
    assert _read().token_store == older


def test_a_store_may_be_a_database() -> None:
    """An address is no path, and a secret."""
    url = "postgresql://me:pass@host/db"
    assert _read(token_store=url).token_store == Secret(url)
    assert "pass" not in repr(_read(token_store=url))


KEYS = ("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=", "A" * 43 + "=")


@pytest.mark.parametrize("between", [",", " ", ", ", "\n"])
def test_a_key_may_be_followed_by_the_one_before(between: str) -> None:
    """One or two keys are read, in their order; anything else is a reason."""
    assert _read(token_key=KEYS[0]).token_keys == (Secret(KEYS[0]),)
    assert _read(token_key=between.join(KEYS)).token_keys == tuple(map(Secret, KEYS))
    for wrong in ("k3y", KEYS[0][:-1], f"{KEYS[0]},k3y", ",".join([*KEYS, KEYS[0]]), "A" * 44):
        (reason,) = _reasons(token_key=wrong)
        assert reason.startswith("token_key is not usable; give one that is made as")
        assert wrong not in reason


def test_a_login_may_be_named() -> None:
    """A merchant's login is named by its fingerprint, and by nothing that only looks so."""
    named = {"access_token": None, "client_id": "C", "refresh_token": "stored:" + "0a" * 16}
    assert _read(**named).merchants[0].refresh_token
    named["refresh_token"] = "stored:0a"
    assert _reasons(**named) == [
        "The refresh_token of merchant M1 names no login; give it as --login printed it."
    ]


def test_token_store_lies_in_the_meltano_project(monkeypatch: pytest.MonkeyPatch) -> None:
    """By default the store is Meltano's project's, else the user's state directory's."""
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", "/project")
    assert _read().token_store == Path("/project/.meltano/tap-clover-export/tokens")
    monkeypatch.delenv("MELTANO_PROJECT_ROOT")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/x")
    assert _read().token_store == Path("/home/x/.local/state/tap-clover-export/tokens")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"merchants": [], "merchant_id": None, "access_token": None}, ["No merchant is set"]),
        ({"merchants": "[]", "merchant_id": "", "access_token": ""}, ["No merchant is set"]),
        ({"merchant_id": None}, ["merchant_id is not usable"]),
        ({"access_token": None}, ["Merchant M1 has neither"]),
        ({"refresh_token": OTHER, "client_id": "x"}, ["Merchant M1 has both"]),
        ({"merchant_id": "M/1"}, ["merchant_id is not usable"]),
        ({"merchant_id": "../x"}, ["merchant_id is not usable"]),
        ({"merchant_id": "M\u00e9"}, ["merchant_id is not usable"]),
        ({"merchant_id": "M 1"}, ["merchant_id is not usable"]),
        ({"merchant_id": "M1\nM2"}, ["merchant_id is not usable"]),
        ({"merchant_id": 5}, ["merchant_id is not text; put it in quotes."]),
        ({"merchant_id": True}, ["merchant_id is not text; put it in quotes."]),
        ({"merchant_id": float("inf")}, ["merchant_id is not text; put it in quotes."]),
        ({"access_token": 5}, ["The access_token of merchant M1 is not text; put it in quotes."]),
        (
            {"merchants": [LIST[0] | {"merchant_id": Decimal(5)}]},
            ["The merchant_id of merchants[0] is not text; put it in quotes."],
        ),
        ({"access_token": f"{TOKEN} x"}, ["The access_token of merchant M1 is not a token"]),
        ({"access_token": f"{TOKEN}\nX: y"}, ["The access_token of merchant M1 is not a token"]),
        ({"access_token": f"{TOKEN}\u00e9"}, ["The access_token of merchant M1 is not a token"]),
        ({"access_token": {"t": TOKEN}}, ["The access_token of merchant M1 is not a token"]),
        ({"merchants": f"[{TOKEN}"}, ["merchants is not a list"]),
        ({"merchants": {"merchant_id": "M2"}}, ["merchants is not a list"]),
        ({"merchants": '{"merchant_id": "M2"}'}, ["merchants is not a list"]),
        ({"merchants": 5}, ["merchants is not a list"]),
        ({"merchants": [5]}, ["merchants[0] is not an object"]),
        ({"merchants": [LIST[0], TOKEN]}, ["merchants[1] is not an object"]),
        (
            {"merchants": [{}]},
            ["merchants[0] has no usable merchant_id", "merchants[0] has neither"],
        ),
        (
            {"merchants": [{"merchant_id": "M-2", "access_token": "a b", "region": "mars"}]},
            [
                "merchants[0] has no usable merchant_id",
                "The access_token of merchants[0] is not a token",
                "region of merchants[0] is not one of",
            ],
        ),
        ({"merchants": [{"merchant_id": "M1", "access_token": OTHER}]}, ["M1 is given twice"]),
        ({"merchants": [LIST[0], LIST[0]]}, ["Merchant M2 is given twice"]),
        ({"merchants": [{"merchant_id": "M2"}]}, ["Merchant M2 has neither"]),
        (
            {"merchants": [{**LIST[0], "refresh_token": OTHER}]},
            ["Merchant M2 has both access_token and refresh_token"],
        ),
        ({"merchants": [{**LIST[0], "region": "mars"}]}, ["region of merchant M2 is not one of"]),
        ({"merchants": [{**LIST[0], "start_date": "x"}]}, ["start_date of merchant M2 is not"]),
        (
            {"merchants": [{"merchant_id": "M2", "acess_token": OTHER}]},
            ["merchants[0] has an unknown field (acess_token)", "Merchant M2 has neither"],
        ),
        ({"merchants": [{**LIST[0], OTHER: "x"}]}, ["merchants[0] has an unknown field (?)"]),
        ({"merchants": LIST}, ["client_id is not set but a merchant has a refresh_token"]),
        (
            {"access_token": None, "refresh_token": OTHER, "client_id": ""},
            ["client_id is not set but a merchant has a refresh_token"],
        ),
    ],
)
def test_bad_merchants_are_refused(changes: dict[str, Any], expected: list[str]) -> None:
    """Each fault of a merchant is a sentence that names the place and says what to do."""
    reasons = _reasons(**changes)

    assert len(reasons) == len(expected)
    for reason, words in zip(reasons, expected, strict=True):
        assert words in reason
        assert ";" in reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "merchants_file is neither a JSON array of merchants nor a CSV"),
        ("{}", "merchants_file is neither a JSON array of merchants nor a CSV"),
        (f"[{TOKEN}", "merchants_file is neither a JSON array of merchants nor a CSV"),
        (f"M2,{TOKEN}\n", "merchants_file is neither a JSON array of merchants nor a CSV"),
        (f"id;token\nM2;{TOKEN}\n", "merchants_file is neither"),
        (f'merchant_id,access_token\n"M2,{TOKEN}\n', "merchants_file is neither"),
        (f'merchant_id,access_token\n"M2"x,{TOKEN}\n', "merchants_file is neither"),
        (b"\xff\xfe\x00", "merchants_file can't be read (it is not UTF-8 text)"),
        ("[5]", "merchants_file, merchant 1 is not an object"),
        (f"merchant_id,access_token\nM2,{OTHER},x\n", "merchants_file, merchant 1 has an unknown"),
        ("merchant_id,access_token\nM2,\n", "Merchant M2 has neither"),
        (f"merchant_id,access_token\nM1,{OTHER}\n", "Merchant M1 is given twice"),
        (
            f"merchant_id,access_token\nM2,{OTHER}\n-,{OTHER}\n",
            "merchants_file, merchant 2 has no usable merchant_id",
        ),
    ],
)
def test_bad_merchants_files_are_refused(tmp_path: Path, content: str | bytes, words: str) -> None:
    """A malformed file is one sentence that names the setting and the place, not the token."""
    (reason,) = _reasons(merchants_file=_file(tmp_path, content))

    assert words in reason


@pytest.mark.parametrize(
    ("path", "why"),
    [("/nope/merchants", "No such file or directory"), ("/", "Is a directory"), ("a\0b", "")],
)
def test_unreadable_merchants_files_are_refused(path: str, why: str) -> None:
    """A file that can't be opened is one sentence with the reason of the system."""
    (reason,) = _reasons(merchants_file=path)

    assert reason.startswith("merchants_file can't be read")
    assert why in reason


@pytest.mark.parametrize(
    ("mode", "tokens", "warnings"),
    [
        (0o644, f"M2,,{TOKEN}\nM3,,{OTHER}\n", 1),
        (0o640, f"M2,,{TOKEN}\n", 0),
        (0o777, f"M2,,{TOKEN}\n", 0),
        (0o644, f"M2,stored:{'0' * 32},\n", 0),
    ],
    ids=["all", "group", "no rights", "no token"],
)
def test_a_merchants_file_that_all_can_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, tokens: str, warnings: int
) -> None:
    """It is warned of once, where it holds tokens and its rights are those of its disk."""
    path = Path(_file(tmp_path, f"merchant_id,refresh_token,access_token\n{tokens}"))
    path.chmod(mode)
    assert _read(merchants_file=str(path), client_id="APP").merchants
    assert [record.message for record in caplog.records] == [
        "merchants_file holds tokens and its mode lets every user read it; run chmod 600 on it.",
    ] * warnings


def test_a_pipe_is_no_merchants_file(tmp_path: Path) -> None:
    """One that nobody writes to would be waited for without end."""
    os.mkfifo(tmp_path / "pipe")
    assert _reasons(merchants_file=str(tmp_path / "pipe")) == [
        "merchants_file is no regular file; give the path of one."
    ]


def test_merchants_nested_too_deep_are_refused(tmp_path: Path) -> None:
    """JSON too deep for the parser is a reason, not a RecursionError."""
    deep = "[" * 100_000

    assert "merchants is not a list" in _reasons(merchants=deep)[0]
    assert "merchants_file is neither" in _reasons(merchants_file=_file(tmp_path, deep))[0]


def test_an_empty_list_in_a_file_is_no_merchant(tmp_path: Path) -> None:
    """A file without a merchant, and none elsewhere, is said to be none."""
    reasons = _reasons(
        merchant_id=None, access_token=None, merchants_file=_file(tmp_path, "merchant_id\n")
    )

    assert reasons[0].startswith("No merchant is set; give merchants, merchants_file, or")


def test_all_reasons_come_at_once() -> None:
    """A user sees every fault in one go."""
    reasons = _reasons(
        region="mars",
        api_url="http://example.com",
        start_date="x",
        end_date="y",
        window_days=31,
        lookback_days=-1,
        max_concurrent_exports="many",
        widow_days=3,
        merchants=[{"merchant_id": "M2"}, {"merchant_id": "M1", "access_token": OTHER}, 5],
    )
    text = " ".join(reasons)

    assert len(reasons) == 11
    for words in (
        "region",
        "api_url",
        "start_date",
        "end_date",
        "window_days",
        "lookback_days",
        "max_concurrent_exports",
        "widow_days is no setting",
        "M2",
        "M1 is given twice",
        "merchants[2]",
    ):
        assert words in text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*PROPERTIES, "windowdays"]), json_values, max_size=5))
def test_no_settings_end_in_a_traceback(changes: dict[str, Any]) -> None:
    """Whatever JSON stands for whichever setting: settings, or reasons without the token."""
    try:
        read = _read(**changes)
    except SettingsError as error:
        reasons = error.reasons
    else:
        reasons = ["none"]
        assert read.merchants
        assert dt.timedelta(0) < read.window <= dt.timedelta(days=30)
    assert reasons
    assert all(TOKEN not in reason for reason in reasons)


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixed tokens need no store; rotating ones need one that is named."""

    def homeless(_: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("MELTANO_PROJECT_ROOT", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "expanduser", homeless)
    assert _read().merchants
    rotating = {"access_token": None, "refresh_token": OTHER, "client_id": "C"}
    assert _reasons(**rotating) == [
        (
            "token_store is not set and this user has no home directory; "
            "give a path where this user can write."
        )
    ]
    monkeypatch.setenv("XDG_STATE_HOME", "state")  # not absolute: as if it were not set
    assert _reasons(**rotating)
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert _read(**rotating).token_store == Path("/state/tap-clover-export/tokens")


@pytest.mark.parametrize(("given", "mib"), [(None, 256), ("", 256), ("1", 1), (" 4096 ", 4096)])
def test_the_limit_of_a_file(monkeypatch: pytest.MonkeyPatch, given: str | None, mib: int) -> None:
    """The environment may allow larger files."""
    monkeypatch.delenv("TAP_CLOVER_EXPORT_MAX_FILE_MIB", raising=False)
    if given is not None:
        monkeypatch.setenv("TAP_CLOVER_EXPORT_MAX_FILE_MIB", given)
    assert _read().file_bytes == mib << 20


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "1 GB", "inf", "٣", "99999999", "none"])
def test_a_limit_that_is_none(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """A limit that can't be used is a reason like that of a setting."""
    monkeypatch.setenv("TAP_CLOVER_EXPORT_MAX_FILE_MIB", given)
    assert _reasons() == [
        (
            "TAP_CLOVER_EXPORT_MAX_FILE_MIB is not usable; "
            "give a whole number of MiB from 1 to 9999999."
        )
    ]


@pytest.mark.parametrize("name", ["lookback_days", "poll_interval_seconds", "max_wait_hours"])
def test_a_default_is_the_schema_s(name: str) -> None:
    """A default stands in the schema alone: with another there, another is read."""
    changed = PROPERTIES | {name: PROPERTIES[name] | {"default": 11}}

    assert module.read(BASE, changed) == _read(**{name: 11})
