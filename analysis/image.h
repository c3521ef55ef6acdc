#pragma once
// What a Docker image demands from the machine: its CUDA from the driver, its torch from the card. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

inline constexpr std::string_view kDefaultImage = "pytorch/pytorch:2.1.0-cuda12.1-cudnn8-devel";

/// For cards that the default cannot drive (Blackwell needs torch 2.7 and CUDA 12.8).
inline constexpr std::string_view kNewerImage = "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-devel";
inline constexpr double kNewerImageCuda = 12.8;

/// A plausible image name: no blanks, no credentials, at most 255 bytes.
bool is_image_name(std::string_view name);

struct ImageNeeds {
  std::optional<std::string> torch;  ///< "2.1": text, since 2.10 is newer than 2.9
  std::optional<double>
      cuda;  ///< the driver must offer at least this; no minor-version compatibility is assumed
  int min_compute_cap = 0;
  int max_compute_cap = 0;  ///< 0: no limit known
  std::vector<std::string> warnings;
};

/// From the tag: "pytorch/pytorch:2.4.0-cuda12.4-cudnn9-devel", "nvidia/cuda:12.4.1-runtime-ubuntu22.04".
ImageNeeds read_image(std::string_view image);

/// CUDA of the wheel that pip installs for this torch version ("2.4.0", "2.4.0+cu124"); nullopt when unknown.
/// @source pytorch RELEASE.md compatibility matrix
std::optional<double> cuda_of_torch(std::string_view version);

}  // namespace vastgpu
