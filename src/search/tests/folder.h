/* SPDX-License-Identifier: ISC */
/* A folder for one test. */
#ifndef SEARCH_TESTS_FOLDER_H
#define SEARCH_TESTS_FOLDER_H

/* Makes a folder below the one for temporary files; the name lives as long as the program. */
const char *folder_make(void);
/* Removes it with the files in it. */
void folder_remove(const char *path);
/* Overwrites `count` octets of a file in it, from `offset` on. */
void folder_damage(const char *path, const char *name, long offset, int count);
/* A copy of it beside it, as it is at this moment; the name is for the caller to free. */
char *folder_copy(const char *folder);

#endif
