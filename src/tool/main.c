/* SPDX-License-Identifier: ISC */
/* The program `facteur`: all of it stands behind its subcommands (command.h). */
#include "tool/command.h"

int
main(int argc, char **argv)
{
    return command_main(argc - 1, argv + 1);
}
