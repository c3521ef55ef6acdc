#include "remote/bounded_answer.h"

#include <array>

#include "core/crash_point.h"
#include "remote/ssh_command.h"
#include "remote/time_limit.h"

namespace vastgpu {

Result<BoundedAnswer> ask(SshSession& session, const std::string& command, std::string_view input,
                          const Bounds& bounds, const std::stop_token& stop) {
  const CrashPoints crash("ssh");
  TimeLimit limit(bounds.in_all, stop);
  Patience patience(bounds.idle, limit.token(), Patience::Kind::idle);
  const auto over = [&](Error why) {
    why.effect = Effect::none;
    return fail(limit.explain(std::move(why)));
  };
  auto running = SshCommand::start(session, command, SshCommand::Output::read, 4096, patience);
  if (!running) return over(std::move(running).error());
  (*running)->send_meanwhile(input);
  BoundedAnswer answer;
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    auto got = (*running)->read(buffer, patience);
    if (!got) return over(std::move(got).error());
    if (*got == 0) break;
    answer.out.append(buffer.data(), std::min(*got, bounds.bytes - answer.out.size()));
    answer.too_much = answer.out.size() == bounds.bytes;
    if (answer.too_much) return answer;  // what is still on its way is dropped with the command
  }
  auto code = (*running)->finish(patience);
  if (!code) return over(std::move(code).error());
  answer.err = std::move((*running)->err);
  return answer;
}

}  // namespace vastgpu
