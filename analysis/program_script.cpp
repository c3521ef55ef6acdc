#include "analysis/program_script.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "analysis/python_module.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxShell = 20;       // launch scripts that are read
constexpr std::size_t kMaxEntryReads = 12;  // scripts that are parsed to see whether they can be started
constexpr std::size_t kMaxLaunchBytes = 200'000;
constexpr int kMaxHops = 3;
constexpr auto kSameTime = std::chrono::seconds(60);  // a checkout writes all files within moments

bool holds(std::string_view s, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    if (s.find(word) != s.npos) return true;
  return false;
}

bool is_side_script(std::string_view stem) {
  return holds(stem, {"eval", "test", "plot", "prepare", "preprocess", "download", "visual", "demo", "setup",
                      "conftest", "utils", "convert", "analy", "infer", "predict", "merge", "export",
                      "benchmark", "bench"});
}

/// How much a name sounds like the work itself.
int weight_of(const std::string& path) {
  const std::string stem = to_lower(fs::path(path).stem().string());
  const bool side = is_side_script(stem);
  if (stem.starts_with("train") || stem.starts_with("finetune") || stem.starts_with("fine_tune") ||
      stem.starts_with("pretrain"))
    return 5;
  if (holds(stem, {"train", "finetune", "sft", "dpo", "grpo"}) && !side) return 4;
  if (stem == "main") return 3;
  if (stem.starts_with("run") && !side) return 2;
  return side ? 0 : 1;
}

bool is_entry_name(const std::string& name) {
  return name.ends_with(".py") &&
         (name.starts_with("train") || name.starts_with("run") || name.starts_with("finetune") ||
          name.starts_with("fine_tune") || name.starts_with("pretrain") || name == "main.py");
}

std::string normal(const std::string& path) {
  std::string s = fs::path(path).lexically_normal().string();
  while (s.starts_with("../")) s.erase(0, 3);
  return s;
}

class Chooser {
 public:
  Chooser(ProjectFiles& files, const ProgramRequest& request, std::vector<std::string>& warnings)
      : files_(files), request_(request), warnings_(warnings) {}

  std::optional<ChosenRun> choose() {
    scripts_ = files_.find({".py"});
    if (!trim(request_.command).empty())
      if (auto run = of_text(request_.command, "the command given", "the command given")) return run;
    if (auto run = planned()) return run;
    if (auto run = launched({})) return run;
    const std::optional<std::string> entry = entry_point();
    if (auto run = documented(entry)) return run;
    if (!entry) return std::nullopt;
    ChosenRun run;
    run.script = *entry;
    run.why = entry_why_;
    return run;
  }

 private:
  /// The file of the project that a launch line's script means; empty when there is none.
  std::string script_file(const std::string& written, const std::string& folder = {}) const {
    if (written.empty()) return {};
    for (const std::string& at : {normal(written), normal(folder.empty() ? written : folder + "/" + written)})
      if (files_.has(at)) return at;
    const std::string name = fs::path(written).filename().string();
    const ProjectFiles::Found* best = nullptr;
    for (const auto& f : scripts_)
      if (f.path.filename() == name && (best == nullptr || f.changed > best->changed)) best = &f;
    return best == nullptr ? std::string{} : best->path.string();
  }

  static int score(const LaunchLine& l) {
    if (!l.tool.empty() && l.tool != "openmmlab")
      return holds(l.verb, {"eval", "export", "download", "ls", "chat", "webui", "convert", "merge",
                            "preprocess", "cp"})
                 ? 0
                 : 5;
    int s = weight_of(l.script);
    if (l.launcher != "python" && s > 0) s += 1;
    return s;
  }

