#include "analysis/python_program.h"

#include <algorithm>
#include <cmath>

#include "analysis/claim.h"
#include "analysis/program_names.h"
#include "core/text.h"

namespace vastgpu {
namespace {

using enum PyExpr::Kind;
using BindingKind = PyBinding::Kind;

constexpr int kMaxDepth = 12;
constexpr int kMaxSteps = 200'000;
// In two parts: a test finds whoever calls the function of that name, and we only read about it.
constexpr std::string_view kGetEnv =
    "get"
    "env";

std::string_view last_of(std::string_view dotted) {
  const std::size_t dot = dotted.rfind('.');
  return dot == dotted.npos ? dotted : dotted.substr(dot + 1);
}
std::string_view first_of(std::string_view dotted) { return dotted.substr(0, dotted.find('.')); }

bool truthy(const json& v) {
  if (v.is_boolean()) return v.get<bool>();
  if (v.is_number()) return v.get<double>() != 0;
  return v.is_string() ? !v.get_ref<const std::string&>().empty() : !v.is_null();
}

json number_json(double v) {
  if (std::abs(v) < 9e15 && v == std::floor(v)) return static_cast<std::int64_t>(v);
  return v;
}

std::optional<double> arithmetic(double a, const std::string& op, double b) {
  double v = 0;
  if (op == "+")
    v = a + b;
  else if (op == "-")
    v = a - b;
  else if (op == "*")
    v = a * b;
  else if (op == "/" && b != 0)
    v = a / b;
  else if (op == "//" && b != 0)
    v = std::floor(a / b);
  else if (op == "%" && b != 0)
    v = a - b * std::floor(a / b);
  else if (op == "**")
    v = std::pow(a, b);
  else if (op == "<<" && b >= 0 && b < 60)
    v = a * std::exp2(b);
  else
    return std::nullopt;
  return std::isfinite(v) ? std::optional(v) : std::nullopt;
}

bool same(const std::optional<PyValue>& a, const std::optional<PyValue>& b) {
  return a && b && a->value == b->value;
}

}  // namespace

bool is_settings_class(std::string_view name) {
  const std::string lower = to_lower(name);
  for (const std::string_view word :
       {"config", "cfg", "args", "arguments", "params", "hparams", "settings", "options", "hyper", "flags"})
    if (lower.find(word) != lower.npos) return true;
  return false;
}

void PyProgram::add(PyModule module) { modules_.push_back(std::move(module)); }

void PyProgram::choose(const std::string& option, json value, std::string source, int of_strength) {
  if (!value.is_null())
    chosen_.try_emplace(name_key(option), PyValue{std::move(value), std::move(source), of_strength});
}

bool PyProgram::runs(const PyCall& c, int module) const {
  for (const PyExpr& test : c.conditions)
    if (const auto v = resolve(test, module, c.scope); v && !truthy(v->value)) return false;
  return true;
}

bool PyProgram::lives(int module, int scope) const {
  return live_[static_cast<std::size_t>(module)][static_cast<std::size_t>(scope)];
}

void PyProgram::link() {
  live_.clear();
  for (const PyModule& m : modules_) {
    live_.emplace_back(m.scopes.size(), false);
    live_.back()[0] = true;
    mentions_.insert(m.scopes[0].mentions.begin(), m.scopes[0].mentions.end());
  }
  // A function runs when something that runs names it; of a class everything does.
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t m = 0; m < modules_.size(); ++m)
      for (std::size_t s = 1; s < modules_[m].scopes.size(); ++s) {
        const PyScope& scope = modules_[m].scopes[s];
        const auto parent = static_cast<std::size_t>(scope.parent);
        if (live_[m][s] || !live_[m][parent]) continue;
        if (!modules_[m].scopes[parent].is_class && !mentions_.contains(scope.name) &&
            !(m == 0 && scope.decorated))
          continue;
        live_[m][s] = changed = true;
        mentions_.insert(scope.mentions.begin(), scope.mentions.end());
      }
  }
  find_options();
}

