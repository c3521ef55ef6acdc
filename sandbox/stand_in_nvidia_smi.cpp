#include "sandbox/stand_in_scripts.h"

namespace vastgpu::sandbox::scripts {

// Memory is in use while a python other than our own helpers runs, on the GPUs that its environment lets it
// see.
const char* const kNvidiaSmi = R"sh(#!/bin/sh
. /opt/fake/lib/facts
query= apps= format= list= only=
while [ $# -gt 0 ]; do
  case $1 in
    --query-gpu=*) query=${1#*=} ;;
    --query-compute-apps=*) apps=${1#*=} ;;
    --format=*) format=,${1#*=}, ;;
    -L|--list-gpus) list=1 ;;
    -i|--id) shift; only=$1 ;;
    --id=*|-i=*) only=${1#*=} ;;
    --version)
      printf 'NVIDIA-SMI version  : %s\nDRIVER version      : %s\n' "$DRIVER" "$DRIVER"
      echo "CUDA Version        : $CUDA"
      exit 0 ;;
    *) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."; exit 2 ;;
  esac
  shift
done

uuid() { printf 'GPU-%08x-5eed-4bad-9fac-%012x' $((MACHINE_ID % 4294967296)) "$1"; }
bus() { printf '00000000:%02X:00.0' $(($1 * 16 + 1)); }
gpus() {
  i=0
  while [ $i -lt "$GPU_COUNT" ]; do
    case ",${only:-$i}," in *",$i,"*) echo $i ;; esac
    i=$((i + 1))
  done
}

if [ -n "$list" ]; then
  for g in $(gpus); do echo "GPU $g: $GPU_NAME (UUID: $(uuid "$g"))"; done
  exit 0
fi

# "PID GPU" for everything that trains.
training=
for d in /proc/[0-9]*; do
  { read -r name < "$d/comm"; } 2>/dev/null || continue
  case $name in python*) ;; *) continue ;; esac
  { read -r state < "$d/stat"; } 2>/dev/null || continue
  case $state in *') Z '*) continue ;; esac
  seen=$(tr '\0' '\n' < "$d/environ" 2>/dev/null | sed -n 's/^CUDA_VISIBLE_DEVICES=//p')
  case $seen in -1*) continue ;; *[!0-9,]*|'') seen=0 ;; esac
  for g in $(echo "$seen" | tr ',' ' '); do
    [ "$g" -lt "$GPU_COUNT" ] && training="$training ${d#/proc/}:$g"
  done
done
share=$((GPU_MIB * 58 / 100))

measure() {  # GPU -> used free busy busy_memory degrees watts state
  used=3 busy=0 busy_memory=0 degrees=33 watts=22.41 state=P8
  n=0
  for t in $training; do [ "${t#*:}" = "$1" ] && n=$((n + 1)); done
  if [ $n -gt 0 ]; then
    used=$((share + 350 * (n - 1)))
    [ $used -gt $((GPU_MIB - 200)) ] && used=$((GPU_MIB - 200))
    busy=$((84 + $$ % 15)) busy_memory=$((40 + $$ % 21))
    degrees=$((61 + $$ % 9)) watts=$((240 + $$ % 70)).17 state=P2
  fi
  free=$((GPU_MIB - used))
}

units=1 header=1
case $format in *,nounits,*) units= ;; esac
case $format in *,noheader,*) header= ;; esac
with() { if [ -n "$units" ]; then value="$1 $2"; else value=$1; fi; }
row() { if [ -n "$line" ]; then line="$line, $1"; else line=$1; fi; }

if [ -n "$apps" ]; then
  fields=$(echo "$apps" | tr ',' ' ')
  line=
  for f in $fields; do
    case $f in
      used_memory|used_gpu_memory) row "$f [MiB]" ;;
      name) row process_name ;;
      pid|process_name|gpu_uuid|gpu_name|gpu_bus_id|timestamp) row "$f" ;;
      *) echo "Field \"$f\" is not a valid field to query."; exit 2 ;;
    esac
  done
  [ -n "$header" ] && echo "$line"
  for t in $training; do
    case ",${only:-${t#*:}}," in *",${t#*:},"*) ;; *) continue ;; esac
    line=
    for f in $fields; do
      case $f in
        pid) value=${t%%:*} ;;
        name|process_name) value=$(readlink "/proc/${t%%:*}/exe" || echo python3) ;;
        used_memory|used_gpu_memory) with $share MiB ;;
        gpu_uuid) value=$(uuid "${t#*:}") ;;
        gpu_name) value=$GPU_NAME ;;
        gpu_bus_id) value=$(bus "${t#*:}") ;;
        timestamp) value=$(date '+%Y/%m/%d %H:%M:%S.000') ;;
      esac
      row "$value"
    done
    echo "$line"
  done
  exit 0
