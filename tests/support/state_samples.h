#pragma once
// Filled-in values for tests of the records: every field differs from its default.

#include "core/past_run.h"
#include "core/rental.h"

namespace vastgpu {

inline const TimePoint kSampleTime = TimePoint(std::chrono::seconds(1'795'000'000));

inline Quote sample_quote(const std::string& id) {
  Quote q;
  q.id = id;
  q.project = "/home/mira/project";
  q.title = "best value";
  q.offer = {60020002};
  q.machine = {4711};
  q.gpu_name = "RTX 4090";
  q.num_gpus = 2;
  q.gpu_ram = {24564};
  q.price = {0.3412};
  q.interruptible = true;
  q.image = "pytorch/pytorch:2.4.0";
  q.disk = {80};
  q.work = Hours(3.5);
  q.lease = Hours(5);
  q.estimate = {1.31};
  q.worst_case = {2.5};
  q.disk_per_day = {0.4};
  q.facts = R"({"why":"größer"})";
  q.created = kSampleTime;
  q.expires = kSampleTime + std::chrono::minutes(10);
  return q;
}

inline Rental sample_rental(const std::string& label, const std::string& quote_id, double worst_case) {
  Rental r;
  r.label = label;
  r.quote_id = quote_id;
  r.project = "/home/mira/project";
  r.offer = {60020002};
  r.machine = {4711};
  r.gpu_name = "RTX 4090";
  r.num_gpus = 2;
  r.price = {0.3412};
  r.interruptible = true;
  r.image = "pytorch/pytorch:2.4.0";
  r.disk = {80};
  r.estimate = {1.31};
  r.worst_case = {worst_case};
  r.created = kSampleTime;
  r.lease_end = kSampleTime + std::chrono::hours(5);
  return r;
}

inline PastRun sample_run(const std::string& label, const std::string& experiment) {
  PastRun r;
  r.label = label;
  r.experiment = experiment;
  r.project = "/home/mira/project";
  r.command = "torchrun --nproc_per_node 2 train.py --name größer";
  r.script = "train.py";
  r.instance = InstanceId{70010001};
  r.gpu_name = "RTX 4090";
  r.num_gpus = 2;
  r.gpu_ram = Megabytes{24564};
  r.started = kSampleTime;
  r.ended = kSampleTime + std::chrono::hours(3);
  r.hours = Hours(2.9);
  r.exit_code = 1;
  r.oom = true;
  r.peak_vram = Megabytes{21500};
  r.held_before = Megabytes{3};
  r.rate = 3.125;
  r.rate_unit = "steps/s";
  r.steps_done = 32'000'000'000;
  r.steps_total = 64'000'000'000;
  r.recorded = kSampleTime + std::chrono::hours(4);
  return r;
}

}  // namespace vastgpu
