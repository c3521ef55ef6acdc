#include "sandbox/stand_in_scripts.h"

namespace vastgpu::sandbox::scripts {

// pid 1. A shell, so that /proc/1/environ holds the container's variables, and because `wait` reaps orphans.
// Orders come on standard input; the only one is "ssh".
const char* const kInit = R"sh(#!/bin/sh
trap 'exit 143' TERM
exec 3<&0 </dev/null
if [ -s /etc/onstart ]; then
  ( cd /root && exec 3<&- && exec /bin/sh -c "$(cat /etc/onstart)" ) &
fi
(
  read -r order <&3 && [ "$order" = ssh ] || exit 0
  exec 3<&-
  sshd=$(PATH=/usr/sbin:/usr/bin:/usr/local/sbin command -v sshd)
  # Newer servers punish an address for failed logins; all our clients share one.
  set -- -f /etc/ssh/sshd_config
  "$sshd" -t -o PerSourcePenalties=no "$@" 2>/dev/null && set -- "$@" -o PerSourcePenalties=no
  exec "$sshd" -D -e "$@"
) &
exec 3<&-
# So that there is always something to wait for.
/usr/bin/sleep infinity &
while :; do wait; done
)sh";

const char* const kPython = R"sh(#!/bin/sh
. /opt/fake/lib/facts
if [ -z "$PYTHON" ]; then
  echo "python: this sandbox has no Python: its host has no /usr/bin/python3" >&2
  exit 127
fi
if [ "$1" = -m ] && [ "$2" = pip ]; then shift 2; exec /opt/fake/bin/pip "$@"; fi
PYTHONPATH=/opt/fake/lib${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
exec "$PYTHON" "$@"
)sh";

// Remembers names instead of downloading. What it "installed" can be imported, as an empty module, last on
// the path so that the host's real one wins.
const char* const kPip = R"sh(#!/bin/sh
. /opt/fake/lib/facts
book=/opt/fake/lib/pip-installed
place=/usr/local/lib/python3.10/dist-packages
plain() { echo "$1" | tr 'A-Z_' 'a-z-'; }
version_of() { awk -v n="$1" '$1 == n { print $2; exit }' $book; }
module_of() {
  case $1 in
    scikit-learn) echo sklearn ;; pyyaml) echo yaml ;; opencv-python*) echo cv2 ;; pillow) echo PIL ;;
    beautifulsoup4) echo bs4 ;; python-dateutil) echo dateutil ;; protobuf) echo google ;;
    *) echo "$1" | tr '-' '_' ;;
  esac
}
refuse() {
  echo "ERROR: Could not find a version that satisfies the requirement $1 (from versions: none)" >&2
  echo "ERROR: No matching distribution found for $1" >&2
  exit 1
}

if [ "$1" = --version ] || [ "$1" = -V ]; then echo "pip 24.0 from $place/pip (python 3.10)"; exit 0; fi
quiet= word=
while [ $# -gt 0 ]; do
  case $1 in -q|--quiet|-qq) quiet=1 ;; -*) ;; *) word=$1; shift; break ;; esac
  shift
done

wanted=
want() {  # one requirement line
  r=${1%%#*}; r=${r%%;*}; r=$(echo "$r" | tr -d ' \t\r')
  case $r in
    '') return ;;
    -r*) read_list "${r#-r}"; return ;;
    -*) return ;;
    git+*|http://*|https://*) r=${r##*/}; r=${r%%@*}; r=${r%.git}; r=${r%%-[0-9]*} ;;
    .|./*|/*|*.whl) r=${r##*/}; r=${r%%-[0-9]*}; [ "$r" = . ] && r=$(basename "$PWD") ;;
  esac
  name=$(echo "$r" | sed 's/[]<>=!~@ [].*//')
  version=$(echo "$r" | sed -n 's/.*==\([0-9A-Za-z.+!-]*\).*/\1/p')
  [ -n "$name" ] || { echo "ERROR: Invalid requirement: '$1'" >&2; exit 1; }
  wanted="$wanted $(plain "$name"):$version"
}
read_list() {
  if [ ! -r "$1" ]; then
    echo "ERROR: Could not open requirements file: [Errno 2] No such file or directory: '$1'" >&2
    exit 1
  fi
  while IFS= read -r entry || [ -n "$entry" ]; do want "$entry"; done < "$1"
}

