// The `## Vast.ai` keys of CLAUDE.md and AGENTS.md.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "analysis/analyse.h"
#include "analysis/bounded_files.h"
#include "analysis/image.h"
#include "analysis/markdown.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostDataPaths = 100;

struct Key {
  std::string name;   ///< lower case
  std::string value;  ///< without comment and backticks
  int line = 0;
  int section = 0;
  bool in_vast_section = false;
};

struct Page {
  bool has_vast_heading = false;
  std::vector<Key> keys;
};

bool is_vast_heading(const std::string& heading) {
  const std::string lower = to_lower(heading);
  for (const std::string_view name : {"vast.ai", "vast ai", "vastai"}) {
    if (!lower.starts_with(name)) continue;
    if (lower.size() == name.size() || !std::isalnum(static_cast<unsigned char>(lower[name.size()])))
      return true;
  }
  return false;
}

/// A comment starts only at a space and `#`: image names and colours may hold a bare one.
std::string value_of(std::string_view raw) {
  const std::size_t comment = std::min(raw.find(" #"), raw.find("\t#"));
  std::string_view value = trim(raw.substr(0, comment));
  if (value.starts_with('`')) {
    value.remove_prefix(1);
    value = value.substr(0, value.find('`'));
  }
  return std::string(trim(value));
}

Page read_page(const std::string& text, Fences fences) {
  Page page;
  int vast_level = 0;  // of the Vast heading we are under; 0 outside
  for (const MarkLine& line : read_markdown(text, fences)) {
    if (line.kind == MarkKind::heading) {
      if (is_vast_heading(line.text)) {
        page.has_vast_heading = true;
        vast_level = line.level;
      } else if (line.level <= vast_level) {
        vast_level = 0;
      }
      continue;
    }
    if (line.kind != MarkKind::item && !(line.kind == MarkKind::text && vast_level > 0)) continue;
    Label label = read_label(line.text);
    if (!label.found) continue;
    page.keys.push_back(
        {to_lower(label.name), value_of(label.value), line.line, line.section, vast_level > 0});
  }
  return page;
}

/// Sections that say `gpu: remote`, `modal` or `local`: their other keys are not about Vast.
std::set<int> foreign_sections(const Page& page) {
  std::set<int> foreign;
  for (const Key& key : page.keys)
    if (key.name == "gpu" && !key.in_vast_section && key.value.find(' ') == std::string::npos &&
        to_lower(key.value) != "vast")
      foreign.insert(key.section);
  return foreign;
}

std::optional<bool> read_bool(const std::string& value) {
  const std::string lower = to_lower(value);
  if (lower == "true" || lower == "yes") return true;
  if (lower == "false" || lower == "no") return false;
  return std::nullopt;
}

/// "6.50", "$1,200", "20 USD". "6,50" is refused: nobody can know whether it means 6.5 or 650.
std::optional<Usd> read_dollars(const std::string& value) {
  std::string_view rest = trim(value);
  for (const std::string_view mark : {"us$", "usd", "$"})
    if (starts_with_ignoring_case(rest, mark)) {
      rest = trim(rest.substr(mark.size()));
      break;
    }
  for (const std::string_view mark : {"dollars", "usd", "$"})
    if (rest.size() > mark.size() && to_lower(rest.substr(rest.size() - mark.size())) == mark) {
      rest = trim(rest.substr(0, rest.size() - mark.size()));
      break;
    }
  std::string digits;
  const std::size_t whole_end = std::min(rest.find('.'), rest.size());
  for (std::size_t i = 0; i < rest.size(); ++i) {
    if (rest[i] != ',') {
      digits += rest[i];
      continue;
    }
    if (i == 0 || i > whole_end || (whole_end - i) % 4 != 0) return std::nullopt;
  }
  double amount = 0;
  const auto [end, bad] =
      std::from_chars(digits.data(), digits.data() + digits.size(), amount, std::chars_format::fixed);
  if (bad != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(amount))
    return std::nullopt;
  if (std::signbit(amount) || amount > 1e7) return std::nullopt;
  return Usd{amount};
}

