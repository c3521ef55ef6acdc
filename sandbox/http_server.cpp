#include "sandbox/http_server.h"

#include <httplib.h>

#include <ctime>
#include <thread>

#include "core/text.h"

namespace vastgpu::sandbox {
namespace {

// A client that keeps its connection holds a thread: enough for fifty clients with two connections each.
constexpr std::size_t kThreads = 100;

std::string http_date(double t) {
  const auto seconds = static_cast<std::time_t>(t);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char out[64];
  return std::string(out, std::strftime(out, sizeof out, "%a, %d %b %Y %H:%M:%S GMT", &parts));
}

Request read(const httplib::Request& in) {
  Request r{.method = in.method,
            .path = in.path,
            .query = {},
            .authorization = in.get_header_value("Authorization"),
            .content_type = in.get_header_value("Content-Type"),
            .body = in.body,
            .base_url = ""};
  for (const auto& [name, value] : in.params) r.query.emplace(name, value);
  r.base_url = "http://" + in.get_header_value("Host");
  return r;
}

void write(const Reply& reply, httplib::Response& out) {
  out.status = reply.status;
  for (const auto& [name, value] : reply.headers) out.set_header(name, value);
  if (reply.cut) {
    // A length that never comes: the library sends the headers, asks for the body, and drops the connection.
    out.set_content_provider(reply.body.size() + 100, reply.content_type.c_str(),
                             [](std::size_t, std::size_t, httplib::DataSink&) { return false; });
  } else {
    out.set_content(reply.body, reply.content_type.c_str());
  }
}

}  // namespace

struct HttpServer::Parts {
  explicit Parts(Marketplace& m) : marketplace(m) {}
  Marketplace& marketplace;
  httplib::Server server;
  std::jthread listener;
};

HttpServer::HttpServer(Marketplace& marketplace) : parts_(std::make_unique<Parts>(marketplace)) {
  httplib::Server& server = parts_->server;
  server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  server.set_tcp_nodelay(true);
  server.set_payload_max_length(1 << 20);
  const auto serve = [this](const httplib::Request& in, httplib::Response& out) {
    write(parts_->marketplace.answer(read(in)), out);
    out.set_header("Date", http_date(parts_->marketplace.now()));  // the sandbox's clock, as the end dates
  };
  // A PUT or POST without a length has no body; the library would wait five seconds for one.
  server.set_pre_routing_handler([serve](const httplib::Request& in, httplib::Response& out) {
    const bool bare = (in.method == "PUT" || in.method == "POST") && !in.has_header("Content-Length") &&
                      !in.has_header("Transfer-Encoding");
    if (!bare) return httplib::Server::HandlerResponse::Unhandled;
    serve(in, out);
    return httplib::Server::HandlerResponse::Handled;
  });
  const std::string every = ".*";
  server.Get(every, serve);
  server.Post(every, serve);
  server.Put(every, serve);
  server.Patch(every, serve);
  server.Delete(every, serve);
}

HttpServer::~HttpServer() { stop(); }

Result<std::uint16_t> HttpServer::start(std::uint16_t port) {
  httplib::Server& server = parts_->server;
  const int bound = port == 0                                ? server.bind_to_any_port("127.0.0.1")
                    : server.bind_to_port("127.0.0.1", port) ? port
                                                             : -1;
  if (bound <= 0)
    return fail({.code = Code::unavailable,
                 .what = text("port ", port, " of 127.0.0.1 is taken"),
                 .next_step = "choose another port, or 0 for any"});
  parts_->listener = std::jthread([&server] { server.listen_after_bind(); });
  while (!server.is_running()) std::this_thread::yield();
  return static_cast<std::uint16_t>(bound);
}

void HttpServer::stop() {
  if (!parts_->listener.joinable()) return;
  parts_->server.stop();
  parts_->listener.join();
}

}  // namespace vastgpu::sandbox
