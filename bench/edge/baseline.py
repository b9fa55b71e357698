"""The yardstick: a plain FastAPI + pydantic edge that posts line protocol to VictoriaMetrics.

In: the same submissions. Out: `POST /write`, before the answer. As such services are usually
written: records as `List[Dict[str, Any]]`, a loop over fields, f-strings, `requests.post`. Two
spellings: blocking in an `async def`, and in a `def` that the framework runs in its threads.
"""

import os
from typing import Annotated, Any, Dict, List  # noqa: UP035 - the yardstick's own spelling

import requests
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

HTTP_ERROR = 400


class TelemetrySubmission(BaseModel):
    """Body of a request."""

    installation_id: str
    heatpump_model: str
    version: str
    data: List[Dict[str, Any]]  # type: ignore[explicit-any,unused-ignore]  # noqa: UP006 - as above


def write(url: str, payload: TelemetrySubmission) -> dict[str, Any]:
    """Loop, join, post."""
    model = payload.heatpump_model.replace(" ", "_")
    lines = []
    for record in payload.data:
        timestamp = record.get("timestamp")
        if timestamp is None:
            continue
        fields = []
        for name, value in record.items():
            if name == "timestamp":
                continue
            if isinstance(value, bool):
                fields.append(f"{name}={int(value)}")
            elif isinstance(value, (int, float)):
                fields.append(f"{name}={value}")
        if fields:
            tags = f"installation_id={payload.installation_id},model={model}"
            lines.append(f"heatpump,{tags} {','.join(fields)} {int(timestamp * 1e9)}")
    answer = requests.post(f"{url}/write", data="\n".join(lines), timeout=10)
    if answer.status_code >= HTTP_ERROR:
        raise HTTPException(500, "database")
    return {"status": "success", "processed": len(lines)}


def create(url: str, token: str, *, threads: bool) -> FastAPI:
    """The application."""
    app = FastAPI()

    def authorise(authorization: str | None) -> None:
        if authorization != f"Bearer {token}":
            raise HTTPException(401, "token")

    if threads:

        @app.post("/api/v1/submit")
        def submit(
            payload: TelemetrySubmission, authorization: Annotated[str | None, Header()] = None
        ) -> dict[str, Any]:
            authorise(authorization)
            return write(url, payload)
    else:

        @app.post("/api/v1/submit")
        async def submit_blocking(
            payload: TelemetrySubmission, authorization: Annotated[str | None, Header()] = None
        ) -> dict[str, Any]:
            authorise(authorization)
            return write(url, payload)

    return app


if __name__ == "__main__":
    uvicorn.run(
        create(os.environ["URL"], os.environ["TOKEN"], threads=os.environ["THREADS"] == "1"),
        port=int(os.environ["PORT"]),
        log_level="warning",
        access_log=False,
    )
