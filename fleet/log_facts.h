#pragma once
// What the end of a log shows beyond progress: the last error, a loss that is no number, a question that
// waits for an answer. The log is whatever the job wrote; a word that is only quoted is no fact. Nothing in
// it can make this slow or large. Pure.

#include <optional>
#include <string>
#include <string_view>

namespace vastgpu {

/// The last error as it stands there: a Python traceback from its head to its last line, a CUDA, NCCL or
/// shell error with the lines around it. Of several the one that caused the others: not the launcher's report
/// of a child that failed. Cleaned, at most 30 lines and 3000 bytes; empty when nothing looks like one.
std::string error_block(std::string_view log);

/// The line that says which allocation failed on a GPU; empty when none does.
std::string out_of_memory_line(std::string_view log);

struct BadLoss {
  std::string name;  ///< "train_loss"
  std::string line;  ///< the newest that says it, cleaned
  int in_a_row = 0;  ///< of its newest readings, so many are no number
  bool infinite = false;
};
/// A loss whose newest reading is NaN or infinite. A gradient norm or a loss scale is none: mixed precision
/// lets them overflow and goes on.
std::optional<BadLoss> bad_loss(std::string_view log);

/// The question at the very end of the log, where no line break follows and it waits for an answer: a choice,
/// a password, a debugger. Empty when there is none.
std::string open_question(std::string_view log);

/// What an exit code means: "killed by signal 9", "command not found"; empty for what only the job knows.
std::string exit_words(int code);

}  // namespace vastgpu
