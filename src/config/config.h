/* SPDX-License-Identifier: ISC */
/* The values of all options, read from a configuration file, checked, and sent to every role.
 * The members of struct config are the rows of options.def, under the same names. */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/time.h"
#include "host/host.h"

/* Which name in a client's certificate is the account's. */
enum config_certificate_name {
    CONFIG_CERTIFICATE_EMAIL,
    CONFIG_CERTIFICATE_COMMON_NAME,
    CONFIG_CERTIFICATE_USER_ID
};
enum config_oauth_login { CONFIG_OAUTH_BASIC, CONFIG_OAUTH_POST, CONFIG_OAUTH_BEARER };
enum config_password_scheme { CONFIG_PASSWORD_YESCRYPT, CONFIG_PASSWORD_ARGON2ID };

/* vrfy and expn */
enum config_vrfy {
    CONFIG_VRFY_REFUSE,
    CONFIG_VRFY_CANNOT_TELL,
    CONFIG_VRFY_TRUSTED,
    CONFIG_VRFY_ALL
};

enum config_forward_files { CONFIG_FORWARD_NO, CONFIG_FORWARD_ADDRESSES, CONFIG_FORWARD_ALL };
enum config_call_ahead_failure { CONFIG_AHEAD_ACCEPT, CONFIG_AHEAD_DEFER };
enum config_senders { CONFIG_SENDERS_OWN, CONFIG_SENDERS_ENVELOPE, CONFIG_SENDERS_ANY };
enum config_etrn { CONFIG_ETRN_REFUSE, CONFIG_ETRN_TRUSTED, CONFIG_ETRN_ALL };

enum config_source_routes { CONFIG_ROUTES_DROP, CONFIG_ROUTES_HONOUR, CONFIG_ROUTES_REFUSE };

/* In the order of dsn/report.h. */
enum config_report_language { CONFIG_REPORT_ENGLISH, CONFIG_REPORT_FRENCH, CONFIG_REPORT_BOTH };

/* In the order of routing/hop.h. */
enum config_outgoing_tls {
    CONFIG_TLS_NONE,
    CONFIG_TLS_MAY,
    CONFIG_TLS_DANE,
    CONFIG_TLS_ENCRYPT,
    CONFIG_TLS_VERIFY
};

enum config_ip_preference {
    CONFIG_IP_ANY,
    CONFIG_IP_IPV6,
    CONFIG_IP_IPV4,
    CONFIG_IP_ONLY_IPV6,
    CONFIG_IP_ONLY_IPV4
};

enum config_log_level { CONFIG_LOG_ERROR, CONFIG_LOG_WARNING, CONFIG_LOG_INFO, CONFIG_LOG_DEBUG };

/* Members of the set auth_mechanisms. */
enum config_mechanism {
    CONFIG_MECHANISM_PLAIN = 1 << 0,
    CONFIG_MECHANISM_LOGIN = 1 << 1,
    CONFIG_MECHANISM_SCRAM_SHA_256 = 1 << 2,
    CONFIG_MECHANISM_SCRAM_SHA_256_PLUS = 1 << 3,
    CONFIG_MECHANISM_SCRAM_SHA_1 = 1 << 4,
    CONFIG_MECHANISM_OAUTHBEARER = 1 << 5,
    CONFIG_MECHANISM_XOAUTH2 = 1 << 6,
    CONFIG_MECHANISM_EXTERNAL = 1 << 7,
    CONFIG_MECHANISM_SCRAM_SHA_1_PLUS = 1 << 8,
};

/* A file larger than this is not a configuration; the encoded form always fits in it too. */
enum { CONFIG_TEXT_MAX = 1024 * 1024, CONFIG_ENCODED_MAX = 1024 * 1024 };

/* Most entries of a list of listeners or networks, and the longest string in a list. */
enum { CONFIG_LISTENERS_MAX = 64, CONFIG_NETWORKS_MAX = 4096, CONFIG_STRING_MAX = 4096 };

/* Longest domain in relay_feeds: it is part of a file's name. */
enum { CONFIG_FEED_DOMAIN_MAX = 200 };

