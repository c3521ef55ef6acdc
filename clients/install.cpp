#include "clients/install.h"

#include "core/files.h"
#include "core/text.h"
#include "state/private_folder.h"

namespace vastgpu {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 5;

/// What we know of a file that we changed.
struct Record {
  bool existed = false;
  std::size_t depth = 0;    ///< how many keys of the path were there
  std::size_t folders = 0;  ///< how many folders above the file were made for it
  std::string after;        ///< SHA-256 of what we wrote
};

constexpr std::size_t kMaxKept = 1 << 25;

/// A file that says nothing: one that we made may go.
bool says_nothing(const std::string& text) { return trim(text).empty() || trim(text) == "{}"; }

class Records {
 public:
  explicit Records(const InstallJob& job)
      : job_(job), stem_(job.client.name + "-" + sha256_hex(job.file.string()).substr(0, 12)) {}

  fs::path before_file() const { return job_.records / (stem_ + ".before"); }

  std::optional<Record> read() const {
    const auto content = read_file(note_file(), 1 << 20);
    const auto note = content ? parse_json(*content, note_file().string()) : fail(content.error());
    if (!note) return std::nullopt;
    return Record{read_field<bool>(*note, "existed").value_or(true),
                  read_field<std::size_t>(*note, "depth").value_or(job_.client.path.size()),
                  read_field<std::size_t>(*note, "folders").value_or(0),
                  read_field<std::string>(*note, "after").value_or("")};
  }

  Result<void> write(const Record& r, const std::string& before) const {
    if (auto made = make_private_folder(job_.records); !made) return made;
    if (auto kept = replace_file(before_file(), before, 0600); !kept) return kept;
    const json note{{"file", job_.file.string()},
                    {"existed", r.existed},
                    {"depth", r.depth},
                    {"folders", r.folders},
                    {"after", r.after}};
    return replace_file(note_file(), note.dump(2) + "\n", 0600);
  }

  void remove() const {
    std::error_code ignored;
    fs::remove(note_file(), ignored);
    fs::remove(before_file(), ignored);
  }

