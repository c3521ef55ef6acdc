// What of a folder travels: globs, .gitignore, .vastignore, secrets, limits.
#include <set>

#include "remote/local_tree.h"
#include "remote/secrets.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

SyncRules code_rules() {
  SyncRules rules;
  rules.include = {"*.py", "*.json", "*.txt"};
  rules.exclude = {".*", ".*/", "data/", "*.pt", "results/"};
  rules.ignore_files = true;
  return rules;
}

std::set<std::string> paths(const Result<LocalTree>& tree) {
  std::set<std::string> found;
  if (!tree) FAIL(tree.error().what);
  for (const LocalFile& f : tree->files) found.insert(f.path);
  return found;
}
using Set = std::set<std::string>;

}  // namespace

TEST_CASE(".gitignore at every level keeps things at home") {
  TempFolder p;
  for (const char* path :
       {"a.py", "b.py", "build/c.py", "src/d.py", "src/gen/e.py", "src/gen/keep.py", "x.txt"})
    p.write(path, "x");
  p.write(".gitignore", "build/\nb.py\n*.txt\n");
  p.write("src/.gitignore", "gen/*\n!gen/keep.py\n");
  const auto tree = walk_tree(p.path(), code_rules(), {});
  CHECK(paths(tree) == Set{"a.py", "src/d.py", "src/gen/keep.py"});
  CHECK(tree->stayed.by_ignore_files == 4);  // build/ counts once
  auto without = code_rules();
  without.ignore_files = false;
  CHECK(paths(walk_tree(p.path(), without, {})).size() == 7);
}

TEST_CASE(".vastignore has the last word, also beyond the globs and into what is excluded") {
  TempFolder p;
  for (const char* path :
       {"a.py", "b.py", "w.pt", "photo.png", "data/big.json", "data/small/x.csv", "data/small/y.bin",
        "data/other/z.csv", "assets/one.glb", "assets/two.py", "weights/tiny.pt", "weights/huge.pt"})
    p.write(path, "x");
  p.write(".gitignore", "assets/*\nb.py\n");
  SECTION("single files") {
    p.write(".vastignore", "a.py\n!b.py\n!photo.png\n!/data/small/*.csv\n!weights/tiny.pt\n");
    CHECK(paths(walk_tree(p.path(), code_rules(), {})) ==
          Set{"b.py", "photo.png", "data/small/x.csv", "weights/tiny.pt"});
  }
  SECTION("whole folders") {
    p.write(".vastignore", "!assets/\n!data/small/\n!weights/\nhuge.*\n");
    CHECK(paths(walk_tree(p.path(), code_rules(), {})) == Set{"a.py", "assets/one.glb", "assets/two.py",
                                                              "data/small/x.csv", "data/small/y.bin",
                                                              "weights/tiny.pt"});
  }
  SECTION("an excluded folder of its own") {
    p.write(".vastignore", "assets/\n!assets/two.py\n");
    CHECK(paths(walk_tree(p.path(), code_rules(), {})) == Set{"a.py"});  // as git: nothing below is wanted
  }
}

TEST_CASE("what may hold secrets stays at home whatever the files say") {
  TempFolder p;
  for (const char* path : {".env", ".env.local", "prod.env", "server.key", "tls.pem", "id_rsa", ".mcp.json",
                           "credentials.json", ".ssh/config", ".aws/credentials", ".claude/settings.json",
                           "conf/kaggle.json", "Vast-Instances.json", "opencode.json", "ok.json"})
    p.write(path, "x");
  fs::create_symlink("server.key", p.path() / "innocent.txt");
  p.write(".vastignore", "!*\n!.ssh/\n!.aws/\n!.claude/\n!*/\n");
  const auto tree = walk_tree(p.path(), code_rules(), {});
  CHECK(paths(tree) == Set{".vastignore", "ok.json"});
  CHECK(tree->stayed.secrets >= 12);
  CHECK_FALSE(tree->stayed.named.empty());
  auto everything = code_rules();
  everything.include = {"*"};
  everything.exclude = {};
  everything.ignore_files = false;
  CHECK(paths(walk_tree(p.path(), everything, {})) == Set{".vastignore", "ok.json"});
  CHECK_FALSE(may_hold_secrets("keyboard.py", false));
  CHECK_FALSE(may_hold_secrets("environment.yml", false));
  CHECK_FALSE(may_hold_secrets("monkey.txt", false));
}

TEST_CASE("too much: both numbers, the largest files and folders") {
  TempFolder p;
  p.write("sub/deep/big.txt", std::string(9000, 'x'));
  p.write("sub/two.txt", std::string(3000, 'x'));
  p.write("a.py", "x");
  auto rules = code_rules();
  rules.max_total = 10'000;
  const auto refused = walk_tree(p.path(), rules, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().what.find("12.0 kB in 3 files") != std::string::npos);
  CHECK(refused.error().what.find("limit of 10.0 kB") != std::string::npos);
  CHECK(refused.error().what.find("sub/deep/big.txt (9.0 kB)") != std::string::npos);
  CHECK(refused.error().what.find("sub/ (12.0 kB), sub/deep/ (9.0 kB)") != std::string::npos);
  rules.max_total = 100'000;
  rules.max_file = 5000;
  const auto tree = walk_tree(p.path(), rules, {});
  CHECK(paths(tree) == Set{"a.py", "sub/two.txt"});
  CHECK(tree->stayed.missed);
}
