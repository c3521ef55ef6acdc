// One entry in and out of every format, with every other byte kept.

#include "clients/config_edit.h"
#include "tests/support/catch.h"

using namespace vastgpu;

namespace {

const KeyPath kPath{"mcpServers", "vast-gpu"};
const json kEntry{{"command", "/usr/bin/vast-gpu"}, {"args", {"serve"}}, {"timeout", 120000}};

std::string put(ConfigFormat format, const std::string& text, const KeyPath& path = kPath,
                bool whole = false) {
  const auto after = with_entry(format, text, path, kEntry, whole, "the file");
  INFO(text);
  if (!after) FAIL(after.error().what);
  return *after;
}

std::string take(ConfigFormat format, const std::string& text, std::size_t keep,
                 const KeyPath& path = kPath) {
  const auto after = without_entry(format, text, path, keep, "the file");
  INFO(text);
  if (!after) FAIL(after.error().what);
  return *after;
}

std::size_t depth(ConfigFormat format, const std::string& text, const KeyPath& path = kPath) {
  const auto view = view_config(format, text, path, "the file");
  REQUIRE(view);
  return view->depth;
}

std::string refusal(ConfigFormat format, const std::string& text) {
  const auto after = with_entry(format, text, kPath, kEntry, false, "the file");
  REQUIRE_FALSE(after);
  return after.error().what;
}

}  // namespace

TEST_CASE("an entry goes into JSON and out again, byte for byte") {
  const auto text = GENERATE(
      as<std::string>(),  //
      "{}", "{}\n", "{\n}\n", "{\n  \"a\": 1\n}\n", "{\"a\":1}",
      "{\r\n\t\"a\": [1, 2],\r\n\t\"mcpServers\": {\r\n\t\t\"x\": {\"command\": \"y\"}\r\n\t}\r\n}\r\n",
      "{\n    \"mcpServers\": {\n        \"x\": {\n            \"command\": \"y\"\n        }\n    },\n"
      "    \"z\": \"}{\\\"\"\n}",
      "{\"mcpServers\":{\"x\":{}},\"b\":null}", "\xEF\xBB\xBF{\n  \"a\": \"\xC3\xBC\"\n}\n");
  for (const auto format : {ConfigFormat::strict_json, ConfigFormat::commented_json}) {
    const std::string with = put(format, text);
    CAPTURE(text, with);
    CHECK(put(format, with) == with);
    const auto view = view_config(format, with, kPath, "the file");
    REQUIRE(view);
    CHECK(view->entry == kEntry);
    const std::string back = take(format, with, depth(format, text));
    CHECK((back == text || text == "{\n}\n"));  // an object of nothing may close up
  }
}

TEST_CASE("comments and trailing commas survive an entry that comes and goes") {
  const auto text = GENERATE(
      as<std::string>(),
      "// mine\n{\n  // theme\n  \"theme\": \"dark\", // as I like it\n  /* servers */\n  \"mcpServers\": {\n"
      "    \"x\": { \"command\": \"y\", }, // kept\n  },\n}\n// end\n",
      "{\n  \"theme\": \"dark\" // no comma here\n}\n", "{\n  \"mcpServers\": {\n    // none yet\n  }\n}\n",
      "{\n  \"mcpServers\": {\n    \"x\": {\"url\": \"http://a//b\"} /* one */ // two\n  }\n}\n",
      "{ \"a\": 1, /* b */ \"c\": [1, 2,], }");
  const std::string with = put(ConfigFormat::commented_json, text);
  CAPTURE(text, with);
  CHECK(put(ConfigFormat::commented_json, with) == with);
  CHECK(take(ConfigFormat::commented_json, with, depth(ConfigFormat::commented_json, text)) == text);
  for (const char* word : {"// mine", "// theme", "// as I like it", "/* servers */", "// kept", "// end",
                           "// no comma here", "// none yet", "/* one */ // two", "/* b */"})
    CHECK((text.find(word) == std::string::npos || with.find(word) != std::string::npos));
}

