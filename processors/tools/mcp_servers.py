"""Tools of MCP servers: whatever speaks the Model Context Protocol (modelcontextprotocol.io) can be called by the bot.

The servers stand in a file, in the form that other clients read too::

    {"mcpServers": {"files": {"command": "npx", "args": ["server-files", "/srv"], "env": {"LEVEL": "2"}},
                    "crm": {"url": "https://crm.example/mcp", "headers": {"Authorization": "Bearer ..."}}}}

The same rules hold as for our own tools. A tool changes something unless the operator says that it does not: it is
never done twice for one wish, and only after the caller's yes. Look-ups are those that ``"read_only": ["NAME"]`` lists,
and with ``"trust_hints": true`` also those that the server itself calls read-only (``readOnlyHint``).
``"confirm": false`` spares its tools the question.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from processors.tools.base import Arguments, Tool, ToolContext, ToolError
from processors.tools.declare import MAX_RESULT_CHARS
from settings import SettingsError

if TYPE_CHECKING:
    from mcp import ClientSession
    from mcp import types as mcp_types

CONNECT_SECS = 15.0
CALL_SECS = 10.0
CLOSE_SECS = 3.0


class ServerConfig(BaseModel):
    """How one server is reached: a command to start it, or its URL.

    Attributes:
        command: Program; it speaks MCP over its standard input and output.
        args: Its arguments.
        env: Its environment, beside a few harmless variables such as PATH.
        url: Of a server over HTTP.
        headers: Sent with each request to it.
        confirm: Whether what it changes is done after the caller's yes only.
        trust_hints: Whether its own word that a tool changes nothing is believed.
        read_only: Tools of which the operator says so.
    """

    model_config = ConfigDict(extra="ignore")

    command: str = ""
    args: list[str] = Field(default_factory=list)
    env: dict[str, str] = Field(default_factory=dict)
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    confirm: bool = True
    trust_hints: bool = False
    read_only: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_reachable(self) -> "ServerConfig":
        if bool(self.command) == bool(self.url):
            raise ValueError("a server has either a command or a url")
        return self


class _File(BaseModel):
    mcpServers: dict[str, ServerConfig]


def read_servers(path: Path) -> dict[str, ServerConfig]:
    """The servers of a file.

    Raises:
        SettingsError: It cannot be read or is wrong; one line.
    """
    try:
        return _File.model_validate_json(path.read_bytes()).mcpServers
    except OSError as error:
        raise SettingsError(f"MCP_SERVERS: {path} cannot be read ({error.strerror}); set it to a JSON file") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(f"MCP_SERVERS: {path}: {where}: {first['msg'].lower()}") from None


class McpServer:
    """One server, connected for all calls; connected again when it has gone.

    Args:
        name: Its name in the file.
        config: How it is reached.
    """

    def __init__(self, name: str, config: ServerConfig) -> None:
        self.name = name
        self._config = config
        self._session: ClientSession | None = None
        self._task: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()
        self._connecting = asyncio.Lock()

    async def tools(self) -> list[Tool]:
        """Its tools.

        Raises:
            ToolError: It cannot be reached.
        """
        session = await self._connected()
        found: list[Tool] = []
        cursor: str | None = None
        async with asyncio.timeout(CONNECT_SECS):
            while True:
                page = await session.list_tools(cursor)
                found += [self._tool(each) for each in page.tools]
                cursor = page.nextCursor
                if cursor is None:
                    return found

    async def close(self) -> None:
        """Leave it."""
        self._leave.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=CLOSE_SECS)
            self._task.cancel()
            await asyncio.wait([self._task], timeout=CLOSE_SECS)

    def _tool(self, described: "mcp_types.Tool") -> Tool:
        hinted = described.annotations is not None and bool(described.annotations.readOnlyHint)
        read_only = described.name in self._config.read_only or (self._config.trust_hints and hinted)

        async def run(arguments: Arguments, context: ToolContext) -> str:
            return await self._call(described.name, arguments)

        return Tool(
            name=described.name,
            description=described.description or described.title or described.name,
            schema=described.inputSchema,
            run=run,
            check=_checker(described.inputSchema),
            effect=not read_only,
            confirm=not read_only and self._config.confirm,
            timeout_secs=CALL_SECS + 2,
            on_loop=True,  # the session belongs to it
        )

    async def _call(self, name: str, arguments: Arguments) -> str:
        from mcp import McpError
        from mcp.types import CONNECTION_CLOSED

        session = await self._connected()
        try:
            result = await session.call_tool(name, dict(arguments), timedelta(seconds=CALL_SECS))
        except McpError as error:
            if error.error.code != CONNECTION_CLOSED:
                raise ToolError(error.error.message) from None
            raise self._gone(name, error) from None
        except Exception as error:  # noqa: BLE001
            # A boundary: a server that has gone shows itself as a closed stream too, in the SDK's many ways.
            raise self._gone(name, error) from None
        text = "\n".join(part.text for part in result.content if part.type == "text").strip()
        if not text and result.structuredContent is not None:
            text = json.dumps(result.structuredContent, ensure_ascii=False)
        if result.isError:
            raise ToolError(text or "it did not work")
        return (text or "done")[:MAX_RESULT_CHARS]

    def _gone(self, name: str, error: Exception) -> ToolError:
        logger.warning("MCP {}: {}: {}", self.name, name, type(error).__name__)
        self._session = None
        return ToolError("the server that does this has gone; it may or may not have been done")

    # --- the connection ----------------------------------------------------------------------

    async def _connected(self) -> "ClientSession":
        async with self._connecting:
            if self._session is not None and self._task is not None and not self._task.done():
                return self._session
            if self._task is not None:
                self._task.cancel()
                await asyncio.wait([self._task], timeout=CLOSE_SECS)
            ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
            self._leave.clear()
            self._task = asyncio.create_task(self._stay(ready), name=f"mcp {self.name}")
            await asyncio.wait([ready, self._task], timeout=CONNECT_SECS, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                self._task.cancel()
                raise ToolError(f"the server {self.name} cannot be reached")
            self._session = ready.result()
            return self._session

    async def _stay(self, ready: "asyncio.Future[ClientSession]") -> None:
        """Hold the connection. One task enters and leaves it: the SDK's scopes belong to the task that opened them."""
        try:
            async with _session(self._config) as session:
                if not ready.done():
                    ready.set_result(session)
                await self._leave.wait()
        except Exception as error:  # noqa: BLE001
            # A boundary: transports raise what they like, often in groups.
            logger.warning("MCP {}: {}", self.name, type(error).__name__)
        finally:
            self._session = None


