/* A descriptor that the log is written to, usually standard error, and the style that suits it. */
#ifndef UVR_CLI_OUTPUT_LOG_FD_H
#define UVR_CLI_OUTPUT_LOG_FD_H

#include <stddef.h>

#include <uv.h>

#include "cli/output/log_style.h"

/* The style, without times, for what the descriptor leads to: the journal, a terminal, or something else. */
uvr_log_style uvr_log_fd_style(uv_file fd);

/* Writes lines, which may have marks, in a style: everything, or as much as possible, as there is no other place to
 * report an error to. Blocks. */
void uvr_log_fd_write(uv_file fd, const uvr_log_style *style, const char *text, size_t length);

#endif
