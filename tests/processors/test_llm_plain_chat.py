"""A prompt with tools, told in plain messages."""

from contracts.llm import ToolSpec
from processors.context.aggregators import Conversation
from processors.llm.machine_text import MachineTextFilter
from processors.llm.plain_chat import plain

LOOK = ToolSpec("look", "Look it up.", {"type": "object", "properties": {"what": {"type": "string"}}})


def test_calls_and_results_become_text():
    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "When?")
    conversation.tool_call(1, "call_1", "look", '{"what": "hours"}')
    conversation.tool_result("call_1", "9-17")
    messages = plain(conversation.messages(said="Let me see."), [LOOK])
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == (
        "Be brief.\n\nYou may call these tools when they are needed:\n"
        '{"name": "look", "description": "Look it up.", "parameters": '
        '{"type": "object", "properties": {"what": {"type": "string"}}}}\n'
        'To call one, write nothing but {"name": <its name>, "arguments": <a JSON object>}.'
    )
    assert messages[2]["content"] == 'Let me see.\n{"name": "look", "arguments": {"what": "hours"}}'
    assert messages[3]["content"] == "Result of the tool: 9-17\nTell the caller."


def test_a_call_reads_as_the_model_is_to_write_it():
    conversation = Conversation("Be brief.")
    conversation.user_turn(1, "When?")
    conversation.tool_call(1, "call_1", "look", "")
    filter_ = MachineTextFilter()
    assert filter_.feed(plain(conversation.messages(), [LOOK])[2]["content"]) == ""
    assert [(call.name, call.arguments) for call in filter_.finish().calls] == [("look", "{}")]


def test_without_tools_nothing_changes():
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert plain(messages, []) == messages
