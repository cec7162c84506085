"""Bodies of requests to ``/api/offer``: the wire format of Pipecat's SmallWebRTC transport."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


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
