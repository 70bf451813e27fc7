# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # parts share variables, listed below
#
# The guest's kernel: Debian's, by version; or a package or a bare kernel that somebody built. Sets
#
#   kernel_version   what uname -r says in the guest
#   kernel_image     what QEMU's -kernel takes
#   kernel_modules   the folder lib/modules/VERSION, with the output of depmod; empty for a bare kernel
#   kernel_headers   the folder to build modules against, made on demand by kernel_need_headers
#
# Needs progress.sh, guest-apt.sh and the variables out, log and work (a scratch folder).

kernel_provide() {
    local wanted=$1
    if [[ -z $wanted ]]; then
        kernel_from_debian "$(kernel_newest)"
    elif [[ $wanted == *.deb && -f $wanted ]]; then
        kernel_from_package "$wanted"
    elif [[ -f $wanted ]]; then
        kernel_from_file "$wanted"
    elif [[ $wanted == */* || $wanted == *.deb ]]; then
        refuse "there is no kernel $wanted." "--kernel takes a Debian kernel version, a linux-image .deb or a kernel file."
    else
        kernel_from_debian "${wanted#linux-image-}"
    fi
}

# The version that Debian's package linux-image-amd64 stands for.
kernel_newest() {
    local package
    package=$(guest_apt_depends linux-image-amd64 '^linux-image-[0-9]' | sed -n 1p)
    printf '%s\n' "${package#linux-image-}"
}

kernel_from_debian() {
    kernel_version=$1
    local folder=$out/kernel/$kernel_version
    if [[ ! -e $folder/complete ]]; then
        guest_apt_has "linux-image-$kernel_version" ||
            refuse "Debian 12 has no kernel '$kernel_version'." "It has:" \
                "$(guest_apt_names linux-image- | sed -n 's/^linux-image-\([0-9].*-amd64\)$/  \1/p')"
        step "$log/kernel-fetch.log" "Fetching the kernel $kernel_version" \
            guest_apt_fetch "$work/kernel-deb" "linux-image-$kernel_version" ||
            fail "the kernel could not be fetched; apt's messages are above."
        kernel_unpack "$(compgen -G "$work/kernel-deb/*.deb")" "$folder"
    fi
    kernel_use "$folder"
}

kernel_from_package() {
    local folder
    folder=$out/kernel/file-$(sha256sum "$1" | cut -c 1-16)
    [[ -e $folder/complete ]] || kernel_unpack "$1" "$folder"
    kernel_use "$folder"
}

# A bare kernel must have what a guest needs built in: virtio over PCI, its console, ELF and initramfs.
kernel_from_file() {
    local folder
    folder=$out/kernel/file-$(sha256sum "$1" | cut -c 1-16)
    if [[ ! -e $folder/complete ]]; then
        mkdir -p "$work/kernel"
        kernel_extract "$1" "$work/kernel/vmlinux"
        strings -a "$work/kernel/vmlinux" | sed -n 's/^Linux version \([^ ]*\) .*/\1/p' |
            sed -n 1p >"$work/kernel/version"
        kernel_keep "$folder"
    fi
    kernel_use "$folder"
}

# kernel_unpack DEB FOLDER: the image, uncompressed, and the modules of a linux-image package.
kernel_unpack() {
    mkdir -p "$work/kernel/tree"
    step "$log/kernel-unpack.log" "Unpacking the kernel" _kernel_unpack "$1" "$work/kernel" ||
        refuse "$1 could not be unpacked as a kernel; see the messages above."
    kernel_keep "$2"
}

_kernel_unpack() {
    local package=$1 folder=$2 image version
    dpkg-deb -x "$package" "$folder/tree" || return
    image=$(compgen -G "$folder/tree/boot/vmlinuz-*" | sed -n 1p)
    [[ -f $image ]] || {
        echo "There is no boot/vmlinuz-VERSION in it."
        return 1
    }
    version=${image##*/vmlinuz-}
    printf '%s\n' "$version" >"$folder/version"
    # Newer packages have their modules below usr.
    if [[ -d $folder/tree/usr/lib/modules ]]; then
        mkdir -p "$folder/tree/lib"
        mv "$folder/tree/usr/lib/modules" "$folder/tree/lib/modules"
    fi
    [[ ! -d $folder/tree/lib/modules/$version ]] || depmod -b "$folder/tree" "$version" || return
    kernel_extract "$image" "$folder/vmlinux" || return
    rm -rf "$folder/tree/boot" "$folder/tree/usr"
}

kernel_keep() {
    : >"$work/kernel/complete"
    mkdir -p "$out/kernel"
    rm -rf "$1"
    mv "$work/kernel" "$1"
}

kernel_use() {
    kernel_version=$(<"$1/version")
    kernel_image=$1/vmlinux
    kernel_modules=$1/tree/lib/modules/$kernel_version
    [[ -d $kernel_modules ]] || kernel_modules=
}

# kernel_extract IMAGE VMLINUX: takes the ELF file out of a compressed x86 image, because unpacking Debian's XZ
# inside an emulated guest takes longer than all the rest of its boot. QEMU starts an ELF kernel by its PVH
# entry; an image without one, or packed in another way, is used as it is.
# Offsets: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
kernel_extract() {
    local image=$1 vmlinux=$2 sectors offset length magic unpack
    cp "$image" "$vmlinux.new" || return
    if [[ $(od -An -c -j 514 -N 4 "$image" | tr -d ' ') == HdrS ]]; then
        sectors=$(od -An -tu1 -j 497 -N 1 "$image")
        offset=$(((${sectors// /} + 1) * 512 + $(od -An -tu4 -j 584 -N 4 "$image")))
        length=$(od -An -tu4 -j 588 -N 4 "$image")
        magic=$(od -An -tx1 -j "$offset" -N 4 "$image" | tr -d ' ')
        case $magic in
        fd377a58) unpack=(xz -dc --single-stream) ;;
        28b52ffd) unpack=(zstd -dcq) ;;
        1f8b*) unpack=(gzip -dc) ;;
        *) unpack=(false) ;;
        esac
        # The last four bytes of the payload are its size, not part of the stream.
        tail -c +$((offset + 1)) "$image" | head -c $((length - 4)) >"$vmlinux.packed" || true
        # Note type 18 of Xen is the 32-bit PVH entry.
        if "${unpack[@]}" <"$vmlinux.packed" >"$vmlinux.elf" &&
            [[ $(readelf -n "$vmlinux.elf" 2>/dev/null) == *0x00000012* ]]; then
            mv "$vmlinux.elf" "$vmlinux.new"
        else
            echo "$image holds no kernel with a PVH entry that this can unpack: it will boot the long way."
        fi
        rm -f "$vmlinux.elf" "$vmlinux.packed"
    fi
    mv "$vmlinux.new" "$vmlinux"
}

# ---------------------------------------------------------------- headers

# Debian's headers for kernel_version, unpacked and made to find each other where they lie.
kernel_need_headers() {
    local folder=$out/headers/$kernel_version
    kernel_headers=$folder/usr/src/linux-headers-$kernel_version
    [[ -e $folder/complete ]] && return 0
    guest_apt_has "linux-headers-$kernel_version" ||
        fail "Debian 12 has no headers for the kernel $kernel_version, so no driver can be built for it." \
            "Give the drivers ready built (--module FILE.ko) and leave ours out (--no-drivers), or use a Debian kernel."
    step "$log/headers.log" "Fetching the headers of the kernel $kernel_version" _kernel_headers "$work/headers" ||
        fail "the kernel's headers could not be fetched; see the messages above."
    mkdir -p "$out/headers"
    rm -rf "$folder"
    mv "$work/headers" "$folder"
}

_kernel_headers() {
    local folder=$1 parts package makefile
    mapfile -t parts < <(guest_apt_depends "linux-headers-$kernel_version" '^linux-(headers-.*-common|kbuild-)')
    guest_apt_fetch "$work/headers-deb" "linux-headers-$kernel_version" "${parts[@]}" || return
    mkdir -p "$folder"
    for package in "$work"/headers-deb/*.deb; do dpkg-deb -x "$package" "$folder" || return; done
    makefile=$folder/usr/src/linux-headers-$kernel_version/Makefile
    sed -i 's|^include /usr/src/|include ../|' "$makefile" || return
    : >"$folder/complete"
}
