/* SPDX-License-Identifier: ISC */
/* Differential test: the corpus through this room and through GMime. The trees, the parameters, the
 * decoded subjects and addresses and the decoded contents are the same, or the difference stands in
 * the table that is the second argument, with its reason. An entry of the table that is no longer
 * true fails too.
 *
 * usage: gmime_test FOLDER TABLE [NAME]     with NAME: only that message, both sides printed */
#include <dirent.h>
#include <gmime/gmime.h>

#include "message/address.h"
#include "mime/decode.h"
#include "mime/encoded_word.h"
#include "mime/record.h"

enum aspect { TREE, PARAMETERS, SUBJECT, ADDRESSES, CONTENT, ASPECTS };

static const char *const aspect_names[ASPECTS] = {"tree", "parameters", "subject", "addresses",
                                                  "content"};

enum { TEXT_MAX = 64 * 1024 * 1024, MESSAGE_FILE_MAX = 4 * 1024 * 1024 };

struct view {
    struct buffer texts[ASPECTS];
};

static void
view_init(struct view *view)
{
    for (unsigned i = 0; i < ASPECTS; i++)
        buffer_init(&view->texts[i], TEXT_MAX);
}

static void
view_finish(struct view *view)
{
    for (unsigned i = 0; i < ASPECTS; i++)
        buffer_finish(&view->texts[i]);
}

static void
put_lower(struct buffer *out, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        buffer_put_byte(out, byte_to_lower(text.at[i]));
}

/* ---- GMime --------------------------------------------------------------------------------- */

static void
put_string(struct buffer *out, const char *string)
{
    buffer_put_text(out, string ? string : "");
}

static void
gmime_parameters(struct view *view, GMimeObject *object)
{
    GMimeParamList *list =
        g_mime_content_type_get_parameters(g_mime_object_get_content_type(object));
    struct buffer *out = &view->texts[PARAMETERS];

    for (int i = 0; i < g_mime_param_list_length(list); i++) {
        GMimeParam *parameter = g_mime_param_list_get_parameter_at(list, i);
        put_lower(out, slice_of_string(g_mime_param_get_name(parameter)));
        buffer_put_byte(out, '=');
        put_string(out, g_mime_param_get_value(parameter));
        buffer_put_byte(out, '\n');
    }
    buffer_put_text(out, ".\n");
}

static void
gmime_content(struct view *view, GMimePart *part)
{
    GMimeDataWrapper *wrapper = g_mime_part_get_content(part);
    GMimeStream *stream = g_mime_stream_mem_new();

    if (wrapper)
        g_mime_data_wrapper_write_to_stream(wrapper, stream);
    GByteArray *octets = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
    if (octets->len > 0)
        buffer_put(&view->texts[CONTENT], slice_of(octets->data, octets->len));
    buffer_put_text(&view->texts[CONTENT], "\n.\n");
    g_object_unref(stream);
}

static void
gmime_object(struct view *view, GMimeObject *object)
{
    struct buffer *tree = &view->texts[TREE];
    GMimeContentType *type = g_mime_object_get_content_type(object);

    put_lower(tree, slice_of_string(g_mime_content_type_get_media_type(type)));
    buffer_put_byte(tree, '/');
    put_lower(tree, slice_of_string(g_mime_content_type_get_media_subtype(type)));
    gmime_parameters(view, object);
    if (GMIME_IS_MULTIPART(object)) {
        buffer_put_byte(tree, '(');
        for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(object)); i++)
            gmime_object(view, g_mime_multipart_get_part(GMIME_MULTIPART(object), i));
        buffer_put_byte(tree, ')');
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *inside = g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));
        buffer_put_byte(tree, '(');
        if (inside && g_mime_message_get_mime_part(inside))
            gmime_object(view, g_mime_message_get_mime_part(inside));
        buffer_put_byte(tree, ')');
    } else if (GMIME_IS_PART(object)) {
        gmime_content(view, GMIME_PART(object));
    }
    buffer_put_byte(tree, ' ');
}

static void
gmime_addresses(struct buffer *out, InternetAddressList *list)
{
    for (int i = 0; list && i < internet_address_list_length(list); i++) {
        InternetAddress *address = internet_address_list_get_address(list, i);
        put_string(out, internet_address_get_name(address));
        if (INTERNET_ADDRESS_IS_GROUP(address)) {
            buffer_put_text(out, ":\n");
            gmime_addresses(out,
                            internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)));
            buffer_put_text(out, ";\n");
        } else {
            buffer_put_text(out, " <");
            put_string(out, internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address)));
            buffer_put_text(out, ">\n");
        }
    }
}

