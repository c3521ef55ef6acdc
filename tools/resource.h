#pragma once
// What the server offers to read. Any thread.

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
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
  std::vector<std::string> audience = {};  ///< "user", "assistant"; empty: not said
  std::optional<double> priority = {};     ///< 0..1: how much it matters
  std::string last_modified = {};          ///< ISO 8601; empty: not known
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

/// How changes are noticed. All of it is cheap: no network is asked, nothing is made or written.
struct ResourceMarks {
  /// Differs whenever reading the resource gives something else than before, time going by apart. A resource
  /// that may still come has a mark, too. nullopt: none of ours. Empty: nothing can be watched.
  std::function<std::optional<std::string>(const std::string& uri)> of = {};
  /// The same for the list.
  std::function<std::string()> list = {};
  /// Folders in which something changes when the mark does; of the list with an empty URI. They only make
  /// the news come sooner.
  std::function<std::vector<std::filesystem::path>(const std::string& uri)> folders = {};
};

struct ResourceCatalogue {
  std::function<Result<std::vector<ResourceInfo>>()> list;
  std::vector<ResourceTemplate> templates;
  /// May ask the network; ends early when `stop` asks.
  /// @error not_found  no such resource
  std::function<Result<ResourceContent>(const std::string& uri, std::stop_token stop)> read;
  ResourceMarks marks = {};
};

}  // namespace vastgpu
