#pragma once
// Values to rows and back. One list of fields per table serves the column names, the writing and the reading,
// so the three cannot drift apart. Pure templates; the caller holds the connection.

#include <concepts>
#include <string>
#include <vector>

#include "core/past_run.h"
#include "core/rental.h"
#include "core/text.h"
#include "state/ledger.h"
#include "state/sqlite.h"
#include "state/task_records.h"

namespace vastgpu::rows {

template <class T, class Of>
concept some = std::same_as<std::remove_const_t<T>, Of>;

struct Receipt {
  std::string label;
  TimePoint at{};
  json receipt;
};

/// What one extension added to a worst case.
struct Extension {
  std::string label;
  TimePoint at{};
  Usd added;
};

template <class V>
void each_field(some<Extension> auto& e, V&& v) {
  v("label", e.label), v("at", e.at), v("added", e.added);
}

template <class V>
void each_field(some<Quote> auto& q, V&& v) {
  v("id", q.id), v("project", q.project), v("title", q.title), v("offer", q.offer), v("machine", q.machine);
  v("gpu_name", q.gpu_name), v("num_gpus", q.num_gpus), v("gpu_ram", q.gpu_ram), v("price", q.price);
  v("interruptible", q.interruptible), v("image", q.image), v("disk", q.disk), v("work_hours", q.work);
  v("lease_hours", q.lease), v("estimate", q.estimate), v("worst_case", q.worst_case);
  v("disk_per_day", q.disk_per_day), v("facts", q.facts), v("created", q.created), v("expires", q.expires);
}

template <class V>
void each_field(some<Rental> auto& r, V&& v) {
  v("label", r.label), v("quote_id", r.quote_id), v("project", r.project), v("offer", r.offer);
  v("machine", r.machine), v("instance", r.instance), v("status", r.status), v("gpu_name", r.gpu_name);
  v("num_gpus", r.num_gpus), v("price", r.price), v("interruptible", r.interruptible), v("image", r.image);
  v("disk", r.disk), v("work_hours", r.work), v("estimate", r.estimate), v("worst_case", r.worst_case);
  v("ssh", r.ssh), v("host_key", r.host_key), v("created", r.created), v("ready", r.ready);
  v("lease_end", r.lease_end), v("ended", r.ended), v("setup_done", r.setup_done),
      v("collected", r.collected);
  v("note", r.note), v("at_end", r.at_end), v("renew_to", r.renew_to), v("envelope", r.envelope);
  v("replaces", r.replaces), v("instance_key", r.instance_key), v("adopted", r.adopted);
  v("seen_price", r.seen_price), v("idle_since", r.idle_since), v("bid", r.bid);
  v("log_mark", r.log_mark), v("host_key_proof", r.host_key_proof), v("host_key_line", r.host_key_line);
}

template <class V>
void each_field(some<SpendingEnvelope> auto& e, V&& v) {
  v("id", e.id), v("project", e.project), v("max_rentals", e.max_rentals), v("max_usd", e.max_usd);
  v("until", e.until), v("created", e.created);
}

template <class V>
void each_field(some<LayerReport> auto& r, V&& v) {
  v("label", r.label), v("layer", r.layer), v("at", r.at), v("detail", r.detail);
}

template <class V>
void each_field(some<ChargeRecord> auto& c, V&& v) {
  v("label", c.label), v("type", c.type), v("amount", c.amount), v("read", c.read);
}

template <class V>
void each_field(some<MachineBoot> auto& b, V&& v) {
  v("machine", b.machine), v("at", b.at), v("hours", b.took);
}

template <class V>
void each_field(some<Job> auto& j, V&& v) {
  v("label", j.label), v("experiment", j.experiment), v("command", j.command),
      v("auto_destroy", j.auto_destroy);
  v("state", j.state), v("exit_code", j.exit_code), v("started", j.started), v("ended", j.ended);
  v("gpus", j.gpus), v("gpus_needed", j.gpus_needed), v("env_names", j.env_names);
  v("env_file", j.env_file), v("note", j.note), v("canary", j.canary), v("answered", j.answered);
}

template <class V>
void each_field(some<StoredTask> auto& t, V&& v) {
  v("id", t.id), v("tool", t.tool), v("arguments", t.arguments), v("status", t.status);
  v("message", t.message), v("result", t.result), v("error", t.error), v("cancel", t.cancel);
  v("created", t.created), v("updated", t.updated);
}

template <class V>
void each_field(some<Receipt> auto& r, V&& v) {
  v("label", r.label), v("at", r.at), v("receipt", r.receipt);
}

template <class V>
void each_field(some<LedgerEvent> auto& e, V&& v) {
  v("at", e.at), v("kind", e.kind), v("label", e.label), v("detail", e.detail), v("actor", e.actor);
}

template <class V>
void each_field(some<MachineFailure> auto& f, V&& v) {
  v("machine", f.machine), v("at", f.at), v("reason", f.reason);
}

template <class V>
void each_field(some<PastRun> auto& r, V&& v) {
  v("label", r.label), v("experiment", r.experiment), v("project", r.project), v("command", r.command);
  v("script", r.script), v("instance", r.instance), v("gpu_name", r.gpu_name), v("num_gpus", r.num_gpus);
  v("gpu_ram", r.gpu_ram), v("started", r.started), v("ended", r.ended), v("hours", r.hours);
  v("exit_code", r.exit_code), v("oom", r.oom), v("peak_vram_mib", r.peak_vram);
  v("held_before_mib", r.held_before), v("rate", r.rate), v("rate_unit", r.rate_unit);
  v("steps_done", r.steps_done), v("steps_total", r.steps_total), v("recorded_at", r.recorded);
}

// How each type stands in a row.
inline void put(Statement& s, const std::string& v) { s.bind(v); }
inline void put(Statement& s, std::int64_t v) { s.bind(v); }
inline void put(Statement& s, int v) { s.bind(std::int64_t{v}); }
inline void put(Statement& s, double v) { s.bind(v); }
inline void put(Statement& s, bool v) { s.bind(std::int64_t{v}); }
inline void put(Statement& s, TimePoint v) { s.bind(std::int64_t{v.time_since_epoch().count()}); }
inline void put(Statement& s, Hours v) { s.bind(v.count()); }
inline void put(Statement& s, Status v) { s.bind(std::string(to_string(v))); }
inline void put(Statement& s, JobState v) { s.bind(std::string(to_string(v))); }
inline void put(Statement& s, LeaseEnd v) { s.bind(std::string(to_string(v))); }
inline void put(Statement& s, HostKeyProof v) { s.bind(std::string(to_string(v))); }
inline void put(Statement& s, const Secret& v) { s.bind(v.reveal()); }
inline void put(Statement& s, const json& v) { s.bind(dump(v)); }
inline void put(Statement& s, const Endpoint& v) { s.bind(v.host + ":" + std::to_string(v.port)); }
template <class Tag>
void put(Statement& s, Id<Tag> v) {
  s.bind(v.value);
}
template <class Tag>
void put(Statement& s, Quantity<Tag> v) {
  s.bind(v.value);
}
template <class T>
void put(Statement& s, const std::optional<T>& v) {
  if (v)
    put(s, *v);
  else
    s.bind(nullptr);
}

// Back; false for what no version of this program wrote.
inline bool get(const Statement& s, int at, std::string& v) { return v = s.text(at), true; }
inline bool get(const Statement& s, int at, int& v) { return v = static_cast<int>(s.integer(at)), true; }
inline bool get(const Statement& s, int at, std::int64_t& v) { return v = s.integer(at), true; }
inline bool get(const Statement& s, int at, double& v) { return v = s.real(at), true; }
inline bool get(const Statement& s, int at, bool& v) { return v = s.integer(at) != 0, true; }
inline bool get(const Statement& s, int at, TimePoint& v) {
  return v = TimePoint(Duration(s.integer(at))), true;
}
inline bool get(const Statement& s, int at, Hours& v) { return v = Hours(s.real(at)), true; }
inline bool get(const Statement& s, int at, Status& v) {
  const auto word = parse_status(s.text(at));
  return word ? (v = *word, true) : false;
}
inline bool get(const Statement& s, int at, JobState& v) {
  const auto word = parse_job_state(s.text(at));
  return word ? (v = *word, true) : false;
}
inline bool get(const Statement& s, int at, LeaseEnd& v) {
  const auto word = parse_lease_end(s.text(at));
  return word ? (v = *word, true) : false;
}
inline bool get(const Statement& s, int at, HostKeyProof& v) {
  const auto word = parse_host_key_proof(s.text(at));
  return word ? (v = *word, true) : false;
}
inline bool get(const Statement& s, int at, Secret& v) { return v = Secret(s.text(at)), true; }
inline bool get(const Statement& s, int at, json& v) {
  auto parsed = parse_json(s.text(at), "ledger", 1000);  // ours: no reason to refuse depth
  return parsed ? (v = *std::move(parsed), true) : false;
}
inline bool get(const Statement& s, int at, Endpoint& v) {
  const std::string all = s.text(at);
  const auto colon = all.rfind(':');
  if (colon == std::string::npos) return false;
  const int port = std::atoi(all.c_str() + colon + 1);
  v = {all.substr(0, colon), static_cast<std::uint16_t>(port)};
  return port >= 0 && port <= 65535;
}
template <class Tag>
bool get(const Statement& s, int at, Id<Tag>& v) {
  return v.value = s.integer(at), true;
}
template <class Tag>
bool get(const Statement& s, int at, Quantity<Tag>& v) {
  return v.value = s.real(at), true;
}
template <class T>
bool get(const Statement& s, int at, std::optional<T>& v) {
  if (s.is_null(at)) return v.reset(), true;
  return get(s, at, v.emplace());
}

template <class T>
std::vector<std::string> columns() {
  std::vector<std::string> names;
  const T none{};
  each_field(none, [&](const char* name, const auto&) { names.emplace_back(name); });
  return names;
}

/// Every row of "SELECT <the columns of T> FROM " + `rest`, whose question marks are `values`.
template <class T, class... Values>
Result<std::vector<T>> select(Database& db, const std::string& rest, const Values&... values) {
  auto query = db.prepare("SELECT " + join(columns<T>(), ", ") + " FROM " + rest);
  if (!query) return fail(std::move(query).error());
  (put(*query, values), ...);
  std::vector<T> found;
  for (;;) {
    auto row = query->step();
    if (!row) return fail(std::move(row).error());
    if (!*row) return found;
    T value{};
    int at = 0;
    std::string odd;
    each_field(value, [&](const char* name, auto& field) {
      if (!get(*query, at, field)) odd = text(name, " '", clean_line(query->text(at), 60), "'");
      ++at;
    });
    if (!odd.empty())
      return fail({.code = Code::corrupt,
                   .what = "the ledger holds a " + odd + " that this program does not know",
                   .next_step = "keep a copy of the ledger and report this"});
    found.push_back(std::move(value));
  }
}

template <class T, class... Values>
Result<std::optional<T>> select_one(Database& db, const std::string& rest, const Values&... values) {
  return select<T>(db, rest + " LIMIT 1", values...).map([](std::vector<T> found) {
    return found.empty() ? std::optional<T>() : std::optional<T>(std::move(found.front()));
  });
}

/// `tail` may say what to do on a conflict.
template <class T>
Result<void> insert(Database& db, const std::string& table, const T& value, const std::string& tail = "") {
  const auto names = columns<T>();
  std::string marks = "?";
  for (std::size_t i = 1; i < names.size(); ++i) marks += ", ?";
  auto statement =
      db.prepare("INSERT INTO " + table + " (" + join(names, ", ") + ") VALUES (" + marks + ") " + tail);
  if (!statement) return fail(std::move(statement).error());
  each_field(value, [&](const char*, const auto& field) { put(*statement, field); });
  return statement->run();
}

template <class... Values>
Result<void> run(Database& db, const std::string& sql, const Values&... values) {
  auto statement = db.prepare(sql);
  if (!statement) return fail(std::move(statement).error());
  (put(*statement, values), ...);
  return statement->run();
}

}  // namespace vastgpu::rows
