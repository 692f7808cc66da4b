"""A client that keeps connections busy with prepared requests, for machines without wrk.

    python -m benchmarks.client PORT FILE CONNECTIONS SECONDS [PER_SECOND]

The file holds requests as JSON strings, a line each; prints the outcome as JSON. With PER_SECOND
each request has an instant at which it is due, and what it took is counted from there.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Client:
    """Sends each request once on a few connections: as the answers come, or at a steady pace."""

    def __init__(
        self, port: int, requests: Iterator[bytes], per_second: float | None = None
    ) -> None:
        self._port = port
        self._requests = requests
        self._pace = per_second
        self._due = 0.0
        self._seconds: list[float] = []
        self._failures = 0

    async def run(self, connections: int, seconds: float) -> dict[str, Any]:
        """Send for some seconds; returns rate, percentiles in ms and failures."""
        begun = self._due = time.monotonic()
        until = begun + seconds
        await asyncio.gather(*(self._connection(until) for _ in range(connections)))
        took = sorted(self._seconds)
        return {
            "per_second": len(took) / (time.monotonic() - begun),
            "p50_ms": _percentile(took, 0.50) * 1000,
            "p99_ms": _percentile(took, 0.99) * 1000,
            "failures": self._failures,
        }

    async def _connection(self, until: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            while time.monotonic() < until and (wanted := next(self._requests, None)):
                begun = await self._turn()
                writer.write(wanted)
                if not await _is_good(reader):
                    self._failures += 1
                self._seconds.append(time.monotonic() - begun)
        except (OSError, asyncio.IncompleteReadError):
            self._failures += 1
        finally:
            writer.close()

    async def _turn(self) -> float:
        """The instant from which the next request counts, awaited where it lies ahead."""
        if self._pace is None:
            return time.monotonic()
        begun = self._due
        self._due += 1 / self._pace
        await asyncio.sleep(max(0.0, begun - time.monotonic()))
        return begun


async def _is_good(reader: asyncio.StreamReader) -> bool:
    """Read one answer to its end; whether its status is a 2xx."""
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            await reader.readexactly(int(value))
    return head.split(b" ", 2)[1].startswith(b"2")


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def _prepared(path: Path) -> Iterator[bytes]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line).encode()


if __name__ == "__main__":
    port, path, connections, seconds, *pace = sys.argv[1:]
    client = Client(int(port), _prepared(Path(path)), *map(float, pace))
    print(json.dumps(asyncio.run(client.run(int(connections), float(seconds)))))
