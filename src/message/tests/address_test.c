/* SPDX-License-Identifier: ISC */
#include "message/address.h"
#include "message/fold.h"
#include "text/tests/check.h"

/* A list as text: name|route|local|domain|comment of each, groups as name:{ … }. */
static void
put_list(struct buffer *out, const struct address_list *list)
{
    for (const struct address *address = list->first; address; address = address->next) {
        if (address->kind == ADDRESS_GROUP_END) {
            buffer_put(out, SLICE("}"));
            continue;
        }
        buffer_put(out, address->name);
        if (address->kind == ADDRESS_GROUP_START) {
            buffer_put(out, SLICE(":{"));
            continue;
        }
        const struct slice parts[] = {address->route, address->local, address->domain,
                                      address->comment};
        for (size_t i = 0; i < COUNT_OF(parts); i++) {
            buffer_put_byte(out, '|');
            buffer_put(out, parts[i]);
        }
        buffer_put_byte(out, '\n');
    }
}

struct example {
    const char *text, *list;
    unsigned defects;
};

/* RFC 5322 appendix A.1 to A.6, with A.5 and A.6 as they are folded there. */
static const struct example appendix[] = {
    {"John Doe <jdoe@machine.example>", "John Doe||jdoe|machine.example|\n", 0},
    {"Mary Smith <mary@example.net>", "Mary Smith||mary|example.net|\n", 0},
    {"Michael Jones <mjones@machine.example>", "Michael Jones||mjones|machine.example|\n", 0},
    {"\"Joe Q. Public\" <john.q.public@example.com>",
     "Joe Q. Public||john.q.public|example.com|\n", 0},
    {"Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
     "Mary Smith||mary|x.test|\n||jdoe|example.org|\nWho?||one|y.test|\n", 0},
    {"<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
     "||boss|nil.test|\nGiant; \"Big\" Box||sysservices|example.net|\n", 0},
    {"Pete <pete@silly.example>", "Pete||pete|silly.example|\n", 0},
    {"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
     "A Group:{Ed Jones||c|a.test|\n||joe|where.test|\nJohn||jdoe|one.test|\n}", 0},
    {"Undisclosed recipients:;", "Undisclosed recipients:{}", 0},
    {"\"Mary Smith: Personal Account\" <smith@home.example>",
     "Mary Smith: Personal Account||smith|home.example|\n", 0},
    {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>",
     "Pete||pete|silly.test|A nice ) chap his account his host\n", 0},
    {"A Group(Some people)\r\n     :Chris Jones <c@(Chris's host.)public.example>,\r\n"
     "         joe@example.org,\r\n  John <jdoe@one.test> (my dear friend); (the end of the group)",
     "A Group:{Chris Jones||c|public.example|Chris's host.\n||joe|example.org|\n"
     "John||jdoe|one.test|my dear friend\n}", 0},
    {"(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;", "Hidden recipients:{}", 0},
    {"Joe Q. Public <john.q.public@example.com>", "Joe Q. Public||john.q.public|example.com|\n",
     ADDRESS_OBS_PHRASE},
    {"Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
     "Mary Smith|@node.test|mary|example.net|\n||jdoe|test.example|\n",
     ADDRESS_ROUTE | ADDRESS_EMPTY_ITEM | ADDRESS_OBS_DOMAIN},
    {"John Doe <jdoe@machine(comment).  example>", "John Doe||jdoe|machine.example|comment\n",
     ADDRESS_OBS_DOMAIN},
};

