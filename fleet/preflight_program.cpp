#include "fleet/preflight.h"

namespace vastgpu {

// Says one JSON list a line: kind, severity, file, line, words. Python 3.6 and later. The empty entry of
// sys.path goes first, so that a project's json.py is not what `import json` runs here.
const char* const kPreflightProgram = R"py(import sys
sys.path[:] = [p for p in sys.path if p]
import ast, importlib.util, json, os, re, shlex, subprocess, warnings
warnings.simplefilter("ignore")
mark, command = sys.argv[1:3]
said = set()

def say(kind, severity, file, line, words):
    if len(said) < 30 and (kind, file, words) not in said:
        said.add((kind, file, words))
        print(mark + json.dumps([kind, severity, file, line, words]), flush=True)

LAUNCHERS = {"torchrun", "accelerate", "deepspeed", "horovodrun", "mpirun"}
HARMLESS = {"cd", "export", "set", "ulimit", "echo", "printf", "sleep", "true", ":", "rm", "nvidia-smi", "date",
            "source", ".", "ls", "env", "which", "while", "for", "if", "do", "done", "fi", "then", "test", "["}
NO_PROGRAM = {"echo", "printf", "grep", "cat", "ls", "rm", "which", "test", "[", "kill", "pip", "pip3", "tail"}
DATA_WORDS = ("data", "dataset", "train_file", "valid", "test_file", "eval_file", "input", "corpus", "config",
              "cfg", "resume", "checkpoint", "ckpt", "weights", "vocab", "manifest", "annotation")
OUTPUT_WORDS = ("out", "save", "log", "result", "cache", "work", "export", "dump", "checkpoint_dir", "ckpt_dir",
                "checkpoints", "tensorboard", "name", "type", "split", "key", "column", "format")
EXTENSIONS = (".json", ".jsonl", ".csv", ".tsv", ".txt", ".yaml", ".yml", ".toml", ".pt", ".pth", ".ckpt", ".bin",
              ".npy", ".npz", ".h5", ".hdf5", ".parquet", ".arrow", ".tar", ".zip", ".gz", ".safetensors", ".pkl",
              ".lmdb", ".model", ".cfg", ".ini")

def is_python(word):
    return re.fullmatch(r"(.*/)?python[0-9.]*", word) is not None

def unknown(word):
    return any(c in word for c in "$`*?~")

def simple_commands(text):
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words, redirects, skip = [], False, False
    for word in lexer:
        if set(word) <= set("();<>|&"):
            if ">" in word or "<" in word:
                redirects, skip = True, True
                continue
            if words:
                yield words, redirects
            words, redirects = [], False
        elif skip:
            skip = False
        else:
            words.append(word)
    if words:
        yield words, redirects

class Source:
    """The imports of one file and of the local files that it imports."""

    def __init__(self, script, roots, softly):
        self.roots, self.seen, self.softly = roots, set(), softly
        self.text = ""
        self.read(script, os.path.relpath(script))

