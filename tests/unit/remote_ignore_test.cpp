// .gitignore as git reads it: known corners by hand, and thousands of generated ones against git itself.
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>

#include "core/files.h"
#include "core/text.h"
#include "remote/ignore_rules.h"
#include "tests/support/catch.h"
#include "tests/support/real_sshd.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;
using Verdict = IgnoreFile::Verdict;

namespace {

bool ignores(const std::string& lines, const std::string& path, bool is_folder = false) {
  return IgnoreFile(lines, "").verdict(path, is_folder) == Verdict::ignored;
}

/// As git walks: an ignored folder is final; a deeper file of rules goes before a shallower one.
bool ignored_by(const std::map<std::string, std::string>& files, const std::string& path, bool is_folder) {
  std::vector<IgnoreFile> rules;
  for (std::size_t end = 0; end != std::string::npos;) {
    const std::string folder = end == 0 ? "" : path.substr(0, end);
    if (const auto at = files.find(folder); at != files.end()) rules.emplace_back(at->second, folder);
    end = path.find('/', end == 0 ? 0 : end + 1);
    const bool last = end == std::string::npos;
    for (auto r = rules.rbegin(); r != rules.rend(); ++r) {
      const Verdict v = r->verdict(path.substr(0, end), last ? is_folder : true);
      if (v == Verdict::silent) continue;
      if (v == Verdict::ignored) return true;
      break;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("ignore lines: anchors, folders, stars, escapes, order") {
  CHECK(ignores("*.log", "a/b.log"));
  CHECK(ignores("/build", "build"));
  CHECK_FALSE(ignores("/build", "a/build"));
  CHECK_FALSE(ignores("data/", "data"));
  CHECK(ignores("data/", "x/data", true));
  CHECK_FALSE(ignores("a/b", "x/a/b"));
  CHECK(ignores("**/b", "x/a/b"));
  CHECK(ignores("**/b", "b"));
  CHECK(ignores("a/**/b", "a/b"));
  CHECK(ignores("a/**/b", "a/x/y/b"));
  CHECK(ignores("a/**", "a/x/y"));
  CHECK_FALSE(ignores("a/**", "a", true));
  CHECK_FALSE(ignores("a/*", "a/b/c"));
  CHECK(ignores("a*b", "axxb"));
  CHECK(ignores("\\#x", "#x"));
  CHECK(ignores("\\!x", "!x"));
  CHECK_FALSE(ignores("# x", "# x"));
  CHECK(ignores("x  ", "x"));
  CHECK(ignores("x\\ ", "x "));
  CHECK(ignores("x\r\ny\r\n", "y"));
  CHECK(ignores("\xEF\xBB\xBFx\n", "x"));
  CHECK_FALSE(ignores("*.py\n!keep.py\n", "keep.py"));
  CHECK(ignores("!keep.py\n*.py\n", "keep.py"));
  CHECK(ignores("[[:digit:]]x", "7x"));
  CHECK_FALSE(ignores("[!a-c]x", "bx"));
  CHECK_FALSE(ignores("[abc", "[abc"));
  CHECK_FALSE(ignores("x\\", "x\\"));
  CHECK(ignores("数据/*", "数据/a"));
}

TEST_CASE("a line with an exclamation mark opens the folders on its way") {
  const IgnoreFile rules("!data/small/*.csv\n!weights/**/best.pt\n!*.bin\n!**/x\n", "");
  CHECK(rules.wants_below("data"));
  CHECK(rules.wants_below("data/small"));
  CHECK_FALSE(rules.wants_below("data/large"));
  CHECK(rules.wants_below("weights/a/b"));
  CHECK_FALSE(rules.wants_below("other"));
}

TEST_CASE("thousand stars take no time") {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "*a";
  CHECK_FALSE(ignores(pattern, std::string(2000, 'b')));
}

TEST_CASE("generated trees: what git check-ignore says") {
  if (std::system("git --version >/dev/null 2>&1") != 0) {
    WARN("skipped: git is not installed");
    return;
  }
  std::mt19937 random(20261);
  const auto pick = [&](const auto& list) { return list[random() % list.size()]; };
  const std::vector<std::string> names = {"a",  "b",     "ab",   "data", "x.py", "y.log", "a b",
                                          "#x", "a.b.c", "!neg", "[q]",  "é",    "-dash", "Foo"};
  const std::vector<std::string> bits = {
      "a",  "b",   "*",    "**",   "/",    "?",    "x",   ".",           "py",  "[ab]", "[!a]", "data",
      "\\", "log", "**/",  "/**",  "a/",   "!",    "#",   " ",           "é",   "[",    "]",    "[a-z]",
      "-",  "\\ ", "[^.]", "*.py", "/**/", "[]a]", "\\*", "[[:alpha:]]", "[a-", "Foo"};
  std::size_t asked = 0, found = 0;
  for (int round = 0; round < 60; ++round) {
    TempFolder repo;
    const std::string root = shell_quote(repo.path().string());
    std::set<std::string> files, folders;
    for (int i = 0; i < 40; ++i) {
      std::string path;
      for (std::size_t depth = 1 + random() % 4; depth > 0; --depth)
        path += (path.empty() ? "" : "/") + pick(names);
      std::error_code bad;
      fs::create_directories((repo.path() / path).parent_path(), bad);
      if (bad || fs::exists(repo.path() / path)) continue;
      std::ofstream(repo.path() / path) << "x";
    }
    for (const auto& e : fs::recursive_directory_iterator(repo.path()))
      (e.is_directory() ? folders : files).insert(fs::relative(e.path(), repo.path()).string());
    std::map<std::string, std::string> rules;
    for (std::size_t k = 0; k < 1 + random() % 4; ++k) {
      std::string folder;
      if (k > 0 && !folders.empty())
        folder = *std::next(folders.begin(), static_cast<long>(random() % folders.size()));
      std::string& text = rules[folder];
      for (std::size_t n = random() % 8; n > 0; --n) {
        std::string line = random() % 4 == 0 ? "!" : "";
        if (random() % 5 == 0) line += "/";
        for (std::size_t m = 1 + random() % 5; m > 0; --m) line += random() % 3 ? pick(bits) : pick(names);
        if (random() % 4 == 0) line += "/";
        text += line + (random() % 6 == 0 ? "\r\n" : "\n");
      }
    }
    for (const auto& [folder, text] : rules) std::ofstream(repo.path() / folder / ".gitignore") << text;
    std::string list;
    for (const auto* set : {&files, &folders})
      for (const std::string& path : *set) list += path + std::string(1, '\0');
    repo.write(".list", list);
    const std::string out = output_of(
        "cd " + root +
        " && git init -q . && git -c core.excludesFile=/dev/null check-ignore --no-index -z --stdin < .list");
    std::set<std::string> ignored;
    for (const std::string& path : split(out, '\0'))
      if (!path.empty()) ignored.insert(path);
    for (const auto* set : {&files, &folders})
      for (const std::string& path : *set) {
        ++asked;
        found += ignored.count(path);
        if (ignored_by(rules, path, set == &folders) == (ignored.count(path) > 0)) continue;
        std::string all;
        for (const auto& [folder, text] : rules) all += "[" + folder + "]\n" + text;
        CAPTURE(path, all, ignored.count(path));
        CHECK(false);
      }
  }
  CHECK(asked > 1000);
  CHECK(found > 200);
}
