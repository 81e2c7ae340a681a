/* SPDX-License-Identifier: ISC */
#include "tool/mail/compose.h"

#include "client/wire.h"
#include "message/address.h"
#include "mime/build.h"
#include "mime/file_type.h"
#include "text/charset.h"
#include "text/date.h"
#include "text/utf8.h"
#include "tool/enclosure.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "client/flowed.h"
#include "tool/say.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { ARENA_MAX = 256 << 20, FIELD_MAX = 1 << 20 };

struct building {
    const struct compose *compose;
    struct composed *composed;
    struct arena arena;
    struct buffer text, html;
    struct buffer *pictures;
    struct enclosures enclosures;
    struct mime_draft *draft;
    struct slice domain; /* of the writer's address */
};

static int
too_large(void)
{
    return say_error(EX_DATAERR, "the message becomes too large; give fewer or smaller files");
}

/* ---- text ---------------------------------------------------------------------------------- */

/* Text of the user's machine, as UTF-8. The locale of the process stays what it is: another thread
 * draws by it. */
static void
put_utf8(struct slice text, struct buffer *out)
{
    if (utf8_is_valid(text)) {
        buffer_put(out, text);
        return;
    }
    locale_t own = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    const char *codeset = own ? nl_langinfo_l(CODESET, own) : "";
    const struct charset *charset = charset_find(slice_of_string(codeset));
    if (charset && slice_equal(charset_name(charset), SLICE("utf-8")))
        charset = NULL; /* it is not: guess */
    charset_to_utf8(charset, text, out);
    if (own)
        freelocale(own);
}

/* ---- HTML with its pictures ---------------------------------------------------------------- */

static struct slice
name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slice_of_string(slash ? slash + 1 : path);
}

/* The HTML says "cid:NAME" where it means a picture; ids are unique for ever (RFC 2392). */
static void
name_picture(struct building *building, struct slice name, struct slice id)
{
    struct buffer found, named;

    buffer_init(&found, FIELD_MAX);
    buffer_init(&named, LETTER_MAX);
    buffer_put_text(&found, "cid:");
    buffer_put(&found, name);
    for (struct slice rest = buffer_slice(&building->html); rest.len > 0;) {
        size_t at = slice_find(rest, buffer_slice(&found));
        buffer_put(&named, slice_first(rest, at));
        if (at < rest.len) {
            buffer_put_text(&named, "cid:");
            buffer_put(&named, id);
        }
        rest = slice_skip(rest, at + buffer_len(&found));
    }
    buffer_finish(&found);
    buffer_finish(&building->html);
    building->html = named;
}

static int
new_picture(struct building *building, size_t index, struct mime_draft **ret_part)
{
    const char *path = building->compose->pictures[index];
    struct slice name = name_of(path), id = enclosures_new_id(&building->arena, building->domain);
    struct buffer field, *bytes = &building->pictures[index];
    int code = files_read(path, LETTER_MAX, bytes);

    if (code != EX_OK)
        return code;
    struct mime_draft *part =
        mime_draft_new_bytes(&building->arena, mime_file_type(name), buffer_slice(bytes));
    if (!part)
        return too_large();
    buffer_init(&field, FIELD_MAX);
    buffer_put_byte(&field, '<');
    buffer_put(&field, id);
    buffer_put_byte(&field, '>');
    mime_draft_add_field(part, "Content-ID", arena_copy(&building->arena, buffer_slice(&field)));
    buffer_finish(&field);
    mime_draft_set_disposition(part, "inline", name);
    name_picture(building, name, id);
    *ret_part = part;
    return EX_OK;
}

/* The HTML, or multipart/related with what it shows (RFC 2387). */
static int
add_html(struct building *building, struct mime_draft **ret_part)
{
    size_t count = building->compose->pictures_count;
    struct mime_draft **pictures = ARENA_ARRAY(&building->arena, struct mime_draft *, count + 1);
    struct mime_draft *related = mime_draft_new_multipart(&building->arena, "related");
    int code = EX_OK;

    building->pictures = calloc(count + 1, sizeof(*building->pictures));
    if (!pictures || !related || !building->pictures)
        return too_large();
    for (size_t i = 0; i < count && code == EX_OK; i++)
        code = new_picture(building, i, &pictures[i]);
    if (code != EX_OK)
        return code;
    struct mime_draft *html =
        mime_draft_new_text(&building->arena, "html", buffer_slice(&building->html));
    *ret_part = html;
    if (!html)
        return too_large();
    if (count == 0)
        return EX_OK;
    *ret_part = related;
    mime_draft_add_parameter(related, "type", SLICE("text/html"));
    mime_draft_append(related, html);
    for (size_t i = 0; i < count; i++)
        mime_draft_append(related, pictures[i]);
    return EX_OK;
}

