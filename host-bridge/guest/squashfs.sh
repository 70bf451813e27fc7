# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # parts share variables, listed below
#
# The disk with the packages that a scenario adds: each with everything that it depends on, unpacked into one file
# system. The packages are unpacked, not installed: their maintainer scripts do not run.
#
# Needs progress.sh, guest-apt.sh and the variables out, log, work and packages (an array). Sets squashfs.

squashfs_provide() {
    local package near name
    squashfs=
    ((${#packages[@]})) || return 0
    for package in "${packages[@]}"; do
        guest_apt_has "$package" && continue
        near=$(guest_apt_names "${package:0:4}" | grep -F -e "${package%%-*}" | sed -n 1,8p | paste -s -d ' ') || near= # nothing is similar
        refuse "Debian 12 has no package '$package'." ${near:+"Packages with a similar name: $near"}
    done
    name=$( (printf '%s\n' "${packages[@]}" && cat "$here/squashfs.sh" "$out"/apt/lists/*InRelease) | sha256sum | cut -c 1-24)
    squashfs=$out/packages/$name.squashfs
    [[ -e $squashfs ]] && return 0
    step "$log/packages-fetch.log" "Fetching ${packages[*]} and what they need" \
        private_apt_download "$out/apt" "${packages[@]}" ||
        fail "the packages could not be fetched; apt's messages are above." \
            "If it says that a file is not found, the lists are old: host-bridge/guest/build-guest --update renews them."
    step "$log/packages-pack.log" "Packing ${packages[*]} for the guest" _squashfs "$work/packages" ||
        fail "the packages could not be packed; see the messages above."
    mkdir -p "$out/packages"
    mv "$work/packages.versions" "$out/packages/$name.versions"
    mv "$work/packages.squashfs" "$squashfs"
}

_squashfs() {
    local folder=$1 file
    merged_root "$folder"
    private_apt_resolve "$out/apt" "${packages[@]}" >"$work/packages.list" || return
    while read -r file; do
        unpack_merged "$out/apt/archives/$file" "$folder" || return
        # shellcheck disable=SC2016 # dpkg's own placeholders
        dpkg-deb -W --showformat '${Package} ${Version}\n' "$out/apt/archives/$file" >>"$work/packages.versions" || return
    done <"$work/packages.list"
    rm -rf "$folder"/usr/share/{doc,man,locale,lintian,bug}
    link_alternatives "$folder"
    # The guest reads it while it emulates a processor: a cheap compression.
    mksquashfs "$folder" "$work/packages.squashfs" -comp lz4 -all-root -no-progress -quiet
}

# What update-alternatives would do for shared libraries (blas, lapack): a link in the loader's folder to a library
# that lies in a folder of its own.
link_alternatives() {
    local base=$1/usr/lib/x86_64-linux-gnu library name
    for library in "$base"/*/lib*.so.[0-9]*; do
        name=${library##*/}
        [[ ! -f $library || -e $base/$name ]] || ln -s "${library#"$base"/}" "$base/$name"
    done
}
