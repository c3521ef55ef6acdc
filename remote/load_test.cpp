#include "remote/load_test.h"

#include <algorithm>
#include <map>

#include "remote/bounded_answer.h"
#include "remote/temporary_names.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostFiles = 200;
constexpr std::uint64_t kLargestText = 64'000'000;  // bytes of one JSON or CSV
constexpr int kSeconds = 120;

/// Reads paths from stdin, one a line; prints "ok|failed|not_possible", a tab, words, and a line break for
/// each, in order. -I keeps the project and its environment out of sys.path.
/// @source safetensors README: 8 bytes little-endian header length, JSON header with data_offsets, data
/// @source torch.load documentation: weights_only since 1.13, mmap since 2.1
constexpr const char* kProgram = R"py(
import csv, json, os, struct, sys, zipfile
def safetensors(p):
    size = os.path.getsize(p)
    with open(p, 'rb') as f:
        n = struct.unpack('<Q', f.read(8))[0]
        if n > 100_000_000 or n + 8 > size: raise ValueError('header of %d bytes in a file of %d' % (n, size))
        head = json.loads(f.read(n))
    spans = sorted(tuple(v['data_offsets']) for k, v in head.items() if k != '__metadata__')
    at = 0
    for a, b in spans:
        if a != at or b < a: raise ValueError('tensors overlap or leave a hole at byte %d' % at)
        at = b
    if at + n + 8 != size: raise ValueError('tensors end at %d, the file at %d' % (at + n + 8, size))
    return 'safetensors header, %d tensors' % len(spans)
def weights(p):
    try:
        import torch
    except Exception as e:
        if zipfile.is_zipfile(p):
            bad = zipfile.ZipFile(p).testzip()
            if bad: raise ValueError('damaged inside: ' + bad)
            return 'checksums inside; no torch there to load it'
        return None, 'no torch there: %s' % e
    import inspect
    known = inspect.signature(torch.load).parameters
    if 'weights_only' not in known: return None, 'torch %s cannot load weights only' % torch.__version__
    more = {'mmap': True} if 'mmap' in known and zipfile.is_zipfile(p) else {}
    try:
        torch.load(p, map_location='cpu', weights_only=True, **more)
    except Exception as e:
        if 'weights_only' in str(e) or 'Unsupported' in str(e) or 'WeightsUnpickler' in str(e):
            if zipfile.is_zipfile(p) and zipfile.ZipFile(p).testzip() is None:
                return None, 'holds more than weights, so loading it would run code; its checksums are right'
            return None, 'holds more than weights: loading it would run code'
        raise
    return 'torch.load, weights only'
def rows(p):
    with open(p, newline='', encoding='utf-8', errors='strict') as f:
        return 'CSV, %d rows' % sum(1 for _ in csv.reader(f, delimiter='\t' if p.endswith('.tsv') else ','))
def parsed(p):
    with open(p, encoding='utf-8') as f:
        if p.endswith('.jsonl'):
            return 'JSON, %d lines' % sum(1 for l in f if l.strip() and json.loads(l) is not ...)
        json.load(f)
        return 'JSON'
csv.field_size_limit(1 << 24)
for line in sys.stdin.buffer.read().split(b'\n'):
    if not line: continue
    p = line.decode('utf-8', 'surrogateescape')
    low = p.lower()
    try:
        said = (safetensors if low.endswith('.safetensors') else rows if low.endswith(('.csv', '.tsv'))
                else parsed if low.endswith(('.json', '.jsonl')) else weights)(p)
        verdict, words = ('not_possible', said[1]) if isinstance(said, tuple) else ('ok', said)
    except BaseException as e:
        verdict, words = 'failed', '%s: %s' % (type(e).__name__, e)
    print(verdict, ' '.join(words.split())[:300], sep='\t', flush=True)
)py";

bool ends_in(const std::string& lower, std::initializer_list<std::string_view> ends) {
  return std::ranges::any_of(ends, [&](std::string_view s) { return lower.ends_with(s); });
}

