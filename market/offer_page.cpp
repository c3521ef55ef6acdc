#include "market/offer_page.h"

#include <unordered_map>

#include "core/json.h"
#include "market/json_mend.h"
#include "market/offer_row.h"

namespace vastgpu {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxOffers = 200'000;  // eight times what the marketplace lists on a busy day

/// Receives the parser's events. Rows stand in {"offers":[{...}]}: their fields are at depth 3, and
/// {"search":{...}} of a row at depth 4.
class PageReader {
 public:
  // The names and signatures are those that the library's SAX interface asks for.
  bool null() { return value({}); }
  bool boolean(bool b) { return value({.kind = Scalar::Kind::boolean, .integer = b ? 1 : 0}); }
  bool number_integer(std::int64_t n) { return value({.kind = Scalar::Kind::integer, .integer = n}); }
  bool number_unsigned(std::uint64_t n) {
    if (n > INT64_MAX) return value({.kind = Scalar::Kind::number, .number = static_cast<double>(n)});
    return value({.kind = Scalar::Kind::integer, .integer = static_cast<std::int64_t>(n)});
  }
  bool number_float(double n, const std::string&) {
    return value({.kind = Scalar::Kind::number, .number = n});
  }
  bool string(std::string& s) { return value({.kind = Scalar::Kind::text, .text = s}); }
  bool binary(json::binary_t&) { return false; }

  bool key(std::string& name) {
    if (depth_ == 1) {
      in_list_ = name == "offers";
      in_success_ = name == "success";
    } else if (in_row_ && (depth_ == 3 || (depth_ == 4 && in_search_))) {
      field_ = offer_field(name);
      if ((field_ == OfferField::search_total) != (depth_ == 4)) field_ = OfferField::other;
    }
    return true;
  }
  bool start_object(std::size_t) {
    if (depth_ == 2 && in_list_ && has_list_) {
      in_row_ = true;
      ++page_.rows;
      row_ = {};
    } else if (depth_ == 3 && in_row_) {
      in_search_ = field_ == OfferField::search;
    }
    return deeper();
  }
  bool end_object() {
    --depth_;
    if (depth_ == 3) in_search_ = false;
    if (depth_ != 2 || !in_row_) return true;
    in_row_ = false;
    return keep_row();
  }
  bool start_array(std::size_t) {
    if (depth_ == 1 && in_list_) has_list_ = true;
    if (depth_ == 2 && in_list_) ++page_.rows;  // no offer, but a row all the same
    return deeper();
  }
  bool end_array() {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const json::exception&) { return false; }

  bool too_deep() const { return too_deep_; }
  bool too_many() const { return page_.offers.size() > kMaxOffers; }
  bool has_list() const { return has_list_; }
  OfferPage& page() { return page_; }

 private:
  bool value(const Scalar& v) {
    if (in_row_ && (depth_ == 3 || (depth_ == 4 && in_search_))) {
      if (field_ != OfferField::other) row_.set(field_, v);
    } else if (depth_ == 2 && in_list_) {
      ++page_.rows;
    } else if (depth_ == 1 && in_success_) {
      page_.refused = v.kind == Scalar::Kind::boolean && v.integer == 0;
    }
    return true;
  }

  bool deeper() {
    too_deep_ = ++depth_ > kMaxDepth;
    return !too_deep_;
  }

  bool keep_row() {
    const double score = row_.score();
    auto offer = std::move(row_).finish();
    if (!offer) return true;
    const auto [known, is_new] = seen_.try_emplace(offer->id.value, Seen{page_.offers.size(), score});
    if (is_new) {
      page_.offers.push_back(*std::move(offer));
    } else if (score > known->second.score) {
      known->second.score = score;
      page_.offers[known->second.at] = *std::move(offer);
    }
    return !too_many();
  }

  struct Seen {
    std::size_t at;
    double score;
  };
  OfferPage page_;
  OfferRow row_;
  OfferField field_ = OfferField::other;
  std::unordered_map<std::int64_t, Seen> seen_;
  int depth_ = 0;
  bool in_list_ = false;  ///< the value of the outermost object's `offers`
  bool in_success_ = false;
  bool has_list_ = false;
  bool in_row_ = false;
  bool in_search_ = false;
  bool too_deep_ = false;
};

Result<OfferPage> unreadable(std::string what,
                             std::string next_step = "call again; report this if it stays") {
  return fail({.code = Code::corrupt, .what = std::move(what), .next_step = std::move(next_step)});
}

}  // namespace

Result<OfferPage> read_offer_page(std::string& text) {
  const bool mended = may_hold_bare_words(text);
  if (mended) mend_json(text);
  PageReader reader;
  bool whole = json::sax_parse(text, &reader);
  if (!whole && !mended && !reader.too_deep() && !reader.too_many() && mend_json(text) > 0) {
    reader = {};
    whole = json::sax_parse(text, &reader);
  }
  if (reader.too_deep()) return unreadable("the search's answer is nested too deeply");
  if (reader.too_many())
    return unreadable("the search's answer lists more offers than any market has",
                      "search with narrower needs; report this if it stays");
  if (!whole) return unreadable("the search's answer is not valid JSON, so what is on offer is unknown");
  OfferPage& page = reader.page();
  if (page.refused) return std::move(page);
  if (!reader.has_list())
    return unreadable("the search's answer holds no list of offers, so what is on offer is unknown");
  if (page.offers.empty() && page.rows > 0)
    return unreadable("none of " + std::to_string(page.rows) + " offers can be read",
                      "report this: the offers changed their shape");
  return std::move(page);
}

}  // namespace vastgpu
