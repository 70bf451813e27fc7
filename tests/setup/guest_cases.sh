# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash disable=SC2154 # root and cases_scratch come from run and cases.sh
#
# What host-bridge/guest/build-guest promises.

guest_cases() {
    run_case "A guest without a place to make it in is bad usage" guest_without_out
    run_case "A file for the guest must exist and have an absolute path there" guest_bad_files
    run_case "An unknown package is named, with similar ones" guest_unknown_package
    run_case "An unknown kernel is named, with those that there are" guest_unknown_kernel
    run_case "A file that is no module is refused" guest_no_module
    run_case "A module for another kernel is refused, with both versions" guest_wrong_module
    run_case "A driver that does not compile shows the compiler's message" guest_broken_driver
    run_case "A kernel module by name comes with what it needs" guest_named_module
    run_case "A driver folder is built, packed and put on the list to load" guest_driver_folder
    run_case "A module replaces one of the same name that came before" guest_replaced_module
    run_case "The initramfs keeps contents, modes and folders of given files" guest_files
    run_case "The same request is answered from the cache" guest_cached
    run_case "A changed file makes another initramfs" guest_changed_file
    run_case "Two builders at once give the same answer" guest_two_at_once
    run_case "An interrupted build leaves nothing half done" guest_interrupted
    run_case "A lost image is made anew" guest_lost_image
    run_case "The kernel is an ELF file with a PVH entry" guest_kernel_is_pvh
    run_case "A kernel's file is taken as it is, packed as a bzImage it is unpacked" guest_kernel_file
    run_case "A linux-image package that somebody built brings its kernel and modules" guest_kernel_package
    run_case "A guest boots, lays packages over its files and starts its agent" guest_boots
}

cache=$root/build/guest

build_guest() {
    "$root/host-bridge/guest/build-guest" --out "$cache" "$@"
}

# A file to give to a guest, different in every call, so that no cached answer hides the work.
fresh_file() {
    printf '%s %s\n' "$EPOCHREALTIME" "$RANDOM" >"$cases_scratch/fresh"
    printf '%s\n' "$cases_scratch/fresh"
}

# value NAME TEXT: of a KEY=VALUE answer.
value() {
    sed -n "s/^$1=//p" <<<"$2"
}

guest_without_out() {
    expect_code 2 "$root/host-bridge/guest/build-guest"
    expect_contains "$output" "--out DIR is missing"
}

guest_bad_files() {
    expect_code 2 build_guest --file "$cases_scratch/absent:/etc/absent"
    expect_contains "$output" "$cases_scratch/absent, which should go into the guest, does not exist"
    expect_code 2 build_guest --file "$(fresh_file):relative"
    expect_contains "$output" "HOST:GUEST"
}

guest_unknown_package() {
    expect_code 2 build_guest --no-drivers --package alsa-utilz
    expect_contains "$output" "no package 'alsa-utilz'"
    expect_contains "$output" "alsa-utils"
    expect_code 2 build_guest --no-drivers --package qqq-resembles-nothing
    expect_contains "$output" "no package 'qqq-resembles-nothing'"
    expect_code 2 build_guest --no-drivers --package '../evil'
    expect_contains "$output" "not the name of a Debian package"
}

guest_unknown_kernel() {
    expect_code 2 build_guest --kernel 5.0.0-1-amd64
    expect_contains "$output" "no kernel '5.0.0-1-amd64'"
    expect_contains "$output" "  6.1.0-"
    expect_code 2 build_guest --kernel ./absent
    expect_contains "$output" "there is no kernel ./absent"
}

guest_no_module() {
    expect_code 2 build_guest --no-drivers --module "$(fresh_file)"
    expect_contains "$output" "is not a kernel module"
    expect_code 2 build_guest --no-drivers --module no_such_module
    expect_contains "$output" "has no module 'no_such_module'"
}

