# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Test cases written as shell functions, with a JUnit report like that of the C++ tests.
#
#   cases_begin NAME [FILE]     starts the suite NAME, whose report goes to FILE
#   run_case "Sentence" COMMAND a case: passed if COMMAND succeeds, skipped if it exits with 77
#   cases_end                   writes the report; fails if a case failed
#
# expect_equal and the like print what is wrong and end the case.

cases_begin() {
    suite=$1 report=${2:-} cases_total=0 cases_failed=0 cases_skipped=0 cases_xml=''
    cases_scratch=$(mktemp -d)
    trap 'rm -rf "$cases_scratch"' EXIT
}

run_case() {
    local sentence=$1 code started=$EPOCHREALTIME seconds output=$cases_scratch/output body=''
    shift
    set +e
    (
        set -euo pipefail
        "$@"
    ) >"$output" 2>&1 </dev/null
    code=$?
    set -e
    seconds=$(awk -v from="${started/,/.}" -v to="${EPOCHREALTIME/,/.}" 'BEGIN { printf "%.3f", to - from }')
    cases_total=$((cases_total + 1))
    case $code in
    0) ;;
    77)
        cases_skipped=$((cases_skipped + 1))
        printf 'skipped: %s\n' "$sentence"
        sed 's/^/    /' "$output"
        body="<skipped message=\"$(tail -n 1 "$output" | xml_escape)\"/>"
        ;;
    *)
        cases_failed=$((cases_failed + 1))
        printf 'FAILED: %s (exit code %d)\n' "$sentence" "$code"
        sed 's/^/    /' "$output"
        body="<failure message=\"exit code $code\">$(xml_escape <"$output")</failure>"
        ;;
    esac
    cases_xml+="    <testcase classname=\"$suite\" name=\"$(xml_escape <<<"$sentence")\" time=\"$seconds\">$body</testcase>"$'\n'
}

cases_end() {
    printf '%s: %d cases, %d failed, %d skipped\n' "$suite" "$cases_total" "$cases_failed" "$cases_skipped"
    if [[ -n $report ]]; then
        printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n  <testsuite name="%s" tests="%d" failures="%d" skipped="%d">\n%s  </testsuite>\n</testsuites>\n' \
            "$suite" "$cases_total" "$cases_failed" "$cases_skipped" "$cases_xml" >"$report"
    fi
    ((cases_failed == 0))
}

# Text as XML 1.0 may hold it: no control characters, no bare markup, one trailing newline less.
xml_escape() {
    tr -d '\000-\010\013\014\016-\037' | sed -e 's/&/\&amp;/g' -e 's/</\&lt;/g' -e 's/>/\&gt;/g' -e 's/"/\&quot;/g'
}

expect_equal() {
    [[ $1 == "$2" ]] || {
        printf 'expected "%s", got "%s"\n' "$2" "$1"
        exit 1
    }
}

expect_contains() {
    [[ $1 == *"$2"* ]] || {
        printf 'expected something with "%s" in it, got:\n%s\n' "$2" "$1"
        exit 1
    }
}

# expect_code CODE COMMAND...: the command ends with this exit code; its output is left in the variable output.
expect_code() {
    local wanted=$1 code=0
    shift
    output=$("$@" 2>&1) || code=$?
    [[ $code == "$wanted" ]] || {
        printf 'expected exit code %d of "%s", got %d:\n%s\n' "$wanted" "$*" "$code" "$output"
        exit 1
    }
}

skip_case() {
    printf '%s\n' "$1"
    exit 77
}
