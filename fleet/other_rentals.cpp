#include "fleet/other_rentals.h"

#include <algorithm>

namespace vastgpu {
namespace {

constexpr int kMostKin = 100;  // a chain of re-rentals is shorter; a circle is not

}  // namespace

OtherRentals::OtherRentals(const Deps& d, const Rental& rental) : d_(d), rental_(rental) {
  std::string label = rental.label;
  for (int n = 0; n < kMostKin && !label.empty() && kin_.insert(label).second; ++n) {
    auto one = d_.ledger.rental_by_label(label);
    label = one && *one ? (*one)->replaces : "";
  }
  (void)any_open();
}

bool OtherRentals::any_open() {
  if (open_) return true;
  auto rentals = d_.ledger.rentals(true);
  open_ = !rentals || std::ranges::any_of(*rentals, [&](const Rental& r) {
    return r.project == rental_.project && !kin_.contains(r.label);
  });
  return open_;
}

bool OtherRentals::hold(const std::string& remote_folder, const std::string& home,
                        const std::string& sha256) {
  if (!std::exchange(read_, true)) unknown_ = !read();
  if (unknown_) return true;
  const auto found = held_.find({remote_folder, home});
  return found != held_.end() && found->second.contains(sha256);
}

Result<void> OtherRentals::read() {
  auto rentals = d_.ledger.rentals(false);
  if (!rentals) return fail(std::move(rentals).error());
  for (const Rental& r : *rentals) {
    if (r.project != rental_.project || kin_.contains(r.label)) continue;
    auto receipt = d_.ledger.last_receipt(r.label);
    if (!receipt) return fail(std::move(receipt).error());
    if (!*receipt || !(*receipt)->is_object()) continue;
    for (const char* list : {"files", "earlier"}) {
      const auto files = (*receipt)->find(list);
      if (files == (*receipt)->end() || !files->is_array()) continue;
      for (const json& f : *files) {
        const auto folder = read_field<std::string>(f, "folder"), path = read_field<std::string>(f, "path");
        const auto hash = read_field<std::string>(f, "sha256");
        if (folder && path && hash)
          held_[{*folder, read_field<std::string>(f, "home").value_or(*path)}].insert(*hash);
      }
    }
  }
  return {};
}

}  // namespace vastgpu
