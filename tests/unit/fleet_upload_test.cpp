// What setup would send: code by rules, data by name, limits; and what requirements.txt draws in.
#include "core/text.h"
#include "fleet/requirements.h"
#include "fleet/upload.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;
namespace fs = std::filesystem;

namespace {

bool mentions(const Error& e, const std::string& words) { return e.what.find(words) != std::string::npos; }

}  // namespace

TEST_CASE("data paths keep their place inside the project and get one of their own outside") {
  TempFolder p, elsewhere;
  p.write("train.py", "x");
  p.write("data/train/a.bin", std::string(1000, 'x'));
  p.write("data/one [1].csv", "1,2");
  elsewhere.write("corpus/b.txt", "x");
  elsewhere.write("words.txt", "x");
  fs::create_directory_symlink(elsewhere.path() / "corpus", p.path() / "linked");
  const auto plan =
      plan_upload(p.path(),
                  {.data = {"data/train/", "data/one [1].csv", (elsewhere.path() / "corpus").string(),
                            (elsewhere.path() / "words.txt").string(), "linked"}},
                  {});
  if (!plan) FAIL(plan.error().what);
  REQUIRE(plan->parts.size() == 6);
  CHECK(plan->parts[0].files == 1);
  CHECK(plan->parts[1].remote == "/workspace/project/data/train");
  CHECK(plan->parts[1].bytes == 1000);
  CHECK(plan->parts[2].remote == "/workspace/project/data");
  CHECK(plan->parts[2].files == 1);
  CHECK(plan->parts[3].remote == "/workspace/data/corpus");
  CHECK(plan->parts[4].remote == "/workspace/data");
  CHECK(plan->parts[5].remote == "/workspace/project/linked");
  CHECK(plan->parts[5].files == 1);
  CHECK(to_words(*plan).find("1 file, 1 B of code; data/train/: 1 file, 1.0 kB") == 0);
}

TEST_CASE("data paths that cannot be meant are refused before anything travels") {
  TempFolder p, elsewhere;
  p.write("train.py", "x");
  p.write("certs/x.pem", "x");
  elsewhere.write("p/corpus/a", "x");
  elsewhere.write("q/corpus/a", "x");
  const auto refused = [&](std::vector<std::string> data) {
    auto plan = plan_upload(p.path(), {.data = std::move(data)}, {});
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Code::invalid_argument);
    return plan.error();
  };
  CHECK(mentions(refused({"absent"}), "there is no such"));
  CHECK(mentions(refused({"."}), "whole project"));
  CHECK(mentions(refused({"/"}), "whole project"));
  CHECK(mentions(refused({p.path().parent_path().string()}), "whole project"));
  CHECK(mentions(refused({"certs/x.pem"}), "secrets"));
  CHECK(
      mentions(refused({(elsewhere.path() / "p/corpus").string(), (elsewhere.path() / "q/corpus").string()}),
               "same place"));
}

TEST_CASE("CLAUDE.md may name data inside the project only") {
  TempFolder p, elsewhere;
  p.write("train.py", "x");
  p.write("data/a.bin", "x");
  elsewhere.write("private/a", "x");
  fs::create_directory_symlink(elsewhere.path() / "private", p.path() / "sly");
  p.write("CLAUDE.md", "## Vast.ai\n- gpu: vast\n- data: data\n- data: " +
                           (elsewhere.path() / "private").string() + "\n- data: sly\n- data: absent\n");
  const auto plan = plan_upload(p.path(), {.data = {"data"}}, {});
  if (!plan) FAIL(plan.error().what);
  REQUIRE(plan->parts.size() == 2);
  CHECK(plan->parts[1].remote == "/workspace/project/data");
  CHECK(plan->remarks.size() == 3);
  CHECK(plan_upload(p.path(), {}, {})->parts.size() == 2);
}

