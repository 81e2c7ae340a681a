/* SPDX-License-Identifier: ISC */
/* The part tree in one pass. What is open at a moment is a path from the root down to one part; the
 * multiparts on it wait for their boundaries, and each boundary line closes all that is below its
 * multipart (RFC 2046 5.1.2: an outer boundary ends whatever is inside). */
#include "mime/part.h"

#include "base/cursor.h"
#include "message/unstructured.h"
#include "mime/scan.h"

/* A multipart whose boundary is waited for. */
struct frame {
    uint32_t level; /* its depth: its place on the path */
    struct slice boundary;
    uint64_t key;  /* the first 8 octets of the boundary, so that 100 waiting boundaries are */
    uint64_t mask; /* compared with a line in 100 cheap steps */
    bool has_parts;
};

struct open_part {
    uint32_t index;
    size_t lines; /* line ends that were passed before its body */
};

struct parser {
    struct mime_tree *tree;
    struct arena *arena;
    size_t parts_room;
    struct frame frames[MIME_DEPTH_MAX];
    size_t frames_count;
    struct open_part path[MIME_DEPTH_MAX + 1];
    size_t path_len;
    struct mime_tally tally;
    size_t at; /* always the start of a line */
};

static void
complain(struct parser *parser, enum mime_defect_kind kind, size_t offset)
{
    mime_defects_add(&parser->tree->defects, kind, offset);
}

static struct mime_part *
part_at(struct parser *parser, size_t level)
{
    return &parser->tree->parts[parser->path[level].index];
}

/* ---- boundaries ---------------------------------------------------------------------------- */

static uint64_t
first_octets(struct slice s)
{
    uint64_t key = 0;

    memcpy(&key, s.at, s.len < sizeof(key) ? s.len : sizeof(key));
    return key;
}

static byte_set boundary_marks = {
    ['\''] = true, ['('] = true, [')'] = true, ['+'] = true, ['_'] = true,
    [','] = true,  ['-'] = true, ['.'] = true, ['/'] = true, [':'] = true,
    ['='] = true,  ['?'] = true, [' '] = true};

/* bchars (RFC 2046 5.1.1), not ending in a space, at most 70. */
static bool
is_legal_boundary(struct slice boundary)
{
    for (size_t i = 0; i < boundary.len; i++)
        if (!byte_is_digit(boundary.at[i]) && !byte_is_alpha(boundary.at[i]) &&
            !boundary_marks[boundary.at[i]])
            return false;
    return boundary.len <= 70;
}

static void
push_frame(struct parser *parser, uint32_t level, struct slice boundary)
{
    uint64_t mask = UINT64_MAX;

    assert(parser->frames_count < MIME_DEPTH_MAX && boundary.len > 0);
    if (boundary.len < sizeof(mask)) {
        mask = 0;
        memset(&mask, 0xFF, boundary.len);
    }
    parser->frames[parser->frames_count++] = (struct frame){
        .level = level,
        .boundary = boundary,
        .key = first_octets(boundary),
        .mask = mask,
    };
}

struct delimiter {
    size_t frame;
    bool is_close; /* "--" follows: the last one of its multipart */
    bool is_exact; /* nothing but blanks follow on the line */
};

/* True when only transport padding (RFC 2046 5.1.1) stands before the end of the line. */
static bool
is_rest_of_line_blank(struct slice rest)
{
    size_t i = 0;

    while (i < rest.len && (rest.at[i] == ' ' || rest.at[i] == '\t' || rest.at[i] == '\r'))
        i++;
    return i == rest.len || rest.at[i] == '\n';
}

/* Looks whether the line at `at` is a delimiter. A line that is one exactly wins, the innermost
 * first (a careless sender may have given nested multiparts the same boundary). Else it is enough
 * that it begins with a boundary ("an exact match of the entire candidate line is not required",
 * RFC 2046 5.1.1): the longest one. */
static bool
match_delimiter(const struct parser *parser, size_t at, struct delimiter *ret_delimiter)
{
    struct slice rest = slice_skip(parser->tree->message, at);
    size_t longest = 0;

    if (parser->frames_count == 0 || rest.len < 3 || rest.at[0] != '-' || rest.at[1] != '-')
        return false;
    rest = slice_skip(rest, 2);
    uint64_t key = first_octets(rest);
    for (size_t i = parser->frames_count; i-- > 0;) {
        const struct frame *frame = &parser->frames[i];
        if (((frame->key ^ key) & frame->mask) != 0 || !slice_starts_with(rest, frame->boundary))
            continue;
        struct slice behind = slice_skip(rest, frame->boundary.len);
        bool is_close = slice_starts_with(behind, SLICE("--"));
        if (is_rest_of_line_blank(slice_skip(behind, is_close ? 2 : 0))) {
            *ret_delimiter = (struct delimiter){i, is_close, true};
            return true;
        }
        if (frame->boundary.len > longest) {
            *ret_delimiter = (struct delimiter){i, is_close, false};
            longest = frame->boundary.len;
        }
    }
    return longest > 0;
}