/* Cases A1, A3 and B7 of the courses. */
static const struct example courses[] = {
    {"paul@uvsq.fr (Paul Ochon)", "||paul|uvsq.fr|Paul Ochon\n", 0},
    {"jean@jussieu.fr (Jean Breille), \"Jacques Selere\" <jacques @ urec.fr>",
     "||jean|jussieu.fr|Jean Breille\nJacques Selere||jacques|urec.fr|\n", 0},
    {"user1@domain", "||user1|domain|\n", 0},
    {"user1(Nom Prénom)@domain", "||user1|domain|Nom Prénom\n", 0},
    {"\"Nom Prénom\"@domain", "||Nom Prénom|domain|\n", 0},
    {"<@domaine2:user1@domaine3>", "|@domaine2|user1|domaine3|\n", ADDRESS_ROUTE},
    {"<@a.org,@b.org:user1@domaine3>", "|@a.org,@b.org|user1|domaine3|\n", ADDRESS_ROUTE},
    {"user1@[192.168.42.1]", "||user1|[192.168.42.1]|\n", 0},
    {"user1@[IPv6:2001:db8::1]", "||user1|[IPv6:2001:db8::1]|\n", 0},
    {"postmaster", "||postmaster||\n", ADDRESS_NO_DOMAIN},
    {"<>", "||||\n", ADDRESS_NO_DOMAIN | ADDRESS_NO_LOCAL},
    {"Brown@foo.com", "||Brown|foo.com|\n", 0},
};

