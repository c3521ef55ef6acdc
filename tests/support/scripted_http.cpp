#include "tests/support/scripted_http.h"

#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>

#include "core/text.h"

namespace vastgpu {

std::string SeenRequest::header(const std::string& name) const {
  const auto at = headers.find(name);
  return at == headers.end() ? "" : at->second;
}
std::string SeenRequest::argument(const std::string& name) const {
  const auto at = query.find(name);
  return at == query.end() ? "" : at->second;
}

struct TestCertificate::Parts {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> cert{X509_new(), X509_free};
};

TestCertificate::TestCertificate() : parts_(std::make_unique<Parts>()) {
  X509* cert = parts_->cert.get();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, parts_->key.get());
  X509_NAME* name = X509_get_subject_name(cert);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("a test"), -1,
                             -1, 0);
  X509_set_issuer_name(cert, name);
  for (const auto& [nid, value] : {std::pair(NID_subject_alt_name, "IP:127.0.0.1,DNS:localhost"),
                                   std::pair(NID_basic_constraints, "critical,CA:TRUE")}) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }
  if (X509_sign(cert, parts_->key.get(), EVP_sha256()) == 0)
    throw std::runtime_error("cannot sign a certificate");
}
TestCertificate::~TestCertificate() = default;

std::string TestCertificate::pem() const {
  const std::unique_ptr<BIO, decltype(&BIO_free)> out(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(out.get(), parts_->cert.get());
  char* data = nullptr;
  const long size = BIO_get_mem_data(out.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

struct ScriptedHttp::State {
  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::map<std::pair<std::string, std::string>, std::deque<ScriptedReply>> script;
  std::vector<SeenRequest> seen;
  std::set<int> client_ports;
  bool ending = false;

  std::unique_ptr<httplib::Server> server;
  bool tls = false;
  int port = 0;
  std::jthread thread;  // last: it uses all of the above

  void play(const httplib::Request& request, httplib::Response& response) {
    ScriptedReply reply{.status = 501, .body = "not in the script"};
    std::unique_lock lock(mutex);
    SeenRequest r{.method = request.method,
                  .target = request.target,
                  .path = request.path,
                  .body = request.body,
                  .query = {},
                  .headers = {}};
    r.query.insert(request.params.begin(), request.params.end());
    for (const auto& [name, value] : request.headers) r.headers.emplace(to_lower(name), value);
    seen.push_back(std::move(r));
    client_ports.insert(request.remote_port);
    if (const auto at = script.find({request.method, request.path}); at != script.end()) {
      reply = at->second.front();
      if (at->second.size() > 1) at->second.pop_front();
    }
    changed.notify_all();
    if (reply.hang) changed.wait(lock, [&] { return ending; });
    lock.unlock();
    response.status = reply.status;
    for (const auto& [name, value] : reply.headers) response.set_header(name, value);
    if (reply.cut_at == 0) {
      response.set_content(reply.body, reply.content_type);
      return;
    }
    response.set_content_provider(
        reply.body.size(), reply.content_type,
        [body = reply.body.substr(0, reply.cut_at)](std::size_t from, std::size_t, httplib::DataSink& out) {
          if (from >= body.size()) return false;
          return out.write(body.data() + from, body.size() - from);
        });
  }
};

ScriptedHttp::ScriptedHttp(const TestCertificate* tls) : state_(std::make_unique<State>()) {
  State* s = state_.get();
  s->tls = tls != nullptr;
  if (tls != nullptr)
    s->server = std::make_unique<httplib::SSLServer>(tls->parts_->cert.get(), tls->parts_->key.get());
  else
    s->server = std::make_unique<httplib::Server>();
  s->server->set_tcp_nodelay(true);
  s->server->set_keep_alive_timeout(1);
  s->server->set_keep_alive_max_count(10'000);
  const auto play = [s](const httplib::Request& q, httplib::Response& r) { s->play(q, r); };
  s->server->Get(".*", play);
  s->server->Put(".*", play);
  s->server->Post(".*", play);
  s->server->Delete(".*", play);
  s->port = s->server->bind_to_any_port("127.0.0.1");
  if (s->port <= 0) throw std::runtime_error("no free port on loopback");
  s->thread = std::jthread([s] { s->server->listen_after_bind(); });
  while (!s->server->is_running()) std::this_thread::yield();
}

ScriptedHttp::~ScriptedHttp() {
  {
    const std::scoped_lock hold(state_->mutex);
    state_->ending = true;
  }
  state_->changed.notify_all();
  state_->server->stop();
  state_->thread.join();
}

void ScriptedHttp::answer(const std::string& method, const std::string& path,
                          std::vector<ScriptedReply> replies) {
  const std::scoped_lock hold(state_->mutex);
  state_->script[{method, path}] = {replies.begin(), replies.end()};
}

std::string ScriptedHttp::url() const {
  return (state_->tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(state_->port);
}

std::vector<SeenRequest> ScriptedHttp::seen() const {
  const std::scoped_lock hold(state_->mutex);
  return state_->seen;
}

std::size_t ScriptedHttp::count(const std::string& method, const std::string& path) const {
  const std::scoped_lock hold(state_->mutex);
  return static_cast<std::size_t>(
      std::count_if(state_->seen.begin(), state_->seen.end(),
                    [&](const SeenRequest& r) { return r.method == method && r.path == path; }));
}

std::size_t ScriptedHttp::connections() const {
  const std::scoped_lock hold(state_->mutex);
  return state_->client_ports.size();
}

bool ScriptedHttp::wait_for(std::size_t n, std::chrono::milliseconds limit) const {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_for(lock, limit, [&] { return state_->seen.size() >= n; });
}

}  // namespace vastgpu
