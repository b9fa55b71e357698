"""`erasure`: how far the pool is with forgetting this home."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from heatpool_client import erasure
from heatpool_client.commands.shell import leave, lines_of, shared_options
from heatpool_client.connection import Unreachable
from heatpool_client.faults import Exit

if TYPE_CHECKING:
    from heatpool_client.commands.shell import Shell
    from heatpool_client.erasure import Erasure
    from heatpool_client.pool import Pool


@click.command("erasure")
@click.option("--wait", is_flag=True, help="Look again until it is done, which takes three days.")
@shared_options
def erasure_command(shell: Shell, wait: bool) -> None:  # noqa: FBT001 - click passes by name
    """How far the erasure is that was asked for; asks for it now if the pool does not know yet."""
    with shell.pool() as pool:
        found = _follow(shell, pool, wait=wait)
    shell.report(found, lines_of(found, shell.language))
    leave(Exit.OK if found.is_done else Exit.UNFINISHED)


def _follow(shell: Shell, pool: Pool, *, wait: bool) -> Erasure:
    looks = 0
    while True:
        try:
            found = erasure.follow(pool)
        except Unreachable as error:
            if not wait:
                raise
            shell.say(error.text("en"), error.text("de"))
        else:
            if found.is_done or not wait:
                return found
        known, now_s = erasure.last(shell.home), shell.clock.now_s()
        shell.clock.sleep(erasure.look_again_s(known, looks, now_s))
        looks += 1
