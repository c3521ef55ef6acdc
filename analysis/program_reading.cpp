#include "analysis/program_reading.h"

#include <algorithm>
#include <deque>
#include <filesystem>
#include <unordered_set>

#include "analysis/config_claims.h"
#include "analysis/pins_read.h"
#include "analysis/program_finish.h"
#include "analysis/program_launch.h"
#include "analysis/program_measured.h"
#include "analysis/program_names.h"
#include "analysis/program_script.h"
#include "analysis/python_claims.h"
#include "analysis/python_program.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxModules = 40;  // that the entry script imports, and what those import
constexpr std::size_t kMaxCodeBytes =
    2'000'000;  // of all of them: their trees take 150 times that, one after another
constexpr std::size_t kMaxModuleBytes =
    600'000;  // a script is a tenth of it; more is data in Python's clothes
constexpr int kMaxImportDepth = 6;
constexpr std::size_t kMaxConfigCandidates = 30;  // that are opened to see whose they are
constexpr std::size_t kMaxConfigBytes = 200'000;

class Reading {
 public:
  Reading(ProjectFiles& files, const ProgramRequest& request) : files_(files), request_(request) {}

  ProgramReading read() {
    run_ = choose_run(files_, request_, out_.warnings);
    if (run_) {
      out_.script = clean_line(run_->script);
      out_.script_why = run_->why;
      if (run_->line) {
        out_.command = run_->line->text;
        out_.command_at = run_->line->source;
        out_.tool = run_->line->tool;
        take_launch(*run_->line, out_);
      }
      if (run_->slurm_gpus)
        add_claim(out_.claims, "num_gpus", run_->slurm_gpus->value, run_->slurm_gpus->source,
                  strength::kConfig);
      out_.time_limit = run_->slurm_time;
      read_code();
    }
    read_configs_that_run();
    if (linked_) take_python(program_, out_);
    read_measured();
    read_pins(files_, out_);
    read_data();
    finish_reading(out_, linked_ && program_.mentions("is_bf16_supported"));
    return std::move(out_);
  }

 private:
  /// The entry script and what it imports from the project.
  void read_code() {
    if (run_->script.empty()) return;
    std::unordered_set<std::string> known;
    for (const auto& f : files_.find({".py"})) known.insert(f.path.string());
    struct Todo {
      std::string path;
      int depth;
    };
    std::deque<Todo> open{{run_->script, 0}};
    std::unordered_set<std::string> seen{run_->script};
    std::size_t bytes = 0;
    while (!open.empty()) {
      const Todo next = std::move(open.front());
      open.pop_front();
      const auto text = files_.read(next.path);
      if (!text) continue;
      const std::string name = clean_line(next.path);
      if (text->size() > kMaxModuleBytes) {
        out_.warnings.push_back(name + " was skipped: more than 600 kB are no program");
        continue;
      }
      if (bytes + text->size() > kMaxCodeBytes) {
        out_.warnings.push_back(name + " was skipped: 2 MB of code were read already");
        continue;
      }
      bytes += text->size();
      std::string why_not;
      auto module = parse_python(*text, name, why_not);
      if (!module) {
        out_.warnings.push_back(name + " was skipped: " + why_not);
        continue;
      }
      if (next.depth < kMaxImportDepth)
        for (std::string& path : imported(*module, next.path, known))
          if (seen.size() < kMaxModules && seen.insert(path).second)
            open.push_back({std::move(path), next.depth + 1});
      program_.add(std::move(*module));
    }
    if (program_.modules().empty()) return;
    if (run_->line)
      for (const LaunchOption& o : run_->line->options)
        program_.choose(o.name, o.value, run_->line->source,
                        o.by_default ? strength::kEnvironment : strength::kCommand);
    program_.link();
    linked_ = true;
  }

