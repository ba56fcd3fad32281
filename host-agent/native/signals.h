// SPDX-License-Identifier: Apache-2.0
#ifndef HOLDFAST_SIGNALS_H
#define HOLDFAST_SIGNALS_H
#include <stdbool.h>

/** Every signal does what it does by default and none is held back: an exec hands on what is ignored or blocked. False with errno. */
bool signals_fresh(void);
#endif
