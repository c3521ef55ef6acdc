#pragma once
// A Python file as far as an analysis needs it: what is bound to which name, what is called with which
// arguments, what is imported. Parsed, not searched: comments, docstrings and `if False:` are not part of it.
// Pure; any thread.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace vastgpu {

/// An expression, cut where it nests deeper than anybody writes by hand.
struct PyExpr {
  enum class Kind {
    unknown,
    number,
    text,
    boolean,
    none,
    name,    ///< dotted: `args.batch_size`, also `cfg["train"]["bs"]` as "cfg.train.bs"
    binary,  ///< `text` holds the operator, `parts` both sides
    list,    ///< also tuples and sets
    dict,    ///< `keys` holds the text keys
    call,    ///< `text` holds the callee, `parts` the arguments, `keys` their keywords ("" for none); `not
             ///< x` is a call of "not"
    conditional,  ///< `a if test else b`: parts a, test, b; also `a or b`
  };
  Kind kind = Kind::unknown;
  double number = 0;
  std::string text;
  std::vector<PyExpr> parts;
  std::vector<std::string> keys;
  int line = 0;

  bool is(Kind k) const { return kind == k; }
  /// An argument of a call by keyword; nullptr when it is not given.
  const PyExpr* argument(std::string_view keyword) const;
  /// The n-th argument without a keyword.
  const PyExpr* positional(std::size_t n) const;
  /// The last part of a dotted name or callee: "from_pretrained".
  std::string_view last_name() const;
};

/// One arm of an `if`: two things in different arms of one `if` never run together.
struct PyArm {
  int branch = 0;
  int arm = 0;
};

struct PyBinding {
  enum class Kind { assignment, field, parameter };
  std::string name;  ///< "BATCH", "args.lr", "Config.batch_size" for a field
  PyExpr value;      ///< unknown where the name is changed in place
  int line = 0;
  int scope = 0;  ///< index into `scopes`
  Kind kind = Kind::assignment;
  bool in_branch = false;  ///< inside an `if`, a loop or a `try`
};

struct PyCall {
  PyExpr call;
  int scope = 0;
  std::string assigned_to;  ///< "teacher" in `teacher = load(...)`; empty otherwise
  std::vector<PyArm> arms;
  std::vector<PyExpr> conditions;  ///< of the `if` arms it stands in; `not x` for what an `else` is behind
};

/// The module (index 0), a class or a function.
struct PyScope {
  std::string name;
  int parent = -1;
  bool is_class = false;
  bool decorated = false;
  std::set<std::string, std::less<>> mentions;  ///< names used in it, and short texts that could be names
};

struct PyImport {
  std::string module;              ///< "nets.body", ".body"
  std::vector<std::string> names;  ///< of `from module import names`
};

struct PyComment {
  std::string text;
  int line = 0;
};

struct PyModule {
  std::string path;
  std::vector<PyScope> scopes;
  std::vector<PyBinding> bindings;
  std::vector<PyCall> calls;
  std::vector<PyImport> imports;
  std::vector<PyComment> comments;  ///< those that hold a digit and speak of memory
  bool has_main = false;            ///< `if __name__ == "__main__":`

  std::string at(int line) const { return path + ":" + std::to_string(line); }
};

/// nullopt, with the reason in `why_not`, for text that no interpreter would take: brackets nested hundreds
/// deep. Elsewhere mistakes cost no more than the statement they stand in.
std::optional<PyModule> parse_python(std::string_view text, std::string path, std::string& why_not);

}  // namespace vastgpu
