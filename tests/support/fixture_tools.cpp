#include "tests/support/fixture_tools.h"

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

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

Envelope said(const std::string& outcome) {
  return {.outcome = outcome, .summary = "It is " + outcome + "."};
}

}  // namespace

Fixture::Fixture() {
  parts_.instructions = "Call echo first.";
  parts_.tools.push_back(make_tool({.name = "echo", .title = "Echo", .description = "Says it back"},
                                   ArgList<EchoArgs>{}.required("text", &EchoArgs::text, "What to say"),
                                   [](const EchoArgs& a, CallContext&) -> Result<Envelope> {
                                     Envelope e = said("done");
                                     e.facts = {{"text", a.text}};
                                     e.next = {{.tool = "wait", .why = "to rest"}};
                                     return e;
                                   }));
  parts_.tools.push_back(make_tool(
      {.name = "wait", .description = "Waits until it is stopped", .effect = ToolEffect::spends_money},
      ArgList<NoArgs>{}, [this](const NoArgs&, CallContext& call) -> Result<Envelope> {
        std::unique_lock lock(mutex_);
        ++begun_;
        changed_.notify_all();
        std::condition_variable_any stopped;
        stopped.wait(lock, call.stop, [] { return false; });
        ++stopped_;
        changed_.notify_all();
        return fail({.code = Code::cancelled, .what = "stopped"});
      }));
  parts_.tools.push_back(make_tool({.name = "fail", .description = "Fails", .effect = ToolEffect::destroys},
                                   ArgList<NoArgs>{}, [](const NoArgs&, CallContext&) -> Result<Envelope> {
                                     return fail({.code = Code::over_budget,
                                                  .what = "the machine costs $9.00",
                                                  .next_step = "choose a cheaper one",
                                                  .effect = Effect::unknown});
                                   }));
  parts_.tools.push_back(
      make_tool({.name = "throw", .description = "Throws"}, ArgList<NoArgs>{},
                [](const NoArgs&, CallContext&) -> Result<Envelope> { throw std::runtime_error("a bug"); }));
  parts_.tools.push_back(make_tool({.name = "throw-odd", .description = "Throws an int"}, ArgList<NoArgs>{},
                                   [](const NoArgs&, CallContext&) -> Result<Envelope> { throw 7; }));
  parts_.tools.push_back(
      make_tool({.name = "report", .description = "Reports progress", .effect = ToolEffect::writes_files},
                ArgList<ReportArgs>{}.optional("times", &ReportArgs::times, "How often",
                                               {.minimum = 0, .maximum = 1e6}),
                [](const ReportArgs& a, CallContext& call) -> Result<Envelope> {
                  for (int i = 0; i < a.times; ++i) call.progress(i, "step " + std::to_string(i));
                  return said("done");
                }));
  parts_.tools.push_back(make_tool({.name = "print", .description = "Prints to stdout"}, ArgList<NoArgs>{},
                                   [](const NoArgs&, CallContext&) -> Result<Envelope> {
                                     std::printf("stray print\n");
                                     std::fflush(stdout);
                                     const int status = std::system("echo stray child");
                                     return said(status == 0 ? "printed" : "odd");
                                   }));
  parts_.tools.push_back(make_tool({.name = "dirty", .description = "Answers bytes that are no UTF-8"},
                                   ArgList<NoArgs>{}, [](const NoArgs&, CallContext&) -> Result<Envelope> {
                                     Envelope e = said("dirty");
                                     e.facts = {{"log", "a\xff\xfe\x1b[31mb\nc"}};
                                     e.details = "line \xc3\x28\nnext";
                                     return e;
                                   }));
  parts_.prompts.push_back({.name = "greet",
                            .title = "Greet",
                            .description = "Says hello",
                            .arguments = {{"who", "A name", true, {"Ada", "Alan", "Grace"}}},
                            .text = [](const std::map<std::string, std::string>& a) -> Result<std::string> {
                              return "Say hello to " + a.at("who");
                            }});
  parts_.resources.list = []() -> Result<std::vector<ResourceInfo>> {
    return std::vector<ResourceInfo>{{"demo://jobs", "jobs", "All jobs", "Every job", "application/json"}};
  };
  parts_.resources.templates = {{"demo://jobs/{id}/log", "job-log", "Log", "The log of a job", "text/plain"}};
  parts_.resources.read = [](const std::string& uri, std::stop_token) -> Result<ResourceContent> {
    if (uri == "demo://jobs") return ResourceContent{uri, "application/json", "[]"};
    if (uri == "demo://broken") return fail({.code = Code::unavailable, .what = "the disk is gone"});
    return fail({.code = Code::not_found, .what = "no such thing"});
  };
}

void Fixture::await_begun(int count) { await(begun_, count); }
void Fixture::await_stopped(int count) { await(stopped_, count); }
int Fixture::begun() const {
  const std::scoped_lock hold(mutex_);
  return begun_;
}
int Fixture::await(const int& counter, int count) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, 30s, [&] { return counter >= count; }))
    throw std::runtime_error("it never happened");
  return counter;
}

}  // namespace vastgpu
