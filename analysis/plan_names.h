#pragma once
// Names of models and datasets in one line of a plan, as written. Used by the plan reader only. Pure; any
// thread.

#include <string>
#include <string_view>
#include <vector>

#include "analysis/model_rules.h"

namespace vastgpu {

/// `named`: the line's label says that models follow, so that unknown names count, too.
std::vector<ModelMention> models_in(std::string_view text, bool named);

/// Known datasets; with `named` also the names that open the parts of `text`.
std::vector<std::string> datasets_in(std::string_view text, bool named);

}  // namespace vastgpu
