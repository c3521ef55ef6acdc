// Environments and commands before they leave: what is read, what is refused, and that no value is in a
// message.

#include "fleet/checkpoint.h"
#include "fleet/job_env.h"
#include "fleet/job_script.h"
#include "fleet/preflight.h"
#include "tests/support/catch.h"
#include "tests/support/temp_folder.h"

using namespace vastgpu;

TEST_CASE("a .env file is read as people write it") {
  const auto env = parse_env_file(
      "\xef\xbb\xbf# keys\nexport HF_TOKEN=hf_abc # mine\nA='it is $HOME'\r\nB=\"x\\n\\\"y\\\" "
      "\\$z\"\n\nC=\nD = 3\nA=last\n",
      ".env");
  REQUIRE(env);
  CHECK(env_names(*env) == "A B C D HF_TOKEN");
  CHECK(env->values.at("HF_TOKEN").reveal() == "hf_abc");
  CHECK(env->values.at("A").reveal() == "last");
  CHECK(env->values.at("B").reveal() == "x\n\"y\" $z");
  CHECK(env->values.at("C").reveal().empty());
  CHECK(env_text(*parse_env_file("X=it's\n", ".env")) == "X='it'\\''s'\n");
}

TEST_CASE("what cannot be an environment is refused without showing it") {
  for (const char* file : {"no sign s3cret\n", "1A=s3cret\n", "A='s3cret\n", "A B=s3cret\n",
                           "BASH_ENV=/s3cret\n", "CUDA_VISIBLE_DEVICES=s3cret\n"}) {
    CAPTURE(file);
    const auto env = parse_env_file(file, ".env");
    REQUIRE_FALSE(env);
    CHECK(env.error().what.find("line 1") != std::string::npos);
    CHECK((env.error().what + env.error().next_step).find("s3cret") == std::string::npos);
  }
  CHECK_FALSE(read_env(json{{"A", json::array({1})}}));
  CHECK_FALSE(read_env(json{{"A", std::string(40'000, 'x')}}));
  CHECK(read_env(json{{"SEED", 3}, {"ON", true}})->values.at("SEED").reveal() == "3");
  TempFolder home;
  CHECK_FALSE(read_env_file(home.path(), "missing.env"));
  home.write("my.env", "A=1\n");
  CHECK(env_names(*read_env_file(home.path(), "my.env")) == "A");
}

TEST_CASE("no value of an environment is in a script") {
  JobRequest r{"python t.py", "e1"};
  r.env = *parse_env_file("TOKEN=s3cret\n", ".env");
  CHECK(run_script(r).find("s3cret") == std::string::npos);
  CHECK(start_script({"e1", "abc", "1", 10, 10, EnvChange::replace, "all", 0}).find("s3cret") ==
        std::string::npos);
}

TEST_CASE("on another machine an environment comes from its file, or the job is not started") {
  TempFolder home;
  home.write("my.env", "TOKEN=s3cret\n");
  Rental fresh;
  fresh.project = home.path().string(), fresh.num_gpus = 2;
  Job job;
  job.experiment = "e1", job.command = "python t.py", job.gpus_needed = 4;
  CHECK(elsewhere(job, fresh)->gpus_needed == 2);  // it would wait for ever
  CHECK_FALSE(elsewhere(job, fresh)->kept_env);
  job.env_names = "TOKEN";
  const auto lost = elsewhere(job, fresh);
  REQUIRE_FALSE(lost);
  CHECK(lost.error().what.find("(TOKEN) was only on the lost machine") != std::string::npos);
  job.env_file = "my.env";
  CHECK(elsewhere(job, fresh)->env.values.at("TOKEN").reveal() == "s3cret");
  job.env_names = "OTHER TOKEN";  // the other came by the call alone
  CHECK_FALSE(elsewhere(job, fresh));
  CHECK(same_again(job).kept_env == "OTHER TOKEN");
}

TEST_CASE("what a check says is bounded, and a GPU that is not there is found without it") {
  CHECK(python_of("cd x && /venv/main/bin/python3.11 -u t.py") == "/venv/main/bin/python3.11");
  CHECK(python_of("torchrun t.py").empty());
  CHECK(python_of("pythonista $(x)").empty());
  JobRequest r{"torchrun --nproc_per_node 4 t.py", "e1", "0,5"};
  const auto found = read_preflight(
      "@@m gpus 2\n@@m [\"processes\",\"info\",\"\",4,\"\"]\n@@m [\"missing_import\",\"bad\",\"t.py\",3,\"no "
      "module named x\"]\n"
      "[\"missing_file\",\"bad\",\"other\",0,\"imitated\"]\n@@m [1,2]\n@@m [\"done\",\"info\",\"\",0,\"\"]\n",
      "@@m ", r, 1);
  REQUIRE(found.size() == 3);
  CHECK(refuses(found));
  CHECK(to_words(found[1]) == "CUDA_VISIBLE_DEVICES names GPU 5, and the machine has 2 (0 to 1)");
  CHECK(to_words(found[0]) == "t.py line 3: no module named x");
  CHECK(found[2].kind == "too_many_processes");
  const auto none = read_preflight("@@m no python\n", "@@m ", {"python t.py", "e1"}, 1);
  REQUIRE(none.size() == 1);
  CHECK((none[0].kind == "not_checked" && !refuses(none)));
}

TEST_CASE("a checkpoint becomes the command that goes on from it") {
  const std::string command = "python train.py --lr 1";
  const auto hf = read_checkpoint(
      "file out/checkpoint-500/model.safetensors\nfile x.pt\noption --resume_from_checkpoint\n", command);
  REQUIRE(hf);
  CHECK(hf->path == "out/checkpoint-500");
  CHECK(hf->command == command + " --resume_from_checkpoint out/checkpoint-500");
  const auto plain = read_checkpoint("file results/last.pt\n", command);
  CHECK((plain && !plain->option_known && plain->command == command));
  CHECK(read_checkpoint("file a.pt\noption --resume\n", "python t.py --resume old.pt --x")->command ==
        "python t.py --resume a.pt --x");
  CHECK_FALSE(read_checkpoint("file a b;rm -rf.pt\nfile ../../x.pt\n", command));
  CHECK_FALSE(read_checkpoint("option --resume\n", command));
}
