#pragma once
// What questions to the person need between processes: one secret key of this user, and a mark for every
// answer that was used. Thread-safe, and safe beside other processes on the same folder. Makes its files when
// first asked.

#include <filesystem>
#include <mutex>

#include "core/clock.h"
#include "core/error.h"
#include "core/secret.h"

namespace vastgpu {

class AskMarks {
 public:
  /// `folder`: the user's state folder; holds ask.key and asked/ then.
  explicit AskMarks(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// 32 random bytes, made by whoever asks first and the same for everybody from then on.
  /// @error corrupt      the file does not hold a key
  /// @error unavailable  it can be neither read nor made
  Result<Secret> key();

  /// True for the first caller of all processes, false ever after; on disk when it returns. Marks of what is
  /// long over (`until` passed by an hour, and the file is a day old) are removed on the way.
  /// @param mark  a plain name
  /// @error unavailable  it is not known whether it was used: treat it as used
  Result<bool> take(const std::string& mark, TimePoint until, TimePoint now);

 private:
  const std::filesystem::path folder_;
  std::mutex mutex_;
  Secret key_;
};

}  // namespace vastgpu
