"""Two origins served from a thread: the API's, and the files'."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

GRACE = 0.1


class Server:
    """Listens on two ports until it is stopped.

    Args:
        host: Where it listens.
        port: The API's port; 0 for any that is free.
        api: Answers the API's requests.
        files: Answers requests for files.
    """

    def __init__(self, host: str, port: int, api: Handler, files: Handler) -> None:
        self.url = ""
        self.files_url = ""
        self._host = host
        self._port = port
        self._api = api
        self._files = files
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clover", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._failure: OSError | None = None

    def start(self) -> None:
        """Start to listen.

        Raises:
            OSError: When the port is taken.
        """
        self._thread.start()
        self._ready.wait()
        if self._failure:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """Cut off who is still there, and end."""
        if self._loop and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
            self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        runners: list[web.AppRunner] = []
        try:
            self.files_url = await self._listen(runners, 0, self._files)
            self.url = await self._listen(runners, self._port, self._api)
            self._ready.set()
            await self._end.wait()
        except OSError as error:
            self._failure = error
        finally:
            for runner in runners:
                await runner.cleanup()
            self._ready.set()

    async def _listen(self, runners: list[web.AppRunner], port: int, handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=GRACE)
        runners.append(runner)
        await runner.setup()
        await web.TCPSite(runner, self._host, port).start()
        return f"http://{self._host}:{runner.addresses[0][1]}"
