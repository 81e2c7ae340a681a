/* SPDX-License-Identifier: ISC */
/* Statuses, response codes and capabilities, as the client reads them: RFC 9051 §7.1, §7.2.2. */
#include "imap/client_private.h"
#include "imap/grammar.h"

bool
imap_client_parse_append_uid(struct slice code, uint32_t *ret_uid_validity, uint32_t *ret_uid)
{
    struct cursor cursor = cursor_of(code);
    uint32_t uid_validity, uid;

    if (!imap_take_word(&cursor, SLICE("APPENDUID")) || !imap_take_space(&cursor) ||
        !imap_take_nz_number(&cursor, &uid_validity) || !imap_take_space(&cursor) ||
        !imap_take_nz_number(&cursor, &uid) || !cursor_is_done(&cursor))
        return false;
    *ret_uid_validity = uid_validity;
    *ret_uid = uid;
    return true;
}

/* resp-text = ["[" resp-text-code "]" SP] text; servers leave spaces and texts away. */
bool
imap_client_parse_status(struct slice text, struct imap_client_said_status *ret_status)
{
    static const char *const words[] = {"OK", "NO", "BAD", "PREAUTH", "BYE"};
    struct slice word = slice_first(text, slice_find_byte(text, ' '));
    size_t which = 0;

    while (which < COUNT_OF(words) && !slice_equal_nocase(word, slice_of_string(words[which])))
        which++;
    if (which == COUNT_OF(words))
        return false;
    text = slice_trim(slice_skip(text, word.len));
    ret_status->word = (enum imap_client_word)which;
    ret_status->code = slice_first(text, 0);
    size_t end = slice_find_byte(text, ']');
    if (slice_starts_with(text, SLICE("[")) && end < text.len) {
        ret_status->code = slice_between(text, 1, end);
        text = slice_trim(slice_skip(text, end + 1));
    }
    ret_status->text = text;
    return true;
}

/* ---- capabilities -------------------------------------------------------------------------- */

static void
take_mechanism(struct imap_client *client, struct slice name)
{
    for (size_t i = 0; i < client->options.mechanisms_count; i++) {
        if (slice_equal_nocase(name, client->options.mechanisms[i]))
            client->has_mechanism[i] = true;
    }
}

static void
take_capability(struct imap_client *client, struct slice name)
{
    struct imap_client_facts *facts = &client->facts;
    const struct {
        const char *name;
        bool *fact;
    } known[] = {
        {"IMAP4rev1", &facts->has_rev1},
        {"IMAP4rev2", &facts->has_rev2},
        {"STARTTLS", &facts->has_starttls},
        {"LOGINDISABLED", &facts->has_login_disabled},
        {"SASL-IR", &facts->has_sasl_ir},
        {"LITERAL+", &facts->has_literal_plus},
        {"LITERAL-", &facts->has_literal_minus},
        {"IDLE", &facts->has_idle},
        {"NAMESPACE", &facts->has_namespace},
        {"UNSELECT", &facts->has_unselect},
        {"UIDPLUS", &facts->has_uidplus},
        {"MOVE", &facts->has_move},
        {"ENABLE", &facts->has_enable},
        {"SPECIAL-USE", &facts->has_special_use},
        {"CREATE-SPECIAL-USE", &facts->has_create_special_use},
        {"LIST-EXTENDED", &facts->has_list_extended},
        {"CONDSTORE", &facts->has_condstore},
        {"QRESYNC", &facts->has_qresync},
        {"STATUS=SIZE", &facts->has_status_size},
    };

    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_equal_nocase(name, slice_of_string(known[i].name)))
            *known[i].fact = true;
    }
    if (slice_starts_with_nocase(name, SLICE("AUTH=")))
        take_mechanism(client, slice_skip(name, 5));
}

/* RFC 9051 appendix E: what the second revision has without saying so. */
static void
add_parts_of_rev2(struct imap_client_facts *facts)
{
    facts->has_idle = facts->has_namespace = facts->has_unselect = facts->has_uidplus = true;
    facts->has_move = facts->has_enable = facts->has_sasl_ir = facts->has_status_size = true;
    facts->has_special_use = facts->has_literal_minus = facts->has_list_extended = true;
}

void
imap_client_take_capabilities(struct imap_client *client, struct slice names)
{
    client->facts = (struct imap_client_facts){0};
    memset(client->has_mechanism, 0, sizeof(client->has_mechanism));
    client->has_facts = true;
    while (names.len > 0) {
        struct slice name = slice_first(names, slice_find_byte(names, ' '));
        take_capability(client, name);
        names = slice_skip(names, name.len + 1);
    }
    if (client->facts.has_qresync)
        client->facts.has_condstore = true; /* RFC 7162 §3.2.3 */
    if (client->facts.has_rev2)
        add_parts_of_rev2(&client->facts);
}

/* ---- codes ----------------------------------------------------------------------------------- */

static void
take_permanent_flags(struct imap_client *client, struct slice flags)
{
    client->mailbox.allows_keywords = slice_find(flags, SLICE("\\*")) < flags.len;
    client->mailbox.allows_receipts =
        client->mailbox.allows_keywords || slice_find(flags, SLICE("$MDNSent")) < flags.len;
}

bool
imap_client_take_code(struct imap_client *client, struct slice code)
{
    struct imap_client_status *status = &client->mailbox.status;
    struct slice word = slice_first(code, slice_find_byte(code, ' '));
    struct slice rest = slice_skip(code, word.len + 1);
    struct cursor cursor = cursor_of(rest);

    if (slice_equal_nocase(word, SLICE("CAPABILITY")))
        imap_client_take_capabilities(client, rest);
    else if (slice_equal_nocase(word, SLICE("UIDVALIDITY")))
        return imap_take_nz_number(&cursor, &status->uid_validity);
    else if (slice_equal_nocase(word, SLICE("UIDNEXT")))
        return imap_take_nz_number(&cursor, &status->uid_next);
    else if (slice_equal_nocase(word, SLICE("HIGHESTMODSEQ")))
        return imap_take_number64(&cursor, &status->highest_modseq);
    else if (slice_equal_nocase(word, SLICE("PERMANENTFLAGS")))
        take_permanent_flags(client, rest);
    else if (slice_equal_nocase(word, SLICE("READ-ONLY")))
        client->mailbox.is_read_only = true;
    else if (slice_equal_nocase(word, SLICE("READ-WRITE")))
        client->mailbox.is_read_only = false;
    else
        /* The number of the first unseen message, the absence of modseqs, the end of the last
         * mailbox: nobody needs to hear of them. */
        return slice_equal_nocase(word, SLICE("UNSEEN")) ||
               slice_equal_nocase(word, SLICE("NOMODSEQ")) ||
               slice_equal_nocase(word, SLICE("CLOSED"));
    return true;
}
