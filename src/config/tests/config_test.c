/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/nearest.h"
#include "config/option.h"

#include <stdio.h>

struct reading {
    struct arena arena;
    struct buffer errors;
    struct config config;
    bool is_good;
};

static void
reading_init(struct reading *reading, const char *text)
{
    arena_init(&reading->arena, CONFIG_ARENA_MAX);
    buffer_init(&reading->errors, 65536);
    reading->is_good = config_parse(slice_of_string(text), SLICE("f.conf"), &reading->arena,
                                    &reading->errors, &reading->config);
}

static void
reading_finish(struct reading *reading)
{
    arena_finish(&reading->arena);
    buffer_finish(&reading->errors);
}

static void
an_empty_file_gives_the_defaults(void **state)
{
    struct reading r;

    (void)state;
    reading_init(&r, "# nothing\n");
    assert_true(r.is_good);
    assert_int_equal(r.config.message_size_max, 50 << 20);
    assert_int_equal(r.config.smtp_command_timer.ns, 300000000000);
    assert_int_equal(r.config.smtp_listen.count, 2);
    assert_int_equal(r.config.smtp_listen.at[1].address.family, HOST_FAMILY_IPV6);
    assert_int_equal(r.config.smtp_listen.at[1].address.port, 25);
    assert_int_equal(r.config.lmtp_listen.count, 0);
    assert_int_equal(r.config.vrfy, CONFIG_VRFY_CANNOT_TELL);
    assert_int_equal(r.config.auth_mechanisms, 15);
    assert_false(r.config.obsolete_commands);
    assert_true(slice_equal(r.config.data_dir, SLICE("/var/lib/facteur")));
    reading_finish(&r);
}

static void
every_kind_is_read(void **state)
{
    struct reading r;

    (void)state;
    reading_init(&r, "hostname = mx.example.test # a remark\n"
                     "message_size_max = 10MiB\nsmtp_command_timer = \"90 s\"\n"
                     "obsolete_commands = on\nsource_routes = honour\n"
                     "auth_mechanisms = {PLAIN, SCRAM-SHA-1}\nrecipients_max = 200\n"
                     "smtp_listen = {\"192.0.2.1:2525\", \"[2001:db8::1]:26\", \"unix:/run/x\"}\n"
                     "pop3_listen = {}\n"
                     "relay_networks = {192.0.2.0/24, \"2001:db8::/32\", 198.51.100.7}\n"
                     "letterbox_dirs = {/var/mail, \"/srv/my mail\"}\n");
    assert_true(r.is_good);
    assert_true(slice_equal(r.config.hostname, SLICE("mx.example.test")));
    assert_int_equal(r.config.message_size_max, 10 << 20);
    assert_int_equal(r.config.smtp_command_timer.ns, 90000000000);
    assert_true(r.config.obsolete_commands);
    assert_int_equal(r.config.source_routes, CONFIG_ROUTES_HONOUR);
    assert_int_equal(r.config.auth_mechanisms,
                     CONFIG_MECHANISM_PLAIN | CONFIG_MECHANISM_SCRAM_SHA_1);
    assert_int_equal(r.config.recipients_max, 200);
    assert_int_equal(r.config.smtp_listen.count, 3);
    assert_int_equal(r.config.smtp_listen.at[0].address.bytes[0], 192);
    assert_int_equal(r.config.smtp_listen.at[1].address.bytes[15], 1);
    assert_true(slice_equal(r.config.smtp_listen.at[2].path, SLICE("/run/x")));
    assert_int_equal(r.config.pop3_listen.count, 0);
    assert_int_equal(r.config.relay_networks.count, 3);
    assert_int_equal(r.config.relay_networks.at[2].bits, 32);
    assert_true(slice_equal(r.config.letterbox_dirs.at[1], SLICE("/srv/my mail")));
    reading_finish(&r);
}

static void
an_entry_that_is_wrong_is_told_once(void **state)
{
    struct reading r;

    (void)state;
    reading_init(&r, "rewrite = {\"a@b c@d\",\n \"@c\",\n \"@d\"\n}\n");
    struct slice said = buffer_slice(&r.errors);
    assert_false(r.is_good);
    assert_true(slice_starts_with(said, SLICE("f.conf:2: rewrite: ")));
    size_t next = slice_find_byte(said, '\n') + 1;
    said = slice_skip(said, next);
    assert_true(slice_starts_with(said, SLICE("f.conf:3: rewrite: ")));
    assert_int_equal(slice_find_byte(said, '\n') + 1, said.len);
    reading_finish(&r);
}

