# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# What a person sees while a script works: one line per step on standard error, its time when it is
# done, a sign of life while it takes longer than two seconds, and the end of its log if it fails.

# fail MESSAGE [HINT]...: says what went wrong and, on lines of their own, what to do; ends the script.
# Exit code 3 is the project's "infrastructure" (the machine, not the cards, is at fault).
fail() {
    _end_with 3 "$@"
}

# The same where not the machine is at fault, but what was asked of it.
refuse() {
    _end_with 2 "$@"
}

_end_with() {
    local code=$1 hint
    printf 'error: %s\n' "$2" >&2
    shift 2
    for hint in "$@"; do printf '       %s\n' "$hint" >&2; done
    exit "$code"
}

# A command that fails where nobody expected it: name it, instead of ending without a word.
set -o errtrace
trap 'printf "error: %s:%s: this failed: %s\n" "${BASH_SOURCE[0]:-$0}" "$LINENO" "$BASH_COMMAND" >&2' ERR

# Ctrl-C is not a failure of the step that it falls into.
trap 'printf "\ninterrupted\n" >&2; exit 130' INT

say() {
    printf '%s\n' "$*" >&2
}

# step LOG MESSAGE COMMAND [ARGUMENT]...: runs COMMAND with its output in the file LOG and shows MESSAGE
# with the seconds it takes. Returns the command's exit code, after showing the last lines of the log.
step() {
    local log=$1 message=$2 started=$SECONDS ticker code=0
    shift 2
    mkdir -p "$(dirname "$log")"
    if [[ -t 2 ]]; then printf '%s ...' "$message" >&2; else say "$message ..."; fi
    _step_ticker "$log" "$message" 9>&- &
    ticker=$!
    # In the foreground, because a background command would ignore Ctrl-C; in a subshell, so that fail
    # inside of it ends the step and its message is shown with the log.
    ("$@") >"$log" 2>&1 </dev/null || code=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
    if ((code == 0)); then
        if [[ -t 2 ]] || ((SECONDS - started > 2)); then
            say "$message: done ($((SECONDS - started)) s)"
        fi
        return 0
    fi
    say "$message: failed (exit code $code). The end of $log:"
    tail -n 40 "$log" | sed 's/^/    /' >&2
    return "$code"
}

# The sign of life of step: counts seconds in place on a terminal, else a line every ten seconds.
# It ends by itself when the script dies without telling it.
_step_ticker() {
    local log=$1 message=$2 seconds=0 count
    trap - EXIT
    while kill -0 $$ 2>/dev/null; do
        sleep 1 || return 0
        seconds=$((seconds + 1))
        # Ninja numbers what it does: "[12/90] Compiling ...".
        count=$(tail -n 1 "$log" 2>/dev/null | grep -o '^\[[0-9]*/[0-9]*\]' || true)
        if [[ -t 2 ]]; then
            printf '\r\033[K%s ... %d s %s' "$message" "$seconds" "$count" >&2
        elif ((seconds % 10 == 0)); then
            say "$message ... $seconds s $count"
        fi
    done
}
