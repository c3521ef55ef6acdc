#pragma once
// What must not be shown, taken out of text that is about to be. The last line of defence: nothing relies on
// it, everything that leaves the program passes it. Any thread.

#include <string>
#include <string_view>

#include "core/json.h"
#include "core/secret.h"

namespace vastgpu {

/// From here on this process shows "***" in place of the value. Shorter than eight bytes: ignored, since it
/// would tear up other text. The newest 256 are kept.
void conceal_from_now(const Secret& value);

/// HF_TOKEN, wandb-api-key: a name whose value is a secret.
bool names_a_secret(std::string_view name);

/// Takes out the values above, private keys in PEM, bearer tokens, tokens with a well-known beginning (hf_,
/// ghp_, sk-, AKIA...), and what stands after NAME= or NAME: where the name ends in token, secret, password
/// or key and the value looks random (16 or more characters, letters and digits mixed).
std::string concealed(std::string text);

/// The same for every string of a document; names of fields are ours and stay. Also cleans both of control
/// characters, terminal escapes and invisible text.
json concealed_document(json document);

}  // namespace vastgpu
