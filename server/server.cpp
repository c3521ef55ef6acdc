#include "server/server.h"

#include <csignal>
#include <exception>

#include "core/log.h"
#include "server/session.h"
#include "server/transport.h"

namespace vastgpu {

int serve(const ServerParts& parts, const ServerOptions& options) {
  std::signal(SIGPIPE, SIG_IGN);  // a client that went away is an error of write, not a death
  const WakeUp ended;
  LineReader reader(options.input, options.max_line, ended);
  LineWriter writer(options.output, ended, options.input);
  const std::stop_callback on_stop(options.stop, [&] {
    writer.hurry();
    ended.wake();
  });

  Session session(parts, options.workers, writer);
  std::string line;
  for (auto got = reader.next(line); got != LineReader::Got::end; got = reader.next(line)) {
    try {
      if (got == LineReader::Got::line)
        session.receive(line);
      else
        session.receive_too_long();
    } catch (const std::exception& e) {  // out of memory, most likely: that line is lost, the next may fit
      log_fact("a message failed: ", e.what());
    }
    if (writer.failed() || options.stop.stop_requested()) break;
  }
  session.end(writer.failed() || options.stop.stop_requested());
  return 0;
}

}  // namespace vastgpu
