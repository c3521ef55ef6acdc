// Logs and the two-word shell of stopped instances. Both answer with the address of a file that anybody can
// read.
#include <algorithm>
#include <charconv>

#include "core/text.h"
#include "sandbox/shop.h"

namespace vastgpu::sandbox {
namespace {

constexpr double kReadyAfter = 1;  // seconds until the file is there

std::string log_text(const Shop& shop, const Contract& c, const json& in) {
  std::string whole = !c.actual || c.actual == "loading" || c.actual == "created"
                          ? "Error response from daemon: No such container: C." + std::to_string(c.id) + "\n"
                          : shop.room.log(c.id);
  if (read_field<std::string>(in, "daemon_logs") == "true")
    whole = "dockerd: container C." + std::to_string(c.id) + "\n";
  auto lines = split(whole, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  if (const auto words = read_field<std::string>(in, "filter"); words && !words->empty())
    std::erase_if(lines, [&](const std::string& line) { return line.find(*words) == std::string::npos; });
  if (const auto tail = read_integer(in, "tail"); tail && *tail >= 0) {
    const auto keep = std::min<std::size_t>(lines.size(), static_cast<std::size_t>(*tail));
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(keep));
  }
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

std::string publish(Shop& shop, const Request& request, ResultFile file) {
  if (shop.results.size() > 500) shop.results.clear();  // old logs expire
  const std::string path = "/instance_logs/" + random_hex(20) + ".log";
  file.ready_at = shop.world.now() + kReadyAfter;
  shop.results[path] = std::move(file);
  return request.base_url + path;
}

/// The same words about other keys, as a log of a machine that we do not talk to would have them.
std::string with_other_keys(std::string log) {
  for (std::size_t at = 0; (at = log.find("SHA256:", at)) != std::string::npos; at += 7)
    for (std::size_t i = at + 7; i < log.size() && log[i] != ' ' && log[i] != '\n'; ++i)
      log[i] = log[i] == 'A' ? 'B' : 'A';
  return log;
}

Reply request_logs(Shop& shop, const Call& call) {
  const Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  const Scope scope{c->id, shop.world.boxes()[c->box].machine_id, ""};
  ResultFile file{.text = log_text(shop, *c, call.input)};
  if (shop.faults.fire("logs-empty", scope)) file.text.clear();
  if (shop.faults.fire("logs-of-another", scope)) file.text = with_other_keys(std::move(file.text));
  if (const auto misses = shop.faults.fire("logs-late", scope)) file.misses = std::atoi(misses->c_str());
  file.never = shop.faults.fire("logs-never", scope).has_value();
  return answer_with({{"success", true},
                      {"result_url", publish(shop, call.request, std::move(file))},
                      {"msg", "Please check result_url later."}});
}

Reply command(Shop& shop, const Call& call) {
  const Contract* c = shop.world.find(call.id());
  if (!c) return no_such_instance(call.id());
  const auto words = read_field<std::string>(call.input, "command");
  const std::string first = words ? split(*words, ' ').front() : "";
  const bool allowed = first == "ls" || first == "rm" || first == "du";
  if (!words || words->size() > 512 || !allowed || c->actual != "exited")
    return refuse(400, "invalid_args", "Invalid command given.");
  ResultFile file{.text = first == "ls" ? "total 0\n" : first == "du" ? "0\t.\n" : ""};
  return answer_with({{"success", true},
                      {"writeable_path", "/var/lib/docker"},
                      {"result_url", publish(shop, call.request, std::move(file))},
                      {"msg", "Command queued."}});
}

Reply result_file(Shop& shop, const Call& call) {
  const Reply missing{.status = 404,
                      .body = "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>",
                      .content_type = "application/xml"};
  const auto at = shop.results.find("/instance_logs/" + call.word);
  if (at == shop.results.end() || at->second.never || at->second.ready_at > shop.world.now()) return missing;
  if (at->second.misses > 0) {
    --at->second.misses;
    return missing;
  }
  return {.status = 200, .body = at->second.text, .content_type = "binary/octet-stream"};
}

}  // namespace

void add_log_routes(std::vector<Route>& routes) {
  routes.push_back({"PUT", "/api/v0/instances/request_logs/{}", request_logs});
  routes.push_back({"PUT", "/api/v0/instances/command/{}", command});
  routes.push_back({"GET", "/instance_logs/{word}", result_file});
}

}  // namespace vastgpu::sandbox
