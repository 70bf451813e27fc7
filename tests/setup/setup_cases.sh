# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # root and cases_scratch come from run and cases.sh
#
# What host-bridge/setup promises.

setup_cases() {
    run_case "A step that fails shows its exit code and the end of its log" step_fails
    run_case "A step that ends the script has its message shown" step_ends_the_script
    run_case "The mirror is the one that the machine's apt uses" mirror_is_the_machines
    run_case "A machine without a security archive has no security suite" mirror_without_security
    run_case "Without package lists the machine's own sources are read first" mirror_without_lists
    run_case "Without any Debian source the message says what to add" mirror_without_debian
    run_case "The private apt takes over how to reach the archive and nothing else" private_apt_takes_proxies
    run_case "Every package of the list has a reason" packages_have_reasons
    run_case "An unknown option of set-up is bad usage" setup_bad_usage
    run_case "Without apt, set-up lists the packages and stops" setup_without_apt
    run_case "Without root and sudo, set-up says what to run as root" setup_without_root
    run_case "A second set-up changes nothing" setup_twice
    run_case "The QEMU that set-up chose has the vfio-user client" qemu_has_the_client
    run_case "The QEMU that set-up chose needs no environment and no -L" qemu_stands_alone
    run_case "The QEMU that set-up chose lists its types, as libvirt asks it to" qemu_lists_types
}

# in_shell COMMANDS: runs them with the functions of host-bridge/setup.
in_shell() {
    bash -c "set -euo pipefail; . '$root/host-bridge/setup/progress.sh'; . '$root/host-bridge/setup/private-apt.sh'; $1"
}

step_fails() {
    expect_code 7 in_shell "step '$cases_scratch/log' 'Doing it' bash -c 'echo the reason; exit 7'"
    expect_contains "$output" "Doing it: failed (exit code 7)"
    expect_contains "$output" "    the reason"
}

step_ends_the_script() {
    expect_code 3 in_shell "step '$cases_scratch/log' 'Doing it' fail 'it is broken' 'mend it'"
    expect_contains "$output" "error: it is broken"
    expect_contains "$output" "mend it"
}

# machine_with_sources LINE...: puts an apt-get in front of the real one that knows these index targets.
machine_with_sources() {
    local bin=$cases_scratch/bin
    rm -rf "$bin"
    mkdir -p "$bin"
    printf '%s\n' "$@" >"$bin/targets"
    cat >"$bin/apt-get" <<'SCRIPT'
#!/bin/bash
folder=$(dirname "$0")
[[ $* == *update* ]] && touch "$folder/updated"
[[ $* == *indextargets* ]] || exit 0
[[ $(head -n 1 "$folder/targets") != after-update || -e $folder/updated ]] && cat "$folder/targets"
exit 0
SCRIPT
    chmod +x "$bin/apt-get"
    PATH=$bin:$PATH
}

mirror_is_the_machines() {
    machine_with_sources 'Packages|Other|Other|http://other.example/' 'Packages|Debian|Debian|http://mirror.example/debian/' \
        'Packages|Debian|Debian-Security|http://mirror.example/security/'
    in_shell "private_apt_create '$cases_scratch/apt' bookworm bookworm-security"
    expect_equal "$(sed 's/\[.*\] //' "$cases_scratch/apt/sources.list")" \
        $'deb http://mirror.example/debian/ bookworm main\ndeb http://mirror.example/security/ bookworm-security main'
    expect_contains "$(<"$cases_scratch/apt/sources.list")" "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
}

mirror_without_security() {
    machine_with_sources 'Packages|Debian|Debian|http://mirror.example/debian/'
    in_shell "private_apt_create '$cases_scratch/apt' bookworm bookworm-security"
    expect_equal "$(sed 's/\[.*\] //' "$cases_scratch/apt/sources.list")" 'deb http://mirror.example/debian/ bookworm main'
}

mirror_without_lists() {
    machine_with_sources after-update 'Packages|Debian|Debian|http://mirror.example/debian/'
    in_shell "private_apt_create '$cases_scratch/apt' bookworm"
    expect_equal "$(sed 's/\[.*\] //' "$cases_scratch/apt/sources.list")" 'deb http://mirror.example/debian/ bookworm main'
}

mirror_without_debian() {
    machine_with_sources 'Packages|Other|Other|http://other.example/'
    expect_code 3 in_shell "private_apt_create '$cases_scratch/apt' bookworm"
    expect_contains "$output" "apt on this machine has no source for Debian's archive"
    expect_contains "$output" "sources.list.d"
}