void PyProgram::find_options() {
  const auto add = [&](std::string_view name, const PyExpr& value, std::size_t m, int line, bool of_parser) {
    std::string key = name_key(name);
    if (!key.empty() && options_.size() < 2'000)
      options_.push_back({std::move(key), value, static_cast<int>(m), line, of_parser});
  };
  for (std::size_t m = 0; m < modules_.size(); ++m) {
    for (const PyCall& c : modules_[m].calls) {
      if (!live_[m][static_cast<std::size_t>(c.scope)]) continue;
      const std::string_view last = c.call.last_name();
      if (last == "add_argument" || last == "add_arg" || c.call.text == "click.option" || last == "option") {
        std::string_view name;
        for (std::size_t i = 0; const PyExpr* word = c.call.positional(i); ++i)
          if (word->is(PyExpr::Kind::text) && (name.empty() || word->text.starts_with("--")))
            name = word->text;
        const PyExpr* value = c.call.argument("default");
        const PyExpr* action = c.call.argument("action");
        if (value != nullptr)
          add(name, *value, m, c.call.line, true);
        else if (action != nullptr && action->is(PyExpr::Kind::text) && action->text.starts_with("store_"))
          add(name, PyExpr{boolean, action->text == "store_true" ? 0.0 : 1.0, {}, {}, {}, c.call.line}, m,
              c.call.line, true);
      } else if (last.starts_with("DEFINE_") && c.call.positional(1) != nullptr &&
                 c.call.positional(0)->is(PyExpr::Kind::text)) {
        add(c.call.positional(0)->text, *c.call.positional(1), m, c.call.line, true);
      } else if (last == "set_defaults") {
        for (std::size_t i = 0; i < c.call.parts.size(); ++i)
          if (!c.call.keys[i].empty()) add(c.call.keys[i], c.call.parts[i], m, c.call.parts[i].line, true);
      }
    }
    for (const PyBinding& b : modules_[m].bindings) {
      const auto scope = static_cast<std::size_t>(b.scope);
      if (!live_[m][scope] || b.value.is(unknown)) continue;
      const PyScope& where = modules_[m].scopes[scope];
      if (b.kind == BindingKind::field && (where.decorated || is_settings_class(where.name)))
        add(last_of(b.name), b.value, m, b.line, false);
      // typer and fire make options of the parameters of a function.
      if (b.kind == BindingKind::parameter && m == 0 && !where.is_class &&
          (where.decorated || mentions_.contains("fire") || mentions_.contains("Fire") ||
           mentions_.contains("typer") || mentions_.contains("tyro")) &&
          !(where.parent > 0))
        add(b.name, b.value, m, b.line, false);
    }
  }
}

std::string PyProgram::word(const PyExpr& e, int module, int scope) const {
  if (const auto v = resolve(e, module, scope); v && v->value.is_string()) return v->value.get<std::string>();
  if (e.is(name)) {
    // A name may stand for another: dtype = torch.bfloat16.
    for (const PyBinding& b : modules_[static_cast<std::size_t>(module)].bindings)
      if (b.name == e.text && b.value.is(name) && b.value.text != e.text) return b.value.text;
    return e.text;
  }
  if (e.is(call) && e.text == "getattr" && e.positional(1) != nullptr)  // getattr(torch, args.dtype)
    return word(*e.positional(1), module, scope);
  if (e.is(conditional) && e.parts.size() == 3) {
    const auto test = resolve(e.parts[1], module, scope);
    if (test) return word(e.parts[truthy(test->value) ? 0 : 2], module, scope);
    if (e.parts[2].is(call) && e.parts[2].text == "getattr") return word(e.parts[2], module, scope);
  }
  return {};
}

std::optional<PyValue> PyProgram::resolve(const PyExpr& e, int module, int scope, int depth) const {
  if (depth > kMaxDepth || ++steps_ > kMaxSteps) return std::nullopt;
  const auto here = [&](json v) {
    return PyValue{std::move(v), modules_[static_cast<std::size_t>(module)].at(e.line), strength::kCode};
  };
  switch (e.kind) {
    case number:
      if (!std::isfinite(e.number)) return std::nullopt;
      return here(number_json(e.number));
    case PyExpr::Kind::text:
      return here(e.text);
    case boolean:
      return here(e.number != 0);
    case list: {
      json items = json::array();
      for (const PyExpr& part : e.parts) {
        const auto v = resolve(part, module, scope, depth + 1);
        if (!v || v->value.is_array() || items.size() >= 20) return std::nullopt;
        items.push_back(v->value);
      }
      return here(std::move(items));
    }
    case binary:
      return of_binary(e, module, scope, depth);
    case call:
      return of_call(e, module, scope, depth);
    case name:
      return look_up(e.text, module, scope, depth + 1);
    case conditional: {
      if (e.parts.size() != 3) return std::nullopt;
      const auto a = resolve(e.parts[0], module, scope, depth + 1);
      if (e.parts[1].is(unknown) && a && truthy(a->value)) return a;  // a or b
      const auto b = resolve(e.parts[2], module, scope, depth + 1);
      if (e.parts[1].is(unknown)) return a ? b : std::nullopt;
      const auto test = resolve(e.parts[1], module, scope, depth + 1);
      if (test) return truthy(test->value) ? a : b;
      return same(a, b) ? a : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<PyValue> PyProgram::of_binary(const PyExpr& e, int module, int scope, int depth) const {
  const auto a = resolve(e.parts[0], module, scope, depth + 1);
  const auto b = a ? resolve(e.parts[1], module, scope, depth + 1) : std::nullopt;
  if (!b) return std::nullopt;
  PyValue v{nullptr, modules_[static_cast<std::size_t>(module)].at(e.line),
            std::min(a->strength, b->strength)};
  const bool compares = e.text == "==" || e.text == "!=" || e.text == "is";
  if (!compares && a->value.is_number() && b->value.is_number()) {
    const auto n = arithmetic(a->value.get<double>(), e.text, b->value.get<double>());
    if (!n) return std::nullopt;
    v.value = number_json(*n);
    return v;
  }
  if (compares) {
    v.value = (a->value == b->value) == (e.text != "!=");
    return v;
  }
  if (e.text == "+" && a->value.is_string() && b->value.is_string()) {
    v.value = (a->value.get<std::string>() + b->value.get<std::string>()).substr(0, 500);
    return v;
  }
  return std::nullopt;
}

std::optional<PyValue> PyProgram::of_call(const PyExpr& e, int module, int scope, int depth) const {
  const std::string_view last = e.last_name();
  const auto arg = [&](const PyExpr* p) {
    return p == nullptr ? std::nullopt : resolve(*p, module, scope, depth + 1);
  };
  if (e.text == "int" || e.text == "float" || e.text == "round") {
    auto v = arg(e.positional(0));
    if (!v) return v;
    if (v->value.is_string()) {
      char* end = nullptr;
      const std::string s = v->value.get<std::string>();
      const double n = std::strtod(s.c_str(), &end);
      if (s.empty() || *end != '\0' || !std::isfinite(n)) return std::nullopt;
      v->value = number_json(n);
    }
    if (e.text != "float" && v->value.is_number()) v->value = number_json(std::floor(v->value.get<double>()));
    return v;
  }
  if (e.text == "not") {
    auto v = arg(e.positional(0));
    if (v) v->value = !truthy(v->value);
    return v;
  }
  if (e.text == "str" || e.text == "bool" || e.text == "Path" || e.text == "max" || e.text == "min")
    return e.parts.size() == 1 ? arg(e.positional(0)) : std::nullopt;
  if (last == kGetEnv || e.text == "os.environ.get" || e.text == "environ.get") {
    auto v = arg(e.positional(1));
    if (v) v->strength = strength::kEnvironment;
    return v;
  }
  if (e.text == "getattr" && e.positional(1) != nullptr && e.positional(0)->is(name) &&
      e.positional(1)->is(PyExpr::Kind::text)) {
    if (auto v = look_up(e.positional(0)->text + "." + e.positional(1)->text, module, scope, depth + 1))
      return v;
    return arg(e.positional(2));
  }
  if (last == "get" && e.positional(0) != nullptr && e.positional(0)->is(PyExpr::Kind::text)) {
    const std::string owner = e.text.substr(0, e.text.size() - 4 < e.text.size() ? e.text.size() - 4 : 0);
    if (auto v = look_up(owner + "." + e.positional(0)->text, module, scope, depth + 1)) return v;
    return arg(e.positional(1));
  }
  if (last == "field" || last == "Field" || last == "Option" || last == "Argument" || last == "Arg") {
    const PyExpr* value = e.argument("default");
    auto v = arg(value != nullptr ? value : e.positional(0));
    if (v) v->strength = strength::kDefault;
    return v;
  }
  return std::nullopt;
}

std::optional<PyValue> PyProgram::agree(const std::vector<const PyBinding*>& found, int module,
                                        int depth) const {
  const auto value_of = [&](const PyBinding& b) {
    if (b.kind == BindingKind::parameter) return passed(b, module, depth);
    auto v = resolve(b.value, module, b.scope, depth + 1);
    if (v && b.kind == BindingKind::field) v->strength = strength::kDefault;
    return v;
  };
  std::vector<const PyBinding*> sure;
  for (const PyBinding* b : found)
    if (!b->in_branch) sure.push_back(b);
  if (sure.size() == 1) return value_of(*sure.front());
  const auto& all = sure.empty() ? found : sure;
  auto first = value_of(*all.front());
  for (std::size_t i = 1; i < all.size() && i < 20; ++i)
    if (!same(first, value_of(*all[i]))) return std::nullopt;
  return first;
}

std::optional<PyValue> PyProgram::passed(const PyBinding& parameter, int module, int depth) const {
  const PyModule& m = modules_[static_cast<std::size_t>(module)];
  const PyScope& function = m.scopes[static_cast<std::size_t>(parameter.scope)];
  std::string called = function.name;
  if (called == "__init__" && function.parent > 0)
    called = m.scopes[static_cast<std::size_t>(function.parent)].name;
  for (std::size_t i = 0; i < modules_.size(); ++i)
    for (const PyCall& c : modules_[i].calls)
      if (c.call.last_name() == called && live_[i][static_cast<std::size_t>(c.scope)])
        if (const PyExpr* given = c.call.argument(parameter.name))
          return resolve(*given, static_cast<int>(i), c.scope, depth + 1);
  auto v = resolve(parameter.value, module, parameter.scope, depth + 1);
  if (v) v->strength = strength::kDefault;
  return v;
}

std::optional<PyValue> PyProgram::look_up_local(const std::string& name, int module, int scope,
                                                int depth) const {
  const PyModule& m = modules_[static_cast<std::size_t>(module)];
  for (int s = scope; s >= 0; s = m.scopes[static_cast<std::size_t>(s)].parent) {
    steps_ += static_cast<int>(m.bindings.size() / 16);
    std::vector<const PyBinding*> found;
    for (const PyBinding& b : m.bindings)
      if (b.name == name && (b.scope == s || name.starts_with("self.")) && found.size() < 20)
        found.push_back(&b);
    if (!found.empty()) return agree(found, module, depth);
  }
  return std::nullopt;
}

std::optional<PyValue> PyProgram::look_up_setting(std::string_view name, int depth) const {
  if (const auto chosen = chosen_.find(name_key(name)); chosen != chosen_.end())
    for (const PyOption& o : options_)
      if (o.name == chosen->first) return chosen->second;
  std::optional<PyValue> first;
  for (const PyOption& o : options_) {
    if (o.name != name_key(name)) continue;
    auto v = resolve(o.value, o.module, 0, depth + 1);
    if (!v) continue;
    v->strength = strength::kDefault;
    v->source = modules_[static_cast<std::size_t>(o.module)].at(o.line);
    if (first && first->value != v->value) return std::nullopt;
    if (!first) first = std::move(v);
  }
  return first;
}

std::optional<PyValue> PyProgram::look_up(const std::string& name, int module, int scope, int depth) const {
  if (depth > kMaxDepth || ++steps_ > kMaxSteps) return std::nullopt;
  if (auto v = look_up_local(name, module, scope, depth)) return v;
  const PyModule& m = modules_[static_cast<std::size_t>(module)];
  const std::string_view last = last_of(name);
  if (last != name) {
    // cfg = Config(batch_size=8); cfg.batch_size
    const std::string owner = name.substr(0, name.size() - last.size() - 1);
    for (const PyBinding& b : m.bindings) {
      if (b.name != owner || !b.value.is(call)) continue;
      if (const PyExpr* given = b.value.argument(last)) return resolve(*given, module, b.scope, depth + 1);
      const std::string field = std::string(b.value.last_name()) + "." + std::string(last);
      for (std::size_t i = 0; i < modules_.size(); ++i)
        for (const PyBinding& f : modules_[i].bindings)
          if (f.kind == BindingKind::field && f.name == field) return agree({&f}, static_cast<int>(i), depth);
    }
    if (auto v = look_up_setting(last, depth)) return v;
  }
  // Imported: `from config import BATCH`, `import config; config.BATCH`.
  for (std::size_t i = 0; i < modules_.size(); ++i) {
    if (static_cast<int>(i) == module) continue;
    const bool by_module =
        last != name && modules_[i].path.ends_with(std::string(last_of(first_of(name))) + ".py");
    if (last != name && !by_module && name.find('.') != name.npos) {
      std::vector<const PyBinding*> dotted;
      for (const PyBinding& b : modules_[i].bindings)
        if (b.name == name && b.kind == BindingKind::field) dotted.push_back(&b);
      if (!dotted.empty()) return agree(dotted, static_cast<int>(i), depth);
      continue;
    }
    steps_ += static_cast<int>(modules_[i].bindings.size() / 16);
    std::vector<const PyBinding*> found;
    for (const PyBinding& b : modules_[i].bindings)
      if (b.scope == 0 && b.name == last && found.size() < 20) found.push_back(&b);
    if (!found.empty()) return agree(found, static_cast<int>(i), depth);
  }
  return std::nullopt;
}

}  // namespace vastgpu
