#!/usr/bin/env python3
"""How long destroy-all takes beside destroy: `bench/destroy_all.py build/release/vast-gpu [MACHINES] [SPEED]`.

Rents MACHINES + 3 machines (32 + 3) of a sandbox that runs SPEED (4) times faster than life, each a real OpenSSH server, and leaves
10 MB of results that do not compress on each. Three are then destroyed one after the other, the others by one
destroy-all: results home, hashed on both sides, receipt, destroy, read back. Exits 1 when the whole takes more than
1.5 times the slowest single one, or when a result is not at home."""
import concurrent.futures
import os
import sys
import time

from stage import Stage, give_up

machines = int(sys.argv[2]) if len(sys.argv) > 2 else 32
speed = float(sys.argv[3]) if len(sys.argv) > 3 else 4
size = 10_000_000


def fill(stage, number, instance):
    name = f"exp{number:02}"
    stage.call("run", {"instance_id": instance, "experiment": name, "auto_destroy": False,
                       "command": f"mkdir -p results; head -c {size} /dev/urandom >results/{name}.bin"})
    for _ in range(30):
        answer = stage.call("monitor", {"instance_id": instance, "wait_seconds": 60})
        if answer.get("outcome") == "finished":
            return True
    return answer


def timed(call, *arguments):
    began = time.monotonic()
    answer = call(*arguments)
    return time.monotonic() - began, answer


with Stage(sys.argv[1], speed, "destroy-all") as stage:
    instances = stage.rent(machines + 3)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        filled = list(pool.map(lambda n: fill(stage, n, instances[n]), range(len(instances))))
    if any(f is not True for f in filled):
        give_up(f"an experiment did not finish: {next(f for f in filled if f is not True)}")
    single = []
    for instance in instances[:3]:
        took, answer = timed(stage.call, "destroy", {"instance_id": instance, "wait_seconds": 600})
        if answer.get("outcome") != "destroyed":
            give_up(f"destroy: {answer}")
        single.append(took)
    everything, answer = timed(stage.call, "destroy-all", {"wait_seconds": 600})
    if answer.get("outcome") != "destroyed":
        give_up(f"destroy-all: {answer}")
    home = f"{stage.top}/project/results"
    whole = [n for n in os.listdir(home) if os.path.getsize(f"{home}/{n}") == size]
    ratio = everything / max(single)
    missed = ratio > 1.5 or len(whole) != len(instances)
    print(f"{'one machine, slowest of 3':34} {max(single):6.2f} s")
    print(f"{f'{machines} machines at once':34} {everything:6.2f} s   {ratio:.2f} times as long, bar 1.5")
    print(f"{'results at home':34} {len(whole)} of {len(instances)}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, speed {speed:g}: {'MISSED' if missed else 'met'}")
    raise SystemExit(1 if missed else 0)
