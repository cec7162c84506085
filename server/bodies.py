"""Bodies of requests to ``/api/offer``: the wire format of Pipecat's SmallWebRTC transport."""

import asyncio
from typing import Any, Final, Literal, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from server.errors import ApiError

Body = TypeVar("Body", bound=BaseModel)

BODY_SECS: Final = 10.0
"""How long a request's body may take to come."""


class Offer(BaseModel):
    """Body of ``POST /api/offer``."""

    model_config = ConfigDict(populate_by_name=True)

    sdp: str = Field(min_length=1)
    type: Literal["offer"]
    pc_id: str | None = None
    restart_pc: bool | None = None
    request_data: Any = Field(default=None, alias="requestData")


class Candidate(BaseModel):
    """A trickled ICE candidate; empty text says that no more are coming."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class Goodbye(BaseModel):
    """Body of ``DELETE /api/offer``."""

    pc_id: str
    request_data: Any = Field(default=None, alias="requestData")


class Candidates(BaseModel):
    """Body of ``PATCH /api/offer``."""

    pc_id: str
    candidates: list[Candidate] = Field(max_length=64)


async def read_body(request: web.Request, model: type[Body]) -> Body:
    """A request's body.

    Raises:
        ApiError: It is none.
    """
    if request.content_type != "application/json":
        raise ApiError(415, "not_json", "the body must be application/json")
    try:
        async with asyncio.timeout(BODY_SECS):
            text = await request.read()
    except TimeoutError:
        raise ApiError(408, "too_slow", f"the body took longer than {BODY_SECS:g} s") from None
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "bad_json", "the body is not JSON") from None
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise ApiError(422, "bad_field", f"{where}: {first['msg']}") from None
