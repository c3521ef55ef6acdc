#pragma once
// What the server offers to read. Any thread.

#include <functional>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/json.h"

namespace vastgpu {

struct ResourceInfo {
  std::string uri;  ///< "vast-gpu://rentals/123"
  std::string name;
  std::string title = {};
  std::string description = {};
  std::string mime_type = "application/json";
};

struct ResourceTemplate {
  std::string uri_template;  ///< "vast-gpu://jobs/{instance_id}/{experiment}/log"
  std::string name;
  std::string title = {};
  std::string description = {};
  std::string mime_type = "text/plain";
};

struct ResourceContent {
  std::string uri;
  std::string mime_type;
  std::string text;
  bool binary = false;         ///< `text` holds bytes that travel as base64
  json meta = json::object();  ///< `_meta` of the content item
};

struct ResourceCatalogue {
  std::function<Result<std::vector<ResourceInfo>>()> list;
  std::vector<ResourceTemplate> templates;
  /// @error not_found  no such resource
  std::function<Result<ResourceContent>(const std::string& uri)> read;
};

}  // namespace vastgpu
