"""heatpool on the logger: share readings, get the pool's detectors back.

In: readings of one heat pump. Out: stored submissions, verified models, scores. Guarantee: nothing
is sent without consent; no model is used that was not verified; importing this opens nothing and
loads no HTTP library. For asyncio there is `heatpool_client.aio`.

    from heatpool_client import Telemetry

    telemetry = Telemetry()
    telemetry.record({"temp_flow": 35.1, "power": 1210})
"""

from heatpool_client.clock import SYSTEM, Clock
from heatpool_client.config import Config
from heatpool_client.connection import Refused, Unreachable
from heatpool_client.faults import ClientError, Exit, Fault
from heatpool_client.home import Home
from heatpool_client.pool import Pool
from heatpool_client.replay import Totals
from heatpool_client.submission import Row, Sender, submissions
from heatpool_client.telemetry import Telemetry
from heatpool_client.upload import Stored
from heatpool_client.version import CLIENT_VERSION

__all__ = [
    "CLIENT_VERSION",
    "SYSTEM",
    "ClientError",
    "Clock",
    "Config",
    "Exit",
    "Fault",
    "Home",
    "Pool",
    "Refused",
    "Row",
    "Sender",
    "Stored",
    "Telemetry",
    "Totals",
    "Unreachable",
    "submissions",
]
