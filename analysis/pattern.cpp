#include "analysis/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace vastgpu {
namespace {

constexpr std::uint32_t kMatchLimit = 200'000;  // steps; ordinary matches take hundreds
constexpr std::size_t kMaxMatches = 50;

struct FreeMatch {
  void operator()(pcre2_match_data* m) const noexcept { pcre2_match_data_free(m); }
};
struct FreeContext {
  void operator()(pcre2_match_context* c) const noexcept { pcre2_match_context_free(c); }
};
using MatchData = std::unique_ptr<pcre2_match_data, FreeMatch>;

/// Number of groups that matched, 0 for no match; `data` then holds the places.
int run(const void* code, std::string_view in, std::size_t from, MatchData& data) {
  if (code == nullptr || from > in.size()) return 0;
  const auto* compiled = static_cast<const pcre2_code*>(code);
  data.reset(pcre2_match_data_create_from_pattern(compiled, nullptr));
  const std::unique_ptr<pcre2_match_context, FreeContext> limits(pcre2_match_context_create(nullptr));
  if (!data || !limits) return 0;
  pcre2_set_match_limit(limits.get(), kMatchLimit);
  const int groups = pcre2_match(compiled, reinterpret_cast<PCRE2_SPTR>(in.data()), in.size(), from, 0,
                                 data.get(), limits.get());
  return groups > 0 ? groups : 0;
}

}  // namespace

void Pattern::Free::operator()(void* code) const noexcept { pcre2_code_free(static_cast<pcre2_code*>(code)); }

Pattern::Pattern(std::string_view source) {
  int error = 0;
  PCRE2_SIZE at = 0;
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(), PCRE2_CASELESS,
                            &error, &at, nullptr));
}

std::optional<Pattern::Match> Pattern::find(std::string_view in, std::size_t from) const {
  MatchData data;
  const int groups = run(code_.get(), in, from, data);
  if (groups == 0) return std::nullopt;
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
  Match m;
  m.at = span[0];
  m.end = span[1];
  const std::uint32_t all = pcre2_get_ovector_count(data.get());
  for (std::uint32_t i = 0; i < all; ++i) {
    const bool set = static_cast<int>(i) < groups && span[2 * i] != PCRE2_UNSET;
    m.groups.emplace_back(set ? in.substr(span[2 * i], span[2 * i + 1] - span[2 * i]) : std::string_view());
  }
  return m;
}

std::vector<Pattern::Match> Pattern::find_all(std::string_view in) const {
  std::vector<Match> all;
  for (std::size_t from = 0; from <= in.size() && all.size() < kMaxMatches;) {
    auto m = find(in, from);
    if (!m) break;
    from = m->end > m->at ? m->end : m->end + 1;
    all.push_back(*std::move(m));
  }
  return all;
}

std::size_t Pattern::length_in(std::string_view text) const {
  MatchData data;
  if (run(code_.get(), text, 0, data) == 0) return 0;
  const PCRE2_SIZE* span = pcre2_get_ovector_pointer(data.get());
  return span[1] - span[0];
}

}  // namespace vastgpu
