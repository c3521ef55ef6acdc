#!/usr/bin/env python3
"""Reads each plan of bench/data/plans with the built server and compares every fact with expected.json.

    bench/plans.py BINARY [FOLDER]

Each plan is put into an empty project as refine-logs/EXPERIMENT_PLAN.md, and `BINARY call provision` is asked without
offers, key or network. A fact that is missing or wrong fails, and so does an hours number that the plan does not give.
Exit code 0 when every fact of every plan holds.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile


def ask(binary, plan):
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder) / "project"
        (project / "refine-logs").mkdir(parents=True)
        (project / "refine-logs" / "EXPERIMENT_PLAN.md").write_bytes(plan.read_bytes())
        environment = {"PATH": os.environ.get("PATH", ""), "HOME": folder}
        arguments = json.dumps({"project": str(project), "offers": False})
        done = subprocess.run([binary, "call", "provision", arguments], env=environment, capture_output=True, text=True,
                              timeout=60)
    try:
        answer = json.loads(done.stdout)
    except json.JSONDecodeError:
        raise SystemExit(f"{plan.name}: no JSON came back: {done.stdout[:200]} {done.stderr[:200]}")
    return profile_of(answer)


def profile_of(answer):
    """The profile, wherever the envelope keeps it."""
    if isinstance(answer, dict):
        if isinstance(answer.get("profile"), dict):
            return answer["profile"]
        for inner in answer.values():
            found = profile_of(inner)
            if found is not None:
                return found
    return None


def key(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


def same(a, b):
    return a is not None and b is not None and abs(a - b) <= max(0.02, 0.011 * abs(b))


def value(number):
    return number.get("value") if isinstance(number, dict) else number


def find_milestone(milestones, name):
    """The row of that name: "M0", "1" for "1. Smoke" or "Block 1: Smoke", "Exp 2" for "Exp 2 stability"."""
    wanted = name.lower().strip()
    for m in milestones:
        shown = m["name"].lower()
        for lead in ("block ", "phase ", "stage ", "wave ", "week "):
            if wanted.isdigit() and shown.startswith(lead):
                shown = shown[len(lead):]
        rest = shown[len(wanted):]
        if shown.startswith(wanted) and not rest[:1].isalnum():
            return m
    return None


def numbers_of(text):
    """Every number that stands in the plan, days as hours, too."""
    found = {0.0}
    for token in re.findall(r"\d[\d,]*(?:\.\d+)?", text):
        number = float(token.replace(",", ""))
        found |= {number, number * 24}
    return found


def check(plan, expected, profile):
    """(fact, wanted, got, holds) for each fact."""
    rows = []
    facts = profile.get("plan") or {}
    hours = facts.get("gpu_hours") or {}
    milestones = facts.get("milestones") or []

    def add(fact, wanted, got, holds):
        rows.append((fact, wanted, got, bool(holds)))

    low, high, total = hours.get("low"), hours.get("high"), hours.get("total")
    if "total_gpu_hours" in expected:
        wanted = expected["total_gpu_hours"]
        within = same(total, wanted) or (total is not None and expected.get("low", wanted) is not None
                                         and expected["low"] <= total <= expected["high"]) if wanted is not None else total is None
        add("total_gpu_hours", wanted, total, within)
    for name, got in (("low", low), ("high", high)):
        if name not in expected:
            continue
        wanted = expected[name]
        if wanted is None:
            add(name, wanted, got, got is None)
        else:
            within = got is not None and expected["low"] - 0.01 <= got <= expected["high"] + 0.01
            add(name, wanted, got, same(got, wanted) or (within and name == "low" and got == high) or
                (within and expected["low"] != expected["high"] and low == high))
    answer = profile.get("gpu_hours")
    if expected.get("high") is None and "high" in expected:
        add("answer gpu_hours", None, answer, answer is None)
    elif "high" in expected:
        add("answer gpu_hours", f"{expected['low']}..{expected['high']}", answer,
            answer is not None and expected["low"] * 0.999 <= answer <= expected["high"] * 1.001)
    if "wall_hours" in expected:
        add("wall_hours", expected["wall_hours"], value(facts.get("wall_hours")),
            same(value(facts.get("wall_hours")), expected["wall_hours"]))
    if "must_run_gpu_hours" in expected:
        add("must_run", expected["must_run_gpu_hours"], facts.get("must_run_gpu_hours"),
            same(facts.get("must_run_gpu_hours"), expected["must_run_gpu_hours"]))
    if "ceiling_gpu_hours" in expected:
        add("ceiling", expected["ceiling_gpu_hours"], value(facts.get("ceiling_gpu_hours")),
            same(value(facts.get("ceiling_gpu_hours")), expected["ceiling_gpu_hours"]))
    for name, wanted in expected.get("milestones", {}).items():
        m = find_milestone(milestones, name)
        lo, hi = wanted if isinstance(wanted, list) else (wanted, wanted)
        got = None if m is None else [m["low"], m["high"]]
        add(f"milestone {name}", wanted, got, m is not None and same(m["low"], lo) and same(m["high"], hi))
    if "hardware" in expected:
        cards = facts.get("hardware") or []
        add("number of cards", len(expected["hardware"]), len(cards), len(expected["hardware"]) == len(cards))
        for wanted in expected["hardware"]:
            match = [c for c in cards if key(c["gpu"]) == key(wanted["gpu"])]
            got = match[0] if match else None
            add(f"hardware {wanted['gpu']}", wanted.get("count"), got and got["count"],
                got is not None and ("count" not in wanted or got["count"] == wanted["count"]))
    if "hardware_are_alternatives" in expected:
        add("alternatives", expected["hardware_are_alternatives"], facts.get("hardware_are_alternatives"),
            facts.get("hardware_are_alternatives") == expected["hardware_are_alternatives"])
    for kind in ("models", "datasets"):
        if kind not in expected:
            continue
        got = [entry["name"] for entry in facts.get(kind) or []]
        for wanted in expected[kind]:
            add(f"{kind}: {wanted}", wanted, ", ".join(got), key(wanted) in [key(g) for g in got])
        if not expected[kind]:
            add(f"{kind}: none", "", ", ".join(got), not got)
    for fact, field in (("measured_vram_gb", "measured_vram_gib"), ("min_vram_gb", "min_vram_gib"), ("dataset_gb", "dataset_gb"),
                        ("gpus_per_run", "gpus_per_run"), ("disk_gb_hint", "disk_gb"), ("disk_gb", "disk_gb"),
                        ("runs", "runs"), ("seeds", "seeds")):
        if fact in expected:
            add(fact, expected[fact], value(facts.get(field)), same(value(facts.get(field)), expected[fact]))

    # Nothing invented: each cost stands in the plan or says how it was computed.
    written = numbers_of(plan)
    for m in milestones:
        for end in ("low", "high"):
            if not any(same(m[end], n) for n in written) and "how" not in m:
                products = any(same(m[end], a * b) for a in written for b in written if a and b)
                add(f"invented: {m['name']}", "a number of the plan", m[end], products)
    if expected.get("high") is None and "high" in expected:
        spoken = [hours.get(k) for k in ("low", "high", "total", "stated", "sum")] + [m["high"] for m in milestones]
        spoken += [profile.get("hours")] if not isinstance(profile.get("hours"), dict) else list(profile["hours"].values())
        add("no hours at all", None, [s for s in spoken if s], not any(isinstance(s, (int, float)) and s for s in spoken))
    return rows


def main():
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else pathlib.Path(__file__).parent / "data" / "plans"
    expected = json.loads((folder / "expected.json").read_text())["plans"]
    all_facts = failed = 0
    print(f"{'plan':36} {'facts':>6} {'hold':>6}")
    wrong = []
    for entry in expected:
        plan = folder / entry["file"]
        profile = ask(os.path.abspath(sys.argv[1]), plan)
        if profile is None:
            raise SystemExit(f"{plan.name}: the answer holds no profile")
        rows = check(plan.read_text(), entry, profile)
        bad = [r for r in rows if not r[3]]
        all_facts += len(rows)
        failed += len(bad)
        print(f"{entry['file']:36} {len(rows):6} {len(rows) - len(bad):6}")
        wrong += [(entry["file"], *r) for r in bad]
    for file, fact, wanted, got, _ in wrong:
        print(f"  {file}: {fact}: wanted {wanted}, got {got}")
    print(f"{all_facts - failed} of {all_facts} facts hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
