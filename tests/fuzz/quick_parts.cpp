#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "tests/fuzz/conversation.h"
#include "tools/arg_list.h"

namespace vastgpu {
namespace {

using namespace std::chrono_literals;

struct NoArgs {};
struct EchoArgs {
  std::string text;
};
struct ReportArgs {
  int times = 0;
};

Envelope done(json facts = json::object()) {
  return {.outcome = "done", .summary = "It is done.", .facts = std::move(facts)};
}

Result<Envelope> wait(CallContext& call) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any never;
  never.wait_for(lock, call.stop, 1ms, [] { return false; });
  return fail({.code = Code::cancelled, .what = "waited"});
}

Result<Envelope> ask(CallContext& call) {
  if (const auto at = call.answers.find("ok"); at != call.answers.end()) return done(at->second.content);
  Envelope e = done();
  e.asks = {{.key = "ok",
             .message = "Is it?",
             .schema = json::parse(
                 R"({"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"]})")}};
  e.ask_state = {{"asked", true}};
  return e;
}

}  // namespace

ServerParts quick_parts() {
  ServerParts parts;
  parts.modern_logging = true;
  parts.asking.wait = 2ms;  // nobody is there who would answer
  parts.tools.push_back(make_tool({.name = "echo"},
                                  ArgList<EchoArgs>{}.required("text", &EchoArgs::text, "Text"),
                                  [](const EchoArgs& a, CallContext&) -> Result<Envelope> {
                                    return done({{"text", a.text}});
                                  }));
  parts.tools.push_back(make_tool({.name = "report"},
                                  ArgList<ReportArgs>{}.optional("times", &ReportArgs::times, "How often",
                                                                 {.minimum = 0, .maximum = 100}),
                                  [](const ReportArgs& a, CallContext& call) -> Result<Envelope> {
                                    for (int i = 0; i < a.times; ++i) {
                                      call.progress(i, "step");
                                      if (call.log) call.log("info", {{"step", i}});
                                    }
                                    return done();
                                  }));
  parts.tools.push_back(
      make_tool({.name = "throw"}, ArgList<NoArgs>{},
                [](const NoArgs&, CallContext&) -> Result<Envelope> { throw std::runtime_error("a bug"); }));
  parts.tools.push_back(make_tool({.name = "wait"}, ArgList<NoArgs>{},
                                  [](const NoArgs&, CallContext& call) { return wait(call); }));
  parts.tools.push_back(make_tool({.name = "ask"}, ArgList<NoArgs>{},
                                  [](const NoArgs&, CallContext& call) { return ask(call); }));
  parts.tools.push_back(
      make_tool({.name = "blocks"}, ArgList<NoArgs>{}, [](const NoArgs&, CallContext&) -> Result<Envelope> {
        Envelope e;
        e.blocks = {{{"type", "audio"}, {"data", "AAAA"}, {"mimeType", "audio/wav"}}};
        e.links = {{.uri = "demo://jobs", .name = "jobs"}};
        return e;
      }));
  parts.prompts.push_back(
      {.name = "greet",
       .title = "Greet",
       .description = "Greets",
       .arguments = {{.name = "who", .description = "Whom", .required = true, .suggestions = {"Ada"}}},
       .text = [](const auto& given) -> Result<std::string> { return "Hello " + given.at("who"); }});
  parts.resources.list = []() -> Result<std::vector<ResourceInfo>> {
    return std::vector<ResourceInfo>{{.uri = "demo://jobs", .name = "jobs"}};
  };
  parts.resources.templates = {{.uri_template = "demo://jobs/{id}", .name = "job"}};
  parts.resources.marks.of = [](const std::string& uri) {
    return uri.starts_with("demo://jobs") ? std::optional<std::string>("as ever") : std::nullopt;
  };
  parts.resources.marks.list = [] { return std::string("as ever"); };
  parts.resources.marks.folders = [](const std::string&) { return std::vector<std::filesystem::path>(); };
  parts.resources.read = [](const std::string& uri, std::stop_token) -> Result<ResourceContent> {
    if (!uri.starts_with("demo://jobs")) return fail({.code = Code::not_found, .what = "no such job"});
    return ResourceContent{.uri = uri, .mime_type = "text/plain", .text = "\xff\x1b[31m"};
  };
  return parts;
}

}  // namespace vastgpu
