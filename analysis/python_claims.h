#pragma once
// What the calls and names of a Python program say about its task. One thread at a time.

#include "analysis/program_names.h"
#include "analysis/program_reading.h"
#include "analysis/python_program.h"

namespace vastgpu {

/// Adds claims, models, datasets, flags to the reading. The program is linked.
void take_python(const PyProgram& program, ProgramReading& into);

/// Configuration files that the program names: in calls that open them, as defaults of --config.
std::vector<Found<std::string>> configs_named(const PyProgram& program);

/// True when the program reads YAML, TOML or JSON settings, whatever their names.
bool reads_configs(const PyProgram& program);

// The parts of take_python.
class PyCallReader;
/// Trainers and their arguments, LoRA, quantization: the Hugging Face family. True when the call was known.
bool take_trainer_call(PyCallReader& r, const PyCall& c);
/// Loading of models and data, engines of inference. True when the call was known.
bool take_loading_call(PyCallReader& r, const PyCall& c);
/// Optimizers, autocast, data loaders, checkpoints, wrappers of plain PyTorch and Lightning.
bool take_torch_call(PyCallReader& r, const PyCall& c);
/// Writing and loading of checkpoints. True when the call was known.
bool take_saving_call(PyCallReader& r, const PyCall& c);

/// One call with the program around it.
class PyCallReader {
 public:
  PyCallReader(const PyProgram& p, ProgramReading& into) : program(p), out(into) {}

  const PyProgram& program;
  ProgramReading& out;
  int module = 0;
  mutable std::vector<std::vector<PyArm>> arms;  ///< of the models found in this module

  std::string at(const PyExpr& e) const {
    return program.modules()[static_cast<std::size_t>(module)].at(e.line);
  }
  bool imports(std::string_view from, std::string_view name) const;
  std::optional<PyValue> value(const PyCall& c, const PyExpr* e) const;
  std::optional<PyValue> keyword(const PyCall& c, std::string_view name) const {
    return value(c, c.call.argument(name));
  }
  std::string word(const PyCall& c, const PyExpr* e) const {
    return e == nullptr ? std::string{} : program.word(*e, module, c.scope);
  }
  /// True unless the argument is given and false.
  bool not_off(const PyCall& c, std::string_view name) const;
  void claim(std::string_view setting, const json& v, const std::string& source,
             int of_strength = strength::kCode, bool guess = false) const {
    add_claim(out.claims, setting, v, source, of_strength, guess);
  }
  /// Every keyword as a setting. `place` decides how freely names are taken.
  void claim_keywords(const PyCall& c, NamePlace place) const;
  void add_model(const PyCall& c, const std::string& name, const std::string& source, int of_strength) const;
  void need_bf16(const std::string& source) const {
    if (!out.needs_bf16) out.bf16_source = source;
    out.needs_bf16 = true;
  }
  /// "torch.bfloat16" as precision, and as bits where `stored`.
  void claim_dtype(const PyCall& c, const PyExpr* e, bool stored) const;
};

}  // namespace vastgpu
