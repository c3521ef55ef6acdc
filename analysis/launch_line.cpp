#include "analysis/launch_line.h"

#include <algorithm>
#include <charconv>

#include "analysis/config_node.h"
#include "analysis/launch_tools.h"
#include "analysis/program_names.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr int kMostGpus = 64;

bool one_of(std::string_view s, std::initializer_list<std::string_view> words) {
  return std::ranges::find(words, s) != words.end();
}

std::string base_name(std::string_view path) { return std::string(path.substr(path.rfind('/') + 1)); }

std::optional<int> count_of(const ShellWord& w) {
  int n = 0;
  const auto [end, bad] = std::from_chars(w.text.data(), w.text.data() + w.text.size(), n);
  if (!w.known || bad != std::errc{} || end != w.text.data() + w.text.size() || n < 1 || n > kMostGpus)
    return std::nullopt;
  return n;
}

/// "0,1,2,3", "localhost:0,1", "GPU-..." does not count.
std::optional<int> count_of_list(std::string_view list) {
  if (const std::size_t colon = list.rfind(':'); colon != list.npos) list.remove_prefix(colon + 1);
  int cards = 0;
  for (const std::string& part : split(list, ',')) {
    const bool digits = !part.empty() && part.size() <= 3 &&
                        std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return std::nullopt;
    ++cards;
  }
  return cards > 0 && cards <= kMostGpus ? std::optional(cards) : std::nullopt;
}

class Reader {
 public:
  Reader(const ShellCommand& command, LaunchLine& out) : words_(command.words), out_(out) {
    out_.repeats = command.repeats;
    for (const auto& [name, value] : command.environment) take_environment(name, value);
  }

  bool read() {
    for (int hops = 0; hops < 12 && at_ < words_.size(); ++hops) {
      const std::string word = base_name(words_[at_].text);
      if (skip_wrapper(word)) continue;
      if (take_launcher(word)) continue;
      return take_program(word);
    }
    return false;
  }

 private:
  const ShellWord* peek() const { return at_ < words_.size() ? &words_[at_] : nullptr; }

  void take_environment(const std::string& name, const ShellWord& value) {
    if (one_of(name, {"NPROC_PER_NODE", "GPUS_PER_NODE", "NUM_GPUS", "NGPUS", "NPROC"}))
      set_gpus(count_of(value), value.by_default);
    if (name == "CUDA_VISIBLE_DEVICES" && value.known) visible_ = count_of_list(value.text);
    if (name == "NNODES") out_.nodes = count_of(value);
  }

  void set_gpus(std::optional<int> n, bool by_default) {
    if (!n) return;
    out_.gpus = n;
    out_.gpus_by_default = by_default;
  }

  /// Options of a launcher up to the program. `--name=value` or `--name value`; those in `bare` have no
  /// value.
  template <class Take>
  void take_options(std::initializer_list<std::string_view> bare, Take&& take) {
    while (at_ < words_.size() && words_[at_].text.starts_with('-')) {
      ShellWord w = words_[at_++];
      const std::size_t eq = w.text.find('=');
      const std::string key = name_key(w.text.substr(0, eq));
      if (eq != w.text.npos) {
        w.text.erase(0, eq + 1);
        take(key, w);
      } else if (key == "m" || key == "module") {
        module_ = true;
      } else if (!one_of(key, bare) && at_ < words_.size()) {
        take(key, words_[at_++]);
      }
    }
  }

