#include "tests/support/asking_fixture.h"

#include "tools/arg_list.h"
#include "tools/asking.h"

namespace vastgpu {
namespace {

struct PayArgs {
  int amount = 1;
};
struct NoArgs {};

Envelope said_so(const char* outcome) { return {.outcome = outcome, .summary = "It is so."}; }

}  // namespace

AskingFixture::AskingFixture() {
  parts_.tools.push_back(make_tool(
      {.name = "pay", .title = "Pay", .description = "Spends", .effect = ToolEffect::spends_money},
      ArgList<PayArgs>{}.optional("amount", &PayArgs::amount, "How much"),
      [spent = spent_](const PayArgs& a, CallContext& call) -> Result<Envelope> {
        switch (said(call, "approve")) {
          case Said::nothing: {
            Envelope e = said_so("approval_needed");
            e.asks.push_back(yes_or_no("approve", "Pay " + std::to_string(a.amount) + "?", "Yes, pay"));
            e.ask_state = {{"amount", a.amount}};
            return e;
          }
          case Said::yes:
            *spent += call.ask_state.at("amount").get<int>();
            return said_so("paid");
          case Said::no:
            return said_so("declined");
          case Said::unheard:
            break;
        }
        return said_so("unheard");
      }));
  parts_.tools.push_back(
      make_tool({.name = "look", .title = "Look", .description = "Asks for other things"}, ArgList<NoArgs>{},
                [](const NoArgs&, CallContext& call) -> Result<Envelope> {
                  Envelope e = said_so("looked");
                  for (const auto& [key, answer] : call.answers)
                    e.facts[key] = answer.action == Answer::Action::accept ? answer.content : json("unheard");
                  if (!call.answers.empty()) return e;
                  e.asks.push_back({.key = "where", .method = "roots/list"});
                  e.asks.push_back({.key = "words",
                                    .method = "sampling/createMessage",
                                    .params = {{"messages", json::array()}, {"maxTokens", 5}}});
                  return e;
                }));
  parts_.prompts.push_back(
      {.name = "greet",
       .title = "Greet",
       .description = "Says hello",
       .arguments = {{.name = "who", .description = "A name", .required = true}},
       .text = [](const std::map<std::string, std::string>& a) -> Result<std::string> {
         return "Say hello to " + a.at("who");
       },
       .form = [](const std::map<std::string, std::string>& a) -> std::optional<PromptForm> {
         if (a.contains("who")) return std::nullopt;
         return PromptForm{"Whom?",
                           {{"type", "object"},
                            {"properties", {{"who", {{"type", "string"}}}}},
                            {"required", json::array({"who"})}}};
       }});
  parts_.asking = process_memory();
  parts_.asking.now = [now = now_] { return TimePoint(Duration(*now)); };
}

}  // namespace vastgpu
