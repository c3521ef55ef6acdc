#include "server/subscriptions.h"

#include <algorithm>

#include "core/log.h"
#include "core/text.h"
#include "server/render.h"
#include "server/tasks.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxListens = 32;                      // they cost a map entry each; a client needs one
constexpr std::size_t kMaxTopics = 200;                      // of one listen, and of all legacy subscriptions
constexpr std::size_t kMaxAllTopics = 1000;                  // each is looked at whenever something changes
constexpr std::size_t kMaxName = 2000;                       // bytes of a URI
constexpr auto kTellEvery = std::chrono::milliseconds(500);  // at most two updates a second of one thing
constexpr auto kLookEvery = std::chrono::milliseconds(100);  // however fast files change
constexpr auto kLookAnyway = std::chrono::seconds(2);        // where changes cannot be heard of
constexpr const char* kSubscription = "io.modelcontextprotocol/subscriptionId";

RpcError invalid(std::string message, json data = {}) {
  return {kInvalidParams, std::move(message), std::move(data)};
}

json tagged(json params, const json& id) {
  params["_meta"][kSubscription] = id;
  return params;
}

/// A task that is over stays as it is.
bool is_final(const json& task) {
  return task.is_object() && read_field<std::string>(task, "status").value_or("working") != "working";
}

bool is_true(const json& j, const char* name) { return read_field<bool>(j, name).value_or(false); }

/// The strings of a list that may be missing.
tl::expected<std::vector<std::string>, RpcError> names_in(const json& wanted, const char* key) {
  std::vector<std::string> names;
  const auto list = wanted.find(key);
  if (list == wanted.end() || list->is_null()) return names;
  const auto bad = [&] { return tl::unexpected(invalid(text(key, " must be a list of strings"))); };
  if (!list->is_array()) return bad();
  for (const json& one : *list) {
    if (!one.is_string()) return bad();
    names.push_back(one.get<std::string>());
  }
  return names;
}

}  // namespace

Subscriptions::Subscriptions(Watched watched, Write write)
    : watched_(std::move(watched)), write_(std::move(write)) {}

Subscriptions::~Subscriptions() { end(); }

void Subscriptions::subscribe(const std::string& uri, Reply reply) {
  const std::scoped_lock hold(mutex_);
  if (uri.size() > kMaxName || (!subscribed_.contains(uri) && subscribed_.size() >= kMaxTopics))
    return std::move(reply).error(invalid("too many subscriptions, or too long a URI"));
  Subscription& one = subscribed_[uri];
  if (one.open) return std::move(reply).raw_result("{}");
  one.waiting.push_back(std::move(reply));
  look_soon();
}

void Subscriptions::unsubscribe(const std::string& uri, Reply reply) {
  const std::scoped_lock hold(mutex_);
  if (const auto at = subscribed_.find(uri); at != subscribed_.end()) {
    for (Reply& waiting : at->second.waiting) std::move(waiting).raw_result("{}");
    subscribed_.erase(at);
    folders_.wake();  // perhaps nobody listens any more
  }
  std::move(reply).raw_result("{}");
}

void Subscriptions::listen(const json& params, bool knows_tasks, Reply reply) {
  const auto wanted = params.find("notifications");
  if (wanted == params.end() || !wanted->is_object())
    return std::move(reply).error(invalid("notifications must be an object"));
  const auto uris = names_in(*wanted, "resourceSubscriptions");
  const auto tasks = names_in(*wanted, "taskIds");
  if (!uris) return std::move(reply).error(uris.error());
  if (!tasks) return std::move(reply).error(tasks.error());
  if (!tasks->empty() && watched_.task && !knows_tasks) return std::move(reply).error(tasks_undeclared());

  std::set<Topic> topics;
  if (watched_.resources()) {
    if (is_true(*wanted, "resourcesListChanged")) topics.insert({Topic::Kind::list});
    for (const std::string& uri : *uris)
      if (uri.size() <= kMaxName) topics.insert({Topic::Kind::resource, uri});
  }
  if (watched_.task)
    for (const std::string& id : *tasks)
      if (id.size() <= kMaxName) topics.insert({Topic::Kind::task, id});
  if (topics.size() > kMaxTopics) return std::move(reply).error(invalid("too much in one subscription"));

  const std::scoped_lock hold(mutex_);
  std::size_t all = topics.size();
  for (const auto& [key, listen] : listens_) all += listen.topics.size();
  if (listens_.size() >= kMaxListens || all > kMaxAllTopics)
    return std::move(reply).error(invalid("too many open subscriptions"));
  const std::string key = dump(reply.id());
  const auto [at, fresh] = listens_.try_emplace(key, Listen{std::move(reply), std::move(topics)});
  if (!fresh) return;  // the session asks has() first
  if (at->second.topics.empty())
    open_listen(at->second);
  else
    look_soon();
}

