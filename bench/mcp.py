#!/usr/bin/env python3
"""The server as a client sees it, beside a hello-world server on the official TypeScript SDK in the same run:

    bench/mcp.py [VAST-GPU [FIXTURE]]       default build/release/vast-gpu and build/dev/tests/conformance_fixture

Start to first answer, memory when idle after a handshake and tools/list, tools/list a second, and how long a ping takes
while eight tools wait (on the fixture server, whose tools wait without renting anything). Ends with 1 if a bar is missed.
The SDK comes from tests/clients (tests/clients/run installs it)."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = [sys.argv[1] if len(sys.argv) > 1 else str(ROOT / "build/release/vast-gpu"), "serve"]
FIXTURE = [sys.argv[2] if len(sys.argv) > 2 else str(ROOT / "build/dev/tests/conformance_fixture")]
SDK = ["node", str(ROOT / "bench/hello_server.mjs")]
RUNS = 15
LISTS = 20_000
PINGS = 200

HELLO = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Server:
    """One process; speaks JSON lines. A context, since it must end."""

    def __init__(self, command):
        self.began = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.terminate()
        self.process.wait()

    def send(self, *messages):
        self.process.stdin.write("".join(json.dumps(m) + "\n" for m in messages).encode())
        self.process.stdin.flush()

    def line(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit("the server ended early")
        return line

    def ask(self, message):
        self.send(message)
        return self.line()

    def handshake(self):
        self.ask(HELLO)
        took = time.perf_counter() - self.began
        self.send(INITIALIZED)
        return took

    def resident(self):
        """MiB."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


def request(number, method, params=None):
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params else {})}


def starts(command):
    """Milliseconds from exec to the first answer, and MiB after tools/list: the median of some runs."""
    first, memory = [], []
    for _ in range(RUNS):
        with Server(command) as server:
            first.append(server.handshake() * 1000)
            server.ask(request(1, "tools/list"))
            memory.append(server.resident())
    return statistics.median(first), statistics.median(memory)


def lists_per_second(command):
    """A window of requests is kept open, as a busy client would; the time includes reading every answer."""
    window = 50
    line = (json.dumps(request(7, "tools/list")) + "\n").encode() * window
    with Server(command) as server:
        server.handshake()
        server.ask(request(1, "tools/list"))
        began = time.perf_counter()
        for _ in range(LISTS // window):
            server.process.stdin.write(line)
            server.process.stdin.flush()
            for _ in range(window):
                server.line()
        return LISTS / (time.perf_counter() - began)


def slowest_ping(command, tool):
    """Milliseconds, the worst and the median of many pings while eight calls of `tool` wait."""
    with Server(command) as server:
        server.handshake()
        server.send(*(request(f"w{i}", "tools/call", {"name": tool, "arguments": {}}) for i in range(8)))
        times = []
        for i in range(PINGS):
            began = time.perf_counter()
            if json.loads(server.ask(request(i + 1, "ping"))).get("id") != i + 1:
                sys.exit("a waiting tool answered before the pings were through")
            times.append((time.perf_counter() - began) * 1000)
        return statistics.median(times), max(times)


def main():
    rows = []
    first, memory = starts(OURS)
    sdk_first, sdk_memory = starts(SDK)
    rows.append(("start to first answer, ms (median)", first, sdk_first, "<= 10", first <= 10))
    rows.append(("resident when idle, MiB (median)", memory, sdk_memory, "<= 12", memory <= 12))
    rate, sdk_rate = lists_per_second(OURS), lists_per_second(SDK)
    rows.append(("tools/list a second", rate, sdk_rate, ">= 10000", rate >= 10_000))
    ping, worst = slowest_ping(FIXTURE, "test_tool_with_progress")
    sdk_ping, sdk_worst = slowest_ping(SDK, "wait")
    rows.append(("ping while eight tools wait, ms (median)", ping, sdk_ping, "", True))
    rows.append(("the same, slowest of 200", worst, sdk_worst, "<= 5", worst <= 5))
    print(f"{'':42} {'ours':>10} {'SDK':>10}   bar")
    for name, ours, sdk, bar, met in rows:
        print(f"{name:42} {ours:10.2f} {sdk:10.2f}   {bar}{'' if met else '  MISSED'}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    return 0 if all(row[-1] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
