/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dkim/sign.h"
#include "text/base64.h"

struct scene {
    struct dkim_collection collection;
    struct buffer names, fields, author;
    struct dkim_content content;
    struct buffer asked; /* what was to be signed */
};

static void
open_scene(struct scene *scene)
{
    *scene = (struct scene){0};
    dkim_collection_begin(&scene->collection);
    buffer_init(&scene->names, DKIM_NAMES_MAX);
    buffer_init(&scene->fields, DKIM_HEADER_MAX);
    buffer_init(&scene->author, DKIM_AUTHOR_MAX);
    buffer_init(&scene->asked, 1 << 17);
}

static void
close_scene(struct scene *scene)
{
    dkim_collection_finish(&scene->collection);
    buffer_finish(&scene->names);
    buffer_finish(&scene->fields);
    buffer_finish(&scene->author);
    buffer_finish(&scene->asked);
}

static bool
sign(void *context, struct slice text, struct buffer *ret_signature)
{
    struct scene *scene = context;

    buffer_clear(&scene->asked);
    buffer_put(&scene->asked, text);
    for (size_t i = 0; i < 64; i++)
        buffer_put_byte(ret_signature, (uint8_t)i);
    return true;
}

static const char letter[] = "Received: somewhere\r\n"
                             "FROM : Joe <joe@Football.Example.Com>\r\n"
                             "To: Suzie\r\n <suzie@shopping.example.net>\r\n"
                             "Subject:  Is dinner  ready?\r\n"
                             "Comments: no\r\nSender: a\r\nSender: b\r\n"
                             "\r\n"
                             "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

/* As RFC 6376 appendix A.2 has it for this body. */
static const char letter_body_hash[] = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";

static void
what_is_signed_does_not_depend_on_the_way_of_cutting(void **state)
{
    struct slice text = slice_of_string(letter);
    struct slice names = SLICE("from:from:to:to:cc:subject:subject:date:message-id:reply-to:"
                               "in-reply-to:references:mime-version:content-type:"
                               "content-transfer-encoding:sender:sender");
    struct slice fields = SLICE("from:Joe <joe@Football.Example.Com>\r\n"
                                "to:Suzie <suzie@shopping.example.net>\r\n"
                                "subject:Is dinner ready?\r\nsender:b\r\nsender:a\r\n");
    uint8_t body_hash[TLS_SHA256_SIZE] = {0};

    (void)state;
    for (size_t cut = 0; cut <= text.len; cut++) {
        struct scene scene;
        open_scene(&scene);
        dkim_collection_take(&scene.collection, slice_first(text, cut));
        dkim_collection_take(&scene.collection, slice_skip(text, cut));
        assert_true(dkim_collection_author(&scene.collection, &scene.author));
        assert_true(slice_equal(buffer_slice(&scene.author), SLICE("joe@football.example.com")));
        assert_true(
            dkim_collection_end(&scene.collection, &scene.names, &scene.fields, &scene.content));
        assert_true(slice_equal(scene.content.names, names));
        assert_true(slice_equal(scene.content.fields, fields));
        if (cut == 0)
            memcpy(body_hash, scene.content.body_hash, sizeof(body_hash));
        assert_memory_equal(scene.content.body_hash, body_hash, sizeof(body_hash));
        close_scene(&scene);
    }
    struct buffer text_of_hash;
    buffer_init(&text_of_hash, 64);
    base64_format(slice_of(body_hash, sizeof(body_hash)), &text_of_hash);
    assert_true(slice_equal(buffer_slice(&text_of_hash), slice_of_string(letter_body_hash)));
    buffer_finish(&text_of_hash);
}

static bool
has_author(const char *header)
{
    struct scene scene;

    open_scene(&scene);
    dkim_collection_take(&scene.collection, slice_of_string(header));
    bool has_one = dkim_collection_author(&scene.collection, &scene.author);
    close_scene(&scene);
    return has_one;
}

static void
an_author_is_one(void **state)
{
    (void)state;
    assert_true(has_author("From: a@x.test\r\n\r\n"));
    assert_true(has_author("From: John Q. Public <a@x.test>\r\n\r\n"));
    assert_false(has_author("From: a@x.test, b@x.test\r\n\r\n"));
    assert_false(has_author("From: Some: a@x.test;\r\n\r\n"));
    assert_false(has_author("From: a@y.test <a@x.test>\r\n\r\n"));
    assert_false(has_author("From: <a@y.test@x.test>\r\n\r\n"));
    assert_false(has_author("From: a@x.test, b@y.test\r\n\r\n"));
    assert_false(has_author("From: a@x.test\r\nfrom: a@x.test\r\n\r\n"));
    assert_false(has_author("From: nobody\r\n\r\n"));
    assert_false(has_author("To: a@x.test\r\n\r\nFrom: a@x.test\r\n"));
    assert_false(has_author("\r\nFrom: a@x.test\r\n"));
    assert_false(has_author(""));
}

static void
a_header_has_a_limit(void **state)
{
    (void)state;
    for (size_t more = 0; more < 2; more++) {
        struct scene scene;
        open_scene(&scene);
        struct slice head = SLICE("From: a@x.test\r\nX:");
        dkim_collection_take(&scene.collection, head);
        for (size_t i = 0; i < DKIM_HEADER_MAX - head.len - 4 + more; i++)
            dkim_collection_take(&scene.collection, SLICE("x"));
        dkim_collection_take(&scene.collection, SLICE("\r\n\r\nbody"));
        assert_int_equal(dkim_collection_author(&scene.collection, &scene.author), more == 0);
        assert_int_equal(
            dkim_collection_end(&scene.collection, &scene.names, &scene.fields, &scene.content),
            more == 0);
        close_scene(&scene);
    }
}