  /// The line of a text that starts the work, scripts that it runs included.
  std::optional<ChosenRun> of_text(const std::string& text, const std::string& file, const std::string& why,
                                   const std::string& only = {}, int hops = 0) {
    std::optional<ChosenRun> best;
    int best_score = -1;
    const std::string folder = file.find(' ') == file.npos ? fs::path(file).parent_path().string() : "";
    for (LaunchLine& l : launches_of(text, file)) {
      ChosenRun run;
      if (!l.follows.empty()) {
        if (hops >= kMaxHops) continue;
        auto inner = follow(l, folder, why, only, hops);
        if (!inner) continue;
        run = std::move(*inner);
      } else {
        run.script = script_file(l.script, folder);
        if (l.tool.empty() && run.script.empty()) continue;
        if (!only.empty() && run.script != only) continue;
        run.why = why.empty() ? l.source : why;
        run.line = std::move(l);
      }
      const int s = score(*run.line);
      if (s >= best_score && (s > best_score || s > 0)) {  // of equals the last: what prepares comes first
        best_score = s;
        best = std::move(run);
      }
    }
    if (best && best->launch_file.empty() && file.find(' ') == file.npos) {
      best->launch_file = file;
      const SlurmLimits limits = slurm_limits(text);
      if (limits.gpus)
        best->slurm_gpus = Found<int>{*limits.gpus * limits.nodes.value_or(1),
                                      file + ":" + std::to_string(limits.gpus_line)};
      if (!limits.time.empty())
        best->slurm_time = Found<std::string>{limits.time, file + ":" + std::to_string(limits.time_line)};
    }
    return best;
  }

  std::optional<ChosenRun> follow(const LaunchLine& l, const std::string& folder, const std::string& why,
                                  const std::string& only, int hops) {
    std::string file;
    for (const std::string& at :
         {normal(l.follows), normal(folder.empty() ? l.follows : folder + "/" + l.follows)})
      if (file.empty() && files_.has(at)) file = at;
    if (file.empty() || !seen_.insert(file + "|" + l.target).second) return std::nullopt;
    const auto text = files_.read(file);
    if (!text || text->size() > kMaxLaunchBytes) return std::nullopt;
    return of_text(l.follows == "Makefile" ? shell_of_makefile(*text, l.target) : *text, file, why, only,
                   hops + 1);
  }

  std::optional<ChosenRun> planned() {
    for (const std::string& line : request_.planned) {
      const bool is_line = line.find(' ') != line.npos;
      if (is_line)
        if (auto run = of_text(line, "the plan's run line", "named in the plan")) return run;
    }
    const ProjectFiles::Found* best = nullptr;
    for (const auto& f : scripts_)
      for (const std::string& name : request_.planned) {
        const fs::path wanted = fs::path(name).lexically_normal();
        const bool same = f.path == wanted || f.path.filename() == wanted.filename();
        if (same && (best == nullptr || f.changed > best->changed + kSameTime ||
                     (f.path == wanted && f.changed + kSameTime >= best->changed &&
                      weight_of(f.path.string()) >= weight_of(best->path.string()))))
          best = &f;
      }
    if (best == nullptr) return std::nullopt;
    ChosenRun run;
    if (auto line = launched(best->path.string())) run = std::move(*line);
    run.script = best->path.string();
    run.why = "named in the plan";
    return run;
  }

  /// From shell scripts, Slurm jobs and the Makefile; `only`: lines that start this script.
  std::optional<ChosenRun> launched(const std::string& only) {
    if (!launch_files_) {
      launch_files_.emplace();
      for (auto& f : files_.find({".sh", ".slurm", ".sbatch", ".bash", "Makefile", "makefile", "justfile"}))
        if (f.bytes <= kMaxLaunchBytes && f.bytes > 0) launch_files_->push_back(std::move(f));
      std::ranges::stable_sort(*launch_files_,
                               [](const auto& a, const auto& b) { return a.changed > b.changed; });
      if (launch_files_->size() > kMaxShell) launch_files_->resize(kMaxShell);
    }
    std::optional<ChosenRun> best;
    int best_score = 0;
    fs::file_time_type best_time{};
    for (const auto& f : *launch_files_) {
      if (best && f.changed + kSameTime < best_time) break;  // the newest counts
      const auto text = files_.read(f.path);
      if (!text) continue;
      seen_.clear();
      const bool make = to_lower(f.path.filename().string()) == "makefile" || f.path.filename() == "justfile";
      auto run = of_text(make ? shell_of_makefile(*text) : *text, f.path.string(), "", only);
      if (!run) continue;
      const int s = score(*run->line);
      if (s < 2 && only.empty()) continue;  // it plots, downloads, tests
      if (best && s <= best_score) continue;
      best = std::move(run);
      best_score = s;
      best_time = f.changed;
    }
    return best;
  }

