#include "analysis/image.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/text.h"

namespace vastgpu {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct Version {
  int major = 0;
  int minor = 0;
  auto operator<=>(const Version&) const = default;
};

/// "12.4.1" -> 12.4; needs both parts.
std::optional<Version> read_version(std::string_view s) {
  Version v;
  const char* const last = s.data() + s.size();
  const auto [dot, bad] = std::from_chars(s.data(), last, v.major);
  if (bad != std::errc{} || dot == last || *dot != '.') return std::nullopt;
  if (std::from_chars(dot + 1, last, v.minor).ec != std::errc{} || v.major > 99 || v.minor > 99)
    return std::nullopt;
  return v;
}

double as_number(Version v) { return v.major + (v.minor < 10 ? v.minor / 10.0 : v.minor / 100.0); }

/// The version behind the first of these marks that a digit follows.
std::optional<Version> version_behind(std::string_view tag, std::initializer_list<std::string_view> marks) {
  for (const std::string_view mark : marks)
    for (std::size_t at = tag.find(mark); at != std::string_view::npos; at = tag.find(mark, at + 1)) {
      const std::size_t from = at + mark.size();
      if (from < tag.size() && is_digit(tag[from]))
        if (const auto v = read_version(tag.substr(from))) return v;
    }
  return std::nullopt;
}

/// "cu124" -> 12.4, "cu118" -> 11.8.
std::optional<Version> short_cuda(std::string_view tag) {
  for (std::size_t at = tag.find("cu1"); at != std::string_view::npos; at = tag.find("cu1", at + 1)) {
    if (at + 4 >= tag.size() || !is_digit(tag[at + 3]) || !is_digit(tag[at + 4])) continue;
    return Version{10 + (tag[at + 3] - '0'), tag[at + 4] - '0'};
  }
  return std::nullopt;
}

}  // namespace

bool is_image_name(std::string_view name) {
  if (name.empty() || name.size() > 255 || !std::isalnum(static_cast<unsigned char>(name[0]))) return false;
  const std::size_t digest = name.find('@');
  if (digest != std::string_view::npos && !name.substr(digest).starts_with("@sha256:")) return false;
  return std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) ||
           std::string_view("._-/:@").find(c) != std::string_view::npos;
  });
}

ImageNeeds read_image(std::string_view image) {
  ImageNeeds needs;
  const std::string name = to_lower(image);
  const std::size_t slash = name.rfind('/');
  const std::size_t colon = name.find(':', slash == std::string::npos ? 0 : slash);
  const std::string repository = name.substr(0, colon);
  const std::string tag = colon == std::string::npos ? "" : name.substr(colon + 1);

  std::optional<Version> cuda = version_behind(tag, {"cuda", "cuda-"});
  if (!cuda) cuda = short_cuda(tag);
  if (!cuda && repository.ends_with("nvidia/cuda")) cuda = read_version(tag);
  std::optional<Version> torch = version_behind(tag, {"torch", "pytorch", "torch-", "pytorch-"});
  if (!torch && repository.ends_with("pytorch")) {
    torch = read_version(tag);
    if (torch && torch->major > 9) torch.reset();  // nvcr.io/nvidia/pytorch:24.05 counts months
  }
  if (cuda) needs.cuda = as_number(*cuda);
  if (torch) {
    needs.torch = std::to_string(torch->major) + "." + std::to_string(torch->minor);
    if (!cuda) needs.cuda = cuda_of_torch(*needs.torch);
  }

  const std::string shown = clean_line(image, 255);
  if (!cuda && !torch) {
    needs.warnings.push_back(
        "nothing is known about CUDA and torch in " + shown +
        ": CUDA 12.1 was assumed and no card was left out; say cuda if it needs another");
    return needs;
  }
  if ((torch && *torch < Version{2, 0}) || (cuda && *cuda < Version{11, 8})) {
    needs.max_compute_cap = 860;
    needs.warnings.push_back(
        shown + " is too old for RTX 40, L40 and H100 class cards and newer ones: they were left out");
  } else if ((torch && *torch <= Version{2, 6}) || (cuda && *cuda < Version{12, 8})) {
    needs.max_compute_cap = 900;
    needs.warnings.push_back(shown +
                             " cannot drive Blackwell cards (RTX 50, RTX PRO, B200): they were left out; "
                             "an image with torch 2.7 and CUDA 12.8 or newer brings them back");
  }
  // Wheels for CUDA 12.8 dropped Volta and older with torch 2.8, and CUDA 13 dropped them altogether.
  if ((cuda && *cuda >= Version{13, 0}) || (torch && *torch >= Version{2, 8})) needs.min_compute_cap = 750;
  return needs;
}

std::optional<double> cuda_of_torch(std::string_view version) {
  if (const std::size_t plus = version.find('+'); plus != std::string_view::npos)
    if (const auto cuda = short_cuda(version.substr(plus))) return as_number(*cuda);
  const auto torch = read_version(version);
  if (!torch) return std::nullopt;
  struct Row {
    Version torch;
    double cuda;
  };
  constexpr auto kDefaultWheel = std::to_array<Row>({{{1, 12}, 10.2},
                                                     {{1, 13}, 11.7},
                                                     {{2, 0}, 11.8},
                                                     {{2, 1}, 12.1},
                                                     {{2, 2}, 12.1},
                                                     {{2, 3}, 12.1},
                                                     {{2, 4}, 12.1},
                                                     {{2, 5}, 12.4},
                                                     {{2, 6}, 12.4},
                                                     {{2, 7}, 12.6},
                                                     {{2, 8}, 12.8},
                                                     {{2, 9}, 12.8},
                                                     {{2, 10}, 12.8},
                                                     {{2, 11}, 13.0}});
  for (const Row& row : kDefaultWheel)
    if (row.torch == *torch) return row.cuda;
  return std::nullopt;
}

}  // namespace vastgpu
