#include "server/pages.h"

#include <algorithm>

#include "core/base64.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMaxCursor = 4096;

std::string cursor_after(const std::string& list, const std::string& name) {
  return to_base64("1 " + list + " " + name);
}

}  // namespace

tl::expected<Page, RpcError> page_of(const json& params, const std::string& list,
                                     const std::vector<std::string>& names, std::size_t size) {
  const auto bad = [] { return tl::unexpected(RpcError{kInvalidParams, "Unknown cursor", {}}); };
  Page page;
  const auto given = params.find("cursor");
  if (given != params.end() && !given->is_null()) {
    if (!given->is_string()) return bad();
    const auto& cursor = given->get_ref<const std::string&>();
    if (!cursor.empty()) {
      const auto after = cursor.size() <= kMaxCursor ? from_base64(cursor) : std::nullopt;
      const std::string start = "1 " + list + " ";
      if (!after || !after->starts_with(start)) return bad();
      const auto at = std::ranges::find(names, after->substr(start.size()));
      if (at == names.end()) return bad();
      page.begin = static_cast<std::size_t>(at - names.begin()) + 1;
    }
  }
  page.end = std::min(names.size(), page.begin + std::max<std::size_t>(size, 1));
  if (page.end < names.size()) page.next = cursor_after(list, names[page.end - 1]);
  return page;
}

}  // namespace vastgpu
