"""Trains a small character model on a text it makes itself. Standard library only; uses torch where it is there
to say which device it runs on and to save the checkpoint, so that it behaves like any other training script."""
import argparse
import json
import math
import os
import pickle
import random
import time

try:
    import torch
except ImportError:
    torch = None

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=12)
parser.add_argument("--hidden", type=int, default=24)
parser.add_argument("--lr", type=float, default=0.08)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", default="results")
args = parser.parse_args()

random.seed(args.seed)
words = ["lorem", "ipsum", "dolor", "amet", "magna", "aliqua", "tempor", "labore"]
text = " ".join(random.choice(words) for _ in range(900))
chars = sorted(set(text))
index = {c: i for i, c in enumerate(chars)}
data = [index[c] for c in text]
split = int(len(data) * 0.9)
V, H = len(chars), args.hidden

device = torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else "cpu"
print(f"device: {device}; {V} characters, {len(data)} tokens, {2 * V * H + H * V} parameters", flush=True)


def matrix(rows, columns):
    return [[random.gauss(0, 0.3) for _ in range(columns)] for _ in range(rows)]


embed_a, embed_b, out = matrix(V, H), matrix(V, H), matrix(V, H)


def forward(a, b):
    hidden = [math.tanh(x + y) for x, y in zip(embed_a[a], embed_b[b])]
    logits = [sum(h * w for h, w in zip(hidden, row)) for row in out]
    top = max(logits)
    exps = [math.exp(v - top) for v in logits]
    total = sum(exps)
    return hidden, [e / total for e in exps]


def step(a, b, target):
    hidden, probs = forward(a, b)
    grad_hidden = [0.0] * H
    for k in range(V):
        g = probs[k] - (1.0 if k == target else 0.0)
        row = out[k]
        for j in range(H):
            grad_hidden[j] += g * row[j]
            row[j] -= args.lr * g * hidden[j]
    for j in range(H):
        g = args.lr * grad_hidden[j] * (1 - hidden[j] ** 2)
        embed_a[a][j] -= g
        embed_b[b][j] -= g
    return -math.log(max(probs[target], 1e-9))


def evaluate():
    losses = [-math.log(max(forward(data[i - 2], data[i - 1])[1][data[i]], 1e-9)) for i in range(split, len(data))]
    return sum(losses) / len(losses)


os.makedirs(args.out, exist_ok=True)
history = []
started = time.time()
for epoch in range(1, args.epochs + 1):
    loss = sum(step(data[i - 2], data[i - 1], data[i]) for i in range(2, split)) / (split - 2)
    held_out = evaluate()
    history.append({"epoch": epoch, "train_loss": round(loss, 4), "val_loss": round(held_out, 4)})
    print(f"epoch {epoch:2d}/{args.epochs}  train loss {loss:.4f}  val loss {held_out:.4f}  {time.time() - started:5.1f} s", flush=True)
    state = {"epoch": epoch, "chars": chars, "embed_a": embed_a, "embed_b": embed_b, "out": out}
    path = os.path.join(args.out, "checkpoint.pt")
    if torch:
        torch.save(state, path + ".tmp")
    else:
        with open(path + ".tmp", "wb") as f:
            pickle.dump(state, f)
    os.replace(path + ".tmp", path)
    with open(os.path.join(args.out, "metrics.json"), "w") as f:
        json.dump({"seed": args.seed, "device": device, "history": history}, f, indent=1)
print(f"done: val loss {history[-1]['val_loss']}", flush=True)
