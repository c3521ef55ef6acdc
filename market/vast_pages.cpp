#include "market/vast_pages.h"

#include <set>

#include "market/url.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxPages = 400;

}  // namespace

Result<VastMarket::Pages> VastMarket::pages(const std::string& path,
                                            std::vector<std::pair<std::string, std::string>> query,
                                            const char* rows_name, Route route, const std::stop_token& stop) {
  Pages all;
  std::set<std::string> tokens;
  const std::size_t plain = query.size();
  for (std::size_t page = 0; page < kMaxPages; ++page) {
    ApiCall c = call("GET", with_query(path, query));
    c.route = route;
    auto answer = api_.ask(c, stop);
    if (!answer) return fail(std::move(answer).error());
    if (!answer->is_object()) return fail(nonsense("a page is no object", false));
    const auto rows = answer->find(rows_name);
    if (rows == answer->end() || !rows->is_array())
      return fail(nonsense(std::string("a page holds no list '") + rows_name + "'", false));
    for (json& row : *rows) all.rows.push_back(std::move(row));
    all.total = read_integer(*answer, "total_instances");

    const auto next = answer->find("next_token");
    if (next == answer->end() || next->is_null()) return all;
    const std::string token = next->is_string() ? next->get<std::string>() : dump(*next);
    if (token.empty()) return all;
    // A cursor that the server did not understand starts again at the first page, for ever.
    if (!tokens.insert(token).second) return fail(nonsense("the list repeats a page", false));
    query.resize(plain);
    query.emplace_back("after_token", token);
  }
  return fail(nonsense("the list has no end", false));
}

}  // namespace vastgpu
