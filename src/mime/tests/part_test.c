/* SPDX-License-Identifier: ISC */
/* Part trees of whole messages, good and bad; cases D2, D3, D6. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mime/tests/tree_text.h"

#define BIT(kind) (UINT64_C(1) << MIME_DEFECT_##kind)

/* Parses text whose line ends are LF, after making them CRLF, and compares the tree. */
static void
check_tree(const char *message, const char *expected, uint64_t defects)
{
    struct arena arena;
    struct buffer octets, text;
    struct mime_tree tree;

    arena_init(&arena, 16 * 1024 * 1024);
    buffer_init(&octets, 1024 * 1024);
    buffer_init(&text, 1024 * 1024);
    for (; *message; message++)
        buffer_put(&octets, *message == '\n' ? SLICE("\r\n") : slice_of(message, 1));
    mime_tree_parse(buffer_slice(&octets), &arena, &tree);
    tree_check(&tree, buffer_len(&octets));
    tree_text_put(&text, &tree);
    if (!slice_equal(buffer_slice(&text), slice_of_string(expected)) ||
        tree.defects.kinds != defects)
        fail_msg("\n gives    %.*s (%llx)\n expected %s (%llx)", (int)buffer_len(&text),
                 (const char *)buffer_slice(&text).at, (unsigned long long)tree.defects.kinds,
                 expected, (unsigned long long)defects);
    buffer_finish(&octets);
    buffer_finish(&text);
    arena_finish(&arena);
}

#define MIXED "Content-Type: multipart/mixed; boundary=b\n\n"

static void
a_message_without_mime_is_one_text(void **state)
{
    (void)state;
    check_tree("Subject: x\n\nbody\n", "text/plain\"body\\n\"", 0);
    check_tree("Subject: x\n\n", "text/plain\"\"", 0);
    check_tree("\nbody", "text/plain\"body\"", 0);
    check_tree("", "text/plain\"\"", BIT(HEADER_UNFINISHED));
    check_tree("Subject: x", "text/plain\"\"", BIT(HEADER_UNFINISHED));
}

static void
case_d3_prologue_and_epilogue_are_ignored(void **state)
{
    (void)state;
    check_tree("MIME-Version: 1.0\n"
               "Content-type: multipart/mixed; boundary=\"une simple limite\"\n"
               "\n"
               "Ceci est le prologue.\n"
               "--une simple limite\n"
               "\n"
               "Texte implicite,\n"
               "sans saut de ligne.\n"
               "--une simple limite\n"
               "Content-type: text/plain; charset=us-ascii\n"
               "\n"
               "Texte explicite.\n"
               "\n"
               "--une simple limite--\n"
               "Ceci est l'epilogue.\n",
               "multipart/mixed(text/plain\"Texte implicite,\\nsans saut de ligne.\" "
               "text/plain\"Texte explicite.\\n\")",
               0);
}

static void
case_d2_every_multipart_and_message_is_entered(void **state)
{
    static const char *const subtypes[] = {"mixed", "alternative", "parallel", "related",
                                           "signed", "encrypted", "x-other"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(subtypes); i++) {
        char message[200], expected[200];
        snprintf(message, sizeof(message),
                 "Content-Type: multipart/%s; boundary=b\n\n--b\n\none\n--b\n"
                 "Content-Type: image/gif\n\ntwo\n--b--\n", subtypes[i]);
        snprintf(expected, sizeof(expected), "multipart/%s(text/plain\"one\" image/gif\"two\")",
                 subtypes[i]);
        check_tree(message, expected, 0);
    }
    check_tree("Content-Type: message/rfc822\n\nSubject: in\n\nbody\n",
               "message/rfc822(text/plain\"body\\n\")", 0);
    check_tree("Content-Type: message/global\n\nSubject: in\n\nbody\n",
               "message/global(text/plain\"body\\n\")", 0);
    check_tree("Content-Type: message/partial\n\nSubject: in\n\nbody\n",
               "message/partial\"Subject: in\\n\\nbody\\n\"", 0);
    check_tree("Content-Type: message/external-body\n\nContent-Type: a/b\n\n",
               "message/external-body\"Content-Type: a/b\\n\\n\"", 0);
}