# a_driver NAME: a folder with a driver's source.
a_driver() {
    local folder=$cases_scratch/$1
    mkdir -p "$folder"
    printf 'obj-m := %s.o\n' "$1" >"$folder/Kbuild"
    cat >"$folder/$1.c" <<'SOURCE'
#include <linux/module.h>
static int __init probe_start(void)
{
	pr_info("the driver of a test says hello\n");
	return 0;
}
module_init(probe_start);
MODULE_LICENSE("GPL");
SOURCE
    printf '%s\n' "$folder"
}

guest_wrong_module() {
    local answer version other
    answer=$(build_guest --no-drivers --module "$(a_driver probe_test)")
    version=$(value KERNEL_VERSION "$answer")
    other=${version/6.1/6.9}
    sed "s/$version/$other/g" "$(compgen -G "$cache/drivers/probe_test-*/probe_test.ko" | sed -n 1p)" >"$cases_scratch/other.ko"
    expect_code 2 build_guest --no-drivers --module "$cases_scratch/other.ko"
    expect_contains "$output" "was built for Linux $other"
    expect_contains "$output" "the guest runs $version"
}

guest_broken_driver() {
    local folder
    folder=$(a_driver broken_test)
    printf 'int wrong(void) { return undeclared_thing; }\n' >>"$folder/broken_test.c"
    expect_code 2 build_guest --no-drivers --module "$folder"
    expect_contains "$output" "undeclared_thing"
    expect_contains "$output" "the driver in $folder does not build"
}

# listing ANSWER: the names in its initramfs.
listing() {
    cpio -t --quiet <"$(value INITRD "$1")"
}

# unpacked ANSWER: its initramfs, unpacked in a folder that it prints.
unpacked() {
    local folder=$cases_scratch/unpacked
    rm -rf "$folder"
    mkdir "$folder"
    (cd "$folder" && cpio -i -d --quiet) <"$(value INITRD "$1")"
    printf '%s\n' "$folder"
}

guest_named_module() {
    local answer
    answer=$(build_guest --no-drivers --module vivid)
    expect_contains "$(listing "$answer")" "/vivid.ko"
    expect_contains "$(listing "$answer")" "/v4l2-tpg.ko"
}

guest_driver_folder() {
    local answer folder
    folder=$(a_driver probe_test)
    answer=$(build_guest --no-drivers --module "$folder")
    expect_contains "$(listing "$answer")" "/updates/probe_test.ko"
    expect_equal "$(cat "$(unpacked "$answer")/etc/testcard/modules")" probe_test
    expect_equal "$(find "$folder" -type f | wc -l)" 2
}

guest_replaced_module() {
    local answer folder mine=$cases_scratch/mine
    folder=$(a_driver probe_test)
    cp -r "$folder" "$mine"
    sed -i 's/the driver of a test/my own driver/' "$mine/probe_test.c"
    answer=$(build_guest --no-drivers --module "$folder" --module "$mine")
    folder=$(unpacked "$answer")
    expect_equal "$(<"$folder/etc/testcard/modules")" probe_test
    expect_contains "$(strings "$folder"/lib/modules/*/updates/probe_test.ko)" "my own driver"
}

guest_files() {
    local answer folder given=$cases_scratch/given
    mkdir -p "$given/deep"
    printf 'content\n' >"$given/deep/file"
    printf '#!/bin/sh\n' >"$given/tool"
    chmod 750 "$given/tool"
    answer=$(build_guest --no-drivers --file "$given:/opt/given" --file "$(fresh_file):/etc/fresh")
    folder=$(unpacked "$answer")
    expect_equal "$(<"$folder/opt/given/deep/file")" content
    expect_equal "$(stat -c %a "$folder/opt/given/tool")" 750
    expect_equal "$(<"$folder/etc/fresh")" "$(<"$cases_scratch/fresh")"
}

