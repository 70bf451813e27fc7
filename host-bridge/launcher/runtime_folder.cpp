// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/runtime_folder.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <string>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

namespace testcard::launcher
{
namespace
{

/// libvirt's longest path below our folder is libvirt/lib/qemu/domain-NNN-<20 bytes of
/// name>/monitor.sock.
constexpr std::size_t longestBase = 32;

bool usable(const char *folder)
{
    struct stat info {
    };
    return folder != nullptr && folder[0] == '/' && strlen(folder) <= longestBase &&
           stat(folder, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() &&
           (info.st_mode & 0077) == 0 && access(folder, W_OK | X_OK) == 0;
}

} // namespace

Result<std::filesystem::path> makeRuntimeFolder()
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    const std::string base = usable(runtime) ? runtime : "/tmp";
    std::string path = base + "/testcard-XXXXXX";
    if (mkdtemp(path.data()) == nullptr)
        return failure(
            Error::Kind::host,
            fmt::format("cannot make a private folder {}: {}; make {} writable, or set "
                        "XDG_RUNTIME_DIR to a folder of your own (mode 0700, at most {} bytes)",
                        path, strerror(errno), base, longestBase));
    return path;
}

} // namespace testcard::launcher