case $word in
  install)
    again=
    while [ $# -gt 0 ]; do
      case $1 in
        -q|-qq|--quiet) quiet=1 ;;
        -r|--requirement) shift; read_list "$1" ;;
        --requirement=*) read_list "${1#*=}" ;;
        -r?*) read_list "${1#-r}" ;;
        -e|--editable) shift; want "$1" ;;
        -i|--index-url|--extra-index-url|-f|--find-links|-c|--constraint|--trusted-host) shift ;;
        -t|--target|--timeout|--retries|--root-user-action|--prefix) shift ;;
        --force-reinstall|-I) again=1 ;;
        -*) ;;
        *) want "$1" ;;
      esac
      shift
    done
    if [ -z "$wanted" ]; then
      echo 'ERROR: You must give at least one requirement to install (see "pip help install")' >&2
      exit 1
    fi
    fresh= names= done= count=0
    for w in $wanted; do
      name=${w%%:*} version=${w#*:}
      case $name in no-such-*) refuse "$name${version:+==$version}" ;; esac
      had=$(version_of "$name")
      if [ -n "$had" ] && [ -z "$again" ] && { [ -z "$version" ] || [ "$version" = "$had" ]; }; then
        [ -z "$quiet" ] && echo "Requirement already satisfied: $name in $place ($had)"
        continue
      fi
      [ -z "$quiet" ] && echo "Collecting $name" && echo "  Downloading $name-${version:-1.0.0}-py3-none-any.whl"
      fresh="$fresh $name:${version:-1.0.0}"; names="$names${names:+, }$name"
      done="$done $name-${version:-1.0.0}"; count=$((count + 1))
    done
    if [ $count -gt 0 ]; then
      [ -z "$quiet" ] && echo "Installing collected packages: $names"
      [ $count -gt 20 ] && count=20
      sleep $((count * 2))
      for w in $fresh; do
        name=${w%%:*} version=${w#*:}
        { awk -v n="$name" '$1 != n' $book; echo "$name $version"; } > $book.$$ && mv $book.$$ $book
        module=$(module_of "$name")
        case $module in
          *[!A-Za-z0-9_]*|torch) ;;
          *) echo "__version__ = \"$version\"" > "/opt/fake/site/$module.py" ;;
        esac
      done
      [ -z "$quiet" ] && echo "Successfully installed$done"
    fi
    exit 0 ;;
  uninstall)
    for n in "$@"; do
      case $n in -*) continue ;; esac
      n=$(plain "$n"); had=$(version_of "$n")
      if [ -z "$had" ]; then echo "WARNING: Skipping $n as it is not installed." >&2; continue; fi
      awk -v n="$n" '$1 != n' $book > $book.$$ && mv $book.$$ $book
      rm -f "/opt/fake/site/$(module_of "$n").py"
      echo "Successfully uninstalled $n-$had"
    done
    exit 0 ;;
  list|freeze)
    [ "$word" = freeze ] && set -- --format=freeze
    case " $* " in
      *freeze*) sort $book | sed 's/ /==/' ;;
      *json*)
        sort $book | awk '
          BEGIN { printf "[" }
          { printf "%s{\"name\": \"%s\", \"version\": \"%s\"}", (NR > 1 ? ", " : ""), $1, $2 }
          END { print "]" }' ;;
      *)
        { printf 'Package Version\n-------------------- ----------\n'; sort $book; } |
          awk '{ printf "%-20s %s\n", $1, $2 }' ;;
    esac
    exit 0 ;;
  show)
    missing=0
    for n in "$@"; do
      case $n in -*) continue ;; esac
      n=$(plain "$n"); had=$(version_of "$n")
      if [ -z "$had" ]; then echo "WARNING: Package(s) not found: $n" >&2; missing=1; continue; fi
      printf 'Name: %s\nVersion: %s\nSummary: recorded by the sandbox\nLocation: %s\n' "$n" "$had" "$place"
    done
    exit $missing ;;
  check) echo "No broken requirements found."; exit 0 ;;
  cache|config) exit 0 ;;
  '') echo "Usage: pip <command> [options]"; exit 0 ;;
  *) echo "ERROR: unknown command \"$word\"" >&2; exit 1 ;;
esac
)sh";

