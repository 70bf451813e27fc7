// SPDX-License-Identifier: GPL-2.0-or-later
#include "linux/transfer.hpp"

#include "linux/file_descriptor.hpp"
#include "linux/report.hpp"

#include <climits>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <sys/prctl.h>
#include <sys/stat.h>

namespace testcard::agent
{

namespace
{

constexpr std::size_t chunkBytes = 64 * 1024;

[[noreturn]] void fail(int control, int number, const std::string &what)
{
    sendReport(control, Report::Kind::Failed, number, 0, what + ": " + std::strerror(number));
    _exit(1);
}

[[noreturn]] void succeed(int control, std::uint64_t bytes)
{
    close(STDOUT_FILENO); // all of it is in the pipe before the report
    sendReport(control, Report::Kind::Done, 0, bytes);
    _exit(0);
}

void begin(const ChildStreams &streams)
{
    adoptStreams(streams);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_NAME, "testcard-file");
    signal(SIGPIPE, SIG_DFL); // the agent does not want it any more
    umask(0);
}

/// Writes everything, or returns errno.
int writeAll(int fd, const char *bytes, std::size_t count)
{
    while (count > 0) {
        const ssize_t done = write(fd, bytes, count);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return errno;
        bytes += done;
        count -= static_cast<std::size_t>(done);
    }
    return 0;
}

/// Fills the buffer as far as the stream goes; negative errno on error.
ssize_t readAll(int fd, std::vector<char> &buffer, std::size_t most)
{
    std::size_t have = 0;
    while (have < most) {
        const ssize_t bytes = read(fd, buffer.data() + have, most - have);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0) return -errno;
        if (bytes == 0) break;
        have += static_cast<std::size_t>(bytes);
    }
    return static_cast<ssize_t>(have);
}

int makeFolder(const std::string &path, mode_t mode)
{
    if (mkdir(path.c_str(), mode) == 0) return 0;
    const int number = errno;
    struct stat info {
    };
    if (number == EEXIST && stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return 0;
    return number == EEXIST ? ENOTDIR : number;
}

/// Makes the folder and its parents, which get mode 0755. errno, and in `at` which one failed.
int makeFolders(const std::string &path, mode_t mode, std::string &at)
{
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        at = path.substr(0, slash);
        // A parent that exists is enough, even where nothing could be made (/proc, a read-only
        // disk).
        if (const int number = makeFolder(at, 0755)) return number;
    }
    at = path;
    return makeFolder(path, mode);
}

std::string parentOf(const std::string &path)
{
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos || slash == 0 ? std::string() : path.substr(0, slash);
}

/// Symbolic links are followed, so that it is their target that is replaced.
std::string resolved(const std::string &path)
{
    std::array<char, PATH_MAX> buffer{};
    return realpath(path.c_str(), buffer.data()) != nullptr ? std::string(buffer.data()) : path;
}

/// Copies standard input, exactly `size` bytes, into `fd`. A control file of the kernel wants its
/// text in one write: whole chunks are collected first.
void copyInput(int fd, std::uint64_t size, int control, const std::string &path)
{
    std::vector<char> chunk(chunkBytes);
    for (std::uint64_t left = size; left > 0;) {
        const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, chunkBytes));
        const ssize_t bytes = readAll(STDIN_FILENO, chunk, most);
        int number = 0;
        if (bytes < 0)
            number = static_cast<int>(-bytes);
        else if (bytes < static_cast<ssize_t>(most))
            number = EPIPE; // the host gave up
        else
            number = writeAll(fd, chunk.data(), most);
        if (number != 0) fail(control, number, path);
        left -= most;
    }
}

/// Writes into what exists already: a device, a control file.
[[noreturn]] void writeInPlace(const PutRequest &put, const std::string &path, int control)
{
    const FileDescriptor file(open(path.c_str(), O_WRONLY | O_TRUNC | O_NOCTTY | O_CLOEXEC));
    if (!file) fail(control, errno, put.path);
    copyInput(file.get(), put.size, control, put.path);
    succeed(control, put.size);
}

} // namespace

void readFile(const GetRequest &get, const ChildStreams &streams)
{
    begin(streams);
    const FileDescriptor file(open(get.path.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC));
    struct stat info {
    };
    if (!file || fstat(file.get(), &info) != 0) fail(streams.control, errno, get.path);
    if (S_ISDIR(info.st_mode)) fail(streams.control, EISDIR, get.path);
    const auto size = static_cast<std::uint64_t>(S_ISREG(info.st_mode) ? info.st_size : 0);
    if (size > get.limit) fail(streams.control, EFBIG, get.path);
    sendReport(streams.control, Report::Kind::File, static_cast<int>(info.st_mode & 07777), size);

    std::vector<char> chunk(chunkBytes);
    std::uint64_t total = 0;
    for (;;) {
        const ssize_t bytes = read(file.get(), chunk.data(), chunk.size());
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0) fail(streams.control, errno, get.path);
        if (bytes == 0) break;
        total += static_cast<std::uint64_t>(bytes);
        if (total > get.limit) fail(streams.control, EFBIG, get.path);
        if (writeAll(STDOUT_FILENO, chunk.data(), static_cast<std::size_t>(bytes)) != 0) _exit(1);
    }
    succeed(streams.control, total);
}

void writeFile(const PutRequest &put, const ChildStreams &streams)
{
    begin(streams);
    const std::string path = resolved(put.path);
    struct stat info {
    };
    const bool exists = stat(path.c_str(), &info) == 0;
    if (exists && S_ISDIR(info.st_mode)) fail(streams.control, EISDIR, put.path);
    if (exists && !S_ISREG(info.st_mode)) writeInPlace(put, path, streams.control);

    std::string at;
    const std::string parent = parentOf(path);
    if (!exists && !parent.empty())
        if (const int number = makeFolders(parent, 0755, at)) fail(streams.control, number, at);
    const std::string temporary = path + ".testcard-" + std::to_string(getpid());
    sendReport(streams.control, Report::Kind::Temporary, 0, 0, temporary);
    const FileDescriptor file(
        open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) {
        // Nothing can be made beside a file of sysfs, but the file itself can be written.
        if (exists) writeInPlace(put, path, streams.control);
        fail(streams.control, errno, put.path);
    }
    copyInput(file.get(), put.size, streams.control, put.path);
    if (fchmod(file.get(), put.mode) != 0 || rename(temporary.c_str(), path.c_str()) != 0)
        fail(streams.control, errno, put.path);
    succeed(streams.control, put.size);
}

void makeDirectories(const MakeDirectoryRequest &make, const ChildStreams &streams)
{
    begin(streams);
    std::string path = make.path;
    while (path.size() > 1 && path.back() == '/')
        path.pop_back();
    std::string at;
    if (const int number = makeFolders(path, make.mode, at)) fail(streams.control, number, at);
    succeed(streams.control, 0);
}

} // namespace testcard::agent