static void
an_error_names_file_line_option_and_remedy(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"\n\nrecipients_max = 99\n",
         "f.conf:3: recipients_max: expected a number from 100 to 1000, not \"99\""},
        {"recipients_max = 1001\n", "f.conf:1: recipients_max: expected a number"},
        {"recipients_max = 18446744073709551616\n", "f.conf:1: recipients_max: expected a number"},
        {"recipients_max = -5\n", "f.conf:1: recipients_max: expected a number"},
        {"message_size_max = 50 MiB\n", "not \"50\"; give the unit, without a blank or in quotes"},
        {"message_size_max = 17000000TiB\n",
         "f.conf:1: message_size_max: expected a size from 64 KiB"},
        {"smtp_command_timer = 300\n",
         "f.conf:1: smtp_command_timer: expected a time from 1 s to 1 h"},
        {"smtp_command_timer = 5 min\n", "give the unit, without a blank or in quotes: 5min"},
        {"vrfy = \"all\nexpn = \"all\"\n", "not \"all\" and more lines; close the quote\n"},
        {"vrfy = maybe\n",
         "f.conf:1: vrfy: expected refuse, cannot_tell, trusted or all, not \"maybe\""},
        {"\nrecipient_max = 200\n",
         "f.conf:2: recipient_max: there is no such option; did you mean recipients_max?"},
        {"zzzzzzzz = 1\n", "f.conf:1: zzzzzzzz: there is no such option; facteur config show"},
        {"hostname = \"a\nb\"\n", "hostname: expected text of at most 255 bytes"},
        {"data_dir = var\n", "f.conf:1: data_dir: expected an absolute path"},
        {"smtp_listen = {\"*:25\",\n \"localhost:25\"}\n",
         "f.conf:2: smtp_listen: expected a list"},
        {"smtp_listen = {\"::1:25\"}\n", "f.conf:1: smtp_listen: expected a list"},
        {"smtp_listen = {\"*:0\"}\n", "f.conf:1: smtp_listen: expected a list"},
        {"smtp_listen = {\"*:65536\"}\n", "f.conf:1: smtp_listen: expected a list"},
        {"relay_networks = {192.0.2.1/24}\n", "f.conf:1: relay_networks: expected a list"},
        {"relay_networks = {192.0.2.0/33}\n", "f.conf:1: relay_networks: expected a list"},
        {"obsolete_commands\n", "f.conf:"},
        {"rewrite = {\"a@b.org c@d.org\",\n \"@b.org\"}\n",
         "f.conf:2: rewrite: expected two addresses, or two domains with @ in front"},
        {"rewrite = \"@b.org fred@d.org\"\n",
         "f.conf:1: rewrite: expected @ in front of the second, too"},
        {"rewrite += \"b\"\n", "\"b\"; correct the entry"},
        /* Remarks count as one line each. */
        {"# one\n// two\n/* three\n four */\nhostname = a#b # \"five\nvrfy = maybe\n",
         "f.conf:6: vrfy"},
        {"hostname = \"a # \\\" b\" # two\n#\nvrfy = maybe\n", "f.conf:3: vrfy"},
        {"hostname = 'a # b'\n \t # \nvrfy = maybe # no\n", "f.conf:3: vrfy"},
        {"hostname=a//b\nvrfy=maybe\n/* for ever", "f.conf:2: vrfy"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reading r;
        reading_init(&r, cases[i].text);
        struct slice said = buffer_slice(&r.errors);
        if (r.is_good || slice_find(said, slice_of_string(cases[i].error)) == said.len)
            fail_msg("case %zu: %.*s", i, (int)said.len, (const char *)said.at);
        assert_true(slice_ends_with(said, SLICE("\n")));
        reading_finish(&r);
    }
}

static void
several_errors_are_told_at_once(void **state)
{
    struct reading r;

    (void)state;
    reading_init(&r, "vrfy = x\nexpn = y\n");
    assert_false(r.is_good);
    assert_true(slice_find(buffer_slice(&r.errors), SLICE("f.conf:1: vrfy")) == 0);
    assert_true(slice_find(buffer_slice(&r.errors), SLICE("f.conf:2: expn")) <
                buffer_len(&r.errors));
    reading_finish(&r);
}

/* libconfuse's scanner must not carry an open quote over into the next file. */
static void
an_open_quote_harms_only_its_file(void **state)
{
    struct reading bad, good;

    (void)state;
    reading_init(&bad, "vrfy = all\nhostname = \"open\n");
    assert_false(bad.is_good);
    assert_true(slice_starts_with(buffer_slice(&bad.errors), SLICE("f.conf:")));
    reading_init(&good, "hostname = b\n");
    assert_true(good.is_good);
    reading_finish(&bad);
    reading_finish(&good);
}

