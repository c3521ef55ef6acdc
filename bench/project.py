#!/usr/bin/env python3
"""What reading a project costs: `bench/project.py build/release/vast-gpu [FILES]`.

Makes projects of 1, 2 and 4 times FILES (5,000) mixed files of 10 to 20 kB each in a temporary folder, with a training
script that imports forty modules, and lets `provision` analyse them without offers. Prints wall time, processor time and
peak memory of the whole process, medians of five runs, and what doubling costs."""
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time

program = os.path.abspath(sys.argv[1])
files = int(sys.argv[2]) if len(sys.argv) > 2 else 5000
random.seed(7)


def code(n):
    lines = ["import torch", "import torch.nn as nn", "", "class Block%d(nn.Module):" % n, "    def __init__(self, width=256):",
             "        super().__init__()"]
    while sum(map(len, lines)) < random.randint(10_000, 20_000):
        k = len(lines)
        lines += ["        self.layer%d = nn.Linear(width, width * 4)  # wide" % k, "        self.norm%d = nn.LayerNorm([width])" % k]
        if k % 9 == 0:
            lines += ["    def step%d(self, x, scale=1.5):" % k, "        y = self.layer%d(x) * scale + sum(v ** 2 for v in (1, 2, 3))" % (k - 2),
                      "        return torch.relu(y) if scale > 1 else {'y': y, \"n\": len(x)}"]
    return "\n".join(lines) + "\n"


def table(n):
    return json.dumps([{"id": i + n, "text": "row %d of a table" % i, "score": i / 7} for i in range(300)], indent=1)[:15_000]


def settings(n):
    return "".join("key_%d_%d:\n  value: %d\n  list: [1, 2, 3]\n" % (n, i, i) for i in range(350))


def prose(n):
    return "# Notes %d\n\n" % n + "Some words about an experiment that went on for a while. " * 220


def make(folder, count):
    os.makedirs(folder + "/refine-logs")
    kinds = [(".py", code), (".yaml", settings), (".json", table), (".md", prose)]
    ready = {end: [maker(i) for i in range(12)] for end, maker in kinds}
    for i in range(count):
        end, _ = kinds[i % 4]
        at = "%s/part%02d/sub%d" % (folder, i // 100 % 60, i % 5)
        os.makedirs(at, exist_ok=True)
        with open("%s/file%05d%s" % (at, i, end), "w") as f:
            f.write(ready[end][i // 4 % 12])
    modules = ["file%05d" % i for i in range(0, 160, 4)]
    with open(folder + "/train.py", "w") as f:
        for i, name in zip(range(0, 160, 4), modules):
            f.write("from part%02d.sub%d.%s import *\n" % (i // 100 % 60, i % 5, name))
        f.write("BATCH = 4\nmodel = AutoModelForCausalLM.from_pretrained('Qwen/Qwen2.5-0.5B', torch_dtype=torch.bfloat16)\n"
                "loader = DataLoader(data, batch_size=BATCH)\noptimizer = torch.optim.AdamW(model.parameters())\nloss.backward()\n")
    with open(folder + "/run.sh", "w") as f:
        f.write("torchrun --nproc_per_node=2 train.py --max_length 512\n")
    with open(folder + "/requirements.txt", "w") as f:
        f.write("torch==2.4.0\n")


def measure(folder):
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    p = subprocess.Popen([program, "call", "provision", json.dumps({"task": "fine-tune", "offers": False})], cwd=folder,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env={**os.environ, "HOME": folder + "-home", "XDG_STATE_HOME": folder + "-home"})
    out, err = p.stdout.read(), p.stderr.read()
    _, status, usage = os.wait4(p.pid, 0)
    p.returncode = status
    if status != 0 or b"Qwen2.5-0.5B" not in out:
        sys.exit("provision failed: " + (out + err).decode()[:600])
    return ((time.perf_counter() - began) * 1000, (usage.ru_utime + usage.ru_stime) * 1000, usage.ru_maxrss / 1024)


base = None
with tempfile.TemporaryDirectory() as temp:
    for times in (1, 2, 4):
        folder = "%s/x%d" % (temp, times)
        os.makedirs(folder + "-home")
        make(folder, files * times)
        runs = [measure(folder) for _ in range(6)][1:]
        wall, cpu, rss = (statistics.median(column) for column in zip(*runs))
        base = base or (wall, cpu, rss)
        print("%6d files: %6.0f ms wall, %6.0f ms processor, %5.1f MB peak; x%d files: x%.2f wall, x%.2f processor, x%.2f memory" %
              (files * times, wall, cpu, rss, times, wall / base[0], cpu / base[1], rss / base[2]))
print("%d cores, load %.1f" % (os.cpu_count(), os.getloadavg()[0]))
