#include "analysis/script_hints.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "analysis/amounts.h"
#include "analysis/datasets.h"
#include "analysis/source_text.h"
#include "core/text.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxCalls = 50;    // of one name in one file
constexpr std::size_t kMaxModules = 20;  // that the entry script imports
constexpr std::size_t kMaxShell = 20;

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// A file without its comments, with the way back from a position to a line.
struct Source {
  std::string path;
  std::string code;

  std::string place(std::size_t at) const {
    const auto lines =
        std::count(code.begin(), code.begin() + static_cast<std::ptrdiff_t>(std::min(at, code.size())), '\n');
    return path + ":" + std::to_string(lines + 1);
  }
};

/// Positions behind `word` where it stands alone.
std::vector<std::size_t> ends_of_word(std::string_view code, std::string_view word) {
  std::vector<std::size_t> found;
  for (std::size_t at = code.find(word); at != std::string_view::npos && found.size() < kMaxCalls;
       at = code.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at > 0 && is_word(code[at - 1]) && is_word(word.front())) ||
        (end < code.size() && is_word(code[end]) && is_word(word.back())))
      continue;
    found.push_back(end);
  }
  return found;
}

std::size_t skip_blank(std::string_view code, std::size_t at) {
  const std::size_t next = code.find_first_not_of(" \t\r\n", at);
  return next == std::string_view::npos ? code.size() : next;
}

std::string_view name_at(std::string_view code, std::size_t at) {
  std::size_t end = at;
  while (end < code.size() && (is_word(code[end]) || code[end] == '.')) ++end;
  return code.substr(at, end - at);
}

/// The text of the string literal that opens at `at`; nullopt when there is none.
std::optional<std::string> literal_at(std::string_view code, std::size_t at) {
  if (at >= code.size() || (code[at] != '"' && code[at] != '\'')) return std::nullopt;
  const std::size_t end = code.find_first_of(std::string{code[at], '\n'}, at + 1);
  if (end == std::string_view::npos || code[end] == '\n' || end - at > 300) return std::nullopt;
  return std::string(code.substr(at + 1, end - at - 1));
}

/// What follows `default=` in the rest of an add_argument call.
std::optional<std::size_t> argument_default(std::string_view code, std::size_t behind_name) {
  const std::string_view rest = code.substr(behind_name, 300);
  const std::size_t next_call = rest.find("add_argument");
  const std::size_t at = rest.find("default");
  if (at == std::string_view::npos || at > next_call) return std::nullopt;
  const std::size_t equals = skip_blank(code, behind_name + at + 7);
  if (equals >= code.size() || code[equals] != '=') return std::nullopt;
  return skip_blank(code, equals + 1);
}

/// The text that a variable or command-line argument holds by default.
std::optional<std::string> resolve(std::string_view code, std::string_view name) {
  if (const std::size_t dot = name.rfind('.'); dot != std::string_view::npos) name.remove_prefix(dot + 1);
  if (name.empty() || name.size() > 80) return std::nullopt;
  for (const std::size_t end : ends_of_word(code, name)) {
    std::size_t at = skip_blank(code, end);
    if (at < code.size() && code[at] == ':') {  // "name: str = ..." of a dataclass
      at = skip_blank(code, at + 1);
      at = skip_blank(code, at + name_at(code, at).size());
    }
    if (at < code.size() && code[at] == '=' && (at + 1 >= code.size() || code[at + 1] != '='))
      if (auto text = literal_at(code, skip_blank(code, at + 1))) return text;
    if (end < code.size() && (code[end] == '"' || code[end] == '\''))
      if (const auto value = argument_default(code, end + 1))
        if (auto text = literal_at(code, *value)) return text;
  }
  return std::nullopt;
}

/// The first argument of a call, or the one with this keyword, as text.
std::optional<std::string> text_argument(std::string_view code, std::size_t behind_name) {
  std::size_t at = skip_blank(code, behind_name);
  if (at >= code.size() || code[at] != '(') return std::nullopt;
  at = skip_blank(code, at + 1);
  std::string_view name = name_at(code, at);
  if (!name.empty()) {
    const std::size_t equals = skip_blank(code, at + name.size());
    if (equals < code.size() && code[equals] == '=') {
      at = skip_blank(code, equals + 1);
      name = name_at(code, at);
    }
  }
  if (auto text = literal_at(code, at)) return text;
  return name.empty() ? std::nullopt : resolve(code, name);
}

