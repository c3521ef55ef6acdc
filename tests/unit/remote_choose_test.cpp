// Which names are results, which checkpoint is the newest, and in which order all of it comes.
#include "remote/choose.h"
#include "remote/temporary_names.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("temporary names of trainers and tools are no results") {
  for (const char* path :
       {"tmp-checkpoint-500/model.safetensors", "a/tmp-checkpoint-pe8ry7n_/x", "model.safetensors.tmp",
        "m.part", "blobs/abc.incomplete", ".~lock.table.csv#", ".tmpa1B2c3", "ckpt/.metadata.tmp",
        "500.orbax-checkpoint-tmp-17/d/0", "tmp_500/x", "ckpt-1_temp_3bb3a094412148b598753eb71c5b94e0/part",
        "c.ckpt.tempstate123", "last.ckpt-unfinished", ".x.swp", "x.aria2", "model.tmp.17"}) {
    CAPTURE(path);
    CHECK(temporary_part(path));
  }
  for (const char* path :
       {"checkpoint-500/model.safetensors", "template.json", "tmp/metrics.json", "part", "attempt.csv",
        "temp_stats.csv", "tmp_results.csv", "incomplete/report.json", "department.part1", "x_temp_1.csv"}) {
    CAPTURE(path);
    CHECK_FALSE(temporary_part(path));
  }
  CHECK(temporary_part("a/tmp-checkpoint-5/deep/x") == "a/tmp-checkpoint-5");
}

TEST_CASE("what belongs to one checkpoint is known by its folder or by its ending") {
  CHECK(checkpoint_of("run/checkpoint-500/optimizer.bin") == "run/checkpoint-500");
  CHECK(checkpoint_of("global_step200/mp_rank_00.pt") == "global_step200");
  CHECK(checkpoint_of("epoch=3-step=100/x") == "epoch=3-step=100");
  CHECK(checkpoint_of("best.PT") == "best.PT");
  CHECK_FALSE(checkpoint_of("checkpoints/notes.txt"));
  CHECK_FALSE(checkpoint_of("stepwise/notes.txt"));
  CHECK_FALSE(checkpoint_of("metrics.json"));
}

TEST_CASE("newest checkpoint first, then results from small to large, then older checkpoints") {
  std::vector<Wanted> files;
  const auto add = [&](const char* path, std::uint64_t size, std::int64_t time) {
    Wanted w{.source = 0, .remote = std::string("/r/") + path};
    w.entry.path = path;
    w.entry.size = size;
    w.entry.changed.seconds = time;
    files.push_back(w);
  };
  add("checkpoint-1/model.bin", 50, 10);
  add("checkpoint-3/model.bin", 60, 30);
  add("checkpoint-3/config.json", 1, 29);
  add("checkpoint-2/model.bin", 70, 20);
  add("large.npy", 1000, 99);
  add("metrics.json", 5, 98);
  std::vector<Wanted*> pointers;
  for (Wanted& w : files) pointers.push_back(&w);
  std::vector<std::string> order;
  const auto groups = in_order(pointers);
  CHECK(groups.size() == 3);
  for (const auto& g : groups)
    for (const Wanted* w : g) order.push_back(w->entry.path);
  CHECK(order == std::vector<std::string>{"checkpoint-3/config.json", "checkpoint-3/model.bin",
                                          "metrics.json", "large.npy", "checkpoint-2/model.bin",
                                          "checkpoint-1/model.bin"});
}