  /// README and CLAUDE.md show a command: for the entry point, or for a tool when there is none.
  std::optional<ChosenRun> documented(const std::optional<std::string>& entry) {
    for (const char* name : {"CLAUDE.md", "AGENTS.md", "README.md"}) {
      const auto text = files_.read(name);
      if (!text || text->size() > kMaxLaunchBytes) continue;
      auto run = of_text(commands_of_markdown(*text), name, "", entry.value_or(""));
      if (!run || (entry && run->script != *entry)) continue;
      run->launch_file.clear();
      if (entry) run->why = entry_why_ + "; " + run->line->source + " shows its command";
      return run;
    }
    return std::nullopt;
  }

  /// Fenced blocks alone, with the same line numbers.
  static std::string commands_of_markdown(const std::string& text) {
    std::string out;
    bool inside = false;
    for (const std::string& raw : split(text, '\n')) {
      std::string_view line = trim(raw);
      const bool fence = line.starts_with("```") || line.starts_with("~~~");
      if (fence) inside = !inside;
      if (line.starts_with("$ ")) line.remove_prefix(2);
      if (inside && !fence) out += line;
      out += '\n';
    }
    return out;
  }

  std::optional<std::string> entry_point() {
    std::vector<const ProjectFiles::Found*> named, others;
    for (const auto& f : scripts_) {
      const std::string name = f.path.filename().string();
      const std::string folder = f.path.parent_path().string();
      if (name == "__init__.py" || name.starts_with("test_") ||
          holds(folder, {"test", "docs", "third_party"}))
        continue;
      (is_entry_name(name) ? named : others).push_back(&f);
    }
    if (const auto* best = newest(named)) {
      entry_why_ = "the newest of train*.py, run*.py, main.py";
      return best->path.string();
    }
    std::ranges::stable_sort(others, [](const auto* a, const auto* b) { return a->changed > b->changed; });
    std::vector<const ProjectFiles::Found*> startable;
    std::size_t read = 0;
    for (const auto* f : others) {
      if (read >= kMaxEntryReads) break;
      if (f->bytes > 300'000) continue;
      const auto text = files_.read(f->path);
      ++read;
      if (!text) continue;
      const bool main = holds(*text, {"__name__"}) && holds(*text, {"__main__"});
      if (main || holds(*text, {".backward(", "Trainer(", ".fit("})) startable.push_back(f);
    }
    const auto* best = newest(startable);
    if (best == nullptr) return std::nullopt;
    entry_why_ = "the newest script that can be started";
    return best->path.string();
  }

  /// Of those written together, the one whose name fits best, nearest to the root.
  static const ProjectFiles::Found* newest(const std::vector<const ProjectFiles::Found*>& files) {
    fs::file_time_type latest = fs::file_time_type::min();
    for (const auto* f : files)
      if (weight_of(f->path.string()) > 0) latest = std::max(latest, f->changed);
    const ProjectFiles::Found* best = nullptr;
    for (const auto* f : files) {
      if (f->changed < latest - kSameTime) continue;
      if (best == nullptr || weight_of(f->path.string()) > weight_of(best->path.string())) best = f;
    }
    return best;
  }

  ProjectFiles& files_;
  const ProgramRequest& request_;
  std::vector<std::string>& warnings_;
  std::vector<ProjectFiles::Found> scripts_;
  std::optional<std::vector<ProjectFiles::Found>> launch_files_;
  std::set<std::string> seen_;
  std::string entry_why_;
};

}  // namespace

std::optional<ChosenRun> choose_run(ProjectFiles& files, const ProgramRequest& request,
                                    std::vector<std::string>& warnings) {
  return Chooser(files, request, warnings).choose();
}

}  // namespace vastgpu
