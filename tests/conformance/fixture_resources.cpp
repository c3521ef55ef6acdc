#include "tests/conformance/fixture_tools.h"

namespace vastgpu {
namespace {

constexpr const char* kBefore = "test://template/";
constexpr const char* kAfter = "/data";

Result<ResourceContent> read(const std::string& uri) {
  if (uri == "test://static-text")
    return ResourceContent{
        .uri = uri, .mime_type = "text/plain", .text = "This is the content of the static text resource."};
  if (uri == "test://watched-resource")
    return ResourceContent{.uri = uri, .mime_type = "text/plain", .text = "Watched."};
  if (uri == "test://static-binary") {
    return ResourceContent{.uri = uri, .mime_type = "image/png", .text = "\x89PNG\r\n\x1a\n", .binary = true};
  }
  const std::string before = kBefore, after = kAfter;
  if (uri.starts_with(before) && uri.ends_with(after) && uri.size() > before.size() + after.size()) {
    const std::string id = uri.substr(before.size(), uri.size() - before.size() - after.size());
    return ResourceContent{
        .uri = uri,
        .mime_type = "application/json",
        .text = dump({{"id", id}, {"templateTest", true}, {"data", "Data for ID: " + id}})};
  }
  return fail({.code = Code::not_found, .what = "no such resource"});
}

}  // namespace

ResourceCatalogue conformance_resources() {
  ResourceCatalogue all;
  all.list = []() -> Result<std::vector<ResourceInfo>> {
    return std::vector<ResourceInfo>{
        {.uri = "test://static-text", .name = "static-text", .title = "Text", .mime_type = "text/plain"},
        {.uri = "test://static-binary", .name = "static-binary", .title = "Bytes", .mime_type = "image/png"},
        {.uri = "test://watched-resource", .name = "watched", .title = "Watched", .mime_type = "text/plain"}};
  };
  all.templates = {{.uri_template = "test://template/{id}/data",
                    .name = "template",
                    .title = "Data",
                    .description = "Data of one id",
                    .mime_type = "application/json"}};
  all.read = [](const std::string& uri, std::stop_token) { return read(uri); };
  // All of it stays as it is: it can be watched, and nothing comes.
  all.marks.of = [](const std::string& uri) {
    return read(uri) ? std::optional<std::string>("as ever") : std::nullopt;
  };
  all.marks.list = [] { return std::string("as ever"); };
  all.marks.folders = [](const std::string&) { return std::vector<std::filesystem::path>(); };
  return all;
}

}  // namespace vastgpu
