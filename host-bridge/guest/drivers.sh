# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2034,SC2154 # parts share variables, listed below
#
# Kernel modules that are not the kernel's own: ours, from guest-drivers/linux, and those that a scenario
# names, as a .ko file, as a folder to build or as the name of a module of the kernel.
#
# Needs progress.sh, kernel.sh and the variables root, out, log and work. Adds to the arrays
#
#   module_files   .ko files to put into the guest
#   module_names   what the guest loads, in order

module_files=()
module_names=()

# Every folder of guest-drivers/linux with a Kbuild file is a driver.
drivers_ours() {
    local kbuild
    for kbuild in "$root"/guest-drivers/linux/*/Kbuild; do
        [[ ! -f $kbuild ]] || driver_build "$(dirname "$kbuild")" "$root"
    done
}

# What our drivers are made of: their folders and the register contracts that they include.
drivers_ours_inputs() {
    find "$root/guest-drivers/linux" "$root/devices" -type f \
        \( -path "$root/guest-drivers/linux/*" -o -name '*_regs.h' \) \
        \( -name '*.[ch]' -o -name Kbuild -o -name Makefile \) ! -name '*.mod.c' | sort
}

# driver_build FOLDER TREE: builds the modules in FOLDER in a copy, so that the source stays clean and two
# kernels do not meet. TREE is the root of the source tree when FOLDER is one of ours and includes
# files of other folders in it, else FOLDER itself.
driver_build() {
    local folder=$1 tree=$2 name key built file inputs=()
    # Type information for BPF would need pahole, and the whole kernel with its symbols.
    local flags=(CONFIG_DEBUG_INFO_BTF_MODULES=)
    name=$(basename "$folder")
    if [[ $tree == "$root" ]]; then
        mapfile -t inputs < <(drivers_ours_inputs)
        flags+=(W=1 KCFLAGS=-Werror)
    else
        mapfile -t inputs < <(find "$folder" -type f ! -name '*.o' ! -name '*.ko' ! -name '*.mod*' ! -name '.*' | sort)
    fi
    key=$( (printf '%s %s\n' "$kernel_version" "$folder" && sha256sum "${inputs[@]}") | sha256sum | cut -c 1-16)
    built=$out/drivers/$name-$key
    if [[ ! -e $built/complete ]]; then
        kernel_need_headers
        rm -rf "$work/driver"
        mkdir -p "$work/driver/source"
        for file in "${inputs[@]}"; do
            mkdir -p "$work/driver/source/$(dirname "${file#"$tree"/}")"
            cp "$file" "$work/driver/source/${file#"$tree"/}"
        done
        local source=$work/driver/source
        [[ $folder == "$tree" ]] || source+=/${folder#"$tree"/}
        step "$log/driver-$name.log" "Building the driver $name for Linux $kernel_version" \
            make -j "$(nproc)" -C "$kernel_headers" M="$source" "${flags[@]}" modules ||
            refuse "the driver in $folder does not build; the compiler's messages are above."
        cp "$source"/*.ko "$work/driver/" ||
            refuse "building $folder made no .ko file." "Does its Kbuild or Makefile say obj-m := NAME.o?"
        rm -rf "$work/driver/source"
        : >"$work/driver/complete"
        mkdir -p "$out/drivers"
        rm -rf "$built"
        mv "$work/driver" "$built"
    fi
    touch "$built" # the builder keeps what was used last
    for file in "$built"/*.ko; do driver_add "$file"; done
}

# driver_given WHAT: a module that the caller names.
driver_given() {
    local given=$1
    if [[ -d $given ]]; then
        [[ -f $given/Kbuild || -f $given/Makefile ]] ||
            refuse "the folder $given holds no driver: it has neither a Kbuild nor a Makefile."
        given=$(cd "$given" && pwd -P)
        driver_build "$given" "$given"
    elif [[ -f $given ]]; then
        driver_add "$given"
    elif [[ $given == */* || $given == *.ko ]]; then
        refuse "there is no module $given." "--module takes a .ko file, a folder with a Kbuild, or the name of a kernel module."
    else
        modprobe -q -d "$kernel_modules/../../.." -S "$kernel_version" --show-depends "$given" >/dev/null 2>&1 ||
            refuse "Linux $kernel_version has no module '$given'." "--module takes a .ko file, a folder with a Kbuild, or the name of a kernel module."
        module_names+=("$given")
    fi
}

# driver_add FILE: takes a .ko file that fits the kernel. It replaces an earlier one of the same file name, so that
# people can try their version of a driver of ours.
driver_add() {
    local magic index
    magic=$(modinfo -F vermagic "$1" 2>/dev/null | cut -d ' ' -f 1) || magic=
    [[ -n $magic ]] || refuse "$1 is not a kernel module."
    [[ $magic == "$kernel_version" ]] ||
        refuse "$1 was built for Linux $magic, and the guest runs $kernel_version." \
            "Build it against the headers of $kernel_version, or choose that kernel with --kernel."
    for index in "${!module_files[@]}"; do
        if [[ ${module_files[index]##*/} == "${1##*/}" ]]; then
            module_files[index]=$1
            return
        fi
    done
    module_files+=("$1")
    module_names+=("$(modinfo -F name "$1")")
}
