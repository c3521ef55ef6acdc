#include "remote/ssh_command.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::chrono::milliseconds kMoment{20};
constexpr std::size_t kReadAhead = 256 * 1024;   // of stdout, before read() asks for it
constexpr std::size_t kLongestCommand = 30'000;  // libssh2 sends it in one packet of at most 35,000 bytes

struct Signal {
  const char* name;
  int number;
};
/// @source RFC 4254, section 6.10
constexpr Signal kSignals[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},   {"ABRT", 6},
                               {"FPE", 8},   {"KILL", 9},  {"USR1", 10}, {"SEGV", 11}, {"USR2", 12},
                               {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15}};

}  // namespace

Result<std::unique_ptr<SshCommand>> SshCommand::start(SshSession& session, const std::string& command,
                                                      Output output, std::size_t keep, Patience& patience,
                                                      std::size_t window) {
  // The login shell may be anything; what we send is written for a POSIX shell.
  std::string line = "exec /bin/sh -c " + shell_quote(command);
  if (line.size() > kLongestCommand)
    return fail({.code = Code::invalid_argument,
                 .what = text("the command is too long (", bytes(line.size()), ")"),
                 .next_step = "put it into a file and run that"});
  auto channel = session.take_channel(patience);
  if (!channel) return fail(std::move(channel).error());
  std::unique_ptr<SshCommand> made(new SshCommand(session, std::move(line), output, keep, window));
  made->channel_ = *channel;
  session.grant(window);
  if (auto widened = made->widen(patience); !widened) return fail(std::move(widened).error());
  auto sent = made->startup(patience);
  if (!sent) {
    Error trouble = std::move(sent).error();
    trouble.effect = Effect::unknown;
    return fail(std::move(trouble));
  }
  session.open_ahead();
  return made;
}

/// Sends the request, or looks for its answer. Goes by itself while other packets come and go.
Result<bool> SshCommand::startup(Patience& patience) {
  if (started_) return false;
  auto answered = session_.repeat(
      [&] {
        return ::libssh2_channel_process_startup(channel_, "exec", 4, line_.data(),
                                                 static_cast<unsigned>(line_.size()));
      },
      SshSession::Wait::only_to_send, patience);
  if (!answered) return fail(std::move(answered).error());
  if (!*answered) return false;
  if (**answered < 0) return fail(session_.broke("starting a command"));
  started_ = true;
  return true;
}

/// The window is ours to grant: what has arrived and was not read yet counts as well, so that a reader who is
/// slower than the link does not fill the memory.
Result<void> SshCommand::widen(Patience& patience) {
  unsigned long arrived = 0;
  const std::size_t open = ::libssh2_channel_window_read_ex(channel_, &arrived, nullptr) + arrived;
  if (open > window_ / 4 * 3) return {};
  auto widened = session_.repeat(
      [&] {
        return ::libssh2_channel_receive_window_adjust2(channel_, static_cast<unsigned long>(window_ - open),
                                                        1, nullptr);
      },
      SshSession::Wait::until_done, patience);
  if (!widened) return fail(std::move(widened).error());
  if (**widened < 0) return fail(session_.broke("reading"));
  return {};
}

SshCommand::~SshCommand() {
  if (channel_ == nullptr) return;
  // The machine's answer to the request may still come, and the next command would take it for its own.
  if (!started_ && !closed_) session_.broke("giving a command up before it began");
  session_.release(channel_, window_);
}