static void
parts_of_a_digest_are_messages(void **state)
{
    (void)state;
    check_tree("Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: 1\n\none\n--b\n"
               "Content-Type: text/plain\n\ntwo\n--b--\n",
               "multipart/digest(message/rfc822(text/plain\"one\") text/plain\"two\")", 0);
}

static void
nested_parts_keep_their_order(void **state)
{
    (void)state;
    check_tree(MIXED "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\n1\n--c\n"
               "Content-Type: text/html\n\n2\n--c--\n\n--b\nContent-Type: message/rfc822\n\n"
               "Content-Type: multipart/mixed; boundary=d\n\n--d\n\n3\n--d--\n\n--b\n\n4\n--b--\n",
               "multipart/mixed(multipart/alternative(text/plain\"1\" text/html\"2\") "
               "message/rfc822(multipart/mixed(text/plain\"3\")) text/plain\"4\")", 0);
}

static void
an_outer_boundary_ends_what_is_inside(void **state)
{
    (void)state;
    check_tree(MIXED "--b\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\ninner\n--b\n\n"
               "outer\n--b--\n",
               "multipart/mixed(multipart/mixed(text/plain\"inner\") text/plain\"outer\")",
               BIT(MISSING_END));
    check_tree(MIXED "--b\nContent-Type: multipart/mixed; boundary=i\n\nnever\n--b--\n",
               "multipart/mixed(multipart/mixed())", BIT(NO_PARTS));
}

static void
missing_ends_are_noted_and_nothing_is_lost(void **state)
{
    (void)state;
    check_tree(MIXED "--b\n\none\n--b\n\ntwo\n",
               "multipart/mixed(text/plain\"one\" text/plain\"two\\n\")", BIT(MISSING_END));
    check_tree(MIXED "--b\n\none", "multipart/mixed(text/plain\"one\")", BIT(MISSING_END));
    check_tree(MIXED "--b", "multipart/mixed(text/plain\"\")",
               BIT(MISSING_END) | BIT(HEADER_UNFINISHED));
    check_tree(MIXED "text\n", "multipart/mixed()", BIT(NO_PARTS));
    check_tree(MIXED "--b--\n", "multipart/mixed()", BIT(NO_PARTS));
    check_tree("Content-Type: multipart/mixed\n\n--b\n\none\n--b--\n", "multipart/mixed()",
               BIT(NO_BOUNDARY));
    check_tree("Content-Type: multipart/mixed; boundary=\" \"\n\n--\n\none\n", "multipart/mixed()",
               BIT(NO_BOUNDARY));
}

static void
boundaries_may_have_blanks_behind_and_junk_is_noted(void **state)
{
    (void)state;
    check_tree(MIXED "--b \t\n\none\n--b-- \n", "multipart/mixed(text/plain\"one\")", 0);
    check_tree(MIXED "--b junk\n\none\n--b--junk\n", "multipart/mixed(text/plain\"one\")",
               BIT(BOUNDARY_TRAILING));
    check_tree(MIXED "-- b\n--a\n --b\n--b\n\none\n--b--\n",
               "multipart/mixed(text/plain\"one\")", 0);
}

static void
boundaries_that_begin_each_other_are_told_apart(void **state)
{
    (void)state;
    check_tree(MIXED "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\ninner\n--bb--\n\n"
               "--b\n\nouter\n--b--\n",
               "multipart/mixed(multipart/mixed(text/plain\"inner\") text/plain\"outer\")", 0);
    check_tree("Content-Type: multipart/mixed; boundary=bb\n\n--bb\nContent-Type: multipart/mixed;"
               " boundary=b\n\n--b\n\ninner\n--b--\n\n--bb\n\nouter\n--bb--\n",
               "multipart/mixed(multipart/mixed(text/plain\"inner\") text/plain\"outer\")", 0);
    check_tree(MIXED "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\ninner\n--b--\n\n"
               "--b\n\nouter\n--b--\n",
               "multipart/mixed(multipart/mixed(text/plain\"inner\") text/plain\"outer\")", 0);
}