fi

if [ -n "$query" ]; then
  if [ -z "$format" ]; then echo "\"--format=\" switch is missing. Please run 'nvidia-smi -h' for help."; exit 2; fi
  fields=$(echo "$query" | tr ',' ' ')
  line=
  for f in $fields; do
    case $f in
      memory.total|memory.used|memory.free|memory.reserved) row "$f [MiB]" ;;
      utilization.gpu|utilization.memory|fan.speed) row "$f [%]" ;;
      power.draw|power.limit) row "$f [W]" ;;
      gpu_name) row name ;; gpu_uuid) row uuid ;; gpu_bus_id) row pci.bus_id ;;
      index|name|uuid|pci.bus_id|temperature.gpu|driver_version|compute_cap|count|pstate) row "$f" ;;
      timestamp|mig.mode.current|compute_mode) row "$f" ;;
      *) echo "Field \"$f\" is not a valid field to query."; exit 2 ;;
    esac
  done
  [ -n "$header" ] && echo "$line"
  for g in $(gpus); do
    measure "$g"
    line=
    for f in $fields; do
      case $f in
        index) value=$g ;;
        name|gpu_name) value=$GPU_NAME ;;
        uuid|gpu_uuid) value=$(uuid "$g") ;;
        pci.bus_id|gpu_bus_id) value=$(bus "$g") ;;
        memory.total) with "$GPU_MIB" MiB ;;
        memory.used) with $used MiB ;;
        memory.free) with $free MiB ;;
        memory.reserved) with 0 MiB ;;
        utilization.gpu) with $busy % ;;
        utilization.memory) with $busy_memory % ;;
        fan.speed) with 30 % ;;
        temperature.gpu) value=$degrees ;;
        power.draw) with $watts W ;;
        power.limit) with 450.00 W ;;
        driver_version) value=$DRIVER ;;
        compute_cap) value=$COMPUTE_CAP ;;
        count) value=$GPU_COUNT ;;
        pstate) value=$state ;;
        mig.mode.current) value='[N/A]' ;;
        compute_mode) value=Default ;;
        timestamp) value=$(date '+%Y/%m/%d %H:%M:%S.000') ;;
      esac
      row "$value"
    done
    echo "$line"
  done
  exit 0
fi

bar='+-----------------------------------------------------------------------------------------+'
date '+%a %b %e %H:%M:%S %Y'
echo "$bar"
printf '| NVIDIA-SMI %-23s Driver Version: %-14s CUDA Version: %-8s |\n' "$DRIVER" "$DRIVER" "$CUDA"
echo '|-----------------------------------------+------------------------+----------------------|'
echo '| GPU  Name                 Persistence-M | Bus-Id          Disp.A | Volatile Uncorr. ECC |'
echo '| Fan  Temp   Perf          Pwr:Usage/Cap |           Memory-Usage | GPU-Util  Compute M. |'
echo '|=========================================+========================+======================|'
for g in $(gpus); do
  measure "$g"
  printf '| %3d  %-28.28s On  |   %s Off |                  Off |\n' "$g" "$GPU_NAME" "$(bus "$g")"
  printf '|  30%%   %2dC    %s           %4dW /  450W | %6dMiB / %6dMiB | %6d%%      Default |\n' \
    $degrees $state "${watts%.*}" $used "$GPU_MIB" $busy
  echo '+-----------------------------------------+------------------------+----------------------+'
done
echo
echo "$bar"
printf '| %-87s |\n' 'Processes:' ' GPU       PID   Type   Process name                                      GPU Memory'
echo '|=========================================================================================|'
[ -z "$training" ] && printf '| %-87s |\n' ' No running processes found'
for t in $training; do
  printf '| %4d  %8d      C   %-48.48s %6dMiB |\n' "${t#*:}" "${t%%:*}" "$(readlink "/proc/${t%%:*}/exe")" $share
done
echo "$bar"
)sh";

}  // namespace vastgpu::sandbox::scripts
