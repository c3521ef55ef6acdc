#include "tests/support/wire_client.h"

#include <fcntl.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <stdexcept>

namespace vastgpu {
namespace {

constexpr int kLimitMs = 30'000;  // ends a hanging test

std::pair<Fd, Fd> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  return {Fd(ends[0]), Fd(ends[1])};
}

}  // namespace

WireClient::WireClient(const ServerParts& parts, ServerOptions options) {
  std::tie(server_input_, input_) = make_pipe();
  std::tie(output_, server_output_) = make_pipe();
  ::fcntl(input_.get(), F_SETFL, O_NONBLOCK);
  options.input = server_input_.get();
  options.output = server_output_.get();
  server_ = std::jthread([this, &parts, options] {
    exit_code_ = serve(parts, options);
    server_output_.reset();  // the reader sees the end
  });
}

WireClient::~WireClient() {
  input_.reset();
  output_.reset();
}

void WireClient::send(const std::string& line) { send_raw(line + "\n"); }

void WireClient::send_raw(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(input_.get(), bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (n < 0 && errno != EAGAIN) throw std::runtime_error("the server does not read any more");
    pump(0);
    pollfd writable{input_.get(), POLLOUT, 0};
    ::poll(&writable, 1, 10);  // short: the server may wait for us to read
  }
}

bool WireClient::pump(int timeout_ms) {
  pollfd readable{output_.get(), POLLIN, 0};
  if (::poll(&readable, 1, timeout_ms) <= 0) return false;
  std::array<char, 65536> chunk{};
  const ssize_t n = ::read(output_.get(), chunk.data(), chunk.size());
  if (n <= 0) return false;
  unread_.append(chunk.data(), static_cast<std::size_t>(n));
  std::size_t from = 0;
  for (std::size_t end = unread_.find('\n'); end != std::string::npos; end = unread_.find('\n', from)) {
    lines_.push_back(unread_.substr(from, end - from));
    from = end + 1;
  }
  unread_.erase(0, from);
  return true;
}

json WireClient::next() {
  while (lines_.empty())
    if (!pump(kLimitMs)) throw std::runtime_error("no message came");
  const std::string line = lines_.front();
  lines_.erase(lines_.begin());
  return json::parse(line);
}

json WireClient::ask(const json& request) {
  send(request);
  return answer_to(request.at("id"));
}

json WireClient::answer_to(const json& id) {
  for (std::size_t seen = 0;;) {
    for (; seen < lines_.size(); ++seen) {
      const json message = json::parse(lines_[seen]);
      if (message.is_object() && !message.contains("method") && message.contains("id") &&
          message.at("id").dump() == id.dump()) {  // as text: 1 is not "1"
        lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(seen));
        return message;
      }
    }
    if (!pump(kLimitMs)) throw std::runtime_error("no answer came to " + id.dump());
  }
}

std::vector<json> WireClient::finish() {
  input_.reset();
  while (output_ && pump(kLimitMs)) {
  }
  server_.join();
  std::vector<json> rest;
  for (const std::string& line : lines_) rest.push_back(json::parse(line));
  if (!unread_.empty()) throw std::runtime_error("half a line: " + unread_);
  lines_.clear();
  return rest;
}

json WireClient::initialize(const std::string& version) {
  const json answer = ask(legacy("init", "initialize",
                                 {{"protocolVersion", version},
                                  {"capabilities", json::object()},
                                  {"clientInfo", {{"name", "test"}, {"version", "1"}}}}));
  send({{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}});
  return answer.at("result");
}

json legacy(const json& id, const std::string& method, json params) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"method", method}, {"params", std::move(params)}};
}

json modern(const json& id, const std::string& method, json params) {
  params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28";
  params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json::object();
  return legacy(id, method, std::move(params));
}

}  // namespace vastgpu