static void
odd_boundaries_work(void **state)
{
    char message[3000], name[900];

    (void)state;
    memset(name, 'x', sizeof(name));
    for (size_t len = 70; len <= 900; len += 830) {
        snprintf(message, sizeof(message),
                 "Content-Type: multipart/mixed; boundary=%.*s\n\n--%.*s\n\none\n--%.*s--\n",
                 (int)len, name, (int)len, name, (int)len, name);
        check_tree(message, "multipart/mixed(text/plain\"one\")",
                   len > 70 ? BIT(BOUNDARY_LONG) : 0);
    }
    check_tree("Content-Type: multipart/mixed; boundary=\"\xC3\xA9\"\n\n--\xC3\xA9\n\none\n"
               "--\xC3\xA9--\n", "multipart/mixed(text/plain\"one\")", BIT(BOUNDARY_LONG));
    check_tree("Content-Type: multipart/mixed; boundary*0=ab; boundary*1=cd\n\n--abcd\n\none\n"
               "--abcd--\n", "multipart/mixed(text/plain\"one\")", 0);
    /* All that RFC 2046 §5.1.1 allows. */
    check_tree("Content-Type: multipart/mixed; boundary=\"'()+_,-./:?= 09azAZ\"\n\n"
               "--'()+_,-./:?= 09azAZ\n\none\n--'()+_,-./:?= 09azAZ--\n",
               "multipart/mixed(text/plain\"one\")", 0);
    check_tree("Content-Type: multipart/mixed; boundary=\"a;b\"\n\n--a;b\n\none\n--a;b--\n",
               "multipart/mixed(text/plain\"one\")", BIT(BOUNDARY_LONG));
    check_tree("Content-Type: multipart/mixed; boundary=\"---\"\n\n-----\n\none\n-------\n",
               "multipart/mixed(text/plain\"one\")", 0);
}

static void
a_boundary_ends_a_header_too(void **state)
{
    (void)state;
    check_tree(MIXED "--b\nContent-Type: text/html\n--b\n\ntwo\n--b--\n",
               "multipart/mixed(text/html\"\" text/plain\"two\")", BIT(HEADER_UNFINISHED));
    check_tree(MIXED "--b\n--b\n\ntwo\n--b--\n",
               "multipart/mixed(text/plain\"\" text/plain\"two\")", BIT(HEADER_UNFINISHED));
    check_tree(MIXED "--b\nContent-Type: message/rfc822\n\nSubject: x\n--b--\n",
               "multipart/mixed(message/rfc822(text/plain\"\"))", BIT(HEADER_UNFINISHED));
}

static void
text_where_a_header_should_be_is_the_body(void **state)
{
    (void)state;
    check_tree(MIXED "--b\nno header here\nmore of it\n--b--\n",
               "multipart/mixed(text/plain\"no header here\\nmore of it\")",
               BIT(HEADER_UNFINISHED) | BIT(HEADER));
    check_tree("just text\nof two lines\n", "text/plain\"just text\\nof two lines\\n\"",
               BIT(HEADER_UNFINISHED) | BIT(HEADER));
    check_tree("Subject: x\njust text\nand more\n\nand more\n",
               "text/plain\"just text\\nand more\\n\\nand more\\n\"", BIT(HEADER_UNFINISHED));
}

static void
encoded_composites_are_noted(void **state)
{
    (void)state;
    check_tree("Content-Transfer-Encoding: base64\n" MIXED "--b\n\none\n--b--\n",
               "multipart/mixed(text/plain\"one\")", BIT(ENCODED_COMPOSITE));
    check_tree("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDo=\n",
               "message/rfc822\"U3ViamVjdDo=\\n\"", BIT(ENCODED_COMPOSITE));
}

static struct mime_tree
parse_octets(struct arena *arena, struct slice octets)
{
    struct mime_tree tree;

    mime_tree_parse(octets, arena, &tree);
    tree_check(&tree, octets.len);
    return tree;
}

static void
bare_line_feeds_work_and_are_noted(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1024 * 1024);
    struct mime_tree tree = parse_octets(
        &arena, SLICE("Subject: x\r\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\ntwo\n"
                      "--b--\n"));
    assert_int_equal(tree.count, 2);
    assert_true(slice_equal(mime_part_body(&tree, &tree.parts[1]), SLICE("one\ntwo")));
    assert_int_equal(tree.parts[1].lines, 1);
    assert_int_equal(tree.defects.kinds, BIT(BARE_LF));
    assert_int_equal(tree.defects.items[0].offset, 53);
    arena_finish(&arena);
}