/* Goes to the next delimiter; false, at the end of the message, when none comes. */
static bool
find_delimiter(struct parser *parser, struct delimiter *ret_delimiter)
{
    struct slice message = parser->tree->message;

    while (parser->at < message.len) {
        if (match_delimiter(parser, parser->at, ret_delimiter))
            return true;
        parser->at = mime_scan_dashes(message, parser->at, &parser->tally);
    }
    return false;
}

/* ---- headers ------------------------------------------------------------------------------- */

/* Goes behind the header that begins here: behind its empty line, or, with false, to the boundary
 * or end that comes too early. */
static bool
pass_header(struct parser *parser)
{
    struct slice message = parser->tree->message;
    size_t start = parser->at;
    struct delimiter delimiter;

    while (parser->at < message.len) {
        const uint8_t *line = message.at + parser->at;
        bool is_empty =
            line[0] == '\n' || (line[0] == '\r' && message.len - parser->at > 1 && line[1] == '\n');
        if (!is_empty && match_delimiter(parser, parser->at, &delimiter))
            break;
        parser->at = mime_scan_line(message, parser->at, &parser->tally);
        if (is_empty)
            return true;
    }
    complain(parser, MIME_DEFECT_HEADER_UNFINISHED, start);
    return false;
}

static struct slice
take_text(struct parser *parser, const struct field *field)
{
    return field->is_folded ? unstructured_unfold(parser->arena, field->body) : field->body;
}

static void
take_field(struct parser *parser, struct mime_part *part, const struct field *field)
{
    const struct mime_place place = {parser->tree->message.at, &parser->tree->defects};
    struct slice *text = NULL;
    bool is_repeated = false;

    switch ((int)field->id) {
    case FIELD_CONTENT_TYPE:
        if (!(is_repeated = part->content_type.type.at != NULL))
            part->content_type = mime_content_type_parse(field->body, parser->arena, &place);
        break;
    case FIELD_CONTENT_TRANSFER_ENCODING:
        if (!(is_repeated = part->encoding_name.at != NULL))
            part->encoding = mime_encoding_parse(field->body, &place);
        text = &part->encoding_name;
        break;
    case FIELD_CONTENT_DISPOSITION:
        if (!(is_repeated = part->disposition.type.at != NULL))
            part->disposition = mime_disposition_parse(field->body, parser->arena, &place);
        break;
    case FIELD_CONTENT_ID:
        text = &part->id;
        break;
    case FIELD_CONTENT_DESCRIPTION:
        text = &part->description;
        break;
    case FIELD_CONTENT_LANGUAGE:
        text = &part->language;
        break;
    case FIELD_CONTENT_LOCATION:
        text = &part->location;
        break;
    case FIELD_CONTENT_MD5:
        text = &part->md5;
        break;
    case FIELD_MIME_VERSION:
        parser->tree->has_mime_version = parser->tree->has_mime_version || part->depth == 0;
        break;
    default:
        break;
    }
    if (text && !(is_repeated = is_repeated || text->at != NULL))
        *text = take_text(parser, field);
    if (is_repeated)
        complain(parser, MIME_DEFECT_FIELD_REPEATED,
                 (size_t)(field->raw.at - parser->tree->message.at));
}

static void
note_field_defects(struct parser *parser, uint16_t defects, size_t offset)
{
    if (defects &
        (FIELD_DEFECT_JUNK | FIELD_DEFECT_NAME | FIELD_DEFECT_FIRST_FOLD | FIELD_DEFECT_BARE_CR))
        complain(parser, MIME_DEFECT_HEADER, offset);
    if (defects & FIELD_DEFECT_NUL)
        complain(parser, MIME_DEFECT_NUL, offset);
}

/* What read_fields has seen. */
struct header_end {
    size_t body_offset; /* where the reader saw the body begin */
    size_t junk_offset; /* where the lines begin that are no fields, up to the end; or SIZE_MAX */
};

