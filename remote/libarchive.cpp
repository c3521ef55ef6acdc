#include "remote/libarchive.h"

#include <dlfcn.h>

#include "core/text.h"

namespace vastgpu {
namespace {

struct Loaded {
  LibArchive functions = {};
  std::string missing = {};  ///< empty: all there

  Loaded() {
    // Never closed: a library that was once in use may have left threads' data behind.
    void* const handle = ::dlopen(VASTGPU_LIBARCHIVE, RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      const char* const why = ::dlerror();
      missing = why == nullptr ? VASTGPU_LIBARCHIVE : clean_line(why);
      return;
    }
#define VASTGPU_FIND(name)                                                             \
  functions.name = reinterpret_cast<decltype(functions.name)>(::dlsym(handle, #name)); \
  if (functions.name == nullptr) missing = #name;
    VASTGPU_ARCHIVE_FUNCTIONS(VASTGPU_FIND)
#undef VASTGPU_FIND
  }
};

const Loaded& loaded() {
  static const Loaded once;
  return once;
}

}  // namespace

Result<void> load_libarchive() {
  if (loaded().missing.empty()) return {};
  return fail(
      {.code = Code::unavailable,
       .what = "libarchive cannot be loaded: " + loaded().missing,
       .next_step = text("install the package that holds ", VASTGPU_LIBARCHIVE, " (Debian: libarchive13)")});
}

const LibArchive& lib() { return loaded().functions; }

}  // namespace vastgpu
