/* SPDX-License-Identifier: ISC */
#include "text/date.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Whatever is read as a date can be written, and reads back as the same instant in the same zone.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct buffer out;
    struct date date, back;

    struct wall wall, wall_back;

    if (date_parse_iso8601(slice_of(data, len), &wall) && date_civil_of(wall, 0).year >= 1678 &&
        date_civil_of(wall, 0).year <= 2261) {
        buffer_init(&out, 100);
        date_format_iso8601(wall, 0, &out);
        assert(date_parse_iso8601(buffer_slice(&out), &wall_back));
        assert(wall.ns - wall_back.ns >= 0 && wall.ns - wall_back.ns < 1000000000);
        buffer_finish(&out);
    }
    if (!date_parse(slice_of(data, len), &date))
        return 0;
    buffer_init(&out, 100);
    assert(date.zone_minutes >= -1439 && date.zone_minutes <= 1439);
    struct date_civil civil = date_civil_of(date.wall, date.zone_minutes);
    if (civil.year >= 1678 && civil.year <= 2261) {
        date_format_rfc5322(date.wall, date.zone_minutes, &out);
        assert(date_parse(buffer_slice(&out), &back));
        assert(wall_seconds(back.wall) * 1000000000 == back.wall.ns);
        assert(date.wall.ns - back.wall.ns >= 0 && date.wall.ns - back.wall.ns < 1000000000);
        assert(back.zone_minutes == date.zone_minutes && back.defects == 0);
    }
    buffer_finish(&out);
    return 0;
}
