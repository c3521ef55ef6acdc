#pragma once
// Forms: what a person is shown, and whether what came back fits it. A form is a flat JSON Schema in the
// words of 2025-11-25. Pure functions; any thread.

#include <optional>

#include "core/json.h"
#include "server/version.h"

namespace vastgpu {

/// The form as a client of this revision understands it; nullopt when it cannot be put in its words.
/// 2025-06-18 knows no titled choices, several choices at once, or defaults of text and numbers.
std::optional<json> form_for(const json& form, Version v);

/// What was filled in, without fields that the form does not have; nullopt when it does not fit the form.
std::optional<json> fitting(const json& form, const json& content);

}  // namespace vastgpu