/// `name=True`, `"name": True`, `--name`, `--name true`; an option that merely exists is not on.
bool is_on(std::string_view code, std::string_view name, bool shell) {
  for (const std::size_t end : ends_of_word(code, name)) {
    std::size_t at = end;
    while (at < code.size() && std::string_view("\"' =:").find(code[at]) != std::string_view::npos) ++at;
    const std::string word = to_lower(name_at(code, at));
    if (word == "true") return true;
    const std::size_t start = end - name.size();
    if (shell && start > 1 && code.substr(start - 2, 2) == "--" && word != "false") return true;
  }
  return false;
}

std::optional<int> whole_number(std::string_view s) {
  int n = 0;
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), n);
  if (bad != std::errc{} || (end != s.data() + s.size() && is_word(*end)) || n < 1) return std::nullopt;
  return n;
}

template <class T>
void keep_first(std::optional<Found<T>>& slot, T value, std::string source) {
  if (!slot) slot = Found<T>{std::move(value), std::move(source)};
}

void add_model(ScriptHints& hints, std::string_view id, const std::string& source) {
  auto model = model_of_id(id);
  if (!model) return;
  const bool known =
      std::ranges::any_of(hints.models, [&](const auto& m) { return m.value.name == model->name; });
  if (!known && hints.models.size() < 20) hints.models.push_back({std::move(*model), source});
}

void take_models(ScriptHints& hints, const Source& s) {
  // Tokenizers load from the same names and say nothing about memory; their models are loaded beside them.
  for (const char* call :
       {"from_pretrained", "create_model", "LLM", "YOLO", "SentenceTransformer", "load_model"})
    for (const std::size_t end : ends_of_word(s.code, call))
      if (const auto id = text_argument(s.code, end)) add_model(hints, *id, s.place(end));
  for (const std::size_t end : ends_of_word(s.code, "models")) {  // torchvision.models.resnet50(
    if (end >= s.code.size() || s.code[end] != '.') continue;
    const std::string_view name = name_at(s.code, end + 1);
    const std::size_t at = end + 1 + name.size();
    if (at < s.code.size() && s.code[at] == '(' && !find_models(name).empty())
      add_model(hints, name, s.place(end));
  }
}

void take_batch_size(ScriptHints& hints, const Source& s) {
  for (const char* name : {"per_device_train_batch_size", "train_batch_size", "micro_batch_size",
                           "device_batch_size", "batch_size", "batch-size"})
    for (const std::size_t end : ends_of_word(s.code, name)) {
      std::size_t at = end;
      if (at < s.code.size() && (s.code[at] == '"' || s.code[at] == '\'')) {
        const auto value = argument_default(s.code, at + 1);
        if (!value) continue;
        at = *value;
      } else {
        while (at < s.code.size() && (s.code[at] == ' ' || s.code[at] == '=')) ++at;
      }
      if (const auto n = whole_number(std::string_view(s.code).substr(at, 10)))
        keep_first(hints.batch_size, *n, s.place(end));
    }
}

