/* SPDX-License-Identifier: ISC */
#include "tool/enclosure.h"

#include "mime/external.h"
#include "tool/files.h"
#include "tool/letter.h"
#include "tool/say.h"

#include <stdlib.h>
#include <sysexits.h>

enum { ID_OCTETS = 16, ID_MAX = 1 << 10 };

void
enclosures_init(struct enclosures *enclosures, struct arena *arena, struct mime_draft *draft)
{
    *enclosures = (struct enclosures){.arena = arena, .draft = draft};
}

void
enclosures_finish(struct enclosures *enclosures)
{
    for (size_t i = 0; i < enclosures->files_count; i++)
        buffer_finish(&enclosures->files[i]);
    free(enclosures->files);
    *enclosures = (struct enclosures){0};
}

static int
too_large(void)
{
    return say_error(EX_DATAERR, "the message becomes too large; give fewer or smaller files");
}

int
enclosures_add_part(struct enclosures *enclosures, struct mime_draft *part)
{
    if (!part)
        return too_large();
    if (!enclosures->draft) {
        enclosures->draft = part;
        return EX_OK;
    }
    if (!enclosures->is_mixed) {
        struct mime_draft *mixed = mime_draft_new_multipart(enclosures->arena, "mixed");
        if (!mixed)
            return too_large();
        mime_draft_append(mixed, enclosures->draft);
        enclosures->draft = mixed;
        enclosures->is_mixed = true;
    }
    mime_draft_append(enclosures->draft, part);
    return EX_OK;
}

int
enclosures_add_file(struct enclosures *enclosures, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct slice name = slice_of_string(slash ? slash + 1 : path);

    if (enclosures->files_count == enclosures->files_room) {
        size_t room = 2 * enclosures->files_room + 8;
        enclosures->files = reallocarray(enclosures->files, room, sizeof(*enclosures->files));
        if (!enclosures->files)
            abort();
        enclosures->files_room = room;
    }
    struct buffer *bytes = &enclosures->files[enclosures->files_count++];
    int code = files_read(path, LETTER_MAX, bytes);
    if (code != EX_OK)
        return code;
    return enclosures_add_part(enclosures,
                               mime_draft_new_file(enclosures->arena, name, buffer_slice(bytes)));
}

int
enclosures_add_link(struct enclosures *enclosures, const char *url, struct slice domain)
{
    struct slice id = enclosures_new_id(enclosures->arena, domain);
    struct mime_draft *part = mime_draft_new_external(enclosures->arena, slice_of_string(url), id);

    if (!part && !arena_failed(enclosures->arena))
        return say_error(EX_USAGE,
                         "--link: expected an address like 'https://example.org/plan.pdf', "
                         "blanks and other signs written as %%20, not '%s'",
                         url);
    return enclosures_add_part(enclosures, part);
}

int
enclosures_add_messages(struct enclosures *enclosures, const struct slice *messages, size_t count,
                        bool is_digest)
{
    struct arena *arena = enclosures->arena;
    struct mime_draft *digest = mime_draft_new_multipart(arena, "digest");

    if (count == 0)
        return EX_OK;
    if (count == 1 && !is_digest)
        return enclosures_add_part(enclosures, mime_draft_new_message(arena, messages[0]));
    if (!digest || count >= MIME_DRAFT_PARTS_MAX)
        return too_large();
    for (size_t i = 0; i < count; i++) {
        struct mime_draft *part = mime_draft_new_message(arena, messages[i]);
        if (!part)
            return too_large();
        mime_draft_append(digest, part);
    }
    return enclosures_add_part(enclosures, digest);
}

struct slice
enclosures_new_id(struct arena *arena, struct slice domain)
{
    struct buffer text;
    uint8_t random[ID_OCTETS];

    files_random(random, sizeof(random));
    buffer_init(&text, ID_MAX);
    buffer_put_hex(&text, slice_of(random, sizeof(random)));
    buffer_put_byte(&text, '@');
    buffer_put(&text, domain);
    struct slice id = arena_copy(arena, buffer_slice(&text));
    buffer_finish(&text);
    return id;
}
