#include "market/offer_row.h"

#include <charconv>
#include <cmath>
#include <unordered_map>

#include "core/text.h"

namespace vastgpu {
namespace {

using Kind = Scalar::Kind;
using F = OfferField;

/// What a container was seen to get of its share of the machine's memory.
constexpr double kContainerShare = 0.96;

template <class T>
std::optional<T> whole_text(std::string_view s) {
  T value{};
  const auto [end, bad] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (bad != std::errc{} || s.empty() || end != s.data() + s.size()) return std::nullopt;
  return value;
}

/// A finite number, also as text.
std::optional<double> number_of(const Scalar& v) {
  std::optional<double> n;
  if (v.kind == Kind::integer) n = static_cast<double>(v.integer);
  if (v.kind == Kind::number) n = v.number;
  if (v.kind == Kind::text) n = whole_text<double>(v.text);
  return n && std::isfinite(*n) ? n : std::nullopt;
}

std::optional<std::int64_t> integer_of(const Scalar& v) {
  if (v.kind == Kind::integer) return v.integer;
  if (v.kind == Kind::text) return whole_text<std::int64_t>(v.text);
  if (v.kind != Kind::number || std::floor(v.number) != v.number || !(std::abs(v.number) < 9e15))
    return std::nullopt;
  return static_cast<std::int64_t>(v.number);
}

/// At least zero; 0 when it is anything else.
double amount(const Scalar& v) {
  const auto n = number_of(v);
  return n && *n > 0 ? *n : 0;
}
std::optional<double> positive(const Scalar& v) {
  const auto n = number_of(v);
  return n && *n > 0 ? n : std::nullopt;
}

std::string line(const Scalar& v, std::size_t max_bytes) {
  return v.kind == Kind::text ? clean_line(v.text, max_bytes) : "";
}

/// true, any number but 0, or the text "true".
bool flag(const Scalar& v) {
  if (v.kind == Kind::text) return v.text == "true";
  return v.kind == Kind::boolean ? v.integer != 0 : number_of(v).value_or(0) != 0;
}

int count(const Scalar& v, int least, int most, int otherwise) {
  const auto n = integer_of(v);
  return n && *n >= least && *n <= most ? static_cast<int>(*n) : otherwise;
}

/// "Oregon, US"; rows also say ", US".
std::string location_of(const Scalar& v) {
  const std::string s = line(v, 80);
  const auto first = s.find_first_not_of(", ");
  return first == std::string::npos ? "" : s.substr(first);
}

}  // namespace

OfferField offer_field(std::string_view name) {
  static const auto* const fields = new std::unordered_map<std::string_view, F>{
      {"id", F::id},
      {"machine_id", F::machine},
      {"host_id", F::host},
      {"gpu_name", F::gpu_name},
      {"gpu_arch", F::gpu_arch},
      {"num_gpus", F::num_gpus},
      {"gpu_frac", F::gpu_frac},
      {"gpu_ram", F::gpu_ram},
      {"compute_cap", F::compute_cap},
      {"cuda_max_good", F::cuda},
      {"dph_total", F::total},
      {"dph_base", F::base},
      {"storage_cost", F::storage_cost},
      {"min_bid", F::min_bid},
      {"is_bid", F::is_bid},
      {"disk_space", F::disk_space},
      {"cpu_ram", F::cpu_ram},
      {"cpu_cores", F::cpu_cores},
      {"cpu_cores_effective", F::cpu_cores_effective},
      {"inet_up", F::inet_up},
      {"inet_down", F::inet_down},
      {"inet_up_cost", F::inet_up_cost},
      {"inet_down_cost", F::inet_down_cost},
      {"reliability", F::reliability},
      {"reliability2", F::reliability2},
      {"verification", F::verification},
      {"verified", F::verified},
      {"hosting_type", F::hosting_type},
      {"static_ip", F::static_ip},
      {"direct_port_count", F::ports},
      {"dlperf", F::dlperf},
      {"duration", F::duration},
      {"geolocation", F::geolocation},
      {"score", F::score},
      {"search", F::search},
      {"totalHour", F::search_total},
  };
  const auto at = fields->find(name);
  return at == fields->end() ? F::other : at->second;
}

void OfferRow::set(OfferField field, const Scalar& v) {
  Offer& o = offer_;
  switch (field) {
    case F::other:
    case F::search:
      break;
    case F::id:
      id_ = integer_of(v);
      break;
    case F::machine:
      o.machine = {integer_of(v).value_or(0)};
      break;
    case F::host:
      o.host = {integer_of(v).value_or(0)};
      break;
    case F::gpu_name:
      o.gpu_name = line(v, 80);
      break;
    case F::gpu_arch:
      o.gpu_arch = line(v, 40);
      break;
    case F::num_gpus:
      o.num_gpus = count(v, 1, 1024, 1);
      break;
    case F::gpu_frac:
      o.gpu_fraction = std::min(positive(v).value_or(1), 1.0);
      break;
    case F::gpu_ram:
      o.gpu_ram = {amount(v)};
      break;
    case F::compute_cap:
      o.compute_cap = count(v, 0, 100'000, 0);
      break;
    case F::cuda:
      o.cuda_max = amount(v);
      break;
    case F::total:
      total_ = positive(v);
      break;
    case F::base:
      o.price_without_disk = {amount(v)};
      break;
    case F::storage_cost:
      o.storage_usd_per_gb_month = amount(v);
      break;
    case F::min_bid:
      o.min_bid.reset();
      if (const auto bid = positive(v)) o.min_bid = UsdPerHour{*bid};
      break;
    case F::is_bid:
      o.is_bid = flag(v);
      break;
    case F::disk_space:
      o.disk_space = {amount(v)};
      break;
    case F::cpu_ram:
      cpu_ram_ = positive(v);
      break;
    case F::cpu_cores:
      cores_ = positive(v);
      break;
    case F::cpu_cores_effective:
      own_cores_ = positive(v);
      break;
    case F::inet_up:
      o.inet_up = {amount(v)};
      break;
    case F::inet_down:
      o.inet_down = {amount(v)};
      break;
    case F::inet_up_cost:
      o.inet_up_cost = {amount(v)};
      break;
    case F::inet_down_cost:
      o.inet_down_cost = {amount(v)};
      break;
    case F::reliability:
      reliability_ = amount(v);
      break;
    case F::reliability2:
      reliability2_ = amount(v);
      break;
    case F::verification:
      verification_ = line(v, 40);
      break;
    case F::verified:
      verified_ = flag(v) || v.text == "verified";
      break;
    case F::hosting_type:
      o.datacenter = amount(v) >= 1;
      break;
    case F::static_ip:
      o.static_ip = flag(v);
      break;
    case F::ports:
      o.direct_ports = count(v, 0, 1'000'000, 0);
      break;
    case F::dlperf:
      o.dlperf = amount(v);
      break;
    case F::duration: {
      const auto left = number_of(v);
      o.max_duration.reset();
      if (left && *left >= 0) o.max_duration = std::chrono::duration<double>(*left);
      break;
    }
    case F::geolocation:
      o.location = location_of(v);
      break;
    case F::score:
      score_ = number_of(v).value_or(0);
      break;
    case F::search_total:
      search_total_ = positive(v);
      break;
  }
}

std::optional<Offer> OfferRow::finish() && {
  const auto price = total_ ? total_ : search_total_;
  if (!id_ || *id_ <= 0 || !price || offer_.gpu_name.empty()) return std::nullopt;
  offer_.id = {*id_};
  offer_.price = {*price};
  offer_.reliability = reliability2_ > 0 ? reliability2_ : reliability_;
  offer_.verified = verification_.empty() ? verified_ : verification_ == "verified";
  if (cpu_ram_) {
    // The row tells the machine's memory; the offer's part of it goes by its part of the cores.
    const double share = cores_ && own_cores_ ? std::min(1.0, *own_cores_ / *cores_) : offer_.gpu_fraction;
    offer_.host_ram = Gigabytes{*cpu_ram_ * share * kContainerShare * 1.048576 / 1000};
  }
  return std::move(offer_);
}

}  // namespace vastgpu
