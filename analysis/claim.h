#pragma once
// What witnesses say about the settings of a task, and which of them counts. One thread at a time.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/evidence.h"
#include "analysis/setting.h"

namespace vastgpu {

/// How near a witness of one rank stands to what will run: of equal ranks the stronger wins.
namespace strength {
inline constexpr int kDefault = 0;      ///< an argparse default, a library's default that the code relies on
inline constexpr int kCode = 1;         ///< a literal in the code that runs
inline constexpr int kConfig = 2;       ///< a configuration file that the run reads
inline constexpr int kEnvironment = 3;  ///< a default of a variable used in the launch line
inline constexpr int kCommand = 4;      ///< the launch line itself
}  // namespace strength

struct Claim {
  std::string setting;  ///< a name of the table: "batch"
  json value;
  std::string source;  ///< "train.py:17"
  int rank = 8;
  int strength = 0;
  bool guess = false;
};

class ClaimBook {
 public:
  /// Names and values are brought into the table's form; what cannot be is dropped and said in `warnings`.
  void add(Claim claim);
  void add(std::vector<Claim> claims);

  /// The claim that counts, with those that differ in `overruled`; nullopt when nobody says anything.
  std::optional<Evidence> settle(std::string_view setting) const;

  std::optional<double> number(std::string_view setting) const;
  std::optional<int> integer(std::string_view setting) const;
  std::optional<bool> flag(std::string_view setting) const;
  std::optional<std::string> word(std::string_view setting) const;
  bool has(std::string_view setting) const { return claims_.contains(setting); }
  /// Of the claim that counts; 9 when nobody says anything.
  int rank_of(std::string_view setting) const;

  /// Settings that somebody spoke of, by name.
  std::vector<std::string> spoken_of() const;

  std::vector<std::string> warnings;

 private:
  const Claim* best(std::string_view setting) const;

  std::map<std::string, std::vector<Claim>, std::less<>> claims_;
};

}  // namespace vastgpu