static void
all_content_fields_are_kept(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1024 * 1024);
    struct mime_tree tree = parse_octets(
        &arena, SLICE("MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
                      "Content-ID: <a@b>\r\nContent-Description: d\r\n e\r\nContent-MD5: m\r\n"
                      "Content-Language: fr, en\r\nContent-Location: l\r\n"
                      "Content-Transfer-Encoding: base64\r\nContent-ID: <again@b>\r\n"
                      "Content-Disposition: inline; filename=f\r\n\r\nx\r\n"));
    const struct mime_part *part = &tree.parts[0];
    assert_true(tree.has_mime_version);
    assert_true(slice_equal(part->id, SLICE("<a@b>")));
    assert_true(slice_equal(part->description, SLICE("d e")));
    assert_true(slice_equal(part->md5, SLICE("m")));
    assert_true(slice_equal(part->language, SLICE("fr, en")));
    assert_true(slice_equal(part->location, SLICE("l")));
    assert_true(slice_equal(part->encoding_name, SLICE("base64")));
    assert_int_equal(part->encoding, MIME_ENCODING_BASE64);
    assert_true(slice_equal(part->disposition.type, SLICE("inline")));
    assert_int_equal(tree.defects.kinds, BIT(FIELD_REPEATED));
    assert_int_equal(part->fields->count, 10);
    arena_finish(&arena);
}

/* A message of multiparts inside each other, `levels` of them, and a text inside. */
static void
put_nested(struct buffer *out, unsigned levels)
{
    for (unsigned i = 0; i < levels; i++) {
        buffer_put_text(out, "Content-Type: multipart/mixed; boundary=n");
        buffer_put_decimal(out, i);
        buffer_put_text(out, ".\r\n\r\n--n");
        buffer_put_decimal(out, i);
        buffer_put_text(out, ".\r\n");
    }
    buffer_put_text(out, "\r\ndeepest");
    for (unsigned i = levels; i-- > 0;) {
        buffer_put_text(out, "\r\n--n");
        buffer_put_decimal(out, i);
        buffer_put_text(out, ".--");
    }
}

static void
nesting_stops_at_its_limit(void **state)
{
    (void)state;
    for (unsigned levels = MIME_DEPTH_MAX; levels <= MIME_DEPTH_MAX + 1; levels++) {
        struct arena arena;
        struct buffer message;
        arena_init(&arena, 16 * 1024 * 1024);
        buffer_init(&message, 1024 * 1024);
        put_nested(&message, levels);
        struct mime_tree tree = parse_octets(&arena, buffer_slice(&message));
        assert_int_equal(tree.count, MIME_DEPTH_MAX + 1);
        const struct mime_part *deepest = &tree.parts[MIME_DEPTH_MAX];
        assert_int_equal(deepest->kind, MIME_PART_LEAF);
        if (levels == MIME_DEPTH_MAX)
            assert_true(slice_equal(mime_part_body(&tree, deepest), SLICE("deepest")));
        assert_int_equal(tree.defects.kinds, levels > MIME_DEPTH_MAX ? BIT(DEPTH_LIMIT) : 0);
        buffer_finish(&message);
        arena_finish(&arena);
    }
}

static void
parts_stop_at_their_limit(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct arena arena;
        struct buffer message;
        arena_init(&arena, 64 * 1024 * 1024);
        buffer_init(&message, 1024 * 1024);
        buffer_put_text(&message, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
        for (unsigned i = 0; i < MIME_PARTS_MAX - 1 + extra; i++)
            buffer_put_text(&message, "--b\r\n\r\nx\r\n");
        buffer_put_text(&message, "--b--\r\n");
        struct mime_tree tree = parse_octets(&arena, buffer_slice(&message));
        assert_int_equal(tree.count, MIME_PARTS_MAX);
        assert_int_equal(tree.defects.kinds, extra ? BIT(PARTS_LIMIT) : 0);
        buffer_finish(&message);
        arena_finish(&arena);
    }
}

