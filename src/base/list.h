/* Doubly linked lists whose nodes are members of the listed structs. Every function takes constant time and allocates
 * nothing; a node is removed without a search.
 *
 *   uvr_list_init(&relay->sessions);
 *   uvr_list_append(&relay->sessions, &session->node);
 *   for (uvr_list_node *n = uvr_list_first(&relay->sessions); n != NULL; n = uvr_list_next(&relay->sessions, n)) {
 *     uvrelay_session_t *session = UVR_LISTED(n, uvrelay_session_t, node);
 *   }
 *
 * A loop that removes nodes gets the next one first. */
#ifndef UVR_BASE_LIST_H
#define UVR_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A node that is all zero is in no list. */
typedef struct uvr_list_node {
  struct uvr_list_node *next;
  struct uvr_list_node *previous;
} uvr_list_node;

/* It must not be moved in memory once it has nodes. */
typedef struct uvr_list {
  uvr_list_node ends; /* the first and the last node are its `next` and `previous`; itself if the list is empty */
} uvr_list;

/* The struct that a node is a member of. */
#define UVR_LISTED(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

static inline void uvr_list_init(uvr_list *list)
{
  list->ends.next = &list->ends;
  list->ends.previous = &list->ends;
}

static inline bool uvr_list_is_empty(const uvr_list *list)
{
  return list->ends.next == &list->ends;
}

/* Whether the node is in a list. */
static inline bool uvr_list_has(const uvr_list_node *node)
{
  return node->next != NULL;
}

static inline void uvr_list_insert_after(uvr_list_node *place, uvr_list_node *node)
{
  node->previous = place;
  node->next = place->next;
  node->next->previous = node;
  place->next = node;
}

static inline void uvr_list_append(uvr_list *list, uvr_list_node *node)
{
  uvr_list_insert_after(list->ends.previous, node);
}

static inline void uvr_list_prepend(uvr_list *list, uvr_list_node *node)
{
  uvr_list_insert_after(&list->ends, node);
}

/* Removes the node from its list. */
static inline void uvr_list_remove(uvr_list_node *node)
{
  node->previous->next = node->next;
  node->next->previous = node->previous;
  node->next = NULL;
  node->previous = NULL;
}

/* The first node, or NULL. */
static inline uvr_list_node *uvr_list_first(const uvr_list *list)
{
  return uvr_list_is_empty(list) ? NULL : list->ends.next;
}

/* The node after `node`, or NULL. */
static inline uvr_list_node *uvr_list_next(const uvr_list *list, const uvr_list_node *node)
{
  return node->next == &list->ends ? NULL : node->next;
}

/* Removes the first node and returns it, or NULL. */
static inline uvr_list_node *uvr_list_pop(uvr_list *list)
{
  uvr_list_node *first = uvr_list_first(list);
  if (first != NULL) {
    list->ends.next = first->next;
    first->next->previous = &list->ends;
    first->next = NULL;
    first->previous = NULL;
  }
  return first;
}

/* Moves all nodes of `from` to `to`, in their order; `to` need not be initialised. */
static inline void uvr_list_move(uvr_list *to, uvr_list *from)
{
  uvr_list_init(to);
  if (!uvr_list_is_empty(from)) {
    to->ends = from->ends;
    to->ends.next->previous = &to->ends;
    to->ends.previous->next = &to->ends;
    uvr_list_init(from);
  }
}

#endif