TEST_CASE("the entry looks as its neighbours do") {
  CHECK(put(ConfigFormat::strict_json, "{\n    \"mcpServers\": {\n        \"x\": {}\n    }\n}\n") ==
        "{\n    \"mcpServers\": {\n        \"x\": {},\n        \"vast-gpu\": {\n"
        "            \"args\": [\"serve\"],\n            \"command\": \"/usr/bin/vast-gpu\",\n"
        "            \"timeout\": 120000\n        }\n    }\n}\n");
  CHECK(put(ConfigFormat::strict_json, "") ==
        "{\n  \"mcpServers\": {\n    \"vast-gpu\": {\n      \"args\": [\"serve\"],\n"
        "      \"command\": \"/usr/bin/vast-gpu\",\n      \"timeout\": 120000\n    }\n  }\n}\n");
}

TEST_CASE("an older entry changes field by field; what the user added to it stays") {
  const std::string text =
      "{\"mcpServers\": {\n  \"vast-gpu\": {\n    \"command\": \"/old/vast-gpu\", // moved\n"
      "    \"args\": [\"serve\"],\n    \"env\": {\"A\": \"b\"}\n  },\n  \"z\": {}\n}}\n";
  const std::string with = put(ConfigFormat::commented_json, text);
  CHECK(with.find("\"command\": \"/usr/bin/vast-gpu\", // moved\n") != std::string::npos);
  CHECK(with.find("\"env\": {\"A\": \"b\"},\n    \"timeout\": 120000\n  },") != std::string::npos);
  const std::string replaced = put(ConfigFormat::commented_json, text, kPath, true);
  CHECK(replaced.find("env") == std::string::npos);
}

TEST_CASE("what cannot be read is refused with its place") {
  CHECK(refusal(ConfigFormat::strict_json, "{\n  \"a\": 1,\n}") ==
        "the file cannot be read: a comma before the closing brace at line 3, column 1");
  CHECK(refusal(ConfigFormat::strict_json, "{\n  // no\n}").find("line 2, column 3") != std::string::npos);
  CHECK(refusal(ConfigFormat::commented_json, "{\"a\" 1}").find("a colon was expected at line 1, column 6") !=
        std::string::npos);
  for (const char* broken :
       {"[]", "{", "{\"a\": }", "{\"a\": \"x}", "{\"a\": 1 \"b\": 2}", "{} {}", "{\"a\": tru}", "{/* }",
        "nothing", "{\"a\": [1,,2]}", "{,}", "{\"a\":\"\x01\"}"})
    CHECK(refusal(ConfigFormat::commented_json, broken).find("line 1") != std::string::npos);
  CHECK(refusal(ConfigFormat::commented_json, std::string(100, '[')).find("line 1") != std::string::npos);
  CHECK(refusal(ConfigFormat::commented_json, "{\"a\":" + std::string(100, '[')).find("deeper") !=
        std::string::npos);
  CHECK(refusal(ConfigFormat::strict_json, "{\"mcpServers\": []}").find("no object") != std::string::npos);
  CHECK(refusal(ConfigFormat::strict_json, "{\"mcpServers\": {}, \n\"mcpServers\": {}}")
            .find("twice, at line 2") != std::string::npos);
  CHECK(refusal(ConfigFormat::toml, "a = 1\nb = = 2\n").find("line 2") != std::string::npos);
}

TEST_CASE("a table goes into TOML and out again, byte for byte") {
  const KeyPath path{"mcp_servers", "vast-gpu"};
  const auto text = GENERATE(as<std::string>(),  //
                             "", "model = \"o\"  # mine\n", "model = \"o\"", "a = 1\r\n\r\n[b]\r\nc = 2\r\n",
                             "[mcp_servers.x]\ncommand = \"y\"\nargs = [\n  \"]\", # [not a "
                             "header]\n]\n\n[z]\n'q' = '''\n[mcp_servers.vast-gpu]\n'''\n",
                             "[[p]]\nn = 1\n[[p]]\nn = 2\n", "s = \"\"\"a\n[b]\\\"\"\"\"\nd = 2024-01-02\n");
  const std::string with = put(ConfigFormat::toml, text, path);
  CAPTURE(text, with);
  CHECK(with.starts_with(text));
  CHECK(put(ConfigFormat::toml, with, path) == with);
  CHECK(with.find("command = \"/usr/bin/vast-gpu\"") != std::string::npos);
  const std::string back = take(ConfigFormat::toml, with, 0, path);
  CHECK((back == text || back == text + "\n"));  // a last line without its end has one now
}

