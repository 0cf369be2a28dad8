#!/usr/bin/env bash
# All tests but those that need a GPU: tests/suite.sh PYTEST [OPTION...]
#
# Tests on servers mostly wait for them, so three runs go side by side: the tests without servers, those that train on
# Ray, and those on other servers. What the first and last print comes after. Some measure how long processes wait for
# one another, so that what failed in that company is run once more, alone, and must pass then.
set -uo pipefail
# Threads of OpenMP that wait for one another while three runs share the cores burn half of them, awake.
export OMP_WAIT_POLICY=PASSIVE
set -m # else what runs in the background ignores Ctrl-C, and so does all that a test starts and interrupts
pytest=("$@")
# Only files with such tests are named: to collect all of the others loads what they import, half a minute of a core.
trained=() served=()
while read -r file; do
  case $file in
    # Not on the stack, or on one of their own; and so both runs take as long.
    */test_study_alone.py | */test_signals.py | */test_strangers.py | */test_telemetry.py | */test_own_on_two_nodes.py) served+=("$file") ;;
    tests/execution/* | tests/faults/*) trained+=("$file") ;;
    *) served+=("$file") ;;
  esac
done < <(grep -rl --include='test_*.py' 'mark\.cluster' tests | LC_ALL=C sort)
logs=$(mktemp -d)
declare -A runs

run() { # NAME MORE...: become the tests of a group, with a cache of its own for what failed
  local name=$1 which=(-m "cluster and not gpu")
  shift
  case $name in
    plain) which=(-m "not cluster and not gpu") ;;
    trained) which+=("${trained[@]}") ;;
    served) which+=("${served[@]}") ;;
  esac
  exec "${pytest[@]}" -o cache_dir=".pytest_cache/$name" "${which[@]}" "$@"
}

end() { # as a person would, so that the tests end what they started
  kill -INT "${runs[@]}" 2>/dev/null
  wait
  rm -rf "$logs"
  exit 130
}
trap end INT TERM

for name in plain served; do
  run "$name" >"$logs/$name" 2>&1 &
  runs[$name]=$!
done
declare -A codes
run trained &
runs[trained]=$!
for name in trained served plain; do
  wait "${runs[$name]}"
  codes[$name]=$?
  [ "$name" = trained ] || cat "$logs/$name"
done
failed=0
for name in trained served plain; do
  if [ "${codes[$name]}" = 1 ]; then
    echo "once more, alone:"
    (run "$name" --last-failed) && continue
  fi
  [ "${codes[$name]}" = 0 ] || failed=1
done
rm -rf "$logs"
exit $failed
