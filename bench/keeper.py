#!/usr/bin/env python3
"""What a keeper costs while rentals are open: `bench/keeper.py build/release/vast-gpu [RENTALS] [SECONDS] [SPEED]`.

Rents RENTALS (50) machines of a sandbox that runs SPEED (5) times faster than life, each a real OpenSSH server, starts
`vast-gpu keep`, and watches it for SECONDS (90) of real time. Every pass of the keeper lists the account and logs in to
every machine. Memory is that of /proc/PID/smaps_rollup. Processor time is that of the keeper with all its children; its
share is counted per second of the sandbox's clock, since a keeper in life makes its passes on that clock: at SPEED 5 it
makes five times as many in a real second. Exits 1 when a bar is missed, 2 when it could not measure."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time

program = os.path.abspath(sys.argv[1])
rentals = int(sys.argv[2]) if len(sys.argv) > 2 else 50
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 90
speed = float(sys.argv[4]) if len(sys.argv) > 4 else 5
tick = os.sysconf("SC_CLK_TCK")
top = tempfile.mkdtemp(prefix="vast-gpu-keeper-")


def give_up(why):
    print(f"could not measure: {why}", file=sys.stderr)
    raise SystemExit(2)


def call(tool, arguments):
    done = subprocess.run([program, "-q", "call", tool, json.dumps(arguments)], env=environment, capture_output=True, text=True)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return {"error": done.stdout + done.stderr}


searching = threading.Semaphore(3)  # a search sorts the whole catalogue: side by side they would time out


def rent(_):
    for _again in range(5):  # others take the same machines meanwhile
        with searching:
            answer = call("provision", {"task": "train a small model", "vram_gib": 8, "hours": 10})
        for option in answer.get("options", []):
            for _turn in range(40):
                answer = call("rent", {"quote_id": option["quote_id"], "wait_seconds": 600})
                if answer.get("outcome") != "booting":
                    break
            if answer.get("outcome") == "ready":
                return "ready"
    return json.dumps(answer)[:500]


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


sandbox = keeper = None
try:
    for folder in ("home", "project", "state"):
        os.makedirs(f"{top}/{folder}")
    with open(f"{top}/project/CLAUDE.md", "w") as f:
        f.write("- max_budget: 100000\n")
    with open(f"{top}/state/settings.json", "w") as f:
        json.dump({"max_usd_per_rental": 1000, "max_usd_per_day": 100000, "max_usd_open": 100000, "max_machines": 500}, f)
    sandbox = subprocess.Popen([program, "-q", "sandbox", "--leash", "--speed", str(speed), "--credit", "100000", "--offers", "800",
                                "--fault", "rate-limit=off", "--state", f"{top}/sandbox"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ready = json.loads(sandbox.stdout.readline())
    if not ready["machines"]:
        give_up("no machines here: user namespaces or sshd are missing")
    environment = {k: v for k, v in os.environ.items() if k not in ("SSH_AUTH_SOCK", "CLAUDE_PROJECT_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    environment |= {"VAST_URL": ready["url"], "VAST_API_KEY": ready["api_key"], "VAST_GPU_CLOCK": ready["clock"], "VAST_GPU_KEEPER": "off",
                    "VAST_GPU_STATE": f"{top}/state", "VAST_GPU_PROJECT": f"{top}/project", "HOME": f"{top}/home"}
    call("list", {})  # makes the ledger and the SSH key once
    with concurrent.futures.ThreadPoolExecutor(25) as pool:
        answers = list(pool.map(rent, range(rentals)))
    open_now = answers.count("ready")
    if open_now < rentals:
        give_up(f"{open_now} of {rentals} rentals became ready; one of the others: {next(a for a in answers if a != 'ready')}")

    keeper = subprocess.Popen([program, "-q", "keep"], env=environment, stderr=subprocess.DEVNULL)
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
    for process in (keeper, sandbox):
        if process is None:
            continue
        if process.stdin:
            process.stdin.close()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
    shutil.rmtree(top, ignore_errors=True)