  /// "nohup", "srun", "uv run"... True when something was skipped.
  bool skip_wrapper(const std::string& w) {
    if (one_of(w, {"nohup", "exec", "time", "sudo", "command", "setsid", "unbuffer"})) {
      ++at_;
    } else if (one_of(w, {"env", "nice", "stdbuf", "ionice", "xvfb-run", "srun", "numactl", "taskset"})) {
      ++at_;
      while (at_ < words_.size() && (words_[at_].text.starts_with('-') || is_assignment(words_[at_].text))) {
        const bool takes_next = words_[at_].text.size() == 2 && words_[at_].text[1] != 'u';
        if (w == "env") take_assignment(words_[at_]);
        if (w == "srun" && words_[at_].text.starts_with("--gres"))
          set_gpus(slurm_count(words_[at_].text), false);
        at_ += takes_next ? 2 : 1;
      }
    } else if (w == "timeout") {
      ++at_;
      while (at_ < words_.size() && words_[at_].text.starts_with('-'))
        at_ += one_of(words_[at_].text, {"-k", "-s"}) ? 2 : 1;
      ++at_;
    } else if (one_of(w, {"uv", "poetry", "pipenv", "pdm", "hatch", "pixi"}) && at_ + 1 < words_.size() &&
               words_[at_ + 1].text == "run") {
      at_ += 2;
      while (at_ < words_.size() && words_[at_].text.starts_with("--")) {
        const bool takes_next =
            one_of(words_[at_].text, {"--with", "--extra", "--python", "--group", "--env-file"});
        at_ += takes_next ? 2 : 1;
      }
    } else if (one_of(w, {"conda", "mamba", "micromamba"}) && at_ + 1 < words_.size() &&
               words_[at_ + 1].text == "run") {
      at_ += 2;
      while (at_ < words_.size() && words_[at_].text.starts_with('-'))
        at_ += one_of(words_[at_].text, {"-n", "-p", "--name", "--prefix"}) ? 2 : 1;
    } else {
      return false;
    }
    return true;
  }

  static bool is_assignment(std::string_view s) {
    const std::size_t eq = s.find('=');
    return eq != s.npos && eq > 0 && std::isalpha(static_cast<unsigned char>(s[0]));
  }
  void take_assignment(const ShellWord& w) {
    const std::size_t eq = w.text.find('=');
    if (eq == w.text.npos || w.text.starts_with('-')) return;
    ShellWord value = w;
    value.text.erase(0, eq + 1);
    take_environment(w.text.substr(0, eq), value);
  }

  static std::optional<int> slurm_count(std::string_view s) {
    const std::size_t at = s.find_last_of(":=");
    return at == s.npos ? std::nullopt : count_of({std::string(s.substr(at + 1))});
  }

  void take_torchrun() {
    out_.launcher = "torchrun";
    take_options({"standalone", "no_python", "use_env", "run_path"},
                 [&](const std::string& key, const ShellWord& v) {
                   if (key == "nproc_per_node") set_gpus(count_of(v), v.by_default);
                   if (key == "nnodes") out_.nodes = count_of(v);
                 });
  }

  void take_accelerate() {
    out_.launcher = "accelerate";
    std::optional<int> processes;
    bool by_default = false;
    take_options(
        {"multi_gpu", "cpu", "use_deepspeed", "use_fsdp", "use_megatron_lm", "tpu", "mps", "no_python",
         "quiet", "debug", "same_network", "use_mps_device", "use_xpu", "no_tpu_cluster"},
        [&](const std::string& key, const ShellWord& v) {
          if (key == "num_processes") {
            processes = count_of(v);
            by_default = v.by_default;
          }
          if (key == "num_machines") out_.nodes = count_of(v);
          if (key == "config_file" && v.known) out_.accelerate_config = v.text;
          if (key == "deepspeed_config_file" && v.known) out_.deepspeed_config = v.text;
          if (key == "mixed_precision" && v.known) out_.mixed_precision = v.text;
          if (key == "gpu_ids" && v.known && v.text != "all") visible_ = count_of_list(v.text);
          if (key == "zero_stage" && v.known)
            out_.options.push_back({"--zero_stage", scalar_of(v.text), v.by_default, {}});
        });
    // All processes of all machines are counted there.
    if (processes && out_.nodes.value_or(1) > 1 && *processes % *out_.nodes == 0) *processes /= *out_.nodes;
    set_gpus(processes, by_default);
  }

