#include "analysis/evidence.h"
#include "analysis/image.h"
#include "analysis/model_rules.h"
#include "core/text.h"
#include "tests/support/catch.h"

using namespace vastgpu;

TEST_CASE("an image tells its CUDA and the cards it cannot drive") {
  const auto old = read_image(kDefaultImage);
  CHECK(old.cuda == 12.1);
  CHECK(old.torch == "2.1");
  CHECK(old.max_compute_cap == 900);
  REQUIRE(old.warnings.size() == 1);
  CHECK(old.warnings[0].find("Blackwell") != std::string::npos);

  CHECK(read_image("pytorch/pytorch:2.4.0-cuda12.4-cudnn9-devel").cuda == 12.4);
  CHECK(read_image("pytorch/pytorch:2.6.0-cuda12.6-cudnn9-devel").max_compute_cap == 900);
  const auto fresh = read_image("pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime");
  CHECK(fresh.max_compute_cap == 0);
  CHECK(fresh.warnings.empty());
  CHECK(read_image("pytorch/pytorch:2.10.0-cuda12.8-cudnn9-runtime").max_compute_cap == 0);
  CHECK(read_image("pytorch/pytorch:2.10.0-cuda13.0-cudnn9-runtime").min_compute_cap == 750);
  CHECK(read_image("nvidia/cuda:12.4.1-runtime-ubuntu22.04").cuda == 12.4);
  CHECK(read_image("vastai/pytorch:2.5.1-cu118").cuda == 11.8);
  CHECK(read_image("pytorch/pytorch:1.12.1-cuda11.3-cudnn8-devel").max_compute_cap == 860);
  const auto strange = read_image("me/lab:latest");
  CHECK_FALSE(strange.cuda);
  CHECK(strange.max_compute_cap == 0);
  CHECK(strange.warnings.size() == 1);
  CHECK_FALSE(read_image("nvcr.io/nvidia/pytorch:24.05-py3").torch);
  CHECK_FALSE(read_image("registry.example:5000/me/lab").cuda);

  CHECK(is_image_name("ghcr.io/a/b:1.0"));
  CHECK_FALSE(is_image_name("a b"));
  CHECK_FALSE(is_image_name("u:p@host/x"));
  CHECK_FALSE(is_image_name("x;rm -rf /"));
  CHECK(cuda_of_torch("2.4.0+cu118") == 11.8);
  CHECK(cuda_of_torch("2.8.0") == 12.8);
  CHECK_FALSE(cuda_of_torch("main"));
}

TEST_CASE("the better witness counts, and the others are named") {
  const auto e = settle({{"gpus", 1, "default", rank::kDefault, true, {}, 1},
                         {"gpus", 4, "plan line 3", rank::kPlan, false, {}, 1},
                         {"gpus", 2, "user", rank::kUser, false, {}, 1},
                         {"gpus", 2, "run.sh:1", rank::kScript, false, {}, 1}});
  REQUIRE(e);
  CHECK(e->source == "user");
  CHECK(e->value == 2);
  CHECK(e->overruled == std::vector<std::string>{"plan line 3: 4 GPUs"});
  CHECK_FALSE(settle({}));
  CHECK(
      dump(json(*e)) ==
      R"({"guess":false,"overruled":["plan line 3: 4 GPUs"],"quantity":"gpus","rank":1,"source":"user","value":2})");
}