static void
pass_field(struct parser *parser, struct mime_part *part, const struct field *field,
           struct header_end *end)
{
    if (field->kind != FIELD_KIND_JUNK)
        end->junk_offset = SIZE_MAX;
    else if (end->junk_offset == SIZE_MAX)
        end->junk_offset = field->offset;
    take_field(parser, part, field);
}

/* Returns the header's defects. */
static uint16_t
take_header(struct parser *parser, struct mime_part *part, const struct header *header,
            struct header_end *end)
{
    for (size_t i = 0; i < header->count; i++)
        pass_field(parser, part, &header->fields[i], end);
    if (header->is_cut)
        complain(parser, MIME_DEFECT_FIELDS_LIMIT, part->header_start);
    part->fields = header;
    end->body_offset = header->body_offset;
    return header->defects;
}

/* Reads the fields of `octets`, which is the part's header. Messages get an index of their fields,
 * other parts do not need one. */
static struct header_end
read_fields(struct parser *parser, struct mime_part *part, struct slice octets, bool is_message)
{
    struct header_end end = {octets.len, SIZE_MAX};
    uint16_t defects;

    if (is_message) {
        struct header *header = ARENA_NEW(parser->arena, struct header);
        if (!header)
            return end;
        header_parse(parser->arena, octets, header);
        defects = take_header(parser, part, header, &end);
    } else {
        struct field_reader reader;
        struct field field;
        field_reader_init(&reader, octets);
        while (field_next(&reader, &field))
            pass_field(parser, part, &field, &end);
        defects = reader.defects;
        end.body_offset = reader.body_offset;
    }
    note_field_defects(parser, defects, part->header_start);
    return end;
}

/* Reads the whole message's header and goes to the body, when it is as it should be: with CR LF
 * everywhere and the empty line behind it. No boundary can end it, and nobody wants to know how
 * many lines it has, so there is no need to find its end first. False, and nothing done, when it is
 * different. */
static bool
parse_first_header(struct parser *parser, struct mime_part *part)
{
    struct header *header = ARENA_NEW(parser->arena, struct header);
    struct header_end end = {0, SIZE_MAX};

    if (!header)
        return false;
    header_parse(parser->arena, parser->tree->message, header);
    if (header->defects & (FIELD_DEFECT_BARE_LF | FIELD_DEFECT_NO_END) ||
        header->body_offset - header->header_len != 2)
        return false;
    note_field_defects(parser, take_header(parser, part, header, &end), 0);
    parser->at = header->body_offset;
    part->body_start = (uint32_t)parser->at;
    part->body_end = part->body_start;
    return true;
}

/* Reads the header that begins here and goes to the body. */
static void
parse_header(struct parser *parser, struct mime_part *part, bool is_message)
{
    struct mime_tally before = parser->tally;
    size_t start = parser->at;

    bool has_empty_line = pass_header(parser);
    struct slice octets = slice_between(parser->tree->message, start, parser->at);
    struct header_end end = read_fields(parser, part, octets, is_message);
    size_t body_start = start + end.body_offset;
    if (!has_empty_line && end.junk_offset < end.body_offset)
        body_start = start + end.junk_offset;
    if (body_start < parser->at) {
        /* The empty line was forgotten and the body begins before it: count its lines anew. */
        if (has_empty_line)
            complain(parser, MIME_DEFECT_HEADER_UNFINISHED, start);
        parser->tally = before;
        for (parser->at = start; parser->at < body_start;)
            parser->at = mime_scan_line(parser->tree->message, parser->at, &parser->tally);
    }
    part->body_start = (uint32_t)parser->at;
    part->body_end = part->body_start;
}

/* ---- parts --------------------------------------------------------------------------------- */

/* A place, to be filled, for one more part; NULL when a limit is reached, which is noted. */
static struct mime_part *
new_part(struct parser *parser)
{
    struct mime_tree *tree = parser->tree;

    if (tree->count == MIME_PARTS_MAX) {
        complain(parser, MIME_DEFECT_PARTS_LIMIT, parser->at);
        return NULL;
    }
    if (tree->count == parser->parts_room) {
        size_t room = parser->parts_room ? parser->parts_room * 2 : 4;
        struct mime_part *parts = arena_room(parser->arena, room * sizeof(*parts));
        if (!parts) {
            complain(parser, MIME_DEFECT_MEMORY_LIMIT, parser->at);
            return NULL;
        }
        if (tree->count > 0)
            memcpy(parts, tree->parts, tree->count * sizeof(*parts));
        tree->parts = parts;
        parser->parts_room = room;
    }
    return &tree->parts[tree->count++];
}

