// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/bench.hpp"

namespace testcard::scenario
{

Failure failureOf(const launcher::Error &error)
{
    const bool interrupted = error.kind == launcher::Error::Kind::interrupted;
    return {interrupted ? Cause::interrupted : Cause::infrastructure, error.message};
}

} // namespace testcard::scenario
