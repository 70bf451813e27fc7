// SPDX-License-Identifier: GPL-2.0-or-later
#include "cards/card_spec.hpp"
#include "cards/serve.hpp"
#include "launcher/runtime_folder.hpp"
#include "scenario/attach_help.hpp"
#include "scenario/commands.hpp"
#include "scenario/exit_codes.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include <sys/un.h>
#include <unistd.h>

namespace testcard::scenario
{

namespace fs = std::filesystem;

namespace
{

int failed(int code, const std::string &message)
{
    fmt::print(stderr, "testcard: {}\n", message);
    return code;
}

/// Removes the folder that was made for sockets.
class OwnFolder
{
public:
    OwnFolder() = default;
    OwnFolder(const OwnFolder &) = delete;
    OwnFolder &operator=(const OwnFolder &) = delete;
    ~OwnFolder()
    {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }

    /// Its path; made when first asked for.
    launcher::Result<fs::path> path()
    {
        if (!path_.empty()) return path_;
        auto made = launcher::makeRuntimeFolder();
        if (made) path_ = *made;
        return made;
    }

private:
    fs::path path_;
};

/// The n-th path given, or one of that name in a folder of our own.
launcher::Result<fs::path> socketPath(const std::vector<fs::path> &given, std::size_t index,
                                      const std::string &name, OwnFolder &own)
{
    if (index < given.size()) return fs::absolute(given[index]);
    auto folder = own.path();
    if (!folder) return folder;
    return *folder / name;
}

/// Is the card's name the user's choice? Options stand behind commas, and no value holds one.
bool isNamed(const std::string &description)
{
    return description.find(",name=") != std::string::npos;
}

/// The cards described, each with a name of its own.
tl::expected<std::vector<cards::CardSpec>, std::string>
readCards(const std::vector<std::string> &descriptions)
{
    std::vector<cards::CardSpec> out;
    for (const std::string &description : descriptions) {
        auto spec = cards::parseCard(description);
        if (!spec) return tl::unexpected(spec.error().message);
        if (!isNamed(description)) spec->name += std::to_string(out.size());
        for (const cards::CardSpec &other : out)
            if (other.name == spec->name)
                return tl::unexpected(
                    fmt::format("two cards are named {}; give one another name=", spec->name));
        out.push_back(*std::move(spec));
    }
    return out;
}

/// What is wrong with the sockets that were given for this many cards; empty for nothing.
std::string whyRefused(const std::vector<fs::path> &sockets, std::size_t cards)
{
    if (sockets.size() > cards) return "there are more sockets than cards";
    // unix(7), less the end and the ".new" under which a socket waits until it listens.
    constexpr std::size_t longest_bytes = sizeof sockaddr_un{}.sun_path - 1 - 4;
    for (const fs::path &socket : sockets)
        if (const fs::path path = fs::absolute(socket); path.string().size() > longest_bytes)
            return fmt::format("socket path \"{}\" has {} bytes; it may have {}", path.string(),
                               path.string().size(), longest_bytes);
    return {};
}

/// Says on the descriptor that the launcher asked for that the sockets are there.
void tellReady()
{
    if (const char *text = std::getenv("TESTCARD_READY_FD")) {
        const int fd = std::atoi(text);
        [[maybe_unused]] const ssize_t written = write(fd, "\n", 1);
        close(fd);
    }
}

} // namespace

int serveCommand(const ServeArguments &arguments)
{
    for (const auto *sockets : {&arguments.sockets, &arguments.controls})
        if (const std::string why = whyRefused(*sockets, arguments.cards.size()); !why.empty())
            return failed(exitUsage, why);
    const auto specs = readCards(arguments.cards);
    if (!specs) return failed(exitUsage, specs.error());
    OwnFolder own;
    cards::ServeOptions options;
    options.pollFor = arguments.pollFor;
    for (std::size_t i = 0; i < specs->size(); ++i) {
        cards::ServedCard card{(*specs)[i], {}, {}};
        const auto socket = socketPath(arguments.sockets, i, card.spec.name, own);
        const auto control = socketPath(arguments.controls, i, card.spec.name + ".ctl", own);
        if (!socket) return failed(exitInfrastructure, socket.error().message);
        if (!control) return failed(exitInfrastructure, control.error().message);
        card.socket = *socket;
        card.control = *control;
        options.cards.push_back(std::move(card));
    }
    options.report = [](std::string_view line) { fmt::print(stderr, "{}\n", line); };
    options.ready = [&] {
        if (!arguments.quiet) fmt::print("{}", attachHelp(options.cards));
        std::fflush(stdout);
        tellReady();
    };
    const auto served = cards::serve(options);
    if (served) return exitPassed;
    const bool usage = served.error().kind == cards::Error::Kind::usage;
    return failed(usage ? exitUsage : exitInfrastructure, served.error().message);
}

} // namespace testcard::scenario