@asynccontextmanager
async def _session(config: ServerConfig) -> "AsyncIterator[ClientSession]":
    from mcp import ClientSession, StdioServerParameters
    from mcp.client.stdio import stdio_client
    from mcp.client.streamable_http import streamable_http_client
    from mcp.shared._httpx_utils import create_mcp_http_client

    async with AsyncExitStack() as stack:
        if config.command:
            command = StdioServerParameters(command=config.command, args=config.args, env=config.env or None)
            streams = await stack.enter_async_context(stdio_client(command))
        else:
            http = await stack.enter_async_context(create_mcp_http_client(config.headers))
            streams = (await stack.enter_async_context(streamable_http_client(config.url, http_client=http)))[:2]
        session = await stack.enter_async_context(ClientSession(*streams))
        await session.initialize()
        yield session


def _checker(schema: Mapping[str, Any]) -> Callable[[dict[str, Any]], Arguments]:
    """Checks arguments by a server's own schema; what it does not know is refused in any case."""
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(dict(schema))
    properties = schema.get("properties", {})

    def check(arguments: dict[str, Any]) -> Arguments:
        mistakes = [
            f"{'.'.join(map(str, error.absolute_path)) or 'the arguments'}: {error.message}"
            for error in validator.iter_errors(arguments)
        ]
        if not schema.get("additionalProperties"):
            known = ", ".join(properties) or "none"
            unknown = [name for name in arguments if name not in properties]
            mistakes += [f"there is no argument {name} (there are: {known})" for name in unknown]
        if mistakes:
            raise ToolError("wrong arguments: " + "; ".join(mistakes[:5]))
        return arguments

    return check


async def connect(path: Path, taken: Collection[str] = ()) -> tuple[list[McpServer], list[Tool], list[str]]:
    """Connect to the servers of a file.

    Args:
        path: The file.
        taken: Names of other tools; a tool of the same name is called by its server's name too.

    Returns:
        The servers, their tools, and a sentence about each one that cannot be used now.

    Raises:
        SettingsError: The file is wrong, or the ``mcp`` package is missing.
    """
    try:
        import mcp as _  # noqa: F401 - an optional package
    except ImportError:
        raise SettingsError("MCP_SERVERS: the package mcp is missing; pip install 'parley[mcp]'") from None
    servers = [McpServer(name, config) for name, config in read_servers(path).items()]
    answers = await asyncio.gather(*(server.tools() for server in servers), return_exceptions=True)
    tools: dict[str, Tool] = {}
    warnings: list[str] = []
    for server, answer in zip(servers, answers, strict=True):
        if isinstance(answer, BaseException):
            logger.warning("MCP {}: it does not answer ({})", server.name, type(answer).__name__)
            warnings.append(f"The tools of {server.name} cannot be used: it does not answer.")
        else:
            for tool in answer:
                free = tool.name not in tools and tool.name not in taken
                # What the models' vendors take for a name.
                name = re.sub(r"[^A-Za-z0-9_-]", "_", tool.name if free else f"{server.name}_{tool.name}")[:64]
                tools[name] = replace(tool, name=name)
    return servers, list(tools.values()), warnings
