"""Settings of the tools that the language model may call."""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from settings.choices import SmtpSecurity
from settings.kinds import NONE_IF_EMPTY, CommaSeparated


class ToolSettings(BaseSettings):
    """What the bot can do for a caller."""

    # tools
    tools: CommaSeparated = Field(
        default_factory=lambda: ["auto"],
        description="Tools that the model may call, comma separated; all, none, or auto: all, but for LLM=local a few.",
    )
    tools_without_question: CommaSeparated = Field(
        default_factory=list,
        description="Tools with an effect that are done without the caller's yes to a question, comma separated.",
    )
    tools_with_pin: CommaSeparated = Field(
        default_factory=list,
        description="Tools for which callers must type their PIN on the keypad first, comma separated; all; effects.",
    )
    effects_per_day: int = Field(
        50,
        ge=0,
        le=100_000,
        description="Things that one caller whom tokens name may have done in a day; 0: any number.",
    )
    sample_customer: Annotated[int | None, NONE_IF_EMPTY] = Field(
        None,
        ge=0,
        description="Customer of the sample bank that callers without a token are; 0: nobody; empty: the first, where "
        "only this machine's users call.",
    )
    transfer_to: str = Field(
        "",
        description="Whom callers by telephone are put through to: a number such as +33123456789, or sip:agents@HOST; "
        "empty: nobody.",
    )
    transfer_secs: float = Field(
        25.0, ge=5, le=60, description="Seconds that they may take to answer before the bot comes back to the caller."
    )
    mcp_servers: Annotated[Path | None, NONE_IF_EMPTY] = Field(
        None, description='JSON file {"mcpServers": {NAME: {"command": ..., "args": [...]}}} of further tools.'
    )
    bank_file: str = Field(
        "", description="SQLite file of the sample bank; :memory: for none; default: in the user's data folder."
    )
    knowledge_folder: Path = Field(Path("knowledge"), description="Folder of Markdown files that can be searched.")
    smtp_host: str = Field("", description="Mail server; empty: no mail goes out.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: SmtpSecurity = Field(SmtpSecurity.STARTTLS, description="How mail to it is protected.")
    smtp_username: str = Field("", description="User name there; empty: none is asked for.")
    smtp_password: SecretStr = Field(SecretStr(""), description="Password there.")
    smtp_from: str = Field("Parley <parley@localhost>", description="Sender of mails.")

    @field_validator("transfer_to")
    @classmethod
    def _can_be_called(cls, value: str) -> str:
        if value and not re.fullmatch(
            r"\+?\d{2,15}|sips?:[A-Za-z0-9_.+*#%-]+@[A-Za-z0-9.:\[\]-]+(;[A-Za-z0-9=;.-]+)?", value
        ):
            raise ValueError("it is no number such as +33123456789, and no address such as sip:agents@192.0.2.1")
        return value
