/* SPDX-License-Identifier: ISC */
#include "mime/file_type.h"

/* What people attach. Types as registered with IANA. */
static const struct {
    const char *ending, *type;
} types[] = {
    {"txt", "text/plain"},
    {"text", "text/plain"},
    {"log", "text/plain"},
    {"c", "text/plain"},
    {"h", "text/plain"},
    {"py", "text/plain"},
    {"sh", "text/plain"},
    {"md", "text/markdown"},
    {"htm", "text/html"},
    {"html", "text/html"},
    {"css", "text/css"},
    {"csv", "text/csv"},
    {"ics", "text/calendar"},
    {"vcf", "text/vcard"},
    {"diff", "text/x-diff"},
    {"patch", "text/x-diff"},
    {"xml", "application/xml"},
    {"json", "application/json"},
    {"js", "text/javascript"},
    {"pdf", "application/pdf"},
    {"ps", "application/postscript"},
    {"rtf", "application/rtf"},
    {"tex", "application/x-tex"},
    {"zip", "application/zip"},
    {"gz", "application/gzip"},
    {"tar", "application/x-tar"},
    {"7z", "application/x-7z-compressed"},
    {"doc", "application/msword"},
    {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
    {"xls", "application/vnd.ms-excel"},
    {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    {"ppt", "application/vnd.ms-powerpoint"},
    {"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
    {"odt", "application/vnd.oasis.opendocument.text"},
    {"ods", "application/vnd.oasis.opendocument.spreadsheet"},
    {"odp", "application/vnd.oasis.opendocument.presentation"},
    {"epub", "application/epub+zip"},
    {"png", "image/png"},
    {"jpg", "image/jpeg"},
    {"jpeg", "image/jpeg"},
    {"gif", "image/gif"},
    {"webp", "image/webp"},
    {"avif", "image/avif"},
    {"heic", "image/heic"},
    {"svg", "image/svg+xml"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"bmp", "image/bmp"},
    {"mp3", "audio/mpeg"},
    {"ogg", "audio/ogg"},
    {"flac", "audio/flac"},
    {"wav", "audio/vnd.wave"},
    {"mp4", "video/mp4"},
    {"webm", "video/webm"},
    {"mov", "video/quicktime"},
    {"eml", "message/rfc822"},
    {"asc", "application/pgp-signature"},
    {"p7s", "application/pkcs7-signature"},
    {"p7m", "application/pkcs7-mime"},
};

const char *
mime_file_type(struct slice name)
{
    size_t dot = slice_find_last_byte(name, '.');
    struct slice ending = slice_skip(name, dot + 1);

    for (size_t i = 0; dot > 0 && i < COUNT_OF(types); i++) {
        if (slice_equal_nocase(ending, slice_of_string(types[i].ending)))
            return types[i].type;
    }
    return "application/octet-stream";
}
