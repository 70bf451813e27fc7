// SPDX-License-Identifier: GPL-2.0-or-later
#include "scenario/commands.hpp"

int main(int argc, char **argv)
{
    return testcard::scenario::commandLine(argc, argv);
}
