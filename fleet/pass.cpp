#include "fleet/pass.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "core/text.h"

namespace vastgpu {
namespace {

// Each of them holds one SSH connection; the account's rate limit is shared by all.
constexpr std::size_t kAtOnce = 8;

const char* to_string(PassLine::Bill bill) {
  switch (bill) {
    case PassLine::Bill::none:
      return "gone";
    case PassLine::Bill::bills:
      return "bills";
    case PassLine::Bill::unknown:
      return "unknown";
  }
  return "unknown";
}

Usd cost_of_line(const PassLine& line) {
  return line.cost ? line.cost->charged.value_or(line.cost->ours.ours) : Usd{};
}

json facts_of(const PassLine& line) {
  json facts{{"instance_id", line.instance ? json(*line.instance) : json(nullptr)},
             {"label", line.label},
             {"kind", line.whose},
             {"gpu", line.gpu},
             {"bill", to_string(line.bill)},
             {"did", line.did},
             {"next_step", line.next_step.empty() ? json(nullptr) : json(line.next_step)},
             {"lost", line.lost.empty() ? json(nullptr) : json(line.lost)},
             {"warnings", line.warnings},
             {"receipt", nullptr},
             {"cost", line.cost ? to_facts(*line.cost) : json(nullptr)}};
  if (line.receipt) facts["receipt"] = *line.receipt;
  return facts;
}

std::string words_of(const PassLine& line) {
  std::string words = (line.instance ? "instance " + to_string(*line.instance) : "label " + line.label) +
                      (line.gpu.empty() ? "" : " " + line.gpu) + " [" + line.whose + "] " +
                      to_string(line.bill) + ": " + line.did;
  if (line.receipt)
    words += text("; ", line.receipt->files.size(), " files at home, ", bytes(line.receipt->bytes),
                  line.receipt->complete ? ", all hashes agree" : ", NOT complete");
  if (!line.lost.empty()) words += "; LOST: " + line.lost;
  for (const std::string& warning : line.warnings) words += "; WARNING: " + warning;
  if (line.cost) words += "; " + to_words(*line.cost);
  if (!line.next_step.empty()) words += "; next: " + line.next_step;
  return clean_line(words, 2000) + "\n";
}

}  // namespace

int PassReport::exit_code() const {
  const auto any = [&](PassLine::Bill bill) {
    return std::ranges::any_of(ours, [&](const PassLine& l) { return l.bill == bill; });
  };
  if (!trouble.empty() || any(PassLine::Bill::unknown)) return 2;
  return any(PassLine::Bill::bills) ? 1 : 0;
}

Usd PassReport::total() const {
  Usd sum;
  for (const PassLine& line : ours) sum += cost_of_line(line);
  return sum;
}

json to_facts(const PassReport& report) {
  json facts{{"exit_code", report.exit_code()},
             {"usd_total", std::round(report.total().value * 1e6) / 1e6},
             {"unknown", report.trouble.empty() ? json(nullptr) : json(report.trouble)},
             {"warnings", report.warnings},
             {"rentals", json::array()},
             {"others_untouched", json::array()}};
  for (const PassLine& line : report.ours) facts["rentals"].push_back(facts_of(line));
  for (const PassLine& line : report.others) facts["others_untouched"].push_back(facts_of(line));
  return facts;
}

std::string to_words(const PassReport& report) {
  std::string words;
  for (const PassLine& line : report.ours) words += words_of(line);
  for (const PassLine& line : report.others) words += words_of(line);
  for (const std::string& warning : report.warnings) words += "WARNING: " + clean_line(warning, 600) + "\n";
  const int code = report.exit_code();
  words += code == 2   ? "UNKNOWN whether anything still bills"
           : code == 1 ? "something still bills"
                       : "nothing of ours bills";
  if (!report.trouble.empty()) words += ": " + clean_line(report.trouble, 600);
  return words + "; total cost " + money(report.total()) + "\n";
}

PassLine line_of(const LiveRow& row) {
  PassLine line;
  line.instance = row.instance.id;
  line.label = row.rental ? row.rental->label : clean_line(row.instance.label, 120);
  line.whose = to_string(row.kind);
  line.gpu = clean_line(row.instance.gpu_name, 60);
  line.bill = PassLine::Bill::bills;
  return line;
}

PassLine line_of(const Rental& rental, std::string whose) {
  PassLine line;
  line.instance = rental.instance;
  line.label = rental.label;
  line.whose = std::move(whose);
  line.gpu = rental.gpu_name;
  return line;
}

PassLine::Bill bill_after(const Error& e) {
  return e.code == Code::wrong_state || e.code == Code::over_budget ? PassLine::Bill::bills
                                                                    : PassLine::Bill::unknown;
}

void side_by_side(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::vector<std::jthread> workers;  // joined at the end of this block
  for (std::size_t w = 0; w < std::min(count, kAtOnce); ++w)
    workers.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    });
}

}  // namespace vastgpu
