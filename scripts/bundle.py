#!/usr/bin/env python3
"""Makes the .mcpb bundle and server.json of a built vast-gpu, and checks both against what their formats ask.

bundle.py PROGRAM OUT VERSION REPOSITORY    PROGRAM: linked with an rpath of $ORIGIN/../lib
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import zipfile

DESCRIPTION = "Rents a GPU on Vast.ai for your task, runs it, brings the results home, ends the bill"
# Never bundled: the loader and what belongs to the C library must be the system's own.
SYSTEM = re.compile(r"^(linux-vdso|ld-linux.*|libc|libm|libdl|libpthread|librt|libresolv|libutil)\.so")


# Loaded by the program itself when first needed, so ldd does not name them.
LOADED_LATER = ["libarchive.so.13"]


def linked(file):
    """name -> path of each shared library that this one needs, the system's own left out."""
    lines = subprocess.run(["ldd", file], check=True, capture_output=True, text=True).stdout.splitlines()
    matches = [re.match(r"\s*(\S+) => (/\S+)", line) for line in lines]
    return {m[1]: m[2] for m in matches if m and not SYSTEM.match(m[1])}


def libraries(program):
    """(name, path) of each shared library that travels along."""
    cache = subprocess.run(["/sbin/ldconfig", "-p"], check=True, capture_output=True, text=True).stdout
    found = linked(program)
    for name in LOADED_LATER:
        path = re.search(r"^\s*%s \(libc6.*\) => (/\S+)" % re.escape(name), cache, re.M)
        if not path:
            sys.exit("bundle.py: %s is not installed" % name)
        found |= {name: path[1]} | linked(path[1])
    return sorted(found.items())


def needed_glibc(files):
    """The newest symbol version of the C library that any of the files asks for."""
    newest = (0, 0)
    for file in files:
        text = subprocess.run(["objdump", "-T", file], check=True, capture_output=True, text=True).stdout
        for major, minor in re.findall(r"GLIBC_(\d+)\.(\d+)", text):
            newest = max(newest, (int(major), int(minor)))
    return "%d.%d" % newest


def licence_of(library):
    """The packager's copyright file of a library; None where the system does not say."""
    for path in (library, os.path.realpath(library), library.removeprefix("/usr"),
                 os.path.realpath(library).removeprefix("/usr")):
        owner = subprocess.run(["dpkg", "-S", path], capture_output=True, text=True).stdout.split(":")[0]
        file = pathlib.Path("/usr/share/doc") / owner / "copyright"
        if owner and file.is_file():
            return owner, file
    return None