static int
add_texts(struct building *building)
{
    const struct compose *compose = building->compose;
    struct buffer utf8;
    struct mime_draft *plain, *rich = NULL;

    if (compose->is_digest && compose->text.len == 0 && !compose->html)
        return EX_OK;
    buffer_init(&utf8, LETTER_MAX);
    put_utf8(compose->text, &utf8);
    if (compose->is_flowed)
        flowed_put(buffer_slice(&utf8), &building->text);
    else
        buffer_put(&building->text, buffer_slice(&utf8));
    buffer_finish(&utf8);
    plain = mime_draft_new_text(&building->arena, "plain", buffer_slice(&building->text));
    if (plain && compose->is_flowed)
        mime_draft_add_parameter(plain, "format", SLICE("flowed"));
    building->draft = plain;
    if (!compose->html || !plain)
        return plain ? EX_OK : too_large();
    int code = files_read(compose->html, LETTER_MAX, &building->html);
    if (code == EX_OK)
        code = add_html(building, &rich);
    if (code != EX_OK)
        return code;
    building->draft = mime_draft_new_multipart(&building->arena, "alternative");
    if (!rich || !building->draft)
        return too_large();
    mime_draft_append(building->draft, plain);
    mime_draft_append(building->draft, rich);
    return EX_OK;
}

/* ---- attachments --------------------------------------------------------------------------- */

static int
add_parts(struct building *building)
{
    const struct compose *compose = building->compose;
    struct mime_draft *whole = building->draft, *part;

    if (compose->parts_count == 0)
        return EX_OK;
    building->draft = mime_draft_new_multipart(&building->arena, compose->multipart);
    if (!building->draft)
        return too_large();
    mime_draft_append(building->draft, whole);
    for (size_t i = 0; i < compose->parts_count; i++) {
        const struct compose_part *given = &compose->parts[i];
        bool is_text = strncmp(given->type, "text/", 5) == 0;
        part = is_text ? mime_draft_new_text(&building->arena, given->type + 5, given->octets)
                       : mime_draft_new_verbatim(&building->arena, given->type, given->octets);
        if (!part)
            return too_large();
        if (given->parameter)
            mime_draft_add_parameter(part, given->parameter, slice_of_string(given->value));
        mime_draft_append(building->draft, part);
    }
    return EX_OK;
}

static int
add_enclosures(struct building *building)
{
    const struct compose *compose = building->compose;
    struct enclosures *enclosures = &building->enclosures;
    int code = EX_OK;

    enclosures_init(enclosures, &building->arena, building->draft);
    for (size_t i = 0; i < compose->files_count && code == EX_OK; i++)
        code = enclosures_add_file(enclosures, compose->files[i]);
    for (size_t i = 0; i < compose->links_count && code == EX_OK; i++)
        code = enclosures_add_link(enclosures, compose->links[i], building->domain);
    if (code == EX_OK)
        code = enclosures_add_messages(enclosures, compose->forwarded, compose->forwarded_count,
                                       compose->is_digest);
    building->draft = enclosures->draft;
    return code;
}

/* ---- fields -------------------------------------------------------------------------------- */

/* Addresses without a domain are of the writer's own (RFC 6409 §8.3). */
static void
complete_domains(struct building *building, struct address_list *list)
{
    for (struct address *address = list->first; address; address = address->next) {
        if (address->kind == ADDRESS_MAILBOX && (address->defects & ADDRESS_NO_DOMAIN)) {
            address->domain = building->domain;
            address->defects &= (uint16_t)~ADDRESS_NO_DOMAIN;
        }
    }
}