guest_cached() {
    local first second before given
    given=$(fresh_file)
    first=$(build_guest --no-drivers --file "$given:/etc/fresh")
    before=$(stat -c %i "$(value INITRD "$first")")
    second=$(build_guest --no-drivers --file "$given:/etc/fresh")
    expect_equal "$second" "$first"
    expect_equal "$(stat -c %i "$(value INITRD "$second")")" "$before"
}

guest_changed_file() {
    local first second
    first=$(build_guest --no-drivers --file "$(fresh_file):/etc/fresh")
    second=$(build_guest --no-drivers --file "$(fresh_file):/etc/fresh")
    [[ $(value INITRD "$first") != "$(value INITRD "$second")" ]] || {
        echo "the initramfs of the old file was used"
        exit 1
    }
}

guest_two_at_once() {
    local given one=$cases_scratch/one two=$cases_scratch/two
    given=$(fresh_file)
    build_guest --no-drivers --file "$given:/etc/fresh" >"$one" 2>/dev/null &
    build_guest --no-drivers --file "$given:/etc/fresh" >"$two" 2>/dev/null
    wait $!
    expect_equal "$(<"$two")" "$(<"$one")"
    expect_contains "$(<"$one")" INITRD=
}

# A terminal's Ctrl-C reaches the whole process group while the image is packed.
guest_interrupted() {
    local given builder answer before
    given=$(fresh_file)
    before=$(find "$cache/initramfs" "$cache/answers" -type f | sort)
    env --default-signal=INT setsid "$root/host-bridge/guest/build-guest" --out "$cache" --no-drivers --file "$given:/etc/fresh" &
    builder=$!
    until compgen -G "$cache/work.*/initramfs" >/dev/null || ! kill -0 $builder 2>/dev/null; do sleep 0.01; done
    kill -INT -- "-$builder" 2>/dev/null || true
    if wait $builder; then skip_case "the build was over before it could be interrupted"; fi
    expect_equal "$(compgen -G "$cache/work.*" || true)" ""
    expect_equal "$(find "$cache/initramfs" "$cache/answers" -type f | sort)" "$before"
    answer=$(build_guest --no-drivers --file "$given:/etc/fresh")
    expect_contains "$(listing "$answer")" "etc/fresh"
}

guest_lost_image() {
    local given answer
    given=$(fresh_file)
    answer=$(build_guest --no-drivers --file "$given:/etc/fresh")
    rm "$(value INITRD "$answer")"
    answer=$(build_guest --no-drivers --file "$given:/etc/fresh")
    expect_contains "$(listing "$answer")" "etc/fresh"
}

guest_kernel_is_pvh() {
    local answer
    answer=$(build_guest --no-drivers)
    expect_contains "$(readelf -n "$(value KERNEL "$answer")" 2>/dev/null)" 0x00000012
}

# a_bzimage VMLINUX FILE: packs a kernel as its build does, without the code that a real one unpacks itself with.
# Offsets: Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header".
a_bzimage() {
    local length
    gzip -1 -c "$1" >"$2.packed"
    length=$(($(stat -c %s "$2.packed") + 4))
    {
        head -c 497 /dev/zero && printf '\1' # setup_sects: the payload's offset counts from byte 1024
        head -c 16 /dev/zero && printf 'HdrS'
        head -c 70 /dev/zero && printf '%08x' "$length" | sed 's/\(..\)\(..\)\(..\)\(..\)/\\x\4\\x\3\\x\2\\x\1/' | xargs -0 printf
        head -c 432 /dev/zero && cat "$2.packed" && printf 'size'
    } >"$2"
    rm "$2.packed"
}

# forget_kernel ANSWER: takes a kernel that was given as a file out of the cache again.
forget_kernel() {
    local folder
    folder=$(dirname "$(value KERNEL "$1")")
    [[ $folder != "$cache"/kernel/file-* ]] || rm -rf "$folder"
}