/* What is read of a header is counted: time would say the same, on a machine at rest. */
static unsigned fields_read;
bool __wrap_dkim_take_field(struct cursor *header, struct slice *ret_field);
bool __real_dkim_take_field(struct cursor *header, struct slice *ret_field);

bool
__wrap_dkim_take_field(struct cursor *header, struct slice *ret_field)
{
    fields_read++;
    return __real_dkim_take_field(header, ret_field);
}

/* From twice, To for each and once more, the others: as many as DKIM_NAMES_MAX has room for. */
static void
thousands_of_fields_of_a_name_are_signed_from_the_bottom_up(void **state)
{
    static const unsigned counts[] = {1000, 2000};
    char line[32];

    (void)state;
    for (size_t k = 0; k < COUNT_OF(counts); k++) {
        struct scene scene;
        open_scene(&scene);
        dkim_collection_take(&scene.collection, SLICE("From: a@x.test\r\n"));
        for (unsigned i = 0; i < counts[k]; i++) {
            snprintf(line, sizeof(line), "To: %u\r\nX:\r\n", i);
            dkim_collection_take(&scene.collection, slice_of_string(line));
        }
        dkim_collection_take(&scene.collection, SLICE("\r\nbody"));
        fields_read = 0;
        assert_int_equal(
            dkim_collection_end(&scene.collection, &scene.names, &scene.fields, &scene.content),
            counts[k] == 1000);
        assert_int_equal(fields_read, 2 * counts[k] + 2); /* each once, and the end */
        assert_true(slice_starts_with(buffer_slice(&scene.fields),
                                      SLICE("from:a@x.test\r\nto:")));
        snprintf(line, sizeof(line), "to:%u\r\nto:%u\r\n", counts[k] - 1, counts[k] - 2);
        assert_true(slice_find(buffer_slice(&scene.fields), slice_of_string(line)) ==
                    strlen("from:a@x.test\r\n"));
        close_scene(&scene);
    }
}

static void
the_field_has_what_was_signed_and_short_lines(void **state)
{
    struct scene scene;
    struct buffer field;
    struct dkim_wish wish = {.record_name = SLICE("a.b._domainkey.football.example.com"),
                             .algorithm = DKIM_ED25519_SHA256,
                             .time_s = 1528637909};

    (void)state;
    open_scene(&scene);
    buffer_init(&field, DKIM_FIELD_MAX);
    dkim_collection_take(&scene.collection, slice_of_string(letter));
    assert_true(
        dkim_collection_end(&scene.collection, &scene.names, &scene.fields, &scene.content));
    wish.content = &scene.content;
    assert_true(dkim_field_put(&wish, sign, &scene, &field));
    struct slice text = buffer_slice(&field);
    assert_true(slice_find(text, SLICE("\td=football.example.com;\r\n\ts=a.b; t=1528637909;\r\n")) <
                text.len);
    for (size_t at = 0; at < text.len;) {
        size_t line = slice_find(slice_skip(text, at), SLICE("\r\n"));
        assert_true(line <= 78);
        at += line + 2;
    }
    struct slice asked = buffer_slice(&scene.asked);
    assert_true(slice_starts_with(asked, scene.content.fields));
    assert_true(slice_ends_with(asked, SLICE("; b=")));
    assert_true(slice_find(asked, SLICE("\r\ndkim-signature:v=1; a=ed25519-sha256; "
                                        "c=relaxed/relaxed; d=football.example.com; s=a.b; ")) <
                asked.len);
    buffer_finish(&field);
    close_scene(&scene);
}

static void
names_of_records_are_taken_apart(void **state)
{
    struct slice selector, domain;

    (void)state;
    assert_true(dkim_record_name_parse(SLICE("s1._domainkey.example.org"), &selector, &domain));
    assert_true(slice_equal(selector, SLICE("s1")));
    assert_true(slice_equal(domain, SLICE("example.org")));
    assert_false(dkim_record_name_parse(SLICE("._domainkey.example.org"), &selector, &domain));
    assert_false(dkim_record_name_parse(SLICE("s1._domainkey."), &selector, &domain));
    assert_false(dkim_record_name_parse(SLICE("s1.example.org"), &selector, &domain));
    assert_false(dkim_record_name_parse(SLICE("s;b=._domainkey.x"), &selector, &domain));
    assert_false(dkim_record_name_parse(SLICE("s\r\n._domainkey.x"), &selector, &domain));
    uint8_t name[DKIM_DOMAIN_MAX + 1];
    memset(name, 'x', sizeof(name));
    memcpy(name, "s1._domainkey.", 14);
    assert_true(dkim_record_name_parse(slice_of(name, DKIM_DOMAIN_MAX), &selector, &domain));
    assert_false(dkim_record_name_parse(slice_of(name, DKIM_DOMAIN_MAX + 1), &selector, &domain));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_does_not_depend_on_the_way_of_cutting),
        cmocka_unit_test(an_author_is_one),
        cmocka_unit_test(a_header_has_a_limit),
        cmocka_unit_test(thousands_of_fields_of_a_name_are_signed_from_the_bottom_up),
        cmocka_unit_test(the_field_has_what_was_signed_and_short_lines),
        cmocka_unit_test(names_of_records_are_taken_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