    def read(self, path, shown, optional=False):
        path = os.path.realpath(path)
        if path in self.seen or len(self.seen) > 300:
            return
        self.seen.add(path)
        try:
            with open(path, "rb") as f:
                raw = f.read(2000000)
            tree = compile(raw, path, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
            compile(raw, path, "exec", dont_inherit=True)
        except SyntaxError as e:
            return say("syntax_error", "warning" if optional else "bad", shown, e.lineno or 0, str(e.msg))
        except (OSError, ValueError, RecursionError, MemoryError) as e:
            return say("not_checked", "info", shown, 0, str(e))
        text = raw.decode("utf-8", "replace")
        self.text += text
        if "sys.path" in text or "site.addsitedir" in text:
            self.softly = self.softly or shown + " changes sys.path"
        self.body(tree.body, path, shown, optional)

    def body(self, nodes, path, shown, optional):
        for node in nodes:
            if isinstance(node, ast.Import):
                for name in node.names:
                    self.absolute(name.name, [], node.lineno, shown, optional)
            elif isinstance(node, ast.ImportFrom):
                names = [n.name for n in node.names]
                if node.level:
                    folder = os.path.dirname(path)
                    for _ in range(node.level - 1):
                        folder = os.path.dirname(folder)
                    self.local(folder, (node.module or "").split(".") if node.module else [], names, node.lineno,
                               shown, optional)
                else:
                    self.absolute(node.module, names, node.lineno, shown, optional)
            elif isinstance(node, ast.If):
                if "TYPE_CHECKING" in ast.dump(node.test):
                    continue
                main = "__main__" in ast.dump(node.test)
                self.body(node.body, path, shown, optional or not main)
                self.body(node.orelse, path, shown, True)
            elif isinstance(node, ast.Try):
                self.body(node.body, path, shown, optional or bool(node.handlers))
                for handler in node.handlers:
                    self.body(handler.body, path, shown, True)
                self.body(node.orelse, path, shown, True)
                self.body(node.finalbody, path, shown, optional)
            elif isinstance(node, ast.With):
                self.body(node.body, path, shown, optional)

    def missing(self, name, line, shown, optional):
        if optional:
            return
        if self.softly:
            say("missing_import", "warning", shown, line, "no module named %s (%s)" % (name, self.softly))
        else:
            say("missing_import", "bad", shown, line, "no module named " + name)

    def absolute(self, module, names, line, shown, optional):
        parts = (module or "").split(".")
        if parts[0] in sys.builtin_module_names or parts[0] in getattr(sys, "stdlib_module_names", ()):
            return
        for root in self.roots:
            if os.path.isfile(os.path.join(root, parts[0] + ".py")) or os.path.isfile(
                    os.path.join(root, parts[0], "__init__.py")):
                return self.local(root, parts, names, line, shown, optional)
        try:
            found = importlib.util.find_spec(parts[0]) is not None
        except (ImportError, ValueError, AttributeError):
            found = True
        if found:
            return
        for root in self.roots:  # a package without __init__.py comes after everything that is installed
            if os.path.isdir(os.path.join(root, parts[0])):
                return self.local(root, parts, names, line, shown, optional)
        self.missing(parts[0], line, shown, optional)

    def local(self, folder, parts, names, line, shown, optional):
        at = folder
        for i, part in enumerate(parts):
            if os.path.isfile(os.path.join(at, part, "__init__.py")):
                at = os.path.join(at, part)
                self.read(os.path.join(at, "__init__.py"), os.path.relpath(os.path.join(at, "__init__.py")), optional)
            elif os.path.isfile(os.path.join(at, part + ".py")):
                file = os.path.join(at, part + ".py")
                self.read(file, os.path.relpath(file), optional)
                return
            elif os.path.isdir(os.path.join(at, part)):
                at = os.path.join(at, part)
            else:
                try:  # an extension, compiled
                    built = any(f.startswith(part + ".") for f in os.listdir(at))
                except OSError:
                    built = True
                if not built:
                    self.missing(".".join(parts[:i + 1]), line, shown, optional)
                return
        for name in names:
            for file in (os.path.join(at, name + ".py"), os.path.join(at, name, "__init__.py")):
                if os.path.isfile(file):
                    self.read(file, os.path.relpath(file), optional)

def check_data(arguments, cwd, severity, source):
    option, positional = "", 0
    for word in arguments:
        if word.startswith("--") or re.match(r"-[a-zA-Z]", word):
            name, equals, value = word.partition("=")
            option = name.lstrip("-").lower().replace("-", "_")
            if not equals:
                continue
        elif option:
            value = word
        else:
            positional += 1
            if positional == 1 and word.endswith((".yaml", ".yml", ".toml", ".cfg")):
                option, value = "config", word
            else:
                continue
        name, option = option, ""
        if unknown(value) or "://" in value or not value:
            continue
        if not any(w in name for w in DATA_WORDS) or any(w in name for w in OUTPUT_WORDS):
            continue
        is_path = value.startswith(("/", "./", "../")) or value.endswith(EXTENSIONS) or (
            "/" in value and (name.endswith(("_dir", "_path", "_file", "_folder", "_root")) or
                              value.split("/")[0] in ("data", "datasets", "configs", "config")))
        if not is_path or os.path.exists(os.path.join(cwd, value)):
            continue
        makes = "download" in source or "makedirs" in source
        say("missing_data", "warning" if makes else severity, value, 0,
            "--%s names %s, which is not on the machine%s" % (name, value, "; the script may make it" if makes else ""))

def check_python(words, i, cwd, path, made):
    severity = "warning" if made else "bad"
    module, launcher = None, not is_python(words[i])
    if launcher:
        i += 1
    else:
        i += 1
        while i < len(words) and words[i].startswith("-") and words[i] != "-m":
            if words[i] == "-c":
                return
            i += 2 if words[i] in ("-W", "-X") else 1
        if i + 1 < len(words) and words[i] == "-m":
            module = words[i + 1]
            i += 2
            if module.split(".")[0] == "torch" or module in ("accelerate.commands.launch", "deepspeed.launcher.runner"):
                launcher, module = True, None
    if launcher:
        for k in range(i, len(words)):
            n = re.fullmatch(r"--(nproc[_-]per[_-]node|num_processes|num_gpus)(=(\d+))?", words[k])
            if n:
                count = n.group(3) or (words[k + 1] if k + 1 < len(words) else "")
                if count.isdigit():
                    print(mark + json.dumps(["processes", "info", "", int(count), ""]), flush=True)
            if words[k].endswith(".py"):
                i = k
                break
            if words[k] in ("-m", "--module") and k + 1 < len(words):
                module, i = words[k + 1], k + 2
                break
        else:
            return
    if module is None:
        if i >= len(words) or unknown(words[i]):
            return
        script, arguments = words[i], words[i + 1:]
        full = os.path.join(cwd, script)
        if os.path.isdir(full):
            full = os.path.join(full, "__main__.py")
        if not os.path.isfile(full):
            return say("missing_file", severity, script, 0, "is not on the machine: was it sent (setup), and from there?")
        root = os.path.dirname(os.path.realpath(full))
    else:
        arguments, root = words[i:], cwd
        parts = module.split(".")
        tries = [os.path.join(cwd, *parts) + ".py", os.path.join(cwd, *parts, "__main__.py")]
        full = next((t for t in tries if os.path.isfile(t)), None)
        if full is None:
            try:
                found = importlib.util.find_spec(parts[0]) is not None or os.path.isdir(os.path.join(cwd, parts[0]))
            except (ImportError, ValueError, AttributeError):
                found = True
            here_only = os.path.isfile(os.path.join(cwd, parts[0], "__init__.py")) and len(parts) > 1
            if here_only and not os.path.isdir(os.path.join(cwd, *parts)):
                say("missing_import", severity, module, 0, "no such module in " + parts[0])
            elif not found:
                say("missing_import", severity, module, 0, "no module named " + parts[0])
            return
    source = Source(full, [root] + [os.path.join(cwd, p) for p in path], "the command prepares things before" if made else "")
    check_data(arguments, cwd, severity, source.text)

def main():
    cwd, path, made = os.getcwd(), [p for p in os.environ.get("PYTHONPATH", "").split(":") if p], False
    try:
        commands = list(simple_commands(command))
    except ValueError as e:
        return say("not_checked", "info", "", 0, "the command cannot be taken apart: " + str(e))
    for words, redirects in commands:
        here = list(path)
        for word in words:
            if word.startswith("PYTHONPATH="):
                here += [p for p in word[len("PYTHONPATH="):].split(":") if p and not unknown(p)]
        if words[0] == "export":
            path = here
        if words[0] == "cd" and len(words) > 1:
            if unknown(words[1]):
                return
            cwd = os.path.normpath(os.path.join(cwd, words[1]))
            if not os.path.isdir(cwd) and not made:
                return say("missing_file", "bad", words[1], 0, "is no folder on the machine")
            continue
        at = next((i for i, w in enumerate(words) if is_python(w) or w.rsplit("/", 1)[-1] in LAUNCHERS), None)
        shell = next((i for i, w in enumerate(words[:4]) if w in ("bash", "sh")), None)
        if words[0] in NO_PROGRAM:
            pass
        elif at is not None:
            check_python(words, at, cwd, here, made)
        elif shell is not None or words[0].endswith(".sh"):
            rest = words[shell + 1:] if shell is not None else words
            file = next((w for w in rest if not w.startswith("-")), None)
            if file and "-c" not in rest[:2] and not unknown(file) and (file.endswith(".sh") or "/" in file):
                full = os.path.join(cwd, file)
                if not os.path.isfile(full):
                    say("missing_file", "warning" if made else "bad", file, 0, "is not on the machine: was it sent (setup)?")
                else:
                    bad = subprocess.run(["bash", "-n", full], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                    if bad.returncode:
                        error = bad.stderr.decode("utf-8", "replace").split("\n")[0]
                        line = re.search(r"line (\d+)", error)
                        say("syntax_error", "bad", file, int(line.group(1)) if line else 0, error[-200:])
        first = words[0].rsplit("/", 1)[-1]
        made = made or redirects or not (first in HARMLESS or "=" in first)

main()
print(mark + json.dumps(["done", "info", "", 0, ""]), flush=True)
)py";

}  // namespace vastgpu
