/* Reading from a named pipe handle: what the handle calls. uvrelay/npipe.h has what its owner calls. */
#ifndef UVR_NPIPE_READER_H
#define UVR_NPIPE_READER_H

#include "npipe/types.h"

/* Continues reading while the owner wants it. May call back. */
void uvr_npipe_run_reader(uvrelay_npipe_t *npipe);

#endif
