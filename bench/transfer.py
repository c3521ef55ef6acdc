#!/usr/bin/env python3
"""Our SSH beside ssh, scp and rsync, each pair in the same run on the same link.

    bench/transfer.py [--full | --ci] [--only NAME,...] [--runs N] [--programs FOLDER] [--json FILE]

Without --full everything is small: a few minutes. --full takes about half an hour and is what docs/performance.md
shows. --ci is for the test suite: smaller still, on a busy machine and a debug build, so each bar of speed is
multiplied by 0.5; it guards against losing a round trip or the way through a cut link, not against a few per cent. Needs root, /dev/net/tun, iproute2, OpenSSH and rsync; without them it says so and ends with 77.
The far link is 80 ms round trip at 200 Mbit/s with a queue of 2 MiB (bench/far_link.cpp); the lossy one drops 1 %.
"""
import argparse, json, os, random, shutil, signal, socket, statistics, subprocess, sys, tempfile, threading, time
from pathlib import Path

HERE = Path(__file__).resolve().parent
SPACES = (f"vgA{os.getpid()}", f"vgB{os.getpid()}")
FAR_HOST, FAR_PORT = "10.87.0.2", 2222


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def check_machine():
    if os.geteuid() != 0:
        skip("network namespaces need root")
    if not os.path.exists("/dev/net/tun"):
        skip("there is no /dev/net/tun")
    for program in ("ip", "ssh", "scp", "rsync", "ssh-keygen", "/usr/sbin/sshd"):
        if shutil.which(program) is None:
            skip(f"{program} is not installed")


