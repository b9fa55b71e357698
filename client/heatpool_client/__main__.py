"""The command line `heatpool`: the only place that reads the process's environment."""

from __future__ import annotations

import os

import rich_click as click

from heatpool_client.commands.detecting import score_command, update
from heatpool_client.commands.doctor import doctor
from heatpool_client.commands.forgetting import erasure_command
from heatpool_client.commands.measuring import completion, run_command, sources
from heatpool_client.commands.owner import consent_command, init, register, trust
from heatpool_client.commands.page import web_command
from heatpool_client.commands.sending import preview, replay_command, submit
from heatpool_client.commands.shell import Surroundings
from heatpool_client.commands.standing import status
from heatpool_client.commands.waiting import receipt_command, send_command, spool_command
from heatpool_client.version import CLIENT_VERSION


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit statuses: 0 done, 2 usage, 3 setup, 4 no consent, 5 input, 6 pool not reachable, "
    "7 pool refused, 8 no model, 9 not verified, 10 not finished.",
)
@click.version_option(CLIENT_VERSION, prog_name="heatpool")
def cli() -> None:
    """Share readings of a heat pump with the pool; get its fault detectors back."""


for command in (
    init,
    consent_command,
    register,
    trust,
    status,
    preview,
    submit,
    replay_command,
    spool_command,
    send_command,
    receipt_command,
    erasure_command,
    update,
    score_command,
    sources,
    run_command,
    web_command,
    doctor,
    completion,
):
    cli.add_command(command)


def main() -> None:
    """Entry point."""
    cli(obj=Surroundings(os.environ))


if __name__ == "__main__":
    main()
