#include "fleet/job_env.h"

#include <algorithm>

#include "core/conceal.h"
#include "core/files.h"
#include "core/text.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostNames = 200, kLongestName = 100, kLongestValue = 32 << 10, kMostBytes = 256 << 10;

bool is_name(std::string_view s) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !s.empty() && s.size() <= kLongestName && letter(s.front()) &&
         std::ranges::all_of(s, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

auto refuse(std::string what, const std::string& next) {
  return fail({.code = Code::invalid_argument, .what = std::move(what), .next_step = next});
}

/// `where` names the variable or the line.
Result<void> add(JobEnv& env, const std::string& name, std::string value, const std::string& where) {
  if (!is_name(name))
    return refuse(where + ": this is no name of a variable",
                  "use letters, digits and underscores, at most 100, no digit first");
  // One says it to us, who hand GPUs out; the other two would run code before the job does.
  if (name == "CUDA_VISIBLE_DEVICES")
    return refuse(where + ": CUDA_VISIBLE_DEVICES is set by the argument gpus", "pass gpus instead");
  if (name == "BASH_ENV" || name == "ENV")
    return refuse(where + ": " + name + " would run a file before the job",
                  "source that file in the command");
  if (value.size() > kLongestValue || value.find('\0') != std::string::npos)
    return refuse(where + ": the value is longer than 32 KiB or holds a NUL",
                  "put it into a file of the project and name that file");
  Secret kept(std::move(value));
  if (names_a_secret(name)) conceal_from_now(kept);  // the job may print it into its log
  env.values.insert_or_assign(name, std::move(kept));
  if (env.values.size() > kMostNames) return refuse("more than 200 variables", "set fewer");
  return {};
}

/// What stands behind "NAME=" on one line; nothing when a quote does not end.
std::optional<std::string> read_value(std::string_view rest) {
  rest = trim(rest);
  std::string value;
  if (rest.starts_with('\'')) {
    const auto end = rest.find('\'', 1);
    if (end == std::string_view::npos) return std::nullopt;
    return std::string(rest.substr(1, end - 1));
  }
  if (rest.starts_with('"')) {
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '"') return value;
      if (rest[i] == '\\' && i + 1 < rest.size()) {
        const char c = rest[++i];
        if (c != 'n' && c != 't' && c != '"' && c != '\\' && c != '$') value += '\\';
        value += c == 'n' ? '\n' : c == 't' ? '\t' : c;
      } else {
        value += rest[i];
      }
    }
    return std::nullopt;
  }
  if (const auto comment = rest.find(" #"); comment != std::string_view::npos)
    rest = trim(rest.substr(0, comment));
  if (rest.starts_with('#')) rest = {};
  return std::string(rest);
}

}  // namespace

Result<JobEnv> parse_env_file(std::string_view text, const std::string& subject) {
  if (text.size() > kMostBytes) return refuse(subject + " is larger than 256 KiB", "name a smaller file");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  JobEnv env;
  int number = 0;
  for (const std::string& raw : split(text, '\n')) {
    ++number;
    std::string_view line = trim(raw);
    if (line.empty() || line.front() == '#') continue;
    const std::string where = vastgpu::text(subject, " line ", number);
    if (line.starts_with("export ")) line = trim(line.substr(7));
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return refuse(where + " has no '='", "write NAME=value");
    auto value = read_value(line.substr(equals + 1));
    if (!value) return refuse(where + ": a quote is not closed", "close it on the same line");
    if (auto added = add(env, std::string(trim(line.substr(0, equals))), *std::move(value), where); !added)
      return fail(std::move(added).error());
  }
  return env;
}

Result<JobEnv> read_env(const json& object) {
  JobEnv env;
  if (!object.is_object()) return refuse("env is not an object", "pass {\"NAME\": \"value\"}");
  for (const auto& [name, value] : object.items()) {
    const std::string where = "env " + clean_line(name, kLongestName);
    if (!value.is_string() && !value.is_number() && !value.is_boolean())
      return refuse(where + " is neither text nor a number", "pass text");
    auto added = add(env, name, value.is_string() ? value.get<std::string>() : dump(value), where);
    if (!added) return fail(std::move(added).error());
  }
  return env;
}

Result<JobEnv> read_env_file(const std::filesystem::path& project, const std::string& path) {
  std::filesystem::path at(path);
  if (path.starts_with("~/")) at = home_folder() / path.substr(2);
  if (at.is_relative()) at = project / at;
  auto text = read_file(at, kMostBytes);
  if (!text) return fail(std::move(text).error().during("reading env_file"));
  return parse_env_file(*text, "env_file " + clean_line(path, 200));
}

JobEnv merged(JobEnv under, const JobEnv& over) {
  for (const auto& [name, value] : over.values) under.values.insert_or_assign(name, value);
  return under;
}

std::string env_text(const JobEnv& env) {
  std::string s;
  for (const auto& [name, value] : env.values) s += name + "=" + shell_quote(value.reveal()) + "\n";
  return s;
}

std::string env_names(const JobEnv& env) {
  std::vector<std::string> names;
  for (const auto& [name, value] : env.values) names.push_back(name);
  return join(names, " ");
}

}  // namespace vastgpu