static void
view_by_gmime(struct view *view, struct slice octets)
{
    static const GMimeAddressType types[] = {GMIME_ADDRESS_TYPE_FROM, GMIME_ADDRESS_TYPE_TO,
                                             GMIME_ADDRESS_TYPE_CC, GMIME_ADDRESS_TYPE_BCC};
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)octets.at, octets.len);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);

    if (message) {
        if (g_mime_message_get_mime_part(message))
            gmime_object(view, g_mime_message_get_mime_part(message));
        put_string(&view->texts[SUBJECT], g_mime_message_get_subject(message));
        for (size_t i = 0; i < COUNT_OF(types); i++) {
            gmime_addresses(&view->texts[ADDRESSES],
                            g_mime_message_get_addresses(message, types[i]));
            buffer_put_text(&view->texts[ADDRESSES], ".\n");
        }
        g_object_unref(message);
    }
    g_object_unref(parser);
    g_object_unref(stream);
}

/* ---- this room ----------------------------------------------------------------------------- */

static void
our_part(struct view *view, const struct mime_tree *tree, uint32_t i)
{
    const struct mime_part *part = &tree->parts[i];
    struct buffer *out = &view->texts[TREE];

    put_lower(out, part->content_type.type);
    buffer_put_byte(out, '/');
    put_lower(out, part->content_type.subtype);
    for (size_t p = 0; p < part->content_type.parameters.count; p++) {
        const struct mime_parameter *parameter = &part->content_type.parameters.items[p];
        put_lower(&view->texts[PARAMETERS], parameter->name);
        buffer_put_byte(&view->texts[PARAMETERS], '=');
        buffer_put(&view->texts[PARAMETERS], parameter->value);
        buffer_put_byte(&view->texts[PARAMETERS], '\n');
    }
    buffer_put_text(&view->texts[PARAMETERS], ".\n");
    if (part->kind != MIME_PART_LEAF) {
        buffer_put_byte(out, '(');
    } else {
        mime_decode(&view->texts[CONTENT], mime_part_body(tree, part), part->encoding, NULL, 0);
        buffer_put_text(&view->texts[CONTENT], "\n.\n");
        buffer_put_byte(out, ' ');
    }
    /* Close what ends here. */
    for (uint32_t up = part->kind == MIME_PART_LEAF ? part->parent : i;
         up != MIME_NO_PART && tree->parts[up].after == i + 1; up = tree->parts[up].parent)
        buffer_put_text(out, ") ");
}

static void
our_addresses(struct buffer *out, const struct mime_record *record,
              const struct mime_record_message *message, enum mime_record_list list)
{
    for (uint32_t i = 0; i < message->addresses_count[list]; i++) {
        struct mime_record_address address =
            mime_record_address(record, message->addresses_first[list] + i);
        if (!address.host.at) {
            if (address.mailbox.at)
                mime_encoded_words_decode(out, address.mailbox);
            buffer_put_text(out, address.mailbox.at ? ":\n" : ";\n");
            continue;
        }
        if (address.name.at)
            mime_encoded_words_decode(out, address.name);
        buffer_put_text(out, " <");
        struct address spec = {.local = address.mailbox, .domain = address.host};
        address_put_spec(out, &spec);
        buffer_put_text(out, ">\n");
    }
    buffer_put_text(out, ".\n");
}

static void
view_by_us(struct view *view, struct slice octets)
{
    static const enum mime_record_list lists[] = {MIME_RECORD_FROM, MIME_RECORD_TO, MIME_RECORD_CC,
                                                  MIME_RECORD_BCC};
    struct arena arena;
    struct buffer bytes;
    struct mime_tree tree;
    struct mime_record record;
    struct mime_record_message message;

    arena_init(&arena, 64 * 1024 * 1024);
    buffer_init(&bytes, MIME_RECORD_MAX);
    mime_tree_parse(octets, &arena, &tree);
    mime_record_put(&bytes, &tree, &arena);
    for (uint32_t i = 0; i < tree.count; i++)
        our_part(view, &tree, i);
    if (mime_record_open(buffer_slice(&bytes), octets.len, &record)) {
        mime_record_message(&record, 0, &message);
        buffer_put(&view->texts[SUBJECT],
                   message.subject_text.at ? message.subject_text : slice_of("", 0));
        for (size_t i = 0; i < COUNT_OF(lists); i++)
            our_addresses(&view->texts[ADDRESSES], &record, &message, lists[i]);
    }
    buffer_finish(&bytes);
    arena_finish(&arena);
}

/* ---- comparing ----------------------------------------------------------------------------- */

/* What does not matter: how many blanks stand in the tree's text, and blanks and line ends in texts
 * that both sides have unfolded in their own ways. */
static void
put_squeezed(struct buffer *out, struct slice text)
{
    bool is_blank = false;

    for (size_t i = 0; i < text.len; i++) {
        bool was_blank = is_blank;
        is_blank = text.at[i] == ' ' || text.at[i] == '\t' || text.at[i] == '\r';
        if (!is_blank) {
            if (was_blank && text.at[i] != '\n' && text.at[i] != ')' && buffer_len(out) > 0)
                buffer_put_byte(out, ' ');
            buffer_put_byte(out, text.at[i]);
        }
    }
}