  static std::vector<std::string> imported(const PyModule& module, const std::string& path,
                                           const std::unordered_set<std::string>& known) {
    std::vector<std::string> found;
    const std::string folder = fs::path(path).parent_path().string();
    const auto try_path = [&](const std::string& base, const std::string& relative) {
      std::string stem = base.empty() ? relative : relative.empty() ? base : base + "/" + relative;
      for (const std::string& at : {stem + ".py", stem + "/__init__.py"})
        if (known.contains(at)) {
          found.push_back(at);
          return true;
        }
      return false;
    };
    for (const PyImport& i : module.imports) {
      std::string_view name = i.module;
      std::string base = folder;
      std::size_t dots = 0;
      while (name.starts_with('.')) {
        name.remove_prefix(1);
        if (++dots > 1) base = fs::path(base).parent_path().string();
      }
      std::string relative(name);
      std::ranges::replace(relative, '.', '/');
      std::vector<std::string> bases{base};
      if (dots == 0) bases.insert(bases.end(), {"", "src"});
      for (const std::string& b : bases) {
        bool here = !relative.empty() && try_path(b, relative);
        for (const std::string& inner : i.names)  // from nets import body
          here = try_path(b, relative.empty() ? inner : relative + "/" + inner) || here;
        if (here) break;
      }
    }
    return found;
  }

  /// The file that a configuration's name means; empty when the project has none.
  std::string config_file(const std::string& written) const {
    std::vector<std::string> folders{""};
    for (const std::string& near : {run_ ? run_->script : "", run_ ? run_->launch_file : ""})
      if (const std::string folder = fs::path(near).parent_path().string(); !folder.empty())
        folders.push_back(folder);
    for (const std::string& folder : folders) {
      const std::string at =
          fs::path(folder.empty() ? written : folder + "/" + written).lexically_normal().string();
      if (!at.starts_with("..") && files_.has(at)) return at;
    }
    return {};
  }

  std::vector<std::pair<std::string, std::string>> hydra_groups() const {
    std::vector<std::pair<std::string, std::string>> groups;
    if (run_ && run_->line)
      for (const LaunchOption& o : run_->line->options)
        if (!o.name.starts_with('-') && o.value.is_string())
          groups.emplace_back(o.name, o.value.get<std::string>());
    return groups;
  }

  /// Reads one configuration. True when it describes the run, false for those of a launcher or of DeepSpeed.
  bool take(const std::string& path, const std::string& why) {
    if (!taken_.insert(path).second) return false;
    const auto config = read_config(files_, path, hydra_groups(), out_.warnings);
    if (!config) return false;
    const std::string framework = framework_of(config->root);
    const bool describes = framework.empty() || runs_by_itself(framework);
    if (describes && out_.config.empty()) {
      out_.config = clean_line(path);
      out_.config_why = why;
      if (out_.tool.empty()) out_.tool = framework;
    }
    take_config(*config, framework, out_);
    for (const char* key : {"deepspeed", "deepspeed_config", "deepspeed_config.deepspeed_config_file"})
      if (const ConfigNode* node = config->root.at(key); node != nullptr && node->is_text())
        if (const std::string more = config_file(node->text()); !more.empty()) take(more, why);
    return describes;
  }

  /// Named by the launch line, else by the script, else found.
  void read_configs_that_run() {
    bool described = false;
    if (run_ && run_->line)
      for (const auto& named : configs_of_launch(*run_->line)) {
        const std::string path = config_file(named.value);
        if (path.empty())
          out_.warnings.push_back(clean_line(named.value) + ", named in " + named.source +
                                  ", is not in the project");
        else
          described = take(path, "named by the launch line") || described;
      }
    if (linked_ && !described)
      for (const auto& named : configs_named(program_)) {
        const std::string path = config_file(named.value);
        if (!path.empty()) described = take(path, "named in " + named.source) || described;
      }
    if (linked_) {  // TrainingArguments(deepspeed="ds.json")
      for (std::size_t m = 0; m < program_.modules().size(); ++m)
        for (const PyCall& c : program_.modules()[m].calls)
          for (const char* key : {"deepspeed", "config", "deepspeed_config"})
            if (const PyExpr* e = c.call.argument(key);
                e != nullptr && program_.lives(static_cast<int>(m), c.scope))
              if (const auto v = program_.resolve(*e, static_cast<int>(m), c.scope);
                  v && v->value.is_string())
                if (const std::string path = config_file(v->value.get<std::string>());
                    path.ends_with(".json"))
                  take(path, "named in " + program_.modules()[m].at(c.call.line));
    }
    const bool tool_alone = run_ && run_->line && !run_->line->tool.empty();
    if (described || tool_alone) return;
    if (!run_ || (linked_ && reads_configs(program_))) find_config();
  }

