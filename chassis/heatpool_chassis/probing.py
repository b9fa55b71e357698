"""A service's look at its own rights, at start: what is missing is named, before it is needed.

In: a role. Out: nothing, or an error with every subject. Guarantee: trying changes nothing. Without
it a missing right shows itself only as a request that is never answered: NATS tells a violation to
the connection, not to the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from heatpool_chassis.bus import PermissionMissingError, settled
from heatpool_chassis.permissions import permissions_of
from heatpool_contract import subjects

if TYPE_CHECKING:
    from nats.aio.client import Client

    from heatpool_chassis.lifecycle import Lifecycle
    from heatpool_chassis.permissions import Role


async def probe(client: Client, life: Lifecycle, role: Role) -> None:
    """Try every permission that `role` needs, without doing anything.

    What is sent is refused by whoever takes it: no JSON, and a stream that does not exist.

    Raises:
        PermissionMissingError: with the code and every subject that is refused.
    """
    life.denied.clear()
    needed = permissions_of(role)
    for pattern in needed.publish:
        subject = pattern.replace("*", "probe").replace(">", "probe")
        headers = {subjects.HEADER_EXPECTED_STREAM: "PROBE"}
        # A server's request for nothing must not be "everything": hence a body that is no JSON.
        await client.publish(subject, b"{", reply=client.new_inbox(), headers=headers)
    for pattern in needed.subscribe:
        await (await client.subscribe(pattern)).unsubscribe()
    await settled(client)
    if life.denied:
        what = "; ".join(life.denied)
        raise PermissionMissingError(
            f"{PermissionMissingError.code}: {what}; "
            f"give {role} the permissions that `heatpoolctl init` writes"
        )
