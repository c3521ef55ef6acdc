#include "analysis/pins_read.h"

#include <algorithm>
#include <array>

#include "analysis/config_node.h"
#include "analysis/image.h"
#include "analysis/launch_words.h"
#include "core/text.h"

namespace vastgpu {
namespace {

// What decides about cards: kernels that need a capability, wheels that bring a CUDA.
constexpr auto kWatched = std::to_array<std::string_view>(
    {"torch", "flash-attn", "transformers", "vllm", "xformers", "bitsandbytes", "triton", "deepspeed", "jax",
     "tensorflow", "accelerate", "peft", "trl", "sglang"});

struct Requirement {
  std::string name;     ///< lower case, `-` for `_`
  std::string version;  ///< "2.4.0+cu124"; empty without an exact pin
  std::string lowest;   ///< of ">=2.1"
};

bool is_version_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '+' || c == '*' || c == '!';
}

/// "torch==2.4.0+cu124 ; python_version > '3.8'", "torch~=2.4", "torch = 2.4", "pytorch=2.1=py3.10_cuda11.8".
Requirement requirement_of(std::string_view raw) {
  std::string s;
  for (const char c : raw.substr(0, 300))
    if (c != ' ' && c != '\t' && c != '"' && c != '\'') s += c;
  Requirement r;
  std::size_t i = 0;
  while (i < s.size() &&
         (std::isalnum(static_cast<unsigned char>(s[i])) || s[i] == '-' || s[i] == '_' || s[i] == '.'))
    ++i;
  r.name = to_lower(s.substr(0, i));
  std::ranges::replace(r.name, '_', '-');
  if (r.name == "pytorch") r.name = "torch";
  if (i < s.size() && s[i] == '[') i = std::min(s.find(']', i), s.size() - 1) + 1;  // extras
  std::size_t end = i;
  while (end < s.size() && std::string_view("=~<>!^").find(s[end]) != std::string_view::npos) ++end;
  const std::string op = s.substr(i, end - i);
  std::size_t stop = end;
  while (stop < s.size() && is_version_char(s[stop])) ++stop;
  std::string version = s.substr(end, stop - end);
  while (version.ends_with('*') || version.ends_with('.')) version.pop_back();
  if (version.empty() || version.size() > 40 || !std::isdigit(static_cast<unsigned char>(version[0])))
    return r;
  if (op == "==" || op == "===" || op == "=" || op == "~=" || op == "^")
    r.version = version;
  else if (op == ">=")
    r.lowest = version;
  return r;
}

class Pins {
 public:
  Pins(ProjectFiles& files, ProgramReading& out) : files_(files), out_(out) {}