static void
a_mark_of_windows_before_the_first_line_is_passed_over(void **state)
{
    struct reading r;

    (void)state;
    reading_init(&r, "\xEF\xBB\xBFvrfy = all\r\n");
    assert_true(r.is_good);
    assert_int_equal(r.config.vrfy, CONFIG_VRFY_ALL);
    reading_finish(&r);
    reading_init(&r, "vrfy = all\n\xEF\xBB\xBF" "expn = all\n"); /* elsewhere it is none */
    assert_false(r.is_good);
    reading_finish(&r);
}

static void
an_option_that_stands_twice_is_told(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"vrfy = all\nexpn = all\n", ""},
        {"vrfy = all\n\nvrfy = all\n",
         "3: vrfy has been set before; what line 1 says does not count\n"},
        {"vrfy=all\nvrfy\n=\nall\nvrfy = all",
         "3: vrfy has been set before; what line 1 says does not count\n"
         "5: vrfy has been set before; what line 3 says does not count\n"},
        {"own_names = {\"a\"}\nown_names += {\"b\"}\n", ""}, /* adds */
        {"own_names = {\"vrfy = all\", vrfy}\nvrfy = all\n", ""},
        {"# vrfy = all\nvrfy = all # vrfy = all\n// vrfy = no\n", ""},
        {"nothing = 1\nnothing = 1\n", ""},
        {"vrfy = \"all\nvrfy = all", ""},
        {"} vrfy = all", ""},
    };
    struct buffer told;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        buffer_init(&told, 1000);
        config_put_repeated(slice_of_string(cases[i].text), &told);
        assert_true(slice_equal(buffer_slice(&told), slice_of_string(cases[i].told)));
        buffer_finish(&told);
    }
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
    static const uint8_t bytes[] = {'v', 'r', 'f', 'y', '=', 'a', 0, 'l'};
    struct reading r;

    (void)state;
    reading_init(&r, "");
    assert_false(
        config_parse(slice_of(bytes, sizeof(bytes)), SLICE("f"), &r.arena, &r.errors, &r.config));
    reading_finish(&r);
}

static void
what_is_shown_can_be_read_again(void **state)
{
    struct reading first, second;
    struct buffer text, left, right;

    (void)state;
    buffer_init(&text, CONFIG_TEXT_MAX);
    buffer_init(&left, CONFIG_ENCODED_MAX);
    buffer_init(&right, CONFIG_ENCODED_MAX);
    reading_init(&first, "hostname = a.b\npostmaster = \"we ird\\\"\\\\$x\"\n"
                         "smtp_listen = {\"*:25\", \"unix:/a\"}\nsmtp_auth_timer = 1500ms\n"
                         "auth_mechanisms = {}\nlmtp_listen = {}\n");
    assert_true(first.is_good);
    for (const struct config_option *o = NULL; (o = config_option_next(o));) {
        buffer_put_text(&text, o->name);
        buffer_put_text(&text, " = ");
        config_value_put(o, &first.config, &text);
        buffer_put_byte(&text, '\n');
    }
    buffer_put_byte(&text, '\0');
    reading_init(&second, (const char *)buffer_slice(&text).at);
    if (!second.is_good)
        fail_msg("%.*s", (int)buffer_len(&second.errors),
                 (const char *)buffer_slice(&second.errors).at);
    config_encode(&first.config, &left);
    config_encode(&second.config, &right);
    assert_true(slice_equal(buffer_slice(&left), buffer_slice(&right)));
    reading_finish(&first);
    reading_finish(&second);
    buffer_finish(&text);
    buffer_finish(&left);
    buffer_finish(&right);
}

static void
values_survive_the_way_to_another_process(void **state)
{
    struct reading r;
    struct buffer bytes, again;
    struct arena arena;
    struct config config;

    (void)state;
    arena_init(&arena, CONFIG_ARENA_MAX);
    buffer_init(&bytes, CONFIG_ENCODED_MAX);
    buffer_init(&again, CONFIG_ENCODED_MAX);
    reading_init(&r, "tls_names = {\"a.b /c /k\"}\nhostname = x\ntrusted_networks = {\"::/0\"}\n");
    config_encode(&r.config, &bytes);
    for (size_t len = 0; len < buffer_len(&bytes); len++)
        assert_false(config_decode(slice_first(buffer_slice(&bytes), len), &arena, &config));
    assert_true(config_decode(buffer_slice(&bytes), &arena, &config));
    config_encode(&config, &again);
    assert_true(slice_equal(buffer_slice(&bytes), buffer_slice(&again)));
    buffer_put_byte(&bytes, 0);
    assert_false(config_decode(buffer_slice(&bytes), &arena, &config));
    reading_finish(&r);
    arena_finish(&arena);
    buffer_finish(&bytes);
    buffer_finish(&again);
}

