#include "sandbox/stand_in_scripts.h"

namespace vastgpu::sandbox::scripts {

const char* const kTorch =
    R"py("""A stand-in: enough of torch for checks and for jobs that only pretend to compute."""
import pickle as _pickle
import random as _random

from . import version
from . import cuda

__version__ = version.__version__


class device:
    def __init__(self, type, index=None):
        name, _, number = str(type).partition(":")
        self.type = name
        self.index = int(number) if number else index

    def __str__(self):
        return self.type if self.index is None else "%s:%d" % (self.type, self.index)


def manual_seed(seed):
    _random.seed(seed)


def save(obj, f, **_):
    if hasattr(f, "write"):
        _pickle.dump(obj, f)
    else:
        with open(f, "wb") as out:
            _pickle.dump(obj, out)


def load(f, *_, **__):
    if hasattr(f, "read"):
        return _pickle.load(f)
    with open(f, "rb") as source:
        return _pickle.load(source)
)py";

const char* const kTorchCuda = R"py(import os as _os

from .version import _facts

_MIB = 1 << 20


class _Properties:
    def __init__(self):
        self.name = _facts["GPU_NAME"]
        self.total_memory = int(_facts["GPU_MIB"]) * _MIB
        self.major, self.minor = get_device_capability()
        self.multi_processor_count = 128


def device_count():
    count = int(_facts["GPU_COUNT"])
    seen = _os.environ.get("CUDA_VISIBLE_DEVICES")
    if seen is None:
        return count
    usable = 0
    for part in seen.split(","):  # as the driver does: nothing after the first bad one
        if not part.strip().isdigit() or int(part) >= count:
            break
        usable += 1
    return usable


def is_available():
    return device_count() > 0


def _check(index):
    index = getattr(index, "index", index)
    if isinstance(index, str):
        index = int(index.partition(":")[2] or 0)
    if not 0 <= (index or 0) < device_count():
        raise RuntimeError("CUDA error: invalid device ordinal")


def get_device_name(index=0):
    _check(index)
    return _facts["GPU_NAME"]


def get_device_capability(index=0):
    major, _, minor = _facts["COMPUTE_CAP"].partition(".")
    return int(major), int(minor)


def get_device_properties(index=0):
    _check(index)
    return _Properties()


def max_memory_allocated(index=0):
    return int(_facts["GPU_MIB"]) * _MIB * 42 // 100 if is_available() else 0


memory_allocated = max_memory_reserved = memory_reserved = max_memory_allocated


def mem_get_info(index=0):
    total = int(_facts["GPU_MIB"]) * _MIB
    return total - 3 * _MIB, total


def is_bf16_supported():
    return get_device_capability()[0] >= 8


def current_device():
    return 0


def manual_seed_all(seed):
    pass


manual_seed = set_device = manual_seed_all


def synchronize(*_):
    pass


empty_cache = reset_peak_memory_stats = synchronize
)py";

const char* const kTorchVersion = R"py(import shlex as _shlex

with open("/opt/fake/lib/facts") as _file:
    _facts = dict(word.split("=", 1) for word in _shlex.split(_file.read()))

__version__ = _facts["TORCH"]
cuda = _facts["CUDA"]
)py";

const char* const kSiteCustomize = R"py(import sys

sys.path.append("/opt/fake/site")
)py";

}  // namespace vastgpu::sandbox::scripts
