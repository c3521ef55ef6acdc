#pragma once
// A sandbox process of its own, a project, and the ten tools in this process against it: real sockets, real
// SSH, real SQLite, scaled time. Everything ends with its owner. One thread at a time, but calls may run side
// by side.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/json.h"
#include "server/child.h"
#include "server/house.h"
#include "tests/support/temp_folder.h"
#include "tools/tool.h"

namespace vastgpu {

struct StageOptions {
  double speed = 150;                    ///< a boot of 275 simulated seconds takes about two real ones
  std::vector<std::string> faults = {};  ///< as `sandbox --fault`
  double credit = 25;
  std::string api_key = "sandbox-key";  ///< what our side sends; empty: none
  bool machines = true;
  int offers = 400;
  bool keeper = false;  ///< servers of their own may start one
};

class RentalStage {
 public:
  RentalStage(const std::string& program, const StageOptions& options);
  ~RentalStage();

  /// One tool call in this process; progress is kept in `progress`.
  Result<Envelope> call(const std::string& tool, const json& arguments, std::stop_token stop = {});
  /// As an assistant: again while the outcome is `meanwhile`.
  Result<Envelope> call_until(const std::string& tool, const json& arguments, const std::string& meanwhile);

  /// provision, then the first quote of the answer.
  Result<std::string> quote(const json& arguments = json::object());
  /// provision and rent until it is ready or failed.
  Result<Envelope> rent(const json& provision_arguments = json::object());

  json admin(const std::string& method, const std::string& path, const json& body = json::object());
  json state() { return admin("GET", "/admin/state"); }
  void fault(const json& wanted) { admin("POST", "/admin/faults", wanted); }
  void no_fault(const std::string& name) { admin("DELETE", "/admin/faults/" + name); }
  int creates_sent();  ///< PUT asks/{id} that reached the marketplace

  /// A new house on the same state: as after a restart of the server.
  void restart_house();
  House& house() { return *house_; }
  Deps deps();
  const std::filesystem::path& project() const { return project_; }
  TempFolder& folder() { return folder_; }
  std::map<std::string, std::string> environment() const;  ///< for a server process of its own
  json instance_file() const;

  std::vector<std::string> progress;
  std::function<void(const std::string&)> on_progress = {};  ///< called in the tool's own thread

 private:
  TempFolder folder_;
  std::filesystem::path project_;
  StageOptions options_;
  std::unique_ptr<Child> sandbox_;
  std::string url_, clock_;
  std::unique_ptr<House> house_;
  std::vector<Tool> tools_;
};

}  // namespace vastgpu
