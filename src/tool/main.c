/* SPDX-License-Identifier: ISC */
/* The program `facteur`: all of it stands behind its subcommands (command.h), but for the names by
 * which the programs of a Unix machine know a mail system. */
#include "tool/command.h"
#include "tool/sendmail/sendmail.h"

int
main(int argc, char **argv)
{
    if (argc > 0 && sendmail_is_name(argv[0]))
        return sendmail_main(argc, argv);
    return command_main(argc - 1, argv + 1);
}
