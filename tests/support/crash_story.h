#pragma once
// A story whose processes die: a sandbox, a project, and vast-gpu-crashing as server or command, started
// again after each death as an assistant or cron would. After every death, at the first answer after it, and
// at the end the rules of docs/money.md are held against the sandbox's own books and a copy of the ledger.
// One thread at a time; any number of stories side by side. Trouble is thrown as CrashTrouble.

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/json.h"
#include "server/child.h"
#include "state/ledger.h"
#include "tests/support/temp_folder.h"

namespace vastgpu {

struct CrashTrouble : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct CrashOptions {
  std::string program;   ///< vast-gpu: runs the sandbox
  std::string crashing;  ///< vast-gpu-crashing: dies
  double speed = 150;
  std::vector<std::string> faults = {};  ///< as `sandbox --fault`; the rate limit is off anyway
  bool machines = true;
};

/// Where the processes of a phase die, as a point is named in the switch ("ledger before 3"): the first one,
/// then the one after it. Empty: they do not.
struct Deaths {
  std::string first = {};
  std::string second = {};
};
using DeathPlan = std::map<std::string, Deaths>;  ///< by phase

/// What became of one phase.
struct PhaseEnd {
  std::vector<std::string> points;  ///< that its first process passed, "ledger before 3"
  bool died = false;                ///< its first process did, as planned
  bool died_twice = false;
};

class CrashStory {
 public:
  /// `whole`: phases that others do not need are played although nobody dies in them.
  CrashStory(const CrashOptions& options, DeathPlan deaths, bool whole);
  ~CrashStory();

  /// The processes that `play` needs die as the story says, and are replaced until `play` is through.
  void phase(const std::string& name, const std::function<void()>& play);
  /// One that no later phase needs: left out where nobody dies in it.
  void side_phase(const std::string& name, const std::function<void()>& play);

  /// One tool call over MCP: the same request again after a death. Structured content.
  /// @throw CrashTrouble  the answer is an error
  json ask(const std::string& tool, const json& arguments);
  /// The same, and an error is {"error": text}.
  json try_to(const std::string& tool, const json& arguments);
  /// Again while the outcome is one of these.
  json ask_while(const std::string& tool, const json& arguments, const std::vector<std::string>& meanwhile);
  /// provision and rent until the outcome is `wanted` (empty: any); a quote that expired is replaced. Gives
  /// the facts.
  json rent(const json& wish, const std::string& wanted, double wait_seconds = 600);

  struct Said {
    int code = -1;
    std::string text;
  };
  /// A command of the program, started again when it died.
  Said command(const std::vector<std::string>& arguments);
  /// The same until it exits with `code`.
  void pass_until(const std::vector<std::string>& arguments, int code,
                  Duration apart = std::chrono::seconds(30));

  /// The server ends, as when an assistant does.
  void close() { stop_server(); }
  /// The lease of an instance ends now in the ledger; null: of the only rental.
  void end_lease(const json& id);
  /// All that we know is lost; from here on contracts need no intent.
  void lose_ledger();
  int contracts();  ///< that were ever made
  bool whole() const { return whole_; }

  json admin(const std::string& method, const std::string& path, const json& body = json::object());
  void sleep_for(Duration simulated);
  TimePoint now() { return clock_->now(); }
  const std::filesystem::path& project() const { return project_; }
  std::filesystem::path state_folder() const { return folder_.path() / "state"; }
  void write(const std::string& relative, const std::string& content) { folder_.write(relative, content); }

  /// The rules that hold at any moment. `settled`: every living contract is known by its id, too.
  void check_now(const std::string& when, bool settled);
  /// Everything is gone, paid within what was shown, at home, and written down.
  void check_end();
  /// What other tools read of an instance.
  void check_listed(const json& id, const std::string& field, const std::string& value);
  void check_file(const std::string& relative, const std::string& content);

  const std::map<std::string, PhaseEnd>& ends() const { return ends_; }

 private:
  struct Books;
  std::map<std::string, std::string> environment_of_next();
  void start_server();
  void stop_server();
  bool note_process_end(int status);  // true: it died of a point
  std::optional<json> answer(const json& request);
  Books books();
  std::filesystem::path ledger_file() const;  // empty: there is none yet
  std::unique_ptr<Ledger> copy_of_ledger();

  CrashOptions options_;
  DeathPlan deaths_;
  bool whole_;
  bool lost_ledger_ = false;
  TempFolder folder_;
  std::filesystem::path project_;
  std::unique_ptr<Child> sandbox_;
  std::string url_, clock_text_;
  std::unique_ptr<ScaledClock> clock_;
  std::map<std::string, PhaseEnd> ends_;
  std::string phase_;  // empty: nobody dies
  int processes_ = 0;  // of this phase
  int copies_ = 0, next_id_ = 0;
  std::unique_ptr<Child> server_;
  std::string last_log_;
};

}  // namespace vastgpu
