// SPDX-License-Identifier: GPL-2.0-or-later
#include "failure.hpp"

#include <cstring>

namespace testcard::agent
{

tl::unexpected<Failure> failed(std::string what, int error)
{
    return failed(std::move(what) + ": " + std::strerror(error));
}

tl::unexpected<Failure> failed(std::string what)
{
    return tl::unexpected(Failure{ExitCode::failed, std::move(what)});
}

tl::unexpected<Failure> unsupported(std::string what)
{
    return tl::unexpected(Failure{ExitCode::unsupported, std::move(what)});
}

} // namespace testcard::agent