static void
a_full_arena_cuts_the_tree(void **state)
{
    struct buffer message;

    (void)state;
    buffer_init(&message, 1024 * 1024);
    buffer_put_text(&message, "Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for (unsigned i = 0; i < 1000; i++)
        buffer_put_text(&message, "--b\r\nContent-Type: a/b; c=d\r\n\r\nx\r\n");
    for (size_t limit = 0; limit < 300 * 1024; limit += 1500) {
        struct arena arena;
        struct mime_tree tree;
        arena_init(&arena, limit);
        mime_tree_parse(buffer_slice(&message), &arena, &tree);
        if (tree.count > 0)
            tree_check(&tree, buffer_len(&message));
        assert_true(mime_defects_have(&tree.defects, MIME_DEFECT_MEMORY_LIMIT));
        arena_finish(&arena);
    }
    buffer_finish(&message);
}

/* 100 boundaries wait while each line looks like one of them: must stay in milliseconds. */
static void
many_waiting_boundaries_cost_little(void **state)
{
    struct arena arena;
    struct buffer message;

    (void)state;
    arena_init(&arena, 16 * 1024 * 1024);
    buffer_init(&message, 8 * 1024 * 1024);
    for (unsigned i = 0; i < MIME_DEPTH_MAX; i++) {
        buffer_put_text(&message, "Content-Type: multipart/mixed; boundary=aaaaaaaaaaaaaaaaa");
        buffer_put_padded(&message, i, 3);
        buffer_put_text(&message, "\r\n\r\n--aaaaaaaaaaaaaaaaa");
        buffer_put_padded(&message, i, 3);
        buffer_put_text(&message, "\r\n");
    }
    buffer_put_text(&message, "\r\n");
    for (unsigned i = 0; i < 100000; i++)
        buffer_put_text(&message, "--aaaaaaaaaaaaaaaaa\r\n");
    struct mime_tree tree = parse_octets(&arena, buffer_slice(&message));
    assert_int_equal(tree.parts[MIME_DEPTH_MAX].lines, 100000);
    buffer_finish(&message);
    arena_finish(&arena);
}

static void
the_text_to_show_is_found(void **state)
{
    static const struct {
        const char *message;
        uint32_t part;
    } rows[] = {
        {"\r\nx", 0},
        {"Content-Type: image/gif\r\n\r\nx", MIME_NO_PART},
        {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n"
         "\r\nh\r\n--b\r\n\r\np\r\n--b--", 2},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Disposition: attachment"
         "\r\n\r\na\r\n--b\r\nContent-Type: text/html\r\n\r\nh\r\n--b--", 2},
        {"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n"
         "\r\n\r\na\r\n--b\r\nContent-Type: text/calendar\r\n\r\nc\r\n--b--", 3},
        {"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/"
         "calendar\r\n\r\nc\r\n--b\r\nContent-Type: text/html\r\n\r\nh\r\n--b\r\nContent-Type: "
         "text/html\r\n\r\nagain\r\n--b--", 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena arena;
        arena_init(&arena, 1024 * 1024);
        struct mime_tree tree = parse_octets(&arena, slice_of_string(rows[i].message));
        assert_int_equal(mime_tree_find_text(&tree), rows[i].part);
        arena_finish(&arena);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_without_mime_is_one_text),
        cmocka_unit_test(case_d3_prologue_and_epilogue_are_ignored),
        cmocka_unit_test(case_d2_every_multipart_and_message_is_entered),
        cmocka_unit_test(parts_of_a_digest_are_messages),
        cmocka_unit_test(nested_parts_keep_their_order),
        cmocka_unit_test(an_outer_boundary_ends_what_is_inside),
        cmocka_unit_test(missing_ends_are_noted_and_nothing_is_lost),
        cmocka_unit_test(boundaries_may_have_blanks_behind_and_junk_is_noted),
        cmocka_unit_test(boundaries_that_begin_each_other_are_told_apart),
        cmocka_unit_test(odd_boundaries_work),
        cmocka_unit_test(a_boundary_ends_a_header_too),
        cmocka_unit_test(text_where_a_header_should_be_is_the_body),
        cmocka_unit_test(encoded_composites_are_noted),
        cmocka_unit_test(bare_line_feeds_work_and_are_noted),
        cmocka_unit_test(all_content_fields_are_kept),
        cmocka_unit_test(nesting_stops_at_its_limit),
        cmocka_unit_test(parts_stop_at_their_limit),
        cmocka_unit_test(a_full_arena_cuts_the_tree),
        cmocka_unit_test(many_waiting_boundaries_cost_little),
        cmocka_unit_test(the_text_to_show_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
