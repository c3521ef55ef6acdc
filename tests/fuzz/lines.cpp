#include "tests/fuzz/lines.h"

#include <array>
#include <vector>

#include "core/json.h"

namespace vastgpu {
namespace {

const std::vector<json>& seeds() {
  static const std::vector<json> kSeeds = [] {
    static constexpr std::array kLines = {
        R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{"elicitation":{"form":{}},"sampling":{},"roots":{}},"clientInfo":{"name":"c","version":"1"}}})",
        R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"elicitation":{}},"clientInfo":{"name":"c","version":"1"}}})",
        R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})",
        R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2024-11-05","capabilities":{},"clientInfo":{"name":"c","version":"1"}}})",
        R"({"jsonrpc":"2.0","method":"notifications/initialized"})",
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":5,"reason":"no"}})",
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"listen:0"}})",
        R"({"jsonrpc":"2.0","id":1,"method":"ping"})",
        R"({"jsonrpc":"2.0","id":"1","method":"tools/list","params":{"cursor":""}})",
        R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"text":"h\u00e9\"\\"}}})",
        R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"report","arguments":{"times":3},"_meta":{"progressToken":"p"}}})",
        R"({"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"throw"}})",
        R"({"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"wait","_meta":{"progressToken":7}}})",
        R"({"jsonrpc":"2.0","id":6,"method":"tools/call","params":{"name":"ask","arguments":{}}})",
        R"({"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"blocks"}})",
        R"({"jsonrpc":"2.0","id":8,"method":"prompts/list"})",
        R"({"jsonrpc":"2.0","id":9,"method":"prompts/get","params":{"name":"greet","arguments":{"who":"x"}}})",
        R"({"jsonrpc":"2.0","id":10,"method":"resources/list"})",
        R"({"jsonrpc":"2.0","id":11,"method":"resources/templates/list"})",
        R"({"jsonrpc":"2.0","id":12,"method":"resources/read","params":{"uri":"demo://jobs"}})",
        R"({"jsonrpc":"2.0","id":13,"method":"resources/subscribe","params":{"uri":"demo://jobs"}})",
        R"({"jsonrpc":"2.0","id":14,"method":"resources/unsubscribe","params":{"uri":"demo://jobs"}})",
        R"({"jsonrpc":"2.0","id":15,"method":"logging/setLevel","params":{"level":"debug"}})",
        R"({"jsonrpc":"2.0","id":16,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"greet"},"argument":{"name":"who","value":"a"}}})",
        R"({"jsonrpc":"2.0","id":17,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"demo://jobs/{id}"},"argument":{"name":"id","value":""},"context":{"arguments":{"x":"y"}}}})",
        R"([{"jsonrpc":"2.0","id":18,"method":"ping"},{"jsonrpc":"2.0","id":19,"method":"tools/call","params":{"name":"echo","arguments":{"text":"a"}}},{"jsonrpc":"2.0","method":"notifications/initialized"}])",
        R"({"jsonrpc":"2.0","id":0,"result":{"action":"accept","content":{"ok":true}}})",
        R"({"jsonrpc":"2.0","id":0,"error":{"code":-32601,"message":"no"}})",
        R"({"jsonrpc":"2.0","id":"d","method":"server/discover","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})",
        R"({"jsonrpc":"2.0","id":"m1","method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"}}}})",
        R"({"jsonrpc":"2.0","id":"m2","method":"tools/call","params":{"name":"report","arguments":{"times":2},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/logLevel":"info","progressToken":1}}})",
        R"({"jsonrpc":"2.0","id":"m3","method":"tools/call","params":{"name":"ask","arguments":{},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{"form":{}},"extensions":{"io.modelcontextprotocol/tasks":{}}}}}})",
        R"({"jsonrpc":"2.0","id":"m4","method":"tools/call","params":{"name":"ask","arguments":{},"inputResponses":{"ok":{"action":"accept","content":{"ok":true}}},"requestState":"v1.e30.AAAA","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"elicitation":{}}}}})",
        R"({"jsonrpc":"2.0","id":"m5","method":"resources/read","params":{"uri":"demo://jobs/1","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})",
        R"({"jsonrpc":"2.0","id":"listen:0","method":"subscriptions/listen","params":{"notifications":{"resourcesListChanged":true,"resourceSubscriptions":["demo://jobs"],"taskIds":["x"]},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}})",
        R"({"jsonrpc":"2.0","id":"t1","method":"tasks/get","params":{"taskId":"x","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}}})",
    };
    std::vector<json> all;
    for (const char* line : kLines) all.push_back(json::parse(line));
    return all;
  }();
  return kSeeds;
}