/* What occurs. */
static const struct example odd[] = {
    {"", "", 0},
    {" \r\n ", "", 0},
    {"(only a comment)", "", 0},
    {"a@b,", "||a|b|\n", ADDRESS_EMPTY_ITEM},
    {",a@b", "||a|b|\n", ADDRESS_EMPTY_ITEM},
    {"a@b ;c@d", "||a|b|\n||c|d|\n", ADDRESS_SEMICOLON},
    {"a@b <a@b>", "a@b||a|b|\n", ADDRESS_UNQUOTED_SPECIAL},
    {"'a@b' <a@b>", "'a@b'||a|b|\n", ADDRESS_UNQUOTED_SPECIAL},
    {"Brown a@b", "Brown||a|b|\n", ADDRESS_UNQUOTED_SPECIAL},
    {"Brown, James <jb@x.test>", "||Brown||\nJames||jb|x.test|\n", ADDRESS_NO_DOMAIN},
    {"\"Brown, James\" <jb@x.test", "Brown, James||jb|x.test|\n", ADDRESS_UNCLOSED},
    {"\"Brown <jb@x.test>", "\"Brown||jb|x.test|\n", ADDRESS_UNCLOSED | ADDRESS_UNQUOTED_SPECIAL},
    {"Brown (James <jb@x.test>", "Brown (James||jb|x.test|\n",
     ADDRESS_UNCLOSED | ADDRESS_UNQUOTED_SPECIAL},
    {"<jb@x.test> James", "James||jb|x.test|\n", ADDRESS_STRAY},
    {"A <a@x> B <b@y>", "A||a|x|\nB||b|y|\n", ADDRESS_STRAY},
    {"<a@x> b@y, c@z", "||a|x|\n||b|y|\n||c|z|\n", ADDRESS_STRAY},
    {"<<a@x>>", "||a|x|\n", ADDRESS_STRAY | ADDRESS_UNQUOTED_SPECIAL},
    {"a@b@c", "||a@b|c|\n", ADDRESS_MULTIPLE_AT},
    {"a@b c d", "||a|b|\n", ADDRESS_STRAY},
    {".a..b.@c", "||.a..b.|c|\n", ADDRESS_BAD_DOTS},
    {"Jane . Doe @ home . test", "||Jane.Doe|home.test|\n", ADDRESS_OBS_LOCAL | ADDRESS_OBS_DOMAIN},
    {"\"Jane\".Doe@home.test", "||Jane.Doe|home.test|\n", ADDRESS_OBS_LOCAL},
    {"\"a\\\"b\\\\c\"@d", "||a\"b\\c|d|\n", 0},
    {"John Doe", "John Doe||||\n", ADDRESS_NO_LOCAL | ADDRESS_NO_DOMAIN},
    {"<@example.org>", "|||example.org|\n", ADDRESS_NO_LOCAL},
    {"Group: a@b", "Group:{||a|b|\n}", ADDRESS_UNCLOSED},
    {"Group: a@b; c@d", "Group:{||a|b|\n}||c|d|\n", 0},
    {"One:;, Two: x@y;, z@z", "One:{}Two:{||x|y|\n}||z|z|\n", 0},
    {"mailto:a@b", "mailto:{||a|b|\n}", ADDRESS_UNCLOSED},
    {"\"\" <a@b>", "||a|b|\n", 0},
    {"\" spaced  out \" <a@b>", "spaced  out||a|b|\n", 0},
    {"A\t \tB\r\n C <a@b>", "A B C||a|b|\n", 0},
    {"\"A\r\n B\" <a@b>", "A B||a|b|\n", 0},
    {"A \"B C\" D <a@b>", "A B C D||a|b|\n", 0},
    {"a!b!c@d", "||a!b!c|d|\n", 0},
    {"Gérard Florin <gérard@exemple.fr>", "Gérard Florin||gérard|exemple.fr|\n", 0},
    {"G\xE9rard <g@x>", "G\xE9rard||g|x|\n", ADDRESS_NOT_UTF8},
    {"A\x01" "B <g@x>", "AB||g|x|\n", ADDRESS_CONTROL},
    {"=?utf-8?Q?G=C3=A9rard?= <g@x>", "=?utf-8?Q?G=C3=A9rard?=||g|x|\n", 0},
    {"=?utf-8?Q?Doe,_J(x)?= <g@x>", "=?utf-8?Q?Doe,_J(x)?=||g|x|\n", 0},
    {"\"=?utf-8?Q?G=C3=A9rard?=\" <g@x>", "=?utf-8?Q?G=C3=A9rard?=||g|x|\n", ADDRESS_QUOTED_WORD},
    {"g@x (=?utf-8?Q?G?=)", "||g|x|=?utf-8?Q?G?=\n", 0},
    {"g@x (a) (b (c))", "||g|x|a b (c)\n", 0},
    {"a@[x", "||a|[x|\n", ADDRESS_UNCLOSED},
    {"a@[x(y], b@c", "||a|[x(y]|\n||b|c|\n", 0},
    {"a@[1, b@c, d@e]", "||a|[1|\n||b|c|\n||d|e|\n", ADDRESS_UNCLOSED | ADDRESS_STRAY},
    {"a@[1; b@c, d@e]", "||a|[1|\n||b|c|\n||d|e|\n",
     ADDRESS_UNCLOSED | ADDRESS_SEMICOLON | ADDRESS_STRAY},
    {"a@[1[2]", "||a|[1[2]|\n", ADDRESS_UNCLOSED},
    {"<\"a:b\"@c>", "||a:b|c|\n", 0},
    {"a@[ 192.0.2.1 ]", "||a|[192.0.2.1]|\n", 0},
    {"<john doe@x>", "||john doe|x|\n", ADDRESS_OBS_LOCAL},
    {"<a@b, c@d", "||a|b|\n||c|d|\n", ADDRESS_UNCLOSED},
    {"a@b:25", "||a|b|\n", ADDRESS_STRAY},
    {"<@a, b@c,d>", "||@a, b|c|\n",
     ADDRESS_STRAY | ADDRESS_MULTIPLE_AT | ADDRESS_UNQUOTED_SPECIAL | ADDRESS_OBS_LOCAL},
    {"@", "||||\n", ADDRESS_NO_LOCAL | ADDRESS_NO_DOMAIN},
    {":", ":{}", ADDRESS_UNCLOSED},
    {"a@b.", "||a|b.|\n", 0},
};

