#include "tools/provision_view.h"

#include <algorithm>

#include "analysis/evidence.h"
#include "core/bound.h"
#include "core/text.h"
#include "fleet/report.h"
#include "tools/common.h"

namespace vastgpu {
namespace {

/// Characters as a terminal shows them, one column each.
std::size_t width(const std::string& s) {
  return static_cast<std::size_t>(
      std::ranges::count_if(s, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

/// A table whose columns line up as plain text, too.
std::string aligned_table(const std::vector<std::string>& head, std::vector<std::vector<std::string>> rows) {
  std::vector<std::size_t> widest;
  for (const std::string& name : head) widest.push_back(width(name));
  for (auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i] = clean_line(row[i], 200);
      std::ranges::replace(row[i], '|', '/');
      widest[i] = std::max(widest[i], width(row[i]));
    }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string out = "|";
    for (std::size_t i = 0; i < cells.size(); ++i)
      out += " " + cells[i] + std::string(widest[i] - width(cells[i]), ' ') + " |";
    return out + "\n";
  };
  std::string out = line(head) + "|";
  for (const std::size_t n : widest) out += std::string(n + 2, '-') + "|";
  out += "\n";
  for (const auto& row : rows) out += line(row);
  return out;
}

std::string machine_words(const Offer& o) {
  return (o.num_gpus > 1 ? std::to_string(o.num_gpus) + " x " : "") + o.gpu_name;
}

std::vector<std::string> row_of(const std::string& number, const QuotedOption& o) {
  const Candidate& c = o.option.chosen;
  return {number,
          o.option.title,
          machine_words(c.offer),
          fixed(to_gibibytes(c.offer.gpu_ram).value, 0) + " GB",
          money(c.offer.price),
          c.work ? "~" + hours(*c.work) : "unknown",
          (c.work ? "" : "for the lease ") + money(o.quote.estimate),
          at_most(o.quote.worst_case),
          c.offer.reliability > 0 ? fixed(c.offer.reliability * 100, 1) + " %" : "unknown",
          to_string(c.offer.id),
          o.quote.id};
}

std::string options_table(const QuoteResult& found) {
  std::vector<std::vector<std::string>> rows;
  for (const QuotedOption& o : found.options) rows.push_back(row_of(std::to_string(rows.size() + 1), o));
  if (found.proposal) rows.push_back(row_of("+", found.proposal->quoted));
  return aligned_table({"#", "option", "GPU", "VRAM", "price", "est. hours", "est. total", "at most",
                        "reliability", "offer", "quote_id"},
                       std::move(rows));
}

/// "GPU $0.30 + disk $0.010 + traffic $0.020 + boot $0.012".
std::string breakdown(const Candidate& c) {
  return "GPU " + money(c.estimate.gpu) + " + disk " + money(c.estimate.disk) + " + traffic " +
         money(c.estimate.traffic) + " + boot " + money(c.estimate.boot);
}

std::string lines_of(const QuotedOption& o, LeaseEnd at_end) {
  const Candidate& c = o.option.chosen;
  std::string out = "- " + o.option.title + ", " + machine_words(c.offer) + ": " + breakdown(c) +
                    (c.work ? "; work " + hours(*c.work) + " after " + hours(c.start) + " of start" : "") +
                    "; lease " + hours(c.lease) + ": " + end_words(at_end, o.quote.disk_per_day) + "\n  " +
                    o.option.wrong_when + "\n";
  std::vector<std::string> flags = c.flags;
  if (o.quote.interruptible) flags.push_back("bid " + money(bid_floor(c.offer)) + ", the disk comes on top");
  if (!flags.empty()) out += "  note: " + join(flags, "; ") + "\n";
  return out;
}

std::string proposal_lines(const Proposal& p, LeaseEnd at_end) {
  return lines_of(p.quoted, at_end) + "  saves " + money(p.saves) + " against the cheapest; " +
         p.interruption + "\n";
}

Envelope nothing_fits(const QuoteResult& found, const TaskProfile& profile, const std::optional<Usd>& budget,
                      json facts) {
  std::string why;
  if (found.cheapest_over_budget && budget)
    why = "the cheapest that fits would cost up to " + money(*found.cheapest_over_budget) +
          ", the budget is " + money(*budget) + " (" + money(*found.cheapest_over_budget - *budget) +
          " short)";
  else if (found.offers_seen == 0)
    why = "the marketplace lists no machine with these needs right now";
  else
    why = "all " + std::to_string(found.offers_seen) + " offers were dropped";
  std::vector<std::string> reasons;
  for (const auto& [reason, n] : found.dropped) reasons.push_back(text(reason, ": ", n));
  Envelope e{"nothing_fits",
             "No machine fits: " + why + ". The task " + needs_line(profile) + ".",
             std::move(facts),
             {},
             {}};
  if (!reasons.empty()) e.details = "Dropped offers by reason: " + join(reasons, ", ") + "\n";
  if (found.relaxations.empty() && found.notes.empty())
    e.details += "Giving up any single requirement brings no machine right now either; ask again later.\n";
  if (!found.relaxations.empty()) e.details += "Giving up one requirement would bring:\n";
  for (const Relaxation& r : found.relaxations) e.details += "- " + to_words(r) + "\n";
  return e;
}

}  // namespace

std::string hours_words(const TaskProfile& p) {
  if (!p.hours) return "hours unknown";
  std::string words = "about " + hours(*p.hours) + " on ";
  if (p.gpus > 1) words += std::to_string(p.gpus) + " x ";
  words += p.reference_gpu;
  const auto& range = p.hours_range;
  if (range && range->high > range->likely * 1.4)
    words += " (computed: " + hours(range->low) + " to " + hours(range->high) + ")";
  return words;
}

std::string needs_line(const TaskProfile& p) {
  return text("needs ", p.gpus, p.gpus == 1 ? " GPU" : " GPUs", " with ", fixed(p.vram.value, 1),
              " GB each, ", hours_words(p), ", ", fixed(p.disk.value, 0), " GB disk, CUDA ",
              fixed(p.min_cuda, 1), ", image ", p.image);
}

std::string evidence_table(const TaskProfile& p) {
  std::vector<std::vector<std::string>> rows;
  for (const Evidence& e : p.evidence)
    rows.push_back({e.quantity, shown(e) + (e.headroom != 1 ? " (x " + fixed(e.headroom, 2) + ")" : ""),
                    e.source, std::to_string(e.rank), e.guess ? "guess" : "", join(e.overruled, "; ")});
  return table({"quantity", "value", "from", "rank", "", "overruled"}, rows);
}

Envelope show_options(const QuoteResult& found, const TaskProfile& profile, const std::optional<Usd>& budget,
                      const std::vector<std::string>& warnings, json facts, const std::string& renewal) {
  facts["offers_seen"] = found.offers_seen;
  facts["dropped"] = found.dropped;
  facts["options"] = json::array();
  for (const QuotedOption& o : found.options) facts["options"].push_back(to_facts(o));
  facts["at_lease_end"] = to_string(found.at_end);
  facts["interruptible_proposal"] = found.proposal ? to_facts(*found.proposal) : json(nullptr);
  facts["relaxations"] = json::array();
  for (const Relaxation& r : found.relaxations) facts["relaxations"].push_back(to_facts(r));
  facts["usd_short_of_budget"] =
      found.cheapest_over_budget && budget ? json(*found.cheapest_over_budget - *budget) : json(nullptr);

  Envelope e;
  if (found.options.empty()) {
    e = nothing_fits(found, profile, budget, std::move(facts));
  } else {
    const QuotedOption& first = found.options.front();
    e.outcome = "options";
    e.summary = text("The task ", needs_line(profile), ". ", found.options.size(),
                     found.options.size() == 1 ? " option" : " options", ", the cheapest a ",
                     machine_words(first.option.chosen.offer), " for ~", money(first.quote.estimate),
                     " (at most ", at_most(first.quote.worst_case), renewal, "). Nothing was rented.");
    e.details = options_table(found) + "\n";
    for (const QuotedOption& o : found.options) e.details += lines_of(o, found.at_end);
    if (found.proposal) e.details += proposal_lines(*found.proposal, found.at_end);
    e.details += "\nWhere the numbers come from:\n" + evidence_table(profile);
    e.facts = std::move(facts);
  }
  for (const std::string& note : found.notes) e.details += "- note: " + note + "\n";
  if (!found.options.empty())
    for (const std::string& unknown : profile.unknown) e.details += "- unknown: " + unknown + "\n";
  for (const std::string& warning : warnings) e.details += "- warning: " + warning + "\n";
  return e;
}

}  // namespace vastgpu
