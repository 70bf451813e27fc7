// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/control.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>

namespace testcard::cards
{

namespace
{

using nlohmann::json;

constexpr int protocolVersion = 1;
constexpr int deepestNesting = 16;

/// One line; bytes that are no UTF-8 are replaced, so that an answer never fails.
std::string lineOf(const json &object)
{
    return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

/// How deep the brackets of a line go, at the most: the parser would recurse as deep as it is told.
int nesting(std::string_view line)
{
    int open = 0;
    int deepest = 0;
    for (const char c : line) {
        open += (c == '{' || c == '[') - (c == '}' || c == ']');
        deepest = std::max(deepest, open);
    }
    return deepest;
}

json errorObject(std::string_view kind, std::string_view description)
{
    return {{"error", {{"class", kind}, {"desc", description}}}};
}

tl::unexpected<Error> refused(std::string message)
{
    return tl::unexpected(Error{Error::Kind::usage, std::move(message)});
}

} // namespace

ControlProtocol::ControlProtocol(std::string name, Card &card, Host host)
    : name_{std::move(name)}, card_{card}, host_{std::move(host)}
{
}

std::string ControlProtocol::greeting() const
{
    return lineOf({{"testcard", {{"protocol", protocolVersion}, {"card", name_}}}});
}

tl::expected<json, Error> ControlProtocol::execute(const json &request)
{
    if (!request.is_object()) return refused("a request is a JSON object");
    for (const auto &[key, value] : request.items())
        if (key != "execute" && key != "arguments" && key != "id")
            return refused(fmt::format("a request has execute, arguments and id, not \"{}\"", key));
    const auto command = request.find("execute");
    if (command == request.end() || !command->is_string())
        return refused("a request needs \"execute\" with the name of a command");
    const json arguments = request.value("arguments", json::object());
    if (!arguments.is_object()) return refused("\"arguments\" must be an object");

    const std::string &name = command->get_ref<const std::string &>();
    if (name != "status" && name != "stop" && name != "crash")
        return card_.execute(name, arguments);
    if (!arguments.empty()) return refused(fmt::format("\"{}\" takes no arguments", name));
    if (name == "stop") {
        host_.stop();
        return json::object();
    }
    if (name == "crash") {
        if (host_.crash) host_.crash();
        return json::object();
    }
    json status = card_.status();
    status.update(host_.status());
    return status;
}

std::string ControlProtocol::answer(std::string_view line)
{
    if (nesting(line) > deepestNesting)
        return lineOf(errorObject("GenericError", "the request is nested too deeply"));
    const json request = json::parse(line, nullptr, false);
    if (request.is_discarded()) return lineOf(errorObject("GenericError", "the line is not JSON"));
    json reply;
    if (const auto result = execute(request))
        reply = {{"return", *result}};
    else
        reply = errorObject("GenericError", result.error().message);
    if (request.is_object() && request.contains("id")) reply["id"] = request["id"];
    return lineOf(reply);
}

ControlServer::ControlServer(vfio_user::Loop &loop, ControlProtocol protocol)
    : loop_{loop}, protocol_{std::move(protocol)}
{
}

ControlServer::~ControlServer()
{
    while (!clients_.empty())
        drop(clients_.begin()->first);
    if (listener_) loop_.unwatch(listenerWatch_);
}

tl::expected<void, Error> ControlServer::listen(const std::filesystem::path &socket)
{
    auto listener = vfio_user::Listener::open(socket);
    if (!listener)
        return tl::unexpected(Error{Error::Kind::host, "control " + listener.error().message});
    listener_.emplace(std::move(*listener));
    listenerWatch_ = loop_.watch(listener_->fd(), POLLIN, [this](short) { acceptClient(); });
    return {};
}

void ControlServer::acceptClient()
{
    vfio_user::FileDescriptor fd = listener_->accept();
    if (!fd || clients_.size() >= mostClients) return; // a client too many is hung up on
    const int number = fd.get();
    auto client = std::make_unique<Client>();
    client->fd = std::move(fd);
    client->unsent = protocol_.greeting();
    client->watch = loop_.watch(number, POLLIN | POLLOUT,
                                [this, number](short events) { clientReady(number, events); });
    clients_.emplace(number, std::move(client));
}

void ControlServer::clientReady(int fd, short events)
{
    Client &client = *clients_.at(fd);
    bool alive = true;
    if (events & (POLLIN | POLLHUP | POLLERR)) alive = receive(client);
    if (alive) alive = send(client);
    if (!alive || (client.closing && client.unsent.empty())) return drop(fd);
    loop_.change(client.watch, client.unsent.empty() ? POLLIN : POLLIN | POLLOUT);
}

bool ControlServer::receive(Client &client)
{
    std::array<char, 4096> buffer;
    const ssize_t size = ::recv(client.fd.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size < 0) return errno == EAGAIN || errno == EINTR;
    if (size == 0) return false;
    if (client.closing) return true;
    client.received.append(buffer.data(), static_cast<std::size_t>(size));
    takeLines(client);
    return client.unsent.size() <= mostUnread;
}

void ControlServer::takeLines(Client &client)
{
    std::size_t end = 0;
    while ((end = client.received.find('\n')) != std::string::npos) {
        const std::string line = client.received.substr(0, end);
        client.received.erase(0, end + 1);
        if (line.find_first_not_of(" \t\r") != std::string::npos)
            client.unsent += protocol_.answer(line);
    }
    if (client.received.size() > longestLine) {
        client.unsent += lineOf(errorObject("GenericError", "the request is longer than 64 KiB"));
        client.closing = true;
    }
}

bool ControlServer::send(Client &client)
{
    while (!client.unsent.empty()) {
        const ssize_t size = ::send(client.fd.get(), client.unsent.data(), client.unsent.size(),
                                    MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        client.unsent.erase(0, static_cast<std::size_t>(size));
    }
    return true;
}

void ControlServer::drop(int fd)
{
    const auto client = clients_.find(fd);
    loop_.unwatch(client->second->watch);
    clients_.erase(client);
}

} // namespace testcard::cards
