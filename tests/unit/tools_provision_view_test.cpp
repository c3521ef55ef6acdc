// What provision shows: a table that lines up, totals with their breakdown, and what would help when nothing
// fits.

#include "tools/provision_view.h"

#include "core/text.h"
#include "tests/support/catch.h"
#include "tests/support/sample_offers.h"

using namespace vastgpu;

namespace {

bool holds(const std::string& s, const std::string& words) { return s.find(words) != std::string::npos; }

QuotedOption quoted(Option option) {
  Quote q;
  q.id = "q-" + to_string(option.chosen.offer.id);
  q.work = option.chosen.work;
  q.lease = option.chosen.lease;
  q.estimate = option.chosen.estimate.total;
  q.worst_case = option.worst_case;
  q.price = option.chosen.offer.price;
  q.interruptible = option.chosen.offer.is_bid;
  q.disk_per_day = {0.24};
  return {q, std::move(option)};
}

}  // namespace

TEST_CASE("options: columns line up, every total is broken down, a proposal is a line of its own") {
  const TaskProfile profile = sample_needs(10, Hours(6));
  QuoteResult found;
  found.offers_seen = 3;
  for (Option& o :
       choose_three(screen({sample_offer(1, "RTX 4090", 0.28, 24564), sample_offer(2, "H100 SXM", 2.2, 81559),
                            sample_offer(3, "A100 SXM4", 0.9, 81920)},
                           profile, {}, {})
                        .candidates))
    found.options.push_back(quoted(std::move(o)));
  Offer bid = sample_offer(4, "RTX 3090", 0.08, 24576);
  bid.is_bid = true;
  found.proposal = Proposal{quoted(make_option("interruptible", priced(bid, profile, {}), {})),
                            {0.3},
                            "each interruption costs up to $0.10"};

  const Envelope e = show_options(found, profile, {}, {"a file was skipped"}, {{"project", "/p"}});
  CHECK(e.outcome == "options");
  CHECK(e.facts["project"] == "/p");
  CHECK(e.facts["options"].size() == 3);
  CHECK(e.facts["interruptible_proposal"]["bid_usd_per_hour"].get<double>() == Approx(0.08));
  std::size_t width = 0, rows = 0;
  for (const std::string& line : split(e.details, '\n')) {
    if (!line.starts_with('|')) break;
    if (width == 0) width = line.size();
    CHECK(line.size() == width);
    ++rows;
  }
  CHECK(rows == 2 + 4);
  for (const char* words :
       {"GPU $", " + disk $", " + traffic $", " + boot $", "wrong when nobody waits", "bid $0.08",
        "saves $0.300", "each interruption", "- warning: a file was skipped", "until destroyed"}) {
    CAPTURE(words);
    CHECK(holds(e.details, words));
  }
}

TEST_CASE("nothing fits: by how much the budget is missed, and what each change would bring") {
  const TaskProfile profile = sample_needs(10, Hours(6));
  QuoteResult found;
  found.offers_seen = 2;
  found.dropped = {{"over budget in the worst case", 2}};
  found.cheapest_over_budget = Usd{1.5};
  found.relaxations.push_back(
      {"budget", "raise the budget", 2, priced(sample_offer(1, "RTX 3090", 0.2, 24576), profile, {})});
  const Envelope e = show_options(found, profile, Usd{1.0}, {}, json::object());
  CHECK(e.outcome == "nothing_fits");
  CHECK(holds(e.summary, "$0.500 short"));
  CHECK(e.facts["usd_short_of_budget"].get<double>() == Approx(0.5));
  CHECK(e.facts["relaxations"].size() == 1);
  CHECK(holds(e.details, "- raise the budget: 2 machines, the cheapest a RTX 3090 for ~$"));
  CHECK(holds(e.details, "over budget in the worst case: 2"));

  found.relaxations.clear();
  found.cheapest_over_budget.reset();
  CHECK(holds(show_options(found, profile, {}, {}, json::object()).details,
              "brings no machine right now either"));
}
