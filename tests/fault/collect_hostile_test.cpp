// Machines that lie in every answer of a collection. Whatever they say: nothing outside the folder, no
// receipt that lies, an end in bounded time and memory; and an honest machine is collected afterwards.
#include "tests/support/collect_bench.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

struct Lie {
  const char* what;
  const char* tool;         ///< the program that lies
  std::string script;       ///< its text
  const char* seen;         ///< in the problems or in the error; empty: only harmless
  const char* second = "";  ///< another program, and
  std::string second_script = {};
};

/// A find that lists one file of this type, size, times and path besides the real ones.
std::string listing(const std::string& type, const std::string& size, const std::string& times,
                    const std::string& path, const std::string& link = "") {
  return "/usr/bin/find \"$@\"; printf '" + type + " " + size + " " + times + " " + path + "\\0" + link +
         "\\0'";
}
std::string named(const std::string& path) { return listing("f f", "4", "1.5 1.5", path); }

std::vector<Lie> lies() {
  const std::string names = "N=$(cat | tr '\\0' '\\n'); ";
  const std::string good = "G=$(echo \"$N\" | grep good); ";
  const std::string record = "'f f 1 1.5 1.5 x@@'";
  return {
      {"an absolute path", "find", named("/tmp/vast-gpu-escape"), "absolute path"},
      {"a path that leads up", "find", named("../escape"), "leads upwards"},
      {"one that leads up later", "find", named("a/../../escape"), "leads upwards"},
      {"an empty part", "find", named("a//b"), "empty part"},
      {"a dot", "find", named("./good2"), "empty part"},
      {"an empty name", "find", named(""), ""},
      {"a git hook", "find", named("sub/.git/hooks/post-checkout"), "into .git"},
      {"a line break in a name", "find", named("a\\nb"), "control characters"},
      {"an escape in a name", "find", named("\\033[2Jboo"), "control characters"},
      {"a right-to-left mark", "find", named("\\342\\200\\256cod.exe"), "invisible"},
      {"bytes that are not UTF-8", "find", named("bad\\377"), "invisible"},
      {"a name of 256 bytes", "find", named(std::string(256, 'n')), "longer than 255"},
      {"a path of 5000 bytes", "find", named(std::string(2500, 'a') + "/" + std::string(2500, 'b')),
       "longer than"},
      {"a path of 4096 bytes that is not there", "find", named([] {
         std::string p;
         for (int i = 0; i < 16; ++i) p += std::string(254, 'd') + "/";
         return p + std::string(16, 'x');
       }()),
       ""},
      {"a name of 255 bytes that is not there", "find", named(std::string(255, 'n')), "cannot be read"},
      {"a name of ours", "find", named(".vast-gpu-part-of-1-2"), "a name that is ours"},
      {"the same name in capitals", "find", named("GOOD"), "already taken"},
      {"the same name again", "find", named("good"), ""},
      {"accents composed and not", "find", named("\\303\\251") + "; printf 'f f 4 1.5 1.5 e\\314\\201\\0\\0'",
       "cannot be read"},
      {"a trailing dot, and a device of Windows", "find",
       named("good.") + "; printf 'f f 4 1.5 1.5 CON\\0\\0'", "cannot be read"},
      {"a device", "find", listing("b b", "4", "1.5 1.5", "disk"), "not a file"},
      {"a link out of the folder", "find", listing("l f", "4", "1.5 1.5", "leak", "/etc/passwd"),
       "a link that leads"},
      {"a link to a folder outside", "find", listing("l d", "4", "1.5 1.5", "leak", "../.."),
       "a link that leads"},
      {"a negative size", "find", listing("f f", "-4", "1.5 1.5", "x"), "makes no sense"},
      {"a size beyond numbers", "find", listing("f f", "99999999999999999999", "1.5 1.5", "x"),
       "makes no sense"},
      {"a size beyond disks", "find", listing("f f", "70368744177665", "1.5 1.5", "x"), "makes no sense"},
      {"a size beyond our disk", "find", listing("f f", "60000000000000", "1.5 1.5", "x"), "are free at"},
      {"a time that is none", "find", listing("f f", "4", "x y", "x"), "makes no sense"},
      {"noise for a list", "find", "/usr/bin/head -c 100000 /dev/urandom", "makes no sense"},
      {"a list without end", "find", "yes " + record + " | tr -d '\\n' | tr '@' '\\0'", "100,000", "head",
       "exec cat"},
      {"a list that never comes", "find", "sleep 1000", ""},
      {"a list that dribbles", "find", "while sleep 0.2; do printf x; done", "next to nothing", "head",
       "exec cat"},
      {"a list of 300,000 files", "find",
       "seq -f 'f f 1 1.5 1.5 n%.0f' 1 300000 | sed 's/$/@@/' | tr -d '\\n' | tr '@' '\\0'", "100,000"},
      {"names without end in one path", "find", "printf 'f f 1 1.5 1.5 '; yes nnnnnnnn | tr -d '\\n'",
       "100,000"},
      {"a file nobody asked for", "tar", "cat >/dev/null; exec /usr/bin/tar -P -cf - /etc/hostname",
       "unasked"},
      {"everything twice", "tar",
       names + "printf '%s\\n' \"$N\" \"$N\" | /usr/bin/tar -P --hard-dereference -cf - -T -", ""},
      {"another content of the same size", "tar",
       names + good +
           "cp \"$G\" /tmp/$$; printf GOOD > /tmp/$$; /usr/bin/tar -P --transform \"s,/tmp/$$,$G,\" -cf - "
           "/tmp/$$; rm /tmp/$$",
       "changed while"},
      {"a larger file under a name", "tar",
       names + good + "/usr/bin/tar -P --transform \"s,/etc/services,$G,\" -cf - /etc/services",
       "changed while"},
      {"a link for a file", "tar",
       names + good +
           "ln -s /etc/passwd /tmp/$$; /usr/bin/tar -P --transform \"s,/tmp/$$,$G,\" -cf - /tmp/$$; rm "
           "/tmp/$$",
       "no longer a file"},
      {"a folder for a file", "tar",
       names + good + "/usr/bin/tar -P --no-recursion --transform \"s,/etc/ssl,$G,\" -cf - /etc/ssl", ""},
      {"a sparse file of a gigabyte", "tar",
       names + good +
           "truncate -s 1G /tmp/$$; /usr/bin/tar -P -S --transform \"s,/tmp/$$,$G,\" -cf - /tmp/$$; rm "
           "/tmp/$$",
       "changed while"},
      {"noise for an archive", "tar", "cat >/dev/null; exec /usr/bin/head -c 1000000 /dev/urandom",
       "archive"},
      {"an archive that never ends", "tar", "cat >/dev/null; exec cat /dev/zero", "", "zstd", "exec cat"},
      {"zeros without end, packed", "tar", "cat >/dev/null; exec cat /dev/zero", ""},
      {"an archive that dribbles", "tar", "cat >/dev/null; while sleep 0.1; do printf x; done",
       "next to nothing", "zstd", "exec cat"},
      {"nothing for an archive", "tar", "cat >/dev/null", ""},
      {"wrong hashes", "sha256sum",
       "tr '\\0' '\\n' | while read -r f; do :; done; for f; do case $f in /*) printf '%064d  %s\\0' 0 "
       "\"$f\";; esac; done",
       "changed while"},
      {"hashes of other files", "sha256sum", "printf '%064d  /etc/passwd\\0' 0", "hashed"},
      {"no hashes", "sha256sum", "exit 1", "hashed"},
      {"noise for hashes", "sha256sum", "/usr/bin/head -c 100000 /dev/urandom", "makes no sense"},
      {"hashes without end", "sha256sum", "yes x", ""},
      {"a large file that ends early", "dd", "exit 0", "changed while"},
      {"a large file without end", "dd", "exec cat /dev/zero", "more of a file"},
      {"other bytes of a large file", "dd",
       "for a; do case $a in count=*) c=${a#count=};; esac; done; /usr/bin/head -c $c /dev/zero; echo \"$c "
       "bytes\" >&2",
       "changed while"},
      {"a dd that says nonsense", "dd", "echo 99999999999999999999 bytes >&2", ""},
      {"a large file that dribbles", "dd", "while sleep 0.1; do printf x; done", "next to nothing"},
      {"a stat that lies", "stat", "echo nonsense", "makes no sense"},
  };
}

}  // namespace

