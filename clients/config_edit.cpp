#include "clients/config_edit.h"

#include "clients/toml_edit.h"
#include "core/text.h"

namespace vastgpu {
namespace {

JsonStyle style_of(ConfigFormat format) {
  return format == ConfigFormat::strict_json ? JsonStyle::strict : JsonStyle::comments;
}

Result<json> whole_value(ConfigFormat format, const std::string& text, const std::string& subject) {
  if (format == ConfigFormat::toml) return read_toml(text, subject);
  return parse_jsonc(text, style_of(format), subject).map([](const JsoncNode& root) {
    return root.value.is_null() ? json::object() : root.value;
  });
}

/// Takes the entry out of a value, and the objects above it that hold nothing else.
void forget(json& value, const KeyPath& path, std::size_t level = 0) {
  if (!value.is_object() || !value.contains(path[level])) return;
  if (level + 1 < path.size()) {
    forget(value[path[level]], path, level + 1);
    if (!value[path[level]].empty()) return;
  }
  value.erase(path[level]);
}

/// The rest of the configuration must mean what it meant.
Result<std::string> proven(ConfigFormat format, const std::string& before, std::string after,
                           const KeyPath& path, const json* expected, const std::string& subject) {
  auto old_value = whole_value(format, before, subject);
  auto new_value = whole_value(format, after, subject);
  const auto refuse = [&] {
    return fail({.code = Code::wrong_state,
                 .what = subject + " is written in a way that cannot take or lose the entry " +
                         join(path, ".") + " without changing more",
                 .next_step = "change it by hand; --print shows the entry"});
  };
  if (!old_value || !new_value) return refuse();
  auto view = view_config(format, after, path, subject);
  if (!view) return fail(std::move(view).error());
  if (view->entry.has_value() != (expected != nullptr)) return refuse();
  if (expected != nullptr)
    for (const auto& [key, value] : expected->items())
      if (!view->entry->contains(key) || (*view->entry)[key] != value) return refuse();
  forget(*old_value, path);
  forget(*new_value, path);
  if (*old_value != *new_value) return refuse();
  return after;
}

std::vector<std::string> lines_of(const std::string& text) {
  auto lines = split(text, '\n');
  if (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

}  // namespace

Result<ConfigView> view_config(ConfigFormat format, const std::string& text, const KeyPath& path,
                               const std::string& subject) {
  if (format != ConfigFormat::toml) {
    auto root = parse_jsonc(text, style_of(format), subject);
    if (!root) return fail(std::move(root).error());
    if (auto found = find_entry(*root, text, path, subject); !found) return fail(std::move(found).error());
  }
  auto value = whole_value(format, text, subject);
  if (!value) return fail(std::move(value).error());
  ConfigView view;
  const json* at = &*value;
  for (const std::string& key : path) {
    if (!at->is_object())
      return fail({.code = Code::corrupt,
                   .what = subject + ": what holds \"" + key + "\" is no table",
                   .next_step = "correct it there; nothing was changed"});
    const auto found = at->find(key);
    if (found == at->end()) return view;
    at = &*found;
    ++view.depth;
  }
  view.entry = *at;
  return view;
}

Result<std::string> with_entry(ConfigFormat format, const std::string& text, const KeyPath& path,
                               const json& entry, bool whole, const std::string& subject) {
  if (auto view = view_config(format, text, path, subject); !view) return fail(std::move(view).error());
  if (format == ConfigFormat::toml)
    return proven(format, text, put_toml_entry(text, path, entry, whole), path, &entry, subject);
  auto root = parse_jsonc(text, style_of(format), subject);
  if (!root) return fail(std::move(root).error());
  return proven(format, text, put_entry(text, *root, path, entry, whole), path, &entry, subject);
}

Result<std::string> without_entry(ConfigFormat format, const std::string& text, const KeyPath& path,
                                  std::size_t keep, const std::string& subject) {
  auto view = view_config(format, text, path, subject);
  if (!view) return fail(std::move(view).error());
  if (!view->entry) return text;
  if (format == ConfigFormat::toml)
    return proven(format, text, take_toml_entry(text, path), path, nullptr, subject);
  auto root = parse_jsonc(text, style_of(format), subject);
  if (!root) return fail(std::move(root).error());
  return proven(format, text, take_entry(text, *root, path, keep), path, nullptr, subject);
}

std::string changed_lines(const std::string& before, const std::string& after) {
  const auto a = lines_of(before), b = lines_of(after);
  std::size_t head = 0, tail = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  while (tail < a.size() - head && tail < b.size() - head && a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  std::string out = text("@@ line ", head + 1, " @@\n");
  std::size_t first = head, second = head;
  if (first < a.size() - tail && second < b.size() - tail) {
    const std::string was(trim(a[first])), is(trim(b[second]));
    if (was + "," == is || is + "," == was) ++first, ++second;
  }
  const auto block = [&](const std::vector<std::string>& lines, std::size_t from) {
    return join(
        {lines.begin() + static_cast<std::ptrdiff_t>(from), lines.end() - static_cast<std::ptrdiff_t>(tail)},
        "\n");
  };
  const std::string was = block(a, first), is = block(b, second);
  // A file on one line: what stands beside the change may be a key of somebody else.
  const std::size_t shorter = std::min(was.size(), is.size());
  std::size_t left = 0, right = 0;
  while (left < shorter && was[left] == is[left]) ++left;
  const std::string_view beside = std::string_view(was).substr(0, left);
  if (std::ranges::count(beside, '"') < 3 || beside.find_first_of("{,") == std::string_view::npos) left = 0;
  // Back to where a word or a string begins, so that what is shown can be read.
  constexpr std::string_view kBounds = "\"{}[],: \t";
  while (left > 0 && kBounds.find(was[left - 1]) == std::string_view::npos) --left;
  while (right < shorter - left && was[was.size() - 1 - right] == is[is.size() - 1 - right]) ++right;
  if (std::ranges::count(std::string_view(was).substr(was.size() - right), '"') < 2) right = 0;
  while (right > 0 && kBounds.find(was[was.size() - right]) == std::string_view::npos) --right;
  const auto show = [&](const char* sign, const std::string& all) {
    auto lines = lines_of(all.substr(left, all.size() - left - right));
    for (std::size_t i = 0; i < lines.size(); ++i)
      out += sign + std::string(i == 0 && left > 0 ? "..." : "") + clean(lines[i], 400) +
             (i + 1 == lines.size() && right > 0 ? "...\n" : "\n");
  };
  show("-", was);
  show("+", is);
  return out;
}

}  // namespace vastgpu
