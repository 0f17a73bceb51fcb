"""What loaders load into: a PostgreSQL and an S3, each started when a thread first asks for it."""

from __future__ import annotations

import gzip
import subprocess
import urllib.request
from contextlib import ExitStack
from functools import cached_property
from threading import Lock
from typing import Self
from urllib.parse import quote
from xml.etree import ElementTree as ET

from tap_clover_export.demo.postgres import Database, postgres
from tap_clover_export.demo.processes import process, read
from tests.loaders.environments import program

MOTO = """
import threading
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print("http://%s:%d" % server.get_host_and_port(), flush=True)
threading.Event().wait()
"""
NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/s3/aws4_request"}
TIMEOUT = 30


class S3:
    """An S3 without a gatekeeper.

    Args:
        url: Its endpoint.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        self._ask("PUT", bucket)

    def keys(self, bucket: str) -> list[str]:
        """The keys of a bucket, in order."""
        tree = ET.fromstring(self._ask("GET", f"{bucket}?list-type=2"))
        return [node.text or "" for node in tree.iter(f"{NAMESPACE}Key")]

    def text(self, bucket: str, key: str) -> str:
        """A text file, gzip or not."""
        content = self._ask("GET", f"{bucket}/{quote(key)}")
        if content.startswith(b"\x1f\x8b"):
            content = gzip.decompress(content)
        return content.decode()

    def _ask(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(f"{self.url}/{path}", method=method, headers=SIGNED)
        with self._open(request, timeout=TIMEOUT) as answer:
            content: bytes = answer.read()
        return content


class Services:
    """Starts what is asked for, ends it with the block."""

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        self._lock = Lock()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def database(self) -> Database:
        """An empty PostgreSQL."""
        with self._lock:
            return self._database

    @property
    def s3(self) -> S3:
        """An empty S3: moto's."""
        with self._lock:
            return self._s3

    @cached_property
    def _database(self) -> Database:
        return self._stack.enter_context(postgres())

    @cached_property
    def _s3(self) -> S3:
        command = [program("moto", "python"), "-c", MOTO]
        running = self._stack.enter_context(
            process(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        )
        url = read(running.stdout)
        assert url, "moto did not start"
        return S3(url)