  /// True when `w` starts something that starts the program.
  bool take_launcher(const std::string& w) {
    if (w == "python" || w == "pypy" ||
        (w.starts_with("python") && w.find('.') != 0 && !w.ends_with(".py"))) {
      ++at_;
      if (out_.launcher.empty()) out_.launcher = "python";
      while (at_ < words_.size() && words_[at_].text.starts_with('-') && words_[at_].text.size() > 1) {
        const std::string option = words_[at_].text;
        if (option == "-c" || option == "-") return at_ = words_.size(), true;
        ++at_;
        if (option == "-m") {
          module_ = true;
          break;
        }
        if (option == "-W" || option == "-X") ++at_;
      }
      const std::string next = at_ < words_.size() ? words_[at_].text : "";
      if (module_ && (next == "torch.distributed.run" || next == "torch.distributed.launch")) {
        module_ = false;
        ++at_;
        take_torchrun();
      } else if (module_ &&
                 (next == "accelerate.commands.launch" || next == "accelerate.commands.accelerate_cli")) {
        module_ = false;
        at_ += next.ends_with("cli") ? 2 : 1;
        take_accelerate();
      } else if (module_ && next == "deepspeed") {
        module_ = false;  // the word itself is read next
      }
      in_python_ = true;
      return true;
    }
    if (w == "torchrun") {
      ++at_;
      take_torchrun();
    } else if (w == "accelerate" && at_ + 1 < words_.size() && words_[at_ + 1].text == "launch") {
      at_ += 2;
      take_accelerate();
    } else if (w == "deepspeed") {
      ++at_;
      out_.launcher = "deepspeed";
      take_options({"no_python", "no_local_rank", "no_ssh", "force_multi", "enable_each_rank_log"},
                   [&](const std::string& key, const ShellWord& v) {
                     if (key == "num_gpus") set_gpus(count_of(v), v.by_default);
                     if (key == "num_nodes") out_.nodes = count_of(v);
                     if (key == "include" && v.known) set_gpus(count_of_list(v.text), v.by_default);
                   });
    } else if (one_of(w, {"mpirun", "mpiexec", "horovodrun", "composer"})) {
      ++at_;
      out_.launcher = w;
      take_options({"allow_run_as_root", "oversubscribe"}, [&](const std::string& key, const ShellWord& v) {
        if (one_of(key, {"np", "n", "nproc"})) set_gpus(count_of(v), v.by_default);
        if (w == "mpirun" && key == "x" && v.known) take_assignment(v);
      });
    } else {
      return false;
    }
    in_python_ = true;
    return true;
  }

  bool take_program(const std::string& w) {
    const ShellWord& word = words_[at_++];
    if (!out_.gpus && visible_ && *visible_ > 1) out_.gpus = visible_;
    if (!in_python_ && (one_of(w, {"bash", "sh", "zsh", "source", ".", "sbatch"}) || w.ends_with(".sh"))) {
      return follow(w.ends_with(".sh") ? word.text : "");
    }
    if (w == "make") {
      out_.follows = "Makefile";
      for (; at_ < words_.size(); ++at_)
        if (!words_[at_].text.starts_with('-') && words_[at_].text.find('=') == std::string::npos)
          out_.target = words_[at_].text;
      return true;
    }
    if (module_ && word.known) {
      if (!take_tool(out_, word.text, true)) {
        out_.script = word.text;
        std::ranges::replace(out_.script, '.', '/');
        out_.script += ".py";
      }
    } else if (w.ends_with(".py") && word.known) {
      out_.script = word.text;
      take_tool(out_, w, true);
    } else if (!word.known && w.ends_with(".py")) {
      out_.script = w;  // "$DIR/train.py": the name is enough
    } else if (!take_tool(out_, w, false)) {
      return false;
    }
    if (out_.script.starts_with("./")) out_.script.erase(0, 2);
    take_program_options();
    finish_tool(out_);
    return true;
  }