bool Subscriptions::has(const json& id) const {
  const std::scoped_lock hold(mutex_);
  return !listens_.empty() && listens_.contains(dump(id));
}

bool Subscriptions::cancel(const json& id) {
  const std::scoped_lock hold(mutex_);
  const auto at = listens_.find(dump(id));
  if (at == listens_.end()) return cancel_waiting(id);
  std::move(at->second.reply).abandon();
  listens_.erase(at);
  folders_.wake();
  return true;
}

/// A legacy subscribe that still waits for the first look. With the lock held.
bool Subscriptions::cancel_waiting(const json& id) {
  for (auto one = subscribed_.begin(); one != subscribed_.end(); ++one) {
    auto& waiting = one->second.waiting;
    const auto reply = std::ranges::find(waiting, id, &Reply::id);
    if (reply == waiting.end()) continue;
    std::move(*reply).abandon();
    waiting.erase(reply);
    if (waiting.empty()) subscribed_.erase(one);
    folders_.wake();
    return true;
  }
  return false;
}

void Subscriptions::end() {
  std::jthread last;
  {
    const std::scoped_lock hold(mutex_);
    ended_ = true;
    for (auto& [uri, one] : subscribed_)
      for (Reply& waiting : one.waiting) std::move(waiting).raw_result("{}");
    subscribed_.clear();
    for (auto& [key, listen] : listens_) {
      if (!listen.open) {
        listen.topics.clear();  // nothing of it will be honoured any more
        open_listen(listen);
      }
      json result = complete(json::object(), Version::v2026_07_28);
      result["_meta"][kSubscription] = listen.reply.id();
      std::move(listen.reply).result(result);
    }
    listens_.clear();
    last = std::move(thread_);
  }
  folders_.wake();
}

std::set<Topic> Subscriptions::wanted() const {
  std::set<Topic> all;
  for (const auto& [uri, one] : subscribed_) all.insert({Topic::Kind::resource, uri});
  for (const auto& [key, listen] : listens_) all.insert(listen.topics.begin(), listen.topics.end());
  return all;
}

/// With the lock held.
void Subscriptions::look_soon() {
  if (ended_) return;
  if (!looking_) {
    looking_ = true;
    thread_ = std::jthread([this] { run(); });  // the one before has left its loop
  }
  folders_.wake();
}

Subscriptions::Mark Subscriptions::look_at(const Topic& topic) const {
  try {
    switch (topic.kind) {
      case Topic::Kind::list:
        return {watched_.marks.list(), {}};
      case Topic::Kind::resource:
        return {watched_.resources() ? watched_.marks.of(topic.name) : std::nullopt, {}};
      case Topic::Kind::task:
        if (auto state = watched_.task(topic.name)) return {dump(*state), *state};
        break;
    }
  } catch (const std::exception& e) {
    log_fact("looking for changes failed: ", e.what());
  }
  return {};
}

std::set<std::filesystem::path> Subscriptions::folders_of(const std::set<Topic>& topics) const {
  std::set<std::filesystem::path> all;
  for (const Topic& topic : topics) {
    if (topic.kind == Topic::Kind::task) {
      if (watched_.task_folders)
        for (auto& folder : watched_.task_folders()) all.insert(std::move(folder));
    } else if (watched_.marks.folders) {
      for (auto& folder : watched_.marks.folders(topic.name)) all.insert(std::move(folder));
    }
  }
  return all;
}

