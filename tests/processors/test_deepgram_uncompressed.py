"""Sound goes to Deepgram as it is, even where its server agrees to compress: deflate costs CPU and saves nothing."""

import asyncio

from aiohttp import WSMsgType, web
from deepgram import AsyncDeepgramClient
from deepgram.environment import DeepgramClientEnvironment

from processors.compat import deepgram_uncompressed
from processors.compat.deepgram import _websocket

SOUND = bytes(range(256)) * 4


async def test_sound_is_sent_uncompressed_to_a_server_that_agreed_to_compression(unused_tcp_port: int) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=True)
        await socket.prepare(request)
        async for message in socket:
            if message.type == WSMsgType.BINARY:
                heard.put_nowait(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/v1/listen", listen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", unused_tcp_port).start()
    url = f"ws://127.0.0.1:{unused_tcp_port}"
    environment = DeepgramClientEnvironment(base=url, agent=url, production=url, agent_rest=url)
    client = AsyncDeepgramClient(api_key="none", environment=environment)
    try:
        async with client.listen.v1.connect(model="nova-3") as socket, asyncio.timeout(10):
            extensions = _websocket(socket).extensions
            assert [extension.name for extension in extensions] == ["permessage-deflate"]
            deepgram_uncompressed(socket)
            written: list[bytes] = []
            transport = _websocket(socket).transport
            write = transport.write
            transport.write = lambda data: (written.append(bytes(data)), write(data))
            await socket.send_media(SOUND)
            assert await heard.get() == SOUND
            assert [len(data) for data in written] == [len(SOUND) + 8]  # header, length and mask of RFC 6455
    finally:
        await runner.cleanup()
