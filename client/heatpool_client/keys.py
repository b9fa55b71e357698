"""The keys of an installation: made here, kept here, and proven to the hub.

In: randomness. Out: `identity.json` (0600), an installation id, the registration that proves to
the hub that the sender holds the private keys. Guarantee: private keys leave the folder in no
request, repr or message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from nacl.public import PrivateKey

from heatpool_client.faults import ClientError, Fault
from heatpool_client.home import read_private, write_private
from heatpool_client.models import OwnKeys
from heatpool_contract.dsse import PublicKey, public_key_of
from heatpool_contract.grants import RegistrationRequest, self_id, sign_registration
from heatpool_contract.requests import NONCE_BYTES, Asked, sign_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from heatpool_client.home import Home
    from heatpool_contract.identity import InstallationId

SEED_BYTES: Final = 32


class Keys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Private keys, base64 in the file."""

    ed25519_seed: PublicKey
    """Signs (RFC 8032)."""
    x25519_private: PublicKey
    """Opens grants (RFC 7748)."""
    created_s: int
    registered_s: int | None = None
    """When the hub first confirmed the public keys."""

    def __repr__(self) -> str:
        """Without key material."""
        return "Keys(...)"

    @property
    def self_certifying_id(self) -> InstallationId:
        """The id that follows from the keys."""
        return self_id(public_key_of(self.ed25519_seed))

    @property
    def x25519_public(self) -> bytes:
        """What grants are sealed to."""
        return bytes(PrivateKey(self.x25519_private).public_key)

    def own(self, installation: InstallationId) -> OwnKeys:
        """As `ModelStore.activate` takes them."""
        return OwnKeys(installation, self.x25519_private)

    def sign(
        self,
        installation: InstallationId,
        now_s: Callable[[], float],
        randomness: Callable[[int], bytes],
    ) -> Callable[[str, str, bytes, bytes], dict[str, str]]:
        """What signs the requests of an installation, see `connection.Sign`."""

        def headers(method: str, path: str, query: bytes, body: bytes) -> dict[str, str]:
            asked = Asked(
                method=method, path=path, query=query, body=body, installation=installation
            )
            nonce = randomness(NONCE_BYTES)
            return sign_request(asked, self.ed25519_seed, int(now_s()), nonce)

        return headers

    def registration(self, installation: InstallationId) -> RegistrationRequest:
        """The request that registers them."""
        return sign_registration(installation, self.ed25519_seed, self.x25519_public)


def create(randomness: Callable[[int], bytes], now_s: float) -> Keys:
    """New keys. `randomness` returns so many unpredictable bytes (`os.urandom`)."""
    return Keys(
        ed25519_seed=randomness(SEED_BYTES),
        x25519_private=randomness(SEED_BYTES),
        created_s=int(now_s),
    )


def save(home: Home, keys: Keys) -> None:
    """Write `identity.json`.

    Raises:
        ClientError: `state_unusable`.
    """
    write_private(home.identity, msgspec.json.encode(keys) + b"\n")


def load(home: Home) -> Keys:
    """Read `identity.json`.

    Raises:
        ClientError: `not_initialised`, `keys_damaged`, `file_exposed`, `state_unusable`.
    """
    raw = read_private(home.identity)
    if raw is None:
        raise ClientError(Fault.NOT_INITIALISED, home.root)
    try:
        return msgspec.json.decode(raw, type=Keys)
    except ValueError as error:
        raise ClientError(Fault.KEYS_DAMAGED, home.identity, error) from error
