#pragma once
// Published models: parameters, shapes, cost of one sample. Constant; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

enum class Family {
  language,         ///< decoder-only transformers
  encoder,          ///< BERT and its kin
  seq2seq,          ///< T5, BART
  vision_language,  ///< a language model that sees
  speech,
  vision,  ///< classifiers and backbones
  detection,
  segmentation,
  diffusion,
  other,
};
const char* to_string(Family f);

/// Shape of a transformer; 0 where it does not apply or is not known.
struct Geometry {
  int layers = 0;
  double hidden = 0;
  double heads = 0, kv_heads = 0, head_dim = 0;
  double ffn = 0;      ///< width of one feed-forward matrix
  double vocab = 0;    ///< entries of the embedding
  bool gated = false;  ///< three feed-forward matrices instead of two
};

struct ModelCard {
  std::string id;
  Family family = Family::other;
  double params_b = 0;           ///< of the trained network, billions
  double active_params_b = 0;    ///< that one token uses; equal to params_b except in mixtures of experts
  double pipeline_params_b = 0;  ///< diffusion: with text encoders and VAE
  double vision_params_b = 0;
  Geometry shape;
  double img_size = 0;       ///< pixels at which the next three hold
  double fwd_gflops = 0;     ///< of one sample, 2 per multiply-add
  double activations_m = 0;  ///< millions of saved values of one sample
  double samples_per_s = 0;  ///< training with AMP on one RTX 3090
  int published_bits = 0;    ///< of its weights, where that is not 16
  double checkpoint_gb = 0;  ///< weights of all that is downloaded, as published
};

/// The card that a name stands for, e.g. "meta-llama/Llama-2-7b-chat-hf" or "ResNet 50"; nullptr when none.
/// Looks at the first 120 bytes.
const ModelCard* find_card(std::string_view name);

struct CardMention {
  const ModelCard* card;
  std::size_t at, end;  ///< in the text given
};
/// Every card named in a text of up to 4,000 bytes, in order; of overlapping names the longest.
std::vector<CardMention> find_cards(std::string_view text);

/// A shape that models of so many parameters usually have.
Geometry usual_shape(double params_b, Family family);

}  // namespace vastgpu
