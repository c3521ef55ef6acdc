#include "tools/output_rentals.h"

namespace vastgpu::output {

json host_key() {
  return maybe(object(
      {{"fingerprint", text("SHA256:... of the SSH host key that is pinned")},
       {"verified_by", text("What it rests on: container log, first use, or contradicted by the log")}},
      "The machine's SSH host key; null before it is known"));
}

Fields rental() {
  return {{"instance_id", maybe(whole("Id of the machine; null while a create is not settled"))},
          {"label", text("Our mark on the machine")},
          {"status", text("Ours: renting, booting, ready, stopped, destroying, destroyed, refused...")},
          {"project", text("Absolute path of the project folder")},
          {"gpu", text("GPU model, as the marketplace spells it")},
          {"num_gpus", whole("GPUs of the machine that are ours")},
          {"usd_per_hour", number("Price while it runs, US dollars an hour, disk included")},
          {"image", text("Docker image")},
          {"ssh", maybe(text("ssh:// address; null before it is known"))},
          {"host_key", host_key()},
          {"created_at", moment("When it was rented")},
          {"lease_ends_at", moment("When it ends by itself")},
          {"at_lease_end", text("What happens then: stop (the disk bills on) or destroy")},
          {"unguarded", flag("true: nothing on the machine ends it")},
          {"usd_so_far", number("Our count of the cost until now, US dollars; rather too much")},
          {"usd_worst_case", number("The most it can cost as its lease stands, US dollars")},
          {"usd_renewable_to", number("The most after renewals while an experiment runs, US dollars")},
          {"interruptible", flag("true: it pauses when outbid")},
          {"bid_usd_per_hour", maybe(number("Our bid, US dollars an hour; null: not interruptible"))},
          {"envelope_id", maybe(text("Approved envelope that it draws on"))},
          {"replaces", maybe(text("Label of the lost rental that it replaces"))},
          {"results_collected_at", maybe(moment("When its results were last brought home"))},
          sometimes("type_this", type_this())};
}

json type_this() {
  return maybe(any_object("Command lines for people: ssh, scp, rsync; null while SSH is not open"));
}

json receipt() {
  return maybe(object({{"complete", flag("true: all of it is home and every hash agrees")},
                       {"files", whole("Files that are home")},
                       {"bytes", whole("Their size in bytes")},
                       {"fetched_now", whole("Files that travelled in this call")},
                       {"problems", texts("What is not home, and why")},
                       {"first_files", list(object({{"path", text("Path in the project")},
                                                    {"bytes", whole("Size in bytes")},
                                                    {"sha256", text("Hex digest, the same on both sides")}}),
                                            "The first 50; all of them are in the receipt file")},
                       sometimes("checked", list(any_object(""),
                                                 "Files that were loaded on the machine to "
                                                 "see whether they can be"))},
                      "What came home; null: nothing was brought in this call"));
}

json cost() {
  return object(
      {{"hours", number("Hours from rent to end, or to now")},
       {"usd_estimated", number("Estimated total at the time of the quote, US dollars")},
       {"usd_worst_case", number("The most it could cost, US dollars")},
       {"usd_own_count", number("Price x time by our own count, US dollars")},
       {"usd_charged", maybe(number("The provider's own figure, US dollars; null: not posted yet"))},
       {"usd_charged_by", any_object("US dollars by kind: gpu, disk, bwd (download), bwu (upload)")},
       {"difference_by_cause", list(object({{"cause", text("What differs")},
                                            {"usd_estimated", number("US dollars")},
                                            {"usd_charged", number("US dollars")},
                                            {"usd_difference", number("US dollars; over 0: dearer")},
                                            {"why", text("In words")}}),
                                    "Estimate against charges; empty while there are none")},
       {"charges_note", text("Why the charges are absent or provisional; else empty")}},
      "Estimate, our own count, and the provider's charges");
}

json layers() {
  return list(object({{"layer", text("guard (on the machine), keeper or server (here)")},
                      {"last_report", maybe(moment("When it last reported"))},
                      {"age_seconds", maybe(whole("Seconds since then"))},
                      {"detail", text("What it reported")},
                      {"alarm", maybe(text("Why it is taken for dead; null: it lives or nobody can tell"))},
                      {"fix", maybe(text("What to do about the alarm"))}}),
              "Each layer that ends the machine by itself, with its last report");
}

json envelope() {
  return object({{"envelope_id", text("e-1a2b3c4d")},
                 {"max_usd", number("US dollars that all its rentals together may cost")},
                 {"max_rentals", whole("How many rentals")},
                 {"until", moment("Until when new ones may start")},
                 {"taken_usd", number("US dollars taken")},
                 {"taken_rentals", whole("Rentals taken")},
                 {"left_usd", number("US dollars left")},
                 {"left_rentals", whole("Rentals left")},
                 {"spent", maybe(text("Why nothing more can be drawn; null: it can"))}},
                "What the user approved once for several rentals");
}

json ports() {
  return list(object({{"port", whole("Port on the machine")},
                      {"url", text("Where it is open on this computer")},
                      {"moved", flag("true: the wanted port was taken here")}}),
              "Ports of the machine that are open on this computer");
}

json checkpoint_advice() {
  return object(
      {{"every_minutes", number("Minutes between two checkpoints")},
       {"young_minutes", number("Minutes by Young's formula, before rounding to what is practical")},
       {"hours_between_interruptions", number("Hours that such a machine runs between two")},
       {"hours_between_from", text("Where that comes from")},
       {"save_seconds", number("Seconds that one save takes")},
       {"save_from", text("Where that comes from")}},
      "How often work on an interruptible machine should save");
}

}  // namespace vastgpu::output
