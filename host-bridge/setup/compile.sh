# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # the variable root is the caller's
#
# Configures and builds a build tree with Meson. Needs progress.sh and the variable root, the source tree.

# compile_tree FOLDER [MESON_OPTION]... -- [TARGET]...: brings FOLDER up to date; no target means all.
compile_tree() {
    local folder=$1 name options=()
    name=$(basename "$1")
    shift
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    PKG_CONFIG_PATH=$(sed -n 's/^PKG_CONFIG_PATH=//p' "$root/build/setup/env")${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    export PKG_CONFIG_PATH
    # One builder at a time in a tree. The folder itself may exist before: set-up puts its own things there.
    mkdir -p "$folder"
    exec 8>"$folder/.compile-lock"
    flock -n 8 || {
        say "Waiting for another build in $folder ..."
        flock 8
    }
    if [[ ! -f $folder/build.ninja || ! -f $folder/meson-private/coredata.dat ]]; then
        # What an interrupted configuration has left is neither complete nor absent.
        rm -rf "$folder"/meson-{private,info,logs} "$folder/build.ninja"
        step "$root/build/setup/log/meson-$name.log" "Configuring the build in ${folder#"$root"/}" \
            meson setup "${options[@]}" "$folder" "$root" ||
            fail "Meson could not configure the build; its messages are above."
    fi
    # Nothing to do is the usual case, and not worth a line.
    if [[ $(ninja -C "$folder" -n "$@" 2>/dev/null) != *"no work to do"* ]]; then
        step "$root/build/setup/log/ninja-$name.log" "Building in ${folder#"$root"/}" ninja -C "$folder" "$@" ||
            fail "the build failed; the compiler's messages are above, all of them in build/setup/log/ninja-$name.log."
    fi
    exec 8>&-
}
