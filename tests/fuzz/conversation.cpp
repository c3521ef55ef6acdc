#include "tests/fuzz/conversation.h"

#include <sys/mman.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "core/fd.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxLine = 8192;  // small, so that lines that are too long come often

Fd memory_file(std::string_view content) {
  Fd file(::memfd_create("conversation", MFD_CLOEXEC));
  while (!content.empty()) {
    const ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n <= 0) break;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string read_whole(const Fd& file) {
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  std::string all(static_cast<std::size_t>(std::max<off_t>(size, 0)), '\0');
  for (std::size_t at = 0; at < all.size();) {
    const ssize_t n = ::pread(file.get(), all.data() + at, all.size() - at, static_cast<off_t>(at));
    if (n <= 0) break;
    at += static_cast<std::size_t>(n);
  }
  return all;
}

std::vector<std::string_view> lines_of(std::string_view all) {
  std::vector<std::string_view> lines;
  while (!all.empty()) {
    const std::size_t end = all.find('\n');
    std::string_view line = all.substr(0, end);
    all.remove_prefix(end == std::string_view::npos ? all.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

bool is_id(const json& id) { return id.is_string() || id.is_number_integer(); }

/// What was put to the server under each id.
struct Asked {
  std::map<std::string, int> at_most;  ///< answers that may come
  std::map<std::string, int> exactly;  ///< of these, the ones that must, unless something was cancelled
  bool cancelled = false;

  /// `loosely`: an answer to it may come under no id, or with others.
  void take(const json& message, bool loosely) {
    if (!message.is_object()) return;
    const auto method = message.find("method");
    const auto id = message.find("id");
    if (id == message.end() || !is_id(*id)) {
      if (method != message.end() && *method == "notifications/cancelled") cancelled = true;
      return;
    }
    if (method == message.end() && (message.contains("result") || message.contains("error"))) return;
    ++at_most[id->dump()];
    if (!loosely) ++exactly[id->dump()];
  }
};

Asked asked_in(std::string_view input) {
  Asked asked;
  for (const std::string_view line : lines_of(input)) {
    if (line.size() > kMaxLine) continue;
    const json message = json::parse(line, nullptr, false);
    if (message.is_array())
      for (const json& part : message) asked.take(part, true);
    else
      asked.take(message, !parse_json(std::string(line), "a line"));  // too deep: the answer may lack the id
  }
  return asked;
}

/// Why this is no message that the server may send; counts it if it is an answer.
std::string wrong_with(const json& message, std::map<std::string, int>& answered) {
  if (!message.is_object() || message.value("jsonrpc", json()) != "2.0") return "no JSON-RPC";
  const bool method = message.contains("method"), result = message.contains("result"),
             error = message.contains("error");
  if (method) {
    if (result || error || !message.at("method").is_string()) return "neither a request nor an answer";
    const std::string name = message.at("method").get<std::string>();
    return message.contains("id") || name.starts_with("notifications/") ? "" : "an odd notification";
  }
  if (result == error) return "an answer has either a result or an error";
  if (error &&
      !(message.at("error").is_object() && message.at("error").value("code", json()).is_number_integer() &&
        message.at("error").value("message", json()).is_string()))
    return "an error has a code and a message";
  if (!message.contains("id")) return error ? "" : "a result without an id";
  if (!is_id(message.at("id"))) return "an odd id";
  ++answered[message.at("id").dump()];
  return "";
}

}  // namespace

std::string trouble_with(std::string_view input, const ServerParts& parts) {
  const Fd in = memory_file(input), out = memory_file("");
  ServerOptions options;
  options.input = in.get();
  options.output = out.get();
  options.workers = 2;
  options.max_line = kMaxLine;
  if (serve(parts, options) != 0) return "the server did not end with 0";

  const std::string said = read_whole(out);
  if (!said.empty() && said.back() != '\n') return "half a line came out";
  std::map<std::string, int> answered;
  for (const std::string_view line : lines_of(said)) {
    const json message = json::parse(line, nullptr, false);
    std::string wrong = message.is_array() && message.empty() ? "an empty batch" : "";
    if (message.is_array())
      for (const json& part : message) wrong += wrong_with(part, answered);
    else
      wrong = wrong_with(message, answered);
    if (!wrong.empty()) return wrong + ": " + std::string(line);
  }
  const Asked asked = asked_in(input);
  for (const auto& [id, times] : answered)
    if (const auto at = asked.at_most.find(id); at == asked.at_most.end() || times > at->second)
      return text("id ", id, " has ", times, " answers too many");
  if (!asked.cancelled)
    for (const auto& [id, times] : asked.exactly)
      if (const auto at = answered.find(id); at == answered.end() || at->second < times)
        return text("id ", id, " was asked ", times, " times and has fewer answers");
  return "";
}

}  // namespace vastgpu
