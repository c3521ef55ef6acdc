#pragma once
// The MCP server over stdio. Blocks its caller until the input ends; owns its threads.

#include <stop_token>
#include <vector>

#include "prompts/prompt.h"
#include "server/ask_memory.h"
#include "server/task_store.h"
#include "tools/resource.h"
#include "tools/suggest.h"
#include "tools/tool.h"

namespace vastgpu {

struct ServerParts {
  std::vector<Tool> tools;
  std::vector<Prompt> prompts;
  ResourceCatalogue resources;
  std::string instructions;             ///< for the model, under 2 KB
  AskMemory asking = process_memory();  ///< tools that spend need one that lasts
  Suggest suggest = {};                 ///< for what is typed; empty: only what the prompts know
  TaskParts tasks = {};                 ///< calls that outlive their request; without a store there are none
  std::size_t page_size = 500;          ///< of lists; most clients read the first page only
  /// Modern requests may ask for log messages. The protocol deprecates that, and stderr has ours.
  bool modern_logging = false;
};

struct ServerOptions {
  int input = 0;            ///< protocol comes in here
  int output = 1;           ///< and goes out here; see claim_stdout
  std::size_t workers = 8;  ///< calls that run side by side
  std::size_t max_line = 32u << 20;
  std::stop_token stop = {};  ///< ends the server like EOF does, without the moment of grace; for signals
};

/// Makes stray prints harmless: returns a private descriptor for the protocol and points fd 1 at fd 2.
int claim_stdout();

/// Serves until EOF, then stops running calls and returns the exit code. Starts nothing slow before the first
/// answer.
int serve(const ServerParts& parts, const ServerOptions& options);

}  // namespace vastgpu