/* RFC 2046 5.1.5: the parts of a digest are messages unless they say otherwise. */
static struct mime_content_type
default_type(const struct mime_part *parent)
{
    if (parent && mime_content_type_is(&parent->content_type, "multipart", "digest"))
        return (struct mime_content_type){.type = SLICE("message"), .subtype = SLICE("rfc822")};
    return mime_content_type_default();
}

static bool
is_encoded(const struct mime_part *part)
{
    return part->encoding == MIME_ENCODING_BASE64 ||
           part->encoding == MIME_ENCODING_QUOTED_PRINTABLE ||
           part->encoding == MIME_ENCODING_UUENCODE;
}

/* The boundary as it will stand in the lines: written, if it is written in one piece. */
static struct slice
boundary_of(const struct mime_part *part)
{
    struct slice boundary = mime_parameters_find(part->content_type.written, SLICE("boundary"));

    if (!boundary.at)
        boundary = mime_parameters_find(part->content_type.parameters, SLICE("boundary"));
    while (boundary.len > 0 && boundary.at[boundary.len - 1] == ' ')
        boundary.len--;
    return boundary;
}

static void
enter_multipart(struct parser *parser, struct mime_part *part)
{
    struct slice boundary = boundary_of(part);

    part->kind = MIME_PART_MULTIPART;
    if (is_encoded(part))
        complain(parser, MIME_DEFECT_ENCODED_COMPOSITE, part->header_start);
    if (slice_is_empty(boundary)) {
        complain(parser, MIME_DEFECT_NO_BOUNDARY, part->header_start);
        return;
    }
    if (!is_legal_boundary(boundary))
        complain(parser, MIME_DEFECT_BOUNDARY_LONG, part->header_start);
    push_frame(parser, part->depth, boundary);
}

/* Decides what the part is, now that its header is known. */
static void
enter_body(struct parser *parser, struct mime_part *part)
{
    bool is_multipart = mime_content_type_is(&part->content_type, "multipart", "");
    bool is_message = mime_content_type_is(&part->content_type, "message", "rfc822") ||
                      mime_content_type_is(&part->content_type, "message", "global");

    if (!is_multipart && !is_message)
        return;
    if (part->depth >= MIME_DEPTH_MAX)
        complain(parser, MIME_DEFECT_DEPTH_LIMIT, part->header_start);
    else if (is_multipart)
        enter_multipart(parser, part);
    else if (is_encoded(part)) /* its octets are not those of the message inside */
        complain(parser, MIME_DEFECT_ENCODED_COMPOSITE, part->header_start);
    else
        part->kind = MIME_PART_MESSAGE;
}

/* Begins one part here, as child of the last on the path. False at a limit. */
static bool
begin_part(struct parser *parser)
{
    uint32_t parent_index =
        parser->path_len ? parser->path[parser->path_len - 1].index : MIME_NO_PART;
    struct mime_part *part = new_part(parser);

    if (!part)
        return false;
    struct mime_part *parent =
        parent_index == MIME_NO_PART ? NULL : &parser->tree->parts[parent_index];
    *part = (struct mime_part){
        .parent = parent_index,
        .depth = (uint32_t)parser->path_len,
        .header_start = (uint32_t)parser->at,
    };
    if (parent || !parse_first_header(parser, part))
        parse_header(parser, part, !parent || parent->kind == MIME_PART_MESSAGE);
    if (!part->content_type.type.at)
        part->content_type = default_type(parent);
    parser->path[parser->path_len++] = (struct open_part){
        .index = (uint32_t)(parser->tree->count - 1),
        .lines = parser->tally.lines,
    };
    enter_body(parser, part);
    return true;
}

/* Begins a part and, as far as it is a message, the message inside. When that cannot be had for a
 * limit, the part is a leaf. */
static bool
begin_parts(struct parser *parser)
{
    if (!begin_part(parser))
        return false;
    while (part_at(parser, parser->path_len - 1)->kind == MIME_PART_MESSAGE) {
        if (!begin_part(parser)) {
            part_at(parser, parser->path_len - 1)->kind = MIME_PART_LEAF;
            break;
        }
    }
    return true;
}

/* Ends the parts at `level` and below, before the line break (`break_len` octets) that stands
 * before this place. A part whose body begins only here keeps the line break as the end of its
 * header, and so do the parts that it is in. */
