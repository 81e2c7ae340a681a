/* SPDX-License-Identifier: ISC */
#include "message/subject.h"
#include "base/buffer.h"
#include "text/tests/check.h"

/* RFC 5256 §2.1, rule by rule. */
static const struct {
    const char *subject, *base;
    bool is_reply_or_forward;
} subjects[] = {
    {"", "", false},
    {"Hello", "Hello", false},
    {"  Hello \t  there\r\n you ", "Hello there you", false},
    {"Re: Hello", "Hello", true},
    {"RE : Hello", "Hello", true},
    {"re: Re: RE: Hello", "Hello", true},
    {"Fwd: Hello", "Hello", true},
    {"Fw: Hello", "Hello", true},
    {"Re[2]: Hello", "Hello", true},
    {"Re [list]: Hello", "Hello", true},
    {"Hello (fwd)", "Hello", true},
    {"Hello (fwd) (FWD) ", "Hello", true},
    {"[list] Hello", "Hello", false},
    {"[list] Re: [other] Hello", "Hello", true},
    {"[a][b] [c] Re: Hello", "Hello", true},
    {"[a] [b]", "[b]", false},
    {"[only]", "[only]", false},
    {"Re: [only]", "[only]", true},
    {"[Fwd: Hello]", "Hello", true},
    {"[fwd: Re: [list] Hello (fwd)]", "Hello", true},
    {"Re: [Fwd: [Fwd: Hello]]", "Hello", true},
    {"Re:", "", true},
    {"Regarding: this", "Regarding: this", false},
    {"Re Hello", "Re Hello", false},
    {"Re[2: Hello", "Re[2: Hello", false},
    {"[open Hello", "[open Hello", false},
    {"[a[b]] Hello", "[a[b]] Hello", false},
    {"Hello Re: you", "Hello Re: you", false},
    {"(fwd)", "", true},
    {"Forward: Hello", "Forward: Hello", false},
};

static void
replies_and_forwards_share_the_base_subject(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 10000);
    for (size_t i = 0; i < COUNT_OF(subjects); i++) {
        struct subject_base base = subject_base(&arena, slice_of_string(subjects[i].subject));
        assert_slice(base.text, slice_of_string(subjects[i].base));
        if (base.is_reply_or_forward != subjects[i].is_reply_or_forward)
            fail_msg("%s", subjects[i].subject);
    }
    arena_finish(&arena);
}

static void
rows_of_blobs_take_linear_time(void **state)
{
    static const char *const units[] = {"[]", "[", "re:", "[a] ", "(fwd)", "[fwd:", "[fwd:]"};
    struct arena arena;
    struct buffer text;

    (void)state;
    arena_init(&arena, SIZE_MAX / 4);
    buffer_init(&text, 10000000);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        buffer_clear(&text);
        while (buffer_len(&text) < 1000000)
            buffer_put_text(&text, units[i]);
        assert_true(subject_base(&arena, buffer_slice(&text)).text.len <= buffer_len(&text));
    }
    buffer_finish(&text);
    arena_finish(&arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_and_forwards_share_the_base_subject),
        cmocka_unit_test(rows_of_blobs_take_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
