/* SPDX-License-Identifier: ISC */
/* Dovecot's files as they are, old, and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "tool/files.h"
#include "tool/uidlist.h"

static const char *const names[] = {"dovecot-uidlist", "dovecot-keywords"};

static void
write_files(const char *folder, const char *uids, const char *keywords)
{
    const char *const texts[] = {uids, keywords};

    for (int i = 0; i < 2; i++) {
        char *path = files_path(folder, names[i]);
        (void)remove(path);
        FILE *file = texts[i] ? fopen(path, "w") : NULL;
        if (file) {
            assert_true(fputs(texts[i], file) >= 0);
            assert_int_equal(fclose(file), 0);
        }
        free(path);
    }
}

static void
lists_are_read_whatever_their_version(void **state)
{
    char folder[] = "/tmp/facteur-uidlist-XXXXXX";
    struct slice keywords[UIDLIST_KEYWORDS_MAX];
    struct uidlist list;

    (void)state;
    assert_non_null(mkdtemp(folder));
    write_files(folder,
                "3 V1275660208 N25022 G3085f01b7f11\n25006 W1394 :1276.M1.host,S=13:2,S\n"
                "25007 :1277.M2.host\nnonsense\n0 :1278\n99999999999 :1279\n",
                "0 $Forwarded\n1 Work\n25 last\n26 too many\nx bad\n");
    uidlist_open(&list, folder);
    assert_int_equal(list.uid_validity, 1275660208);
    assert_int_equal(uidlist_find(&list, SLICE("1276.M1.host,S=13")), 25006);
    assert_int_equal(uidlist_find(&list, SLICE("1277.M2.host")), 25007);
    assert_int_equal(uidlist_find(&list, SLICE("1278")), 0);
    assert_int_equal(uidlist_find(&list, SLICE("1279")), 0);
    assert_int_equal(uidlist_keywords(&list, SLICE("1276.M1.abc:2,FSbza"), keywords), 3);
    assert_true(slice_equal(keywords[0], SLICE("Work")));
    assert_true(slice_equal(keywords[1], SLICE("last")));
    assert_true(slice_equal(keywords[2], SLICE("$Forwarded")));
    assert_int_equal(uidlist_keywords(&list, SLICE("1276.M1.abc"), keywords), 0);
    uidlist_finish(&list);
    write_files(folder, "1 1173189136 20221\n7 1276.M1.host:2,\n8 1277.M2.host\n", NULL);
    uidlist_open(&list, folder);
    assert_int_equal(list.uid_validity, 1173189136);
    assert_int_equal(uidlist_find(&list, SLICE("1276.M1.host")), 7);
    assert_int_equal(uidlist_find(&list, SLICE("1277.M2.host")), 8);
    uidlist_finish(&list);
    static const char *const broken[] = {"",  "3", "2 V7 N8\n1 :x\n", "3 V N\n", "3 Vx\n1 :x\n",
                                         NULL};
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        write_files(folder, broken[i], "");
        uidlist_open(&list, folder);
        assert_int_equal(list.uid_validity, 0);
        assert_int_equal(uidlist_find(&list, SLICE("x")), 0);
        uidlist_finish(&list);
    }
    write_files(folder, NULL, NULL);
    assert_int_equal(rmdir(folder), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_whatever_their_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