static void
check_examples(const struct example *examples, size_t count)
{
    struct buffer out;
    struct arena arena;

    arena_init(&arena, 100000);
    buffer_init(&out, 10000);
    for (size_t i = 0; i < count; i++) {
        struct address_list list;
        struct slice text = slice_of_string(examples[i].text);
        arena_reset(&arena);
        buffer_clear(&out);
        address_list_parse(&arena, text, &list);
        put_list(&out, &list);
        if (!slice_equal(buffer_slice(&out), slice_of_string(examples[i].list)) ||
            list.defects != examples[i].defects)
            fail_msg("%s\n is %.*s (defects %x instead of %x)", examples[i].text,
                     (int)buffer_len(&out), (const char *)buffer_slice(&out).at, list.defects,
                     examples[i].defects);
        for (const struct address *address = list.first; address; address = address->next)
            assert_ptr_equal(address->raw.at, address->kind == ADDRESS_GROUP_END
                                                  ? text.at : text.at + address->offset);
    }
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
the_examples_of_rfc_5322_are_read(void **state)
{
    (void)state;
    check_examples(appendix, COUNT_OF(appendix));
}

static void
the_address_forms_of_the_courses_are_read(void **state)
{
    (void)state;
    check_examples(courses, COUNT_OF(courses));
}

static void
what_occurs_is_read_and_reported(void **state)
{
    (void)state;
    check_examples(odd, COUNT_OF(odd));
}

static void
encoded_words_are_recognised_outside_quotes_only(void **state)
{
    static const struct {
        const char *text;
        bool has_encoded_word;
    } cases[] = {
        {"=?utf-8?Q?G?= <g@x>", true},
        {"A =?utf-8?Q?G?= B <g@x>", true},
        {"=?utf-8?Q?a,b?= <g@x>", true},
        {"g@x (by =?utf-8?Q?G?=)", true},
        {"\"=?utf-8?Q?G?=\" <g@x>", false},
        {"What?? <g@x>", false},
        {"=?broken <g@x>", false},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 10000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address_list list;
        address_list_parse(&arena, slice_of_string(cases[i].text), &list);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.first->has_encoded_word, cases[i].has_encoded_word);
    }
    arena_finish(&arena);
}

