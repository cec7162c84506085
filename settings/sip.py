"""Settings of calls over SIP, from a trunk or a PBX."""

import ipaddress
import re

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from settings.kinds import CommaSeparated

CODECS = ("opus", "pcmu", "pcma")


class SipSettings(BaseSettings):
    """Who may call over SIP, and where."""

    sip_peers: CommaSeparated = Field(
        default_factory=list,
        description="Trunks and PBXs that may call over SIP: IP addresses or networks, comma separated; nobody else "
        "gets an answer. Empty, and no SIP_REGISTRAR: SIP is off. See docs/phone.md.",
    )
    sip_host: str = Field("0.0.0.0", description="IP address to listen on for SIP and its sound.")
    sip_port: int = Field(5060, ge=0, le=65535, description="UDP port for SIP; 0 picks a free one.")
    sip_public_host: str = Field(
        "",
        description="IP address that peers are told to send to; empty: this machine's own, as the first peer sees it.",
    )
    sip_rtp_ports: str = Field(
        "20000-20999", description="UDP ports for sound, first-last; each call takes an even one."
    )
    sip_codecs: CommaSeparated = Field(
        default_factory=lambda: list(CODECS),
        description=f"Codecs that are spoken, the best first: {', '.join(CODECS)}.",
    )
    sip_registrar: str = Field(
        "",
        description="Registrar that is told where the bot is, such as pbx.example.org or 192.0.2.1:5080; empty: none.",
    )
    sip_user: str = Field("", description="Account at SIP_REGISTRAR.")
    sip_password: SecretStr = Field(SecretStr(""), description="Password of SIP_USER.")
    sip_domain: str = Field("", description="Domain of SIP_USER's address; empty: the host of SIP_REGISTRAR.")

    @field_validator("sip_peers")
    @classmethod
    def _are_sip_networks(cls, value: list[str]) -> list[str]:
        for each in value:
            try:
                ipaddress.ip_network(each, strict=False)
            except ValueError:
                raise ValueError(f"{each} is no IP address or network such as 192.0.2.0/24") from None
        return value

    @field_validator("sip_host", "sip_public_host")
    @classmethod
    def _is_an_ip_address(cls, value: str) -> str:
        if value:
            try:
                ipaddress.ip_address(value)
            except ValueError:
                raise ValueError("it is no IP address such as 192.0.2.1") from None
        return value

    @field_validator("sip_rtp_ports")
    @classmethod
    def _is_a_range(cls, value: str) -> str:
        found = re.fullmatch(r"(\d{4,5})-(\d{4,5})", value)
        if found is None or not 1024 <= int(found[1]) < int(found[2]) <= 65535:
            raise ValueError("it is no range of ports such as 20000-20999")
        return value

    @field_validator("sip_codecs")
    @classmethod
    def _are_codecs(cls, value: list[str]) -> list[str]:
        names = [name.lower() for name in value]
        if not names or any(name not in CODECS for name in names):
            raise ValueError(f"it may hold: {', '.join(CODECS)}")
        return names

    @field_validator("sip_registrar")
    @classmethod
    def _is_a_host(cls, value: str) -> str:
        if value and not re.fullmatch(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?", value):
            raise ValueError("it is no host such as pbx.example.org:5060")
        return value

    @model_validator(mode="after")
    def _account_is_whole(self) -> "SipSettings":
        if self.sip_registrar and not (self.sip_user and self.sip_password.get_secret_value()):
            said = "SIP_USER: missing, or SIP_PASSWORD; SIP_REGISTRAR wants the account that it is to know the bot by"
            raise PydanticCustomError("missing_key", said)
        if self.sip_user and not re.fullmatch(r"[A-Za-z0-9_.+*#-]{1,64}", self.sip_user):
            raise PydanticCustomError("wrong_value", "SIP_USER: it may hold letters, digits, and any of _.+*#-")
        return self

    @property
    def takes_sip(self) -> bool:
        """Whether calls over SIP are taken."""
        return bool(self.sip_peers or self.sip_registrar)
