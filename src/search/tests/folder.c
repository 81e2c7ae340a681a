/* SPDX-License-Identifier: ISC */
#include "search/tests/folder.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char path[200];

const char *
folder_make(void)
{
    const char *root = getenv("TMPDIR");

    snprintf(path, sizeof(path), "%s/facteur-search-XXXXXX", root ? root : "/tmp");
    char *made = mkdtemp(path);
    assert(made);
    return path;
}

void
folder_remove(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char name[600];

    assert(dir);
    while ((entry = readdir(dir))) {
        snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            (void)remove(name);
    }
    closedir(dir);
    (void)remove(folder);
}

void
folder_damage(const char *folder, const char *name, long offset, int count)
{
    char file_name[600];

    snprintf(file_name, sizeof(file_name), "%s/%s", folder, name);
    FILE *file = fopen(file_name, "r+");
    assert(file);
    (void)fseek(file, offset, SEEK_SET);
    for (int i = 0; i < count; i++)
        (void)fputc(0xA5, file);
    (void)fclose(file);
}

char *
folder_copy(const char *folder)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    char from_name[600], to_name[600], *copy = NULL;

    assert(dir);
    snprintf(to_name, sizeof(to_name), "%s-copy", folder);
    int made = mkdir(to_name, 0700);
    copy = strdup(to_name);
    assert(made == 0 && copy);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(from_name, sizeof(from_name), "%s/%s", folder, entry->d_name);
        snprintf(to_name, sizeof(to_name), "%s/%s", copy, entry->d_name);
        FILE *from = fopen(from_name, "r"), *to = fopen(to_name, "w");
        assert(from && to);
        for (int octet; (octet = fgetc(from)) != EOF;)
            (void)fputc(octet, to);
        (void)fclose(from);
        (void)fclose(to);
    }
    closedir(dir);
    return copy;
}