void take_words(ScriptHints& hints, const Source& s, bool shell) {
  const auto first = [&](std::string_view word) { return s.place(ends_of_word(s.code, word).front()); };
  const auto has = [&](std::string_view word) { return !ends_of_word(s.code, word).empty(); };

  const bool four_bit = is_on(s.code, "load_in_4bit", shell);
  if (has("LoraConfig") || has("get_peft_model"))
    keep_first(hints.method, four_bit ? Method::qlora : Method::lora,
               first(has("LoraConfig") ? "LoraConfig" : "get_peft_model"));
  else if (four_bit)
    keep_first(hints.method, Method::qlora, first("load_in_4bit"));

  if (is_on(s.code, "bf16", shell) || has("bfloat16") || (shell && has("mixed_precision bf16")) ||
      has("bf16-mixed")) {
    const std::string source = first(has("bfloat16") ? "bfloat16" : has("bf16") ? "bf16" : "bf16-mixed");
    keep_first(hints.precision, Precision::bf16, source);
    if (!has("is_bf16_supported") && !hints.needs_bf16) {
      hints.needs_bf16 = true;
      hints.bf16_source = source;
    }
  } else if (is_on(s.code, "fp16", shell) || has("GradScaler") || has("torch.float16")) {
    keep_first(hints.precision, Precision::fp16,
               first(has("fp16")         ? "fp16"
                     : has("GradScaler") ? "GradScaler"
                                         : "torch.float16"));
  }
  if (has("flash_attention_2") && !hints.needs_bf16) {
    hints.needs_bf16 = true;
    hints.bf16_source = first("flash_attention_2");
  }
  for (const char* word : {"backward", "Trainer", "SFTTrainer", "TrainingArguments", "optimizer", "fit",
                           "trainer", "AdamW", "Adam", "SGD"})
    if (has(word)) hints.trains = true;
  for (const char* word : {"torch.save", "save_steps", "save_strategy", "resume", "resume_from_checkpoint",
                           "save_checkpoint", "ModelCheckpoint", "save_state", "save_total_limit"})
    if (has(word)) hints.checkpoints = true;
  for (const std::size_t end : ends_of_word(s.code, "load_dataset"))
    if (const auto id = text_argument(s.code, end))
      if (const auto known = find_dataset(plain(*id)))
        keep_first(hints.dataset, std::string(known->name), s.place(end));
}

/// Models and GPUs of command lines; they beat what the script has as defaults.
void take_shell(ScriptHints& hints, const Source& s) {
  std::size_t from = 0;
  while (from < s.code.size()) {
    const std::size_t end = std::min(s.code.find('\n', from), s.code.size());
    const std::string_view line = std::string_view(s.code).substr(from, end - from);
    if (const auto n = gpus_of_launch(line)) keep_first(hints.gpus, *n, s.place(from));
    for (const char* flag : {"--model_name_or_path", "--pretrained_model_name_or_path", "--base_model",
                             "--model_name", "--model_id", "--model-name", "--model"})
      for (const std::size_t behind : ends_of_word(line, flag)) {
        std::size_t at = behind;
        while (at < line.size() && std::string_view(" =\"'").find(line[at]) != std::string_view::npos) ++at;
        const std::size_t stop = std::min(line.find_first_of(" \t\"'", at), line.size());
        if (stop > at) add_model(hints, line.substr(at, stop - at), s.place(from));
      }
    from = end + 1;
  }
}

bool is_entry_name(const std::string& name) {
  if (!name.ends_with(".py")) return false;
  return name.starts_with("train") || name.starts_with("run") || name.starts_with("finetune") ||
         name.starts_with("fine_tune") || name == "main.py";
}

/// The newest; of equals the one nearest to the root.
const ProjectFiles::Found* newest(const std::vector<ProjectFiles::Found>& files, auto&& wanted) {
  const ProjectFiles::Found* best = nullptr;
  for (const auto& f : files)
    if (wanted(f) && (best == nullptr || f.changed > best->changed)) best = &f;
  return best;
}

/// Files of the project that the entry script imports: "import model", "from src.model import Net".
std::vector<fs::path> imported(const std::vector<ProjectFiles::Found>& files, const fs::path& entry,
                               std::string_view code) {
  std::vector<fs::path> found;
  std::set<fs::path> seen{entry};
  for (const char* word : {"import", "from"})
    for (const std::size_t end : ends_of_word(code, word)) {
      std::string module(name_at(code, skip_blank(code, end)));
      while (module.starts_with('.')) module.erase(0, 1);
      std::ranges::replace(module, '.', '/');
      if (module.empty()) continue;
      for (const fs::path& at : {entry.parent_path() / (module + ".py"), fs::path(module + ".py")}) {
        const bool exists =
            std::ranges::any_of(files, [&](const auto& f) { return f.path == at.lexically_normal(); });
        if (exists && found.size() < kMaxModules && seen.insert(at.lexically_normal()).second)
          found.push_back(at.lexically_normal());
      }
    }
  return found;
}