static void
close_parts(struct parser *parser, size_t level, size_t break_len)
{
    while (parser->path_len > level) {
        const struct open_part *open = &parser->path[--parser->path_len];
        struct mime_part *part = &parser->tree->parts[open->index];
        if (part->body_start > parser->at - break_len)
            break_len = 0;
        part->body_end = (uint32_t)(parser->at - break_len);
        part->lines = (uint32_t)(parser->tally.lines - open->lines - (break_len > 0));
        part->after = (uint32_t)parser->tree->count;
    }
}

/* Forgets the boundaries from this frame on. All that were still waited for are defects. */
static void
drop_frames(struct parser *parser, size_t count)
{
    while (parser->frames_count > count) {
        const struct frame *frame = &parser->frames[--parser->frames_count];
        complain(parser, frame->has_parts ? MIME_DEFECT_MISSING_END : MIME_DEFECT_NO_PARTS,
                 part_at(parser, frame->level)->header_start);
    }
}

/* The line break before a delimiter belongs to it (RFC 2046 5.1.1). */
static size_t
break_before_delimiter(const struct parser *parser)
{
    const uint8_t *octets = parser->tree->message.at;

    if (parser->at == 0 || octets[parser->at - 1] != '\n')
        return 0;
    return parser->at > 1 && octets[parser->at - 2] == '\r' ? 2 : 1;
}

/* Handles the delimiter line here: closes what it ends and begins what it announces. */
static void
pass_delimiter(struct parser *parser, const struct delimiter *delimiter)
{
    struct frame *frame = &parser->frames[delimiter->frame];

    if (!delimiter->is_close && parser->tree->count == MIME_PARTS_MAX) {
        complain(parser, MIME_DEFECT_PARTS_LIMIT, parser->at);
        parser->frames_count = 0;
        return;
    }
    if (!delimiter->is_exact)
        complain(parser, MIME_DEFECT_BOUNDARY_TRAILING, parser->at);
    drop_frames(parser, delimiter->frame + 1);
    close_parts(parser, frame->level + 1, break_before_delimiter(parser));
    frame->has_parts = frame->has_parts || !delimiter->is_close;
    if (delimiter->is_close && !frame->has_parts)
        complain(parser, MIME_DEFECT_NO_PARTS, parser->at);
    parser->at = mime_scan_line(parser->tree->message, parser->at, &parser->tally);
    if (delimiter->is_close)
        parser->frames_count--;
    else if (!begin_parts(parser))
        parser->frames_count = 0;
}

void
mime_tree_parse(struct slice message, struct arena *arena, struct mime_tree *ret_tree)
{
    struct parser parser = {.tree = ret_tree, .arena = arena, .tally = {.bare_lf = SIZE_MAX}};
    struct delimiter delimiter;

    *ret_tree = (struct mime_tree){.message = slice_first(message, MIME_MESSAGE_MAX)};
    if (message.len > MIME_MESSAGE_MAX)
        complain(&parser, MIME_DEFECT_TOO_LONG, MIME_MESSAGE_MAX);
    if (!begin_parts(&parser))
        return;
    while (find_delimiter(&parser, &delimiter))
        pass_delimiter(&parser, &delimiter);
    drop_frames(&parser, 0);
    close_parts(&parser, 0, 0);
    if (parser.tally.bare_lf != SIZE_MAX)
        complain(&parser, MIME_DEFECT_BARE_LF, parser.tally.bare_lf);
    if (arena_failed(arena) && !mime_defects_have(&ret_tree->defects, MIME_DEFECT_MEMORY_LIMIT))
        complain(&parser, MIME_DEFECT_MEMORY_LIMIT, ret_tree->message.len);
}

uint32_t
mime_tree_find_text(const struct mime_tree *tree)
{
    uint32_t found = MIME_NO_PART;
    bool has_html = false;

    for (uint32_t i = 0; i < tree->count;) {
        const struct mime_part *part = &tree->parts[i];
        bool is_attachment = slice_equal_nocase(part->disposition.type, SLICE("attachment"));
        /* Messages and whole branches that are attached are not this message's own words. */
        if (i > 0 && (part->kind == MIME_PART_MESSAGE || is_attachment)) {
            i = part->after;
            continue;
        }
        if (part->kind == MIME_PART_LEAF && mime_content_type_is(&part->content_type, "text", "")) {
            if (mime_content_type_is(&part->content_type, "text", "plain"))
                return i;
            bool is_html = mime_content_type_is(&part->content_type, "text", "html");
            if (found == MIME_NO_PART || (is_html && !has_html))
                found = i;
            has_html = has_html || is_html;
        }
        i++;
    }
    return found;
}
