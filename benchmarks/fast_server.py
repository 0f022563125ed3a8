"""An embeddings endpoint on loopback that costs next to nothing itself, so that what is measured is the client.

    python benchmarks/fast_server.py --delay 0.2

Every text has the same vector of 1,536 dimensions. The base URL is the first line on stdout; it serves until its stdin
closes.
"""

import argparse
import asyncio
import base64
import json
import os
import sys

import numpy as np

VECTOR = base64.b64encode((np.ones(1536) / np.sqrt(1536)).astype("<f4").tobytes()).decode()


def answer(request: dict) -> bytes:
    texts = request["input"]
    data = ",".join(f'{{"object":"embedding","index":{i},"embedding":"{VECTOR}"}}' for i in range(len(texts)))
    n_tokens = sum(len(text) for text in texts) // 4
    usage = f'"usage":{{"prompt_tokens":{n_tokens},"total_tokens":{n_tokens}}}'
    return f'{{"object":"list","model":"{request["model"]}","data":[{data}],{usage}}}'.encode()


class Server:
    def __init__(self, delay: float, max_concurrent: int | None) -> None:
        self.delay = delay
        self.max_concurrent = max_concurrent
        self.under_way = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                request = json.loads(await reader.readexactly(int(length.split(b":")[1])))
                status, body = "200 OK", b""
                if self.max_concurrent is not None and self.under_way >= self.max_concurrent:
                    status, body = "429 Too Many Requests", b'{"message":"Too Many Requests"}'
                else:
                    self.under_way += 1
                    try:
                        await asyncio.sleep(self.delay)
                        body = answer(request)
                    finally:
                        self.under_way -= 1
                lines = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(lines.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--max-concurrent", type=int, help="with so many requests under way, answer 429")
    args = parser.parse_args()
    # A limit on how much may lie unread, above what a body has.
    server = await asyncio.start_server(Server(args.delay, args.max_concurrent).serve, "127.0.0.1", 0, limit=2**26)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    async with server:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)  # connections that are kept open are nothing to wait for


if __name__ == "__main__":
    asyncio.run(main())
