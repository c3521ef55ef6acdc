// One transfer or a few commands by our own SSH, timed. Prints one line of JSON. bench/transfer.py runs it
// beside what people type instead.
//
//   bench_transfer FOLDER HOST PORT SHA256:FINGERPRINT [--open] exec N
//                                                               up LOCAL REMOTE
//                                                               down REMOTE LOCAL
// FOLDER holds our key (made on first use by `bench_transfer FOLDER key`). --open: the session is there
// already.
#include <sys/resource.h>

#include <pwd.h>
#include <unistd.h>
#include <algorithm>
#include <chrono>
#include <iostream>

#include "core/json.h"
#include "remote/ssh_connector.h"

using namespace vastgpu;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point began) {
  return std::chrono::duration<double>(Clock::now() - began).count();
}

int say(json answer) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  answer["rss_mb"] = static_cast<double>(used.ru_maxrss) / 1024;
  std::cout << answer.dump() << std::endl;
  return 0;
}

int give_up(const Error& e) {
  std::cout << json{{"error", e.what}}.dump() << std::endl;
  return 1;
}

int work(SshConnector& connector, const SshTarget& target, bool open, const std::vector<std::string>& words) {
  if (open) {
    auto first = connector.connect(target, {});
    if (!first) return give_up(first.error());
    if (auto said = first->shell->exec("true", {}, {}); !said) return give_up(said.error());
    first->shell.reset();
    ::usleep(300'000);  // what belongs to connecting is under way no more
  }
  const auto began = Clock::now();
  auto made = connector.connect(target, {});
  if (!made) return give_up(made.error());
  Shell& shell = *made->shell;
  if (words[0] == "exec") {
    const double connecting = seconds_since(began);
    std::vector<double> each;
    for (int n = std::stoi(words.at(1)); n > 0; --n) {
      const auto from = Clock::now();
      if (auto said = shell.exec("true", {}, {}); !said) return give_up(said.error());
      each.push_back(seconds_since(from));
      ::usleep(200'000);  // commands come now and then, not in one breath
    }
    return say({{"seconds", connecting}, {"commands", each}});
  }
  if (words[0] == "up") {
    SyncRules rules;
    rules.include = {"*"};
    rules.max_file = rules.max_total = 1ull << 40;
    rules.notes_folder = words.at(2) + ".notes";
    auto sent = shell.sync_up(words.at(1), words.at(2), rules, {}, {});
    if (!sent) return give_up(sent.error());
    return say({{"seconds", seconds_since(began)},
                {"files", sent->sent_files},
                {"bytes", sent->sent_bytes},
                {"lanes", sent->lanes},
                {"trips", sent->round_trips}});
  }
  CollectSource source;
  source.remote_folder = words.at(1);
  source.local_folder = words.at(2);
  auto receipt = shell.collect({source}, {}, {});
  if (!receipt) return give_up(receipt.error());
  const double took = seconds_since(began);
  if (!receipt->complete) return give_up({.what = "incomplete: " + json(receipt->problems).dump()});
  return say({{"seconds", took}, {"files", receipt->fetched}, {"bytes", receipt->bytes}});
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() < 2) return 2;
  const passwd* me = ::getpwuid(::geteuid());
  SshConnector connector({.ssh_folder = words[0] + "/none", .state_folder = words[0], .user = me->pw_name});
  if (words[1] == "key") {
    auto key = connector.public_key();
    if (!key) return give_up(key.error());
    std::cout << *key << std::endl;
    return 0;
  }
  if (words.size() < 6) return 2;
  const SshTarget target{.candidates = {{words[1], static_cast<std::uint16_t>(std::stoi(words[2]))}},
                         .pinned_host_key = words[3]};
  const bool open = words[4] == "--open";
  words.erase(words.begin(), words.begin() + (open ? 5 : 4));
  return work(connector, target, open, words);
}
