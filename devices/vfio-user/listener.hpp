// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// A Unix socket with a name in the file system.
#pragma once

#include "vfio-user/error.hpp"
#include "vfio-user/file_descriptor.hpp"

#include <tl/expected.hpp>

#include <filesystem>

#include <sys/types.h>

namespace testcard::vfio_user
{

/// Waits for clients at a path. The name appears when connecting works and goes with the listener,
/// unless something else has taken it by then.
class Listener
{
public:
    /// Only this user may connect. A socket of that name that nobody serves any more is replaced;
    /// anything else there is an error.
    static tl::expected<Listener, Error> open(const std::filesystem::path &path);

    Listener(Listener &&) noexcept = default;
    Listener &operator=(Listener &&) = delete;
    ~Listener();

    /// The next client, or an empty descriptor if none waits.
    FileDescriptor accept();

    int fd() const { return socket_.get(); }

private:
    Listener(FileDescriptor socket, std::filesystem::path path);

    FileDescriptor socket_;
    std::filesystem::path path_;
    dev_t device_ = 0; ///< what the name stood for when this was made
    ino_t inode_ = 0;
};

} // namespace testcard::vfio_user