/* Most bytes that the values of one configuration take. */
enum { CONFIG_ARENA_MAX = 8 * 1024 * 1024 };

struct config_strings {
    const struct slice *at;
    size_t count;
};

/* Where a service listens. For HOST_FAMILY_UNIX the path counts, otherwise address and port. */
struct config_listener {
    struct host_address address;
    struct slice path;
};

struct config_listeners {
    const struct config_listener *at;
    size_t count;
};

/* Addresses whose first `bits` bits are those of `address` (its port is 0). */
struct config_network {
    struct host_address address;
    uint8_t bits;
};

struct config_networks {
    const struct config_network *at;
    size_t count;
};

#define SECTION(title)
#define BOOL(name, ...) bool name;
#define NUMBER(name, ...) uint32_t name;
#define SIZE(name, ...) uint64_t name;
#define DURATION(name, ...) struct duration name;
#define STRING(name, ...) struct slice name;
#define PATH(name, ...) struct slice name;
#define CHOICE(name, def, type, ...) enum type name;
#define SET(name, ...) uint32_t name;
#define STRINGS(name, ...) struct config_strings name;
#define LISTENERS(name, ...) struct config_listeners name;
#define NETWORKS(name, ...) struct config_networks name;

/* Plain values; strings and lists borrow from the arena they were read into. */
struct config {
#include "config/options.def"
};

#undef SECTION
#undef BOOL
#undef NUMBER
#undef SIZE
#undef DURATION
#undef STRING
#undef PATH
#undef CHOICE
#undef SET
#undef STRINGS
#undef LISTENERS
#undef NETWORKS

/* Every option at its default. The arena must have room (CONFIG_ARENA_MAX is enough). */
void config_default(struct arena *arena, struct config *ret_config);

/* Reads the text of a configuration file; options that it does not name get their defaults.
 * `name` is the file's name for messages. False: one line for each error stands in `errors`,
 * "NAME:LINE: OPTION: what was expected; what to do", and *ret_config is untouched. Lines end in
 * LF. The text may hold anything. */
MUST_USE bool config_parse(struct slice text, struct slice name, struct arena *arena,
                           struct buffer *errors, struct config *ret_config);

/* Puts a line "LINE: …" for each option that such a text sets once more; the last value counts. */
void config_put_repeated(struct slice text, struct buffer *out);

/* What only the whole can show (a TLS port without a certificate …). False: as above, without
 * line. config_parse does not call it, so that a file can be shown before it is right. */
MUST_USE bool config_check(const struct config *config, struct slice name, struct buffer *errors);

/* All values as bytes for another process of the same build, and back. Decoding checks everything
 * (bounds, lengths, choices, nothing left over) and leaves *ret_config untouched when it fails.
 * Strings and lists of the result live in the arena. */
void config_encode(const struct config *config, struct buffer *out);
MUST_USE bool config_decode(struct slice bytes, struct arena *arena, struct config *ret_config);

/* True when the address lies in one of the networks; an IPv4 address in IPv6 clothes
 * (::ffff:0:0/96) counts as IPv4. Unix sockets lie in none. */
bool config_networks_contain(const struct config_networks *networks,
                             const struct host_address *address);

/* Takes an entry of tls_names apart: server name, file of the chain, file of the key. */
MUST_USE bool config_tls_name(struct slice entry, struct slice *ret_name, struct slice *ret_chain,
                              struct slice *ret_key);

/* Takes the first word of an entry (relay_feeds, relay_feed_to, atrn, send_as) off what stands
 * behind it. False when one of them is missing. */
MUST_USE bool config_pair(struct slice entry, struct slice *ret_first, struct slice *ret_rest);

/* Takes an entry of dkim_keys apart: the name of the key's record, the file of the key. */
MUST_USE bool config_dkim_key(struct slice entry, struct slice *ret_record, struct slice *ret_key);

/* True when a letter box may lie at this absolute path: below one of letterbox_dirs, without any
 * detour ("..", ".", "//"). %u and %d may stand in it. */
bool config_letterbox_is_allowed(const struct config *config, struct slice path);

/* Sets level and masks in the log's settings; leaves the rest. */
void config_log_settings(const struct config *config, struct host_log_settings *settings);

#endif
