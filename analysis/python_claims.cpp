#include "analysis/python_claims.h"

#include <algorithm>

#include "core/text.h"

namespace vastgpu {
namespace {

using enum PyExpr::Kind;

constexpr std::size_t kMaxModels = 20;

std::string_view last_of(std::string_view dotted) {
  const std::size_t dot = dotted.rfind('.');
  return dot == dotted.npos ? dotted : dotted.substr(dot + 1);
}

bool is_config_file(std::string_view s) {
  for (const std::string_view end : {".yaml", ".yml", ".toml", ".json"})
    if (s.size() > end.size() && s.size() < 200 && s.ends_with(end)) return true;
  return false;
}

/// Variables that hold settings: `config["batch_size"] = 4`, `args.lr = ...`.
bool is_settings_name(std::string_view root) {
  return is_settings_class(root) || root == "opt" || root == "opts" || root == "hps" || root == "C" ||
         root == "hp" || root == "conf";
}

/// Names bound to constants: `BATCH_SIZE = 4`, fields of settings classes, defaults of options.
void take_names(const PyProgram& program, ProgramReading& out) {
  for (std::size_t m = 0; m < program.modules().size(); ++m) {
    const PyModule& module = program.modules()[m];
    for (const PyBinding& b : module.bindings) {
      if (b.kind != PyBinding::Kind::assignment || b.in_branch || b.value.is(unknown)) continue;
      if (!program.lives(static_cast<int>(m), b.scope)) continue;
      const std::string_view last = last_of(b.name);
      const std::string_view root = std::string_view(b.name).substr(0, b.name.find('.'));
      const bool plain = last == b.name;
      const bool in_main = b.scope > 0 && (module.scopes[static_cast<std::size_t>(b.scope)].name == "main" ||
                                           module.scopes[static_cast<std::size_t>(b.scope)].name == "train");
      const int owner = b.scope > 0 ? module.scopes[static_cast<std::size_t>(b.scope)].parent : -1;
      const bool own_settings = root == "self" && owner > 0 &&
                                is_settings_class(module.scopes[static_cast<std::size_t>(owner)].name);
      if (plain ? b.scope != 0 && !(in_main && m == 0) : !is_settings_name(root) && !own_settings) continue;
      const auto v = program.resolve(b.value, static_cast<int>(m), b.scope);
      if (!v) continue;
      for (Claim& c : claims_of_name(last, v->value, module.at(b.line), v->strength)) out.claims.push_back(c);
    }
  }
  for (const PyOption& o : program.options()) {
    const auto v = program.resolve(o.value, o.module, 0);
    if (!v) continue;
    const std::string source =
        program.modules()[static_cast<std::size_t>(o.module)].at(o.line) + " (default)";
    for (Claim& c : claims_of_name(o.name, v->value, source, strength::kDefault)) out.claims.push_back(c);
  }
}

/// Models named by options that no known call loads: `--arch resnet50` into a registry of the project.
void take_option_models(const PyProgram& program, ProgramReading& out) {
  const bool side =
      std::ranges::all_of(out.models, [](const ProgramModel& m) { return is_side_role(m.role); });
  if (!side) return;
  for (const PyOption& o : program.options()) {
    if (!names_a_model(o.name) || is_side_role(o.name)) continue;
    const auto v = program.resolve(o.value, o.module, 0);
    if (v && v->value.is_string() && !v->value.get_ref<const std::string&>().empty())
      out.models.push_back({clean_line(v->value.get<std::string>(), 200),
                            program.modules()[static_cast<std::size_t>(o.module)].at(o.line),
                            {},
                            strength::kDefault,
                            false});
  }
}

/// A class of the project that a variable such as `model` holds.
void take_class_models(const PyProgram& program, ProgramReading& out) {
  if (!std::ranges::all_of(out.models, [](const ProgramModel& m) { return is_side_role(m.role); })) return;
  for (std::size_t m = 0; m < program.modules().size(); ++m)
    for (const PyCall& c : program.modules()[m].calls) {
      const std::string_view held = last_of(c.assigned_to);
      const std::string_view made = c.call.last_name();
      if (!program.lives(static_cast<int>(m), c.scope) || made.empty() ||
          !std::isupper(static_cast<unsigned char>(made[0])))
        continue;
      bool is_model = false;
      for (const std::string_view word : {"model", "net", "network", "student", "teacher", "policy", "unet",
                                          "generator", "encoder", "transformer", "vit", "gpt"})
        is_model = is_model || held == word;
      for (const std::string_view wrapper : {"Sequential", "DataParallel", "DistributedDataParallel", "DDP",
                                             "FSDP", "FullyShardedDataParallel", "ModuleList"})
        is_model = is_model && made != wrapper;
      if (is_model && out.models.size() < kMaxModels)
        out.models.push_back(
            {std::string(made), program.modules()[m].at(c.call.line), {}, strength::kCode, false});
    }
}

/// Defaults of a network's own arguments, of classes that say how many layers they have.
void take_network_defaults(const PyProgram& program, ProgramReading& out) {
  for (std::size_t m = 0; m < program.modules().size(); ++m) {
    const PyModule& module = program.modules()[m];
    for (std::size_t s = 1; s < module.scopes.size(); ++s) {
      if (module.scopes[s].name != "__init__" || !program.lives(static_cast<int>(m), static_cast<int>(s)))
        continue;
      std::vector<Claim> claims;
      for (const PyBinding& b : module.bindings) {
        if (b.scope != static_cast<int>(s) || b.kind != PyBinding::Kind::parameter) continue;
        const auto v = program.resolve(b.value, static_cast<int>(m), b.scope);
        if (v)
          for (Claim& c :
               claims_of_name(b.name, v->value, module.at(b.line) + " (default)", strength::kDefault))
            claims.push_back(std::move(c));
      }
      const bool whole = std::ranges::any_of(claims, [](const Claim& c) { return c.setting == "layers"; });
      for (Claim& c : claims)
        if (whole && (c.setting == "layers" || c.setting == "hidden" || c.setting == "heads" ||
                      c.setting == "ffn" || c.setting == "vocab" || c.setting == "kv_heads"))
          out.claims.push_back(std::move(c));
    }
  }
}

}  // namespace

bool PyCallReader::imports(std::string_view from, std::string_view name) const {
  for (const PyImport& i : program.modules()[static_cast<std::size_t>(module)].imports)
    if (i.module.starts_with(from) && std::ranges::find(i.names, name) != i.names.end()) return true;
  return false;
}

std::optional<PyValue> PyCallReader::value(const PyCall& c, const PyExpr* e) const {
  return e == nullptr ? std::nullopt : program.resolve(*e, module, c.scope);
}

bool PyCallReader::not_off(const PyCall& c, std::string_view name) const {
  const auto v = keyword(c, name);
  return !v || v->value.is_null() || !(v->value == false || v->value == 0);
}

void PyCallReader::claim_keywords(const PyCall& c, NamePlace place) const {
  const auto take = [&](const std::string& name, const PyExpr& e) {
    if (name.empty()) return;
    if (const auto v = value(c, &e)) {
      for (Claim& claim : claims_of_name(name, v->value, v->source, v->strength, place))
        out.claims.push_back(claim);
    } else if (place == NamePlace::option || name.find("dtype") != name.npos) {
      std::string said = word(c, &e);
      if (said.starts_with("torch."))
        for (Claim& claim : claims_of_name(name, said, at(e), strength::kCode, place))
          out.claims.push_back(claim);
    }
  };
  for (std::size_t i = 0; i < c.call.parts.size(); ++i) {
    if (c.call.keys[i] == "**" && c.call.parts[i].is(dict))
      for (std::size_t k = 0; k < c.call.parts[i].parts.size(); ++k)
        take(c.call.parts[i].keys[k], c.call.parts[i].parts[k]);
    else
      take(c.call.keys[i], c.call.parts[i]);
  }
}

void PyCallReader::add_model(const PyCall& c, const std::string& name, const std::string& source,
                             int of_strength) const {
  const std::string shown = clean_line(trim(name), 200);
  if (shown.empty() || out.models.size() >= kMaxModels || shown.find(' ') != shown.npos ||
      (shown.find("://") != shown.npos && shown.find('@') != shown.npos))
    return;
  std::string role(last_of(c.assigned_to));
  for (const std::string_view usual :
       {"model", "net", "self", "pipe", "pipeline", "llm", "m", "base_model", "network"})
    if (role == usual) role.clear();
  for (const ProgramModel& known : out.models)
    if (known.value == shown && (known.role == role || role.empty() || known.role.empty())) return;
  const bool alternative = std::ranges::any_of(arms, [&](const auto& before) {
    return std::ranges::any_of(before, [&](const PyArm& a) {
      return std::ranges::any_of(c.arms,
                                 [&](const PyArm& b) { return a.branch == b.branch && a.arm != b.arm; });
    });
  });
  arms.push_back(c.arms);
  out.models.push_back({shown, source, role, of_strength, alternative});
}

void PyCallReader::claim_dtype(const PyCall& c, const PyExpr* e, bool stored) const {
  if (e == nullptr) return;
  std::string said = word(c, e);
  if (said.starts_with("torch.")) said.erase(0, 6);
  const bool half = said == "float16" || said == "half" || said == "fp16";
  const bool brain = said == "bfloat16" || said == "bf16";
  if (!half && !brain && said != "float32") return;
  claim("precision", half ? "fp16" : brain ? "bf16" : "fp32", at(*e));
  if (stored)
    claim("bits", half || brain ? json(16) : json(32), at(*e));
  else if (half || brain)
    claim("bits", "16mixed", at(*e));
  if (brain) need_bf16(at(*e));
}

void take_python(const PyProgram& program, ProgramReading& into) {
  PyCallReader reader(program, into);
  for (std::size_t m = 0; m < program.modules().size(); ++m) {
    reader.module = static_cast<int>(m);
    reader.arms.clear();
    for (const PyCall& c : program.modules()[m].calls) {
      if (!program.lives(reader.module, c.scope)) continue;
      const std::string_view last = c.call.last_name();
      if (last == "add_argument") continue;
      if (!program.runs(c, reader.module)) {
        take_saving_call(reader, c);  // behind `if args.resume:` it can resume all the same
        continue;
      }
      if (take_trainer_call(reader, c) || take_loading_call(reader, c) || take_torch_call(reader, c))
        continue;
      const bool is_settings =
          is_settings_class(last) && !last.empty() && std::isupper(static_cast<unsigned char>(last[0]));
      reader.claim_keywords(c, is_settings ? NamePlace::option : NamePlace::argument);
    }
  }
  take_names(program, into);
  take_network_defaults(program, into);
  take_option_models(program, into);
  take_class_models(program, into);
  if (program.mentions("bfloat16") && !into.needs_bf16) {
    for (const Claim& c : into.claims)
      if (c.setting == "precision" && c.value == "bf16") reader.need_bf16(c.source);
    if (!into.needs_bf16) reader.need_bf16(program.modules().front().path);
  }
  if (program.mentions("is_bf16_supported")) {
    into.needs_bf16 = false;  // it asks the card first
    into.bf16_source.clear();
  }
}

std::vector<Found<std::string>> configs_named(const PyProgram& program) {
  std::vector<Found<std::string>> found;
  const auto add = [&](const json& v, std::string source) {
    if (v.is_string() && is_config_file(v.get<std::string>()) && found.size() < 20)
      found.push_back({v.get<std::string>(), std::move(source)});
  };
  for (const PyOption& o : program.options())
    if (const auto v = program.resolve(o.value, o.module, 0); v && names_a_config(o.name))
      add(v->value, program.modules()[static_cast<std::size_t>(o.module)].at(o.line));
  for (std::size_t m = 0; m < program.modules().size(); ++m)
    for (const PyCall& c : program.modules()[m].calls) {
      const std::string_view last = c.call.last_name();
      const std::string source = program.modules()[m].at(c.call.line);
      if (!program.lives(static_cast<int>(m), c.scope) || last == "add_argument") continue;
      if (c.call.text == "hydra.main") {
        const auto text_of = [&](const char* key) {
          const PyExpr* e = c.call.argument(key);
          return e != nullptr && e->is(PyExpr::Kind::text) ? e->text : std::string{};
        };
        std::string file = text_of("config_name");
        if (file.empty()) continue;
        if (!file.ends_with(".yaml")) file += ".yaml";
        const std::string folder = text_of("config_path");
        add(folder.empty() ? file : folder + "/" + file, source);
        continue;
      }
      for (const std::string_view opener :
           {"open", "load", "safe_load", "full_load", "load_yaml", "load_config", "from_yaml", "fromfile",
            "Path", "get_config", "read_text", "from_json_file", "parse_json_file", "parse_yaml_file",
            "load_cfg", "merge_from_file", "initialize"})
        if (last == opener)
          for (const PyExpr& part : c.call.parts)
            if (const auto v = program.resolve(part, static_cast<int>(m), c.scope)) add(v->value, source);
    }
  return found;
}

bool reads_configs(const PyProgram& program) {
  for (const std::string_view word : {"yaml", "OmegaConf", "omegaconf", "toml", "tomllib", "tomli", "hydra"})
    if (program.mentions(word)) return true;
  return false;
}

}  // namespace vastgpu
