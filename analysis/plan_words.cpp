#include "analysis/plan_words.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "analysis/amounts.h"
#include "core/text.h"

namespace vastgpu::plan_words {
namespace {
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
}  // namespace

bool speaks_of_gpu_hours(std::string_view t) {
  if (has_word(t, {"gpu-hours", "gpu hours", "gpu-hour", "gpu hour", "gpuh",     "gpu-h",    "gpu h",
                   "gpu-hrs",   "gpu hrs",   "gpu-hr",   "gpuhours", "gpuhrs",   "gpu(h)",   "gpu-小时",
                   "gpu 小时",  "gpu小时",   "gpu 时",   "gpu时",    "gpu 机时", "机时",     "卡时",
                   "卡小时",    "卡-时",     "卡天",     "gpu-days", "gpu days", "gpu-day",  "gpu day",
                   "gpu-d",     "gpud",      "gpu 天",   "gpu天",    "gpu time", "gpu-time", "gpu 时间"}))
    return true;
  for (const std::string_view card : {"a100", "h100", "h200", "v100", "a800", "h800", "a6000", "l40s", "l4",
                                      "t4", "3090", "4090", "5090", "b200", "80gb", "40gb", "80g", "40g"})
    for (std::size_t at = t.find(card); at != std::string_view::npos; at = t.find(card, at + 1)) {
      std::string_view behind = t.substr(at + card.size(), 12);
      if (behind.empty() || (behind[0] != '-' && behind[0] != ' ')) continue;
      behind.remove_prefix(1);
      for (const std::string_view unit : {"hours", "hour", "hrs", "h", "days", "day", "小时"})
        if (behind.starts_with(unit) && (behind.size() == unit.size() || !is_letter(behind[unit.size()])) &&
            (behind.size() == unit.size() || !is_digit(behind[unit.size()])))
          return true;
    }
  return false;
}
bool speaks_of_days(std::string_view t) {
  return has_word(t, {"days", "day", "gpu-d", "gpud", "gpu-days", "gpu-day", "天"});
}
bool says_wall(std::string_view t) {
  return has_word(t, {"wall", "wall-clock", "wallclock", "wall clock", "walltime", "wall-time", "elapsed",
                      "calendar", "real time", "turnaround", "墙钟", "挂钟", "实际耗时", "日历"});
}
bool says_other_work(std::string_view t) {
  return has_word(
      t, {"cpu",          "cpus",        "cpuh",         "cpu-hours", "robot",      "human",      "humans",
          "coding",       "engineering", "engineer",     "person",    "people",     "annotation", "annotator",
          "annotators",   "labelling",   "labeling",     "lab time",  "developer",  "tpu",        "staff",
          "student time", "interviews",  "person-hours", "man-hours", "researcher", "reviewer",   "人工",
          "人时",         "标注",        "编码",         "机器人",    "人力",       "开发"});
}
bool says_limit(std::string_view t) {
  return has_word(t, {"ceiling",      "limit",       "limits",
                      "cap",          "caps",        "hard cap",
                      "max",          "maximum",     "available",
                      "quota",        "allocation",  "allotment",
                      "granted",      "upper bound", "at most",
                      "no more than", "not exceed",  "never exceed",
                      "stay under",   "stay below",  "must not exceed",
                      "guardrail",    "上限",        "封顶",
                      "不超过",       "最多",        "配额",
                      "可用预算"});
}
bool says_kill(std::string_view t) {
  return has_word(
      t, {"kill",    "killed",  "halt",     "stop",        "stopped",       "abort",      "aborted",
          "exceed",  "exceeds", "exceeded", "terminate",   "timeout",       "time-out",   "early-stop",
          "cut off", "cutoff",  "if fail",  "if it fails", "if this fails", "on failure", "failure",
          "终止",    "停止",    "超过",     "超出",        "中止",          "如果失败"});
}
bool says_reserve(std::string_view t) {
  return has_word(t, {"slack", "contingency", "reserve", "reserved", "buffer", "margin", "headroom",
                      "cushion", "overrun", "预留", "余量", "缓冲", "应急", "机动", "备用"});
}
bool says_used(std::string_view t) {
  return has_word(t, {"used", "already used", "spent", "consumed", "so far", "already run", "burned", "burnt",
                      "已用", "已使用", "已消耗", "已花", "已完成", "已跑"});
}
bool says_rest(std::string_view t) {
  return has_word(
      t, {"remaining", "remainder", "still to run", "left to run", "to go", "to run", "outstanding",
          "still needed", "still open", "hours left", "剩余", "待运行", "待跑", "还需", "尚需", "余下"});
}
bool says_total(std::string_view t) {
  t = trim(t);
  return t == "总" || t == "all" ||
         has_word(t, {"total",  "totals",         "overall",       "grand total", "sum",        "altogether",
                      "in all", "whole campaign", "full campaign", "entire",      "everything", "总计",
                      "总共",   "合计",           "总和",          "总量",        "总 gpu",     "总gpu",
                      "总预算", "总算力",         "总耗时",        "总时长",      "总成本",     "总机时",
                      "总卡时", "共计",           "一共"});
}
bool says_part(std::string_view t) {
  return has_word(t, {"subtotal", "sub-total", "sub total", "小计", "per block", "per milestone"});
}
bool says_must(std::string_view t) {
  return has_word(t, {"must-run", "must run", "must", "core", "mandatory", "required", "minimum", "minimal",
                      "minimum viable", "essential", "without nice-to-have", "without optional",
                      "excluding optional", "excl. optional", "必须", "必跑", "必做", "核心", "必须运行"});
}
bool says_optional(std::string_view t) {
  return has_word(t, {"nice-to-have",
                      "nice to have",
                      "nice-to-haves",
                      "optional",
                      "stretch",
                      "if time permits",
                      "if time allows",
                      "if budget permits",
                      "if budget allows",
                      "time permitting",
                      "bonus",
                      "conditional",
                      "contingent",
                      "only if",
                      "fallback",
                      "fall-back",
                      "backup",
                      "if needed",
                      "if necessary",
                      "could-run",
                      "could have",
                      "可选",
                      "选做",
                      "选跑",
                      "如有余力",
                      "视情况",
                      "有条件",
                      "备选",
                      "非必须",
                      "加分"});
}
bool says_each(std::string_view t) {
  return has_word(
      t, {"per run",   "per seed",    "per experiment", "per model", "per variant", "per config", "per job",
          "per trial", "per setting", "per dataset",    "each",      "apiece",      "/run",       "/seed",
          "/model",    "/job",        "/trial",         "/variant",  "a run",       "a piece",    "every run",
          "per fold",  "/fold",       "per task",       "/task",     "单次",        "每次",       "每个",
          "每组",      "每 seed",     "每个种子",       "单个",      "/次",         "/个"});
}
bool says_cumulative(std::string_view t) {
  return has_word(t, {"累计", "累积", "cumulative", "cumul.", "cumulatively", "running total", "cum."});
}
bool says_dropped(std::string_view t) {
  return has_word(t, {"deferred",      "out of scope",
                      "dropped",       "cancelled",
                      "canceled",      "archive",
                      "archived",      "old plan",
                      "previous plan", "previous version",
                      "superseded",    "not planned",
                      "removed",       "deprecated",
                      "changelog",     "revision history",
                      "related work",  "prior work",
                      "已取消",        "旧版",
                      "废弃",          "不做",
                      "相关工作"});
}
bool lists_datasets(std::string_view name) {
  return has_word(name, {"dataset", "datasets", "data", "corpus", "corpora", "benchmark", "benchmarks",
                         "数据集", "数据", "语料", "基准"}) &&
         !has_word(name, {"budget", "needs", "preparation", "size", "parallel"});
}
bool is_other_label(std::string_view name) {
  return has_word(
      name, {"problem", "compared systems", "baselines", "baseline", "related work", "prior work", "对比系统",
             "risk", "mitigation", "claim", "why this block exists", "motivation", "背景", "风险"});
}
bool is_no_estimate(std::string_view t) {
  return says_other_work(t) || says_limit(t) || says_kill(t) || says_reserve(t) || says_used(t) ||
         says_part(t) || says_wall(t) || says_each(t) || says_dropped(t);
}

std::string key_of(std::string_view name) {
  std::string_view t = trim(name);
  bool block = false;
  for (const std::string_view word : {"milestone", "block", "phase", "stage", "experiment", "exp.", "exp",
                                      "wave", "week", "step", "实验块", "阶段", "里程碑", "实验", "第"})
    if (t.starts_with(word)) {
      const std::string_view rest = trim(t.substr(word.size()));
      if (rest.empty() ||
          !(is_digit(rest[0]) || (rest.size() > 1 && is_letter(rest[0]) && !is_letter(rest[1]))))
        continue;
      t = rest;
      block = true;
      break;
    }
  std::size_t letters = 0;
  while (letters < t.size() && letters < 2 && is_letter(t[letters])) ++letters;
  std::size_t end = letters;
  while (end < t.size() && is_digit(t[end])) ++end;
  while (end + 1 < t.size() && t[end] == '.' && is_digit(t[end + 1])) {
    ++end;
    while (end < t.size() && is_digit(t[end])) ++end;
  }
  if (end < t.size() && is_letter(t[end]) && (end + 1 == t.size() || !is_letter(t[end + 1])) && end > letters)
    ++end;  // "m1a"
  const bool closed = end >= t.size() || !is_letter(t[end]);
  if (end > letters && closed) {
    const std::string_view rest = trim(t.substr(end));
    // "M0-M1" is both of them.
    if (rest.starts_with('-') && rest.size() > 1 &&
        (is_digit(rest[1]) || (letters > 0 && rest.substr(1).starts_with(t.substr(0, letters)))))
      return std::string(t);
    // "exp 1 simulation" and "exp 1 ablations" are two: only a mark behind the number ends the key.
    const bool marked = rest.empty() || std::string_view(":.-(|/,").find(rest[0]) != std::string_view::npos ||
                        static_cast<unsigned char>(rest[0]) >= 0x80;
    if (marked || letters > 0) {
      const std::size_t from = letters == 1 && t[0] == 'b' ? 1 : 0;
      return std::string(t.substr(from, end - from));
    }
    return std::string(block ? t : trim(name));
  }
  return std::string(trim(name));
}

bool names_milestone(std::string_view t) {
  t = trim(t);
  for (const std::string_view word : {"milestone", "block", "phase", "stage", "experiment", "exp", "week",
                                      "wave", "step", "day", "sprint", "round", "run"}) {
    if (!t.starts_with(word)) continue;
    const std::string_view rest = trim(t.substr(word.size()));
    if (!rest.empty() &&
        (is_digit(rest[0]) || (is_letter(rest[0]) && (rest.size() == 1 || !is_letter(rest[1])))))
      return true;
  }
  for (const std::string_view word : {"实验块", "阶段", "里程碑", "第"})
    if (t.starts_with(word)) return true;
  if (t.size() < 2 || !is_letter(t[0])) return false;
  if (std::string_view("mbpwersat").find(t[0]) == std::string_view::npos || !is_digit(t[1])) return false;
  std::size_t end = 1;
  while (end < t.size() && is_digit(t[end])) ++end;
  return end <= 4 &&
         (end == t.size() || !is_letter(t[end]) || (end + 1 == t.size() || !is_letter(t[end + 1])));
}

std::optional<int> count_of_runs(std::string_view t) {
  constexpr auto kNouns = std::to_array<std::string_view>(
      {"seeds",       "seed",    "runs",     "run",     "trials",         "branches",
       "replicas",    "repeats", "variants", "configs", "configurations", "models",
       "experiments", "jobs",    "folds",    "个种子",  "种子",           "个 seed",
       "次",          "组",      "个实验"});
  const auto noun_follows = [&](std::string_view rest, int words) {
    for (; words >= 0; --words) {
      rest = rest.substr(std::min(rest.find_first_not_of(" -"), rest.size()));
      for (const std::string_view noun : kNouns)
        if (rest.starts_with(noun) && (static_cast<unsigned char>(noun[0]) >= 0x80 ||
                                       rest.size() == noun.size() || !is_letter(rest[noun.size()])))
          return true;
      const std::size_t word = rest.find_first_of(" -");
      if (word == std::string_view::npos ||
          rest.substr(0, word).find_first_of(",.;:()/|x") != std::string_view::npos)
        return false;
      rest = rest.substr(word);
    }
    return false;
  };
  for (const Amount& a : find_amounts(t))
    if (a.unit == Unit::none && !a.absurd && a.high >= 1 && a.high <= 10'000 &&
        a.high == static_cast<int>(a.high) && noun_follows(t.substr(a.end, 40), 1))
      return static_cast<int>(a.high);
  constexpr auto kWords = std::to_array<std::pair<std::string_view, int>>({{"both ", 2},
                                                                           {"two ", 2},
                                                                           {"three ", 3},
                                                                           {"four ", 4},
                                                                           {"five ", 5},
                                                                           {"six ", 6},
                                                                           {"eight ", 8},
                                                                           {"ten ", 10},
                                                                           {"两", 2},
                                                                           {"三", 3},
                                                                           {"五", 5}});
  for (const auto& [word, n] : kWords)
    for (std::size_t at = t.find(word); at != std::string_view::npos; at = t.find(word, at + 1))
      if ((at == 0 || !is_letter(t[at - 1])) && noun_follows(t.substr(at + word.size(), 40), 1)) return n;
  return std::nullopt;
}

std::string without_secrets(std::string_view name) {
  std::string out;
  bool hide_next = false;
  for (const std::string& word : split(name, ' ')) {
    const std::string lower = to_lower(word);
    bool secret = hide_next && !word.empty();
    for (const std::string_view start :
         {"hf_", "sk-", "ghp_", "gho_", "github_pat_", "xoxb-", "xoxp-", "akia", "glpat-", "wandb_v1_"})
      if (const std::size_t at = lower.find(start);
          at != std::string::npos && lower.size() - at >= 14 && (at == 0 || !is_letter(lower[at - 1])))
        secret = true;
    const std::size_t login = word.find('@');
    secret = secret || (login != std::string::npos && login > 0 && login + 1 < word.size());
    bool names_secret = false;
    for (const std::string_view what : {"password", "passwd", "pwd", "api_key", "api-key", "apikey", "密码"})
      if (lower.find(what) != std::string::npos) names_secret = true;
    const std::size_t sign = word.find_first_of("=:");
    if (names_secret && sign != std::string::npos && sign + 1 < word.size()) secret = true;
    hide_next = (hide_next && word.empty()) || (names_secret && !secret) || lower == "ssh";
    if (!out.empty()) out += ' ';
    out += secret ? "***" : word;
  }
  return out;
}

int highest_gpu_index(std::string_view t) {
  int highest = -1;
  for (std::size_t at = t.find("gpu"); at != std::string_view::npos; at = t.find("gpu", at + 1)) {
    std::size_t i = at + 3;
    if (i < t.size() && t[i] == 's') ++i;
    if (i >= t.size() || (t[i] != ' ' && t[i] != ':')) continue;
    const auto amounts = find_amounts(t.substr(i, 24));
    if (!amounts.empty() && amounts[0].at <= 2 && amounts[0].unit == Unit::none &&
        amounts[0].low < amounts[0].high && amounts[0].high < 64)
      highest = std::max(highest, static_cast<int>(amounts[0].high));
  }
  return highest;
}

}  // namespace vastgpu::plan_words
