#pragma once
// What names of options, configuration keys and arguments say about a task. Constant and pure; any thread.

#include <string>
#include <string_view>
#include <vector>

#include "analysis/claim.h"

namespace vastgpu {

/// Where a name stands. An option of a program may be called `--dim`; as an argument of any function that
/// word says nothing.
enum class NamePlace {
  option,    ///< of a command line, a configuration, a dataclass of settings
  argument,  ///< of a call in the code
};

/// A name without its case, leading dashes, and with `_` for `-`.
std::string name_key(std::string_view name);

/// What `name = value` says; nothing for names that are not known, and for values that cannot be ("auto").
/// Every claim has rank::kScript.
std::vector<Claim> claims_of_name(std::string_view name, const json& value, const std::string& source,
                                  int strength, NamePlace place = NamePlace::option);

/// One claim in the form of the table; nothing when the value is none of this setting.
void add_claim(std::vector<Claim>& into, std::string_view setting, const json& value,
               const std::string& source, int strength, bool guess = false);

bool names_a_model(std::string_view name);
/// A variable or option for a model beside the one that is worked on: "teacher", "ref_model", "vae".
bool is_side_role(std::string_view name);
bool names_a_dataset(std::string_view name);
/// `--config`, `--config_file`, `--cfg`...
bool names_a_config(std::string_view name);

/// What the name or word given for DeepSpeed says: "ds_z3_offload_config.json", "zero2".
std::vector<Claim> claims_of_deepspeed_name(std::string_view value, const std::string& source, int strength);

}  // namespace vastgpu
