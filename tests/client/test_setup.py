"""A new installation: offline, private, repeatable, never overwritten."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec
import pytest
from simulators.hub import TOKEN
from simulators.publisher import TRUST, trust_file

from heatpool_client import keys
from heatpool_client.config import Config, load
from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import Home, read_private, write_private
from heatpool_client.setup import Choices, believe, initialise
from heatpool_contract.dsse import public_key_of
from heatpool_contract.grants import make_grant, open_grant, read_registration, self_id
from heatpool_contract.identity import installation_id

if TYPE_CHECKING:
    from heatpool_client.pool import Pool

CHOICES = Choices(settings={"server": "https://pool.example", "model": "AERO SLM"}, token=TOKEN)
V4 = "3f2b8c1e-5d4a-4b6f-8a9c-0d1e2f3a4b5c"


def start(home: Home, choices: Choices = CHOICES) -> Config:
    """An installation with random keys."""
    return initialise(home, choices, 7.0, os.urandom)


def test_a_new_installation_certifies_itself(home: Home) -> None:
    """Its id is a UUID of version 8 that follows from its key."""
    config = start(home)
    own = keys.load(home)
    assert config.installation_id == self_id(public_key_of(own.ed25519_seed))
    assert installation_id(config.installation_id) is not None
    assert config.installation_id[14] == "8"
    assert load(home, {}) == config


def test_an_id_that_exists_is_kept(home: Home) -> None:
    """Loggers in the field have random ids of version 4."""
    choices = msgspec.structs.replace(CHOICES, settings={**CHOICES.settings, "installation_id": V4})
    assert start(home, choices).installation_id == V4


def test_everything_is_readable_by_its_owner_alone(home: Home) -> None:
    """Folder 0700, files 0600, whatever the umask says."""
    before = os.umask(0)
    try:
        start(home, msgspec.structs.replace(CHOICES, trust=trust_file(TRUST)))
    finally:
        os.umask(before)
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.root.iterdir()}
    names = ["config.toml", "token", "identity.json", "trust.1.json", "CACHEDIR.TAG", ".nobackup"]
    assert modes == dict.fromkeys(names, 0o600)


def test_the_token_stands_in_no_other_file(home: Home) -> None:
    """Configurations are shown to others, tokens are not."""
    start(home)
    holders = [path.name for path in home.root.iterdir() if TOKEN.encode() in path.read_bytes()]
    assert holders == ["token"]


def test_a_second_attempt_is_refused(home: Home) -> None:
    """New keys would be a stranger."""
    start(home)
    before = home.identity.read_bytes()
    with pytest.raises(ClientError) as caught:
        start(home)
    assert caught.value.code is Fault.ALREADY_INITIALISED
    assert home.identity.read_bytes() == before


def test_an_attempt_that_was_cut_off_goes_on_with_its_keys(home: Home) -> None:
    """The configuration is written last; until then nothing counts."""
    first = start(home)
    home.config.unlink()
    assert start(home).installation_id == first.installation_id


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        (Choices(settings={"server": "pool", "model": "A"}), Fault.CONFIG_INVALID),
        (Choices(settings={"server": "https://p.example"}), Fault.CONFIG_INVALID),
        (msgspec.structs.replace(CHOICES, trust=b"{}"), Fault.TRUST_REJECTED),
        (msgspec.structs.replace(CHOICES, trust=trust_file(TRUST, "root 1")), Fault.TRUST_REJECTED),
    ],
)
def test_wrong_choices_write_nothing(home: Home, choices: Choices, fault: Fault) -> None:
    """The owner corrects them and starts again."""
    with pytest.raises(ClientError) as caught:
        start(home, choices)
    assert caught.value.code is fault
    assert not home.root.exists()


def test_a_folder_that_cannot_be_made_is_an_error(home: Home) -> None:
    """Read-only disk, a file in the way."""
    home.root.write_bytes(b"")
    with pytest.raises(ClientError) as caught:
        start(home)
    assert caught.value.code is Fault.STATE_UNUSABLE


def test_a_file_that_cannot_be_replaced_keeps_its_content(home: Home) -> None:
    """A folder stands where the new file is prepared."""
    home.create()
    write_private(home.token, b"old")
    (home.root / "token.new").mkdir()
    with pytest.raises(ClientError) as caught:
        write_private(home.token, b"new")
    assert caught.value.code is Fault.STATE_UNUSABLE
    assert read_private(home.token) == b"old"


def test_keys_prove_themselves_and_open_grants(home: Home) -> None:
    """What is registered verifies at the hub, and what the hub seals opens here."""
    config = start(home)
    own = keys.load(home)
    body = msgspec.json.encode(own.registration(config.installation))
    registered = read_registration(body, config.installation)
    grant = make_grant(registered.x25519, b"k" * 32, "ab" * 32, config.installation, 100)
    private = own.own(config.installation).x25519
    assert open_grant(grant, private, "ab" * 32, config.installation, 99) == b"k" * 32


def test_private_keys_do_not_show(home: Home) -> None:
    """Neither in the repr of the keys nor in that of what carries them."""
    config = start(home)
    own = keys.load(home)
    for shown in (repr(own), repr([own]), repr(own.own(config.installation))):
        assert repr(own.ed25519_seed)[2:10] not in shown
        assert repr(own.x25519_private)[2:10] not in shown


@pytest.mark.parametrize("content", [b"", b"{}", b'{"ed25519_seed":"AA=="}', b"\xff"])
def test_damaged_keys_are_named(home: Home, content: bytes) -> None:
    """And never replaced behind the owner's back."""
    start(home)
    home.identity.write_bytes(content)
    with pytest.raises(ClientError) as caught:
        keys.load(home)
    assert caught.value.code is Fault.KEYS_DAMAGED


def test_exposed_keys_are_refused(home: Home) -> None:
    """As ssh does."""
    start(home)
    home.identity.chmod(0o604)
    with pytest.raises(ClientError) as caught:
        keys.load(home)
    assert caught.value.code is Fault.FILE_EXPOSED


def test_a_file_that_cannot_be_read_is_an_error(home: Home) -> None:
    """A folder in its place."""
    home.create()
    home.identity.mkdir(mode=0o700)
    with pytest.raises(ClientError) as caught:
        keys.load(home)
    assert caught.value.code is Fault.STATE_UNUSABLE


def test_the_trust_file_is_advanced_by_its_successors(pool: Pool, home: Home) -> None:
    """A chain of two; a file that skips one is refused and nothing changes."""
    second = msgspec.structs.replace(TRUST, version=2)
    third = msgspec.structs.replace(TRUST, version=3)
    with pytest.raises(ClientError) as caught:
        believe(home, [trust_file(third)])
    assert caught.value.code is Fault.TRUST_REJECTED
    assert caught.value.exit == 9
    assert pool.trust() == TRUST
    assert believe(home, [trust_file(second), trust_file(third)]) == third
    assert pool.trust() == third
