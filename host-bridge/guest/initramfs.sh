# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # parts share variables, listed below
#
# The guest's initramfs: Debian's programs that every guest has (see the file packages), the kernel's modules that
# it needs (see the file modules), the drivers, the files of the caller and the folder rootfs beside this.
# It is not compressed, because unpacking it in an emulated guest costs more than reading it.
#
# Needs progress.sh, guest-apt.sh, kernel.sh, drivers.sh and the variables here, out, log, work and files (an
# array of HOST:GUEST).

# base_provide: sets base_root, a file system with the programs of the file packages and their libraries.
base_provide() {
    local names
    mapfile -t names < <(sed -n 's/^\([a-z][^ ]*\) .*/\1/p' "$here/packages")
    base_root=$out/base/$( (cat "$here/packages" "$here/initramfs.sh" && cat "$out"/apt/lists/*InRelease) | sha256sum | cut -c 1-16)
    [[ -e $base_root.complete ]] && return 0
    step "$log/base.log" "Fetching the guest's programs" _base_provide "$work/base" "${names[@]}" ||
        fail "the guest's programs could not be put together; see the messages above."
    mkdir -p "$out/base"
    rm -rf "$base_root"
    mv "$work/base/root" "$base_root"
    mv "$work/base/versions" "$base_root.versions"
    : >"$base_root.complete"
}

_base_provide() {
    local folder=$1 package file applet
    shift
    guest_apt_fetch "$folder/debs" "$@" || return
    merged_root "$folder/all"
    merged_root "$folder/root"
    for package in "$folder"/debs/*.deb; do
        unpack_merged "$package" "$folder/all" || return
        # shellcheck disable=SC2016 # dpkg's own placeholders
        dpkg-deb -W --showformat '${Package} ${Version}\n' "$package" >>"$folder/versions" || return
    done
    for file in $(sed -n 's/^[a-z][^ ]* *\(usr[^ ]*\) .*/\1/p' "$here/packages" | tr , ' '); do
        copy_with_libraries "$folder/all" "$folder/root" "$file" || return
    done
    find "$folder/all/usr/" -type l -lname '*/kmod' -exec cp -P -t "$folder/root/usr/sbin" {} + || return
    for file in "$folder/root/usr/sbin/"*; do ln -sfn ../bin/kmod "$file"; done
    ln -s dash "$folder/root/usr/bin/sh"
    # What kmod does better, kmod does; everything else is busybox's.
    for applet in $("$folder/root/usr/bin/busybox" --list); do
        [[ -e $folder/root/usr/sbin/$applet || -e $folder/root/usr/bin/$applet ]] ||
            ln -s busybox "$folder/root/usr/bin/$applet"
    done
}

# copy_with_libraries FROM TO FILE: copies a program, its loader and, again and again, the libraries it needs.
copy_with_libraries() {
    local from=$1 to=$2 queue=("$3") file library found
    while ((${#queue[@]})); do
        file=${queue[0]}
        queue=("${queue[@]:1}")
        [[ ! -e $to/$file ]] || continue
        [[ -e $from/$file ]] || {
            echo "No package of the list has the file $file."
            return 1
        }
        mkdir -p "$to/$(dirname "$file")"
        cp "$from/$file" "$to/$file" || return
        while read -r library; do
            if [[ $library == /* ]]; then
                found=usr${library#/usr}
            else
                found=usr/lib/x86_64-linux-gnu/$library
            fi
            queue+=("$found")
        done < <(readelf -d -l "$from/$file" 2>/dev/null |
            sed -n -e 's/.*(NEEDED).*\[\(.*\)\]/\1/p' -e 's/.*program interpreter: \(.*\)\]/\1/p')
    done
}

# initramfs_provide: sets initramfs.
initramfs_provide() {
    initramfs=$out/initramfs/$key.img
    [[ -e $initramfs ]] && return 0
    step "$log/initramfs.log" "Packing the guest's initramfs" _initramfs "$work/initramfs" ||
        fail "the initramfs could not be packed; see the messages above."
    mkdir -p "$out/initramfs"
    mv "$work/initramfs.img" "$initramfs"
}

_initramfs() {
    local folder=$1 given host guest
    mkdir -p "$folder"
    cp -a "$base_root/." "$folder/" || return
    mkdir -p "$folder"/{dev,proc,sys,run,tmp,etc/testcard,root,var/tmp}
    chmod 1777 "$folder/tmp" "$folder/var/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\n' >"$folder/etc/passwd"
    printf 'root:x:0:\ntty:x:5:\nvideo:x:44:\naudio:x:29:\n' >"$folder/etc/group"
    printf '127.0.0.1 localhost testcard\n' >"$folder/etc/hosts"
    cp -r "$here/rootfs/." "$folder/" || return
    add_modules "$folder" || return
    for given in "${files[@]}"; do
        host=${given%:*} guest=${given##*:}
        guest=$folder/${guest#/}
        mkdir -p "$(dirname "$guest")"
        # -L: what a link means here may not exist in the guest.
        cp -rL -T --preserve=mode,timestamps "$host" "$guest" || return
    done
    (cd "$folder" && find . -print0 | sort -z | cpio -0 -o -H newc -R 0:0 --quiet) >"$work/initramfs.img"
}

# add_modules FOLDER: the kernel's modules and ours, with everything that they depend on, and their index.
add_modules() {
    local folder=$1 name file target=$1/lib/modules/$kernel_version wanted=()
    printf '%s\n' "${module_names[@]}" | sed '/^$/d' >"$folder/etc/testcard/modules"
    mkdir -p "$target/updates"
    ((${#module_files[@]} == 0)) || cp "${module_files[@]}" "$target/updates/" || return
    if [[ -n $kernel_modules ]]; then
        mapfile -t wanted < <(sed -n 's/^\([a-z0-9][^ ]*\) .*/\1/p' "$here/modules")
        for file in "${module_files[@]}"; do
            mapfile -t -O "${#wanted[@]}" wanted < <(modinfo -F depends "$file" | tr ',' '\n' | sed '/^$/d')
        done
        for name in "${module_names[@]}"; do
            [[ -e $target/updates/$name.ko || -e $target/updates/${name//_/-}.ko ]] || wanted+=("$name")
        done
        while read -r file; do
            mkdir -p "$target/$(dirname "$file")"
            # Newer kernels have compressed modules; see above why this image has not.
            case $file in
            *.ko) cp "$kernel_modules/$file" "$target/$file" ;;
            *.ko.xz) xz -dc "$kernel_modules/$file" >"$target/${file%.xz}" ;;
            *) echo "The module $file is packed in a way that is not known here." && return 1 ;;
            esac || return
        done < <(module_paths "${wanted[@]}")
        cp "$kernel_modules"/modules.{order,builtin,builtin.modinfo} "$target/" || return
    fi
    depmod -b "$folder" "$kernel_version"
}

# module_paths NAME...: the files, below the modules' folder, of these modules and all that they need. A name
# that the kernel does not have is another module of ours, or built in, and has no file.
module_paths() {
    local name
    for name in "$@"; do
        modprobe -q -d "$kernel_modules/../../.." -S "$kernel_version" --show-depends "$name" 2>/dev/null || true
    done | sed -n "s|^insmod .*/lib/modules/$kernel_version/\([^ ]*\).*|\1|p" | sort -u
}
