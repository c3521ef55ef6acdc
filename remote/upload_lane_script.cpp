// The machine's side of a lane.
#include "core/text.h"
#include "remote/upload_lane.h"

namespace vastgpu {
namespace {

/// $F the folder that files go to, $L our name for the lane, $old unfinished copies that nobody will finish,
/// unpack() what reverses our packing.
constexpr const char* kBegin = R"sh(
LC_ALL=C; export LC_ALL; umask 077
mkdir -p -- "$F" && cd -- "$F" || exit 3
D=$(pwd)
mkdir -p .vast-gpu-parts && cd .vast-gpu-parts || exit 3
[ -f boot ] || cat /proc/sys/kernel/random/boot_id >boot 2>/dev/null
for k in $old; do rm -f -- "$k.part" "$k.have"; done
)sh";

/// Orders, one a line, each followed by its bytes and a line that says whether they were all meant: a link
/// that died looks like the end of the input.
///   w KEY OFFSET SIZE SIZE          a piece
///   z KEY OFFSET PACKED-SIZE SIZE   a packed one
///   f KEY SIZE PATH-SIZE TIME MODE  everything is there: its name
///   q                               all lanes are through
constexpr const char* kLoop = R"sh(
echo $$ >"$L.lane"
take() { dd iflag=fullblock,count_bytes bs=256K status=none count="$n" "$@"; }
while read -r v k o n r; do
  case $v in
  w) take oflag=seek_bytes conv=notrunc seek="$o" of="$k.part" || exit 6 ;;
  z) e=$({ { take || echo r >&3; } | { unpack || echo u >&3; } |
       dd iflag=fullblock bs=256K status=none oflag=seek_bytes conv=notrunc seek="$o" of="$k.part" ||
       echo w >&3; } 3>&1)
     [ -z "$e" ] || exit 6 ;;
  f) p=$(take; echo x); p=$D/${p%x} ;;
  q) for x in *.part; do [ -e "$x" ] && exit 0; done
     rm -f boot *.lane; cd ..; rmdir .vast-gpu-parts 2>/dev/null; exit 0 ;;
  *) exit 8 ;;
  esac
  read -r e || exit 5
  case $v$e in
  [wz].) echo "$o $r" >>"$k.have" && echo + ;;
  [wz]*) rm -f -- "$k.part" "$k.have"; echo + ;;
  f.)
    set -- $r
    if [ -f "$k.part" ]; then
      [ "$(stat -c %s -- "$k.part")" = "$o" ] || { echo 'a size is wrong' >&2; exit 6; }
      (umask 022; mkdir -p -- "${p%/*}") && chmod "$2" -- "$k.part" && touch -d "@$1" -- "$k.part" &&
        mv -fT -- "$k.part" "$p" || exit 6
      rm -f -- "$k.have"
    else  # the answer to an earlier order was lost: it has its name already
      [ "$(stat -c '%s %Y' -- "$p")" = "$o ${1%.*}" ] || exit 6
    fi
    echo + ;;
  *) exit 8 ;;
  esac
done
exit 5
)sh";

}  // namespace

// dash takes a group only in this form.
const char* const kEndLane = R"sh(
if [ -f "$L.lane" ] && p=$(cat -- "$L.lane") && grep -q vast-gpu-parts "/proc/$p/cmdline" 2>/dev/null
then kill -s KILL -- "-$p" 2>/dev/null; fi
)sh";

std::string lane_script(const std::string& lane, const std::string& folder,
                        const std::set<std::string>& obsolete, Packing packing) {
  std::string old;
  for (const std::string& key : obsolete) old += " " + key;
  // An earlier session of this lane may not have heard yet that its link is dead: what it holds would be
  // written when it does.
  return text("L=", lane, "; F=", shell_quote(folder), "; old='", old, "'\nunpack() { ",
              unpack_program(packing), "; }", kBegin, kEndLane, kLoop);
}

}  // namespace vastgpu
