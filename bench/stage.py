"""Many rentals on the sandbox, for the benchmarks beside this file: real OpenSSH servers, no money."""
import concurrent.futures
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading


def give_up(why):
    print(f"could not measure: {why}", file=sys.stderr)
    raise SystemExit(2)


class Stage:
    """A sandbox that runs `speed` times faster than life, and a state folder and project of its own."""

    def __init__(self, program, speed, name):
        self.program, self.speed = os.path.abspath(program), speed
        self.top = tempfile.mkdtemp(prefix=f"vast-gpu-{name}-")
        self.searching = threading.Semaphore(3)  # a search sorts the whole catalogue: side by side they would time out

    def __enter__(self):
        top = self.top
        for folder in ("home", "project", "state"):
            os.makedirs(f"{top}/{folder}")
        with open(f"{top}/project/CLAUDE.md", "w") as f:
            f.write("- max_budget: 100000\n")
        with open(f"{top}/state/settings.json", "w") as f:
            json.dump({"max_usd_per_rental": 1000, "max_usd_per_day": 100000, "max_usd_open": 100000, "max_machines": 500}, f)
        self.sandbox = subprocess.Popen([self.program, "-q", "sandbox", "--leash", "--speed", str(self.speed), "--credit", "100000",
                                         "--offers", "800", "--fault", "rate-limit=off", "--state", f"{top}/sandbox"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready = json.loads(self.sandbox.stdout.readline())
        if not ready["machines"]:
            give_up("no machines here: user namespaces or sshd are missing")
        unwanted = ("SSH_AUTH_SOCK", "CLAUDE_PROJECT_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME")
        self.environment = {k: v for k, v in os.environ.items() if k not in unwanted}
        self.environment |= {"VAST_URL": ready["url"], "VAST_API_KEY": ready["api_key"], "VAST_GPU_CLOCK": ready["clock"],
                             "VAST_GPU_KEEPER": "off", "VAST_GPU_STATE": f"{top}/state", "VAST_GPU_PROJECT": f"{top}/project",
                             "HOME": f"{top}/home"}
        self.call("list", {})  # makes the ledger and the SSH key once
        return self

    def __exit__(self, *_):
        end(self.sandbox)
        shutil.rmtree(self.top, ignore_errors=True)

    def call(self, tool, arguments):
        done = subprocess.run([self.program, "-q", "call", tool, json.dumps(arguments)], env=self.environment, capture_output=True,
                              text=True)
        try:
            return json.loads(done.stdout)
        except ValueError:
            return {"error": done.stdout + done.stderr}

    def rent_one(self, _):
        for _again in range(5):  # others take the same machines meanwhile
            with self.searching:
                answer = self.call("provision", {"task": "train a small model", "vram_gib": 8, "hours": 10})
            for option in answer.get("options", []):
                for _turn in range(40):
                    answer = self.call("rent", {"quote_id": option["quote_id"], "wait_seconds": 600})
                    if answer.get("outcome") != "booting":
                        break
                if answer.get("outcome") == "ready":
                    return answer["instance_id"]
        return json.dumps(answer)[:500]

    def rent(self, count):
        """Instance ids, all ready."""
        with concurrent.futures.ThreadPoolExecutor(25) as pool:
            answers = list(pool.map(self.rent_one, range(count)))
        failed = [a for a in answers if not isinstance(a, int)]
        if failed:
            give_up(f"{count - len(failed)} of {count} rentals became ready; one of the others: {failed[0]}")
        return answers


def end(process):
    if process is None:
        return
    if process.stdin:
        process.stdin.close()
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