TEST_CASE("a hostile machine writes nothing outside its folder, claims nothing, and exhausts nobody",
          "[collect]") {
  NEEDS_SSHD();
  TempFolder tools;
  RealSshd server(tools.path());
  CollectBench b(server);
  const std::string model = noise(300'000, 1);
  b.machine.write("results/good", "good");
  b.machine.write("results/model", model);
  // Small, so that each lie takes seconds at most.
  const CollectOptions brief{.big_file = 100'000,
                             .piece = 64'000,
                             .idle = std::chrono::milliseconds(700),
                             .slow_window = std::chrono::milliseconds(400)};
  const auto all = lies();
  REQUIRE(all.size() >= 50);
  for (const Lie& lie : all) {
    CAPTURE(lie.what);
    for (const auto& e : fs::directory_iterator(tools.path())) fs::remove(e.path());
    for (const auto& [tool, text] :
         {std::pair(std::string(lie.tool), lie.script), {lie.second, lie.second_script}}) {
      if (tool.empty()) continue;
      tools.write(tool, "#!/bin/sh\n" + text + "\n");
      fs::permissions(tools.path() / tool, fs::perms::owner_all);
    }
    fs::remove_all(b.local.path() / "results");
    auto shell = b.connect();
    const auto began = std::chrono::steady_clock::now();
    const auto got = b.collect(*shell, brief);
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
    std::string said;
    if (got) {
      b.check_truth(*got);
      for (const std::string& p : got->problems) {
        CHECK(clean_line(p, 10'000) == p);
        said += p + "\n";
      }
      if (got->complete) CHECK(got->files.size() == 2);
    } else {
      said = got.error().what;
      CHECK(got.error().effect == Effect::none);
      CHECK(clean_line(said, 10'000) == said);
    }
    CAPTURE(said);
    CHECK(said.find(lie.seen) != std::string::npos);
    // At home is nothing but what the machine truly has, and parts of it.
    for (const std::string& path : b.home_files()) {
      CAPTURE(path);
      CHECK(path.starts_with("results/"));
      const std::string name = path.substr(8);
      if (name.starts_with(".vast-gpu-part-of-")) continue;
      CHECK(b.at_home(name) == (name == "good" ? "good" : model));
    }
    CHECK_FALSE(fs::exists("/tmp/vast-gpu-escape"));

    for (const auto& e : fs::directory_iterator(tools.path())) fs::remove(e.path());
    auto honest = b.connect();
    const auto after = b.collect(*honest, brief);
    if (!after) FAIL(after.error().what);
    CHECK(after->complete);
    CHECK(after->files.size() == 2);
    b.check_truth(*after);
    CHECK(b.home_files() == std::set<std::string>{"results/good", "results/model"});
  }
}

TEST_CASE("odd names that harm nobody come home as they are", "[collect]") {
  NEEDS_SSHD();
  CollectBench b;
  const std::set<std::string> names{"\u00e9t\u00e9",
                                    "e\u0301te\u0301",
                                    "dot.",
                                    "space ",
                                    "CON",
                                    "aux.txt",
                                    "a:b",
                                    "-rf",
                                    "$(touch x)",
                                    "`id`",
                                    "'; rm -rf '",
                                    "back\\slash",
                                    "\"q\"",
                                    std::string(255, 'n'),
                                    "*",
                                    "?[a]"};
  for (const std::string& name : names) b.machine.write("results/" + name, "content of " + name);
  auto shell = b.connect();
  const bool pieces = GENERATE(false, true);
  const auto got = b.collect(*shell, {.big_file = pieces ? 1u : 1u << 24});
  if (!got) FAIL(got.error().what);
  CHECK(got->problems.empty());
  CHECK(got->complete);
  CHECK(got->files.size() == names.size());
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(b.at_home(name) == "content of " + name);
  }
}