// Says yes to what the host already has, since the machine sees the host's /usr.
const char* const kApt = R"sh(#!/bin/sh
word=
for a in "$@"; do case $a in -*) ;; *) word=$a; break ;; esac; done
echo "Reading package lists..."
[ "$word" = update ] && { echo "All packages are up to date."; exit 0; }
[ "$word" = install ] || exit 0
echo "Building dependency tree..."
seen=
for a in "$@"; do
  case $a in
    -*) continue ;;
    install) [ -z "$seen" ] && { seen=1; continue; } ;;
    no-such-*) echo "E: Unable to locate package $a" >&2; exit 100 ;;
    git|screen|rsync|tmux|zstd|curl|wget|tar|gzip)
      if ! command -v "$a" > /dev/null; then
        echo "E: Package '$a' has no installation candidate" >&2
        exit 100
      fi
      echo "$a is already the newest version."
      continue ;;
  esac
  echo "Setting up $a ..."
done
exit 0
)sh";

// The host's own would be found behind it.
const char* const kNotInstalled = R"sh(#!/bin/sh
echo "sh: 1: ${0##*/}: not found" >&2
exit 127
)sh";

// Moments relative to now are worked out from the sandbox's now.
const char* const kDate = R"sh(#!/bin/sh
. /opt/fake/lib/facts
now=$(/usr/bin/date +%s.%N | awk -v o="$ORIGIN" -v s="$SPEED" -v k="$SKEW" '{ printf "%.6f", o + ($1 - o) * s + k }')
relative() {
  case $1 in
    @*) echo "$1" ;;
    ''|*now*|*ago*|*today*|*tomorrow*|*yesterday*|*next*|*last*|[+-]*|[0-9]*' sec'*|[0-9]*' min'*|[0-9]*' hour'*|\
    [0-9]*' day'*|[0-9]*' week'*|[0-9]*' month'*|[0-9]*' year'*)
      echo "$(/usr/bin/date -d "@$now" '+%F %T %z') $1" ;;
    *) echo "$1" ;;
  esac
}
given= n=$#
while [ "$n" -gt 0 ]; do
  a=$1; shift; n=$((n - 1))
  case $a in
    -d|--date|-ud|-Rd) given=1; v=$(relative "$1"); shift; n=$((n - 1)); set -- "$@" "$a" "$v" ;;
    --date=*) given=1; set -- "$@" "--date=$(relative "${a#*=}")" ;;
    -d*) given=1; set -- "$@" "-d$(relative "${a#-d}")" ;;
    -r|-f) given=1; set -- "$@" "$a" "$1"; shift; n=$((n - 1)) ;;
    --reference*|--file*|--help|--version|-r*|-f*) given=1; set -- "$@" "$a" ;;
    -s|--set|-s*|--set=*) echo "date: cannot set date: Operation not permitted" >&2; exit 1 ;;
    *) set -- "$@" "$a" ;;
  esac
done
if [ -n "$given" ]; then exec /usr/bin/date "$@"; fi
exec /usr/bin/date -d "@$now" "$@"
)sh";

// Whole seconds without a second process, since guards and jobs sleep all the time.
const char* const kSleep = R"sh(#!/bin/sh
. /opt/fake/lib/facts
case $#:$1 in
  1:*[!0-9]*|1:|1:0[0-9]*|1:??????????*) ;;
  1:*)
    if [ -n "$WHOLE_SPEED" ]; then
      us=$(($1 * 1000000 / WHOLE_SPEED))
      f=$((us % 1000000 + 1000000))
      exec /usr/bin/sleep "$((us / 1000000)).${f#1}"
    fi ;;
esac
for a in "$@"; do
  case $a in -*|*inf*|'') exec /usr/bin/sleep "$@" ;; esac
done
[ $# -gt 0 ] || exec /usr/bin/sleep
n=$(echo "$@" | awk -v s="$SPEED" '{
  for (i = 1; i <= NF; ++i) {
    if ($i !~ /^[0-9]*\.?[0-9]*[smhd]?$/ || $i !~ /[0-9]/) exit 1
    u = substr($i, length($i)); t += $i * (u == "m" ? 60 : u == "h" ? 3600 : u == "d" ? 86400 : 1)
  }
  printf "%.6f", t / s }') || exec /usr/bin/sleep "$@"
exec /usr/bin/sleep "$n"
)sh";

}  // namespace vastgpu::sandbox::scripts
