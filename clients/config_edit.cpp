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
  for (; first < a.size() - tail; ++first) out += "-" + clean(a[first], 400) + "\n";
  for (; second < b.size() - tail; ++second) out += "+" + clean(b[second], 400) + "\n";
  return out;
}

}  // namespace vastgpu