TEST_CASE("a TOML entry in another spelling, or in the middle, is found and leaves nothing behind") {
  const KeyPath path{"mcp_servers", "vast-gpu"};
  const std::string head = "# top\na = 1\n\n", tail = "[tail]\nb = 2 # end\n";
  for (const std::string entry :
       {"[mcp_servers.vast-gpu]\ncommand = \"/old/vast-gpu\" # where it was\nargs = [ \"serve\" ]\n",
        "[ mcp_servers . \"vast-gpu\" ]\ncommand = '/old/vast-gpu'\n[mcp_servers.vast-gpu.env]\nX = \"1\"\n",
        "[mcp_servers]\nvast-gpu = { command = \"/old/vast-gpu\" }\n",
        "[mcp_servers]\nvast-gpu.command = \"/old/vast-gpu\"\n"}) {
    const std::string text = head + entry + tail;
    const std::string with = put(ConfigFormat::toml, text, path);
    CAPTURE(text, with);
    CHECK(with.find("/old/") == std::string::npos);
    CHECK(with.find("/usr/bin/vast-gpu") != std::string::npos);
    if (entry.find("where") != std::string::npos) CHECK(with.find("# where it was") != std::string::npos);
    const std::string back = take(ConfigFormat::toml, with, 0, path);
    CHECK(back.find("/usr/bin/vast-gpu") == std::string::npos);
    CHECK(back.starts_with(head));
    CHECK(back.find(tail) != std::string::npos);
  }
  // An inline table cannot take a header, and its other entries are not ours to move.
  const auto refused = with_entry(ConfigFormat::toml, "mcp_servers = { x = { command = \"y\" } }\n", path,
                                  kEntry, false, "config.toml");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Code::wrong_state);
}

TEST_CASE("a text that is cut or has a wrong byte anywhere is refused, or changed without harm") {
  const KeyPath toml_path{"mcp_servers", "vast-gpu"};
  const std::string jsonc =
      "// a\n{\n  \"mcpServers\": { \"x\": {\"command\": \"y\\\"\", \"n\": [1, 2,], /* c */ }, },\n  \"z\": "
      "null // e\n}\n";
  const std::string toml =
      "a = 1 # c\n[mcp_servers.x]\nargs = [ \"]\", '#', ]\ns = "
      "\"\"\"\nx\n\"\"\"\n[mcp_servers.\"vast-gpu\"]\ncommand = 'v'\n[[t]]\nd = { e = 2 }\n";
  std::size_t accepted = 0;
  const auto harmless = [&](ConfigFormat format, const std::string& text, const KeyPath& path) {
    CAPTURE(text);
    const auto with = with_entry(format, text, path, kEntry, false, "the file");
    if (!with) return;  // the proof inside with_entry is what refuses a change that does more
    ++accepted;
    const auto view = view_config(format, *with, path, "the file");
    REQUIRE(view);
    CHECK(view->entry);
    const auto without = without_entry(format, *with, path, 0, "the file");
    if (without) CHECK_FALSE(view_config(format, *without, path, "the file")->entry);
  };
  for (const auto& [format, text, path] : {std::tuple{ConfigFormat::commented_json, jsonc, kPath},
                                           std::tuple{ConfigFormat::toml, toml, toml_path}})
    for (std::size_t i = 0; i < text.size(); ++i) {
      harmless(format, text.substr(0, i), path);
      for (const char wrong : {'\0', '"', '{', '}', '[', ']', ',', '/', '\n', '\\', '#', '=', '\xC3'}) {
        std::string changed = text;
        changed[i] = wrong;
        harmless(format, changed, path);
      }
    }
  CHECK(accepted > 300);
}

TEST_CASE("a change is shown without what stands around it") {
  CHECK(changed_lines("{\n  \"token\": \"secret\"\n}\n", "{\n  \"token\": \"secret\",\n  \"new\": 1\n}\n") ==
        "@@ line 2 @@\n+  \"new\": 1\n");
  CHECK(changed_lines("a\nb\nc\n", "a\nx\nc\n") == "@@ line 2 @@\n-b\n+x\n");
}
