// SPDX-License-Identifier: GPL-2.0-or-later
// Files between host and guest.
#include "agent/client.hpp"
#include "agent/client_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace testcard::agent
{

namespace
{

namespace fs = std::filesystem;

constexpr std::size_t chunkBytes = 64 * 1024;

tl::unexpected<Error> localError(const fs::path &path, int number)
{
    return tl::unexpected(
        Error{ErrorKind::Local, fmt::format("{}: {}", path.native(), std::strerror(number))});
}

tl::expected<void, Error> checkPath(std::string_view path)
{
    if (!path.empty() && path.size() <= mostPathBytes && path.find('\0') == path.npos) return {};
    return tl::unexpected(Error{ErrorKind::Local, "a path in the guest that is empty or too long"});
}

/// Gives the next bytes to send, none at the end of what there is.
using Source = std::function<tl::expected<std::string_view, Error>(std::size_t most)>;

/// Writes `size` bytes of `source` into a file of the guest.
tl::expected<void, Error> putFrom(ClientState &state, const PutRequest &put, const Source &source)
{
    if (auto good = checkPath(put.path); !good) return good;
    auto begun = state.begin([&put](std::uint32_t number) { return encode(number, put); });
    if (!begun) return tl::unexpected(begun.error());
    const RequestPointer request = *begun;
    const std::string what = fmt::format("writing {} in the guest", put.path);
    const auto finish = [&](tl::expected<void, Error> result) {
        state.detach(request);
        return result;
    };
    const auto canSend = [](const Request &now) { return now.credit > 0 && now.isInputSent(); };
    for (std::uint64_t left = put.size; left > 0;) {
        if (auto waited = state.waitWithProgress(request, canSend, what); !waited)
            return finish(waited);
        const auto bytes =
            source(static_cast<std::size_t>(std::min<std::uint64_t>(left, chunkBytes)));
        if (!bytes) return finish(tl::unexpected(bytes.error()));
        if (bytes->empty())
            return finish(tl::unexpected(
                Error{ErrorKind::Local, fmt::format("{}: the host's file became shorter", what)}));
        left -= bytes->size();
        // The guest may say meanwhile that it failed; that is better than "has ended".
        if (!state.write(request, *bytes)) break;
    }
    const auto never = [](const Request &) { return false; };
    if (auto waited = state.waitWithProgress(request, never, what); !waited) return finish(waited);
    std::optional<Error> error;
    state.locked([&] { error = request->error; });
    if (error) return finish(tl::unexpected(*error));
    return finish({});
}

/// Takes the bytes of a file of the guest, on the client's thread. False: no more, please.
using Taker = std::function<bool(std::string_view bytes)>;

/// Reads a file of the guest. `taken` sees at most `limit` bytes.
tl::expected<std::uint64_t, Error> getInto(ClientState &state, std::string_view guestPath,
                                           std::uint64_t limit, Taker taken)
{
    if (auto good = checkPath(guestPath); !good) return tl::unexpected(good.error());
    const GetRequest get{limit, std::string(guestPath)};
    const std::string what = fmt::format("reading {} in the guest", guestPath);
    struct Tally {
        std::uint64_t bytes = 0;
        bool tooMany = false;
        bool refused = false;
    };
    const auto tally = std::make_shared<Tally>();
    const Sink sink = [=](OutputStream, std::span<const std::uint8_t> bytes) {
        // The guest was told the limit, but need not keep to it.
        if (tally->tooMany || tally->refused) return;
        tally->tooMany = bytes.size() > limit - tally->bytes;
        if (tally->tooMany) return;
        tally->bytes += bytes.size();
        tally->refused = !taken({reinterpret_cast<const char *>(bytes.data()), bytes.size()});
    };
    auto begun = state.begin([&get](std::uint32_t number) { return encode(number, get); }, sink);
    if (!begun) return tl::unexpected(begun.error());
    const RequestPointer request = *begun;
    const auto enough = [&](const Request &now) {
        return !now.sinkBusy && (tally->tooMany || tally->refused);
    };
    const auto waited = state.waitWithProgress(request, enough, what);
    state.detach(request); // the sink is quiet from here on
    if (!waited) return tl::unexpected(waited.error());
    if (tally->refused) return tl::unexpected(Error{ErrorKind::Local, what});
    if (tally->tooMany)
        return tl::unexpected(
            Error{ErrorKind::TooLarge, fmt::format("{}: more than {} bytes", what, limit)});
    if (request->error) return tl::unexpected(*request->error);
    if (request->done != tally->bytes)
        return tl::unexpected(
            Error{ErrorKind::Protocol, fmt::format("{}: {} bytes came, the guest's agent says {}",
                                                   what, tally->bytes, request->done.value_or(0))});
    return tally->bytes;
}

/// A file of the host that appears under its name only when it is whole.
class NewFile
{
public:
    explicit NewFile(fs::path path) : path_(std::move(path)) {}
    NewFile(const NewFile &) = delete;
    NewFile &operator=(const NewFile &) = delete;
    ~NewFile()
    {
        if (!temporary_.empty()) unlink(temporary_.c_str());
    }

    /// 0 or errno, as the other functions.
    int create()
    {
        std::error_code error;
        if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), error);
        if (error) return error.value();
        std::random_device random;
        const std::string name = fmt::format("{}.part-{:08x}", path_.native(), random());
        file_.reset(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (!file_) return errno;
        temporary_ = name;
        return 0;
    }

    int append(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const ssize_t done = write(file_.get(), bytes.data(), bytes.size());
            if (done < 0 && errno == EINTR) continue;
            if (done < 0) return errno;
            bytes.remove_prefix(static_cast<std::size_t>(done));
        }
        return 0;
    }

    int publish()
    {
        if (rename(temporary_.c_str(), path_.c_str()) != 0) return errno;
        temporary_.clear();
        return 0;
    }

private:
    fs::path path_;
    std::string temporary_;
    FileDescriptor file_;
};

} // namespace

