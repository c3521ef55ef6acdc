#!/usr/bin/env python3
"""Start to first answer, and resident memory when idle: `bench/startup.py build/release/vast-gpu [RUNS]`.

Starts `serve`, sends one request at once, and takes the time from exec to the answered line; then reads VmRSS after the
tools were listed. Prints median and worst."""
import json
import os
import statistics
import subprocess
import sys
import time

program = sys.argv[1]
runs = int(sys.argv[2]) if len(sys.argv) > 2 else 30
hello = json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}}).encode() + b"\n"
listing = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode() + b"\n"
first, memory, listed = [], [], []
for _ in range(runs):
    began = time.perf_counter()
    p = subprocess.Popen([program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p.stdin.write(hello)
    p.stdin.flush()
    p.stdout.readline()
    first.append((time.perf_counter() - began) * 1000)
    began = time.perf_counter()
    p.stdin.write(listing)
    p.stdin.flush()
    p.stdout.readline()
    listed.append((time.perf_counter() - began) * 1000)
    with open(f"/proc/{p.pid}/status") as f:
        memory.append(next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmRSS")))
    p.stdin.close()
    p.wait()
for name, values, unit in (("first answer after exec", first, "ms"), ("tools/list after that", listed, "ms"), ("resident memory", memory, "MiB")):
    print(f"{name:26} median {statistics.median(values):6.2f} {unit}, worst {max(values):6.2f} {unit}")
print(f"{runs} runs, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