  void read() {
    requirements("requirements.txt");
    for (const auto& f : files_.find({"requirements.txt", ".in", ".txt"})) {
      const std::string name = f.path.filename().string();
      const std::string folder = f.path.parent_path().string();
      if (f.path != "requirements.txt" && (name.starts_with("requirements") || folder == "requirements") &&
          f.bytes < 200'000 && ++read_ < 10)
        requirements(f.path.string());
    }
    dockerfile("Dockerfile");
    dockerfile("docker/Dockerfile");
    pyproject();
    setup_cfg();
    for (const char* name : {"environment.yml", "environment.yaml", "env.yml", "conda.yaml"})
      environment(name);
    for (const char* name : {"uv.lock", "poetry.lock", "pdm.lock"}) lock(name);
    keep_lowest();
  }

 private:
  void take(const Requirement& r, const std::string& source) {
    if (std::ranges::find(kWatched, r.name) == kWatched.end()) return;
    if (r.name == "torch" && !r.version.empty() && !out_.torch_pin)
      out_.torch_pin = Found<std::string>{clean_line(r.version, 40), source};
    if (r.name == "torch" && r.version.empty() && !r.lowest.empty() && lowest_.value.empty())
      lowest_ = {r.lowest, source};
    if (!r.version.empty() && out_.pins.size() < 30 &&
        std::ranges::none_of(out_.pins, [&](const auto& p) { return p.value.starts_with(r.name + "=="); }))
      out_.pins.push_back({r.name + "==" + clean_line(r.version, 40), source});
  }

  /// "--index-url https://.../cu124" and "--extra-index-url": the CUDA of the wheels.
  void take_index(std::string_view line, const std::string& source) {
    if (line.find("index-url") == line.npos && line.find("-f ") == line.npos && line.find("url") == line.npos)
      return;
    const std::size_t at = line.find("/cu1");
    if (at == line.npos) return;
    std::string suffix;
    for (std::size_t i = at + 1; i < line.size() && std::isalnum(static_cast<unsigned char>(line[i])); ++i)
      suffix += line[i];
    if (suffix.size() < 5 || suffix.size() > 6 || !wheel_cuda_.value.empty()) return;
    wheel_cuda_ = {suffix, source};
    out_.pins.push_back({suffix, source});
  }

  void requirements(const std::string& name) {
    const auto text = files_.read(name);
    if (!text) return;
    int number = 0;
    for (const std::string& raw : split(*text, '\n')) {
      ++number;
      const std::string source = clean_line(name) + ":" + std::to_string(number);
      const std::size_t comment = raw.starts_with('#') ? 0 : std::min(raw.find(" #"), raw.find("\t#"));
      const std::string line = raw.substr(0, comment);
      if (trim(line).starts_with('-'))
        take_index(line, source);
      else if (!trim(line).empty())
        take(requirement_of(line), source);
    }
  }

  void dockerfile(const std::string& name) {
    const auto text = files_.read(name);
    if (!text) return;
    // Continued lines and quoting are the shell's; FROM and ARG are words like any other.
    std::vector<std::pair<std::string, std::string>> arguments;
    for (const ShellCommand& c : shell_commands(*text)) {
      const std::string source = clean_line(name) + ":" + std::to_string(c.line);
      std::vector<std::string> words;
      for (const ShellWord& w : c.words) words.push_back(w.text);
      const std::string first = words.empty() ? "" : to_lower(words[0]);
      if (first == "from" && words.size() >= 2) {
        std::size_t at = 1;
        while (at < words.size() && words[at].starts_with("--")) ++at;
        if (at < words.size() && c.words[at].known && words[at] != "scratch" && is_image_name(words[at]))
          out_.image = Found<std::string>{words[at], source};  // the last stage is what runs
      }
      const auto install = std::ranges::find(words, "install");
      if (install == words.end()) continue;
      for (auto it = install + 1; it != words.end(); ++it) {
        if (it->starts_with('-')) {
          const bool takes_next = *it == "-r" || it->ends_with("index-url") || *it == "-f" || *it == "-i";
          if (it->ends_with("index-url") && it + 1 != words.end())
            take_index("index-url " + *(it + 1), source);
          take_index(*it, source);
          if (takes_next && it + 1 != words.end()) ++it;
        } else {
          take(requirement_of(*it), source);
        }
      }
    }
  }

  std::optional<ConfigNode> tree(const std::string& name) {
    const auto text = files_.read(name);
    return text ? parse_config(*text, name, out_.warnings) : std::nullopt;
  }
  static std::string at(const std::string& name, const ConfigNode& node) {
    return node.line > 0 ? name + ":" + std::to_string(node.line) : name;
  }

  void pyproject() {
    const auto root = tree("pyproject.toml");
    if (!root) return;
    const auto take_list = [&](const ConfigNode* list) {
      if (list == nullptr) return;
      for (const ConfigNode& item : list->items)
        if (item.is_text()) take(requirement_of(item.text()), at("pyproject.toml", item));
    };
    take_list(root->at("project.dependencies"));
    for (const char* path : {"project.optional-dependencies", "dependency-groups"})
      if (const ConfigNode* groups = root->at(path))
        for (const auto& [name, list] : groups->entries) take_list(&list);
    if (const ConfigNode* packages = root->at("tool.poetry.dependencies"))
      for (const auto& [name, node] : packages->entries) {
        const ConfigNode* version = node.is_map() ? node.at("version") : &node;
        if (version == nullptr || !version->is_text()) continue;
        const std::string v = version->text();
        const bool bare = !v.empty() && std::isdigit(static_cast<unsigned char>(v[0]));
        take(requirement_of(name + (bare ? "==" : "") + v), at("pyproject.toml", node));
      }
    if (const ConfigNode* index = root->at("tool.uv.index"))
      for (const ConfigNode& item : index->items)
        if (const ConfigNode* url = item.at("url"); url != nullptr && url->is_text())
          take_index("url " + url->text(), at("pyproject.toml", *url));
  }

  void setup_cfg() {
    const auto text = files_.read("setup.cfg");
    if (!text) return;
    int number = 0;
    bool inside = false;
    for (const std::string& raw : split(*text, '\n')) {
      ++number;
      const std::string_view line = trim(raw);
      if (!raw.empty() && raw[0] != ' ' && raw[0] != '\t') inside = line.starts_with("install_requires");
      if (!inside || line.empty() || line.starts_with('#')) continue;
      const std::size_t eq = line.starts_with("install_requires") ? line.find('=') : line.npos;
      take(requirement_of(eq == line.npos ? line : line.substr(eq + 1)),
           "setup.cfg:" + std::to_string(number));
    }
  }

  void environment(const std::string& name) {
    const auto root = tree(name);
    const ConfigNode* list = root ? root->at("dependencies") : nullptr;
    if (list == nullptr) return;
    for (const ConfigNode& item : list->items) {
      if (item.is_text()) {
        const std::string& s = item.text();
        take(requirement_of(s.substr(s.find("::") == s.npos ? 0 : s.find("::") + 2)), at(name, item));
        if (s.starts_with("pytorch-cuda=")) out_.pins.push_back({clean_line(s, 40), at(name, item)});
      } else if (const ConfigNode* pip = item.at("pip")) {
        for (const ConfigNode& inner : pip->items) {
          if (!inner.is_text()) continue;
          if (inner.text().starts_with('-'))
            take_index(inner.text(), at(name, inner));
          else
            take(requirement_of(inner.text()), at(name, inner));
        }
      }
    }
  }

  /// [[package]] name = "torch" version = "2.4.0"
  void lock(const std::string& name) {
    const auto text = files_.read(name);
    if (!text) return;
    std::string package;
    int number = 0;
    for (const std::string& raw : split(*text, '\n')) {
      ++number;
      const std::string_view line = trim(raw);
      const auto quoted = [&] {
        const std::size_t from = line.find('"');
        const std::size_t to = from == line.npos ? line.npos : line.find('"', from + 1);
        return to == line.npos ? std::string{} : std::string(line.substr(from + 1, to - from - 1));
      };
      if (line == "[[package]]") package.clear();
      if (line.starts_with("name = ")) package = quoted();
      if (line.starts_with("version = ") && !package.empty()) {
        take({to_lower(package), quoted(), ""}, name + ":" + std::to_string(number));
        package.clear();
      }
    }
  }

  void keep_lowest() {
    if (out_.torch_pin && !wheel_cuda_.value.empty() && out_.torch_pin->value.find('+') == std::string::npos)
      out_.torch_pin->value += "+" + wheel_cuda_.value;
    if (!out_.torch_pin && !lowest_.value.empty())
      out_.pins.push_back({"torch>=" + clean_line(lowest_.value, 40), lowest_.source});
  }

  ProjectFiles& files_;
  ProgramReading& out_;
  Found<std::string> lowest_, wheel_cuda_;
  int read_ = 0;
};

}  // namespace

void read_pins(ProjectFiles& files, ProgramReading& into) { Pins(files, into).read(); }

}  // namespace vastgpu
