#include "tools/links.h"

#include <algorithm>
#include <filesystem>

#include "core/text.h"
#include "tools/resource_uri.h"

namespace vastgpu {
namespace {

constexpr std::size_t kMostLinks = 10;  // further ones are in resources/list

std::optional<InstanceId> instance_in(const json& facts) {
  const auto id = read_integer(facts, "instance_id");
  return id && *id > 0 ? std::optional(InstanceId{*id}) : std::nullopt;
}

ResourceLink rental_link(InstanceId id) { return {rental_uri(id), "rental-" + to_string(id)}; }

ResourceLink log_link(InstanceId id, const std::string& experiment) {
  return {log_uri(id, experiment), "log-" + to_string(id) + "-" + experiment, "text/plain"};
}

/// Each row of a list that holds an instance of ours.
std::vector<ResourceLink> links_to_rows(const json& facts) {
  std::vector<ResourceLink> links;
  const json rows = read_field<json>(facts, "instances").value_or(json::array());
  for (const json& row : rows)
    if (const auto id = instance_in(row); id && row.contains("lease_ends_at"))
      links.push_back(rental_link(*id));
  return links;
}

std::vector<ResourceLink> links_to_logs(InstanceId id, const json& facts) {
  std::vector<ResourceLink> links;
  const auto add = [&](const json& from) {
    const auto name = read_field<std::string>(from, "experiment");
    if (name && is_plain_name(*name)) links.push_back(log_link(id, *name));
  };
  add(facts);
  const json jobs = read_field<json>(facts, "jobs").value_or(json::array());
  for (const json& job : jobs) add(job);
  const json receipt = read_field<json>(facts, "receipt").value_or(json());
  const json files = read_field<json>(receipt, "first_files").value_or(json::array());
  for (const json& file : files) {  // a log comes home as <experiment>.log
    const std::string name =
        std::filesystem::path(read_field<std::string>(file, "path").value_or("")).filename();
    const std::string stem = name.ends_with(".log") ? name.substr(0, name.size() - 4) : "";
    if (is_plain_name(stem)) links.push_back(log_link(id, stem));
  }
  return links;
}

std::vector<ResourceLink> links_of(const std::string& tool, const json& facts) {
  if (tool == "list") return links_to_rows(facts);
  if (tool == "destroy-all") return {{all_costs_uri(), "costs"}};
  const auto id = instance_in(facts);
  if (!id) return {};
  if (tool == "rent" || tool == "extend") return {rental_link(*id)};
  if (tool == "destroy") return {{cost_uri(*id), "cost-" + to_string(*id)}};
  if (tool == "monitor" || tool == "run" || tool == "collect") return links_to_logs(*id, facts);
  return {};
}

}  // namespace

void add_links(const std::string& tool, Envelope& answer) {
  std::string words;
  for (ResourceLink& link : links_of(tool, answer.facts)) {
    if (answer.links.size() >= kMostLinks) break;
    if (std::ranges::find(answer.links, link.uri, &ResourceLink::uri) != answer.links.end()) continue;
    words += (words.empty() ? "to read: " : ", ") + link.uri;
    answer.links.push_back(std::move(link));
  }
  if (words.empty()) return;
  if (!answer.details.empty() && !answer.details.ends_with('\n')) answer.details += "\n";
  answer.details += words + "\n";
}

}  // namespace vastgpu
