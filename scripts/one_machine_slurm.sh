#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A Slurm of one machine, on loopback, for tests; see --help.
set -euo pipefail

usage() {
    cat <<'HELP'
usage: scripts/one_machine_slurm.sh start DIR
       scripts/one_machine_slurm.sh stop DIR

start  Starts a real Slurm on this machine alone: munged, slurmctld and slurmd, with all their files in
       DIR, on free ports of 127.0.0.1. Waits until the node is idle and prints the environment in which
       sbatch, squeue and srun use it: eval "$(scripts/one_machine_slurm.sh start /tmp/slurm)".
       Where it runs already, only prints the environment. Its one partition is `main`; the node has this
       machine's cores and memory and one GPU that exists in name only.
stop   Cancels its jobs, ends its daemons by the process ids in DIR and deletes what start made there.

Works as root and as any other user. Needs slurmctld, slurmd, sbatch and munged; on Debian:
    apt-get install --no-install-recommends slurmctld slurmd slurm-client munge
HELP
}

DAEMONS=(slurmd slurmctld munged) # in the order in which they are ended
START_SECONDS=30
STOP_SECONDS=60
# Debian keeps the daemons where other users than root do not look.
PATH=$PATH:/usr/sbin:/sbin

fail() {
    echo "error: $*" >&2
    exit 1
}

pid_file() {
    echo "$dir/$1.pid"
}

# Whether the daemon of this name whose id is in DIR runs; an id may have passed to another process.
runs() {
    local pid
    pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
    [ -n "$pid" ] && grep -qa -- "$dir" "/proc/$pid/cmdline" 2>/dev/null
}

# Waits until a command succeeds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

node_is_idle() {
    [ "$(sinfo --noheader --format=%T 2>/dev/null)" = idle ]
}

node_answers() {
    sinfo --noheader --format=%T 2>/dev/null | grep -Eqx 'idle|mixed|allocated'
}

no_jobs() {
    [ -z "$(squeue --noheader 2>/dev/null)" ]
}

write_configuration() {
    local user memory cores
    user=$(id -un)
    cores=$(nproc)
    memory=$(awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo)
    mkdir -p "$dir/state" "$dir/spool" "$dir/bin"
    (umask 077 && head -c 128 /dev/urandom >"$dir/munge.key")
    cat >"$SLURM_CONF" <<CONF
ClusterName=one_machine
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$(pid_file slurmctld)
SlurmdPidFile=$(pid_file slurmd)
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
ReturnToService=2
SlurmdTimeout=0
KillWait=15
MinJobAge=3600
DefMemPerCPU=1024
GresTypes=gpu
NodeName=localhost NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$memory Gres=gpu:1
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
CONF
    echo "NodeName=localhost Name=gpu File=/dev/null" >"$dir/gres.conf"
    # Snakemake's job step removes SLURM_CONF from the environment in which it calls srun.
    cat >"$dir/bin/srun" <<WRAPPER
#!/bin/sh
SLURM_CONF='$SLURM_CONF' exec '$(command -v srun)' "\$@"
WRAPPER
    chmod +x "$dir/bin/srun"
}

start() {
    local name
    for name in munged slurmctld slurmd sbatch srun; do
        command -v "$name" >/dev/null || fail "there is no $name on this machine; see --help."
    done
    if ! { runs munged && runs slurmctld && runs slurmd && node_answers; }; then
        stop
        mkdir -p "$dir"
        write_configuration
        # munged refuses directories that others may write to; --force turns that into a warning.
        munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --num-threads=2 \
            --pid-file="$(pid_file munged)" --seed-file="$dir/munge.seed" --log-file="$dir/munge.log" \
            2>>"$dir/munged.err" || give_up munged
        slurmctld -f "$SLURM_CONF" 2>>"$dir/slurmctld.err" || give_up slurmctld
        slurmd -f "$SLURM_CONF" -N localhost 2>>"$dir/slurmd.err" || give_up slurmd
        wait_for "$START_SECONDS" node_is_idle || give_up slurmctld
    fi
    printf 'export SLURM_CONF=%q\n' "$SLURM_CONF"
    printf 'export PATH=%q:"$PATH"\n' "$dir/bin"
}

# Ends what was started and says in the daemon's own words why it did not.
give_up() {
    {
        echo "$1 did not start:"
        tail -n 5 "$dir/$1.log" "$dir/$1.err" 2>/dev/null || true
    } >&2
    stop
    exit 1
}

stop() {
    local name pid
    if runs slurmctld; then
        scancel --user="$(id -un)" 2>/dev/null || true
        wait_for "$STOP_SECONDS" no_jobs || echo "warning: jobs were still running" >&2
    fi
    for name in "${DAEMONS[@]}"; do
        runs "$name" || continue
        pid=$(cat "$(pid_file "$name")")
        kill "$pid"
        ended() { ! runs "$name"; }
        wait_for 10 ended || kill -KILL "$pid" 2>/dev/null || true
    done
    [ -d "$dir" ] || return 0
    rm -rf "${dir:?}"/{state,spool,bin} "$SLURM_CONF" "$dir"/{gres.conf,munge.*,munged.*} \
        "$dir"/slurm{ctld,d}.{pid,log,err}
    rmdir "$dir" 2>/dev/null || true
}

case ${1:-} in
    start | stop) ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        usage >&2
        exit 2
        ;;
esac
[ $# -eq 2 ] || { usage >&2; exit 2; }
dir=$(realpath -m -- "$2")
case $dir in
    *[[:space:]\'\"\\]*) fail "Slurm takes no path with spaces or quotes: $dir" ;;
esac
export SLURM_CONF=$dir/slurm.conf
"$1"