guest_kernel_file() {
    local debian answer kernel given
    debian=$(build_guest --no-drivers)
    kernel=$(value KERNEL "$debian")
    a_bzimage "$kernel" "$cases_scratch/bzImage"
    for given in "$kernel" "$cases_scratch/bzImage"; do
        answer=$(build_guest --no-drivers --kernel "$given")
        expect_contains "$(value KERNEL "$answer")" "$cache/kernel/file-"
        cmp "$(value KERNEL "$answer")" "$kernel"
        expect_equal "$(value KERNEL_VERSION "$answer")" "$(value KERNEL_VERSION "$debian")"
        expect_equal "$(value CMDLINE "$answer")" "$(value CMDLINE "$debian")"
        expect_contains "$(listing "$answer")" "usr/bin/testcard-agent"
        expect_equal "$(listing "$answer" | grep '\.ko$' || true)" "" # everything is built into a bare kernel
        forget_kernel "$answer"
    done
}

guest_kernel_package() {
    local debian answer kernel version package=$cases_scratch/package modules=lib/modules
    debian=$(build_guest --no-drivers)
    kernel=$(value KERNEL "$debian") version=$(value KERNEL_VERSION "$debian")
    mkdir -p "$package/DEBIAN" "$package/boot" "$package/$modules"
    printf '%s\n' "Package: linux-image-$version" 'Version: 1' 'Architecture: amd64' 'Maintainer: nobody' 'Description: a test' \
        >"$package/DEBIAN/control"
    a_bzimage "$kernel" "$package/boot/vmlinuz-$version"
    # The modules of a guest are enough.
    (cd "$(dirname "$kernel")/tree" && listing "$debian" | sed -n "s|^\(usr/\)\?\($modules/.*\.ko\)$|\2|p" |
        xargs cp --parents -t "$package" "$modules/$version"/modules.{order,builtin,builtin.modinfo})
    dpkg-deb -Znone -b "$package" "$cases_scratch/linux-image.deb" >/dev/null
    answer=$(build_guest --no-drivers --kernel "$cases_scratch/linux-image.deb")
    expect_contains "$(value KERNEL "$answer")" "$cache/kernel/file-"
    cmp "$(value KERNEL "$answer")" "$kernel"
    expect_equal "$(value KERNEL_VERSION "$answer")" "$version"
    expect_equal "$(listing "$answer" | grep '\.ko$')" "$(listing "$debian" | grep '\.ko$')"
    forget_kernel "$answer"
}

guest_boots() {
    local answer serial=$cases_scratch/serial
    cat >"$cases_scratch/agent" <<'SCRIPT'
#!/bin/sh
exec >/dev/console
for port; do :; done # the last argument
echo "agent on $port: $(hello --greeting=packaged) $(cat /sys/module/probe_test/initstate) $(grep -c "^root / overlay" /proc/mounts)"
poweroff -f
SCRIPT
    chmod +x "$cases_scratch/agent"
    answer=$(build_guest --no-drivers --package hello --module "$(a_driver probe_test)" --file "$cases_scratch/agent:/usr/bin/testcard-agent")
    timeout 60 "$(sed -n 's/^QEMU_BINARY=//p' "$root/build/setup/env")" -M q35 -accel tcg -m 512 -nodefaults -display none \
        -no-reboot -kernel "$(value KERNEL "$answer")" -initrd "$(value INITRD "$answer")" \
        -append "$(value CMDLINE "$answer")" -serial "file:$serial" \
        -blockdev "driver=file,read-only=on,node-name=packages,filename=$(value SQUASHFS "$answer")" \
        -device virtio-blk-pci,drive=packages \
        -chardev null,id=agent -device virtio-serial-pci -device virtserialport,chardev=agent,name=org.testcard.agent.0
    expect_contains "$(tail -n 30 "$serial")" "the driver of a test says hello"
    expect_contains "$(tail -n 30 "$serial")" "agent on /dev/virtio-ports/org.testcard.agent.0: packaged live 1"
}
