// SPDX-License-Identifier: GPL-2.0-or-later
#include "vfio-user/session.hpp"

#include "vfio-user/version.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include <poll.h>

namespace testcard::vfio_user
{

namespace
{

/// Messages served in one turn of the loop; a busy client waits for the clock and for others.
constexpr unsigned messagesPerTurn = 64;

constexpr unsigned mostReports = 100;

template <typename Structure>
void put(std::vector<std::byte> &reply, const Structure &structure)
{
    const auto bytes = std::as_bytes(std::span{&structure, 1});
    reply.assign(bytes.begin(), bytes.end());
}

} // namespace

Session::Session(Loop &loop, bus::PciFunction &function, const ServerOptions &options,
                 ServerStatistics &statistics, FileDescriptor socket)
    : loop_{loop},
      function_{function},
      options_{options},
      statistics_{statistics},
      connection_{std::move(socket)},
      maps_{function.guestMemory()},
      interrupts_{function, loop},
      regions_{function, interrupts_, options.sharedBars}
{
}

short Session::events() const
{
    return connection_.sending() ? POLLOUT : POLLIN;
}

void Session::turn()
{
    const auto now = std::chrono::steady_clock::now();
    if (now - observed_ >= options_.replyDeadline / 8) {
        connection_.observe();
        observed_ = now;
    }
    const std::size_t lost = maps_.dropLost();
    if (lost == 0) return;
    statistics_.lostMaps += lost;
    report(fmt::format("{} DMA maps dropped: the client's file shrank under them", lost));
}

bool Session::ready()
{
    if (!connection_.flush()) return false;
    Message message;
    for (unsigned count = 0; count < messagesPerTurn; ++count) {
        // A client that takes no replies gets no service: what waits for it stays one message.
        if (connection_.sending()) break;
        switch (connection_.receive(message)) {
        case Connection::Received::nothing: return true;
        case Connection::Received::closed: return false;
        case Connection::Received::violation:
            ++statistics_.violations;
            report("connection closed: what the client sent is no command");
            return false;
        case Connection::Received::message: break;
        }
        if (!serve(message) || ended_) return false;
    }
    return true;
}

/// Carries out one command and answers it. False ends the connection.
bool Session::serve(Message &message)
{
    ++statistics_.requests;
    loop_.catchUp();
    reply_.clear();
    replyFd_ = -1;
    const int error = message.tooManyFds ? EINVAL : dispatch(message);
    message.fds.clear();
    if (error != 0) {
        ++statistics_.errors;
        report(fmt::format("command {} with {} bytes refused: {}", message.header.command,
                           message.header.size, std::strerror(error)));
    }
    if (!answer(message, error)) return false;
    if (options_.pollFor.count() > 0) loop_.stayAwake(options_.pollFor);
    if (negotiated_) return true;
    ++statistics_.violations;
    report("connection closed: no version was agreed on");
    return false;
}

int Session::dispatch(Message &message)
{
    const auto command = static_cast<Command>(message.header.command);
    const bool takesFds = command == Command::dmaMap || command == Command::deviceSetIrqs;
    if (!message.fds.empty() && !takesFds) return EINVAL;
    if (command == Command::version) return negotiateVersion(message);
    if (!negotiated_) return EINVAL;
    switch (command) {
    case Command::dmaMap: return dmaMap(message);
    case Command::dmaUnmap: return dmaUnmap(message);
    case Command::deviceGetInfo: return deviceInfo(message);
    case Command::deviceGetRegionInfo: return regionInfo(message);
    case Command::deviceGetIrqInfo: return irqInfo(message);
    case Command::deviceSetIrqs: return setIrqs(message);
    case Command::regionRead: return regionRead(message);
    case Command::regionWrite: return regionWrite(message);
    case Command::regionWriteMulti: return writeMulti(message);
    case Command::deviceReset: return reset(message);
    default: return ENOTSUP;
    }
}

int Session::negotiateVersion(const Message &message)
{
    if (negotiated_) return EINVAL;
    auto agreement = negotiate(message.payload);
    if (!agreement) {
        report(agreement.error().message);
        return EINVAL;
    }
    reply_ = std::move(agreement->reply);
    clientFds_ = agreement->clientFds;
    negotiated_ = true;
    return 0;
}

int Session::dmaMap(Message &message)
{
    const auto request = exactly<DmaMap>(message.payload);
    if (!request || message.fds.size() > 1) return EINVAL;
    FileDescriptor file;
    if (!message.fds.empty()) file = std::move(message.fds.front());
    return maps_.map(*request, std::move(file));
}

int Session::dmaUnmap(const Message &message)
{
    const auto request = exactly<DmaUnmap>(message.payload);
    if (!request) return EINVAL;
    put(reply_, *request);
    return maps_.unmap(*request);
}

int Session::deviceInfo(const Message &message)
{
    const auto request = exactly<DeviceInfo>(message.payload);
    if (!request || request->argsz < sizeof *request) return EINVAL;
    put(reply_, DeviceInfo{sizeof(DeviceInfo), DeviceInfo::reset | DeviceInfo::pci,
                           RegionIndex::count, IrqIndex::count});
    return 0;
}

int Session::regionInfo(const Message &message)
{
    const auto request = exactly<RegionInfo>(message.payload);
    if (!request) return EINVAL;
    auto info = regions_.info(request->index, request->argsz, clientFds_ != 0);
    if (!info) return EINVAL;
    reply_ = std::move(info->payload);
    replyFd_ = info->fd;
    return 0;
}

int Session::irqInfo(const Message &message)
{
    const auto request = exactly<IrqInfo>(message.payload);
    if (!request || request->argsz < sizeof *request) return EINVAL;
    const auto info = interrupts_.info(request->index);
    if (!info) return EINVAL;
    put(reply_, *info);
    return 0;
}

int Session::setIrqs(Message &message)
{
    const auto request = leading<IrqSet>(message.payload);
    if (!request) return EINVAL;
    return interrupts_.set(*request, message.payload.subspan(sizeof *request),
                           std::move(message.fds));
}

int Session::regionRead(const Message &message)
{
    const auto request = exactly<RegionAccess>(message.payload);
    if (!request || request->count > Limits::transferBytes) return EINVAL;
    put(reply_, *request);
    reply_.resize(sizeof *request + request->count);
    return regions_.read(request->region, request->offset,
                         std::span{reply_}.subspan(sizeof *request));
}

int Session::regionWrite(const Message &message)
{
    const auto request = leading<RegionAccess>(message.payload);
    if (!request) return EINVAL;
    const auto data = message.payload.subspan(sizeof *request);
    if (data.size() != request->count) return EINVAL;
    put(reply_, *request);
    return regions_.write(request->region, request->offset, data);
}

/// Carries out the writes in order up to the first that is no good. The client is told the number
/// only if all were.
int Session::writeMulti(const Message &message)
{
    const auto request = leading<WriteMulti>(message.payload);
    if (!request) return EINVAL;
    auto writes = message.payload.subspan(sizeof *request);
    if (writes.size() % sizeof(SingleWrite) != 0 ||
        writes.size() / sizeof(SingleWrite) != request->count)
        return EINVAL;
    put(reply_, *request);
    for (; !writes.empty(); writes = writes.subspan(sizeof(SingleWrite))) {
        const auto write = leading<SingleWrite>(writes);
        if (write->count > sizeof write->data) return EINVAL;
        const auto data = std::span{write->data}.first(write->count);
        if (const int error = regions_.write(write->region, write->offset, data)) return error;
    }
    return 0;
}

int Session::reset(const Message &message)
{
    if (!message.payload.empty()) return EINVAL;
    function_.reset();
    interrupts_.forgetPending();
    return 0;
}

/// Sends the reply, unless the client wants none: an answer to a NO_REPLY command, even an error,
/// would be taken for that of another one. False: the client is gone.
bool Session::answer(const Message &message, int error)
{
    if (message.header.flags & Header::noReply) return true;
    const auto age = std::chrono::steady_clock::now() - message.earliest;
    if (error == 0 && !reply_.empty() && age > options_.replyDeadline) {
        // The client may have given the request up. It overlooks a bare header that nobody waits
        // for, but loses its place in the stream over a payload.
        ++statistics_.late;
        report(fmt::format("command {}: too late for an answer", message.header.command));
        error = ETIMEDOUT;
    }
    Header header{message.header.id, message.header.command, 0, Header::typeReply, 0};
    if (error == 0) return connection_.send(header, reply_, replyFd_);
    header.flags |= Header::errorFlag;
    header.error = static_cast<std::uint32_t>(error);
    return connection_.send(header, {});
}

void Session::report(std::string_view line)
{
    if (!options_.report || reports_ >= mostReports) return;
    ++reports_;
    options_.report(line);
}

} // namespace testcard::vfio_user
