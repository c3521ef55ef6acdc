// The table of folders in ARCHITECTURE.md, held against every #include.

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "core/text.h"
#include "tests/support/catch.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

const std::map<std::string, std::set<std::string>> kMayInclude{
    {"core", {}},
    {"analysis", {"core"}},
    {"market", {"core"}},
    {"remote", {"core"}},
    {"state", {"core"}},
    {"fleet", {"analysis", "market", "remote", "state", "core"}},
    {"tools", {"fleet", "analysis", "market", "remote", "state", "core"}},
    {"prompts", {"core", "analysis"}},
    {"clients", {"core", "state"}},
    {"server",
     {"tools", "prompts", "clients", "fleet", "analysis", "market", "remote", "state", "sandbox", "core"}},
    {"sandbox", {"core"}},
};

// A library is one folder's business.
const std::map<std::string, std::set<std::string>> kOwners{
    {"httplib.h", {"market", "sandbox"}},
    {"libssh2.h", {"remote"}},
    {"archive.h", {"remote"}},
    {"archive_entry.h", {"remote"}},
    {"sqlite3.h", {"state"}},
    {"CLI/CLI.hpp", {"server"}},
    {"cmark-gfm.h", {"analysis"}},
    {"yaml.h", {"analysis"}},
    {"toml++/toml.h", {"analysis", "clients"}},
    {"pcre2.h", {"analysis"}},
    {"tree_sitter/api.h", {"analysis"}},
};

struct Line {
  std::string file, text;
};

std::vector<Line> lines_of(const std::string& folder, const std::regex& wanted) {
  std::vector<Line> found;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(VASTGPU_SOURCE_DIR) / folder)) {
    if (entry.path().extension() != ".h" && entry.path().extension() != ".cpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);)
      if (std::regex_search(line, wanted))
        found.push_back({fs::relative(entry.path(), VASTGPU_SOURCE_DIR).string(), line});
  }
  return found;
}

}  // namespace

TEST_CASE("a folder includes only what the table allows") {
  const std::regex include(R"(^\s*#\s*include\s*[<"]([^">]+)[">])");
  std::size_t seen = 0;
  for (const auto& [folder, allowed] : kMayInclude)
    for (const Line& line : lines_of(folder, include)) {
      ++seen;
      std::smatch match;
      REQUIRE(std::regex_search(line.text, match, include));
      const std::string name = match[1];
      INFO(line.file << " includes " << name);
      const std::string first = name.substr(0, name.find('/'));
      if (kMayInclude.contains(first) && name.find('/') != std::string::npos)
        CHECK((first == folder || allowed.contains(first)));
      CHECK(first != "tests");
      if (const auto owner = kOwners.find(name); owner != kOwners.end())
        CHECK(owner->second.contains(folder));
    }
  CHECK(seen > 300);  // an empty walk would prove nothing
}

TEST_CASE(
    "a type's name means one type: two of one name in one namespace are linked into each other unseen") {
  const std::regex definition(R"(^(?:struct|class|enum class) (\w+)(?: final)?(?: : [^{]*)?\s*\{)");
  std::set<std::string> common;  // headers of the namespace that all share
  for (const auto& [folder, allowed] : kMayInclude)
    for (const Line& line : lines_of(folder, std::regex("^namespace vastgpu \\{")))
      if (line.file.ends_with(".h")) common.insert(line.file);
  std::map<std::string, std::string> owner;
  for (const auto& [folder, allowed] : kMayInclude) {
    for (const Line& line : lines_of(folder, definition)) {
      if (!common.contains(line.file)) continue;
      std::smatch match;
      REQUIRE(std::regex_search(line.text, match, definition));
      const auto [at, first] = owner.emplace(match[1], line.file);
      INFO(line.file << " and " << at->second << " define " << match[1]);
      CHECK(first);
    }
  }
  CHECK(owner.size() > 300);
}

TEST_CASE("time and environment are injected: nobody below server reads them") {
  const std::set<std::string> allowed{"core/clock.cpp", "core/files.cpp"};
  const std::regex forbidden(
      R"(\b(getenv|secure_getenv|system_clock::now|std::time\(|gettimeofday|clock_gettime)\b)");
  for (const std::string folder :
       {"core", "analysis", "market", "remote", "state", "fleet", "tools", "prompts"})
    for (const Line& line : lines_of(folder, forbidden)) {
      if (line.text.find("//") != std::string::npos &&
          line.text.find("//") < line.text.find_first_not_of(" /"))
        continue;
      INFO(line.file << ": " << line.text);
      CHECK(allowed.contains(line.file));
    }
}

TEST_CASE("nothing of the product prints to stdout but the program's own commands") {
  const std::regex prints(R"(\b(std::cout|printf\(|puts\())");
  for (const std::string folder :
       {"core", "analysis", "market", "remote", "state", "fleet", "tools", "prompts"})
    for (const Line& line : lines_of(folder, prints)) {
      if (line.text.find("snprintf(") != std::string::npos) continue;
      INFO(line.file << ": " << line.text);
      CHECK(false);
    }
}

TEST_CASE("the protocol engine stands on core and the bare idea of a tool, so that it builds alone") {
  std::ifstream build(fs::path(VASTGPU_SOURCE_DIR) / "CMakeLists.txt");
  const std::string all{std::istreambuf_iterator<char>(build), {}};
  std::smatch list;
  REQUIRE(std::regex_search(all, list, std::regex(R"(set\(protocol ([^)]+)\))")));
  const std::string names = list[1];
  const std::set<std::string> of_tools{"tools/tool.h",    "tools/asking.h",   "tools/resource.h",
                                       "tools/suggest.h", "prompts/prompt.h", "state/stored_task.h"};
  const std::regex word(R"(([a-z_]+)\.cpp)"), include(R"rx(#include "([^"]+)")rx");
  std::set<std::string> engine{"server/task_store"};  // an interface, without a .cpp
  for (std::sregex_iterator it(names.begin(), names.end(), word), end; it != end; ++it)
    engine.insert("server/" + (*it)[1].str());
  CHECK(engine.size() > 10);
  for (const std::string& part : engine)
    for (const char* kind : {".h", ".cpp"}) {
      std::ifstream in(fs::path(VASTGPU_SOURCE_DIR) / (part + kind));
      for (std::string line; std::getline(in, line);) {
        std::smatch match;
        if (!std::regex_search(line, match, include)) continue;
        const std::string name = match[1];
        INFO(part << kind << " includes " << name);
        const bool own = engine.contains(name.substr(0, name.find('.')));
        CHECK((own || name.starts_with("core/") || of_tools.contains(name)));
      }
    }
}
