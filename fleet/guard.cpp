#include "fleet/guard.h"

#include <algorithm>
#include <charconv>

#include "core/text.h"

namespace vastgpu {
namespace {

// @API@, @END@, @LEFT@, @GRACE@, @CALL@ and @MARK@ are replaced. Kept short: the marketplace takes 4048 bytes
// for everything, and a comment on the machine would count. What its names mean:
//   E L       the lease it holds: its end by this machine's clock, and its seconds when it was told
//   left      what is left of those; spent by what passed between two looks, so that no clock gives time back
//   grace     starts after the end that may still live a while: 2, one less with each, 2 again once the
//             marketplace took the order; so a container that its host restarts for ever ends all the same
//   i k c     instance, key and the HTTP status of a call; 000 or nothing: no answer
//   word      key, badkey (refused), nokey, or wait (not known yet)
//   3         the container's log. Host keys go there three times, half a minute apart, since an image may
//   make
//             new ones while it starts; the last ones count
// A jump of the clock is a difference under 30 s (it slept that long) or over 300 s: 30 s are taken for it.
constexpr std::string_view kOnstart = R"(mkdir -p /workspace/project/results /workspace/.vast-gpu
touch /root/.no_auto_tmux
cd /workspace/.vast-gpu
cat >guard.sh <<'GUARD'
h=/workspace/.vast-gpu
cd $h || exit 1
set -f
num() { case $1 in ''|*[!0-9]*|0?*) return 1;; esac; [ ${#1} -le $2 ]; }
of1() { tr '\0' '\n' </proc/1/environ | sed -n "s/^$1=//p"; } 2>/dev/null
show() { head -c 300 $1; } 2>/dev/null
hosts() { for t in ed25519 ecdsa rsa; do ssh-keygen -lf /etc/ssh/ssh_host_${t}_key.pub | sed 's/^/vast-gpu host key @MARK@: /'; done >&3; } 2>/dev/null
keep() { cat >$1.new && mv $1.new $1; }
ask() {
a="Bearer $k" j='Content-Type: application/json' u=@API@/api/v0/instances/$i/
c=$(curl -sSm15 -o /dev/null -w '%{http_code}' -X $1 -H "Authorization: $a" -H "$j" ${2:+-d "$2"} "$u")
case $c in ''|000) c=$(wget -SO /dev/null -T15 -t1 --method=$1 --header="Authorization: $a" --header="$j" ${2:+--body-data="$2"} "$u" 2>&1 | sed -n 's/^ *HTTP[^ ]* \([0-9]*\).*/\1/p' | tail -n1);; esac
for p in python3 python; do case $c in ''|000) c=$($p -c 'import sys
try: import urllib.request as u
except ImportError: import urllib2 as u
m,b,a,l=sys.argv[1:]
r=u.Request(l,b.encode() or None,{"Authorization":a,"Content-Type":"application/json"})
r.get_method=lambda:m
try: print(u.urlopen(r,timeout=15).getcode())
except u.HTTPError as e: print(e.code)' $1 "$2" "$a" "$u");; esac; done
}
check() {
w=nokey
for o in "$own" "$F"; do
set -- $o
num "$1" 12 && [ "$2" ] || continue
i=$1 k=$2
ask GET
case $c in 2*) word=key; return;; 40[134]) w=badkey;; *) w=wait; break;; esac
done
[ $w$word = waitkey ] || word=$w
}
own="${CONTAINER_ID:-$(of1 CONTAINER_ID)} ${CONTAINER_API_KEY:-$(of1 CONTAINER_API_KEY)}"
was=0 up=-30 n=20 F= k= word=wait
set -- $(show left)
if num "$1" 11 && num "$2" 9 && num "$3" 9 && num "$4" 1; then E=$1 L=$2 left=$3 grace=$4; else E= L= left=0 grace=2; fi
may=$grace
while :; do
[ -d $h ] || mkdir -p $h
cd $h
now=$(date +%s)
num "$now" 11 || now=$was
d=$((now-was)); [ $d -ge 30 ] && [ $d -le 300 ] || d=30
was=$now up=$((up+d)) left=$((left-d))
[ $up -gt 60 ] || hosts
set -- $(show lease)
e=$1 l=$2
num "$e" 11 && [ $((e-now)) -le 100000000 ] || e=
if [ ! "$e$E" ]; then
e=@END@ l=@LEFT@ s=$((now-@END@+@LEFT@))
[ $s -ge -60 ] && [ $s -le 1200 ] || e=$((now+l))
printf '%s\n' $e $l | keep lease
fi
num "$l" 9 || l=999999999
if [ "$e" ] && [ "$e $l" != "$E $L" ]; then
E=$e L=$l left=$((e-now)) grace=2 may=2
[ $left -le $l ] || left=$l
fi
[ $left -gt 0 ] || left=0
f=$(show key) n=$((n+1))
if [ "$f" != "$F" ] || [ $n -gt 19 ] || [ $word = wait ]; then F=$f n=0; check; fi
echo $now $E $word $left ${#F} | keep guard
if [ $now -ge $E ] || [ $left = 0 ]; then
if [ $up -ge @GRACE@ ] || [ $may = 0 ]; then
echo "lease over at $now"
ask @CALL@
echo "answer: $c"
case $c in 2*) grace=2;; *) n=20;; esac
elif [ $grace = $may ]; then grace=$((may-1)); fi
fi
echo $E $L $left $grace | keep left
sleep 30
done
GUARD
setsid sh guard.sh 3>&1 >>guard.log 2>&1 </dev/null &
command -v git >/dev/null && command -v screen >/dev/null && command -v rsync >/dev/null ||
{ apt-get update && apt-get install -y git screen rsync; } >>apt.log 2>&1
)";

