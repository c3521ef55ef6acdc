// The room with real machines: one worker thread for each instance does its work in order.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <thread>

#include "core/fd.h"
#include "core/log.h"
#include "core/text.h"
#include "sandbox/relay.h"
#include "sandbox/room.h"

namespace vastgpu::sandbox {
namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(500);  // at log and disk, real time

/// A port that takes connections and says nothing: the kernel accepts, nobody reads.
Fd silent_listener(const std::string& address, std::uint16_t port) {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  ::inet_pton(AF_INET, address.c_str(), &at.sin_addr);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) != 0 ||
      ::listen(socket.get(), 64) != 0)
    socket.reset();
  return socket;
}

class Worker {
 public:
  explicit Worker(std::filesystem::path folder) : folder_(std::move(folder)), thread_([this] { work(); }) {}

  void post(std::function<void()> task) {
    const std::scoped_lock hold(mutex_);
    tasks_.push_back(std::move(task));
    wake_.notify_one();
  }
  /// The last task: the machine ends, its disk goes, the thread with it.
  void finish() {
    post([this] {
      drop();
      relay_.reset();
      last_ = true;
    });
  }
  bool finished() const { return finished_; }

  void prepare(MachineSpec spec, SshMood mood) {
    drop();
    ssh_address_ = spec.listen_address;
    ssh_port_ = spec.ssh_port;
    mood_ = mood;
    if (!relay_) {
      if (auto relay = Relay::open()) {
        relay_ = *std::move(relay);
        relay_port_ = relay_->port();
      } else {
        note(relay.error());
      }
    }
    auto made = Machine::create(folder_, std::move(spec));
    if (made)
      machine_ = *std::move(made);
    else
      note(made.error());
  }
  void start() {
    if (!machine_) return;
    if (auto done = machine_->start(); !done) return note(done.error());
    running_ = true;
  }
  void open_ssh() {
    if (!machine_ || !running_ || mood_ == SshMood::refuses) return;
    if (mood_ == SshMood::silent) {
      silent_ = silent_listener(ssh_address_, ssh_port_);
    } else if (auto done = machine_->open_ssh(); !done) {
      return note(done.error());
    }
    if (relay_) relay_->set_target(ssh_address_, ssh_port_);
  }
  void stop() {
    if (relay_) relay_->set_target("", 0);
    silent_.reset();
    running_ = false;
    if (machine_) machine_->stop();
  }
  void move_ssh(std::uint16_t port) {
    ssh_port_ = port;
    if (!machine_) return;
    if (auto done = machine_->move_ssh(port); !done) note(done.error());
  }
  void set_keys(const std::vector<std::string>& keys) {
    if (!machine_) return;
    if (auto done = machine_->set_authorized_keys(keys); !done) note(done.error());
  }

  void set_clock_skew(double seconds) {
    if (!machine_) return;
    if (auto done = machine_->set_clock_skew(seconds); !done) note(done.error());
  }

  std::uint16_t relay_port() const { return relay_port_; }
  std::uint64_t disk_used() const { return disk_used_; }
  bool running() const { return running_; }
  std::string log() const {
    const std::scoped_lock hold(mutex_);
    return log_;
  }
  std::string trouble() const {
    const std::scoped_lock hold(mutex_);
    return trouble_;
  }

 private:
  void work() {
    while (!last_) {
      std::function<void()> task;
      {
        std::unique_lock hold(mutex_);
        wake_.wait_for(hold, kLookEvery, [this] { return !tasks_.empty(); });
        if (!tasks_.empty()) {
          task = std::move(tasks_.front());
          tasks_.pop_front();
        }
      }
      if (task) task();
      look();
    }
    finished_ = true;
  }

  void look() {
    if (!machine_) return;
    std::string text = machine_->log();
    {
      const std::scoped_lock hold(mutex_);
      log_ = std::move(text);
    }
    const auto now = std::chrono::steady_clock::now();
    if (!running_ || now < next_disk_look_) return;
    disk_used_ = machine_->disk_used();
    next_disk_look_ = now + 4 * kLookEvery;
  }

  void drop() {
    stop();
    machine_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
    const std::scoped_lock hold(mutex_);
    trouble_.clear();
    log_.clear();
  }

  void note(const Error& e) {
    log_fact("sandbox machine=", folder_.filename().string(), " trouble=", e.what);
    const std::scoped_lock hold(mutex_);
    trouble_ = e.what;
  }

