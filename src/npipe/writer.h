/* Writing to a named pipe handle: what the handle calls. uvrelay/npipe.h has what its owner calls. */
#ifndef UVR_NPIPE_WRITER_H
#define UVR_NPIPE_WRITER_H

#include "npipe/types.h"

void uvr_npipe_init_writer(uvr_npipe_writer *writer);

/* Continues writing, and calls back for the requests that are done. */
void uvr_npipe_run_writer(uvrelay_npipe_t *npipe);

/* Ends all requests with UV_ECANCELED, and calls back. The stream must be closed. */
void uvr_npipe_cancel_writes(uvrelay_npipe_t *npipe);

/* Whether no request is queued or waits for its callback. */
bool uvr_npipe_writer_is_idle(const uvr_npipe_writer *writer);

#endif
