#include "tests/support/wire_transcript.h"

#include <algorithm>
#include <fstream>
#include <stdexcept>

#include "core/text.h"
#include "tests/support/wire_client.h"

namespace vastgpu {
namespace {

struct Expected {
  int line;
  json message;
};

/// Waits until every expected message has come; the order does not matter.
void settle(WireClient& client, std::vector<Expected>& open, std::vector<std::string>& wrong) {
  while (!open.empty()) {
    json got;
    try {
      got = client.next();
    } catch (const std::runtime_error& e) {
      for (const Expected& e2 : open) wrong.push_back(text("line ", e2.line, ": ", e.what()));
      open.clear();
      return;
    }
    const auto at = std::ranges::find_if(open, [&](const Expected& e) { return matches(e.message, got); });
    if (at == open.end()) {
      wrong.push_back(text("line ", open.front().line, ": expected ", open.front().message.dump(), "\n  got ",
                           got.dump()));
      open.erase(open.begin());
    } else {
      open.erase(at);
    }
  }
}

}  // namespace

bool matches(const json& expected, const json& got) {
  if (expected == "*") return true;
  if (expected.type() != got.type() && !(expected.is_number() && got.is_number())) return false;
  if (expected.is_object()) {
    const bool open = expected.contains("...");
    for (const auto& [key, value] : expected.items())
      if (key != "..." && !(got.contains(key) && matches(value, got.at(key)))) return false;
    return open || expected.size() == got.size();
  }
  if (expected.is_array())
    return expected.size() == got.size() &&
           std::equal(expected.begin(), expected.end(), got.begin(), matches);
  return expected == got;
}

std::vector<std::string> play_transcript(const std::filesystem::path& file, const ServerParts& parts) {
  std::vector<std::string> wrong;
  std::vector<Expected> open;
  WireClient client(parts);
  std::ifstream in(file);
  if (!in) return {"cannot read " + file.string()};
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.starts_with("< ")) {
      const json message = json::parse(line.substr(2), nullptr, false);
      if (message.is_discarded())
        wrong.push_back(text("line ", number, " is no JSON"));
      else
        open.push_back({number, message});
    } else if (line.starts_with("> ") || line == ">") {
      settle(client, open, wrong);
      client.send(line.substr(std::min<std::size_t>(2, line.size())));
    } else if (!line.empty() && line[0] != '#') {
      wrong.push_back(text("line ", number, " starts neither with >, < nor #"));
    }
  }
  settle(client, open, wrong);
  for (const json& extra : client.finish()) wrong.push_back("not expected: " + extra.dump());
  if (client.exit_code() != 0) wrong.push_back("the server did not end with 0");
  return wrong;
}

}  // namespace vastgpu
