"""What an operator may ask of a hub: `heatpool.modelhub.models`, which releases it hands out.

In: the releases. Out: an endpoint that every hub answers. Guarantee: it reads memory only: what a
home would be offered now, not what the bucket says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from heatpool_chassis.micro import Endpoint, Nothing, endpoint
from heatpool_contract.operators import ShownRelease, ShownReleases

if TYPE_CHECKING:
    from heatpool_modelhub.releases import Releases


def models_endpoint(releases: Releases, instance: str) -> Endpoint:
    """The endpoint."""

    async def models(_asked: Nothing) -> ShownReleases:
        return ShownReleases(
            instance=instance,
            releases=[
                ShownRelease(
                    model=pointer.model,
                    model_hash=pointer.current.model_hash,
                    version=pointer.current.version,
                    epoch=pointer.current.epoch,
                    seq=pointer.current.seq,
                    state=pointer.current.state,
                    canary_share=pointer.canary_share,
                )
                for pointer in releases.visible()
            ],
            pending=releases.pending,
        )

    made = endpoint("models", Nothing, models, "releases that this hub hands out")
    return msgspec.structs.replace(made, everyone=True)