Result<bool> SshCommand::push_input(Patience& patience) {
  bool moved = false;
  while (!input_.empty()) {
    auto sent =
        session_.repeat([&] { return ::libssh2_channel_write_ex(channel_, 0, input_.data(), input_.size()); },
                        SshSession::Wait::only_to_send, patience);
    if (!sent) return fail(std::move(sent).error());
    if (!*sent || **sent == 0) return moved;  // its window is full
    if (**sent == LIBSSH2_ERROR_CHANNEL_CLOSED) {
      input_ = {};
      break;
    }
    if (**sent < 0) return fail(session_.broke("sending"));
    input_.remove_prefix(static_cast<std::size_t>(**sent));
    moved = true;
    if (input_.size() % (8 * 32'700) < 32'700) break;  // now and then look at the outputs
  }
  if (input_.empty() && end_input_ && !input_ended_) {
    auto ended = session_.repeat([&] { return ::libssh2_channel_send_eof(channel_); },
                                 SshSession::Wait::until_done, patience);
    if (!ended) return fail(std::move(ended).error());
    if (**ended < 0 && **ended != LIBSSH2_ERROR_CHANNEL_CLOSED)
      return fail(session_.broke("ending the input"));
    input_ended_ = moved = true;
  }
  return moved;
}

Result<bool> SshCommand::pull(int stream, std::string& into, std::size_t room, Patience& patience) {
  std::array<char, 64 * 1024> buffer;
  auto got = session_.repeat(
      [&] { return ::libssh2_channel_read_ex(channel_, stream, buffer.data(), buffer.size()); },
      SshSession::Wait::only_to_send, patience);
  if (!got) return fail(std::move(got).error());
  if (!*got || **got == 0) return false;
  if (**got < 0) return fail(session_.broke("reading"));
  if (auto widened = widen(patience); !widened) return fail(std::move(widened).error());
  const auto size = static_cast<std::size_t>(**got);
  const std::size_t fits = std::min(size, room);
  into.append(buffer.data(), fits);
  truncated = truncated || fits < size;
  return true;
}

Result<void> SshCommand::look_for_end(Patience& patience) {
  const int eof = ::libssh2_channel_eof(channel_);
  if (eof < 0) return fail(session_.broke("reading"));
  if (eof == 0) return {};
  auto closed = session_.repeat([&] { return ::libssh2_channel_wait_closed(channel_); },
                                SshSession::Wait::only_to_send, patience);
  if (!closed) return fail(std::move(closed).error());
  if (!*closed) return {};  // its outputs ended, the command has not
  if (**closed < 0) return fail(session_.broke("waiting for the end"));
  closed_ = true;
  input_ = {};
  return {};
}

/// One round: whatever can move moves; waits for the machine if nothing could.
Result<void> SshCommand::turn(Patience& patience) {
  const auto unsure = [](Error e) {
    e.effect = Effect::unknown;
    return fail(std::move(e));
  };
  if (auto fine = patience.check(); !fine) return unsure(std::move(fine).error());
  if (auto begun = startup(patience); !begun) return unsure(std::move(begun).error());
  auto moved = push_input(patience);
  if (!moved) return unsure(std::move(moved).error());
  bool held_back = false;
  if (output_ == Output::kept) {
    auto got = pull(0, out, keep_ - std::min(keep_, out.size()), patience);
    if (!got) return unsure(std::move(got).error());
    *moved = *moved || *got;
  } else if (out.size() - taken_ < kReadAhead) {
    auto got = pull(0, out, std::string::npos, patience);
    if (!got) return unsure(std::move(got).error());
    *moved = *moved || *got;
  } else {
    held_back = true;
  }
  auto got = pull(SSH_EXTENDED_DATA_STDERR, err, keep_ - std::min(keep_, err.size()), patience);
  if (!got) return unsure(std::move(got).error());
  if (*moved || *got || held_back) {
    stuck_ = false;
    return {};
  }

  if (auto looked = look_for_end(patience); !looked) return unsure(std::move(looked).error());
  // One of the calls above may have taken packets off the socket that another one would have wanted.
  unsigned long arrived = 0;
  ::libssh2_channel_window_read_ex(channel_, &arrived, nullptr);
  if (closed_) return {};
  if (arrived > 0) {
    // Twice in a row it is something that no call takes: data of a kind that nobody sends.
    if (std::exchange(stuck_, true))
      if (auto paused = patience.wait(session_.socket(), POLLIN, kMoment); !paused)
        return unsure(std::move(paused).error());
    return {};
  }
  stuck_ = false;
  if (auto news = session_.wait_for_news(patience); !news) return unsure(std::move(news).error());
  return {};
}

Result<void> SshCommand::send(std::string_view data, Patience& patience) {
  input_ = data;
  while (!input_.empty() && !closed_)
    if (auto turned = turn(patience); !turned) {
      input_ = {};
      return turned;
    }
  return {};
}

void SshCommand::send_meanwhile(std::string_view data) {
  input_ = data;
  end_input_ = true;
}

Result<std::size_t> SshCommand::read(std::span<char> into, Patience& patience) {
  while (taken_ == out.size() && !closed_)
    if (auto turned = turn(patience); !turned) return fail(std::move(turned).error());
  const std::size_t n = std::min(into.size(), out.size() - taken_);
  std::memcpy(into.data(), out.data() + taken_, n);
  taken_ += n;
  if (taken_ == out.size()) {
    out.clear();
    taken_ = 0;
  }
  return n;
}

Result<int> SshCommand::finish(Patience& patience) {
  end_input_ = true;
  while (!closed_) {
    if (output_ == Output::read) {  // nobody wants the rest
      out.clear();
      taken_ = 0;
    }
    if (auto turned = turn(patience); !turned) return fail(std::move(turned).error());
  }
  return exit_code();
}

int SshCommand::exit_code() {
  char* name = nullptr;
  ::libssh2_channel_get_exit_signal(channel_, &name, nullptr, nullptr, nullptr, nullptr, nullptr);
  if (name == nullptr) return ::libssh2_channel_get_exit_status(channel_);
  int code = 128;
  for (const Signal& s : kSignals)
    if (std::strcmp(s.name, name) == 0) code += s.number;
  ::libssh2_free(session_.raw(), name);
  return code;
}

}  // namespace vastgpu
