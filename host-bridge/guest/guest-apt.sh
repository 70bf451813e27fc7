# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # parts share variables, listed below
#
# The private apt that everything inside a guest comes from: Debian 12 with its updates and backports,
# whatever this machine itself runs. Needs progress.sh, private-apt.sh and the variables out and log.

GUEST_SUITE=bookworm

# The lists are fetched once and then stay, so that a guest is the same today and tomorrow, until they are
# asked to be renewed or name a package that the archive no longer has.
guest_apt_prepare() {
    if [[ $update == no && -e $out/apt/complete ]]; then return 0; fi
    guest_apt_update
}

guest_apt_update() {
    rm -f "$out/apt/complete"
    step "$log/apt-update.log" "Reading Debian's lists of packages" _guest_apt_update ||
        fail "Debian's lists of packages could not be fetched; apt's messages are above." "Is there a network to Debian's archive?"
    : >"$out/apt/complete"
}

_guest_apt_update() {
    PRIVATE_APT_COMPONENTS="main contrib non-free non-free-firmware" \
        private_apt_create "$out/apt" $GUEST_SUITE $GUEST_SUITE-updates $GUEST_SUITE-security $GUEST_SUITE-backports &&
        private_apt_update "$out/apt"
}

# guest_apt_fetch FOLDER PACKAGE...: puts exactly these packages, nothing that they depend on, into FOLDER.
guest_apt_fetch() {
    local folder=$1
    shift
    mkdir -p "$folder"
    (cd "$folder" && private_apt "$out/apt" download "$@") && return 0
    echo "Some package is not there any more: renewing the lists."
    _guest_apt_update && (cd "$folder" && private_apt "$out/apt" download "$@")
}

# guest_apt_depends PACKAGE REGEX: the names among PACKAGE's dependencies that match.
guest_apt_depends() {
    APT_CONFIG=$out/apt/apt.conf apt-cache depends --important "$1" 2>/dev/null |
        sed -n 's/^ *\(Pre\)\?Depends: //p' | grep -E "$2" || true
}

guest_apt_names() {
    APT_CONFIG=$out/apt/apt.conf apt-cache pkgnames "$1" | sort
}

guest_apt_has() {
    [[ -n $(APT_CONFIG=$out/apt/apt.conf apt-cache show --no-all-versions "$1" 2>/dev/null) ]]
}

# unpack_merged DEB ROOT: unpacks a package over folders that are links already (lib -> usr/lib), as on an
# installed system; dpkg-deb -x would replace the links.
unpack_merged() {
    dpkg-deb --fsys-tarfile "$1" | tar -x -p --keep-directory-symlink --no-same-owner -C "$2"
}

# merged_root ROOT: an empty file system with the links of a merged /usr.
merged_root() {
    local folder
    mkdir -p "$1"
    for folder in bin sbin lib lib64; do
        mkdir -p "$1/usr/$folder"
        ln -s "usr/$folder" "$1/$folder"
    done
}
