/* SPDX-License-Identifier: ISC */
/* The file's tokens, where libconfuse does not tell enough of them. Private to the room. */
#ifndef CONFIG_SCAN_H
#define CONFIG_SCAN_H

/* libconfuse 3.3 counts the line of a remark twice or thrice, and then errors name wrong lines:
 * blanks come in their place. */
void config_blank_remarks(char *string);

#endif
