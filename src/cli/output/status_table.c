/* The table of routes: see status_table.h. */
#include "cli/output/status_table.h"

#include <inttypes.h>

#include "base/text.h"

void uvr_status_table_json(uvr_text_line *out, const uvr_report_route *routes, size_t count)
{
  uvr_text_line_begin(out, "status");
  uvr_text_line_add(out, ",\"routes\":[");
  for (size_t i = 0; i < count; i++) {
    const uvrelay_route_counters_t *counters = &routes[i].counters;
    uvr_text_line_add(out, "%s{\"listen\":", i == 0 ? "" : ",");
    uvr_text_line_string(out, routes[i].listen);
    uvr_text_line_member(out, "target", routes[i].target);
    if (uvr_report_has_name(&routes[i])) {
      uvr_text_line_member(out, "name", routes[i].name);
    }
    uvr_text_line_number(out, "open", counters->open);
    uvr_text_line_number(out, "total", counters->total);
    uvr_text_line_number(out, "failed", counters->failed);
    uvr_text_line_number(out, "to_target", counters->to_target);
    uvr_text_line_number(out, "to_client", counters->to_client);
    if (routes[i].error == NULL) {
      uvr_text_line_add(out, ",\"error\":null");
    } else {
      uvr_text_line_member(out, "error", routes[i].error);
    }
    uvr_text_line_add(out, "}");
  }
  uvr_text_line_add(out, "]}\n");
}

/* How many characters a route takes up. */
static size_t width_of(const uvr_report_route *route)
{
  const char *const texts[] = {route->listen, route->target, uvr_report_has_name(route) ? route->name : ""};
  size_t width = uvr_report_has_name(route) ? 3 : 1; /* the "=", and the ": " after the name */
  for (size_t i = 0; i < 3; i++) {
    for (const char *next = texts[i]; *next != '\0';) {
      char escaped[UVR_ESCAPED_SIZE];
      size_t size = uvr_escape_next(&next, escaped);
      width += escaped[0] == '\\' ? size : 1;
    }
  }
  return width;
}

/* The columns have fixed minimum widths, so that they line up within a table and between one table and the next. */
void uvr_status_table_text(uvr_text_line *out, const uvr_report_route *routes, size_t count)
{
  size_t widest = 0;
  for (size_t i = 0; i < count; i++) {
    size_t width = width_of(&routes[i]);
    widest = width > widest ? width : widest;
  }
  uvr_text_line_add(out, "%6s %9s %9s %15s %15s  ", "open", "total", "failed", "to target", "to client");
  uvr_text_line_add(out, "%-*s  last error\n", (int)(widest < 200 ? widest : 200), "route");
  for (size_t i = 0; i < count; i++) {
    const uvrelay_route_counters_t *counters = &routes[i].counters;
    uvr_text_line_add(out, "%6" PRIu64 " %9" PRIu64 " %9" PRIu64 " %15" PRIu64 " %15" PRIu64 "  ",
                      (uint64_t)counters->open, counters->total, counters->failed, counters->to_target,
                      counters->to_client);
    if (uvr_report_has_name(&routes[i])) {
      uvr_text_line_text(out, routes[i].name);
      uvr_text_line_add(out, ": ");
    }
    uvr_text_line_text(out, routes[i].listen);
    uvr_text_line_add(out, "=");
    uvr_text_line_text(out, routes[i].target);
    size_t width = width_of(&routes[i]);
    uvr_text_line_add(out, "%*s", (int)(width < widest && widest < 200 ? widest - width : 0) + 2, "");
    uvr_text_line_text(out, routes[i].error == NULL ? "-" : routes[i].error);
    uvr_text_line_add(out, "\n");
  }
}