static bool
is_same(const struct view *left, const struct view *right, enum aspect aspect)
{
    struct slice a = buffer_slice(&left->texts[aspect]), b = buffer_slice(&right->texts[aspect]);
    struct buffer x, y;

    if (aspect == CONTENT)
        return slice_equal(a, b);
    buffer_init(&x, TEXT_MAX);
    buffer_init(&y, TEXT_MAX);
    put_squeezed(&x, a);
    put_squeezed(&y, b);
    bool result = slice_equal(buffer_slice(&x), buffer_slice(&y));
    buffer_finish(&x);
    buffer_finish(&y);
    return result;
}

enum expected { SAME, DIFFERENT, EITHER };

/* The table: lines `ASPECT NAME…`, the names ending in '*' for all that begin so, in '?' where
 * releases of GMime differ; other lines are the reasons. */
static enum expected
look_up(struct slice table, const char *aspect, struct slice name)
{
    for (struct slice rest = table; rest.len > 0;) {
        size_t end = slice_find_byte(rest, '\n');
        struct cursor line = cursor_of(slice_first(rest, end));
        rest = slice_skip(rest, end + 1);
        if (!cursor_take_text(&line, slice_of_string(aspect)) || !cursor_take_byte(&line, ' '))
            continue;
        while (!cursor_is_done(&line)) {
            struct slice word = slice_first(cursor_rest(&line),
                                            slice_find_byte(cursor_rest(&line), ' '));
            line.at += word.len;
            cursor_skip_blanks(&line);
            bool is_prefix = slice_ends_with(word, SLICE("*"));
            bool is_either = slice_ends_with(word, SLICE("?"));
            struct slice listed = slice_first(word, word.len - (is_prefix || is_either));
            if (is_prefix ? slice_starts_with(name, listed) : slice_equal(name, listed))
                return is_either ? EITHER : DIFFERENT;
        }
    }
    return SAME;
}

struct counts {
    unsigned messages, same, listed, failed;
};

static void
compare(struct slice octets, const char *name, struct slice table, bool is_verbose,
        struct counts *counts)
{
    struct view gmime, ours;

    view_init(&gmime);
    view_init(&ours);
    view_by_gmime(&gmime, octets);
    view_by_us(&ours, octets);
    counts->messages++;
    for (enum aspect i = TREE; i < ASPECTS; i++) {
        struct slice base = slice_of_string(name);
        base.len -= slice_ends_with(base, SLICE(".eml")) ? 4 : 0;
        bool same = is_same(&gmime, &ours, i);
        enum expected expected = look_up(table, aspect_names[i], base);
        counts->same += same;
        counts->listed += !same && expected != SAME;
        if (!same && expected == SAME)
            printf("DIFFERENT %s %.*s\n", aspect_names[i], (int)base.len, (const char *)base.at);
        if (same && expected == DIFFERENT)
            printf("NO LONGER DIFFERENT %s %.*s\n", aspect_names[i], (int)base.len,
                   (const char *)base.at);
        counts->failed += expected != EITHER && same != (expected == SAME);
        if (is_verbose)
            printf("%s: GMime\n%.*s\n%s: ours\n%.*s\n", aspect_names[i],
                   (int)buffer_len(&gmime.texts[i]),
                   (const char *)buffer_slice(&gmime.texts[i]).at, aspect_names[i],
                   (int)buffer_len(&ours.texts[i]), (const char *)buffer_slice(&ours.texts[i]).at);
    }
    view_finish(&gmime);
    view_finish(&ours);
}

static struct slice
read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *octets = malloc(MESSAGE_FILE_MAX);

    if (!file || !octets) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    size_t len = fread(octets, 1, MESSAGE_FILE_MAX, file);
    fclose(file);
    return slice_of(octets, len);
}

static void
compare_file(const char *folder, const char *name, struct slice table, bool is_verbose,
             struct counts *counts)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    struct slice octets = read_file(path);
    compare(octets, name, table, is_verbose, counts);
    free((void *)(uintptr_t)octets.at);
}

int
main(int argc, char **argv)
{
    struct counts counts = {0};
    struct dirent **names;

    if (argc < 3)
        return 2;
    g_mime_init();
    struct slice table = read_file(argv[2]);
    int count = scandir(argv[1], &names, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        if (slice_ends_with(slice_of_string(names[i]->d_name), SLICE(".eml")) &&
            (argc == 3 || strcmp(argv[3], names[i]->d_name) == 0))
            compare_file(argv[1], names[i]->d_name, table, argc > 3, &counts);
        free(names[i]);
    }
    if (count >= 0)
        free(names);
    free((void *)(uintptr_t)table.at);
    g_mime_shutdown();
    printf("%u messages, %u aspects the same, %u different for a listed reason, %u failed\n",
           counts.messages, counts.same, counts.listed, counts.failed);
    return counts.messages == 0 || counts.failed > 0;
}