static void
addresses_are_written_canonically(void **state)
{
    static const struct {
        const char *text, *written;
    } cases[] = {
        {"  Mary   Smith<mary@x.test>", "Mary Smith <mary@x.test>"},
        {"jdoe@example.org", "jdoe@example.org"},
        {"<jdoe@example.org>", "jdoe@example.org"},
        {"Joe Q. Public <joe@x>", "\"Joe Q. Public\" <joe@x>"},
        {"\"Giant; \\\"Big\\\" Box\" <s@x>", "\"Giant; \\\"Big\\\" Box\" <s@x>"},
        {"\"plain words\" <s@x>", "plain words <s@x>"},
        {"paul@uvsq.fr (Paul Ochon)", "Paul Ochon <paul@uvsq.fr>"},
        {"\"a b\"@c", "\"a b\"@c"},
        {".a.@c", "\".a.\"@c"},
        {"A Group:Ed <c@a>,joe@b;, x@y", "A Group: Ed <c@a>, joe@b;, x@y"},
        {"Undisclosed recipients:;", "Undisclosed recipients:;"},
        {"=?utf-8?Q?G=C3=A9?= Doe <g@x>", "=?utf-8?Q?G=C3=A9?= Doe <g@x>"},
        {"=?utf-8?Q?G?= \"A. B\" <g@x>", "=?utf-8?Q?G?= \"A.\" B <g@x>"},
        {"\"=?utf-8?Q?G?=\" <g@x>", "\"=?utf-8?Q?G?=\" <g@x>"},
        {"<@r:u@d>", "u@d"},
        {"<>", "<>"},
        {"John Doe", "John Doe <>"},
        {"<@d>", "<@d>"},
        {"postmaster", "postmaster"},
        {"Gérard <g@x>", "Gérard <g@x>"},
        {"a , , b@c", "a, b@c"},
    };
    struct arena arena;
    struct buffer out;

    (void)state;
    arena_init(&arena, 100000);
    buffer_init(&out, 1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address_list list;
        buffer_clear(&out);
        address_list_parse(&arena, slice_of_string(cases[i].text), &list);
        address_list_format(&list, 4, &out);
        assert_slice(buffer_slice(&out), slice_of_string(cases[i].written));
    }
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
long_lists_are_folded_between_addresses(void **state)
{
    struct arena arena;
    struct buffer text, out;
    struct address_list list, back;

    (void)state;
    arena_init(&arena, 1000000);
    buffer_init(&text, 100000);
    buffer_init(&out, 100000);
    for (int i = 0; i < 100; i++)
        buffer_put_text(&text, "Somebody With A Name <somebody@example.org>, ");
    buffer_put_text(&text, "\"A name, much too long to stand in one line, that has to be broken at "
                           "its own blanks\" <a@b>");
    address_list_parse(&arena, buffer_slice(&text), &list);
    address_list_format(&list, 4, &out);
    size_t column = 4, lines = 1;
    for (size_t i = 0; i < buffer_len(&out); i++) {
        uint8_t octet = buffer_slice(&out).at[i];
        column = octet == '\n' ? 0 : column + (octet != '\r');
        lines += octet == '\n';
        assert_true(column <= FOLD_COLUMN_MAX);
    }
    assert_true(lines >= 100);
    address_list_parse(&arena, buffer_slice(&out), &back);
    assert_int_equal(back.count, 101);
    assert_int_equal(back.defects, 0);
    for (const struct address *left = list.first, *right = back.first; left;
         left = left->next, right = right->next) {
        assert_true(address_equal(left, right));
        assert_slice(right->name, left->name);
    }
    buffer_finish(&text);
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
lists_are_cut_at_their_limit_and_say_so(void **state)
{
    struct arena arena;
    struct buffer text;

    (void)state;
    arena_init(&arena, 10000000);
    buffer_init(&text, 100000);
    for (int i = 0; i < ADDRESSES_MAX; i++)
        buffer_put_text(&text, i ? ",a@b" : "a@b");
    struct address_list list, more;
    address_list_parse(&arena, buffer_slice(&text), &list);
    assert_int_equal(list.count, ADDRESSES_MAX);
    assert_false(list.is_cut);
    address_list_parse(&arena, SLICE("c@d"), &more);
    address_list_append(&list, &more);
    assert_int_equal(list.count, ADDRESSES_MAX);
    assert_true(list.is_cut);
    buffer_put_text(&text, ",a@b");
    address_list_parse(&arena, buffer_slice(&text), &list);
    assert_int_equal(list.count, ADDRESSES_MAX);
    assert_true(list.is_cut);
    buffer_finish(&text);
    arena_finish(&arena);
}

static void
a_group_keeps_its_end_when_the_list_is_cut(void **state)
{
    struct arena arena;
    struct buffer text;
    struct address_list list;
    const struct address *last;

    (void)state;
    arena_init(&arena, 10000000);
    buffer_init(&text, 100000);
    buffer_put_text(&text, "g:");
    for (int i = 0; i < ADDRESSES_MAX; i++)
        buffer_put_text(&text, "a@b,");
    address_list_parse(&arena, buffer_slice(&text), &list);
    assert_true(list.is_cut);
    assert_int_equal(list.count, ADDRESSES_MAX);
    for (last = list.first; last->next; last = last->next)
        continue;
    assert_int_equal(last->kind, ADDRESS_GROUP_END);
    buffer_finish(&text);
    arena_finish(&arena);
}

static void
an_arena_at_its_limit_cuts_the_list(void **state)
{
    struct slice text = SLICE("Mary  Smith <mary@x>, \"a\\b\" <c@d>, e@f (g) (h), i . j @ k");
    struct arena arena;
    struct address_list list;

    (void)state;
    for (size_t limit = 0; limit < 2000; limit += 8) {
        arena_init(&arena, limit);
        address_list_parse(&arena, text, &list);
        assert_true(list.is_cut == arena_failed(&arena));
        assert_true(list.is_cut || list.count == 4);
        arena_finish(&arena);
    }
}

/* Each of these takes longer than any test may if a step of the reader is quadratic. */
static void
hostile_repetition_takes_linear_time(void **state)
{
    static const char *const units[] = {"\"",  "(",  "\\\"\"", "<",   "=?", "=?a?b?", "@",
                                        ")(",  "[",  ":",      "(\\", "a ", "\"\\\"", ">",
                                        "a@[", "<@", ";",      ".",   "()", "\"\""};
    struct arena arena;
    struct buffer text;

    (void)state;
    arena_init(&arena, SIZE_MAX / 4);
    buffer_init(&text, 10000000);
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        struct address_list list;
        buffer_clear(&text);
        while (buffer_len(&text) < 1000000)
            buffer_put_text(&text, units[i]);
        arena_reset(&arena);
        address_list_parse(&arena, buffer_slice(&text), &list);
        assert_true(list.count <= ADDRESSES_MAX);
    }
    buffer_finish(&text);
    arena_finish(&arena);
}

/* RFC 5322 §2.1.1; no blank stands at the end of a line. */
static void
lists_are_folded_behind_the_last_column(void **state)
{
    char text[FOLD_COLUMN_MAX + 10];
    struct arena arena;
    struct buffer out;

    (void)state;
    arena_init(&arena, 100000);
    buffer_init(&out, 1000);
    for (size_t over = 0; over < 2; over++) {
        struct address_list list;
        size_t second = FOLD_COLUMN_MAX - 4 - strlen("a@b, ,") + over;
        memset(text, 'x', sizeof(text));
        memcpy(text, "a@b, c@", 7);
        address_list_parse(&arena, slice_of((uint8_t *)text, 5 + second), &list);
        buffer_clear(&out);
        address_list_format(&list, 4, &out);
        struct slice written = buffer_slice(&out);
        assert_int_equal(slice_starts_with(written, SLICE("a@b, c@x")), !over);
        assert_int_equal(slice_starts_with(written, SLICE("a@b,\r\n c@x")), over);
        assert_int_equal(written.len, 5 + second + 2 * over);
    }
    buffer_finish(&out);
    arena_finish(&arena);
}

static void
lists_are_joined_up_to_the_limit(void **state)
{
    struct buffer text;
    struct arena arena;

    (void)state;
    buffer_init(&text, 5 * ADDRESSES_MAX);
    for (size_t i = 1; i < ADDRESSES_MAX; i++)
        buffer_put_text(&text, "a@b,");
    for (size_t over = 0; over < 2; over++) {
        struct address_list list, more;
        arena_init(&arena, 16 << 20);
        address_list_parse(&arena, buffer_slice(&text), &list);
        assert_int_equal(list.count, ADDRESSES_MAX - 1);
        address_list_parse(&arena, over ? SLICE("c@d, e@f") : SLICE("c@d"), &more);
        address_list_append(&list, &more);
        assert_int_equal(list.count, ADDRESSES_MAX - over);
        assert_int_equal(list.is_cut, over);
        arena_finish(&arena);
    }
    buffer_finish(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_of_rfc_5322_are_read),
        cmocka_unit_test(the_address_forms_of_the_courses_are_read),
        cmocka_unit_test(what_occurs_is_read_and_reported),
        cmocka_unit_test(encoded_words_are_recognised_outside_quotes_only),
        cmocka_unit_test(addresses_are_written_canonically),
        cmocka_unit_test(long_lists_are_folded_between_addresses),
        cmocka_unit_test(lists_are_cut_at_their_limit_and_say_so),
        cmocka_unit_test(a_group_keeps_its_end_when_the_list_is_cut),
        cmocka_unit_test(an_arena_at_its_limit_cuts_the_list),
        cmocka_unit_test(hostile_repetition_takes_linear_time),
        cmocka_unit_test(lists_are_folded_behind_the_last_column),
        cmocka_unit_test(lists_are_joined_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
