#include "core/text.h"
#include "remote/globs.h"
#include "remote/landing.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("globs stay within one part of the path unless told otherwise") {
  CHECK(glob_matches("*.py", "a.py"));
  CHECK_FALSE(glob_matches("*.py", "b/a.py"));
  CHECK(glob_matches("**.py", "b/a.py"));
  CHECK(glob_matches("**/a.py", "a.py"));
  CHECK(glob_matches("**/a.py", "x/y/a.py"));
  CHECK_FALSE(glob_matches("**/a.py", "x/ya.py"));
  CHECK(glob_matches("runs/**/m.json", "runs/m.json"));
  CHECK(glob_matches("runs/*/m.json", "runs/1/m.json"));
  CHECK_FALSE(glob_matches("runs/*/m.json", "runs/1/2/m.json"));
  CHECK(glob_matches("[a-c]?[!x]", "bzy"));
  CHECK_FALSE(glob_matches("[a-c]?[!x]", "bzx"));
  CHECK(glob_matches("\\*[", "*["));
  CHECK(glob_matches("[]]", "]"));
  CHECK(glob_matches("*", ""));
  CHECK_FALSE(glob_matches("?", ""));
  CHECK_FALSE(glob_matches("", "a"));
}

TEST_CASE("a pattern made to explode does not") {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "**a*";
  CHECK_FALSE(glob_matches(pattern, std::string(2000, 'a') + "b/"));
}

TEST_CASE("pattern lists match the path, its last part, or a folder above") {
  const Globs g({"*.py", "data/", "/top.txt", "docs/*.md", "*.egg/"});
  CHECK(g.matches_file("deep/down/x.py"));
  CHECK(g.matches_file("data/x.bin"));
  CHECK(g.matches_file("src/data/more/x.bin"));
  CHECK_FALSE(g.matches_file("data"));
  CHECK(g.matches_folder("src/data"));
  CHECK(g.matches_file("top.txt"));
  CHECK_FALSE(g.matches_file("sub/top.txt"));
  CHECK(g.matches_file("docs/a.md"));
  CHECK_FALSE(g.matches_file("other/docs/a.md"));
  CHECK(g.matches_file("lib/a.egg/x"));
  CHECK(Globs({}).empty());
}

TEST_CASE("names from a machine that must not land are told apart") {
  for (const std::string bad : {"", "/etc/passwd", "../x", "a/../../x", "a/./x", "a//x", ".git/config",
                                "a/.GIT/hooks/x", "a\nb", "a\tb", "a\x1b[2Jb", "a\x01", "a\xff",
                                "a\xe2\x80\xae"
                                "b"}) {
    CAPTURE(bad);
    CHECK(objection_to(bad));
  }
  CHECK(objection_to(std::string(256, 'n')));
  std::string deep;
  for (int i = 0; i < 2100; ++i) deep += "d/";
  CHECK(objection_to(deep + "f"));
  for (const std::string good :
       {"a", "-rf", "a b", "ünïcode/数据.json", ".hidden", "..x", "x..", ".gitignore", "a\\b"})
    CHECK_FALSE(objection_to(good));
}
