#include "server/doctor.h"

#include <cstdio>

#include "core/text.h"
#include "server/deadline.h"

namespace vastgpu {

void Findings::good(const std::string& check, const std::string& what) {
  all_.push_back({check, Finding::Mark::ok, clean_line(what, 500), {}});
}
void Findings::note(const std::string& check, const std::string& what, const std::string& fix) {
  all_.push_back({check, Finding::Mark::note, clean_line(what, 500), clean_line(fix, 500)});
}
void Findings::bad(const std::string& check, const std::string& what, const std::string& fix) {
  all_.push_back({check, Finding::Mark::bad, clean_line(what, 500), clean_line(fix, 500)});
}
bool Findings::all_well() const {
  return std::ranges::none_of(all_, [](const Finding& f) { return f.mark == Finding::Mark::bad; });
}

std::string to_text(const Findings& findings) {
  std::string out;
  for (const Finding& f : findings.all()) {
    out += (f.mark == Finding::Mark::ok     ? "ok    "
            : f.mark == Finding::Mark::note ? "note  "
                                            : "BAD   ") +
           f.what + "\n";
    if (!f.fix.empty()) out += (f.mark == Finding::Mark::bad ? "      fix: " : "      try: ") + f.fix + "\n";
  }
  return out + (findings.all_well() ? "all is well\n" : "something needs attention: see above\n");
}

json to_json(const Findings& findings) {
  json checks = json::array();
  for (const Finding& f : findings.all()) {
    json one{{"check", f.check},
             {"result", f.mark == Finding::Mark::ok     ? "ok"
                        : f.mark == Finding::Mark::note ? "note"
                                                        : "bad"},
             {"what", f.what}};
    if (!f.fix.empty()) one["fix"] = f.fix;
    checks.push_back(std::move(one));
  }
  return {{"all_well", findings.all_well()}, {"checks", std::move(checks)}};
}

int doctor(House& house, const std::string& program, const DoctorOptions& options) {
  constexpr std::chrono::seconds kPatience(25);  // for all questions to the marketplace together
  const Deadline deadline(kPatience);
  Findings f;
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