/// The newest checkpoint's weights first, then texts.
std::vector<const Wanted*> worth_checking(const std::vector<const Wanted*>& home) {
  const Wanted* newest = nullptr;
  const auto when = [](const Wanted* w) {
    return std::pair(w->entry.changed.seconds, w->entry.changed.nanoseconds);
  };
  for (const Wanted* w : home)
    if (w->note.empty() && checkpoint_of(w->entry.path) && (newest == nullptr || when(w) > when(newest)))
      newest = w;
  std::vector<const Wanted*> weights, texts;
  for (const Wanted* w : home) {
    const std::string lower = to_lower(w->entry.path);
    if (newest != nullptr && w->source == newest->source && w->note.empty() &&
        checkpoint_of(w->entry.path) == checkpoint_of(newest->entry.path) &&
        ends_in(lower, {".safetensors", ".pt", ".pth", ".ckpt", ".bin"}))
      weights.push_back(w);
    else if (ends_in(lower, {".json", ".jsonl", ".csv", ".tsv"}) && w->entry.size <= kLargestText &&
             w->entry.size > 0 && w->note.empty())
      texts.push_back(w);
  }
  weights.insert(weights.end(), texts.begin(), texts.end());
  if (weights.size() > kMostFiles) weights.resize(kMostFiles);
  return weights;
}

CheckedFile::Verdict verdict_of(std::string_view word) {
  return word == "ok"       ? CheckedFile::Verdict::ok
         : word == "failed" ? CheckedFile::Verdict::failed
                            : CheckedFile::Verdict::not_possible;
}

}  // namespace

std::vector<CheckedFile> load_test_on_machine(CollectRun& run, const std::vector<const Wanted*>& home) {
  const auto files = worth_checking(home);
  std::vector<CheckedFile> out;
  for (const Wanted* w : files)
    out.push_back({.path = w->entry.path, .folder = run.sources[w->source].remote_folder});
  if (files.empty()) return out;
  std::string paths;
  for (const Wanted* w : files) paths += w->remote + "\n";
  // A python with torch goes first: images keep it in conda or a virtual environment, off an SSH login's
  // PATH.
  const std::string script = text(
      "cd / || exit 1; P=\nfor p in python3 /venv/main/bin/python /opt/conda/bin/python python; do\n",
      "  command -v \"$p\" >/dev/null 2>&1 || continue; [ -n \"$P\" ] || P=$p\n",
      "  timeout 20 \"$p\" -I -c 'import importlib.util as u, sys; sys.exit(u.find_spec(\"torch\") is "
      "None)' ",
      "2>/dev/null && { P=$p; break; }\ndone\n", "[ -n \"$P\" ] || { echo 'no python there' >&2; exit 3; }\n",
      "CUDA_VISIBLE_DEVICES= timeout ", kSeconds, " \"$P\" -I -c ", shell_quote(kProgram), " 2>/dev/null");
  const Bounds bounds{kMostFiles * 400, std::chrono::seconds(kSeconds + 20),
                      std::chrono::seconds(kSeconds + 60)};
  auto answer = on_a_session(run.link, run.stamina, run.stop,
                             [&](SshSession& s) { return ask(s, script, paths, bounds, run.stop); });
  const std::string silent = !answer ? answer.error().what
                             : !answer->err.empty()
                                 ? clean_line(answer->err, 100)
                                 : text("it did not come to its end within ", kSeconds, " s");
  std::vector<std::string> lines;
  if (answer) lines = split(answer->out, '\n');
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t tab = i < lines.size() ? lines[i].find('\t') : std::string::npos;
    if (tab == std::string::npos) {
      out[i].words = clean_line(silent, 200);
      continue;
    }
    out[i].verdict = verdict_of(lines[i].substr(0, tab));
    out[i].words = clean_line(lines[i].substr(tab + 1), 300);
  }
  return out;
}

}  // namespace vastgpu
