"""Settings of the HTTP server: the port, who may call, how many, ICE servers, TLS."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from settings.choices import CallTokensMode
from settings.kinds import NONE_IF_EMPTY, CommaSeparated


class ServerSettings(BaseSettings):
    """How the bot can be reached."""

    # server
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(7860, ge=0, le=65535, description="TCP port to listen on; 0 picks a free one.")
    workers: int = Field(
        1, ge=1, le=256, description="Processes that share the port and the calls, one for each core of the machine."
    )
    max_calls: Annotated[int, Field(ge=1, le=10_000)] | Literal["auto"] = Field(
        "auto",
        description="Calls at once of each worker; further callers wait in the queue. auto: what the vendors' limits "
        "and this machine's cores carry, as measured.",
    )
    max_calls_shared: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Calls at once of all processes at one REDIS_URL; 0: each has its own limit.",
    )
    node_url: str = Field(
        "",
        description="How other bots at the same REDIS_URL reach this one, http://HOST:PORT; empty: by its own address.",
    )
    max_loop_lag_ms: float = Field(
        80.0, ge=0, le=1000, description="No further call while the event loop lags more (95th percentile); 0: any lag."
    )
    offers_per_minute: int = Field(
        60,
        ge=0,
        le=100_000,
        description="Offers, for a new call or an old one, that an address other than this machine's may make; 0: any "
        "number.",
    )
    calls_per_address: Annotated[int | None, NONE_IF_EMPTY] = Field(
        None,
        ge=0,
        le=100_000,
        description="Calls at once of an address other than this machine's; empty: half of all; 0: any number.",
    )
    http_max_connections: int = Field(
        500, ge=1, le=100_000, description="HTTP connections at once; further ones are closed at once."
    )
    trusted_proxies: CommaSeparated = Field(
        default_factory=list,
        description="Proxies whose Forwarded or X-Forwarded-For is believed: addresses or networks, comma separated.",
    )
    allowed_hosts: CommaSeparated = Field(
        default_factory=list,
        description="Names by which browsers know the bot, beside localhost and the machine's own, comma separated.",
    )
    allowed_origins: CommaSeparated = Field(
        default_factory=list,
        description="Pages elsewhere that may call, such as https://www.example.org, comma separated; *: any page.",
    )
    tls_cert: Annotated[Path | None, NONE_IF_EMPTY] = Field(
        None, description="PEM file of the certificate with its chain: serves HTTPS."
    )
    tls_key: Annotated[Path | None, NONE_IF_EMPTY] = Field(None, description="PEM file of its private key.")
    messages_per_minute: int = Field(
        600, ge=60, le=60_000, description="Messages that one call's client may send; more are answered with an error."
    )
    typed_turns_per_minute: int = Field(
        30, ge=1, le=1000, description="Texts among them, each of which asks for an answer."
    )
    keys_per_minute: int = Field(180, ge=1, le=10_000, description="Keys of the phone pad among them.")
    drain_secs: float = Field(
        8.0,
        ge=0,
        le=3600,
        description="How long a stop waits for calls to come to an end; those left are told so 10 s before.",
    )
    connect_timeout_secs: float = Field(
        15.0, gt=0, le=120, description="Seconds until an offer that never connects is dropped."
    )
    ice_servers: CommaSeparated = Field(
        default_factory=list,
        description="STUN and TURN servers, comma separated: stun:HOST:PORT, turn:HOST:PORT.",
    )
    turn_username: str = Field("", description="User name for the TURN servers.")
    turn_credential: SecretStr = Field(SecretStr(""), description="Password for the TURN servers.")
    turn_secret: SecretStr = Field(
        SecretStr(""),
        description="Secret shared with the TURN servers (coturn: static-auth-secret), instead of a password: each "
        "call gets credentials of its own.",
    )
    turn_ttl_secs: int = Field(
        3600, ge=60, le=86_400, description="Seconds that such credentials hold; a call outlives them."
    )

    # who may call
    call_tokens: CallTokensMode = Field(
        CallTokensMode.AUTO,
        description="Whether callers need a signed token; auto: if a secret or a key for it is set.",
    )
    call_token_secret: SecretStr = Field(
        SecretStr(""), description="Secret of 32 characters or more that tokens (JWT, HS256) are signed with."
    )
    call_token_public_key: Annotated[Path | None, NONE_IF_EMPTY] = Field(
        None, description="PEM file of the public key (RSA, EC or Ed25519) whose private one signs tokens."
    )
    call_token_max_secs: float = Field(3600.0, gt=0, le=86_400, description="How far ahead a token may end.")
    call_token_audience: str = Field("", description="Whom tokens must be made for (aud); empty: it does not matter.")
    call_token_issuer: str = Field("", description="Who must have made them (iss); empty: it does not matter.")
    calls_per_caller: int = Field(
        2, ge=0, le=10_000, description="Calls at once of one caller whom tokens name; 0: any number."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for text in value:
            try:
                ipaddress.ip_network(text, strict=False)
            except ValueError:
                raise ValueError(f"{text} is neither an address nor a network") from None
        return value

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        for text in value:
            if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", text):
                raise ValueError(f"{text} is no host name; leave scheme and port out")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: list[str]) -> list[str]:
        for text in value:
            if text != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#@\s]+/?", text, re.IGNORECASE):
                raise ValueError(f"{text} is no origin such as https://www.example.org")
        return value

    @field_validator("ice_servers")
    @classmethod
    def _are_ice(cls, value: list[str]) -> list[str]:
        for url in value:
            if not url.startswith(("stun:", "stuns:", "turn:", "turns:")):
                raise ValueError(f"{url} is neither a STUN nor a TURN server")
            if not re.fullmatch(
                r"(stuns?:[^?:/\s]+(:\d{1,5})?|turns?:[^?:/\s]+(:\d{1,5})?(\?transport=(udp|tcp))?)", url
            ):
                raise ValueError(f"{url} is not written as turn:HOST:PORT or turn:HOST:PORT?transport=tcp")
        return value

    @field_validator("call_token_secret")
    @classmethod
    def _is_a_key(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < 32:
            raise PydanticCustomError("weak_secret", "too short: HS256 needs 32 characters or more (RFC 7518, 3.2)")
        return value

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            name = "TLS_KEY" if self.tls_key is None else "TLS_CERT"
            raise PydanticCustomError("missing_key", f"{name}: missing; set it to a PEM file, or neither")
        return self

    @model_validator(mode="after")
    def _tokens_can_be_checked(self) -> Self:
        if self.call_tokens is CallTokensMode.REQUIRED and not self.call_tokens_required:
            said = "CALL_TOKEN_SECRET: missing; CALL_TOKENS=required needs it, or CALL_TOKEN_PUBLIC_KEY"
            raise PydanticCustomError("missing_key", said)
        return self

    @property
    def listens_to_others(self) -> bool:
        """Whether other machines reach the port."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host != "localhost"

    @property
    def call_tokens_required(self) -> bool:
        """Whether a call needs a token."""
        keys = bool(self.call_token_secret.get_secret_value()) or self.call_token_public_key is not None
        return keys and self.call_tokens is not CallTokensMode.OFF

    def calls_of_one_address(self, all_calls: int) -> int:
        """How many of all calls one address may have; 0: any number."""
        return max(1, all_calls // 2) if self.calls_per_address is None else self.calls_per_address
