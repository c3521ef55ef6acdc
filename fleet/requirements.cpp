#include "fleet/requirements.h"

#include <algorithm>

#include "core/files.h"
#include "core/text.h"
#include "remote/secrets.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargest = 1 << 20;
constexpr std::size_t kMostFiles = 32;

/// What follows an option: "-r x", "-rx", "--requirement x", "--requirement=x".
std::optional<std::string> value_of(std::string_view line, std::string_view brief, std::string_view full) {
  std::string_view rest;
  if (line.starts_with(full) && line.size() > full.size() &&
      (line[full.size()] == ' ' || line[full.size()] == '='))
    rest = line.substr(full.size() + 1);
  else if (line.starts_with(brief) && !line.starts_with("--"))
    rest = line.substr(brief.size());
  else
    return std::nullopt;
  rest = trim(rest.substr(0, rest.find(" #")));
  if (rest.empty()) return std::nullopt;
  return std::string(rest);
}

/// The rules of what travels hold for what is read here: its content, or a hash of it, goes to the machine.
Result<std::string> read_inside(const fs::path& project, const std::string& path) {
  std::error_code bad;
  const fs::path home = fs::canonical(project, bad);
  const fs::path real = bad ? fs::path() : fs::canonical(project / path, bad);
  if (bad)
    return fail({.code = Code::not_found,
                 .what = clean_line(path, 200) + " is not there",
                 .next_step = "check the project"});
  const fs::path inside = real.lexically_relative(home);
  if (inside.empty() || *inside.begin() == "..")
    return fail({.code = Code::invalid_argument,
                 .what = clean_line(path, 200) + " is a link that leads out of the project",
                 .next_step = "put the file itself into the project"});
  for (auto part = inside.begin(); part != inside.end(); ++part)
    if (may_hold_secrets(part->string(), std::next(part) != inside.end()))
      return fail({.code = Code::invalid_argument,
                   .what = clean_line(path, 200) + " leads to a file that may hold secrets",
                   .next_step = "put the file itself into the project"});
  return read_file(real, kLargest);
}

}  // namespace

Result<std::optional<Requirements>> read_requirements(const fs::path& project) {
  auto first = read_inside(project, "requirements.txt");
  if (!first) {
    if (first.error().code == Code::not_found) return std::nullopt;
    return fail(std::move(first).error().during("reading requirements.txt"));
  }
  Requirements found{.content = *first, .files = {"requirements.txt"}, .hash = {}};
  std::string all = found.content;
  bool own_package = false;
  for (std::size_t i = 0; i < found.files.size(); ++i) {
    const auto content = i == 0 ? first : read_inside(project, found.files[i]);
    if (!content) continue;
    if (i > 0) all.append(1, '\0').append(found.files[i]).append(1, '\0').append(*content);
    const fs::path folder = fs::path(found.files[i]).parent_path();
    for (const std::string& raw : split(*content, '\n')) {
      const std::string_view line = trim(raw);
      own_package = own_package || value_of(line, "-e", "--editable").has_value() || line.starts_with("./") ||
                    line == ".";
      auto named = value_of(line, "-r", "--requirement");
      if (!named) named = value_of(line, "-c", "--constraint");
      if (!named || named->find("://") != std::string::npos || named->starts_with('/')) continue;
      const std::string path = (folder / *named).lexically_normal().string();
      if (path.starts_with("..") || found.files.size() >= kMostFiles ||
          std::find(found.files.begin(), found.files.end(), path) != found.files.end())
        continue;
      found.files.push_back(path);
    }
  }
  if (own_package)  // what it needs is said there
    for (const char* name : {"setup.py", "setup.cfg", "pyproject.toml"})
      if (const auto content = read_inside(project, name))
        all.append(1, '\0').append(name).append(1, '\0').append(*content);
  found.hash = sha256_hex(all);
  return found;
}

}  // namespace vastgpu
