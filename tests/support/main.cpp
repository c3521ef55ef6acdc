// The entry point of every test program.
#define CATCH_CONFIG_RUNNER
#include "tests/support/catch.h"

#include <csignal>

#include "core/log.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  vastgpu::set_log_level(vastgpu::LogLevel::quiet);
  return Catch::Session().run(argc, argv);
}