static int
add_addresses(struct building *building, const char *field, struct slice text)
{
    enum { WRONG = ADDRESS_NO_LOCAL | ADDRESS_UNCLOSED | ADDRESS_MULTIPLE_AT };
    struct address_list list;

    if (text.len == 0)
        return EX_OK;
    address_list_parse(&building->arena, text, &list);
    if (list.count == 0 || list.is_cut || (list.defects & WRONG))
        return say_error(EX_USAGE,
                         "%s: expected addresses like 'Jean Dupont <jean@example.org>', separated "
                         "by commas, not '%.*s'",
                         field, (int)text.len, (const char *)text.at);
    complete_domains(building, &list);
    mime_draft_add_addresses(building->draft, field, &list);
    return EX_OK;
}

/* RFC 5322 §3.6.4: unique for ever; random octets are. */
static void
add_message_id(struct building *building)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    buffer_put_byte(&text, '<');
    buffer_put(&text, enclosures_new_id(&building->arena, building->domain));
    buffer_put_byte(&text, '>');
    mime_draft_add_field(building->draft, "Message-ID",
                         arena_copy(&building->arena, buffer_slice(&text)));
    buffer_finish(&text);
}

static void
add_date(struct building *building)
{
    struct wall now = client_wall();
    time_t seconds = (time_t)wall_seconds(now);
    struct buffer text;
    struct tm local;

    buffer_init(&text, FIELD_MAX);
    long east_s = localtime_r(&seconds, &local) ? local.tm_gmtoff : 0;
    date_format_rfc5322(now, (int)(east_s / 60), &text);
    mime_draft_add_field(building->draft, "Date",
                         arena_copy(&building->arena, buffer_slice(&text)));
    buffer_finish(&text);
}

void
compose_put_from(const struct client_account *account, struct buffer *out)
{
    struct address address = {.kind = ADDRESS_MAILBOX};
    struct slice whole = slice_of_string(account->address);
    size_t at = slice_find_last_byte(whole, '@');

    address.local = slice_first(whole, at);
    address.domain = slice_skip(whole, at + 1);
    address.name = slice_of_string(account->person ? account->person : "");
    address_format(&address, out);
}

/* The account's, or as --from says. */
static struct slice
from_text(struct building *building)
{
    struct buffer text;

    if (building->compose->from)
        return slice_of_string(building->compose->from);
    buffer_init(&text, FIELD_MAX);
    compose_put_from(building->compose->account, &text);
    struct slice result = arena_copy(&building->arena, buffer_slice(&text));
    buffer_finish(&text);
    return result;
}

/* One line, whatever the arguments of a program held. */
static void
add_subject(struct building *building)
{
    struct buffer text;

    buffer_init(&text, FIELD_MAX);
    utf8_put_printable(&text, building->compose->subject);
    mime_draft_add_text_field(building->draft, "Subject",
                              arena_copy(&building->arena, buffer_slice(&text)));
    buffer_finish(&text);
}

static int
add_fields(struct building *building)
{
    const struct compose *compose = building->compose;
    const char *reply_to = compose->reply_to ? compose->reply_to : compose->account->reply_to;
    const struct {
        const char *field;
        struct slice text;
    } rows[] = {
        {"From", from_text(building)},
        {"Reply-To", slice_of_string(reply_to ? reply_to : "")},
        {"To", compose->to},
        {"Cc", compose->cc},
        {"Disposition-Notification-To", compose->wants_receipt ? from_text(building) : SLICE("")}};
    int code = EX_OK;

    add_date(building);
    for (size_t i = 0; code == EX_OK && i < COUNT_OF(rows); i++)
        code = add_addresses(building, rows[i].field, rows[i].text);
    add_subject(building);
    add_message_id(building);
    if (compose->in_reply_to.len > 0)
        mime_draft_add_field(building->draft, "In-Reply-To", compose->in_reply_to);
    if (compose->references.len > 0)
        mime_draft_add_field(building->draft, "References", compose->references);
    if (compose->account->organization)
        mime_draft_add_text_field(building->draft, "Organization",
                                  slice_of_string(compose->account->organization));
    return code;
}

/* ---- the envelope -------------------------------------------------------------------------- */

static int
add_recipients(struct building *building)
{
    const struct slice lists[COMPOSE_LISTS] = {building->compose->to, building->compose->cc,
                                               building->compose->bcc};
    struct outgoing *outgoing = &building->composed->outgoing;
    struct slice bad;

    for (size_t i = 0; i < COMPOSE_LISTS; i++) {
        if (lists[i].len > 0 && !outgoing_add(outgoing, lists[i], building->domain, &bad))
            return say_error(EX_USAGE, "'%.*s' is no address", (int)bad.len, (const char *)bad.at);
    }
    return outgoing->count > 0 ? EX_OK : say_error(EX_USAGE, "to whom? Give an address");
}

