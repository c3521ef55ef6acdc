#pragma once
// The files of one program together: which functions its run can reach, and what names stand for. One thread
// at a time.

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/python_module.h"
#include "core/json.h"

namespace vastgpu {

/// What an expression stands for.
struct PyValue {
  json value;          ///< number, boolean, text or a list of them
  std::string source;  ///< where it is written: "train.py:17"
  int strength = 1;    ///< of analysis/claim.h: a literal, or a default that a caller can change
};

/// A setting that a caller may choose: an argument of a parser, a field of a class of settings.
struct PyOption {
  std::string name;  ///< "batch_size"
  PyExpr value;
  int module = 0;
  int line = 0;
  bool of_parser = true;
};

class PyProgram {
 public:
  /// The entry script is added first.
  void add(PyModule module);
  /// What the launch line gives an option, by name_key; it replaces the option's default.
  void choose(const std::string& option, json value, std::string source, int of_strength);
  /// After the last `add`: finds what can run and the options.
  void link();

  const std::vector<PyModule>& modules() const { return modules_; }
  bool lives(int module, int scope) const;
  /// Names used anywhere in what can run.
  bool mentions(std::string_view name) const { return mentions_.contains(name); }
  const std::vector<PyOption>& options() const { return options_; }

  /// nullopt where it depends on more than constants.
  std::optional<PyValue> resolve(const PyExpr& e, int module, int scope, int depth = 0) const;
  /// False where an `if` around the call is known not to be taken.
  bool runs(const PyCall& c, int module) const;
  /// "torch.bfloat16" for a name that is not bound in the program, or the text of a text.
  std::string word(const PyExpr& e, int module, int scope) const;

 private:
  std::optional<PyValue> look_up(const std::string& name, int module, int scope, int depth) const;
  std::optional<PyValue> look_up_local(const std::string& name, int module, int scope, int depth) const;
  std::optional<PyValue> look_up_setting(std::string_view name, int depth) const;
  std::optional<PyValue> of_call(const PyExpr& e, int module, int scope, int depth) const;
  std::optional<PyValue> of_binary(const PyExpr& e, int module, int scope, int depth) const;
  /// Of several bindings of one name: the one outside branches, or what all of them say.
  std::optional<PyValue> agree(const std::vector<const PyBinding*>& found, int module, int depth) const;
  std::optional<PyValue> passed(const PyBinding& parameter, int module, int depth) const;
  void find_options();

  std::vector<PyModule> modules_;
  std::vector<std::vector<bool>> live_;
  std::set<std::string, std::less<>> mentions_;
  std::vector<PyOption> options_;
  std::map<std::string, PyValue, std::less<>> chosen_;
  mutable int steps_ = 0;  ///< of all look-ups: what a hostile file can cost
};

/// A class whose fields are settings: "TrainConfig", "ModelArguments".
bool is_settings_class(std::string_view name);

}  // namespace vastgpu
