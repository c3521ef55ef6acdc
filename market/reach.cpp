#include "market/reach.h"

#include <ctime>

#include "market/http_connection.h"

namespace vastgpu {

std::optional<TimePoint> parse_http_date(const std::string& text) {
  std::tm parts{};
  // Without the day's name, which depends on the locale that strptime would read it in.
  const std::size_t comma = text.find(", ");
  if (comma == std::string::npos || text.size() > 40) return std::nullopt;
  static constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char month[4] = {};
  int end = 0;
  if (std::sscanf(text.c_str() + comma + 2, "%2d %3s %4d %2d:%2d:%2d GMT%n", &parts.tm_mday, month,
                  &parts.tm_year, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end) != 6 ||
      end == 0)
    return std::nullopt;
  const std::size_t at = kMonths.find(month);
  if (at == std::string_view::npos || at % 3 != 0 || std::string_view(month).size() != 3) return std::nullopt;
  parts.tm_mon = static_cast<int>(at / 3);
  parts.tm_year -= 1900;
  const std::time_t seconds = ::timegm(&parts);
  if (seconds < 0) return std::nullopt;
  return TimePoint(std::chrono::seconds(seconds));
}

Result<Reach> reach_marketplace(const std::string& base_url, const std::string& ca_file,
                                std::stop_token stop) {
  auto url = parse_base_url(base_url);
  if (!url) return fail(std::move(url).error());
  constexpr std::chrono::milliseconds kLimit{10'000};
  HttpConnection connection(*url, ca_file, kLimit);
  auto answer = connection.exchange({.method = "GET",
                                     .path = url->path + "/api/v0/users/current/",
                                     .body = {},
                                     .bearer = nullptr,
                                     .max_answer = 1'000'000,
                                     .timeout = kLimit},
                                    stop);
  if (!answer) return fail(std::move(answer).error());
  return Reach{answer->status, parse_http_date(answer->date)};
}

}  // namespace vastgpu
