#!/usr/bin/env bash
# What on this machine disturbs a latency-critical thread. Reads only, changes nothing.
#
#   perf/tune/check.sh [--strict]
#
# A line a setting: PASS, WARN with the remedy, or n.a. where the machine does not have it. Exit status 0; with --strict
# 1 if anything is WARN. Limits are those of the shell that it is started from.
set -uo pipefail
# shellcheck source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

strict=
case "${1:-}" in
  --strict) strict=1 ;;
  '') ;;
  *)
    echo "usage: $0 [--strict]" >&2
    exit 2
    ;;
esac

warnings=0
report() { # status, setting, finding
  printf '%-4s  %-22s  %s\n' "$1" "$2" "$3"
  if [ "$1" = WARN ]; then warnings=$((warnings + 1)); fi
}

# $1 the setting's name, $2 its file, $3 the value wanted, $4 the remedy.
wanted() {
  local found
  if ! found="$(value "$2")"; then
    report n.a. "$1" "no $2"
  elif [ "$found" = "$3" ]; then
    report PASS "$1" "$found"
  else
    report WARN "$1" "$found: $4"
  fi
}

apply='perf/tune/apply.sh'
cpu=/sys/devices/system/cpu
isolated="$(value $cpu/isolated || true)"

governors="$(cat "$root$cpu"/cpu[0-9]*/cpufreq/scaling_governor 2>/dev/null | sort -u | list)"
case "$governors" in
  '') report n.a. governor 'the system does not control the frequency (a virtual machine leaves it to its host)' ;;
  performance) report PASS governor performance ;;
  *) report WARN governor "$governors: cores slow down when idle; $apply, or cpupower frequency-set -g performance" ;;
esac

if turbo="$(value $cpu/intel_pstate/no_turbo)"; then
  turbo=$((1 - turbo))
else
  turbo="$(value $cpu/cpufreq/boost)"
fi
case "$turbo" in
  1) report PASS turbo 'on: fastest; for the steadiest pace instead, write 0 to cpufreq/boost or 1 to intel_pstate/no_turbo' ;;
  0) report PASS turbo 'off: steady, but slower' ;;
  *) report n.a. turbo 'not shown' ;;
esac

# Sleep states that take longer than 2 us to leave, where they are not switched off.
deep="$(for folder in "$root$cpu"/cpu[0-9]*/cpuidle/state[0-9]*; do
  latency="$(cat "$folder/latency" 2>/dev/null)" || continue
  if [ "$latency" -gt 2 ] && [ "$(cat "$folder/disable" 2>/dev/null)" = 0 ]; then cat "$folder/name"; fi
done | sort -u | list)"
if ! ls -d "$root"$cpu/cpu0/cpuidle/state0 >/dev/null 2>&1; then
  report n.a. 'sleep states' 'not shown'
elif [ -z "$deep" ]; then
  report PASS 'sleep states' 'none that takes longer than 2 us to leave'
else
  report WARN 'sleep states' "$deep: a core that was idle wakes late (one that spins never sleeps); $apply --cpus LIST"
fi

smt="$(value $cpu/smt/active || true)"
case "$smt" in
  0) report PASS 'hardware threads' 'one a physical core' ;;
  1) report WARN 'hardware threads' 'siblings share a physical core: leave those of busy cores idle, or boot with nosmt' ;;
  *) report n.a. 'hardware threads' 'not shown' ;;
esac

if [ -n "$isolated" ]; then
  report PASS isolcpus "$isolated"
else
  report WARN isolcpus 'none: other work runs on our cores; boot with isolcpus=LIST nohz_full=LIST rcu_nocbs=LIST'
fi
tickless="$(value $cpu/nohz_full || true)"
case "$tickless" in
  '' | '(null)') report WARN nohz_full 'none: a timer interrupts each core 100 to 1,000 times a second; boot with nohz_full=LIST' ;;
  *) report PASS nohz_full "$tickless" ;;
esac
line="$(value /proc/cmdline || true)"
if [[ $line =~ rcu_nocbs=([^ ]+) ]]; then
  report PASS rcu_nocbs "${BASH_REMATCH[1]}"
elif [[ $line =~ nohz_full=([^ ]+) ]]; then
  report PASS rcu_nocbs "${BASH_REMATCH[1]}, by nohz_full"
else
  report WARN rcu_nocbs 'none: the kernel frees its memory on our cores; boot with rcu_nocbs=LIST'
fi

if runs irqbalance; then
  report WARN irqbalance "runs, and moves interrupts onto our cores; $apply, or IRQBALANCE_BANNED_CPULIST in its settings"
else
  report PASS irqbalance 'does not run'
fi
if [ -z "$isolated" ]; then
  report n.a. 'interrupts' 'no core is isolated that they should keep off'