  bool follow(std::string file) {
    std::vector<std::string> rest;
    for (; at_ < words_.size(); ++at_) {
      const ShellWord& w = words_[at_];
      if (file.empty() && w.text.starts_with('-') && w.text != "-") {
        if (w.text == "-c" || w.text == "-lc") return false;
        continue;
      }
      if (file.empty())
        file = w.text;
      else
        rest.push_back(w.text);
    }
    if (file.empty()) return false;
    // OpenMMLab's wrapper takes the configuration and the number of GPUs.
    if (base_name(file) == "dist_train.sh" && rest.size() >= 2) {
      out_.script = "tools/train.py";
      out_.tool = "openmmlab";
      out_.verb = "train";
      out_.words = {rest[0]};
      set_gpus(count_of({rest[1]}), false);
      return true;
    }
    out_.follows = file.starts_with("./") ? file.substr(2) : file;
    return true;
  }

  static bool is_option(const ShellWord& w) {
    return w.text.size() > 1 && w.text[0] == '-' && !std::isdigit(static_cast<unsigned char>(w.text[1])) &&
           w.text[1] != '.';
  }

  json value_of(const ShellWord& w) const { return w.known ? scalar_of(w.text) : json(nullptr); }

  void take_program_options() {
    for (; at_ < words_.size() && out_.options.size() < 300; ++at_) {
      const ShellWord& w = words_[at_];
      if (is_option(w)) {
        LaunchOption o;
        const std::size_t eq = w.text.find('=');
        o.name = w.text.substr(0, std::min<std::size_t>(eq, 100));
        o.by_default = w.by_default;
        if (eq != w.text.npos) {
          o.value = value_of({w.text.substr(eq + 1), w.known, w.by_default});
        } else if (at_ + 1 < words_.size() && !is_option(words_[at_ + 1]) &&
                   !(words_[at_ + 1].text.find('=') != std::string::npos &&
                     is_assignment(words_[at_ + 1].text))) {
          o.value = value_of(words_[++at_]);
          o.by_default = o.by_default || words_[at_].by_default;
          while (at_ + 1 < words_.size() && !is_option(words_[at_ + 1]) &&
                 !is_assignment(words_[at_ + 1].text)) {
            ++at_;
            if (o.more.size() < 50) o.more.push_back(words_[at_].text.substr(0, 300));
          }
        } else {
          o.value = true;
        }
        out_.options.push_back(std::move(o));
      } else if (const std::size_t eq = w.text.find('=');
                 eq != w.text.npos && eq > 0 && eq < 100 && w.text.find(' ') > eq) {
        std::string name = w.text.substr(0, eq);
        while (name.starts_with('+')) name.erase(0, 1);
        out_.options.push_back(
            {name, value_of({w.text.substr(eq + 1), w.known, w.by_default}), w.by_default, {}});
      } else if (w.known && out_.words.size() < 50) {
        out_.words.push_back(w.text.substr(0, 300));
      }
    }
  }

  const std::vector<ShellWord>& words_;
  LaunchLine& out_;
  std::size_t at_ = 0;
  std::optional<int> visible_;
  bool module_ = false;
  bool in_python_ = false;
};

bool is_secret_name(std::string_view name) {
  const std::string lower = to_lower(name);
  for (const std::string_view word :
       {"token", "secret", "password", "passwd", "api_key", "apikey", "api-key", "_key"})
    if (lower.find(word) != lower.npos && lower.find("tokenizer") == lower.npos &&
        lower.find("tokens") == lower.npos)
      return true;
  return false;
}

/// Long words with a known beginning, and addresses with a password.
bool looks_secret(std::string_view word) {
  for (const std::string_view mark :
       {"hf_", "sk-", "ghp_", "gho_", "github_pat_", "AKIA", "xoxb-", "glpat-", "r8_"})
    if (const std::size_t at = word.find(mark); at != word.npos && word.size() - at >= mark.size() + 12)
      return true;
  const std::size_t scheme = word.find("://");
  return scheme != word.npos && word.find('@', scheme) != word.npos;
}

}  // namespace

