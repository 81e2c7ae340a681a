/* SPDX-License-Identifier: ISC */
#include "routing/sts.h"

static bool
is_word(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!byte_is_alpha(text.at[i]) && !byte_is_digit(text.at[i]))
            return false;
    }
    return text.len > 0;
}

/* The part up to the separator, without blanks around it; `text` loses both. */
static struct slice
take_part(struct slice *text, uint8_t separator)
{
    size_t end = slice_find_byte(*text, separator);
    struct slice part = slice_first(*text, end);

    *text = slice_skip(*text, end + 1);
    return slice_trim(part);
}

/* RFC 8461 §3.1: sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim] */
bool
routing_sts_record_parse(struct slice text, struct slice *ret_id)
{
    struct slice id = SLICE("");

    if (!slice_equal(take_part(&text, ';'), SLICE("v=STSv1")))
        return false;
    while (text.len > 0) {
        struct slice field = take_part(&text, ';');
        if (!slice_starts_with(field, SLICE("id=")))
            continue;
        if (id.len > 0)
            return false;
        id = slice_skip(field, 3);
        if (!is_word(id) || id.len > ROUTING_STS_ID_MAX)
            return false;
    }
    if (id.len == 0)
        return false;
    *ret_id = id;
    return true;
}

/* A domain name, perhaps behind "*.". */
static bool
is_pattern(struct slice text)
{
    if (slice_starts_with(text, SLICE("*.")))
        text = slice_skip(text, 2);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.at[i];
        if (!byte_is_alpha(byte) && !byte_is_digit(byte) && byte != '-' && byte != '.')
            return false;
    }
    return text.len > 0 && text.len <= 253 && text.at[0] != '.';
}

static bool
take_age(struct slice value, uint32_t *ret_s)
{
    uint32_t seconds = 0;

    if (value.len == 0 || value.len > 10)
        return false;
    for (size_t i = 0; i < value.len; i++) {
        if (!byte_is_digit(value.at[i]))
            return false;
        seconds = seconds * 10 + (uint32_t)(value.at[i] - '0');
        /* What is longer than the longest counts as that. */
        if (seconds > ROUTING_STS_AGE_MAX_S)
            seconds = ROUTING_STS_AGE_MAX_S;
    }
    *ret_s = seconds;
    return true;
}

struct reading {
    struct arena *arena;
    struct slice *patterns;
    struct routing_sts_policy policy;
    bool has_version, has_mode, has_age;
};

static bool
take_pattern(struct reading *reading, struct slice value)
{
    if (!is_pattern(value) || reading->policy.pattern_count == ROUTING_STS_PATTERNS_MAX)
        return false;
    uint8_t *lower = arena_new(reading->arena, value.len);
    if (!lower)
        return false;
    for (size_t i = 0; i < value.len; i++)
        lower[i] = byte_to_lower(value.at[i]);
    reading->patterns[reading->policy.pattern_count++] = slice_of(lower, value.len);
    return true;
}

static const char *const mode_names[] = {[ROUTING_STS_NONE] = "none",
                                         [ROUTING_STS_TESTING] = "testing",
                                         [ROUTING_STS_ENFORCE] = "enforce"};

static bool
take_mode(struct reading *reading, struct slice value)
{
    for (size_t i = 0; i < COUNT_OF(mode_names); i++) {
        if (slice_equal(value, slice_of_string(mode_names[i]))) {
            reading->policy.mode = (enum routing_sts_mode)i;
            return true;
        }
    }
    return false;
}

/* RFC 8461 §3.2: of fields that come again, but for mx, the first one counts; others are ignored.
 */
static bool
take_field(struct reading *reading, struct slice name, struct slice value)
{
    if (slice_equal(name, SLICE("version"))) {
        if (!reading->has_version && !slice_equal(value, SLICE("STSv1")))
            return false;
        reading->has_version = true;
        return true;
    }
    if (slice_equal(name, SLICE("mode")) && !reading->has_mode) {
        reading->has_mode = true;
        return take_mode(reading, value);
    }
    if (slice_equal(name, SLICE("max_age")) && !reading->has_age) {
        reading->has_age = true;
        return take_age(value, &reading->policy.max_age_s);
    }
    return !slice_equal(name, SLICE("mx")) || take_pattern(reading, value);
}

bool
routing_sts_policy_parse(struct slice text, struct arena *arena,
                         struct routing_sts_policy *ret_policy)
{
    struct reading reading = {
        .arena = arena, .patterns = ARENA_ARRAY(arena, struct slice, ROUTING_STS_PATTERNS_MAX)};

    if (!reading.patterns || text.len > ROUTING_STS_POLICY_MAX)
        return false;
    while (text.len > 0) {
        struct slice line = take_part(&text, '\n');
        size_t colon = slice_find_byte(line, ':');
        if (line.len == 0)
            continue;
        if (colon == line.len || !take_field(&reading, slice_trim(slice_first(line, colon)),
                                             slice_trim(slice_skip(line, colon + 1))))
            return false;
    }
    reading.policy.patterns = reading.patterns;
    bool needs_hosts = reading.policy.mode != ROUTING_STS_NONE;
    if (!reading.has_version || !reading.has_mode || !reading.has_age ||
        (needs_hosts && reading.policy.pattern_count == 0))
        return false;
    *ret_policy = reading.policy;
    return true;
}

void
routing_sts_policy_put(struct buffer *buffer, const struct routing_sts_policy *policy)
{
    buffer_put_text(buffer, "version: STSv1\nmode: ");
    buffer_put_text(buffer, mode_names[policy->mode]);
    for (size_t i = 0; i < policy->pattern_count; i++) {
        buffer_put_text(buffer, "\nmx: ");
        buffer_put(buffer, policy->patterns[i]);
    }
    buffer_put_text(buffer, "\nmax_age: ");
    buffer_put_decimal(buffer, policy->max_age_s);
    buffer_put_byte(buffer, '\n');
}

bool
routing_sts_allows(const struct routing_sts_policy *policy, struct slice host)
{
    for (size_t i = 0; i < policy->pattern_count; i++) {
        struct slice pattern = policy->patterns[i], name = host;
        if (slice_starts_with(pattern, SLICE("*."))) {
            name = slice_skip(name, slice_find_byte(name, '.'));
            pattern = slice_skip(pattern, 1);
        }
        if (name.len > 0 && slice_equal_nocase(name, pattern))
            return true;
    }
    return false;
}