/* A list may have as many entries as it says, and not one more. */
static void
lists_are_bounded(void **state)
{
    enum { TEXT_MAX = 32 };
    const struct config_option *option = config_option_find(SLICE("relay_networks"));
    static struct slice texts[CONFIG_NETWORKS_MAX + 1];
    struct arena arena;
    struct config config;

    (void)state;
    arena_init(&arena, CONFIG_ARENA_MAX);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        texts[i] = SLICE("192.0.2.0/24");
    config_default(&arena, &config);
    assert_true(config_value_parse(option, texts, CONFIG_NETWORKS_MAX, &arena, &config));
    assert_false(config_value_parse(option, texts, CONFIG_NETWORKS_MAX + 1, &arena, &config));
    assert_int_equal(config.relay_networks.count, CONFIG_NETWORKS_MAX);
    arena_finish(&arena);
}

static void
networks_contain_their_addresses_only(void **state)
{
    struct reading r;
    struct host_address inside = {.family = HOST_FAMILY_IPV4, .bytes = {192, 0, 3, 255}};
    struct host_address outside = {.family = HOST_FAMILY_IPV4, .bytes = {192, 0, 4, 0}};
    struct host_address mapped = {.family = HOST_FAMILY_IPV6,
                                  .bytes = {[10] = 255, [11] = 255, [12] = 192, [14] = 2}};
    struct host_address other = {.family = HOST_FAMILY_IPV6, .bytes = {192, 0, 3, 255}};
    struct host_address unix_socket = {.family = HOST_FAMILY_UNIX};

    (void)state;
    reading_init(&r, "relay_networks = {192.0.2.0/23}\n");
    assert_true(r.is_good);
    assert_true(config_networks_contain(&r.config.relay_networks, &inside));
    assert_true(config_networks_contain(&r.config.relay_networks, &mapped));
    assert_false(config_networks_contain(&r.config.relay_networks, &outside));
    assert_false(config_networks_contain(&r.config.relay_networks, &other));
    assert_false(config_networks_contain(&r.config.relay_networks, &unix_socket));
    reading_finish(&r);
}

#define BOTH "tls_certificate = /c\ntls_key = /k\n"

static void
the_whole_is_checked(void **state)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"", "f.conf: submissions_listen: needs a certificate"},
        {"tls_certificate = /c\n", "f.conf: tls_key: "},
        {"tls_certificate = /c\ntls_key = /k\n", NULL},
        {"submissions_listen = {}\nimaps_listen = {}\npop3s_listen = {}\n", NULL},
        {"tls_certificate = /c\ntls_key = /k\ntls_names = {\"a.b c\"}\n", "f.conf: tls_names: "},
        {BOTH "dkim_keys = {\"a._domainkey.b /k\"}\n", NULL},
        {BOTH "dkim_keys = {\"a.b /k\"}\n", "f.conf: dkim_keys: "},
        {BOTH "dkim_keys = {\"a._domainkey.b k\"}\n", "f.conf: dkim_keys: "},
        {"tls_certificate = /c\ntls_key = /k\ndelivery_default = \"mbox:/m/%u\"\n",
         "f.conf: delivery_default: letter boxes need a place"},
        {"tls_certificate = /c\ntls_key = /k\ndelivery_default = \"mbox:/m/%u\"\n"
         "letterbox_dirs = {/m}\n",
         NULL},
        {"tls_certificate = /c\ntls_key = /k\npop3_expire = soon\n", "f.conf: pop3_expire: "},
        {"tls_certificate = /c\ntls_key = /k\nhostname = \"é.test\"\n", "f.conf: hostname: "},
        {"tls_certificate = /c\ntls_key = /k\ntarpit_errors = 30\n", "f.conf: tarpit_errors: "},
        {BOTH "auth_mechanisms = {PLAIN, XOAUTH2}\n", "f.conf: oauth_issuer: "},
        {BOTH "oauth_issuer = i\noauth_jwks = \"https://a.test/k\"\n", NULL},
        {BOTH "oauth_jwks = \"https://a.test/k\"\n", "f.conf: oauth_jwks: whose it is"},
        {BOTH "oauth_issuer = i\noauth_jwks = \"http://a.test/\"\n", "f.conf: oauth_jwks: "},
        {BOTH "oauth_issuer = i\noauth_introspection = \"a.test\"\n",
         "f.conf: oauth_introspection: expected a URL"},
        {BOTH "oauth_issuer = i\noauth_introspection = \"https://a.test/\"\n"
              "oauth_jwks = \"https://a.test/\"\n",
         "f.conf: oauth_introspection: tokens are verified by keys or by asking"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reading r;
        reading_init(&r, cases[i].text);
        assert_true(r.is_good);
        bool is_good = config_check(&r.config, SLICE("f.conf"), &r.errors);
        struct slice said = buffer_slice(&r.errors);
        if (is_good != !cases[i].error ||
            (cases[i].error && slice_find(said, slice_of_string(cases[i].error)) == said.len))
            fail_msg("case %zu: %.*s", i, (int)said.len, (const char *)said.at);
        reading_finish(&r);
    }
}