std::string replaced(std::string s, std::string_view what, const std::string& with) {
  for (std::size_t at = s.find(what); at != std::string::npos; at = s.find(what, at + with.size()))
    s.replace(at, what.size(), with);
  return s;
}

/// A number that no marketplace and no clock exceeds.
std::optional<std::int64_t> number(const std::string& word) {
  std::int64_t value = 0;
  const auto [end, bad] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (bad != std::errc{} || end != word.data() + word.size() || value < 0 || value > 99'999'999'999)
    return std::nullopt;
  return value;
}

std::string whole_seconds(Duration d) {
  return std::to_string(std::chrono::floor<std::chrono::seconds>(d).count());
}

Duration left_of(Duration left) { return std::max(left, Duration{}); }

}  // namespace

std::string onstart_script(const GuardOrders& orders) {
  const bool destroy = orders.at_end == LeaseEnd::destroy;
  std::string s(kOnstart);
  s = replaced(std::move(s), "@API@", shell_quote(orders.api_url));
  s = replaced(std::move(s), "@CALL@", destroy ? "DELETE '{}'" : R"(PUT '{"state":"stopped"}')");
  s = replaced(std::move(s), "@MARK@", orders.log_mark);
  s = replaced(std::move(s), "@GRACE@", whole_seconds(kGuardGrace));
  s = replaced(std::move(s), "@LEFT@", whole_seconds(left_of(orders.lease_end - orders.now)));
  return replaced(std::move(s), "@END@", whole_seconds(orders.lease_end.time_since_epoch()));
}

std::string lease_text(TimePoint lease_end, Duration left) {
  return whole_seconds(lease_end.time_since_epoch()) + "\n" + whole_seconds(left_of(left)) + "\n";
}

std::string key_text(InstanceId instance, const Secret& key) {
  const std::string& word = key.reveal();
  const bool plain = std::ranges::all_of(word, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  });
  if (word.empty() || word.size() > 200 || !plain) return {};
  return to_string(instance) + " " + word + "\n";
}

std::optional<GuardReport> read_guard_report(std::string_view file) {
  const auto words = split(std::string(trim(file.substr(0, 200))), ' ');
  if (words.size() < 3) return std::nullopt;
  const auto now = number(words[0]), end = number(words[1]);
  if (!now || !end) return std::nullopt;
  GuardReport r;
  r.now = TimePoint(std::chrono::seconds(*now));
  r.end = TimePoint(std::chrono::seconds(*end));
  r.key = words[2] == "key"      ? GuardKey::works
          : words[2] == "badkey" ? GuardKey::refused
          : words[2] == "nokey"  ? GuardKey::none
                                 : GuardKey::unknown;
  if (words.size() > 3)
    if (const auto left = number(words[3])) r.left = std::chrono::seconds(*left);
  if (words.size() > 4) r.key_file_size = number(words[4]).value_or(0);
  return r;
}

std::string to_words(GuardKey key) {
  switch (key) {
    case GuardKey::works:
      return "its key works";
    case GuardKey::refused:
      return "the marketplace refuses the machine's own key";
    case GuardKey::none:
      return "the machine has no key of its own";
    case GuardKey::unknown:
      return "its key is not proven: the marketplace did not answer it yet";
  }
  return "";
}

}  // namespace vastgpu
