/* SPDX-License-Identifier: ISC */
#include "role/transport/socks.h"

enum {
    VERSION = 5,
    NO_AUTHENTICATION = 0,
    CONNECT = 1,
    TYPE_IPV4 = 1,
    TYPE_NAME = 3,
    TYPE_IPV6 = 4,
    METHOD_ANSWER_LEN = 2,
    ANSWER_HEAD_LEN = 5, /* VER REP RSV ATYP and the first octet of the address */
};

/* RFC 1928 §3 */
void
socks_begin(struct socks *socks, const struct host_address *target)
{
    *socks = (struct socks){
        .target = *target,
        .output = {VERSION, 1, NO_AUTHENTICATION},
        .output_len = 3,
        .answer_wanted = METHOD_ANSWER_LEN,
    };
}

struct slice
socks_output(const struct socks *socks)
{
    return slice_of(socks->output + socks->output_sent,
                    (size_t)(socks->output_len - socks->output_sent));
}

void
socks_sent(struct socks *socks, size_t len)
{
    assert(len <= (size_t)(socks->output_len - socks->output_sent));
    socks->output_sent = (uint8_t)(socks->output_sent + len);
}

size_t
socks_wanted(const struct socks *socks)
{
    return socks->is_done ? 0 : socks->answer_wanted - socks->answer_len;
}

/* RFC 1928 §4 */
static void
make_request(struct socks *socks)
{
    bool is_ipv4 = socks->target.family == HOST_FAMILY_IPV4;
    size_t len = is_ipv4 ? 4 : 16;
    uint8_t head[] = {VERSION, CONNECT, 0, is_ipv4 ? TYPE_IPV4 : TYPE_IPV6};

    memcpy(socks->output, head, sizeof(head));
    memcpy(socks->output + sizeof(head), socks->target.bytes, len);
    socks->output[sizeof(head) + len] = (uint8_t)(socks->target.port >> 8);
    socks->output[sizeof(head) + len + 1] = (uint8_t)socks->target.port;
    socks->output_len = (uint8_t)(sizeof(head) + len + 2);
    socks->output_sent = 0;
    socks->is_asked = true;
    socks->answer_len = 0;
    socks->answer_wanted = ANSWER_HEAD_LEN;
}

/* RFC 1928 §6 */
static const char *
refusal_text(uint8_t reply)
{
    static const char *const texts[] = {
        NULL,
        "the SOCKS proxy has failed",
        "the SOCKS proxy does not allow it",
        "network unreachable behind the SOCKS proxy",
        "host unreachable behind the SOCKS proxy",
        "connection refused behind the SOCKS proxy",
        "too many hops behind the SOCKS proxy",
        "the SOCKS proxy does not connect",
        "the SOCKS proxy does not know this kind of address",
    };
    return reply < COUNT_OF(texts) ? texts[reply] : "the SOCKS proxy refuses";
}

/* The head of an answer says how long it is: to its end belong an address and a port. */
static const char *
take_head(struct socks *socks)
{
    const uint8_t *answer = socks->answer;

    if (answer[0] != VERSION)
        return "the SOCKS proxy speaks another version";
    if (answer[1] != 0)
        return refusal_text(answer[1]);
    if (answer[3] == TYPE_IPV4)
        socks->answer_wanted = 4 + 4 + 2;
    else if (answer[3] == TYPE_IPV6)
        socks->answer_wanted = 4 + 16 + 2;
    else if (answer[3] == TYPE_NAME)
        socks->answer_wanted = 4 + 1 + (size_t)answer[4] + 2;
    else
        return "the SOCKS proxy's answer makes no sense";
    return NULL;
}

const char *
socks_take(struct socks *socks, struct slice bytes)
{
    assert(bytes.len <= socks_wanted(socks));
    memcpy(socks->answer + socks->answer_len, bytes.at, bytes.len);
    socks->answer_len += bytes.len;
    if (socks->answer_len < socks->answer_wanted)
        return NULL;
    if (!socks->is_asked) {
        if (socks->answer[0] != VERSION || socks->answer[1] != NO_AUTHENTICATION)
            return "the SOCKS proxy wants a password";
        make_request(socks);
        return NULL;
    }
    if (socks->answer_wanted == ANSWER_HEAD_LEN)
        return take_head(socks);
    socks->is_done = true;
    return NULL;
}
