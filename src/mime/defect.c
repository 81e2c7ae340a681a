/* SPDX-License-Identifier: ISC */
#include "mime/defect.h"

static const char *const texts[MIME_DEFECT_KINDS] = {
    [MIME_DEFECT_NONE] = "nothing",
    [MIME_DEFECT_HEADER] = "a header line that is no field",
    [MIME_DEFECT_HEADER_UNFINISHED] = "a header without the empty line behind it",
    [MIME_DEFECT_FIELD_REPEATED] = "a Content field that occurs twice",
    [MIME_DEFECT_CONTENT_TYPE] = "a Content-Type that is none",
    [MIME_DEFECT_ENCODING] = "an unknown transfer encoding",
    [MIME_DEFECT_ENCODED_COMPOSITE] = "an encoded multipart or message",
    [MIME_DEFECT_DISPOSITION] = "a Content-Disposition without a type",
    [MIME_DEFECT_PARAMETER] = "a parameter that is not attribute=value",
    [MIME_DEFECT_PARAMETER_REPEATED] = "a parameter that occurs twice",
    [MIME_DEFECT_PARAMETER_SECTION] = "parameter sections missing or doubled",
    [MIME_DEFECT_PARAMETER_ENCODING] = "a parameter encoded in a wrong way",
    [MIME_DEFECT_PARAMETERS_LIMIT] = "too many parameters",
    [MIME_DEFECT_FIELDS_LIMIT] = "too many header fields",
    [MIME_DEFECT_NO_BOUNDARY] = "a multipart without boundary parameter",
    [MIME_DEFECT_BOUNDARY_LONG] = "a boundary that is too long or has octets not allowed",
    [MIME_DEFECT_BOUNDARY_TRAILING] = "something behind a boundary on its line",
    [MIME_DEFECT_NO_PARTS] = "a multipart without parts",
    [MIME_DEFECT_MISSING_END] = "a multipart without closing boundary",
    [MIME_DEFECT_DEPTH_LIMIT] = "parts nested too deeply",
    [MIME_DEFECT_PARTS_LIMIT] = "too many parts",
    [MIME_DEFECT_MEMORY_LIMIT] = "too much structure for the memory allowed",
    [MIME_DEFECT_TOO_LONG] = "a message of more than 4 GiB",
    [MIME_DEFECT_BARE_LF] = "lines that end in LF alone",
    [MIME_DEFECT_NUL] = "a zero octet in a header",
    [MIME_DEFECT_BASE64] = "damaged base64",
    [MIME_DEFECT_QUOTED_PRINTABLE] = "damaged quoted-printable",
    [MIME_DEFECT_UUENCODE] = "damaged uuencode",
    [MIME_DEFECT_CHARSET] = "an unknown charset, or text that is not of its charset",
};

void
mime_defects_add(struct mime_defects *defects, enum mime_defect_kind kind, size_t offset)
{
    assert(kind > MIME_DEFECT_NONE && kind < MIME_DEFECT_KINDS);
    defects->kinds |= UINT64_C(1) << kind;
    if (defects->count < MIME_DEFECTS_MAX)
        defects->items[defects->count++] = (struct mime_defect){
            .kind = kind,
            .offset = offset < UINT32_MAX ? (uint32_t)offset : UINT32_MAX,
        };
}

const char *
mime_defect_text(enum mime_defect_kind kind)
{
    return kind < MIME_DEFECT_KINDS ? texts[kind] : "something unknown";
}
