#!/usr/bin/env python3
"""What a keeper costs while rentals are open: `bench/keeper.py build/release/vast-gpu [RENTALS] [SECONDS] [SPEED]`.

Rents RENTALS (50) machines of a sandbox that runs SPEED (5) times faster than life, each a real OpenSSH server, starts
`vast-gpu keep`, and watches it for SECONDS (90) of real time. Every pass of the keeper lists the account and logs in to
every machine. Memory is that of /proc/PID/smaps_rollup. Processor time is that of the keeper with all its children; its
share is counted per second of the sandbox's clock, since a keeper in life makes its passes on that clock: at SPEED 5 it
makes five times as many in a real second. Exits 1 when a bar is missed, 2 when it could not measure."""
import os
import subprocess
import sys
import time

from stage import Stage, end, give_up

program = os.path.abspath(sys.argv[1])
rentals = int(sys.argv[2]) if len(sys.argv) > 2 else 50
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 90
speed = float(sys.argv[4]) if len(sys.argv) > 4 else 5
tick = os.sysconf("SC_CLK_TCK")


def memory(pid):
    """Rss and Pss in MB; None when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            fields = {line.split(":")[0]: line.split()[1] for line in f if line.startswith(("Rss:", "Pss:"))}
        return int(fields["Rss"]) / 1000, int(fields["Pss"]) / 1000
    except (OSError, KeyError):
        return None


def cpu(pid):
    """Seconds of the keeper and of the children that have ended."""
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rpartition(")")[2].split()
    return sum(int(fields[i]) for i in (11, 12, 13, 14)) / tick


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return f.read().split()
    except OSError:
        return []


keeper = None
with Stage(program, speed, "keeper") as stage:
    try:
        open_now = len(stage.rent(rentals))
        keeper = subprocess.Popen([program, "-q", "keep"], env=stage.environment, stderr=subprocess.DEVNULL)
        time.sleep(1)
        began, used, alone, working, passes, busy = time.monotonic(), cpu(keeper.pid), [], [], set(), 0
        looks = 0
        while time.monotonic() - began < seconds or children(keeper.pid):
            looks += 1
            kids = children(keeper.pid)
            if kids:
                busy += 1
                passes.update(kids)
                working += [m for m in map(memory, kids) if m]
            elif (m := memory(keeper.pid)):
                alone.append(m)
            if keeper.poll() is not None:
                give_up("the keeper ended")
            time.sleep(0.05)
        real = time.monotonic() - began
        share = (cpu(keeper.pid) - used) / (real * speed) * 100
        if not alone or len(passes) < 2:
            give_up(f"{len(passes)} passes and {len(alone)} looks at an idle keeper in {real:.0f} s")
        rss, pss = max(m[0] for m in alone), max(m[1] for m in alone)
        missed = rss >= 15 or share >= 0.5
        print(f"{open_now} open rentals, {len(passes)} passes in {real * speed:.0f} s of the sandbox's clock ({real:.0f} s real, speed {speed:g})")
        print(f"{'idle memory, worst':34} Rss {rss:6.2f} MB, Pss {pss:6.2f} MB   bar 15 MB")
        print(f"{'memory of a pass, worst':34} Rss {max(m[0] for m in working):6.2f} MB, Pss {max(m[1] for m in working):6.2f} MB   beside the idle keeper, {100 * busy / looks:.1f} % of the time")
        print(f"{'processor, with all passes':34} {share:6.3f} % of one core          bar 0.5 %")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}: {'MISSED' if missed else 'met'}")
        raise SystemExit(1 if missed else 0)
    finally:
        end(keeper)
