#include <algorithm>

#include "core/text.h"
#include "server/command_model.h"

namespace vastgpu {
namespace {

/// Text as roff reads it: a backslash, a minus and a line's first dot or quote mean something there.
std::string roff(std::string_view words) {
  std::string out;
  for (const char c : words) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else
      out += c;
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

std::string bold(const std::string& words) { return "\\fB" + roff(words) + "\\fR"; }
std::string italic(const std::string& words) { return "\\fI" + roff(words) + "\\fR"; }

std::string usage(const std::string& program, const CommandModel& command) {
  std::string line = bold(program + " " + command.name);
  for (const OptionModel& o : command.options) {
    if (!o.names.empty()) continue;
    const std::string word = italic(o.value) + (o.many ? "..." : "");
    line += o.required ? " " + word : " [" + word + "]";
  }
  return line;
}

std::string option(const OptionModel& o) {
  std::string out = ".TP\n";
  if (o.names.empty()) {
    out += italic(o.value);
  } else {
    std::vector<std::string> names;
    for (const std::string& name : o.names) names.push_back(bold(name));
    out += join(names, ", ");
    if (!o.value.empty()) out += " " + italic(o.value);
  }
  out += "\n" + roff(o.description) + "\n";
  if (!o.choices.empty()) out += "One of: " + roff(join(o.choices, ", ")) + ".\n";
  return out;
}

constexpr const char* kFiles = R"(.SH FILES
.TP
\fI~/.config/vastai/vast_api_key\fR
The API key, where VAST_API_KEY is not set.
.TP
\fI~/.local/state/vast\-gpu/\fR
Ledger, locks, our SSH key, known hosts, and what clients' configurations were before install.
.TP
\fI~/.local/state/vast\-gpu/settings.json\fR
Limits on money, written by you.
.TP
\fIvast\-instances.json\fR
In the project: the public record of its machines.
.SH ENVIRONMENT
.TP
\fBVAST_API_KEY\fR
The API key; goes before the key file.
.TP
\fBVAST_GPU_STATE\fR
Another state folder.
.TP
\fBVAST_GPU_PROJECT\fR
The project folder where a call names none.
.TP
\fBVAST_URL\fR, \fBVAST_GPU_CA_FILE\fR
Another address of the API, and certificates to trust for it.
.TP
\fBVAST_GPU_KEEPER\fR
\fIoff\fR: no keeper is started.
)";

}  // namespace

std::string man_page(const CommandModel& program, const std::string& version) {
  std::string out = ".TH " + roff(program.name) + " 1 \"\" \"" + roff(program.name + " " + version) +
                    "\" \"User Commands\"\n.SH NAME\n" + roff(program.name) + " \\- " +
                    roff(program.description) + "\n.SH SYNOPSIS\n";
  for (const CommandModel& command : program.commands) out += usage(program.name, command) + "\n.br\n";
  out += ".SH OPTIONS\n";
  for (const OptionModel& o : program.options) out += option(o);
  out += ".SH COMMANDS\n";
  for (const CommandModel& command : program.commands) {
    out += ".SS " + usage(program.name, command) + "\n" + roff(command.description) + "\n";
    for (const OptionModel& o : command.options)
      if (std::ranges::find(o.names, "--help") == o.names.end()) out += option(o);
  }
  return out + kFiles;
}

}  // namespace vastgpu
