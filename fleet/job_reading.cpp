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

/// A progress bar drawn with carriage returns is worth its last state only.
std::string without_redraws(std::string_view log) {
  std::vector<std::string> lines;
  for (const std::string& line : split(log, '\n')) {
    std::string_view shown = line;
    while (!shown.empty() && shown.back() == '\r') shown.remove_suffix(1);
    if (const auto cut = shown.rfind('\r'); cut != std::string_view::npos) shown.remove_prefix(cut + 1);
    lines.emplace_back(shown);
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return clean(join(lines, "\n"), kMostLog);
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

std::string gpu_words(const std::string& csv) {
  std::vector<std::string> words;
  for (const std::string& line : split(csv, '\n')) {
    const auto parts = split(line, ',');
    if (parts.size() < 4) continue;
    words.push_back(clean_line(parts[0], 60) + ": " + clean_line(parts[1], 8) + " % busy, " +
                    fixed(std::atof(parts[2].c_str()) / 1024, 1) + " of " +
                    fixed(std::atof(parts[3].c_str()) / 1024, 1) + " GiB");
  }
  return join(words, "; ");
}

bool is_of_turn(const Job& job, const std::string& body) {
  const std::string facts = body.substr(0, body.find('\n'));
  return facts.find("-" + turn_of(job) + "; size=") != std::string::npos;
}

void read_job(JobLook& look, const std::string& body, int lines, std::optional<TimePoint> machine_now,
              TimePoint now) {
  const auto first_end = std::min(body.find('\n'), body.size());
  const std::string facts = body.substr(0, first_end);
  const auto log = std::string_view(body).substr(std::min(first_end + 1, body.size()));
  look.log = without_redraws(last_lines(log, lines));
  look.so_far = read_end(facts, log, machine_now);
  look.log_size =
      static_cast<std::uint64_t>(std::max<std::int64_t>(number_after(facts, "size=").value_or(0), 0));
  const auto beat = moment_after(facts, "beat=");
  if (beat && machine_now) look.heartbeat_age = *machine_now - *beat;
  const auto exit_code = number_after(facts, "exit=");
  if (exit_code) {
    look.job.state = *exit_code == 0 ? JobState::finished : JobState::failed;
    look.job.exit_code = static_cast<int>(std::clamp<std::int64_t>(*exit_code, -1, 255));
    if (const auto ended = moment_after(facts, "ended=")) look.job.ended = *ended;
    return;
  }
  const bool open = look.job.state == JobState::starting || look.job.state == JobState::running;
  if (look.screen_alive)
    look.job.state = JobState::running;
  else if (open && !facts.empty() && look.heartbeat_age.value_or(now - look.job.started) > kStale)
    look.job.state =
        JobState::lost;  // no screen, no exit code, no heartbeat: the container was restarted under it
}

}  // namespace vastgpu