/// Fills what `settings` still lacks. True when the page says anything about Vast.
bool take(const Page& page, const std::string& file, ProjectSettings& settings) {
  const std::set<int> foreign = foreign_sections(page);
  // The value itself is never repeated: a mistaken line may hold a password.
  const auto complain = [&](const Key& key, const std::string& wanted) {
    settings.warnings.push_back(key.name + " (" + file + " line " + std::to_string(key.line) + ") is not " +
                                wanted + ": it was ignored");
  };
  bool said = page.has_vast_heading;
  std::optional<bool> gpu_says_vast;

  for (const bool vast_section : {true, false}) {  // the Vast section first, then anywhere
    const bool had_destroy = settings.auto_destroy.has_value();
    const bool had_extend = settings.auto_extend.has_value();
    const bool had_budget = settings.max_budget.has_value();
    const bool had_image = settings.image.has_value();
    for (const Key& key : page.keys) {
      if (key.in_vast_section != vast_section || key.value.empty()) continue;
      if (key.name == "gpu") {
        const bool is_vast = to_lower(key.value) == "vast";
        if (!gpu_says_vast && (is_vast || vast_section)) gpu_says_vast = is_vast;
        said = said || is_vast;
      } else if (foreign.count(key.section) > 0 && !vast_section) {
        continue;
      } else if (key.name == "auto_destroy" && !had_destroy && !settings.auto_destroy) {
        settings.auto_destroy = read_bool(key.value);
        settings.auto_destroy ? void(said = true) : complain(key, "true or false");
      } else if (key.name == "auto_extend" && !had_extend && !settings.auto_extend) {
        settings.auto_extend = read_bool(key.value);
        settings.auto_extend ? void(said = true) : complain(key, "true or false");
      } else if (key.name == "max_budget" && !had_budget) {
        const auto budget = read_dollars(key.value);
        if (!budget) {
          complain(key, "an amount in dollars, e.g. 5.00");
          settings.budget_unreadable = true;
        } else if (!settings.max_budget) {
          settings.max_budget = budget;
          said = true;
        } else if (*settings.max_budget != *budget) {
          settings.warnings.push_back("max_budget stands twice in " + file + ": line " +
                                      std::to_string(key.line) + " was ignored, the first one counts");
        }
      } else if (vast_section && key.name != "max_budget" &&
                 (key.name.find("budg") != std::string::npos || key.name.find("bugd") != std::string::npos)) {
        complain(key, "a key we know; write max_budget");
        settings.budget_unreadable = true;
      } else if (vast_section && key.name == "data" && settings.data.size() < kMostDataPaths) {
        if (std::find(settings.data.begin(), settings.data.end(), key.value) == settings.data.end())
          settings.data.push_back(key.value);
      } else if (key.name == "results" && vast_section) {
        for (const std::string& one : split(key.value, ','))
          if (const auto path = std::string(trim(one)); !path.empty() && settings.results.size() < 50)
            settings.results.push_back(path);
        said = true;
      } else if (key.name == "image" && !had_image && !settings.image) {
        if (is_image_name(key.value)) {
          settings.image = key.value;
          said = said || vast_section;
        } else {
          complain(key, "the name of an image");
        }
      }
    }
  }
  if (gpu_says_vast.value_or(page.has_vast_heading)) settings.wants_vast = true;
  return said;
}

}  // namespace

ProjectSettings read_project_settings(const std::filesystem::path& project) {
  ProjectFiles files(project);
  ProjectSettings settings;
  std::vector<std::string> used;
  std::string first_file;
  for (const char* name : {"CLAUDE.md", "AGENTS.md"}) {
    const auto text = files.read(name);
    if (!text) continue;
    if (first_file.empty()) first_file = name;
    const bool had_vast_wish = settings.wants_vast;
    ProjectSettings more = settings;
    if (!take(read_page(*text, Fences::respected), name, more) && used.empty()) {
      // Nothing in the text itself: a sample that was pasted with its code fence is meant.
      ProjectSettings pasted = more;
      if (take(read_page(*text, Fences::opened), name, pasted)) more = std::move(pasted);
    }
    const bool gave = more.wants_vast != had_vast_wish || more.auto_destroy != settings.auto_destroy ||
                      more.auto_extend != settings.auto_extend || more.max_budget != settings.max_budget ||
                      more.image != settings.image || more.data != settings.data ||
                      more.results != settings.results;
    // A page that already chose another back end is not overruled by the second file.
    if (!used.empty()) more.wants_vast = had_vast_wish;
    if (gave) used.push_back(name);
    settings = std::move(more);
  }
  settings.source = used.empty() ? first_file : join(used, ", ");
  settings.warnings.insert(settings.warnings.end(), files.warnings.begin(), files.warnings.end());
  return settings;
}

}  // namespace vastgpu