TEST_CASE("limits hold until they are confirmed") {
  TempFolder p;
  p.write("train.py", "x");
  p.write("a.json", "x");
  p.write("data/x.bin", "x");
  for (const char* large : {"data/x.bin", "a.json"}) fs::resize_file(p.path() / large, 90'000'000);
  p.write("b.json", "x");
  p.write("c.json", "x");
  fs::resize_file(p.path() / "b.json", 90'000'000);
  CHECK(plan_upload(p.path(), {}, {}));
  fs::resize_file(p.path() / "c.json", 90'000'000);
  const auto refused = plan_upload(p.path(), {}, {});
  REQUIRE_FALSE(refused);
  CHECK(mentions(refused.error(), "more than the limit of 200.0 MB"));
  CHECK(refused.error().next_step.find("max_upload_gb") != std::string::npos);
  CHECK(plan_upload(p.path(), {.max_gb = 0.5}, {}));
  const auto both = plan_upload(p.path(), {.data = {"data"}, .max_gb = 0.3}, {});
  REQUIRE_FALSE(both);
  CHECK(mentions(both.error(), "360.0 MB would travel, more than the limit of 300.0 MB"));
  // A single large file of code stays at home and is named by the sync.
  fs::resize_file(p.path() / "c.json", 190'000'000);
  const auto without = plan_upload(p.path(), {}, {});
  REQUIRE(without);
  CHECK(without->parts[0].bytes < 190'000'000);
}

TEST_CASE("requirements draw in other files, and all of them decide whether to install again") {
  TempFolder p;
  p.write("train.py", "x");
  CHECK_FALSE(*read_requirements(p.path()));
  p.write("requirements.txt",
          "-r reqs/base.in\n--constraint=limits.cfg  # why\n-c ../outside.txt\n-r https://x/y.txt\n-e "
          ".\nnumpy\n");
  p.write("reqs/base.in", "torch\n-rmore.in\n-r base.in\n");
  p.write("reqs/more.in", "scipy\n");
  p.write("limits.cfg", "torch<3\n");
  p.write("setup.py", "1");
  const auto first = read_requirements(p.path());
  REQUIRE(first);
  CHECK((*first)->files ==
        std::vector<std::string>{"requirements.txt", "reqs/base.in", "limits.cfg", "reqs/more.in"});
  for (const char* file : {"reqs/more.in", "limits.cfg", "setup.py"}) {
    CAPTURE(file);
    const std::string before = (*read_requirements(p.path()))->hash;
    p.write(file, "changed");
    CHECK((*read_requirements(p.path()))->hash != before);
  }
  const auto plan = plan_upload(p.path(), {}, {});
  REQUIRE(plan);
  CHECK(plan->parts[0].files == 6);  // the .in files travel although no rule includes them
}

TEST_CASE("requirements.txt brings no file of somebody else's choice to a machine") {
  TempFolder p, home;
  home.write("id_ed25519", "a secret\n");
  p.write("certs/server.pem", "a secret\n");
  p.write("base.txt", "numpy\n");
  const auto link = [&](const fs::path& to) {
    fs::remove(p.path() / "requirements.txt");
    fs::create_symlink(to, p.path() / "requirements.txt");
    return read_requirements(p.path());
  };
  auto out = link(home.path() / "id_ed25519");
  REQUIRE_FALSE(out);
  CHECK(out.error().code == Code::invalid_argument);
  CHECK(mentions(out.error(), "leads out of the project"));
  out = link("certs/server.pem");
  REQUIRE_FALSE(out);
  CHECK(mentions(out.error(), "secrets"));
  out = link("base.txt");
  REQUIRE((out && *out));
  CHECK((*out)->content == "numpy\n");
  // What it draws in: not even a hash of it depends on such a file.
  fs::remove(p.path() / "requirements.txt");
  p.write("requirements.txt", "-r more.txt\n-c certs/server.pem\n");
  fs::create_symlink(home.path() / "id_ed25519", p.path() / "more.txt");
  const auto before = read_requirements(p.path());
  home.write("id_ed25519", "another\n");
  p.write("certs/server.pem", "another\n");
  const auto after = read_requirements(p.path());
  REQUIRE((before && after && *before && *after));
  CHECK((*before)->hash == (*after)->hash);
}
