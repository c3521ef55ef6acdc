#include "tools/common.h"

#include "core/text.h"
#include "fleet/tunnels.h"

namespace vastgpu {

Result<void> check_budget_readable(const ProjectSettings& settings) {
  if (!settings.budget_unreadable) return {};
  std::string which = "max_budget cannot be read";
  for (const std::string& warning : settings.warnings)
    if (warning.find("budg") != std::string::npos || warning.find("bugd") != std::string::npos)
      which = warning;
  return fail({.code = Code::invalid_argument,
               .what = "nothing was spent: " + which,
               .next_step = "write it as in `- max_budget: 5.00` under `## Vast.ai`"});
}

Caller caller_of(const CallContext& call, Clock& clock, double wait_seconds) {
  return {call.stop, clock.now() + Duration(static_cast<std::int64_t>(wait_seconds * 1e6)), call.progress};
}

Result<void> open_ports(Workplace& workplace, const Deps& d, const Rental& rental,
                        const std::vector<std::string>& ports, std::stop_token stop, Envelope& e) {
  std::vector<PortWish> wishes;
  for (const std::string& words : ports) {
    auto wish = parse_port(words);
    if (!wish) return fail(std::move(wish).error());
    wishes.push_back(*wish);
  }
  if (!wishes.empty())
    if (auto opened = workplace.tunnels().open(
            d, rental, wishes, [&workplace] { return workplace.known_ledger(); }, std::move(stop));
        !opened)
      return fail(std::move(opened).error().during("opening ports"));
  const auto view = workplace.tunnels().view(rental.label);
  if (!view) return {};
  e.facts["ports"] = to_facts(view->ports);
  if (!e.details.empty() && !e.details.ends_with('\n')) e.details += "\n";
  e.details += to_words(view->ports);
  if (!view->trouble.empty())
    e.details += "- the tunnel reconnects: " + clean_line(view->trouble, 200) + "\n";
  return {};
}

std::string to_words(const Receipt& r) {
  const auto count = [&](CheckedFile::Verdict v) {
    return std::ranges::count(r.checked, v, &CheckedFile::verdict);
  };
  const auto failed = count(CheckedFile::Verdict::failed), loaded = count(CheckedFile::Verdict::ok);
  return text(r.files.size(), r.files.size() == 1 ? " file, " : " files, ", bytes(r.bytes), ", ", r.fetched,
              " fetched now, ", r.complete ? "all hashes agree" : "NOT complete",
              loaded > 0 ? text(", ", loaded, " load on the machine") : "",
              failed > 0 ? text(", ", failed, " CANNOT BE LOADED") : "");
}

json receipt_facts(const Receipt& r) {
  json files = json::array();
  for (const ReceiptFile& f : r.files) {
    if (files.size() == 50) break;  // the whole list is in the receipt file
    files.push_back({{"path", f.home.empty() ? f.path : f.home}, {"bytes", f.size}, {"sha256", f.sha256}});
  }
  json facts{{"complete", r.complete},   {"files", r.files.size()}, {"bytes", r.bytes},
             {"fetched_now", r.fetched}, {"problems", r.problems},  {"first_files", files}};
  // The same words as in the receipt file.
  if (!r.checked.empty()) facts["checked"] = json(r)["checked"];
  return facts;
}

std::string table(const std::vector<std::string>& head, const std::vector<std::vector<std::string>>& rows) {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string out = "|";
    for (const std::string& cell : cells) {
      std::string shown = clean_line(cell, 200);
      for (std::size_t at = 0; (at = shown.find('|', at)) != std::string::npos; at += 2)
        shown.insert(at, "\\");
      out += " " + shown + " |";
    }
    return out + "\n";
  };
  std::string out = line(head) + "|";
  for (std::size_t i = 0; i < head.size(); ++i) out += "---|";
  out += "\n";
  for (const auto& row : rows) out += line(row);
  return out;
}

}  // namespace vastgpu