  /// The only configuration of a known framework, else the newest; a guess where a script would have to name
  /// it.
  void find_config() {
    std::vector<ProjectFiles::Found> candidates;
    for (auto& f : files_.find({".yaml", ".yml", ".toml", ".json"})) {
      const std::string name = f.path.filename().string();
      if (f.bytes == 0 || f.bytes > kMaxConfigBytes || name == "pyproject.toml" || name == "package.json" ||
          name.starts_with("environment") || name.find("compose") != name.npos)
        continue;
      candidates.push_back(std::move(f));
    }
    std::ranges::stable_sort(candidates, [](const auto& a, const auto& b) { return a.changed > b.changed; });
    if (candidates.size() > kMaxConfigCandidates) candidates.resize(kMaxConfigCandidates);
    std::vector<std::pair<std::string, std::string>> ours;  // path, framework
    std::vector<std::string> other;
    for (const auto& f : candidates) {
      const auto text = files_.read(f.path);
      std::vector<std::string> ignored;
      const auto node = text ? parse_config(*text, f.path.string(), ignored) : std::nullopt;
      if (!node || !node->is_map()) continue;
      const std::string framework = framework_of(*node);
      if (runs_by_itself(framework))
        ours.emplace_back(f.path.string(), framework);
      else if (framework.empty() && f.path.string().find("conf") != std::string::npos)
        other.push_back(f.path.string());
    }
    if (!ours.empty()) {
      const std::string why = ours.size() == 1
                                  ? "the only one of " + ours[0].second
                                  : "the newest of " + std::to_string(ours.size()) + " for " + ours[0].second;
      if (ours.size() > 1)
        out_.warnings.push_back(clean_line(ours[0].first) + " was taken, " + why +
                                ": no launch line names one; say the command");
      take(ours[0].first, why);
    } else if (run_ && !other.empty()) {
      // Nothing is claimed from it: the script may read any.
      out_.warnings.push_back(out_.script + " reads a configuration that no launch line names (" +
                              clean_line(other[0]) + (other.size() > 1 ? ", ..." : "") +
                              "): say the command");
    }
  }

  void read_measured() {
    if (linked_)
      for (const PyModule& m : program_.modules())
        for (const PyComment& c : m.comments)
          if (const auto gib = measured_in_comment(c.text)) out_.measured_gib.push_back({*gib, m.at(c.line)});
    if (run_ && !run_->launch_file.empty())
      if (const auto text = files_.read(run_->launch_file)) {
        int number = 0;
        for (const std::string& line : split(*text, '\n')) {
          ++number;
          const std::size_t hash = line.starts_with('#') ? 0 : line.find(" #");
          if (hash == line.npos || line.starts_with("#SBATCH")) continue;
          if (const auto gib = measured_in_comment(std::string_view(line).substr(hash)))
            out_.measured_gib.push_back({*gib, clean_line(run_->launch_file) + ":" + std::to_string(number)});
        }
      }
    read_logs(files_, out_);
  }

  void read_data() {
    std::uint64_t sum = 0;
    std::string where;
    for (const char* folder : {"data", "datasets", "dataset"})
      if (const std::uint64_t bytes = files_.bytes_below(folder); bytes > 0) {
        sum += bytes;
        where += (where.empty() ? "" : ", ") + std::string(folder) + "/";
      }
    if (sum > 50'000'000) out_.data_gb = Found<double>{static_cast<double>(sum) / 1e9, where};
  }

  ProjectFiles& files_;
  const ProgramRequest& request_;
  ProgramReading out_;
  std::optional<ChosenRun> run_;
  PyProgram program_;
  bool linked_ = false;
  std::unordered_set<std::string> taken_;
};

}  // namespace

ProgramReading read_program(ProjectFiles& files, const ProgramRequest& request) {
  return Reading(files, request).read();
}

}  // namespace vastgpu