  // The worker's own.
  std::filesystem::path folder_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<Machine> machine_;
  Fd silent_;
  SshMood mood_ = SshMood::answers;
  std::string ssh_address_;
  std::uint16_t ssh_port_ = 0;
  std::chrono::steady_clock::time_point next_disk_look_{};
  bool last_ = false;

  std::atomic<bool> running_ = false;
  std::atomic<bool> finished_ = false;
  std::atomic<std::uint16_t> relay_port_ = 0;
  std::atomic<std::uint64_t> disk_used_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;
  std::string log_, trouble_;
  std::jthread thread_;  // last: it uses all of the above
};

class MachineRoom : public Room {
 public:
  explicit MachineRoom(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~MachineRoom() override {
    for (auto& [id, worker] : workers_) worker->finish();
    for (auto& worker : ending_) worker->finish();
  }

  void prepare(MachineSpec spec, SshMood mood) override {
    const std::scoped_lock hold(mutex_);
    std::erase_if(ending_, [](const auto& w) { return w->finished(); });
    auto& worker = workers_[spec.id];
    // A folder of its own: an earlier machine of this id may still be on its way out.
    if (!worker) worker = std::make_unique<Worker>(folder_ / text(spec.id, "-", ++made_));
    worker->post([w = worker.get(), s = std::move(spec), mood]() mutable { w->prepare(std::move(s), mood); });
  }
  void start(std::int64_t id) override {
    post(id, [](Worker& w) { w.start(); });
  }
  void open_ssh(std::int64_t id) override {
    post(id, [](Worker& w) { w.open_ssh(); });
  }
  void stop(std::int64_t id) override {
    post(id, [](Worker& w) { w.stop(); });
  }
  void set_keys(std::int64_t id, std::vector<std::string> keys) override {
    post(id, [k = std::move(keys)](Worker& w) { w.set_keys(k); });
  }
  void set_clock_skew(std::int64_t id, double seconds) override {
    post(id, [seconds](Worker& w) { w.set_clock_skew(seconds); });
  }
  void move_ssh(std::int64_t id, std::uint16_t port) override {
    post(id, [port](Worker& w) { w.move_ssh(port); });
  }
  void remove(std::int64_t id) override {
    const std::scoped_lock hold(mutex_);
    const auto at = workers_.find(id);
    if (at == workers_.end()) return;
    at->second->finish();
    ending_.push_back(std::move(at->second));
    workers_.erase(at);
  }

  std::uint16_t relay_port(std::int64_t id) const override {
    const std::scoped_lock hold(mutex_);
    const Worker* w = find(id);
    return w ? w->relay_port() : std::uint16_t{0};
  }
  std::string log(std::int64_t id) const override {
    const std::scoped_lock hold(mutex_);
    const Worker* w = find(id);
    return w ? w->log() : "";
  }
  std::uint64_t disk_used(std::int64_t id) const override {
    const std::scoped_lock hold(mutex_);
    const Worker* w = find(id);
    return w ? w->disk_used() : 0;
  }
  std::string trouble(std::int64_t id) const override {
    const std::scoped_lock hold(mutex_);
    const Worker* w = find(id);
    return w ? w->trouble() : "";
  }
  std::vector<std::int64_t> running() const override {
    const std::scoped_lock hold(mutex_);
    std::vector<std::int64_t> out;
    for (const auto& [id, w] : workers_)
      if (w->running()) out.push_back(id);
    return out;
  }

 private:
  const Worker* find(std::int64_t id) const {
    const auto at = workers_.find(id);
    return at == workers_.end() ? nullptr : at->second.get();
  }
  template <class Task>
  void post(std::int64_t id, Task task) {
    const std::scoped_lock hold(mutex_);
    if (const auto at = workers_.find(id); at != workers_.end())
      at->second->post([w = at->second.get(), t = std::move(task)] { t(*w); });
  }

  std::filesystem::path folder_;
  mutable std::mutex mutex_;
  std::map<std::int64_t, std::unique_ptr<Worker>> workers_;
  std::list<std::unique_ptr<Worker>> ending_;
  int made_ = 0;
};

}  // namespace

std::unique_ptr<Room> make_machine_room(const std::filesystem::path& folder) {
  return std::make_unique<MachineRoom>(folder);
}

}  // namespace vastgpu::sandbox
