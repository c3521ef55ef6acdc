#pragma once
// `vast-gpu doctor`: each check by itself, with the exact fix. One thread.

#include <string>
#include <vector>

#include "server/house.h"

namespace vastgpu {

struct DoctorOptions {
  bool as_json = false;
};

/// What one check found.
struct CheckResult {
  enum class Mark {
    ok,
    note,  ///< nothing is wrong, but one would like to know
    bad
  };
  std::string check;  ///< "key", "clock": one word, for scripts
  Mark mark = Mark::ok;
  std::string what;
  std::string fix = {};  ///< what to do or type; of a bad one always there
};

class Checkup {
 public:
  void good(const std::string& check, const std::string& what);
  void note(const std::string& check, const std::string& what, const std::string& fix = {});
  void bad(const std::string& check, const std::string& what, const std::string& fix);
  void take(const std::string& check, const Error& e) { bad(check, e.what, e.next_step); }
  bool all_well() const;
  const std::vector<CheckResult>& all() const { return all_; }

 private:
  std::vector<CheckResult> all_;
};

/// The text that people read, or one JSON object. Cleaned: nothing in it moves a cursor.
std::string to_text(const Checkup& findings);
json to_json(const Checkup& findings);

// The checks, each independent of what the others found. doctor_home.cpp asks no network; doctor_account.cpp
// asks the marketplace, until `stop`.
void check_home(House& house, Checkup& into);
void check_clients(House& house, const std::string& program, Checkup& into);
void check_network(House& house, const std::stop_token& stop, Checkup& into);
void check_account(House& house, const std::stop_token& stop, Checkup& into);
void check_rentals(House& house, const std::stop_token& stop, Checkup& into);

/// Prints what it finds. 0 when everything is well, 1 otherwise.
/// @param program  absolute path of this program
int doctor(House& house, const std::string& program, const DoctorOptions& options);

}  // namespace vastgpu
