"""Settings of telephone calls through carriers."""

import re
from typing import Final

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings

from settings.kinds import CommaSeparated

CARRIER_SECRETS: Final = {
    "twilio": "twilio_auth_token",
    "telnyx": "telnyx_public_key",
    "plivo": "plivo_auth_token",
    "vonage": "vonage_signature_secret",
}
"""Each carrier, and the setting that its requests are checked with."""


class PhoneSettings(BaseSettings):
    """Who may bring telephone calls, and from where."""

    phone: CommaSeparated = Field(
        default_factory=list,
        description=f"Carriers that may bring telephone calls, comma separated: {', '.join(CARRIER_SECRETS)}; empty or "
        "off: none. See docs/phone.md.",
    )
    phone_public_url: str = Field(
        "", description="Where carriers reach the bot, such as https://bot.example.org; they sign that address."
    )
    twilio_auth_token: SecretStr = Field(SecretStr(""), description="Twilio's auth token, which signs its requests.")
    twilio_api_url: str = Field(
        "https://api.twilio.com", description="Where Twilio is told to put a caller through; regions have their own."
    )
    telnyx_public_key: str = Field("", description="Telnyx's public key in base64, which checks its requests.")
    plivo_auth_token: SecretStr = Field(SecretStr(""), description="Plivo's auth token, which signs its requests.")
    vonage_signature_secret: SecretStr = Field(
        SecretStr(""), description="Vonage's signature secret, which signs its requests."
    )
    phone_trust_caller_id: bool = Field(
        False,
        description="Whether a caller's number says who they are, for tools. Anybody can forge one unless the carrier "
        "checks it.",
    )
    phone_wait_secs: int = Field(
        60,
        ge=0,
        le=600,
        description="Seconds that a telephone rings at most while all lines are busy; 0: busy at once.",
    )

    @field_validator("phone")
    @classmethod
    def _are_carriers(cls, value: list[str]) -> list[str]:
        names = [name.lower() for name in value if name.lower() != "off"]
        for name in names:
            if name not in CARRIER_SECRETS:
                raise ValueError(f"{name} is no carrier that is known")
        return names

    @field_validator("phone_public_url", "twilio_api_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/?#@\s]+(/[^?#\s]*)?", value):
            raise ValueError("it is no address such as https://bot.example.org")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _carriers_can_be_checked(self) -> "PhoneSettings":
        for name in self.phone:
            setting = CARRIER_SECRETS[name]
            if not self.phone_secret(name):
                said = f"{setting.upper()}: missing; PHONE={name} needs it to check requests"
                raise PydanticCustomError("missing_key", "{said}", {"said": said})
        if self.phone and not self.phone_public_url:
            said = "PHONE_PUBLIC_URL: missing; set it to where carriers reach the bot, such as https://bot.example.org"
            raise PydanticCustomError("missing_key", said)
        return self

    def phone_secret(self, carrier: str) -> str:
        """What a carrier's requests are checked with; empty if it is not set."""
        value = getattr(self, CARRIER_SECRETS[carrier])
        return value.get_secret_value() if isinstance(value, SecretStr) else value