def ask(program):
    """Names and titles of tools, from the program itself."""
    lines = [{"jsonrpc": "2.0", "id": 1, "method": "initialize",
              "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                         "clientInfo": {"name": "bundle", "version": "1"}}},
             {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}]
    run = subprocess.run([program, "-q", "serve"], input="".join(json.dumps(l) + "\n" for l in lines),
                         capture_output=True, text=True, timeout=60, check=True)
    answers = {a["id"]: a["result"] for a in map(json.loads, run.stdout.splitlines())}
    return [{"name": t["name"], "description": t["title"]} for t in answers[2]["tools"]]


def manifest(version, tools, glibc, machine):
    return {
        "manifest_version": "0.3",
        "name": "vast-gpu",
        "display_name": "vast-gpu",
        "version": version,
        "description": DESCRIPTION,
        "long_description": "Say what you want to train. The server works out what the task needs, shows three options "
                            "with their total price, rents the one you choose, runs and watches the experiment, brings "
                            "the results home and ends the bill.\n\nFor Linux on %s with glibc %s or newer; every "
                            "other library is inside." % (machine, glibc),
        "author": {"name": "the vast-gpu maintainers"},
        "license": "MIT",
        "keywords": ["gpu", "training", "vast.ai"],
        "server": {
            "type": "binary",
            "entry_point": "bin/vast-gpu",
            "mcp_config": {
                "command": "${__dirname}/bin/vast-gpu",
                "args": ["serve"],
                "env": {"VAST_API_KEY": "${user_config.api_key}", "VAST_GPU_PROJECT": "${user_config.project}"},
            },
        },
        "user_config": {
            "api_key": {"type": "string", "title": "Vast.ai API key",
                        "description": "From cloud.vast.ai, page Keys. Your client keeps it; it is sent to Vast.ai only.",
                        "sensitive": True, "required": True},
            "project": {"type": "directory", "title": "Project folder",
                        "description": "The folder whose code is trained where a call names none.", "required": False},
        },
        "tools": tools,
        "prompts_generated": True,
        "compatibility": {"platforms": ["linux"]},
    }


def server_json(version, repository, file, digest):
    url = "https://github.com/" + repository
    owner, name = repository.split("/")
    return {
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.%s/%s" % (owner, name),
        "title": "vast-gpu",
        "description": DESCRIPTION,
        "version": version,
        "repository": {"url": url, "source": "github"},
        "packages": [{
            "registryType": "mcpb",
            "identifier": "%s/releases/download/v%s/%s" % (url, version, file),
            "fileSha256": digest,
            "transport": {"type": "stdio"},
            "environmentVariables": [
                {"name": "VAST_API_KEY", "description": "Vast.ai API key (cloud.vast.ai, page Keys)",
                 "isRequired": True, "isSecret": True},
                {"name": "VAST_GPU_PROJECT", "description": "Project folder where a call names none",
                 "format": "filepath"},
            ],
        }],
    }


def check_manifest(m):
    """What the bundle's format asks of the fields that we use."""
    assert m["manifest_version"] == "0.3"
    assert set(m) >= {"name", "version", "description", "author", "server"} and m["author"]["name"]
    known = {"manifest_version", "name", "display_name", "version", "description", "long_description", "author",
             "license", "keywords", "server", "user_config", "tools", "prompts_generated", "compatibility"}
    assert set(m) <= known, set(m) - known
    assert m["server"]["type"] == "binary" and m["server"]["entry_point"] == "bin/vast-gpu"
    assert m["server"]["mcp_config"]["command"].startswith("${__dirname}/")
    used = set(re.findall(r"\$\{user_config\.(\w+)\}", json.dumps(m["server"])))
    assert used == set(m["user_config"]), "each setting is used, and each that is used is there"
    for setting in m["user_config"].values():
        assert setting["type"] in {"string", "number", "boolean", "directory", "file"}
        assert setting["title"] and setting["description"]
    assert len(m["tools"]) >= 10 and all(t["name"] and t["description"] for t in m["tools"])


def check_server(s):
    """The registry's schema of 2025-12-11, and what it asks of an mcpb package beyond that."""
    assert re.fullmatch(r"[a-zA-Z0-9.-]+/[a-zA-Z0-9._-]+", s["name"]) and 3 <= len(s["name"]) <= 200
    assert 1 <= len(s["description"]) <= 100 and len(s["title"]) <= 100
    assert re.fullmatch(r"\d+\.\d+\.\d+", s["version"])
    assert set(s["repository"]) == {"url", "source"}
    (package,) = s["packages"]
    assert package["registryType"] == "mcpb" and package["transport"] == {"type": "stdio"}
    assert re.fullmatch(r"[a-f0-9]{64}", package["fileSha256"])
    assert package["identifier"].startswith("https://") and "mcp" in package["identifier"]
    assert "version" not in package
    for variable in package["environmentVariables"]:
        assert variable["name"] and set(variable) <= {"name", "description", "isRequired", "isSecret", "format"}


def main():
    program, out, version, repository = sys.argv[1:]
    out = pathlib.Path(out)
    machine = os.uname().machine
    name = "vast-gpu-mcp-%s-linux-%s.mcpb" % (version, machine)
    folder = out / "bundle"
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("bin", "lib", "licenses"):
        (folder / part).mkdir(parents=True)
    binary = folder / "bin" / "vast-gpu"
    subprocess.run(["strip", "-o", binary, program], check=True)
    for library, path in libraries(program):
        shutil.copy(path, folder / "lib" / library)
        if found := licence_of(path):
            shutil.copy(found[1], folder / "licenses" / found[0])
    shutil.copy(pathlib.Path(__file__).parent.parent / "LICENSE", folder / "licenses" / "vast-gpu")

    files = [binary, *(folder / "lib").iterdir()]
    m = manifest(version, ask(binary), needed_glibc(files), machine)
    check_manifest(m)
    (folder / "manifest.json").write_text(json.dumps(m, indent=2) + "\n")

    bundle = out / name
    bundle.unlink(missing_ok=True)
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as pack:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            # One date for all: equal content gives equal bytes.
            info = zipfile.ZipInfo(str(file.relative_to(folder)), (2026, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if file == binary else 0o100644) << 16
            pack.writestr(info, file.read_bytes())
    s = server_json(version, repository, name, hashlib.sha256(bundle.read_bytes()).hexdigest())
    check_server(s)
    (out / "server.json").write_text(json.dumps(s, indent=2) + "\n")
    shutil.rmtree(folder)
    print("%s: %.1f MB, glibc %s or newer" % (name, bundle.stat().st_size / 1e6, needed_glibc([program])))


if __name__ == "__main__":
    main()