static int
find_sender(struct building *building)
{
    struct address_list list;
    struct buffer *sender = &building->composed->sender;

    address_list_parse(&building->arena, from_text(building), &list);
    struct address *first = list.first;
    if (!first || first->kind != ADDRESS_MAILBOX || first->domain.len == 0 || first->local.len == 0)
        return say_error(EX_USAGE, "--from: expected an address like 'Jean <jean@example.org>'");
    address_put_spec(sender, first);
    building->domain = first->domain;
    return EX_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static int
put_message(struct building *building)
{
    struct mime_draft_entropy entropy;

    files_random(&entropy, sizeof(entropy));
    return mime_draft_put(building->draft, &entropy, &building->composed->outgoing.content)
               ? EX_OK
               : too_large();
}

int
compose_put(const struct compose *compose, struct composed *ret_composed)
{
    struct building building = {.compose = compose, .composed = ret_composed};

    composed_init(ret_composed);
    buffer_init(&building.text, LETTER_MAX);
    arena_init(&building.arena, ARENA_MAX);
    int code = find_sender(&building);
    if (code == EX_OK)
        code = add_recipients(&building);
    if (code == EX_OK)
        code = add_texts(&building);
    if (code == EX_OK)
        code = add_parts(&building);
    if (code == EX_OK)
        code = add_enclosures(&building);
    if (code == EX_OK)
        code = add_fields(&building);
    if (code == EX_OK)
        code = put_message(&building);
    for (size_t i = 0; building.pictures && i < compose->pictures_count; i++)
        buffer_finish(&building.pictures[i]);
    enclosures_finish(&building.enclosures);
    free(building.pictures);
    buffer_finish(&building.text);
    buffer_finish(&building.html);
    arena_finish(&building.arena);
    return code;
}

void
composed_init(struct composed *composed)
{
    outgoing_init(&composed->outgoing, LETTER_MAX);
    buffer_init(&composed->sender, FIELD_MAX);
}

void
composed_finish(struct composed *composed)
{
    outgoing_finish(&composed->outgoing);
    buffer_finish(&composed->sender);
}

/* ---- the writer's text --------------------------------------------------------------------- */

static int
edit(const char *path)
{
    const char *editor = getenv("VISUAL");
    char *command = NULL;
    int status = -1;

    editor = editor && editor[0] ? editor : getenv("EDITOR");
    if (asprintf(&command, "%s \"$1\"", editor && editor[0] ? editor : "vi") < 0)
        abort();
    pid_t child = fork();
    if (child == 0) {
        char *const words[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", command,
                               (char *)(uintptr_t) "sh", (char *)(uintptr_t)path,  NULL};
        (void)execv("/bin/sh", words);
        _exit(127);
    }
    if (child > 0)
        (void)waitpid(child, &status, 0);
    free(command);
    return status == 0 ? EX_OK
                       : say_error(EX_UNAVAILABLE,
                                   "the editor failed; nothing was sent. The text "
                                   "is in %s",
                                   path);
}

int
compose_read_text(struct slice draft, struct buffer *ret_text, char **ret_path)
{
    const char *folder = getenv("TMPDIR");
    char *path = NULL;
    int code = EX_OK;

    *ret_path = NULL;
    if (!isatty(STDIN_FILENO))
        return files_read_or_stdin("-", LETTER_MAX, ret_text);
    buffer_init(ret_text, LETTER_MAX);
    if (asprintf(&path, "%s/facteur-XXXXXX.txt", folder && folder[0] ? folder : "/tmp") < 0)
        abort();
    int descriptor = mkstemps(path, 4);
    if (descriptor < 0 || write(descriptor, draft.at, draft.len) != (ssize_t)draft.len)
        code = say_error(EX_CANTCREAT, "cannot write to %s", path);
    if (descriptor >= 0)
        close(descriptor);
    if (code == EX_OK)
        code = edit(path);
    if (code != EX_OK) {
        free(path);
        return code;
    }
    *ret_path = path;
    return files_read(path, LETTER_MAX, ret_text);
}

void
compose_end_text(char *path, int code)
{
    if (path && code == EX_OK)
        (void)unlink(path);
    else if (path)
        say_warning("what you wrote is in %s", path);
    free(path);
}
