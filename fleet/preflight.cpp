#include "fleet/preflight.h"

#include <algorithm>
#include <functional>
#include <tuple>

#include "core/text.h"
#include "fleet/guard.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostProblems = 20;

std::optional<Severity> severity_of(const std::string& word) {
  for (const Severity s : {Severity::info, Severity::warning, Severity::bad})
    if (word == to_string(s)) return s;
  return std::nullopt;
}

/// What nobody may hold against a machine that did not tell.
void check_gpus(std::vector<PreflightProblem>& all, const JobRequest& request, int there, int processes) {
  const std::string named = gpus_of_job(request.gpus, request.command);
  const int most = there > 0 ? there : 0;
  std::size_t given = static_cast<std::size_t>(most);
  if (!named.empty() && most > 0) {
    const auto numbers = gpu_numbers(named, most);
    given = numbers.size();
    for (const int gpu : numbers)
      if (gpu >= most)
        all.push_back({"no_such_gpu", Severity::bad, "", 0,
                       text("CUDA_VISIBLE_DEVICES names GPU ", gpu, ", and the machine has ", most, " (0 to ",
                            most - 1, ")")});
  }
  if (request.gpus_needed > 0) given = static_cast<std::size_t>(request.gpus_needed);
  if (processes > 0 && most > 0 && static_cast<std::size_t>(processes) > given)
    all.push_back({"too_many_processes", Severity::warning, "", 0,
                   text(processes, " processes are started for ", given, " GPU(s)")});
}

}  // namespace

void to_json(json& j, const PreflightProblem& p) {
  j = {{"kind", p.kind}, {"severity", to_string(p.severity)}, {"evidence", to_words(p)}};
  j["file"] = p.file.empty() ? json(nullptr) : json(p.file);
  j["line"] = p.line > 0 ? json(p.line) : json(nullptr);
}

std::string to_words(const PreflightProblem& p) {
  return p.file + (p.line > 0 ? text(" line ", p.line) : "") + (p.file.empty() ? "" : ": ") + p.words;
}

bool refuses(const std::vector<PreflightProblem>& problems) {
  return std::ranges::find(problems, Severity::bad, &PreflightProblem::severity) != problems.end();
}

std::string python_of(const std::string& command) {
  for (const std::string& word : split(command, ' ')) {
    const auto slash = word.rfind('/');
    const std::string name = slash == std::string::npos ? word : word.substr(slash + 1);
    if (!name.starts_with("python") || name.find_first_not_of("0123456789.", 6) != std::string::npos)
      continue;
    const bool plain = std::ranges::all_of(word, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
             c == '.' || c == '_' || c == '-';
    });
    if (plain) return word;
  }
  return {};
}

std::vector<PreflightProblem> read_preflight(std::string_view answer, const std::string& mark,
                                             const JobRequest& request, int num_gpus) {
  std::vector<PreflightProblem> all;
  bool done = false, python = true;
  int gpus = num_gpus, processes = 0;
  for (const std::string& line : split(answer, '\n')) {
    if (!line.starts_with(mark)) continue;
    const std::string_view rest = std::string_view(line).substr(mark.size());
    if (rest.starts_with("gpus ")) {
      const int seen = std::atoi(std::string(rest.substr(5)).c_str());
      if (seen > 0 && seen <= 64) gpus = seen;
      continue;
    }
    if (rest == "no python") python = false;
    const auto row = parse_json(rest, "preflight");
    if (!row || !row->is_array() || row->size() != 5) continue;
    const auto r =
        decode<std::tuple<std::string, std::string, std::string, int, std::string>>(*row, "preflight");
    if (!r) continue;
    const auto& [kind, severity, file, at, words] = *r;
    if (kind == "done") done = true;
    if (kind == "processes") processes = at;
    const auto how = severity_of(severity);
    if (kind == "done" || kind == "processes" || !how || all.size() >= kMostProblems) continue;
    all.push_back(
        {clean_line(kind, 40), *how, clean_line(file, 200), std::max(at, 0), clean_line(words, 300)});
  }
  check_gpus(all, request, gpus, processes);
  if (!python)
    all.push_back({"not_checked", Severity::info, "", 0, "the image has no Python to check the script with"});
  else if (!done)
    all.push_back({"not_checked", Severity::info, "", 0, "the check did not end within 20 s"});
  std::ranges::stable_sort(all, std::greater{}, &PreflightProblem::severity);
  return all;
}

Result<std::vector<PreflightProblem>> preflight(Shell& shell, const JobRequest& request, int num_gpus,
                                                std::stop_token stop) {
  const std::string mark = "@@vast-gpu-" + random_hex(8) + " ";
  const std::string python = python_of(request.command);
  // A login shell finds the image's own Python where a bare exec may not.
  const std::string script =
      "mark=" + shell_quote(mark) + "; cd " + kRemoteProject + " 2>/dev/null || cd /\n" +
      "n=$(timeout -k 1 5 nvidia-smi -L 2>/dev/null | grep -c '^GPU ')\necho \"${mark}gpus $n\"\n" +
      "P=" + shell_quote(python) + R"sh(
[ -n "$P" ] && command -v "$P" >/dev/null || P=python
command -v "$P" >/dev/null || P=python3
command -v "$P" >/dev/null || { echo "${mark}no python"; exit 0; }
exec timeout -k 1 18 "$P" - "$mark" )sh" +
      shell_quote(request.command) + "\n";
  ExecOptions options;
  options.input = kPreflightProgram;
  options.limit = std::chrono::seconds(40);
  options.max_output = 64 << 10;
  auto answer = shell.exec("exec bash -lc " + shell_quote(script), options, std::move(stop));
  if (!answer) return fail(std::move(answer).error().during("checking the command before it starts"));
  return read_preflight(answer->out, mark, request, num_gpus);
}

}  // namespace vastgpu