else
  hot="$(expand "$isolated")"
  near=0
  for file in "$root"/proc/irq/[0-9]*/smp_affinity_list; do
    allowed="$(cat "$file" 2>/dev/null)" || continue
    if grep -qxFf <(expand "$allowed") <<<"$hot"; then near=$((near + 1)); fi
  done
  if [ "$near" = 0 ]; then
    report PASS interrupts "none may go to CPU $isolated"
  else
    report WARN interrupts "$near of them may go to CPU $isolated; $apply, or boot with irqaffinity=OTHERS"
  fi
fi

pages="$(value /sys/kernel/mm/transparent_hugepage/enabled || true)"
case "$pages" in
  madvise | never) report PASS 'huge pages' "$pages" ;;
  always) report WARN 'huge pages' "always: the kernel stops threads to gather pages; $apply, or write madvise" ;;
  *) report n.a. 'huge pages' 'not shown' ;;
esac
swappiness="$(value /proc/sys/vm/swappiness || true)"
if [ -z "$swappiness" ]; then
  report n.a. swappiness 'not shown'
elif [ "$swappiness" -le 1 ]; then
  report PASS swappiness "$swappiness"
elif [ "$(wc -l 2>/dev/null <"$root/proc/swaps")" = 1 ]; then
  report PASS swappiness "$swappiness, but there is no swap"
else
  report WARN swappiness "$swappiness: our pages may be on a disk when needed; $apply"
fi
wanted 'memory statistics' /proc/sys/vm/stat_interval 10 "every so many seconds each core is interrupted; $apply"
wanted 'numa balancing' /proc/sys/kernel/numa_balancing 0 "moves memory by page faults; $apply"
wanted 'timer migration' /proc/sys/kernel/timer_migration 0 "timers of idle cores move to ours; $apply"
wanted 'watchdog' /proc/sys/kernel/soft_watchdog 0 "wakes on every core; $apply (the kernel then no longer notices a core that hangs)"
wanted 'nmi watchdog' /proc/sys/kernel/nmi_watchdog 0 "interrupts every core; $apply"

runtime="$(value /proc/sys/kernel/sched_rt_runtime_us || true)"
case "$runtime" in
  '') report n.a. 'real-time throttling' 'not shown' ;;
  -1) report PASS 'real-time throttling' 'off: give SCHED_FIFO only to threads on isolated cores' ;;
  *)
    if [ -n "$isolated" ]; then
      report WARN 'real-time throttling' \
        "$runtime us a second: a SCHED_FIFO thread that spins is stopped for the rest; sysctl -w kernel.sched_rt_runtime_us=-1"
    else
      report PASS 'real-time throttling' "$runtime us a second, which keeps a machine without isolated cores usable"
    fi
    ;;
esac

# Whether we have the capability number $1 (capabilities(7)).
capable() {
  local held
  held="$(awk '$1 == "CapEff:" { print $2 }' /proc/self/status 2>/dev/null)"
  (((16#${held:-0} >> $1) & 1))
}
locked="$(ulimit -l)"
if [ "$locked" = unlimited ]; then
  report PASS 'locked memory' unlimited
elif capable 14; then
  report PASS 'locked memory' "$locked KiB, but CAP_IPC_LOCK lifts the limit"
else
  report WARN 'locked memory' "$locked KiB: mlockall is refused; LimitMEMLOCK=infinity, or memlock in /etc/security/limits.conf"
fi
priority="$(ulimit -r)"
if [ "$priority" != 0 ]; then
  report PASS 'real-time priority' "up to $priority"
elif capable 23; then
  report PASS 'real-time priority' '0, but CAP_SYS_NICE lifts the limit'
else
  report WARN 'real-time priority' '0: SCHED_FIFO is refused; LimitRTPRIO=49, or rtprio in /etc/security/limits.conf'
fi

wanted 'clock source' /sys/devices/system/clocksource/clocksource0/current_clocksource tsc \
  'reading the time takes a system call or a device; boot with clocksource=tsc tsc=reliable'
paranoid="$(value /proc/sys/kernel/perf_event_paranoid || true)"
if [ -z "$paranoid" ]; then
  report n.a. 'perf events' 'not shown'
elif [ "$paranoid" -le 1 ]; then
  report PASS 'perf events' "$paranoid"
else
  report WARN 'perf events' "$paranoid: profiles show nothing of the kernel (no harm to latency); sysctl -w kernel.perf_event_paranoid=1"
fi

# The ninth figure of the first line: hundredths of a second in which the host ran something else.
steal="$(awk '$1 == "cpu" { total = 0; for (i = 2; i <= 9; i++) total += $i; printf "%.2f", 100 * $9 / total }' "$root/proc/stat" 2>/dev/null)"
case "$steal" in
  '') report n.a. 'stolen by the host' 'not shown' ;;
  0.00) report PASS 'stolen by the host' '0.00 % of the time since the start' ;;
  *) report WARN 'stolen by the host' "$steal % of the time since the start: rent cores that are not shared" ;;
esac

if [ -n "$strict" ] && [ "$warnings" -gt 0 ]; then exit 1; fi
exit 0