const LaunchOption* LaunchLine::option(std::string_view key) const {
  for (const LaunchOption& o : options)
    if (name_key(o.name) == key) return &o;
  return nullptr;
}

std::string without_secrets(std::string_view command) {
  std::vector<std::string> words;
  bool hide_next = false;
  for (const std::string& word : split(command, ' ')) {
    if (word.empty()) continue;
    const std::size_t eq = word.find('=');
    if (std::exchange(hide_next, false)) {
      words.emplace_back("***");
    } else if (eq != word.npos && is_secret_name(std::string_view(word).substr(0, eq))) {
      words.push_back(word.substr(0, eq) + "=***");
    } else if (looks_secret(word)) {
      words.emplace_back("***");
    } else {
      hide_next = eq == word.npos && word.starts_with('-') && is_secret_name(word);
      words.push_back(word);
    }
  }
  return clean_line(join(words, " "), 600);
}

std::optional<LaunchLine> launch_of(const ShellCommand& command, const std::string& file) {
  LaunchLine line;
  if (!Reader(command, line).read()) return std::nullopt;
  std::string text;
  for (const auto& [name, value] : command.environment)
    if (name == "CUDA_VISIBLE_DEVICES" || name == "NPROC_PER_NODE") text += name + "=" + value.text + " ";
  for (const ShellWord& w : command.words)
    if (text.size() < 4'000) text += w.text + " ";
  line.text = without_secrets(text);
  line.source = file.find(' ') != file.npos ? file : file + ":" + std::to_string(command.line);
  return line;
}

std::vector<LaunchLine> launches_of(std::string_view shell_text, const std::string& file) {
  std::vector<LaunchLine> lines;
  for (const ShellCommand& c : shell_commands(shell_text)) {
    if (auto line = launch_of(c, file)) lines.push_back(std::move(*line));
    // bash -c "..." and screen -dmS name bash -c "..." run a text.
    for (std::size_t i = 0; i + 2 < c.words.size(); ++i)
      if (one_of(base_name(c.words[i].text), {"bash", "sh"}) && one_of(c.words[i + 1].text, {"-c", "-lc"}))
        for (const ShellCommand& inner : shell_commands(c.words[i + 2].text)) {
          ShellCommand moved = inner;
          moved.line = c.line;
          moved.environment.insert(moved.environment.begin(), c.environment.begin(), c.environment.end());
          if (auto line = launch_of(moved, file)) lines.push_back(std::move(*line));
        }
  }
  return lines;
}

SlurmLimits slurm_limits(std::string_view text) {
  SlurmLimits limits;
  int number = 0;
  for (const std::string& raw : split(text.substr(0, 20'000), '\n')) {
    ++number;
    std::string_view line = trim(raw);
    if (!line.starts_with("#SBATCH")) continue;
    line = trim(line.substr(7));
    if (const std::size_t comment = line.find(" #"); comment != line.npos)
      line = trim(line.substr(0, comment));
    const std::size_t cut = line.find_first_of("= ");
    if (cut == line.npos) continue;
    const std::string_view key = line.substr(0, cut);
    const std::string_view value = trim(line.substr(cut + 1));
    const auto count = count_of({std::string(value.substr(value.rfind(':') + 1))});
    if (key == "--gres" || key == "--gpus" || key == "--gpus-per-node" || key == "-G") {
      if (key == "--gres" && !value.starts_with("gpu")) continue;
      limits.gpus = count;
      limits.gpus_line = number;
    } else if (key == "--nodes" || key == "-N") {
      limits.nodes = count;
    } else if (key == "--time" || key == "-t") {
      limits.time = clean_line(value, 30);
      limits.time_line = number;
    }
  }
  return limits;
}

std::optional<int> gpus_of_launch(std::string_view line) {
  line = line.substr(0, 4'000);
  if (trim(line).starts_with("#SBATCH")) return slurm_limits(line).gpus;
  for (const LaunchLine& l : launches_of(line, "a line"))
    if (l.gpus) return l.gpus;
  return std::nullopt;
}

}  // namespace vastgpu
