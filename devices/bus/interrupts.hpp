// SPDX-License-Identifier: GPL-2.0-or-later
/// \file
/// Interrupts, seen from both sides: a device knows causes, a transport knows wires and vectors.
#pragma once

namespace testcard::bus
{

/// What a device model drives. It does both, always; the function's configuration (Interrupt
/// Disable, MSI Enable, MSI-X Enable) decides what leaves the card.
class InterruptLine
{
public:
    virtual ~InterruptLine() = default;

    /// The level of the line: the OR of status AND mask. It reaches the guest as INTx.
    virtual void setLevel(bool asserted) = 0;

    /// One message for an enabled cause that has just been latched, again or for the first time.
    /// `source` numbers the device's interrupt sources from 0; the function maps it to one of the
    /// vectors that the guest allocated (source modulo their number).
    virtual void signal(unsigned source) = 0;
};

/// Where interrupts leave the card: eventfds of a VMM, or a recorder in a test.
class InterruptSink
{
public:
    virtual ~InterruptSink() = default;
    virtual void intxChanged(bool asserted) = 0;
    virtual void messageSignalled(unsigned vector) = 0;
};

} // namespace testcard::bus
