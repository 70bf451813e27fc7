// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/card_process.hpp"

#include "scenario/control_client.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <csignal>
#include <mutex>

namespace testcard::scenario
{

namespace
{

using nlohmann::json;

class ServedCard final : public CardProcess
{
public:
    ServedCard(launcher::Session &session, const std::filesystem::path &program,
               const std::string &name, const std::string &description,
               const std::filesystem::path &log)
        : session_(session),
          socket_(session.folder() / name),
          control_(session.folder() / (name + ".ctl"))
    {
        options_.name = fmt::format("card {}", name);
        options_.argv = {program.string(), "serve",     description,       "--socket",
                         socket_.string(), "--control", control_.string(), "--quiet"};
        options_.log = log;
        options_.readyByDescriptor = true;
    }

    Result<void> start(std::chrono::milliseconds limit)
    {
        auto child = session_.spawn(options_);
        if (!child) return failure(Cause::infrastructure, child.error().message);
        const auto ready = (*child)->waitReady(limit, &session_.interrupt());
        if (!ready) {
            const bool stopped = ready.error().kind == launcher::Error::Kind::interrupted;
            return failure(stopped ? Cause::interrupted : Cause::infrastructure,
                           ready.error().message);
        }
        const std::lock_guard lock(mutex_);
        child_ = *std::move(child);
        killed_ = false;
        return {};
    }

    const std::filesystem::path &socket() const override { return socket_; }

    Result<void> setSignal(const SetSignal &signal, std::chrono::milliseconds limit) override
    {
        json arguments = json::object();
        if (signal.present) arguments["present"] = *signal.present;
        if (signal.locked) arguments["locked"] = *signal.locked;
        if (signal.inRange) arguments["in-range"] = *signal.inRange;
        if (!signal.timings.empty()) arguments["timings"] = signal.timings;
        auto answer = askCard(control_, "set-signal", arguments, limit);
        if (!answer) return failure(Cause::infrastructure, std::move(answer.error()));
        return {};
    }

    Result<Metrics> status(std::chrono::milliseconds limit) override
    {
        auto answer = askCard(control_, "status", json(), limit);
        if (!answer) return failure(Cause::infrastructure, std::move(answer.error()));
        auto metrics = Metrics::parse(answer->dump(-1, ' ', false, json::error_handler_t::replace));
        if (!metrics) return failure(Cause::infrastructure, "the card's status is no object");
        return *std::move(metrics);
    }

    void kill() override
    {
        {
            const std::lock_guard lock(mutex_);
            killed_ = true;
            child_->signal(SIGCONT); // a paused card could not hear
        }
        // It hangs up on QEMU before it dies, as host-bridge/cards/README.md tells; there is no
        // answer.
        constexpr std::chrono::milliseconds patience{500};
        (void)askCard(control_, "crash", json(), patience);
        const std::lock_guard lock(mutex_);
        child_->signal(SIGKILL);
        constexpr std::chrono::milliseconds limit{5000};
        (void)child_->wait(limit, nullptr); // SIGKILL cannot be refused
    }

    void pause() override { signal(SIGSTOP); }
    void resume() override { signal(SIGCONT); }

    Result<void> restart(std::chrono::milliseconds limit) override
    {
        std::error_code ignored; // what the killed process could not remove
        std::filesystem::remove(socket_, ignored);
        std::filesystem::remove(control_, ignored);
        return start(limit);
    }

    std::optional<std::string> unexpectedEnd() override
    {
        const std::lock_guard lock(mutex_);
        if (killed_ || !child_) return {};
        const auto status = child_->status();
        if (!status) return {};
        const std::string tail = child_->logTail();
        return fmt::format("{}{}{}", status->describe(), tail.empty() ? "" : ": ", tail);
    }

private:
    void signal(int number)
    {
        const std::lock_guard lock(mutex_);
        child_->signal(number);
    }

    launcher::Session &session_;
    launcher::ChildOptions options_;
    std::filesystem::path socket_;
    std::filesystem::path control_;

    std::mutex mutex_; ///< the watch asks from its own thread
    std::unique_ptr<launcher::ChildProcess> child_;
    bool killed_ = false;
};

} // namespace

Result<std::unique_ptr<CardProcess>>
serveCard(launcher::Session &session, const std::filesystem::path &program, const std::string &name,
          const std::string &description, const std::filesystem::path &log)
{
    constexpr std::chrono::milliseconds limit{10'000};
    auto card = std::make_unique<ServedCard>(session, program, name, description, log);
    if (auto started = card->start(limit); !started) return tl::unexpected(started.error());
    return card;
}

} // namespace testcard::scenario