class Link:
    """A far link, or loopback when there is no rtt; with a real OpenSSH server at its end."""

    def __init__(self, bench, loss_ppm=0, far=True):
        self.bench, self.far = bench, far
        self.host, self.port = (FAR_HOST, FAR_PORT) if far else ("127.0.0.1", free_port())
        self.link = self.server = None
        self.loss_ppm = loss_ppm

    def __enter__(self):
        if self.far:
            self.link = subprocess.Popen([self.bench.programs / "bench_far_link", *SPACES, "--delay-ms", "40", "--mbit",
                                          "200", "--queue-kb", "2048", "--loss-ppm", str(self.loss_ppm)],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if self.link.stdout.readline().strip() != "ready":
                skip("the far link cannot be made here")
        config = self.bench.folder / f"sshd_{self.port}"
        config.write_text(f"ListenAddress {self.host}\nPort {self.port}\nHostKey {self.bench.folder}/host_key\n"
                          f"AuthorizedKeysFile {self.bench.folder}/authorized\nUsePAM no\nStrictModes no\nPidFile none\n"
                          "UseDNS no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
                          "MaxStartups 200:30:400\nMaxSessions 100\nSubsystem sftp internal-sftp\n"
                          f"SetEnv HOME={self.bench.folder}\n")
        os.makedirs("/run/sshd", exist_ok=True)
        self.server = subprocess.Popen(self.there(["/usr/sbin/sshd", "-D", "-e", "-f", str(config)]),
                                       stderr=open(self.bench.folder / "sshd.log", "a"))
        for _ in range(200):
            if subprocess.run(self.here(["ssh", *self.bench.ssh_options(self), self.host, "true"]),
                              capture_output=True).returncode == 0:
                return self
            time.sleep(0.05)
        sys.exit("sshd does not answer")

    def __exit__(self, *_):
        self.server.kill()
        self.server.wait()
        if self.link:
            self.link.stdin.close()
            self.link.wait()

    def here(self, command):
        return ["ip", "netns", "exec", SPACES[0], *command] if self.far else command

    def there(self, command):
        return ["ip", "netns", "exec", SPACES[1], *command] if self.far else command

    def cut(self):
        """Ends every connection at the server's side."""
        for child in subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.server.pid)], capture_output=True,
                                    text=True).stdout.split():
            family = [int(child)]
            for pid in family:
                family += [int(p) for p in subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True,
                                                          text=True).stdout.split()]
            # The connection's own processes only: what they started notices by itself, as on a machine.
            for pid in family:
                try:
                    if "sshd" in Path(f"/proc/{pid}/comm").read_text():
                        os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass

    def bytes_arrived(self, space):
        """What the link delivered there: what TCP sends again for a full queue is not counted, what we send again is."""
        text = subprocess.run(["ip", "-n", SPACES[space], "-j", "-s", "link", "show", "far0"], capture_output=True,
                              text=True).stdout
        return json.loads(text)[0]["stats64"]["rx"]["bytes"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def raw_tcp(link, size):
    """Bytes per second of one plain TCP connection from there to here: what the link gives at best."""
    script = ("import socket\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
              f"s.bind(('{FAR_HOST}',5001))\ns.listen(1)\nprint('up',flush=True)\nc,_=s.accept()\n"
              f"d=b'x'*(1<<20)\nfor _ in range({size >> 20}): c.sendall(d)\nc.close()\n")
    server = subprocess.Popen(link.there([sys.executable, "-c", script]), stdout=subprocess.PIPE)
    server.stdout.readline()
    reader = ("import socket,time\nc=socket.create_connection(('%s',5001))\nn=0\nt=time.time()\nfirst=None\n"
              "while True:\n  d=c.recv(1<<18)\n  if not d: break\n  n+=len(d)\n"
              "print(n/(time.time()-t))\n") % FAR_HOST
    rate = float(subprocess.run(link.here([sys.executable, "-c", reader]), capture_output=True, text=True).stdout)
    server.wait()
    return rate


class Bench:
    def __init__(self, arguments):
        self.full, self.ci, self.programs, self.runs = arguments.full, arguments.ci, Path(arguments.programs), arguments.runs
        self.share = 0.5 if self.ci else 1.0  # of each bar
        self.folder = Path(tempfile.mkdtemp(prefix="vg-transfer-", dir=arguments.folder))
        self.rows = []
        for key in ("host_key", "id"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.folder / key], check=True)
        ours = subprocess.run([self.programs / "bench_transfer", self.folder / "ours", "key"], capture_output=True,
                              text=True, check=True).stdout
        (self.folder / "authorized").write_text((self.folder / "id.pub").read_text() + ours)
        seen = subprocess.run(["ssh-keygen", "-l", "-E", "sha256", "-f", self.folder / "host_key.pub"],
                              capture_output=True, text=True, check=True).stdout
        self.fingerprint = seen.split()[1]

    def ssh_options(self, link, port="-p"):
        return ["-q", "-F", "none", "-i", str(self.folder / "id"), port, str(link.port), "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]

    def ours(self, link, words, open_session=False):
        command = [self.programs / "bench_transfer", self.folder / "ours", link.host, str(link.port), self.fingerprint]
        command += (["--open"] if open_session else []) + [str(w) for w in words]
        done = subprocess.run(link.here([str(c) for c in command]), capture_output=True, text=True)
        answer = json.loads(done.stdout or "{}")
        if done.returncode != 0 or "error" in answer:
            sys.exit(f"{words}: {answer} {done.stderr[-500:]}")
        return answer

    def time(self, link, command):
        began = time.time()
        done = subprocess.run(link.here([str(c) for c in command]), capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{command}: {done.stderr[-500:]}")
        return time.time() - began

    def rsync(self, link, flags, source, target):
        shell = "ssh " + " ".join(self.ssh_options(link))
        return self.time(link, ["rsync", *flags, "-e", shell, source, target])

    def scp(self, link, source, target):
        return self.time(link, ["scp", *self.ssh_options(link, "-P"), source, target])

    def at(self, link, path):
        return f"{link.host}:{path}"

    def row(self, name, figure, bar, met, detail):
        self.rows.append({"what": name, "figure": figure, "bar": bar, "met": met, "detail": detail})
        print(f"{'ok  ' if met else 'MISS'} {name}: {figure} (bar {bar}); {detail}", flush=True)

    def ratio(self, name, theirs, ours, bar, detail):
        value = statistics.median(theirs) / statistics.median(ours)
        bar *= self.share
        self.row(name, f"{value:.2f} x", f">= {bar} x", value >= bar,
                 f"{detail}: {statistics.median(theirs):.2f} s, ours {statistics.median(ours):.2f} s")

    def memory(self, name, peaks):
        self.row(f"{name}: resident memory", f"{max(peaks):.1f} MB", "<= 64 MB", max(peaks) <= 64, "peak of our process")


def small_tree(folder, files, total):
    """Pieces of this project's own sources, in nested folders."""
    chance = random.Random(7)
    root = HERE.parent
    text = b"".join(p.read_bytes() for part in ("core", "analysis", "market", "remote", "state", "fleet", "tools", "server", "sandbox")
                    for p in sorted((root / part).glob("*.[ch]*")))
    shutil.rmtree(folder, ignore_errors=True)
    for n in range(files):
        at = folder / f"pkg{n % 40}" / f"part{n % 7}" / f"module_{n}.py"
        at.parent.mkdir(parents=True, exist_ok=True)
        size = int(total / files * chance.uniform(0.3, 1.7))
        start = chance.randrange(len(text) - size)
        at.write_bytes(text[start:start + size])


def big_file(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as f:
        for _ in range(size >> 20):
            f.write(os.urandom(1 << 20))


def same(a, b):
    return subprocess.run(["cmp", "-s", a, b]).returncode == 0


def fresh(path):
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(f"{path}.notes", ignore_errors=True)
    return path


def commands(bench):
    with Link(bench) as link:
        count = 20 if bench.full else 6
        answer = bench.ours(link, ["exec", count])
        each = statistics.median(answer["commands"])
        new = statistics.median(bench.time(link, ["ssh", *bench.ssh_options(link), link.host, "true"]) for _ in range(5))
        bench.row("a command on an open session", f"{each / 0.08:.2f} round trips", f"<= {1.1 / bench.share} round trips", each / 0.08 <= 1.1 / bench.share,
                  f"{each * 1000:.0f} ms; ssh with a new connection {new / 0.08:.1f} round trips; our connecting "
                  f"{answer['seconds'] / 0.08:.1f}")


def small(bench):
    files, total = (2000, 30_000_000) if bench.full else (2000, 30_000_000)
    tree, there, home = bench.folder / "tree", bench.folder / "there", bench.folder / "home"
    small_tree(tree, files, total)
    with Link(bench) as link:
        theirs, ours, ours_open, peaks = [], [], [], []
        theirs_same, ours_same, ours_same_open = [], [], []
        for _ in range(bench.runs):
            theirs.append(bench.rsync(link, ["-az"], f"{tree}/", bench.at(link, fresh(there))))
            theirs_same.append(bench.rsync(link, ["-az"], f"{tree}/", bench.at(link, there)))
            for open_session, cold, again in ((False, ours, ours_same), (True, ours_open, ours_same_open)):
                fresh(there)
                for times in (cold, again):
                    answer = bench.ours(link, ["up", tree, there], open_session)
                    times.append(answer["seconds"])
                    peaks.append(answer["rss_mb"])
        name = f"{files} small files up"
        bench.ratio(f"{name}, cold, with connecting", theirs, ours, 1.4, "rsync -az")
        bench.ratio(f"{name}, cold, open session", theirs, ours_open, 2.0, "rsync -az")
        bench.ratio(f"{name}, unchanged, with connecting", theirs_same, ours_same, 1.7, "rsync -az")
        bench.ratio(f"{name}, unchanged, open session", theirs_same, ours_same_open, 8.0, "rsync -az")
        trips = statistics.median(ours_same_open) / 0.08
        bench.row(f"{name}, unchanged, open session", f"{trips:.2f} round trips", f"<= {2 / bench.share} round trips",
                  trips <= 2.25 / bench.share,
                  "0.25 for the work of both ends")
        if bench.ci:
            return
        theirs, ours, ours_open, theirs_same, ours_same, ours_same_open = [], [], [], [], [], []
        for _ in range(bench.runs):
            theirs.append(bench.rsync(link, ["-az"], bench.at(link, f"{tree}/"), f"{fresh(home)}/"))
            theirs_same.append(bench.rsync(link, ["-az"], bench.at(link, f"{tree}/"), f"{home}/"))
            for open_session, cold, again in ((False, ours, ours_same), (True, ours_open, ours_same_open)):
                fresh(home)
                for times in (cold, again):
                    answer = bench.ours(link, ["down", tree, home], open_session)
                    times.append(answer["seconds"])
                    peaks.append(answer["rss_mb"])
        name = f"{files} small files down"
        bench.ratio(f"{name}, cold, with connecting", theirs, ours, 1.0, "rsync -az, which hashes nothing")
        bench.ratio(f"{name}, cold, open session", theirs, ours_open, 1.0, "rsync -az")
        bench.ratio(f"{name}, unchanged, with connecting", theirs_same, ours_same, 1.0, "rsync -az")
        bench.ratio(f"{name}, unchanged, open session", theirs_same, ours_same_open, 1.0, "rsync -az")
        bench.memory("small files", peaks)


def big(bench):
    size = (2 << 30) if bench.full else (96 << 20)
    source, there, home = bench.folder / "big", bench.folder / "there", bench.folder / "home"
    big_file(source / "big.bin", size)
    with Link(bench) as link:
        rate = statistics.median(raw_tcp(link, (1 << 30) if bench.full else (96 << 20)) for _ in range(1 if bench.full else 2))
        peaks = []
        for way, words in (("up", ["up", source, there]), ("down", ["down", source, home])):
            target = fresh(words[2])
            answer = bench.ours(link, words, True)
            if not same(source / "big.bin", target / "big.bin"):
                sys.exit(f"{way}: the file is not what was sent")
            peaks.append(answer["rss_mb"])
            share = size / answer["seconds"] / rate
            fresh(target).mkdir()
            other = bench.scp(link, *([source / "big.bin", bench.at(link, target / "big.bin")] if way == "up" else
                                      [bench.at(link, source / "big.bin"), target / "big.bin"]))
            fresh(target).mkdir()
            synced = bench.rsync(link, ["-a"], *([source / "big.bin", bench.at(link, f"{target}/")] if way == "up" else
                                                 [bench.at(link, source / "big.bin"), f"{target}/"]))
            bench.row(f"{size >> 20} MiB {way}, far link", f"{100 * share:.1f} % of the link", ">= 95 %", share >= 0.95,
                      f"link {rate / 1e6:.1f} MB/s, ours {size / answer['seconds'] / 1e6:.1f}, scp {size / other / 1e6:.1f}, "
                      f"rsync {size / synced / 1e6:.1f}")
        bench.memory("big file", peaks)


def lossy(bench):
    size = (256 << 20) if bench.full else (24 << 20)
    source, there, home = bench.folder / "big", bench.folder / "there", bench.folder / "home"
    big_file(source / "big.bin", size)
    with Link(bench, loss_ppm=10_000) as link:
        for way, words in (("up", ["up", source, there]), ("down", ["down", source, home])):
            target = fresh(words[2])
            answer = bench.ours(link, words, True)
            if not same(source / "big.bin", target / "big.bin"):
                sys.exit(f"{way}: the file is not what was sent")
            fresh(target).mkdir()
            other = bench.scp(link, *([source / "big.bin", bench.at(link, target / "big.bin")] if way == "up" else
                                      [bench.at(link, source / "big.bin"), target / "big.bin"]))
            fresh(target).mkdir()
            synced = bench.rsync(link, ["-a"], *([source / "big.bin", bench.at(link, f"{target}/")] if way == "up" else
                                                 [bench.at(link, source / "big.bin"), f"{target}/"]))
            bench.ratio(f"{size >> 20} MiB {way}, 1 % loss", [other], [answer["seconds"]], 1.2, "scp")
            bench.ratio(f"{size >> 20} MiB {way}, 1 % loss", [synced], [answer["seconds"]], 1.2, "rsync")
            bench.memory(f"{way}, 1 % loss", [answer["rss_mb"]])


def loopback(bench):
    size = (2 << 30) if bench.full else (256 << 20)
    source, there, home = bench.folder / "big", bench.folder / "there", bench.folder / "home"
    big_file(source / "big.bin", size)
    with Link(bench, far=False) as link:
        for way, words in (("up", ["up", source, there]), ("down", ["down", source, home])):
            theirs, ours, peaks = [], [], []
            for _ in range(bench.runs):
                target = fresh(words[2])
                answer = bench.ours(link, words)
                if not same(source / "big.bin", target / "big.bin"):
                    sys.exit(f"{way}: the file is not what was sent")
                ours.append(answer["seconds"])
                peaks.append(answer["rss_mb"])
                fresh(target).mkdir()
                theirs.append(bench.scp(link, *([source / "big.bin", bench.at(link, target / "big.bin")] if way == "up" else
                                                [bench.at(link, source / "big.bin"), target / "big.bin"])))
            bench.ratio(f"{size >> 20} MiB {way}, loopback", theirs, ours, 0.6, "scp")
            bench.memory(f"{way}, loopback", peaks)


def cuts(bench):
    size, every = ((2 << 30), 20) if bench.full else ((128 << 20), 3) if bench.ci else ((128 << 20), 2)
    source, there, home = bench.folder / "big", bench.folder / "there", bench.folder / "home"
    big_file(source / "big.bin", size)
    with Link(bench) as link:
        for way, words, space in (("up", ["up", source, there], 1), ("down", ["down", source, home], 0)):
            sent, times = {}, {}
            for cutting in (False, True):
                target = fresh(words[2])
                stop, count = threading.Event(), 0

                def cutter():
                    nonlocal count
                    while not stop.wait(every):
                        link.cut()
                        count += 1

                before = link.bytes_arrived(space)
                thread = threading.Thread(target=cutter)
                if cutting:
                    thread.start()
                answer = bench.ours(link, words)
                if cutting:
                    stop.set()
                    thread.join()
                sent[cutting], times[cutting] = link.bytes_arrived(space) - before, answer["seconds"]
                if not same(source / "big.bin", target / "big.bin"):
                    sys.exit(f"{way}: the file is not what was sent")
            extra = (sent[True] - sent[False]) / size
            # 2 % of 2 GiB in the four or five cuts of a full run: so much for each cut where files are smaller.
            bar = 0.02 if bench.full else max(count, 1) * 8.6e6 / bench.share / size
            bench.row(f"{size >> 20} MiB {way}, cut every {every} s", f"{100 * extra:.2f} % sent again",
                      f"< {100 * bar:.1f} %", extra < bar,
                      f"{count} cuts, {times[True]:.0f} s instead of {times[False]:.0f} s")


ALL = {f.__name__: f for f in (commands, small, big, lossy, loopback, cuts)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--ci", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--runs", type=int, default=0)
    parser.add_argument("--programs", default=HERE.parent / "build" / "release" / "bench")
    parser.add_argument("--folder", help="where the files are made (default: the system's temporary folder)")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    arguments.only = arguments.only or ("commands,small,cuts" if arguments.ci else ",".join(ALL))
    arguments.runs = arguments.runs or (1 if arguments.ci else 3)
    check_machine()
    bench = Bench(arguments)
    try:
        for name in arguments.only.split(","):
            ALL[name](bench)
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(bench.rows, indent=1))
    sys.exit(0 if all(r["met"] for r in bench.rows) else 1)


if __name__ == "__main__":
    main()
