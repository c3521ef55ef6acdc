#include "remote/fetch_growing.h"

#include <array>

#include "remote/bounded_answer.h"
#include "remote/ssh_command.h"
#include "remote/time_limit.h"

namespace vastgpu {
namespace {

Result<std::string> fetch_start(CollectRun& run, SshSession& session, const Wanted& w, Landing::Part& part) {
  TimeLimit limit(run.options.slow_window + hashing_time(w.entry.size), run.stop);
  Patience patience(run.options.idle, limit.token(), Patience::Kind::idle);
  const std::string script = text("head -c ", w.entry.size, " -- ", shell_quote(w.remote), " 2>/dev/null");
  auto machine = SshCommand::start(session, script, SshCommand::Output::read, 4096, patience);
  if (!machine) return fail(limit.explain(std::move(machine).error()));
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    auto got = (*machine)->read(buffer, patience);
    if (!got) return fail(limit.explain(std::move(got).error()));
    if (*got == 0 || part.size() + *got > w.entry.size) break;
    if (auto written = part.write({buffer.data(), *got}); !written) return fail(std::move(written).error());
    run.bytes_came(*got);
  }
  return part.close(w.entry.changed);
}

Result<std::string> hash_start(CollectRun& run, SshSession& session, const Wanted& w) {
  const Bounds bounds{1000, run.options.idle + hashing_time(w.entry.size),
                      5 * run.options.slow_window + hashing_time(w.entry.size)};
  const std::string script =
      text("head -c ", w.entry.size, " -- ", shell_quote(w.remote), " 2>/dev/null | LC_ALL=C sha256sum");
  return ask(session, script, "", bounds, run.stop).map([](const BoundedAnswer& a) {
    return a.out.substr(0, 64);
  });
}

}  // namespace

Result<void> fetch_growing(CollectRun& run, const std::vector<Wanted*>& files) {
  for (Wanted* w : files) {
    auto part = run.landings[w->source].begin(w->home);
    if (!part) {
      run.findings.incomplete(clean_line(w->remote) + ": " + part.error().what);
      continue;
    }
    auto theirs =
        on_a_session(run.link, run.stamina, run.stop, [&](SshSession& s) { return hash_start(run, s, *w); });
    if (!theirs) return fail(std::move(theirs).error());
    Patience patience(run.stamina.for_connecting(), run.stop);
    auto session = run.link.session(patience);
    if (!session) return fail(std::move(session).error());
    auto ours = fetch_start(run, **session, *w, *part);
    if (!ours) return fail(std::move(ours).error());
    if (part->size() != w->entry.size || *ours != *theirs) {
      run.findings.incomplete(text(clean_line(w->remote), ": ", kChanged, ", and not only at its end"));
      continue;
    }
    if (auto synced = run.landings[w->source].sync(); !synced) return synced;
    run.place(*w, *part, *ours);
    if (!w->at_home) continue;
    w->note = text("still growing: its first ", w->entry.size, " bytes");
    w->moved = true;
    run.findings.remark(clean_line(w->remote) + " was still growing: its first " + bytes(w->entry.size) +
                        " are home");
  }
  return {};
}

}  // namespace vastgpu
