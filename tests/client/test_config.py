"""Configuration: one file, few variables, no surprises."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heatpool_client.config import Config, Token, base_url, encode, load, parse, read_token
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import Home, find_home, write_private

ID = "3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c"
MINIMAL = f'server = "https://pool.example"\ninstallation_id = "{ID}"\nmodel = "AERO SLM 6-17"\n'

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    st.dictionaries(texts, st.from_regex(r"\A[a-z_][a-z0-9_]{0,20}\Z")),
    st.lists(texts).map(tuple),
    st.integers(1, 20_000),
)
def test_a_written_configuration_is_read_back(
    columns: dict[str, str], drop: tuple[str, ...], batch: int
) -> None:
    """Any column name survives TOML, also quotes, line breaks and control characters."""
    columns = {name: field for name, field in columns.items() if field != "timestamp"}
    config = Config(
        server="https://pool.example",
        installation_id=ID,
        model="AERO SLM",
        columns=columns,
        drop=drop,
        batch_records_max=batch,
    )
    assert parse(encode(config), {}) == config


@pytest.mark.parametrize(
    "line",
    [
        "sever = 1",
        'server = "ftp://pool.example"',
        'server = "http://pool.example"',
        'server = "https://user:secret@pool.example"',
        'server = "https://pool.example/?a=1"',
        'server = ""',
        'server = "https://pool.example:99999"',
        'server = "https://pool.example:0"',
        'server = "https://po ol.example"',
        'server = "https://[::1"',
        'server = "https:///path"',
        f'installation_id = "{ID.upper()}"',
        f'installation_id = "{ID}\\n"',
        'installation_id = "00000000-0000-0000-0000-000000000000"',
        'model = "AERO/SLM"',
        'model = ""',
        'version = "1 2"',
        'language = "fr"',
        "batch_records_max = 0",
        "batch_records_max = 20001",
        "exchange_s_max = 0",
        "retry_s_max = inf",
        'columns = {"a" = "1st"}',
        'columns = {"a" = "timestamp"}',
        "= broken",
    ],
)
def test_what_is_not_a_setting_is_an_error(line: str) -> None:
    """Unknown keys and illegal values are refused before anything is sent."""
    key = line.split(" ", maxsplit=1)[0]
    rest = "".join(one + "\n" for one in MINIMAL.splitlines() if not one.startswith(key + " "))
    with pytest.raises(ClientError) as caught:
        parse(f"{line}\n{rest}".encode(), {})
    assert caught.value.code is Fault.CONFIG_INVALID


def test_the_environment_overrides_the_file() -> None:
    """Only the documented variables; the services' own are none of ours."""
    environ = {
        "HEATPOOL_MODEL": "Other",
        "HEATPOOL_SERVER": "https://other.example/",
        "HEATPOOL_LANGUAGE": "de",
        "HEATPOOL_INGEST_PORT": "1",
        "HEATPOOL_VERSION": "",
    }
    config = parse(MINIMAL.encode(), environ)
    assert (config.model, config.submit_url, config.language) == (
        "Other",
        "https://other.example",
        "de",
    )
    assert config.version == "0.1.0"


def test_a_variable_with_an_illegal_value_is_an_error() -> None:
    """As in the file."""
    with pytest.raises(ClientError, match="installation_id"):
        parse(MINIMAL.encode(), {"HEATPOOL_INSTALLATION_ID": "{" + ID + "}"})


@pytest.mark.parametrize(
    "url",
    [
        "https://pool.example",
        "https://pool.example/",
        "https://pool.example/api/v1/submit",
        "https://pool.example/api/v1/submit/",
    ],
)
def test_the_deployed_loggers_spelling_of_the_server_is_taken(url: str) -> None:
    """They are configured with the address of the submission."""
    assert base_url(url, allow_http=False) == "https://pool.example"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8001", "http://localhost:1", "http://[::1]:1"])
def test_http_is_allowed_to_this_machine(url: str) -> None:
    """Development, and a proxy on the same machine."""
    assert base_url(url, allow_http=False) == url


def test_http_to_others_needs_a_word() -> None:
    """Readings and token would be readable on the way."""
    assert base_url("http://pool.lan", allow_http=True) == "http://pool.lan"
    with pytest.raises(ValueError, match="encrypted"):
        base_url("http://pool.lan", allow_http=False)


def test_the_hub_may_live_elsewhere() -> None:
    """In development edge and hub have two ports."""
    config = parse((MINIMAL + 'hub = "http://127.0.0.1:8002"\n').encode(), {})
    assert (config.submit_url, config.hub_url) == ("https://pool.example", "http://127.0.0.1:8002")
    assert parse(MINIMAL.encode(), {}).hub_url == "https://pool.example"


def test_replacing_checks_again() -> None:
    """`--model` on the command line passes the same checks as the file."""
    config = parse(MINIMAL.encode(), {})
    with pytest.raises(ValueError, match="model"):
        msgspec.structs.replace(config, model="a/b")


def test_a_missing_configuration_says_what_to_do(home: Home) -> None:
    """It is the first error anybody sees."""
    with pytest.raises(ClientError, match="heatpool init"):
        load(home, {})


def test_the_token_comes_from_its_file_or_the_environment(home: Home) -> None:
    """The variable goes first; neither shows in a repr."""
    home.create()
    with pytest.raises(ClientError) as missing:
        read_token(home, {})
    assert missing.value.code is Fault.TOKEN_MISSING
    write_private(home.token, b" file-token\n")
    assert read_token(home, {}) == "file-token"
    assert read_token(home, {"HEATPOOL_TOKEN": "other"}) == "other"
    assert "file-token" not in repr([Token("file-token")])


@pytest.mark.parametrize("content", [b"two words", b"line\nbreak", b"umlaut-\xc3\xa4", b"\x00"])
def test_a_token_that_is_no_word_is_refused(home: Home, content: bytes) -> None:
    """It would become a header."""
    home.create()
    write_private(home.token, content)
    with pytest.raises(ClientError) as caught:
        read_token(home, {})
    assert caught.value.code is Fault.CONFIG_INVALID


def test_a_token_that_others_can_read_is_refused(home: Home) -> None:
    """And the text says how to repair it."""
    home.create()
    write_private(home.token, b"secret-token")
    home.token.chmod(0o640)
    with pytest.raises(ClientError, match="chmod 600"):
        read_token(home, {})


def test_the_state_folder_is_found() -> None:
    """Option, variable, XDG, home, in this order; relative XDG values do not count."""
    assert str(find_home(None, {"HEATPOOL_HOME": "/a", "HOME": "/h"}).root) == "/a"
    assert str(find_home(None, {"XDG_DATA_HOME": "/x", "HOME": "/h"}).root) == "/x/heatpool"
    expected = "/h/.local/share/heatpool"
    assert str(find_home(None, {"XDG_DATA_HOME": "x", "HOME": "/h"}).root) == expected
    assert str(find_home(None, {"HOME": "/h"}).root) == expected
    assert str(find_home(Path("/o"), {"HEATPOOL_HOME": "/a"}).root) == "/o"