void take_requirements(ScriptHints& hints, ProjectFiles& files) {
  const auto text = files.read("requirements.txt");
  if (!text) return;
  int number = 0;
  for (const std::string& raw : split(*text, '\n')) {
    ++number;
    std::string line;
    for (const char c : raw.substr(0, raw.find('#')))
      if (c != ' ' && c != '\t') line += c;
    for (const std::string_view pin : {"torch==", "torch~="})
      if (line.starts_with(pin)) {
        std::string version = line.substr(pin.size(), line.find_first_of(",;", pin.size()) - pin.size());
        keep_first(hints.torch_pin, clean_line(version, 40), "requirements.txt:" + std::to_string(number));
      }
  }
}

}  // namespace

std::optional<int> gpus_of_launch(std::string_view line) {
  line = line.substr(0, 4'000);
  for (const char* flag :
       {"--nproc_per_node", "--nproc-per-node", "--num_processes", "--num-processes", "--num_gpus",
        "--num-gpus", "--gres=gpu", "--tensor-parallel-size", "NPROC_PER_NODE"})
    for (const std::size_t end : ends_of_word(line, flag)) {
      std::size_t at = end;
      while (at < line.size() && std::string_view(" =:").find(line[at]) != std::string_view::npos) ++at;
      if (const auto n = whole_number(line.substr(at, 6)); n && *n <= 64) return n;
    }
  for (const std::size_t end : ends_of_word(line, "CUDA_VISIBLE_DEVICES")) {
    if (end >= line.size() || line[end] != '=') continue;
    std::size_t stop = end + 1;
    int cards = 0;
    while (stop < line.size() &&
           (std::isdigit(static_cast<unsigned char>(line[stop])) || line[stop] == ',')) {
      if (line[stop] != ',' && (stop == end + 1 || line[stop - 1] == ',')) ++cards;
      ++stop;
    }
    if (cards > 1 && cards <= 64) return cards;
  }
  return std::nullopt;
}

ScriptHints read_scripts(ProjectFiles& files, const std::vector<std::string>& planned) {
  ScriptHints hints;
  take_requirements(hints, files);
  const auto found = files.find({".py", ".sh"});

  const auto is_planned = [&](const ProjectFiles::Found& f) {
    return std::ranges::any_of(planned, [&](const std::string& name) {
      return f.path == fs::path(name).lexically_normal() || f.path.filename() == fs::path(name).filename();
    });
  };
  const ProjectFiles::Found* entry =
      newest(found, [&](const auto& f) { return f.path.extension() == ".py" && is_planned(f); });
  hints.entry_why = "named in the plan";
  if (entry == nullptr) {
    entry = newest(found, [](const auto& f) { return is_entry_name(f.path.filename().string()); });
    hints.entry_why = "the newest of train*.py, run*.py, main.py";
  }

  // Command lines first: what they say beats the defaults of the script.
  std::vector<const ProjectFiles::Found*> shell;
  for (const auto& f : found)
    if (f.path.extension() == ".sh" && shell.size() < kMaxShell) shell.push_back(&f);
  std::ranges::stable_sort(shell, [](const auto* a, const auto* b) { return a->changed > b->changed; });
  for (const auto* f : shell) {
    const auto text = files.read(f->path);
    if (!text) continue;
    Source s{clean_line(f->path.string()), shell_without_comments(*text)};
    if (entry != nullptr && s.code.find(entry->path.filename().string()) == std::string::npos) continue;
    take_shell(hints, s);
    take_words(hints, s, true);
    take_batch_size(hints, s);
  }
  if (entry == nullptr) return hints;

  const auto text = files.read(entry->path);
  if (!text) return hints;
  hints.entry = clean_line(entry->path.string());
  std::vector<Source> sources{{hints.entry, python_without_comments(*text)}};
  for (const fs::path& module : imported(found, entry->path, sources.front().code))
    if (const auto more = files.read(module))
      sources.push_back({clean_line(module.string()), python_without_comments(*more)});
  const bool model_in_command = !hints.models.empty();
  for (const Source& s : sources) {
    if (!model_in_command) take_models(hints, s);
    take_words(hints, s, false);
    take_batch_size(hints, s);
  }
  if (!hints.method && !hints.trains && !hints.models.empty())
    hints.method = Found<Method>{Method::inference, hints.entry};
  return hints;
}

}  // namespace vastgpu