private_apt_takes_proxies() {
    printf '%s\n' 'Acquire::http::Proxy "http://proxy.example:3128";' 'APT::Update::Post-Invoke { "false"; };' \
        'Dir::Etc::Preferences "pins";' 'Acquire::AllowInsecureRepositories "true";' >"$cases_scratch/machine.conf"
    APT_CONFIG=$cases_scratch/machine.conf in_shell "private_apt_create '$cases_scratch/apt' bookworm"
    local configuration
    configuration=$(APT_CONFIG=$cases_scratch/apt/apt.conf apt-config dump | grep -E '^(Acquire::(http|Allow)|APT::Update|Dir)')
    expect_contains "$configuration" 'Acquire::http::Proxy "http://proxy.example:3128";'
    [[ $configuration != *Post-Invoke* ]] || {
        echo "the machine's hooks were taken over"
        exit 1
    }
    expect_contains "$configuration" 'Acquire::AllowInsecureRepositories "false";'
    expect_contains "$configuration" 'Dir::Etc::preferences "/dev/null";'
    expect_contains "$configuration" "Dir::State::lists \"$cases_scratch/apt/lists\";"
}

packages_have_reasons() {
    expect_equal "$(grep -v -E '^(#.*|(run|tests) +[a-z0-9.+-]+ +[^ ].*|)$' "$root/host-bridge/setup/packages")" ""
}

setup_bad_usage() {
    expect_code 2 "$root/host-bridge/setup/setup" --nonsense
    expect_contains "$output" "usage:"
}

# copied_setup: a copy of set-up in a tree of its own, whose path it prints.
copied_setup() {
    local tree=$cases_scratch/tree
    rm -rf "$tree"
    mkdir -p "$tree/host-bridge"
    cp -r "$root/host-bridge/setup" "$tree/host-bridge/"
    printf '%s\n' "$tree"
}

# machine_of PROGRAM...: a folder with links to these programs alone.
machine_of() {
    local bin=$cases_scratch/few program
    rm -rf "$bin"
    mkdir -p "$bin"
    for program in "$@"; do ln -s "$(command -v "$program")" "$bin/$program"; done
    printf '%s\n' "$bin"
}

setup_without_apt() {
    local tree bin
    tree=$(copied_setup)
    bin=$(machine_of bash dirname readlink mkdir uname flock sed)
    expect_code 3 env PATH="$bin" "$tree/host-bridge/setup/setup"
    expect_contains "$output" "libvirt-dev"
    expect_contains "$output" "starts guests"
    expect_contains "$output" "without apt"
}

setup_without_root() {
    local tree bin as=()
    tree=$(copied_setup)
    bin=$(machine_of bash dirname readlink mkdir uname flock sed cut apt-get)
    printf '#!/bin/bash\nexit 1\n' >"$bin/dpkg-query"
    chmod +x "$bin/dpkg-query"
    if [[ $EUID -eq 0 ]]; then
        chmod 755 "$cases_scratch"
        chown -R 65534:65534 "$tree"
        as=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    fi
    expect_code 3 "${as[@]}" env PATH="$bin" "$tree/host-bridge/setup/setup"
    expect_contains "$output" "no sudo"
    expect_contains "$output" "Run as root: apt-get install --no-install-recommends meson ninja-build"
}

setup_twice() {
    local before
    before=$(stat -c %y "$root/build/setup/env" "$root/build/setup/catch2")
    expect_code 0 "$root/host-bridge/setup/setup"
    expect_equal "$output" ""
    expect_equal "$(stat -c %y "$root/build/setup/env" "$root/build/setup/catch2")" "$before"
}

qemu() {
    env -i "$(sed -n 's/^QEMU_BINARY=//p' "$root/build/setup/env")" "$@"
}

qemu_has_the_client() {
    expect_contains "$(qemu -M none -device vfio-user-pci,help)" "socket="
}

qemu_stands_alone() {
    local folder found=no
    while read -r folder; do
        [[ ! -e $folder/bios-256k.bin ]] || found=yes
    done < <(qemu -M none -L help)
    expect_equal "$found" yes
    expect_contains "$(qemu --version)" "$(sed -n 's/^QEMU_VERSION=//p' "$root/build/setup/env")"
}

qemu_lists_types() {
    local answer
    answer=$(printf '{"execute":"qmp_capabilities"}\n{"execute":"qom-list-types"}\n{"execute":"quit"}\n' |
        qemu -M none -nodefaults -display none -qmp stdio)
    expect_contains "$answer" '"vfio-user-pci"'
}
