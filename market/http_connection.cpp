#include "market/http_connection.h"

#include <fcntl.h>
#include <httplib.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <charconv>
#include <cmath>

#include "core/text.h"
#include "market/resolve.h"

namespace vastgpu {
namespace {

using std::chrono::steady_clock;

/// Writing to a connection that the other side closed raises SIGPIPE, which would end the program: the HTTP
/// and TLS libraries offer no flag against it. Keeps the signal away from this thread for as long as it
/// lives.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    if (!was_pending_) {
      const timespec now{};
      while (sigtimedwait(&pipe_, nullptr, &now) == -1 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

std::optional<double> seconds_of(const std::string& header) {
  double value = 0;
  const auto s = trim(header);
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (bad != std::errc{} || end != s.data() + s.size() || !std::isfinite(value) || value < 0)
    return std::nullopt;
  return value;  // the other form, a date, is not sent by this API
}

}  // namespace

struct HttpConnection::Client : httplib::Client {
  using httplib::Client::Client;
};

HttpConnection::HttpConnection(const Url& server, const std::string& ca_file,
                               std::chrono::milliseconds connect_timeout)
    : server_(server), connect_timeout_(connect_timeout), client_(std::make_unique<Client>(server.origin())) {
  client_->set_keep_alive(true);
  client_->set_tcp_nodelay(true);
  client_->set_follow_location(false);
  client_->set_connection_timeout(connect_timeout);
  if (server.https) client_->enable_server_certificate_verification(true);
  if (server.https && !ca_file.empty()) client_->set_ca_cert_path(ca_file);
  client_->set_socket_options([this](socket_t s) { adopt(s); });
}

HttpConnection::~HttpConnection() {
  const NoSigpipe quiet;  // closing TLS says goodbye
  client_.reset();
}

void HttpConnection::adopt(int socket) {
  const std::scoped_lock hold(mutex_);
  // A copy of the handle: the client may close its own at any time, and the number may then name another
  // file.
  socket_ = Fd(::fcntl(socket, F_DUPFD_CLOEXEC, 3));
  // Stopped before there was a socket: put something in its place that cannot be connected.
  if (aborted_) {
    const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (nothing) ::dup3(nothing.get(), socket, O_CLOEXEC);
  }
}

void HttpConnection::abort() {
  const std::scoped_lock hold(mutex_);
  aborted_ = true;
  if (socket_) ::shutdown(socket_.get(), SHUT_RDWR);
}

Result<RawAnswer> HttpConnection::exchange(const RawRequest& request, const std::stop_token& stop) {
  const NoSigpipe quiet;
  const auto began = steady_clock::now();
  const auto give_up = began + 4 * request.timeout;
  const bool was_idle = std::exchange(used_, true);
  if (!was_idle)
    if (auto known = check_name(server_.host, connect_timeout_, stop); !known)
      return fail(std::move(known).error());
  client_->set_read_timeout(request.timeout);
  client_->set_write_timeout(request.timeout);

  httplib::Request out;
  out.method = request.method;
  out.path = request.path;
  out.set_header("Accept", "application/json");
#ifdef CPPHTTPLIB_ZLIB_SUPPORT
  out.set_header("Accept-Encoding", "gzip, deflate");
#endif
  out.set_header("User-Agent", "vast-gpu/" VASTGPU_VERSION);
  if (request.bearer != nullptr) out.set_header("Authorization", "Bearer " + request.bearer->reveal());
  if (!request.body.empty()) {
    out.body = request.body;
    out.set_header("Content-Type", "application/json");
  }

  RawAnswer answer;
  bool too_large = false;
  out.content_receiver = [&](const char* data, std::size_t n, auto, auto) {
    too_large = n > request.max_answer - answer.body.size();
    if (too_large || steady_clock::now() > give_up) return false;
    answer.body.append(data, n);
    return true;
  };

  httplib::Response in;
  auto why = httplib::Error::Unknown;
  bool ok = false;
  try {
    const std::stop_callback on_stop(stop, [this] { abort(); });
    ok = client_->send(out, in, why);
  } catch (const std::exception&) {
    ok = false;  // memory, or a header that the library cannot read
  }
  if (!ok || in.status < 100) {
    const auto took = steady_clock::now() - began;
    went_stale_ = was_idle && in.status < 100 && took < request.timeout / 2 && !stop.stop_requested() &&
                  (why == httplib::Error::Read || why == httplib::Error::Write);
    Error error = failure(static_cast<int>(why), too_large, took, request);
    if (stop.stop_requested())
      error = {.code = Code::cancelled,
               .what = "stopped while talking to " + server_.host,
               .next_step = "call again to go on",
               .effect = error.effect};
    return fail(std::move(error));
  }
  answer.status = in.status;
  answer.retry_after = seconds_of(in.get_header_value("Retry-After"));
  answer.location = in.get_header_value("Location");
  answer.date = in.get_header_value("Date");
  return answer;
}

Error HttpConnection::failure(int why, bool too_large, steady_clock::duration took,
                              const RawRequest& request) const {
  const std::string& host = server_.host;
  const auto seconds = std::chrono::duration<double>(took).count();
  if (too_large)
    return {.code = Code::corrupt,
            .what = host + " sent more than " + bytes(request.max_answer) + "; the answer was dropped",
            .next_step = "ask for less, or report this if it happens again",
            .effect = Effect::unknown};
  const Error untrusted{
      .code = Code::wrong_state,
      .what = "the certificate of " + host + " is not trusted, so nothing was sent",
      .next_step =
          "check this machine's date and its certificates (package ca-certificates); a proxy may be reading "
          "along"};
  switch (static_cast<httplib::Error>(why)) {
    case httplib::Error::Connection:
    case httplib::Error::ConnectionTimeout:
    case httplib::Error::BindIPAddress:
      return {.code = Code::unavailable,
              .what = "no connection to " + host + " port " + std::to_string(server_.port),
              .next_step = "check the network (a VPN or firewall may block it), then call again"};
    case httplib::Error::SSLConnection:
      return {.code = Code::unavailable,
              .what = "no TLS connection to " + host + " port " + std::to_string(server_.port),
              .next_step = "check the network (a proxy may be in between), then call again"};
    case httplib::Error::SSLLoadingCerts:
      return {.code = Code::wrong_state,
              .what = "the file of trusted certificates cannot be read",
              .next_step = "check the certificate file that was configured"};
    case httplib::Error::SSLServerVerification:
      return untrusted;
    default:
      break;
  }
  // Later versions of the library tell a wrong host name apart with a code that Debian 12 does not have.
  if (httplib::to_string(static_cast<httplib::Error>(why)).find("erification") != std::string::npos)
    return untrusted;
  return {.code = Code::unavailable,
          .what = took >= request.timeout
                      ? host + " did not answer within " + fixed(seconds, 0) + " s"
                      : "the connection to " + host + " broke before the answer was complete",
          .next_step = "call again in a minute",
          .effect = Effect::unknown};
}

}  // namespace vastgpu
