#include "server/doctor.h"

#include <cstdio>

#include "core/text.h"
#include "server/deadline.h"

namespace vastgpu {

void Checkup::good(const std::string& check, const std::string& what) {
  all_.push_back({check, CheckResult::Mark::ok, clean_line(what, 500), {}});
}
void Checkup::note(const std::string& check, const std::string& what, const std::string& fix) {
  all_.push_back({check, CheckResult::Mark::note, clean_line(what, 500), clean_line(fix, 500)});
}
void Checkup::bad(const std::string& check, const std::string& what, const std::string& fix) {
  all_.push_back({check, CheckResult::Mark::bad, clean_line(what, 500), clean_line(fix, 500)});
}
bool Checkup::all_well() const {
  return std::ranges::none_of(all_, [](const CheckResult& f) { return f.mark == CheckResult::Mark::bad; });
}

std::string to_text(const Checkup& findings) {
  std::string out;
  for (const CheckResult& f : findings.all()) {
    out += (f.mark == CheckResult::Mark::ok     ? "ok    "
            : f.mark == CheckResult::Mark::note ? "note  "
                                                : "BAD   ") +
           f.what + "\n";
    if (!f.fix.empty())
      out += (f.mark == CheckResult::Mark::bad ? "      fix: " : "      try: ") + f.fix + "\n";
  }
  return out + (findings.all_well() ? "all is well\n" : "something needs attention: see above\n");
}

json to_json(const Checkup& findings) {
  json checks = json::array();
  for (const CheckResult& f : findings.all()) {
    json one{{"check", f.check},
             {"result", f.mark == CheckResult::Mark::ok     ? "ok"
                        : f.mark == CheckResult::Mark::note ? "note"
                                                            : "bad"},
             {"what", f.what}};
    if (!f.fix.empty()) one["fix"] = f.fix;
    checks.push_back(std::move(one));
  }
  return {{"all_well", findings.all_well()}, {"checks", std::move(checks)}};
}

int doctor(House& house, const std::string& program, const DoctorOptions& options) {
  constexpr std::chrono::seconds kPatience(25);  // for all questions to the marketplace together
  const RealDeadline deadline(kPatience);
  Checkup f;
  check_home(house, f);
  check_clients(house, program, f);
  check_network(house, deadline.token(), f);
  check_account(house, deadline.token(), f);
  check_rentals(house, deadline.token(), f);
  const std::string out =
      options.as_json ? to_json(f).dump(2, ' ', false, json::error_handler_t::replace) + "\n" : to_text(f);
  std::fputs(out.c_str(), stdout);
  return f.all_well() ? 0 : 1;
}

}  // namespace vastgpu
