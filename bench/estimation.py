#!/usr/bin/env python3
"""Holds the estimates of `provision` against measured cases, through the program itself.

    bench/estimation.py build/release/vast-gpu [--cases FILE] [--verbose]

Prints one table; the exit code is 0 when every bar of docs/estimation.md is met. The cases are a list of objects as in
bench/data/estimation-cases.json: `type` (memory, memory-oom, duration), `text`, `settings` (the keys of `facts`), and what
was measured. Needs neither key nor network.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

TIERS = [8, 12, 16, 24, 32, 48, 80, 96, 141]  # GB of the cards that are for rent
USABLE = 0.97  # of a card's nominal memory
GIB = 1.073741824  # GB


def profile(binary, task, facts, folder):
    request = {"task": task, "offers": False, "project": folder}
    if facts is not None:
        request["facts"] = facts
    done = subprocess.run([binary, "call", "provision", json.dumps(request)], capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        raise SystemExit(f"{task}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)["profile"]


def tier(gib):
    return next((i for i, t in enumerate(TIERS) if t * USABLE >= gib), len(TIERS))


def peak_gib(case):
    return case["peak_gb"] / GIB if case["unit"] == "GB" else case["peak_gb"]


class Memory:
    """One way of asking: with the settings as facts, or with the text alone."""

    def __init__(self, name):
        self.name, self.errors, self.fits, self.big, self.ooms, self.unknown, self.lines = name, [], [], [], [], 0, []

    def add(self, case, p):
        likely, safe = p["vram_gib"]["likely"], p["vram_gib"]["safe"]
        if case["type"] == "memory-oom":
            self.ooms.append(safe > case["oom_at_vram_gb"] * USABLE)
            return
        truth = peak_gib(case)
        self.unknown += p["params_b"] is None
        self.errors.append(abs(likely / truth - 1))
        self.fits.append(tier(safe) >= len(TIERS) or TIERS[tier(safe)] * USABLE >= truth)
        self.big.append(tier(safe) - tier(truth) > 2)
        self.lines.append(f"{likely / truth - 1:+5.0%} {likely:6.1f} of {truth:6.1f} GiB, safe {safe:6.1f}"
                          f"{'' if self.fits[-1] else ' TOO SMALL'}{' too big' if self.big[-1] else ''}  {case['text']}")

    def rows(self, median_bar, fits_bar):
        n = len(self.errors)
        share = lambda flags: sum(flags) / max(1, len(flags))
        within = share([e <= 0.25 for e in self.errors])
        rows = [(f"memory, {self.name}: median error", statistics.median(self.errors or [0]), median_bar, "<=", n),
                (f"memory, {self.name}: within 25 %", within, 0.80 if fits_bar > 0.9 else None, ">=", n),
                (f"memory, {self.name}: safe value fits", share(self.fits), fits_bar, ">=", n),
                (f"memory, {self.name}: over two sizes too big", share(self.big), 0.08 if fits_bar > 0.9 else None, "<=", n)]
        if self.ooms:
            rows.append((f"memory, {self.name}: out-of-memory runs flagged", share(self.ooms),
                         1.0 if fits_bar > 0.9 else None, ">=", len(self.ooms)))
        return rows


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("binary")
    options.add_argument("--cases", default=os.path.join(os.path.dirname(__file__), "data", "estimation-cases.json"))
    options.add_argument("--verbose", action="store_true", help="one line per case")
    given = options.parse_args()
    binary = os.path.abspath(given.binary)
    with open(given.cases) as f:
        cases = json.load(f)
    with_facts, text_alone = Memory("settings as facts"), Memory("text alone")
    factors, covered, unknown_hours, lines = [], [], 0, []
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            facts = dict(case["settings"], num_gpus=case["num_gpus"])
            if case.get("gpu"):
                facts["gpu"] = case["gpu"]
            p = profile(binary, case["text"], facts, folder)
            if case["type"] == "duration":
                if p["hours"] is None:
                    unknown_hours += 1
                    lines.append(f"unknown  {case['text']}: {p['unknown']}")
                    continue
                ratio = p["hours"]["likely"] / case["hours"]
                factors.append(max(ratio, 1 / ratio))
                covered.append(p["hours"]["high"] >= case["hours"])
                lines.append(f"x{ratio:5.2f} {p['hours']['likely']:8.3f} of {case['hours']:8.3f} h"
                             f"{'' if covered[-1] else ' HIGH TOO LOW'}  {case['text']}")
            else:
                with_facts.add(case, p)
                text_alone.add(case, profile(binary, case["text"], None, folder))
    if given.verbose:
        for memory in (with_facts, text_alone):
            print(f"\n{memory.name}", *memory.lines, sep="\n")
        print("\nhours", *lines, sep="\n")
        print()
    rows = with_facts.rows(0.12, 0.95) + text_alone.rows(0.25, 0.90)
    if factors:
        n = len(factors)
        rows += [("hours: median factor", statistics.median(factors), 1.4, "<=", n),
                 ("hours: within x2", sum(f <= 2 for f in factors) / n, 0.80, ">=", n),
                 ("hours: high value covers", sum(covered) / n, 0.85, ">=", n),
                 ("hours: left unknown", unknown_hours, None, "", n + unknown_hours)]
    print(f"| {'what':<52} | {'figure':>8} | {'bar':>8} | cases |")
    print(f"|{'-' * 54}|{'-' * 10}|{'-' * 10}|-------|")
    missed = 0
    for name, value, bar, way, n in rows:
        met = bar is None or (value <= bar if way == "<=" else value >= bar)
        missed += not met
        shown = "" if bar is None else f"{way} {bar:.2f}"
        print(f"| {name:<52} | {value:8.3f} | {shown:>8} | {n:5} |{'' if met else '  NOT MET'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
