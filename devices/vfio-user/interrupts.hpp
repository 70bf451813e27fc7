// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// The client's event descriptors: where INTx, MSI and MSI-X of the function go.
#pragma once

#include "bus/pci_function.hpp"
#include "vfio-user/file_descriptor.hpp"
#include "vfio-user/loop.hpp"
#include "vfio-user/protocol.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace testcard::vfio_user
{

/// Turns what the function signals into writes to the client's eventfds, as DEVICE_SET_IRQS says.
///
/// INTx is a level: after each signal it masks itself until the client unmasks it, by command or by
/// an eventfd (KVM's resample descriptor), and is signalled again if it is still asserted. A
/// message for a vector that has no eventfd yet is latched: the client takes all vectors away and
/// assigns them again in chunks while the guest's driver runs.
class Interrupts final : public bus::InterruptSink
{
public:
    Interrupts(bus::PciFunction &function, Loop &loop);
    Interrupts(const Interrupts &) = delete;
    Interrupts &operator=(const Interrupts &) = delete;
    ~Interrupts() override;

    /// What DEVICE_GET_IRQ_INFO answers; nothing for an index that does not exist.
    std::optional<IrqInfo> info(std::uint32_t index) const;

    /// DEVICE_SET_IRQS. Returns 0 or the errno for the reply; after an error, nothing has changed.
    int set(const IrqSet &request, std::span<const std::byte> data,
            std::vector<FileDescriptor> fds);

    /// Forgets latched messages of MSI and MSI-X unless the function's configuration still uses
    /// them: a message that the guest has switched off is never delivered.
    void configurationWritten();

    /// Forgets all latched messages.
    void forgetPending();

    /// The pending bit of an MSI-X vector.
    bool pending(unsigned vector) const;

private:
    struct Vector {
        FileDescriptor eventfd;
        bool pending = false;
    };

    void intxChanged(bool asserted) override;
    void messageSignalled(unsigned vector) override;

    int checked(const IrqSet &request, std::size_t dataBytes, std::size_t fds) const;
    void assign(std::uint32_t index, std::uint32_t number, FileDescriptor eventfd);
    void disableAll(std::uint32_t index);
    void trigger(std::uint32_t index, std::uint32_t number);
    void setMasked(bool masked);
    void setUnmaskEvent(FileDescriptor eventfd);
    void signalIntx();

    bus::PciFunction &function_;
    Loop &loop_;
    std::array<std::vector<Vector>, IrqIndex::count> vectors_;
    bool asserted_ = false; ///< the INTx level
    bool masked_ = false;   ///< INTx only
    FileDescriptor unmaskEvent_;
    Loop::WatchId unmaskWatch_ = 0;
};

} // namespace testcard::vfio_user
