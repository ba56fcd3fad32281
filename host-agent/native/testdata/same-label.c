// SPDX-License-Identifier: Apache-2.0
// same-label A B: status 0 when call-init takes A and B for the same label.
#include "../label.h"

int main(int argc, char **argv) { return argc == 3 && label_same(argv[1], argv[2]) ? 0 : 1; }
