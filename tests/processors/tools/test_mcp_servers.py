"""Tools of a real MCP server, in a process of its own, under our rules."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from contracts.llm import ToolCallDelta
from processors.context.aggregators import Conversation
from processors.tools.consent import MUST_ASK
from processors.tools.mcp_servers import connect, read_servers
from processors.tools.runner import NOT_TOLD, ToolRunner
from services.services import Services
from settings import Settings, SettingsError

pytest.importorskip("mcp")

SHOP = str(Path(__file__).with_name("mcp_shop.py"))


class Shop:
    """The server, connected, and a conversation that may use it."""

    def __init__(self, tools, log: Path):
        self.tools = {tool.name: tool for tool in tools}
        self.log = log
        self.conversation = Conversation("…")
        self.runner = ToolRunner(tools, self.conversation)
        self.turn_id = 0

    @property
    def orders(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []

    async def turn(self, said: str, *calls: tuple[str, dict], heard: str = "Shall I?") -> list[str]:
        """What the calls of one turn give."""
        self.turn_id += 1
        self.conversation.user_turn(self.turn_id, said)
        await self.runner.run(self.turn_id, [ToolCallDelta("", name, json.dumps(more)) for name, more in calls])
        self.conversation.reply(self.turn_id, self.turn_id, heard, cut=False)
        outputs = [message["content"] for message in self.conversation.messages() if message["role"] == "tool"]
        return outputs[-len(calls) :]


def write(tmp_path, **servers) -> Path:
    path = tmp_path / "servers.json"
    path.write_text(json.dumps({"mcpServers": servers}))
    return path


@pytest.fixture
def shop_config(tmp_path):
    return {"command": sys.executable, "args": [SHOP, str(tmp_path / "log")], "trust_hints": True}


@pytest.fixture
async def shop(tmp_path, shop_config):
    servers, tools, warnings = await connect(write(tmp_path, shop=shop_config), taken=["current_time"])
    assert warnings == []
    yield Shop(tools, tmp_path / "log")
    for server in servers:
        await server.close()


async def test_its_tools_are_ours(shop):
    assert list(shop.tools) == ["price", "shop_current_time", "order", "crash"]
    price, order = shop.tools["price"], shop.tools["order"]
    assert (price.effect, price.confirm, order.effect, order.confirm) == (False, False, True, True)
    assert price.description == "Look up a price."
    assert price.schema["required"] == ["article"]
    assert await shop.turn("?", ("price", {"article": "tea", "count": 3}), ("shop_current_time", {})) == [
        "3 tea cost 6 dollars",
        "shop time",
    ]


async def test_arguments_are_checked_here_and_errors_are_words(shop):
    outputs = await shop.turn(
        "?",
        ("price", {"article": 1}),
        ("price", {"count": 1}),
        ("price", {"article": "tea", "colour": "red"}),
        ("price", {"article": "gold"}),
    )
    assert outputs[:3] == [
        "error: wrong arguments: article: 1 is not of type 'string'",
        "error: wrong arguments: the arguments: 'article' is a required property",
        "error: wrong arguments: there is no argument colour (there are: article, count)",
    ]
    assert "gold is not sold here" in outputs[3]


async def test_what_it_changes_waits_for_a_yes_and_is_done_once_though_interrupted(shop):
    tea = ("order", {"article": "tea"})
    assert await shop.turn("order tea", tea) == [MUST_ASK]
    assert shop.orders == []
    shop.turn_id += 1
    shop.conversation.user_turn(shop.turn_id, "yes")
    waiting = asyncio.create_task(shop.runner.run(shop.turn_id, [ToolCallDelta("", "order", '{"article": "tea"}')]))
    await asyncio.sleep(0.1)
    waiting.cancel()
    assert await shop.turn("hurry", tea) == ["ordered: tea"]
    assert shop.orders == ["tea"]
    outputs = [message["content"] for message in shop.conversation.messages() if message["role"] == "tool"]
    assert outputs == [MUST_ASK, "ordered: tea" + NOT_TOLD, "ordered: tea"]


async def test_a_server_that_dies_is_told_of_and_started_again(shop):
    await shop.turn("crash", ("crash", {}))
    (output,) = await shop.turn("yes", ("crash", {}))
    assert output == "error: the server that does this has gone; it may or may not have been done"
    assert await shop.turn("?", ("price", {"article": "tea"})) == ["1 tea cost 2 dollars"]


async def test_what_a_server_says_of_its_own_tools_is_believed_only_where_the_operator_says_so(tmp_path, shop_config):
    for config, read_only in (
        ({**shop_config, "trust_hints": False}, set()),
        ({**shop_config, "trust_hints": False, "read_only": ["price"]}, {"price"}),
        (shop_config, {"price", "current_time"}),
    ):
        servers, tools, _ = await connect(write(tmp_path, shop=config))
        assert {tool.name for tool in tools if not tool.effect} == read_only
        assert all(tool.confirm is tool.effect for tool in tools)
        for server in servers:
            await server.close()


async def test_its_settings(tmp_path, shop_config):
    config = {**shop_config, "env": {"LEVEL": "high"}, "confirm": False}
    servers, tools, _ = await connect(write(tmp_path, shop=config))
    shop = Shop(tools, tmp_path / "log")
    assert await shop.turn("order tea", ("order", {"article": "tea"})) == ["ordered: tea"]
    assert shop.orders == ["tea", "high"]
    for server in servers:
        await server.close()


async def test_calls_get_its_tools_and_a_dead_server_is_a_warning(tmp_path, shop_config):
    path = write(tmp_path, shop=shop_config, dead={"command": sys.executable, "args": ["-c", "1/0"]})
    services = await Services.load(
        Settings(_env_file=None, llm="scripted", tools="none", mcp_servers=path, tools_without_question="order")
    )
    confirm = {tool.name: tool.confirm for tool in services.tools}
    assert confirm == {"price": False, "shop_current_time": False, "order": False, "crash": True}
    assert services.warnings == ["The tools of dead cannot be used: it does not answer."]
    await services.close()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "invalid json"),
        ("{}", "mcpServers: field required"),
        ('{"mcpServers": {"a": {}}}', "mcpServers.a: value error, a server has either a command or a url"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, text, says):
    path = tmp_path / "servers.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError) as error:
        read_servers(path)
    assert str(error.value).startswith("MCP_SERVERS: ")
    assert says in str(error.value)
    assert "\n" not in str(error.value)
