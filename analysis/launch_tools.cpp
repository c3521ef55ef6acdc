#include "analysis/launch_tools.h"

#include <algorithm>
#include <array>

#include "core/text.h"

namespace vastgpu {
namespace {

struct ToolName {
  std::string_view word;
  std::string_view tool;
  std::string_view verb = {};
};

constexpr auto kCommands = std::to_array<ToolName>({
    {"llamafactory-cli", "llamafactory"},
    {"lmf", "llamafactory"},
    {"axolotl", "axolotl"},
    {"tune", "torchtune"},
    {"litgpt", "litgpt"},
    {"swift", "swift"},
    {"megatron", "swift"},
    {"yolo", "yolo"},
    {"vllm", "vllm"},
    {"trl", "trl"},
    {"lm_eval", "lm_eval", "eval"},
    {"lm-eval", "lm_eval", "eval"},
    {"autotrain", "autotrain"},
    {"trtllm-serve", "tensorrt-llm", "serve"},
});

constexpr auto kModules = std::to_array<ToolName>({
    {"axolotl.cli.train", "axolotl", "train"},
    {"axolotl.cli.inference", "axolotl", "inference"},
    {"llamafactory.cli", "llamafactory"},
    {"llamafactory.train", "llamafactory", "train"},
    {"vllm.entrypoints.openai.api_server", "vllm", "serve"},
    {"vllm.entrypoints.api_server", "vllm", "serve"},
    {"sglang.launch_server", "sglang", "serve"},
    {"lm_eval", "lm_eval", "eval"},
    {"swift.cli.sft", "swift", "sft"},
    {"swift.cli.main", "swift"},
});

// Scripts of well-known collections, run from a checkout: their options mean what the collection says.
constexpr auto kScripts = std::to_array<ToolName>({
    {"train_network.py", "kohya", "lora"},
    {"sdxl_train_network.py", "kohya", "lora"},
    {"flux_train_network.py", "kohya", "lora"},
    {"sd3_train_network.py", "kohya", "lora"},
    {"hv_train_network.py", "kohya", "lora"},
    {"wan_train_network.py", "kohya", "lora"},
    {"sdxl_train.py", "kohya", "full"},
    {"flux_train.py", "kohya", "full"},
    {"fine_tune.py", "kohya", "full"},
});

template <std::size_t N>
const ToolName* named(const std::array<ToolName, N>& table, std::string_view word) {
  const auto found = std::ranges::find(table, word, &ToolName::word);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

bool take_tool(LaunchLine& line, const std::string& word, bool is_python) {
  const ToolName* known = is_python ? named(kModules, word) : named(kCommands, word);
  if (known == nullptr && is_python) known = named(kScripts, word);
  if (known == nullptr) known = named(kCommands, word);  // `accelerate launch axolotl`
  if (known == nullptr) return false;
  line.tool = known->tool;
  line.verb = known->verb;
  return true;
}

void finish_tool(LaunchLine& line) {
  if (line.tool.empty() || line.tool == "kohya" || line.tool == "openmmlab") return;
  auto& words = line.words;
  const auto take_first = [&] {
    std::string first;
    if (!words.empty()) {
      first = words.front();
      words.erase(words.begin());
    }
    return first;
  };
  if (line.verb.empty()) line.verb = take_first();
  if (line.tool == "yolo")  // "yolo detect train", "yolo task=detect mode=train"
    while (!words.empty() && (line.verb == "detect" || line.verb == "segment" || line.verb == "pose" ||
                              line.verb == "classify" || line.verb == "obb"))
      line.verb = take_first();
  if (line.tool == "yolo" && line.verb.empty())
    if (const LaunchOption* mode = line.option("mode"); mode != nullptr && mode->value.is_string())
      line.verb = mode->value.get<std::string>();
  if (line.tool == "torchtune" && line.verb == "run") {
    // Its launcher's options stand between `run` and the recipe.
    if (const LaunchOption* n = line.option("nproc_per_node"); n != nullptr) {
      if (n->value.is_number_integer() && n->value.get<int>() <= 64) line.gpus = n->value.get<int>();
      words.insert(words.begin(), n->more.begin(), n->more.end());
    }
    if (!words.empty()) line.verb = take_first();
  }
  const bool names_model = line.tool == "litgpt" || (line.tool == "vllm" && line.verb == "serve");
  if (names_model && !words.empty() && !words.front().ends_with(".yaml"))
    line.options.push_back({"--model", take_first(), false, {}});
}

}  // namespace vastgpu