 private:
  fs::path note_file() const { return job_.records / (stem_ + ".json"); }
  const InstallJob& job_;
  std::string stem_;
};

Error contended(const InstallJob& job) {
  return {.code = Code::wrong_state,
          .what = job.file.string() + " was changed by somebody else each time we were about to write it",
          .next_step = "close " + job.client.title + " and try again"};
}

/// Our fields; an environment that the user added to stays.
json wanted(const InstallJob& job, const std::optional<json>& there) {
  json entry = job.client.entry(job.start);
  const std::string key = environment_field(job.client);
  if (key.empty() || !there || !there->is_object() || !there->contains(key) || !(*there)[key].is_object())
    return entry;
  json both = (*there)[key];
  if (job.stale_settings_go)
    for (const char* name : kHandedOn) both.erase(name);
  if (entry.contains(key)) both.update(entry[key]);
  entry[key] = both;
  return entry;
}

bool holds(const json& there, const json& entry) {
  return std::ranges::all_of(entry.items(), [&](const auto& field) {
    return there.contains(field.key()) && there[field.key()] == field.value();
  });
}

std::size_t missing_folders(const fs::path& file) {
  std::error_code none;
  std::size_t missing = 0;
  for (fs::path at = file.parent_path(); !fs::exists(at, none) && at.has_relative_path();
       at = at.parent_path())
    ++missing;
  return missing;
}

/// Those that were made for the file and hold nothing else by now.
void remove_folders(const fs::path& file, std::size_t count) {
  std::error_code not_empty;
  fs::path at = file.parent_path();
  for (; count > 0 && fs::remove(at, not_empty); --count) at = at.parent_path();
}

/// The entry of our name that --force put out of the way, as the kept file has it.
std::optional<json> displaced(const KnownClient& c, const Result<std::string>& kept) {
  const auto was = kept ? view_config(c.format, *kept, c.path, "kept") : fail(kept.error());
  return was && was->entry && !is_ours(*was->entry) ? was->entry : std::nullopt;
}

/// A kept file that holds our entry is no file to give back.
bool free_of_us(const KnownClient& c, const std::string& kept) {
  const auto was = view_config(c.format, kept, c.path, "kept");
  return !was || !was->entry || !is_ours(*was->entry);
}

/// One try. Nothing: somebody wrote in between.
Result<std::optional<InstallReport>> try_install(Disk& disk, const InstallJob& job) {
  const KnownClient& c = job.client;
  const std::string subject = job.file.string();
  auto read = read_config(disk, job.file);
  if (!read) return fail(std::move(read).error());
  const std::string before = read->text.value_or("");
  auto view = view_config(c.format, before, c.path, subject);
  if (!view) return fail(std::move(view).error());

  InstallReport report;
  const bool ours = view->entry && is_ours(*view->entry);
  const json entry = wanted(job, ours ? view->entry : std::nullopt);
  if (ours && holds(*view->entry, entry)) {
    report.outcome = InstallOutcome::already;
    return report;
  }
  if (view->entry && !ours && !job.force) {
    report.outcome = InstallOutcome::foreign;
    report.other_program = program_of(*view->entry);
    return report;
  }
  auto after = with_entry(c.format, before, c.path, entry, view->entry && !ours, subject);
  if (!after) return fail(std::move(after).error());
  report.change = changed_lines(before, *after);
  if (job.dry_run) return report;

  const Records records(job);
  std::string original = before;
  Record record{read->text.has_value(), view->depth, missing_folders(job.file), sha256_hex(*after)};
  if (ours) {  // installed before: what counts is how the file was without us
    const auto first = records.read();
    const auto kept = read_file(records.before_file(), kMaxKept);
    record.depth = first ? first->depth : c.path.size() - 1;
    record.folders = first ? first->folders : 0;
    if (first && kept && first->after == sha256_hex(before)) {
      original = *kept;
    } else {
      auto without = without_entry(c.format, before, c.path, record.depth, subject);
      if (!without) return fail(std::move(without).error());
      original = *std::move(without);
      if (const auto other = displaced(c, kept)) {
        auto with = with_entry(c.format, original, c.path, *other, true, subject);
        if (!with) record.after.clear();  // then what is kept holds that entry, but is not to be given back
        original = with ? *std::move(with) : *kept;
      }
    }
    // What others wrote into a file that we made makes it theirs.
    record.existed = !first || first->existed || !says_nothing(original);
  }
  if (auto noted = records.write(record, original); !noted) return fail(std::move(noted).error());
  if (record.existed) report.kept = records.before_file();
  auto written = write_config(disk, *read, *after, job.file.filename() == ".claude.json" ? 0600 : 0644);
  if (!written) return fail(std::move(written).error());
  return *written ? std::optional(report) : std::nullopt;
}

struct Undone {
  std::optional<std::string> text;  ///< nothing: no file
  std::string lost;                 ///< the program of a displaced entry that could not be put back
};

Result<Undone> undone(const InstallJob& job, const std::string& before, const std::optional<Record>& record) {
  const KnownClient& c = job.client;
  const std::string subject = job.file.string();
  const auto kept = read_file(Records(job).before_file(), kMaxKept);
  // With --force the entry may be somebody else's: then it is to go, and nothing takes its place.
  const auto now = view_config(c.format, before, c.path, subject);
  const auto other = now && now->entry && is_ours(*now->entry) ? displaced(c, kept) : std::nullopt;
  if (record && kept && record->after == sha256_hex(before) && free_of_us(c, *kept))
    return Undone{!record->existed && says_nothing(*kept) ? std::nullopt : std::optional(*kept), {}};
  auto without = without_entry(c.format, before, c.path, record ? record->depth : c.path.size() - 1, subject);
  if (!without) return fail(std::move(without).error());
  if (other) {
    if (auto put_back = with_entry(c.format, before, c.path, *other, true, subject); put_back)
      return Undone{*std::move(put_back), {}};
    return Undone{*std::move(without), program_of(*other)};
  }
  if (record && !record->existed && says_nothing(*without)) return Undone{};
  return Undone{*std::move(without), {}};
}

Result<std::optional<InstallReport>> try_uninstall(Disk& disk, const InstallJob& job) {
  const KnownClient& c = job.client;
  auto read = read_config(disk, job.file);
  if (!read) return fail(std::move(read).error());
  const std::string before = read->text.value_or("");
  auto view = view_config(c.format, before, c.path, job.file.string());
  if (!view) return fail(std::move(view).error());
  InstallReport report;
  const Records records(job);
  if (!view->entry) {
    if (!job.dry_run) records.remove();
    report.outcome = InstallOutcome::already;
    return report;
  }
  if (!is_ours(*view->entry) && !job.force) {
    report.outcome = InstallOutcome::foreign;
    report.other_program = program_of(*view->entry);
    return report;
  }
  const auto record = records.read();
  auto after = undone(job, before, record);
  if (!after) return fail(std::move(after).error());
  report.removed_file = !after->text;
  report.change = changed_lines(before, after->text.value_or(""));
  report.not_put_back = after->lost;
  if (job.dry_run) return report;
  auto written = after->text ? write_config(disk, *read, *after->text, 0644) : remove_config(disk, *read);
  if (!written) return fail(std::move(written).error());
  if (!*written) return std::optional<InstallReport>();
  if (report.removed_file && record) remove_folders(job.file, record->folders);
  if (report.not_put_back.empty())
    records.remove();
  else
    report.kept = records.before_file();
  return report;
}

template <class Try>
Result<InstallReport> repeated(const InstallJob& job, Try attempt) {
  for (int tries = 0; tries < kTries; ++tries) {
    auto report = attempt();
    if (!report) return fail(std::move(report).error());
    if (*report) return **report;
  }
  return fail(contended(job));
}

}  // namespace

Result<InstallReport> install_entry(Disk& disk, const InstallJob& job) {
  return repeated(job, [&] { return try_install(disk, job); });
}

Result<InstallReport> uninstall_entry(Disk& disk, const InstallJob& job) {
  return repeated(job, [&] { return try_uninstall(disk, job); });
}

}  // namespace vastgpu