static void
slips_of_the_fingers_are_near(void **state)
{
    (void)state;
    assert_int_equal(nearest_distance(SLICE("user"), SLICE("user")), 0);
    assert_int_equal(nearest_distance(SLICE("user"), SLICE("uesr")), 1);
    assert_int_equal(nearest_distance(SLICE("user"), SLICE("usr")), 1);
    assert_int_equal(nearest_distance(SLICE("user"), SLICE("users")), 1);
    assert_int_equal(nearest_distance(SLICE(""), SLICE("abc")), 3);
    assert_int_equal(nearest_distance(SLICE("kitten"), SLICE("sitting")), 3);
}

static void
letter_boxes_lie_where_they_are_allowed(void **state)
{
    static const struct {
        struct slice path;
        bool is_allowed;
    } cases[] = {
        {SLICE("/var/mail/alice"), true},
        {SLICE("/var/mail/a/b"), true},
        {SLICE("/srv/boxes/%d/%u"), true},
        {SLICE("/var/mail"), false},
        {SLICE("/var/mail/"), false},
        {SLICE("/var/mailbox"), false},
        {SLICE("/var/mail/../x"), false},
        {SLICE("/var/mail//x"), false},
        {SLICE("/var/mail/./x"), false},
        {SLICE("/var/mail/x/.."), false},
        {SLICE("/etc/passwd"), false},
        {SLICE("var/mail/x"), false},
        {SLICE(""), false},
        {SLICE("/srv/boxes/..x"), true},
    };
    struct reading r;

    (void)state;
    reading_init(&r, "letterbox_dirs = {/var/mail, /srv/boxes/}\n");
    assert_true(r.is_good);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(config_letterbox_is_allowed(&r.config, cases[i].path),
                         cases[i].is_allowed);
    reading_finish(&r);
}

/* What stands below a folder of an option must not make it longer than the kernel takes. */
static void
a_path_that_would_be_cut_is_refused(void **state)
{
    char text[4096];
    struct reading r;

    (void)state;
    (void)snprintf(text, sizeof(text), "data_dir = /%0*d\n", CONFIG_PATH_MAX, 0);
    reading_init(&r, text);
    assert_false(r.is_good);
    assert_true(slice_find(buffer_slice(&r.errors), SLICE("of at most 2048 bytes")) <
                buffer_len(&r.errors));
    reading_finish(&r);
    (void)snprintf(text, sizeof(text), "data_dir = /%0*d\n", CONFIG_PATH_MAX - 1, 0);
    reading_init(&r, text);
    assert_true(r.is_good);
    reading_finish(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_file_gives_the_defaults),
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(an_error_names_file_line_option_and_remedy),
        cmocka_unit_test(an_entry_that_is_wrong_is_told_once),
        cmocka_unit_test(several_errors_are_told_at_once),
        cmocka_unit_test(an_open_quote_harms_only_its_file),
        cmocka_unit_test(a_mark_of_windows_before_the_first_line_is_passed_over),
        cmocka_unit_test(an_option_that_stands_twice_is_told),
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(what_is_shown_can_be_read_again),
        cmocka_unit_test(values_survive_the_way_to_another_process),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(a_path_that_would_be_cut_is_refused),
        cmocka_unit_test(networks_contain_their_addresses_only),
        cmocka_unit_test(the_whole_is_checked),
        cmocka_unit_test(letter_boxes_lie_where_they_are_allowed),
        cmocka_unit_test(slips_of_the_fingers_are_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