tl::expected<void, Error> Client::put(const fs::path &hostPath, std::string_view guestPath,
                                      std::optional<unsigned> mode)
{
    const FileDescriptor file(::open(hostPath.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat info {
    };
    if (!file || fstat(file.get(), &info) != 0) return localError(hostPath, errno);
    if (!S_ISREG(info.st_mode))
        return localError(hostPath, S_ISDIR(info.st_mode) ? EISDIR : EINVAL);
    PutRequest put;
    put.mode = mode.value_or(info.st_mode) & 07777;
    put.size = static_cast<std::uint64_t>(info.st_size);
    put.path = guestPath;
    std::vector<char> chunk(chunkBytes);
    return putFrom(*state_, put, [&](std::size_t most) -> tl::expected<std::string_view, Error> {
        const ssize_t bytes = read(file.get(), chunk.data(), most);
        if (bytes < 0) return localError(hostPath, errno);
        return std::string_view(chunk.data(), static_cast<std::size_t>(bytes));
    });
}

tl::expected<void, Error> Client::putBytes(std::string_view bytes, std::string_view guestPath,
                                           unsigned mode)
{
    PutRequest put;
    put.mode = mode & 07777;
    put.size = bytes.size();
    put.path = guestPath;
    return putFrom(*state_, put, [&](std::size_t most) -> tl::expected<std::string_view, Error> {
        const std::string_view chunk = bytes.substr(0, most);
        bytes.remove_prefix(chunk.size());
        return chunk;
    });
}

tl::expected<std::uint64_t, Error> Client::get(std::string_view guestPath, const fs::path &hostPath,
                                               std::uint64_t limit)
{
    NewFile file(hostPath);
    if (const int number = file.create()) return localError(hostPath, number);
    int number = 0;
    const auto bytes = getInto(*state_, guestPath, limit, [&](std::string_view part) {
        number = file.append(part);
        return number == 0;
    });
    if (number != 0) return localError(hostPath, number);
    if (!bytes) return bytes;
    if (const int failed = file.publish()) return localError(hostPath, failed);
    return bytes;
}

tl::expected<std::string, Error> Client::getBytes(std::string_view guestPath, std::uint64_t limit)
{
    std::string text;
    const auto bytes = getInto(*state_, guestPath, limit, [&](std::string_view part) {
        text += part;
        return true;
    });
    if (!bytes) return tl::unexpected(bytes.error());
    return text;
}

} // namespace testcard::agent