std::size_t pick(Dice& dice, std::size_t below) { return dice() % below; }

/// A node of the document, each about as likely as the others.
json* some_node(json& root, Dice& dice) {
  json* at = &root;
  while (at->is_structured() && !at->empty() && pick(dice, 4) != 0)
    at = &*std::next(at->begin(), static_cast<std::ptrdiff_t>(pick(dice, at->size())));
  return at;
}

json odd_value(Dice& dice) {
  switch (pick(dice, 14)) {
    case 0:
      return nullptr;
    case 1:
      return json::array();
    case 2:
      return json::object();
    case 3:
      return "";
    case 4:
      return 0;
    case 5:
      return -1;
    case 6:
      return 1.5;
    case 7:
      return std::numeric_limits<std::uint64_t>::max();
    case 8:
      return true;
    case 9:
      return std::string(pick(dice, 3000), 'x');
    case 10: {
      json deep = 1;
      for (auto levels = pick(dice, 200); levels > 0; --levels) deep = json::array({std::move(deep)});
      return deep;
    }
    case 11:
      return std::string("\x00\x1b[31m\u2028\xef\xbf\xbd", 11);
    case 12:
      return pick(dice, 30);  // an id that is in use, perhaps
    default: {
      json other = seeds()[pick(dice, seeds().size())];
      return *some_node(other, dice);
    }
  }
}

void change(json& message, Dice& dice) {
  json& at = *some_node(message, dice);
  switch (pick(dice, 4)) {
    case 0:
      at = odd_value(dice);
      return;
    case 1:
      if (at.is_object() && !at.empty())
        at.erase(std::next(at.begin(), static_cast<std::ptrdiff_t>(pick(dice, at.size()))));
      else
        at = odd_value(dice);
      return;
    case 2:
      if (at.is_object())
        at[pick(dice, 2) == 0 ? "_meta" : "id"] = odd_value(dice);
      else if (at.is_array())
        at.push_back(odd_value(dice));
      return;
    default: {
      json copy = at;
      at = pick(dice, 2) == 0 ? json::array({copy, copy}) : json{{"params", copy}};
    }
  }
}

void damage(std::string& line, Dice& dice) {
  static constexpr std::array kBits = {"null",    "{}",      "[]",       "\"\"", "1e999",
                                       "\\u0000", "\\ud800", "\xff\xfe", "\xc3", "[[[[",
                                       "}}}}",    ",",       ":",        "\r",   "\"id\":2,"};
  const std::size_t at = pick(dice, line.size() + 1);
  switch (pick(dice, 5)) {
    case 0:
      line.insert(at, kBits[pick(dice, kBits.size())]);
      return;
    case 1:
      line.erase(at, pick(dice, 10));
      return;
    case 2:
      if (at < line.size()) line[at] = static_cast<char>(dice());
      return;
    case 3:
      line.resize(at);
      return;
    default:
      line += seeds()[pick(dice, seeds().size())].dump();
  }
}

}  // namespace

std::string generated_line(Dice& dice) {
  json message = seeds()[pick(dice, seeds().size())];
  for (auto times = pick(dice, 4); times > 0; --times) change(message, dice);
  std::string line = message.dump(-1, ' ', false, json::error_handler_t::replace);
  if (pick(dice, 4) == 0)
    for (auto times = pick(dice, 4); times > 0; --times) damage(line, dice);
  std::erase(line, '\n');
  return line;
}

std::string generated_input(Dice& dice, std::size_t lines) {
  std::string input;
  for (std::size_t i = 0; i < lines; ++i)
    input += generated_line(dice) + (pick(dice, 8) == 0 ? "\r\n" : "\n");
  if (pick(dice, 4) == 0) input.pop_back();  // a last line without its end
  return input;
}

}  // namespace vastgpu
