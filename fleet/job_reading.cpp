#include "fleet/job_reading.h"

#include <charconv>

#include "core/text.h"
#include "fleet/job_files.h"

namespace vastgpu {
namespace {

constexpr auto kStale = std::chrono::minutes(3);  // the heartbeat comes every 15 s

std::optional<std::int64_t> number_after(std::string_view line, std::string_view key) {
  const auto at = line.find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const char* from = line.data() + at + key.size();
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(from, line.data() + line.size(), value);
  if (bad != std::errc{} || end == from) return std::nullopt;
  return value;
}

TimePoint at_seconds(std::int64_t s) { return TimePoint(std::chrono::seconds(s)); }

std::string_view last_lines(std::string_view text, int lines) {
  if (lines <= 0) return {};
  std::size_t at = text.size();
  if (at > 0 && text[at - 1] == '\n') --at;
  for (; at > 0; --at)
    if (text[at - 1] == '\n' && --lines == 0) return text.substr(at);
  return text;
}

/// What the machine noted about a job's run: how long, how much memory, how far.
JobEnd read_end(std::string_view facts, std::string_view log, std::optional<TimePoint> machine_now) {
  JobEnd end;
  const auto began = moment_after(facts, " began=");
  const auto ended = facts.starts_with("exit= ") ? machine_now : moment_after(facts, " ended=");
  if (began && ended && *ended >= *began && *ended - *began < std::chrono::hours(24 * 366))
    end.ran = std::chrono::duration_cast<Hours>(*ended - *began);
  if (const auto at = facts.find(" vram="); at != std::string_view::npos)
    end.memory = read_memory_notes(facts.substr(at + 6));
  end.progress = read_progress(log);
  end.out_of_memory = shows_out_of_memory(log);
  return end;
}

}  // namespace

std::map<std::string, std::string> parts_of(const std::string& answer, const std::string& mark) {
  std::map<std::string, std::string> parts;
  const std::string separator = "\n" + mark;
  for (std::size_t at = answer.find(separator); at != std::string::npos;) {
    const std::size_t name_from = at + separator.size();
    const std::size_t name_to = answer.find('\n', name_from);
    if (name_to == std::string::npos) break;
    const std::size_t following = answer.find(separator, name_to);
    parts.try_emplace(answer.substr(name_from, name_to - name_from),
                      answer.substr(name_to + 1, following == std::string::npos ? std::string::npos
                                                                                : following - name_to - 1));
    at = following;
  }
  return parts;
}

std::vector<std::string> screen_names(const std::string& list) {
  std::vector<std::string> names;
  for (const std::string& line : split(list, '\n')) {
    const auto dot = line.find('.');
    const auto tab = line.find('\t', dot == std::string::npos ? 0 : dot);
    if (dot != std::string::npos && tab != std::string::npos && line.find("(Dead") == std::string::npos)
      names.push_back(line.substr(dot + 1, tab - dot - 1));
  }
  return names;
}

std::optional<TimePoint> moment_after(std::string_view line, std::string_view key) {
  const auto seconds = number_after(line, key);
  if (!seconds || *seconds <= 0 || *seconds > 100'000'000'000) return std::nullopt;
  return at_seconds(*seconds);
}

std::vector<GpuNow> read_gpus(const std::string& csv) {
  std::vector<GpuNow> gpus;
  for (const std::string& line : split(csv, '\n')) {
    const auto parts = split(line, ',');
    if (parts.size() < 4 || gpus.size() == 64) continue;
    const auto memory = [](const std::string& word) {
      const double mib = std::atof(word.c_str());
      return Megabytes{mib >= 0 && mib < 1e8 ? mib : 0};  // neither can "nan" be one
    };
    GpuNow gpu;
    gpu.name = clean_line(parts[0], 60);
    gpu.used = memory(parts[2]), gpu.total = memory(parts[3]);
    const std::string busy(trim(parts[1]));  // "[N/A]" where the driver does not tell
    if (!busy.empty() && busy.size() < 4 && busy.find_first_not_of("0123456789") == std::string::npos)
      gpu.busy_percent = std::atoi(busy.c_str());
    gpus.push_back(std::move(gpu));
  }
  return gpus;
}

std::string to_words(const std::vector<GpuNow>& gpus) {
  std::vector<std::string> words;
  for (const GpuNow& gpu : gpus)
    words.push_back(gpu.name + ": " + (gpu.busy_percent ? text(*gpu.busy_percent, " % busy, ") : "") +
                    fixed(gpu.used.value / 1024, 1) + " of " + fixed(gpu.total.value / 1024, 1) + " GiB");
  return join(words, "; ");
}

std::string last_states(std::string_view log, std::size_t most) {
  std::vector<std::string> lines;
  for (const std::string& line : split(log, '\n')) {
    std::string_view shown = line;
    while (!shown.empty() && shown.back() == '\r') shown.remove_suffix(1);
    if (const auto cut = shown.rfind('\r'); cut != std::string_view::npos) shown.remove_prefix(cut + 1);
    lines.emplace_back(shown);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string all = join(lines, "\n");
  if (all.size() > most) {  // the newest count
    std::size_t from = all.size() - most;
    while (from < all.size() && (static_cast<unsigned char>(all[from]) & 0xC0) == 0x80) ++from;
    all.erase(0, from);
  }
  return clean(all, std::string::npos);
}

bool is_of_turn(const Job& job, const std::string& facts) {
  return facts.find("-" + turn_of(job) + "; size=") != std::string::npos;
}

void follow_log(LogFollow& log, const std::string& part, const std::string& rest) {
  const auto first_end = std::min(part.find('\n'), part.size());
  const auto inode = number_after("=" + part.substr(0, first_end), "=");
  const auto from = number_after(part.substr(0, first_end), " ");
  if (!inode || !from || *inode <= 0 || *from < 0) return;  // no log yet, or a cut answer
  const std::string bytes = part.substr(std::min(first_end + 1, part.size()));
  const auto begin = static_cast<std::uint64_t>(*from), end = begin + bytes.size();
  if (log.place.inode == 0 && log.place.at > 0)
    log.place.inode = static_cast<std::uint64_t>(*inode);  // bytes alone
  const bool same = log.place.inode == static_cast<std::uint64_t>(*inode) && end >= log.place.at;
  std::string fresh;
  if (same && begin <= log.place.at) {
    const auto known = static_cast<std::size_t>(log.place.at - begin);
    if (log.window.empty()) log.window = bytes.substr(0, known);
    fresh = bytes.substr(known);
  } else if (same) {
    log.skipped += begin - log.place.at;
    fresh = (log.window.empty() ? "" : "\n") + bytes;
  } else {
    log.rotated |= log.place.inode != 0;
    fresh = rest + (rest.empty() || rest.back() == '\n' ? "" : "\n") + bytes;
  }
  log.place = {static_cast<std::uint64_t>(*inode), end};
  log.fresh += fresh.size();
  log.window += fresh;
  if (log.window.size() > kMostWindow) log.window.erase(0, log.window.size() - kMostWindow);
  log.fresh = std::min(log.fresh, log.window.size());
}

namespace {

/// What stands behind `key` up to the next blank or ";".
std::string word_after(const std::string& facts, std::string_view key) {
  const auto at = facts.find(key);
  if (at == std::string::npos) return {};
  const auto from = at + key.size();
  return facts.substr(from, facts.find_first_of(" ;", from) - from);
}

/// Why a job that left no exit code is lost.
std::string loss_words(const JobLook& look, const std::string& facts, const LookTerms& t) {
  const std::string then = word_after(facts, " box=");
  const auto space = t.container.find(' ');
  const std::string now = t.container.substr(0, space);
  if (then.empty() || now.empty() || then == now) return {};
  std::string at;
  if (const auto age = number_after(t.container, " ");
      age && t.machine_now && *age >= 0 && *age < 1'000'000'000) {
    // Its last heartbeat was before, however the machine counts.
    const TimePoint beat = look.heartbeat_age ? *t.machine_now - *look.heartbeat_age : TimePoint{};
    const TimePoint start = *t.machine_now - std::chrono::seconds(*age);
    at = " at " + to_iso8601(std::clamp(start, std::min(beat, *t.machine_now), *t.machine_now) - t.skew);
  }
  return "the container was restarted under it" + at;
}

void read_state(JobLook& look, const std::string& facts, const LookTerms& t) {
  Job& job = look.job;
  if (const auto exit_code = number_after(facts, "exit=")) {
    const bool stopped = word_after(facts, " stopped=") == "1";
    job.state = stopped ? JobState::stopped : *exit_code == 0 ? JobState::finished : JobState::failed;
    job.exit_code = static_cast<int>(std::clamp<std::int64_t>(*exit_code, -1, 255));
    job.note.clear();
    if (const auto ended = moment_after(facts, "ended=")) job.ended = *ended;
    return;
  }
  if (look.queue_place > 0 && t.lease_over && !look.screen_alive) {
    job.state = JobState::lost, job.note = "the lease ended before its turn in the queue";
    return;
  }
  if (look.queue_place > 0) {
    job.state = JobState::queued;
    job.note = look.queue_place == 1 ? t.queue->why
                                     : text("number ", look.queue_place, " in the queue of the machine");
    return;
  }
  if (look.screen_alive) {
    job.state = JobState::running, job.note.clear();
    return;
  }
  if (!is_open(job.state) || facts.empty()) return;
  if (const std::string restarted = loss_words(look, facts, t); !restarted.empty()) {
    job.state = JobState::lost, job.note = restarted;
  } else if (look.heartbeat_age.value_or(t.now - job.started) > Duration(kStale)) {
    job.note = job.state == JobState::queued
                   ? "it is not in the queue of the machine any more, and did not start"
                   : "its screen session is gone, and it left no exit code and no heartbeat for minutes";
    job.state = JobState::lost;
  }
}

}  // namespace

void read_job(JobLook& look, const std::string& facts, std::string window, const LookTerms& t) {
  look.window = std::move(window);
  look.log = last_states(last_lines(look.window, t.lines));
  look.so_far = read_end(facts, look.window, t.machine_now);
  look.log_size =
      static_cast<std::uint64_t>(std::max<std::int64_t>(number_after(facts, "size=").value_or(0), 0));
  look.gpus = clean_line(word_after(facts, " gpus="), 200);
  const auto before = number_after(facts, " killed="), after = number_after(facts, " killed_end=");
  if (before && after && *after >= *before) look.oom_kills = static_cast<std::uint64_t>(*after - *before);
  const auto beat = moment_after(facts, "beat=");
  if (beat && t.machine_now) look.heartbeat_age = *t.machine_now - *beat;
  if (t.queue != nullptr) {
    const auto at = std::ranges::find(t.queue->waiting, look.job.experiment);
    if (at != t.queue->waiting.end()) look.queue_place = static_cast<int>(at - t.queue->waiting.begin()) + 1;
  }
  read_state(look, facts, t);
}

}  // namespace vastgpu
