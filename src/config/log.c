/* SPDX-License-Identifier: ISC */
#include "config/config.h"

void
config_log_settings(const struct config *config, struct host_log_settings *settings)
{
    static const enum host_level levels[] = {
        [CONFIG_LOG_ERROR] = HOST_LEVEL_ERROR,
        [CONFIG_LOG_WARNING] = HOST_LEVEL_WARNING,
        [CONFIG_LOG_INFO] = HOST_LEVEL_INFO,
        [CONFIG_LOG_DEBUG] = HOST_LEVEL_DEBUG,
    };

    settings->level_max = levels[config->log_level];
    settings->mask_addresses = config->log_mask_addresses;
    settings->mask_peers = config->log_mask_addresses;
}
