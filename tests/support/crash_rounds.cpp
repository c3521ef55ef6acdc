#include "tests/support/crash_rounds.h"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <set>
#include <thread>

#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kEnoughTrouble = 8;
constexpr int kTries = 3;  // rounds again for a point that another timing left out
// Where the second process dies: its first steps are those that the first one died in.
const std::vector<std::string> kNextPoints{"ledger before 1", "ledger after 1", "ledger before 2"};

std::string kind_of(const std::string& point) { return point.substr(0, point.rfind(' ')); }
int number_of(const std::string& point) { return std::stoi(point.substr(point.rfind(' ') + 1)); }

class Rounds {
 public:
  Rounds(const CrashOptions& options, const CrashPlay& play) : options_(options), play_(play) {}

  CrashCount run(int side_by_side) {
    const auto began = std::chrono::steady_clock::now();
    round({}, true);
    for (int tries = 0; count_.trouble.size() < kEnoughTrouble; ++tries) {
      const auto plans = plans_for_rest();
      if (plans.empty()) break;
      if (tries <= kTries) {
        play_all(plans, side_by_side);
        continue;
      }
      for (const DeathPlan& plan : plans)
        for (const auto& [phase, deaths] : plan)
          count_.trouble.push_back(text("phase ", phase, ": ", deaths.first, " was never hit"));
      break;
    }
    count_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return std::move(count_);
  }

 private:
  /// What is known of one phase.
  struct Known {
    std::vector<std::string> points;  // of the clean run, then those that turned up later
    std::set<std::string> hit;
    std::set<std::string> in_vain;  // waited for, and the phase lived through
  };

  /// A machine that is waited for is looked at, and its container's log read, as often as timing has it: the
  /// same command or request some times more. Where the last one before was hit and the phase lived through
  /// without these, nothing is left out. In a sample the one before may not have been asked for.
  bool was_one_look_more(const Known& known, const std::string& point) const {
    if (!(point.starts_with("ssh ") || point.starts_with("api ")) || !known.in_vain.contains(point))
      return false;
    if (every_ > 1) return true;
    const std::string before = text(kind_of(point), " ", number_of(point) - 1);
    return known.hit.contains(before) || was_one_look_more(known, before);
  }

  /// The first of each kind is always in, so that no kind goes unseen.
  bool in_sample(const std::string& point) const { return number_of(point) % every_ == 1 % every_; }

  /// The clean run's points, and for each kind the one after the last that is known.
  std::vector<std::string> rest_of(Known& known) const {
    std::map<std::string, int> last;
    for (const std::string& point : known.points)
      last[kind_of(point)] = std::max(last[kind_of(point)], number_of(point));
    std::vector<std::string> rest;
    for (const std::string& point : known.points)
      if (in_sample(point) && !known.hit.contains(point) && !was_one_look_more(known, point))
        rest.push_back(point);
    if (every_ > 1) return rest;
    for (const auto& [kind, number] : last) {
      const std::string next = text(kind, " ", number + 1);
      const bool after = kind.ends_with(" after");  // only where there is a "before" that it belongs to
      if (after && number >= last[kind.substr(0, kind.size() - 5) + "before"]) continue;
      if (!known.in_vain.contains(next)) rest.push_back(next);
    }
    return rest;
  }

  std::vector<DeathPlan> plans_for_rest() {
    std::vector<DeathPlan> plans;
    for (auto& [phase, known] : phases_) {
      const auto rest = rest_of(known);
      if (plans.size() < rest.size()) plans.resize(rest.size());
      for (std::size_t i = 0; i < rest.size(); ++i) {
        plans[i][phase].first = rest[i];
        if (i % 7 == 6) plans[i][phase].second = kNextPoints[(i / 7) % kNextPoints.size()];
      }
    }
    return plans;
  }

  void play_all(const std::vector<DeathPlan>& plans, int side_by_side) {
    std::size_t next = 0;
    std::vector<std::jthread> workers;  // each starts and ends its own processes: they die with their thread
    for (int w = 0; w < side_by_side; ++w)
      workers.emplace_back([&] {
        for (;;) {
          DeathPlan plan;
          {
            const std::scoped_lock hold(mutex_);
            if (next == plans.size() || count_.trouble.size() >= kEnoughTrouble) return;
            plan = plans[next++];
          }
          round(plan, false);
        }
      });
  }

  void round(const DeathPlan& plan, bool whole) {
    const auto began = std::chrono::steady_clock::now();
    std::string why;
    std::map<std::string, PhaseEnd> ends;
    try {
      CrashStory story(options_, plan, whole);
      try {
        play_(story);
      } catch (const std::exception& e) {
        why = e.what();
      }
      ends = story.ends();
    } catch (const std::exception& e) {
      why = e.what();
    }
    const std::scoped_lock hold(mutex_);
    ++count_.stories;
    if (std::getenv("VAST_GPU_CRASH_TELL") != nullptr) {
      for (const auto& [phase, deaths] : plan)
        std::cerr << phase << ": " << deaths.first << (ends[phase].died ? " died, " : " lived, ");
      std::cerr << fixed(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(), 1)
                << " s " << why << "\n";
    }
    if (!why.empty()) {
      for (const auto& [phase, end] : ends)
        if (end.died) why += text("\n    (", phase, " died at ", end.points.back(), ")");
      count_.trouble.push_back(why);
    }
    for (const auto& [phase, end] : ends) note(phases_[phase], phase, end, plan, why.empty());
  }

  void note(Known& known, const std::string& phase, const PhaseEnd& end, const DeathPlan& plan, bool fine) {
    if (!plan.contains(phase)) {
      if (plan.empty()) known.points = end.points;
      return;
    }
    const std::string& planned = plan.at(phase).first;
    if (!end.died) {
      if (fine) known.in_vain.insert(planned);
      return;
    }
    if (!known.hit.insert(planned).second) return;
    if (std::ranges::find(known.points, planned) == known.points.end()) known.points.push_back(planned);
    ++count_.points;
    ++count_.hit[phase][kind_of(planned)];
    if (end.died_twice) ++count_.twice;
  }

  const CrashOptions& options_;
  const CrashPlay& play_;
  const int every_ = crash_every();
  std::mutex mutex_;  // guards what follows
  CrashCount count_;
  std::map<std::string, Known> phases_;
};

}  // namespace

int crash_every() {
  const char* given = std::getenv("VAST_GPU_CRASH_EVERY");
  return std::max(1, given == nullptr ? 1 : std::atoi(given));
}

CrashCount die_everywhere(const CrashOptions& options, const CrashPlay& play, int side_by_side) {
  std::signal(SIGPIPE, SIG_IGN);  // servers die while we write to them
  return Rounds(options, play).run(side_by_side);
}

std::string to_words(const std::string& story, const CrashCount& count) {
  std::map<std::string, int> kinds;
  std::string words = text(story, ": ", count.points, " points, ", count.twice, " of them twice in a row, ",
                           count.stories, " stories, ", fixed(count.seconds, 1), " s\n");
  for (const auto& [phase, hit] : count.hit) {
    int sum = 0;
    std::string what;
    for (const auto& [point, times] : hit) {
      sum += times;
      kinds[point] += times;
      what += text(what.empty() ? "" : ", ", point, " ", times);
    }
    words += text("  ", phase, ": ", sum, " (", what, ")\n");
  }
  return words;
}

}  // namespace vastgpu
