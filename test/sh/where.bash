# where.bash - bash reads this before each script (BASH_ENV): should one end by `set -e` without a word,
# test/run shows the last commands that failed. Most of those that this writes down were meant to fail.
unset BASH_ENV # it is not for the programs that the script calls
set -E
trap 'echo "# ${BASH_SOURCE[0]##*/}:$LINENO: status $?: ${BASH_COMMAND:0:300}" >>"$SANDBOX_DIR.failed"' ERR