void Subscriptions::run() {
  for (;;) {
    std::set<Topic> topics;
    std::map<Topic, Mark> looked;
    {
      const std::scoped_lock hold(mutex_);
      topics = wanted();
      std::erase_if(known_, [&](const auto& one) { return !topics.contains(one.first); });
      if (ended_ || topics.empty()) {
        folders_.watch({});
        looking_ = false;
        return;
      }
      for (const auto& [topic, known] : known_)
        if (known.mark && is_final(known.mark->state)) looked[topic] = *known.mark;
    }
    folders_.watch(folders_of(topics));  // before the look: what changes after it is heard of
    for (const Topic& topic : topics)
      if (!looked.contains(topic)) looked[topic] = look_at(topic);
    const auto now = std::chrono::steady_clock::now();
    bool later = false;
    {
      const std::scoped_lock hold(mutex_);
      later = settle(looked, now);
      open_those_known();
    }
    const auto woken = folders_.wait(later ? kTellEvery : std::chrono::milliseconds(kLookAnyway));
    if (woken == FolderWatch::Woken::change)  // whatever else changes at this moment is seen in the same look
      (void)folders_.rest(kLookEvery);
  }
}

/// Tells those who listen what differs. True: something differs that was told too short a while ago.
bool Subscriptions::settle(const std::map<Topic, Mark>& looked, SteadyTime now) {
  bool later = false;
  for (const auto& [topic, mark] : looked) {
    Known& known = known_[topic];
    if (!known.mark) {
      known.mark = mark;
    } else if (known.mark->value != mark.value) {
      if (now - known.told_at < kTellEvery) {
        later = true;
        continue;
      }
      known.mark = mark;
      known.told_at = now;
      tell(topic, mark);
    }
  }
  return later;
}

void Subscriptions::tell(const Topic& topic, const Mark& mark) {
  std::string method = "notifications/tasks";
  json params = mark.state.is_object() ? mark.state : json::object();
  if (topic.kind == Topic::Kind::list) method = "notifications/resources/list_changed";
  if (topic.kind == Topic::Kind::resource) {
    method = "notifications/resources/updated";
    params = {{"uri", topic.name}};
    const auto at = subscribed_.find(topic.name);
    if (at != subscribed_.end() && at->second.open) write_(notification(method, params));
  }
  if (topic.kind == Topic::Kind::task && !mark.value) return;  // forgotten: there is no state to tell
  for (const auto& [key, listen] : listens_)
    if (listen.open && listen.topics.contains(topic))
      write_(notification(method, tagged(params, listen.reply.id())));
}

/// Answers those whose every topic was looked at.
void Subscriptions::open_those_known() {
  const auto looked_at = [&](const Topic& topic) {
    const auto at = known_.find(topic);
    return at != known_.end() && at->second.mark;
  };
  for (auto at = subscribed_.begin(); at != subscribed_.end();) {
    auto& [uri, one] = *at;
    const Topic topic{Topic::Kind::resource, uri};
    if (one.open || !looked_at(topic)) {
      ++at;
      continue;
    }
    const bool ours = known_[topic].mark->value.has_value();
    for (Reply& waiting : one.waiting) {
      if (ours)
        std::move(waiting).raw_result("{}");
      else
        std::move(waiting).error({kLegacyResourceNotFound, "Resource not found", {{"uri", uri}}});
    }
    one.waiting.clear();
    one.open = ours;
    at = ours ? std::next(at) : subscribed_.erase(at);
  }
  for (auto& [key, listen] : listens_) {
    if (listen.open || !std::ranges::all_of(listen.topics, looked_at)) continue;
    std::erase_if(listen.topics, [&](const Topic& topic) { return !known_[topic].mark->value; });
    open_listen(listen);
  }
}

/// Says what is honoured.
void Subscriptions::open_listen(Listen& listen) {
  json honoured = json::object();
  for (const Topic& topic : listen.topics) {
    if (topic.kind == Topic::Kind::list) honoured["resourcesListChanged"] = true;
    if (topic.kind == Topic::Kind::resource) honoured["resourceSubscriptions"].push_back(topic.name);
    if (topic.kind == Topic::Kind::task) honoured["taskIds"].push_back(topic.name);
  }
  listen.open = true;
  write_(notification("notifications/subscriptions/acknowledged",
                      tagged({{"notifications", std::move(honoured)}}, listen.reply.id())));
}

}  // namespace vastgpu
