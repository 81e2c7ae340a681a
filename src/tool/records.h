/* SPDX-License-Identifier: ISC */
/* What the name system has to say of a domain whose mail comes here, as the configuration and the
 * keys have it: MX (RFC 5321 §5.1), SPF (RFC 7208), DKIM (RFC 6376 §3.6), DMARC (RFC 7489 §6.3),
 * TLSRPT (RFC 8460 §3), SRV (RFC 6186, RFC 8314 §5.1), TLSA (RFC 7672); and the two files that
 * belong on a web server: the policy of MTA-STS (RFC 8461 §3.2), and what mail programs read. */
#ifndef TOOL_RECORDS_H
#define TOOL_RECORDS_H

#include "config/config.h"
#include "dns/dns.h"

struct record {
    enum dns_type type;
    struct slice name;    /* without a dot at its end */
    struct slice value;   /* as in a zone file; of A empty: the addresses are not known here */
    struct slice expected; /* TXT: the text; MX, SRV: the host; TLSA: the data */
    uint16_t port;        /* SRV */
    const char *why;      /* for people, without a full stop */
    bool is_needed;       /* mail is lost or refused without it */
    bool is_free;         /* TXT: any other of its version (v=…) will do */
    bool is_conditional;  /* not for everybody: `why` says for whom */
};

/* `record` is valid during the call. */
typedef void (*record_fn)(void *context, const struct record *record);

/* Calls fn for each. `config` has its hostname. 0, or the exit code of a key or certificate that
 * could not be read, after having said so. */
MUST_USE int records_tell(const struct config *config, struct slice domain, record_fn fn,
                          void *context);

/* True when one of option dkim_keys signs for the domain. */
bool records_has_key(const struct config *config, struct slice domain);

/* Puts "v=DKIM1; k=…; p=…" of a private key in PEM; false for what is no key of RSA or Ed25519. */
MUST_USE bool records_put_dkim(struct slice key, struct buffer *out);
/* Puts a line of a zone file, without its end; a long text is cut into strings. */
void records_put_text(struct slice name, struct slice text, struct buffer *out);

/* mta-sts.txt, and the record that tells that there is one: its id follows from the policy. */
void records_put_sts_policy(const struct config *config, bool is_enforced, struct buffer *out);
void records_put_sts_record(struct slice domain, struct slice policy, struct buffer *out);

/* config-v1.1.xml. False when no service has TLS, which such files should name alone. */
MUST_USE bool records_put_autoconfig(const struct config *config, struct slice domain,
                                     struct buffer *out);

#endif
