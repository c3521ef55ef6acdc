#pragma once
// One run of a prompt: its words, or the form that it asks with. Pure but for the prompt's own functions; any
// thread.

#include "prompts/prompt.h"
#include "server/questions.h"

namespace vastgpu {

/// What was filled in joins the arguments that were given; a form that nobody filled in is not asked again.
/// Its result is an error (-32602) where an argument is missing, or the prompt refuses what it got.
Round prompt_round(const Prompt& prompt, std::map<std::string, std::string> arguments, Version v,
                   const CallContext& call);

}  // namespace vastgpu
