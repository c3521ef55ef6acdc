#pragma once
// Nodes of the syntax tree as expressions. Pure; any thread.

#include <string>

#include "analysis/python_module.h"
#include "analysis/python_tree.h"

namespace vastgpu {

/// An expression; unknown where it is too deep, too long or of a kind that no setting is written with.
PyExpr expression_of(const PyTree& tree, TSNode node, int depth = 0);

/// "a.b.c" for names, attributes and subscripts with a text key; empty for anything else. Calls in between
/// are left out: "model.to" for `build().model.to`.
std::string dotted_name(const PyTree& tree, TSNode node);

/// The text of a string without its quotes; nullopt with interpolations.
std::optional<std::string> text_of(const PyTree& tree, TSNode node);

}  // namespace vastgpu
