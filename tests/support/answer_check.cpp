#include "tests/support/answer_check.h"

#include <map>
#include <memory>
#include <mutex>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "core/text.h"
#include "tools/outputs.h"

namespace vastgpu {
namespace {

using Adapter = valijson::adapters::NlohmannJsonAdapter;

std::unique_ptr<valijson::Schema> compiled(const json& schema) {
  auto made = std::make_unique<valijson::Schema>();
  valijson::SchemaParser(valijson::SchemaParser::kDraft7).populateSchema(Adapter(schema), *made);
  return made;
}

std::string trouble_of(const valijson::Schema& schema, const json& value) {
  valijson::ValidationResults results;
  valijson::Validator validator(valijson::Validator::kStrongTypes);  // "12" is no number
  if (validator.validate(schema, Adapter(value), &results)) return {};
  std::string words;
  for (valijson::ValidationResults::Error error; results.popError(error);)
    words += join(error.context, "") + ": " + error.description + "\n";
  return words.empty() ? "it does not fit" : words;
}

}  // namespace

std::string schema_trouble(const json& schema, const json& value) {
  return trouble_of(*compiled(schema), value);
}

std::string answer_trouble(const std::string& tool, const json& structured) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<valijson::Schema>> schemas;
  const std::scoped_lock hold(mutex);
  auto& schema = schemas[tool];
  if (!schema) schema = compiled(output_schema(tool));
  const std::string trouble = trouble_of(*schema, structured);
  return trouble.empty() ? trouble
                         : "an answer of " + tool + " breaks its output schema:\n" + trouble +
                               structured.dump(1, ' ', false, json::error_handler_t::replace);
}

}  // namespace vastgpu
